"""Acknowledgements: those we give, in original and enhanced mode with ERR per version, and those we are given.

Only the MSH is looked at, as bytes: an answer must be possible for a message that could not be read. What we copy from
the sender (MSH-3 to 6, 10, 11, 12, 18) goes back byte for byte.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

import msgspec

from labbridge import times
from labbridge.errors import Refuse
from labbridge.hl7 import charset, escapes
from labbridge.hl7.escapes import Delimiters
from labbridge.hl7.head import BOM, SKELETON, Head, before, head
from labbridge.model.report import PlacedNote
from labbridge.notes import note

CONDITIONS = ("AL", "NE", "ER", "SU")  # table 0155
POSITIVE = ("AA", "CA")
KNOWN = ("AA", "AE", "AR", "CA", "CE", "CR")  # table 0008

_ANSWERING = (b"MSH", b"MSA", b"ERR")

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


class Acknowledgement(msgspec.Struct, frozen=True):
    """What a receiver said: MSA-1, MSA-2, its text (MSA-3, else ERR-8) and error code (ERR-3 from 2.5, else ERR-1).

    All empty for bytes that are no acknowledgement. `raw`: the bytes of the exchange it was read from, where a receiver
    gave them; for a person, and never read again.
    """

    code: str = ""
    control_id: str = ""
    text: str = ""
    error: str = ""
    raw: bytes = b""

    def takes(self, control_id: str) -> bool:
        """Whether the receiver has taken the message of this number."""
        return positive(self, control_id)


def digest(raw: bytes) -> bytes:
    """SHA-256 of the bytes as received."""
    return hashlib.sha256(raw).digest()


def accept(source: Head | bytes, *, control_id: str, now: datetime) -> bytes:
    """AA (original mode) or CA (enhanced): the bytes are on disk. Empty where the sender wants no answer (MSH-15).

    `control_id` is our own MSH-10, never used before; `now` an aware time. MSA-2 is the sender's MSH-10, unchanged.
    """
    found = _head_of(source)
    if not found.fields or (found.enhanced and _condition(found) in ("NE", "ER")):
        return b""
    return _join([_msh(found, control_id, now), _msa(found, "CA" if found.enhanced else "AA")])


def refuse(source: Head | bytes, fault: Refuse, *, control_id: str, now: datetime) -> bytes:
    """AE/AR or CE/CR with ERR. Empty where no answer is possible (no MSH), or where the sender wants none."""
    found = _head_of(source)
    if not fault.answer or not found.fields or (found.enhanced and _condition(found) in ("NE", "SU")):
        return b""
    code = ("C" if found.enhanced else "A") + ("R" if fault.reject else "E")
    return _join([_msh(found, control_id, now), _msa(found, code), _err(found, fault)])


def application(head: Head, code: str, *, control_id: str, now: datetime) -> bytes:
    """The application acknowledgement of enhanced mode (AA or AE), a message of its own that asks for an accept
    acknowledgement and for no other. Empty where MSH-16 does not ask for this one."""
    wanted = {"AL": ("AA", "AE"), "SU": ("AA",), "ER": ("AE",)}.get(head.field(16), ())
    if code not in wanted:
        return b""
    return _join([_msh(head, control_id, now, modes=("AL", "NE")), _msa(head, code)])


def codes_of(answer: bytes) -> list[str]:
    """MSA-1 of each acknowledgement in an answer made here."""
    return [part[1:3].decode("ascii") for part in answer.split(b"\rMSA")[1:]]


def notes(source: Head | bytes, application: bool = False) -> tuple[PlacedNote, ...]:
    """What is odd about the answers asked for: values outside table 0155; an application acknowledgement wanted where
    none can be given (`application`: it can)."""
    found = _head_of(source)
    odd = [note("N011", f"MSH-{number}") for number in (15, 16) if found.field(number) not in ("", *CONDITIONS)]
    if found.field(16) in ("AL", "ER", "SU") and not application:
        odd.append(note("N010", "MSH-16"))
    return tuple(odd)


def _head_of(source: Head | bytes) -> Head:
    if isinstance(source, bytes):
        return head(source)
    return source


def _condition(head: Head) -> str:
    """When to answer. A value outside table 0155, or MSH-16 alone, is read as AL: no promised answer is left out."""
    return head.field(15) if head.field(15) in CONDITIONS else "AL"


def _msh(head: Head, control_id: str, now: datetime, modes: tuple[str, str] = ("", "")) -> str:
    marks = head.delimiters
    structured = head.event and not _before(head, "2.4")
    kind = marks.component.join(("ACK", head.event, "ACK")) if structured else "ACK"
    start = f"MSH{marks.field}{marks.msh2}"
    copied = [head.field(number) for number in (5, 6, 3, 4)]
    last = (head.field(11), head.field(12))
    fields = [start, *copied, _stamp(now, marks), "", kind, control_id, *last]
    named = not "".join(
        (*copied, *last, head.control_id)
    ).isascii()  # then the reader must know which characters they are
    if named or modes[0]:
        fields += ["", "", *modes, "", head.field(18) if named else ""]
    return marks.field.join(fields)


def _stamp(now: datetime, marks: Delimiters) -> str:
    """MSH-7. The sign of its offset is all in it that could be a delimiter."""
    text = times.written(now)
    return escapes.encode(text, marks) if text[14] in marks.field + marks.msh2 else text


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
    if found.fields in ((), SKELETON) or before(raw) not in (b"", BOM):
        return Acknowledgement()
    lines = re.split(rb"[\r\n]+", raw.removeprefix(BOM))
    segments = [line.decode("latin-1").split(found.delimiters.field) for line in lines if line[:3] in _ANSWERING]
    names = [fields[0] for fields in segments]
    if names.count("MSH") != 1 or names.count("MSA") != 1 or not {"MSH", "MSA", "ERR"}.issuperset(names):
        return Acknowledgement()
    msa = segments[names.index("MSA")]
    if len(msa) < 3 or msa[1] not in KNOWN:
        return Acknowledgement()
    err = next((fields for fields in segments if fields[0] == "ERR"), [])
    text = _readable(
        (_field(msa, 3) or _field(err, 8)).encode("latin-1"), found.field(18).split(found.delimiters.repetition)[0]
    )
    return Acknowledgement(msa[1], msa[2], text[:200], (_field(err, 3) or _field(err, 1))[:80])


def _readable(text: bytes, declared: str) -> str:
    """The words of a refusal, for a person. A receiver that declares nothing often writes its own characters all the
    same: UTF-8 where they are that, else Latin-1."""
    if declared or text.isascii():
        return text.decode(charset.codec(declared) or "latin-1", "replace")
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _field(fields: list[str], number: int) -> str:
    return fields[number] if number < len(fields) else ""


def positive(answer: Acknowledgement, control_id: str) -> bool:
    """True only for AA or CA that names exactly the message we sent."""
    return answer.code in POSITIVE and bool(control_id) and answer.control_id == control_id
