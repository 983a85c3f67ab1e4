"""Acknowledgements: those we give, in original and enhanced mode with ERR per version, and those we are given.

Only the MSH is looked at, as bytes: an answer must be possible for a message that could not be read. What we copy from
the sender (MSH-3 to 6, 10, 11, 12, 18) goes back byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7 import charset, escapes, times
from labbridge.hl7.escapes import STANDARD, Delimiters
from labbridge.hl7.reader import Message
from labbridge.model.report import PlacedNote
from labbridge.notes import note

CONDITIONS = ("AL", "NE", "ER", "SU")  # table 0155
POSITIVE = ("AA", "CA")
KNOWN = ("AA", "AE", "AR", "CA", "CE", "CR")  # table 0008

_BOM = b"\xef\xbb\xbf"
_HEAD_BYTES = 2**16
_NULL = '""'
_ANSWERING = (b"MSH", b"MSA", b"ERR")
_SKELETON = ("", STANDARD.field, STANDARD.msh2)

_TEXTS = {  # table 0357
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "207": "Application internal error",
}


class Head(msgspec.Struct, frozen=True):
    """The MSH as far as it can be told apart: its fields by HL7 number (`fields[10]` is MSH-10), as Latin-1 text, so
    that every byte survives. `delimiters` are those an answer can be written in: the message's own where they are
    usable. No fields at all: there is no MSH."""

    delimiters: Delimiters
    fields: tuple[str, ...]

    def field(self, number: int) -> str:
        """A field as sent, escaped; empty when it is not there or is the HL7 null."""
        found = self.fields[number] if number < len(self.fields) else ""
        return "" if found == _NULL else found

    def _part(self, number: int, component: int = 1) -> str:
        parts = self.field(number).split(self.delimiters.component)
        return parts[component - 1] if component <= len(parts) else ""

    @property
    def sender(self) -> str:
        return f"{self._part(3)}|{self._part(4)}"

    @property
    def control_id(self) -> str:
        return self.field(10)

    @property
    def message_type(self) -> str:
        return "^".join(filter(None, (self._part(9), self._part(9, 2))))

    @property
    def event(self) -> str:
        """MSH-9.2, where it looks like one: an answer names no event that is none."""
        found = self._part(9, 2)
        return found if found.isalnum() and found.isascii() else ""

    @property
    def version(self) -> str:
        return self._part(12)

    @property
    def enhanced(self) -> bool:
        """Either of MSH-15 and MSH-16 valued counts as enhanced mode (reliability.md 1.2)."""
        return bool(self.field(15) or self.field(16))


class Acknowledgement(msgspec.Struct, frozen=True):
    """What a receiver said: MSA-1, MSA-2, its text (MSA-3, else ERR-8) and error code (ERR-3 from 2.5, else ERR-1).

    All empty for bytes that are no acknowledgement.
    """

    code: str = ""
    control_id: str = ""
    text: str = ""
    error: str = ""


def digest(raw: bytes) -> bytes:
    """SHA-256 of the bytes as received."""
    return hashlib.sha256(raw).digest()


def head(raw: bytes) -> Head:
    """The first segment of a message, tolerantly: whatever bytes come, a head goes."""
    start = len(_BOM) if raw.startswith(_BOM) else 0
    if raw[start : start + 3] != b"MSH":
        return Head(STANDARD, ())
    line = re.split(rb"[\r\n]", raw[start : start + _HEAD_BYTES], maxsplit=1)[0].decode("latin-1")
    separator = line[3:4]
    if not separator or not _mark(separator):
        return Head(STANDARD, _SKELETON)
    fields = line.split(separator)
    return Head(_delimiters(separator, fields[1]), ("", separator, *fields[1:]))


def accept(source: Message | Head | bytes, *, control_id: str, now: datetime) -> bytes:
    """AA (original mode) or CA (enhanced): the bytes are on disk. Empty where the sender wants no answer (MSH-15).

    `control_id` is our own MSH-10, never used before; `now` an aware time. MSA-2 is the sender's MSH-10, unchanged.
    """
    found = _head_of(source)
    if not found.fields or (found.enhanced and _condition(found) in ("NE", "ER")):
        return b""
    return _join([_msh(found, control_id, now), _msa(found, "CA" if found.enhanced else "AA")])


def refuse(source: Message | Head | bytes, fault: Refuse, *, control_id: str, now: datetime) -> bytes:
    """AE/AR or CE/CR with ERR. Empty where no answer is possible (no MSH), or where the sender wants none."""
    found = _head_of(source)
    if not fault.answer or not found.fields or (found.enhanced and _condition(found) in ("NE", "SU")):
        return b""
    code = ("C" if found.enhanced else "A") + ("R" if fault.reject else "E")
    return _join([_msh(found, control_id, now), _msa(found, code), _err(found, fault)])


def code_of(answer: bytes) -> str:
    """MSA-1 of an acknowledgement made here."""
    return answer.split(b"\rMSA", 1)[1][1:3].decode("ascii")


def notes(source: Message | Head | bytes) -> tuple[PlacedNote, ...]:
    """What is odd about the answers asked for: values outside table 0155; an application acknowledgement wanted."""
    found = _head_of(source)
    odd = [note("N011", f"MSH-{number}") for number in (15, 16) if found.field(number) not in ("", *CONDITIONS)]
    if found.field(16) in ("AL", "ER", "SU"):
        odd.append(note("N010", "MSH-16"))
    return tuple(odd)


def _head_of(source: Message | Head | bytes) -> Head:
    if isinstance(source, bytes):
        return head(source)
    if isinstance(source, Head):
        return source
    msh = source.msh
    numbers = range(3, min(msh.length, 18) + 1)
    fields = [msh.field(number).encode(source.charset).decode("latin-1") for number in numbers]
    marks = source.delimiters
    return Head(_delimiters(marks.field, marks.msh2), ("", marks.field, marks.msh2, *fields))


def _mark(char: str) -> bool:
    return "!" <= char <= "~" and not char.isalnum()


def _delimiters(field: str, encoding: str) -> Delimiters:
    """The message's own where an answer can be written in them; else the usual ones around its field separator."""
    chars = field + encoding
    usable = 3 <= len(encoding) <= 5 and len(set(chars)) == len(chars) and all(map(_mark, encoding))
    if not usable:
        encoding = STANDARD.msh2.replace(field, "|")
    return Delimiters(field, encoding[0], encoding[1], encoding[2], encoding[3:4], encoding[4:5])


