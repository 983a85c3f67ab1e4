"""The reader and the structure: refused by the table or read, every byte kept, no delimiter that could hide a field."""

from __future__ import annotations

import re
import string
from itertools import pairwise

from labbridge.errors import Refuse
from labbridge.hl7 import reader, structure
from labbridge.hl7.reader import Message
from labbridge.model.work import Feed
from tests.fuzz.target import REFUSALS, Target, must

FEED = Feed(name="fuzz", timezone="Europe/Berlin")
NAMES = re.compile(r"[A-Z][A-Z0-9]{2}")
PLACE = re.compile(r"(?:[A-Z][A-Z0-9]{2}(?:\^[0-9]+){1,5}|MSH\^1\^2)?")
_BEFORE = re.compile(rb"\x0b*(?:\xef\xbb\xbf)?[\r\n]*")


def check(data: bytes) -> None:
    for charset in ("", "8859/1"):
        try:
            message = reader.read(data, charset)
        except Refuse as fault:
            by_the_table(fault)
        else:
            _kept(message, data)
    try:
        envelope = structure.read_structure(data, FEED)
    except Refuse as fault:
        by_the_table(fault)
        return
    must(envelope.control_id == envelope.message.msh.field(10) != "", "the control id is another")
    must(envelope.lanes and all(patient.lanes for patient in envelope.patients), "a patient has no lane")


def by_the_table(fault: Refuse, more: tuple[str, ...] = ()) -> None:
    must(fault.code in REFUSALS or fault.code in more, "a refusal with a code that the table has not")
    must(PLACE.fullmatch(fault.location), "a refusal at a place that is none")


def _kept(message: Message, data: bytes) -> None:
    must(reader.encode(message) == data, "the message does not write back as it was read")
    raws = b"".join(message.raw(one) + one.ending.encode() for one in message.segments)
    must(message.prefix + raws == data, "a segment is not the bytes that were sent")
    must(all(NAMES.fullmatch(one.name) for one in message.segments), "a segment has a name that is none")
    must([one.name for one in message.segments].index("MSH") == 0, "the first segment is not MSH")
    found = _BEFORE.match(data)
    body = data[found.end() if found else 0 :]
    separator, rest = chr(body[3]), body[4:]
    encoding = re.split(f"[\r\n{re.escape(separator)}]", rest.decode("latin-1"), maxsplit=1)[0]
    marks = sorted(separator + encoding)
    must(all(a != b for a, b in pairwise(marks)), "delimiters that are equal were taken")
    must(set(marks) <= set(string.punctuation), "a delimiter that is no punctuation was taken")
    must(2 <= len(encoding) <= 5, "a wrong number of encoding characters was taken")
    noted = any(note.code == "N013" for note in message.notes)
    must(noted == (encoding not in ("^~\\&", "^~\\&#")), "unusual encoding characters and their note do not agree")


TARGET = Target(
    name="reading",
    check=check,
    product=(
        "labbridge.hl7.reader", "labbridge.hl7.structure", "labbridge.hl7.head", "labbridge.hl7.charset",
        "labbridge.hl7.groups", "labbridge.hl7.sizes",
    ),
)  # fmt: skip
