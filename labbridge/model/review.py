"""What a person decides of a case, and the signature under what leaves."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec


class Decided(StrEnum):
    """What was decided (standards.md 4.2 and 4.3). A wording replaces the text that the next signature is for; the others
    put the case into a queue, or take it from one."""

    WORDING = "wording"
    HOLD = "hold"
    REFER = "refer"
    RETEST = "retest"
    NO_ACTION = "no_action"
    REJECT = "reject"
    RETURN = "return"
    UNDO = "undo"
    CORRECT = "correct"


class Disposition(StrEnum):
    """What a person did with a case beside its state. It holds for the version that was decided on: with new results the
    case is new again, whoever held it."""

    NONE = ""
    HELD = "held"
    REFERRED = "referred"
    WAITING_RETEST = "waiting_retest"
    SECOND_READER = "second_reader"
    DONE = "done"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision on one version of a case: `person` is the login, `name` as it stands beside a signature. `until`: when a
    held case comes back. `text`: the wording, or to whom it was referred, or which retest."""

    case: int
    version: int
    kind: Decided
    person: str
    name: str
    at: datetime
    why: str = ""
    until: datetime | None = None
    text: str = ""


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signature as it stands in the history: under which delivery (D3), in which state that is, and since when. The first
    of two is under none (0)."""

    version: int
    delivery: int
    name: str
    meaning: str
    at: datetime
    state: str
    attempts: int


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed, with which meaning, and the SHA-256 of what was on the screen (review/decisions.py). `first`: whose
    signature it is the second to, where two have to sign."""

    person: str
    name: str
    meaning: str
    screen: bytes
    first: str = ""


class FirstSignature(msgspec.Struct, frozen=True, kw_only=True):
    """The first of two signatures: nothing has left by it."""

    version: int
    person: str
    name: str
    screen: bytes
    at: datetime


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a second person read of HEp-2 (`finding`, a state of clinical.md C2), beside what the case says whose first
    signature is by `first`. `unseen`: the person had not opened the case before, so that it tells of both readers."""

    case: int
    version: int
    person: str
    name: str
    at: datetime
    finding: str
    first: str
    first_finding: str
    unseen: bool = True
    why: str = ""

    @property
    def agrees(self) -> bool:
        return self.finding == self.first_finding


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody was told by telephone of the critical findings of a version: `told` is who, `read_back` whether they repeated
    it. `person` is the login of who called."""

    case: int
    version: int
    person: str
    name: str
    at: datetime
    told: str
    read_back: bool = False
    note: str = ""


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote about a case for the others of the laboratory. It never leaves."""

    case: int
    person: str
    name: str
    at: datetime
    text: str


class SecondReading(msgspec.Struct, frozen=True):
    """All that is kept of two readers of a case, oldest first."""

    firsts: tuple[FirstSignature, ...] = ()
    readings: tuple[Reading, ...] = ()


class Signing(msgspec.Struct, frozen=True):
    """How a comment is signed at the workbench: by which account, with which meaning, for which screen (its digest), and how
    long it waits for an undo. `second`: the person may be, and means to be, the second of two who sign."""

    person: str
    meaning: str
    screen: bytes
    undo: timedelta = timedelta()
    second: bool = False