def _condition(head: Head) -> str:
    """When to answer. A value outside table 0155, or MSH-16 alone, is read as AL: no promised answer is left out."""
    return head.field(15) if head.field(15) in CONDITIONS else "AL"


def _msh(head: Head, control_id: str, now: datetime) -> str:
    marks = head.delimiters
    structured = head.event and not _before(head, "2.4")
    kind = marks.component.join(("ACK", head.event, "ACK")) if structured else "ACK"
    start = f"MSH{marks.field}{marks.msh2}"
    copied = [head.field(number) for number in (5, 6, 3, 4)]
    last = (head.field(11), head.field(12))
    fields = [start, *copied, escapes.encode(times.written(now), marks), "", kind, control_id, *last]
    if not "".join((*copied, *last, head.control_id)).isascii():  # then the reader must know which characters these are
        fields += ["", "", "", "", "", head.field(18)]
    return marks.field.join(fields)


def _msa(head: Head, code: str) -> str:
    return head.delimiters.field.join(("MSA", code, head.fields[10] if len(head.fields) > 10 else ""))


def _err(head: Head, fault: Refuse) -> str:
    marks = head.delimiters
    code = (fault.code, _TEXTS.get(fault.code, "Error"), "HL70357")
    if _before(head, "2.5"):  # ERR-1 alone: segment, sequence, field, and the code as its fourth component
        place = [*fault.location.split("^"), "", "", ""][:3]
        return marks.field.join(("ERR", marks.component.join((*place, (marks.subcomponent or " ").join(code)))))
    place = fault.location.split("^")
    text = escapes.encode(fault.text.encode("ascii", "replace").decode(), marks)
    return marks.field.join(("ERR", "", marks.component.join(place), marks.component.join(code), "E", "", "", "", text))


def _before(head: Head, version: str) -> bool:
    """An unknown version is answered as a new one."""
    return head.version[:2] == "2." and head.version[2:3].isdigit() and head.version < version


def _join(segments: list[str]) -> bytes:
    return ("\r".join(segments) + "\r").encode("latin-1")


# ---------------------------------------------------------------- what a receiver answers


def read_ack(raw: bytes) -> Acknowledgement:
    """MSA and ERR of an answer. Anything that is not one MSH with one MSA gives an empty acknowledgement.

    LF and CRLF between segments are tolerated; a doubtful answer is none: a comment is sent again rather than lost.
    """
    found = head(raw)
    if found.fields in ((), _SKELETON):
        return Acknowledgement()
    lines = re.split(rb"[\r\n]+", raw.removeprefix(_BOM))
    segments = [line.decode("latin-1").split(found.delimiters.field) for line in lines if line[:3] in _ANSWERING]
    names = [fields[0] for fields in segments]
    if names.count("MSH") != 1 or names.count("MSA") != 1 or not {"MSH", "MSA", "ERR"}.issuperset(names):
        return Acknowledgement()
    msa = segments[names.index("MSA")]
    if len(msa) < 3 or msa[1] not in KNOWN:
        return Acknowledgement()
    err = next((fields for fields in segments if fields[0] == "ERR"), [])
    named = charset.codec(found.field(18).split(found.delimiters.repetition)[0]) or "latin-1"
    text = (_field(msa, 3) or _field(err, 8)).encode("latin-1").decode(named, "replace")
    return Acknowledgement(msa[1], msa[2], text[:200], (_field(err, 3) or _field(err, 1))[:80])


def _field(fields: list[str], number: int) -> str:
    return fields[number] if number < len(fields) else ""


def positive(answer: Acknowledgement, control_id: str) -> bool:
    """True only for AA or CA that names exactly the message we sent."""
    return answer.code in POSITIVE and bool(control_id) and answer.control_id == control_id
