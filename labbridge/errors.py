"""Errors named by what happens next. Anything else that is raised is a bug."""

from __future__ import annotations

from labbridge.states import Reason


class Refuse(Exception):
    """The sender must change the message. Raised in receive() only, before the answer.

    `code` is of HL7 table 0357 (100 segment sequence, 101 required field, 104 too long, 200-203, 207, ...);
    `reject` is True for AR/CR (nothing wrong with the content as such), False for AE/CE. `location` is an ERL
    (`OBX^3^11`: segment, occurrence, field) or empty. `close`: the connection ends after the answer. `answer` False
    means no acknowledgement is possible (no MSH). The text carries no patient data: places and rules only.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str,
        location: str = "",
        reject: bool = False,
        close: bool = False,
        answer: bool = True,
    ) -> None:
        super().__init__(text)
        self.text, self.code, self.location = text, code, location
        self.reject, self.close, self.answer = reject, close, answer


class Park(Exception):
    """A person must look at this message; its lane waits. `reason` is reported, the text says what to do."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Retry(Exception):
    """The receiver did not take it, or is away; the same bytes go again later. `reason` is reported. `answer` is what came
    in place of an answer that can be trusted; `after_s`: the receiver asks not to be tried before (seconds)."""

    def __init__(self, reason: Reason, text: str, answer: bytes = b"", *, after_s: float = 0.0) -> None:
        super().__init__(text)
        self.reason, self.answer, self.after_s = reason, answer, after_s


class Refused(Exception):
    """A command or an act of a person that the present state does not allow; the text says why and what would."""


class StoreUnavailable(Exception):
    """The store could not commit (disk full, I/O error, busy): nothing was kept and nothing may be acknowledged."""


class CaseFileError(Exception):
    """A case file that cannot be read, with the place and the repair."""


class PackFileError(Exception):
    """A file that was named as an earlier validation pack and is none, with the place and the repair."""


class CannotCreate(Exception):
    """A file that may not or could not be written where it was asked for, and the repair; nothing is left of it."""
