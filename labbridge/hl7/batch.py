"""Several messages in one frame or file: the batch protocol (2.5.1 section 2.10.3), and messages put one after another.

`[FHS] {[BHS] {MSH ...} [BTS]} [FTS]`. Every message inside keeps its own control id and is taken on its own; only a batch
whose own counts or ends do not agree is refused whole, because then something is missing. The answer has the shape of
what it answers: acknowledgements one after another, in a response batch where a batch came.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import chain, islice, pairwise

import msgspec

from labbridge import times
from labbridge.errors import Refuse
from labbridge.hl7.head import Head, before, head

MAX_MESSAGES = 20_000
MAX_BATCHES = 20_000

_LINE = re.compile(rb"(?:\A|(?<=[\r\n]))(FHS|BHS|MSH|BTS|FTS)(?=[^A-Za-z0-9]|\Z)")
_START = re.compile(rb"\x0b*(?:\xef\xbb\xbf)?[\r\n]*(FHS|BHS|MSH)(?=[^A-Za-z0-9]|\Z)")
_OTHER = re.compile(rb"(?:\A|(?<=[\r\n]))(?!FHS|BHS|BTS|FTS)[^\r\n]")


class Batch(msgspec.Struct, frozen=True):
    """The messages of a frame or file, bytes unchanged, and the headers around them where there were any."""

    messages: tuple[bytes, ...]
    file: Head | None = None
    header: Head | None = None


def several(raw: bytes) -> bool:
    """Whether more stands here than one message: a second MSH, or batch segments."""
    if raw[:3] == b"MSH" and raw.find(b"MSH", 3) < 0 and b"TS" not in raw[-2048:]:
        return False
    start = _START.match(raw)
    return start is not None and (start[1] != b"MSH" or any(islice(_LINE.finditer(raw), 1, 2)))


def first(raw: bytes) -> bytes:
    """The first message of a frame: the one a refusal of the whole is told to. Empty where there is none."""
    found = next((line.start() for line in _LINE.finditer(raw) if line[1] == b"MSH"), len(raw))
    return raw[found:]


def split(raw: bytes) -> Batch:
    """The messages of a frame that holds several. Refuse(100) where a count is wrong, an end is missing, or
    something stands in a batch of no message: what came is kept all the same."""
    raw = raw[len(before(raw)) :]
    walk = _Walk(raw)
    for line, after in pairwise(chain(_LINE.finditer(raw), [None])):  # one at a time: the first fault ends the walk
        assert line is not None  # only the last of all is none
        walk.step(line[1].decode(), line.start(), after.start() if after else len(raw))
    walk.end()
    if not walk.messages and _OTHER.search(raw):
        raise Refuse("A batch holds segments and no message", code="100", location="MSH^1")
    return Batch(tuple(walk.messages), walk.file, walk.header)


class _Walk:
    """Where the reading of a batch stands."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.messages: list[bytes] = []
        self.file: Head | None = None
        self.header: Head | None = None
        self._batches = 0
        self._in_batch = False
        self._begun = 0  # messages there were when the batch began
        self._ended = False
        self._seen: dict[str, int] = {}

    def step(self, name: str, start: int, stop: int) -> None:
        self._seen[name] = self._seen.get(name, 0) + 1
        if self._ended:
            raise self._fault(f"{name} stands after FTS", name)
        {"FHS": self._fhs, "BHS": self._bhs, "MSH": self._msh, "BTS": self._bts, "FTS": self._fts}[name](start, stop)

    def _fhs(self, start: int, stop: int) -> None:
        if self.file is not None or self.messages or self._batches:
            raise self._fault("A second file begins here", "FHS")
        self.file = _as_head(self._raw[start:stop])

    def _bhs(self, start: int, stop: int) -> None:
        if self._in_batch:
            raise self._fault("A batch begins before the one before it ended", "BHS")
        self._in_batch, self._begun = True, len(self.messages)
        self._batches += 1
        self.header = self.header or _as_head(self._raw[start:stop])

    def _msh(self, start: int, stop: int) -> None:
        self.messages.append(self._raw[start:stop])
        if len(self.messages) > MAX_MESSAGES:
            raise Refuse(f"More than {MAX_MESSAGES} messages in one frame", code="207", location="MSH^1")

    def _bts(self, start: int, stop: int) -> None:
        self._check("BTS", start, stop, len(self.messages) - self._begun, "messages")
        if not self._in_batch:
            self._batches += 1
        if self._batches > MAX_BATCHES:
            raise Refuse(f"More than {MAX_BATCHES} batches in one frame", code="207", location="BTS^1")
        self._in_batch, self._begun = False, len(self.messages)

    def _fts(self, start: int, stop: int) -> None:
        self._closed()
        self._check("FTS", start, stop, max(self._batches, 1), "batches")
        self._ended = True

    def end(self) -> None:
        self._closed()
        if self.file is not None and not self._ended:
            raise Refuse("The file does not end with FTS: it may have been cut short", code="100", location="FTS^1")

    def _closed(self) -> None:
        if self._in_batch:
            location = f"BTS^{self._seen.get('BTS', 0) + 1}"
            raise Refuse("A batch does not end with BTS: it may have been cut short", code="100", location=location)

    def _check(self, name: str, start: int, stop: int, count: int, what: str) -> None:
        """BTS-1 and FTS-1: how many there were, where the sender says."""
        line = self._raw[start:stop].split(b"\r")[0].split(b"\n")[0].decode("latin-1")
        said = line[4:].split(line[3:4])[0].strip() if len(line) > 4 else ""
        if said and (not (said.isascii() and said.isdigit()) or int(said) != count):
            raise self._fault(f"{name}-1 does not say the {count} {what} that are here", name, "^1")

    def _fault(self, text: str, name: str, field: str = "") -> Refuse:
        return Refuse(text, code="100", location=f"{name}^{self._seen[name]}{field}")


def _as_head(segment: bytes) -> Head:
    """FHS and BHS have the layout of MSH as far as an answer needs it."""
    return head(b"MSH" + segment[3:])


def answer(batch: Batch, acknowledgements: Sequence[bytes], *, control_id: str, now: datetime) -> bytes:
    """The acknowledgements in one frame's worth of bytes; empty where none of the messages wants one."""
    given = [one for one in acknowledgements if one]
    if not given:
        return b""
    start, after = [], []
    if batch.file is not None:
        start.append(_header("FHS", batch.file, control_id, now))
        after.append(_trailer("FTS", batch.file, 1))
    if batch.header is not None:
        start.append(_header("BHS", batch.header, control_id, now))
        after.insert(0, _trailer("BTS", batch.header, len(given)))
    return b"".join((*start, *given, *after))


def _header(name: str, theirs: Head, control_id: str, now: datetime) -> bytes:
    """Sender and receiver change places; field 12 names the batch or file that is answered."""
    marks = theirs.delimiters
    fields = [name, marks.msh2, *(theirs.field(number) for number in (5, 6, 3, 4)), times.written(now)]
    fields += ["", "", "", control_id, theirs.field(11)]
    return (marks.field.join(fields).rstrip(marks.field) + "\r").encode("latin-1")


def _trailer(name: str, theirs: Head, count: int) -> bytes:
    return f"{name}{theirs.delimiters.field}{count}\r".encode("latin-1")
