"""The judge of what leaves: hl7apy's grammar in the receiver's version, and two readers that must find the same text.

hl7apy is slow to load and to run, and rewrites some escapes (docs/adr/0004): it judges grammar, cardinality and data
types here, in a worker process of its own, and never writes a byte that leaves. Texts are compared by our reader and by
python-hl7, which decodes escapes by its own code.
"""

from __future__ import annotations

import re

import hl7

from labbridge.errors import Refuse
from labbridge.hl7 import reader, strict
from labbridge.hl7.reader import Message, Segment

_SHAPE = re.compile(r"MSH PID ORC OBR OBX( NTE)*")  # what every mode of outgoing.py writes


def judge(raw: bytes, text: str, version: str) -> list[str]:
    """The faults of an outgoing message, empty when there are none. They name a rule and a place, never a value."""
    try:
        message = reader.read(raw)
    except Refuse as fault:
        return [f"our reader: {fault.text} {fault.location}".strip()]
    return [
        *_read_by_us(raw, message, text),
        *_read_by_python_hl7(raw, message, text),
        *strict.judged(message, version),
    ]


def _read_by_us(raw: bytes, message: Message, text: str) -> list[str]:
    faults = [] if reader.encode(message) == raw else ["our reader: it does not read back as written"]
    if not _SHAPE.fullmatch(" ".join(segment.name for segment in message.segments)):
        faults.append("our reader: it holds other segments than were written")
    last = message.segments[-1]
    found = "\n".join(
        message.decoded(one) for one in last.field(_text_field(last)).split(message.delimiters.repetition)
    )
    if _unwrapped(found) != _unwrapped(text):
        faults.append(f"our reader: the text in {last.name}-{_text_field(last)} is not the one that was released")
    return faults


def _text_field(last: Segment) -> int:
    """The comment stands in the last segment: OBX-5, or NTE-3 in the mode that echoes the result."""
    return 3 if last.name == "NTE" else 5


def _unwrapped(text: str) -> str:
    """A line break may stand for a space where a receiver takes short lines; nothing else may change."""
    return text.replace("\n", " ")


def _read_by_python_hl7(raw: bytes, message: Message, text: str) -> list[str]:
    try:
        parsed = hl7.parse(raw.decode(message.charset))
        if len(parsed) != len(message.segments):
            return ["python-hl7: it counts other segments than were written"]
        last = parsed[len(parsed) - 1]
        field = str(last[_text_field(message.segments[-1])])
    except (hl7.HL7Exception, IndexError, KeyError) as error:
        return [f"python-hl7: {type(error).__name__}"]
    lines = field.split(message.delimiters.repetition)
    words = {".br": "\n", "P": message.delimiters.truncation}
    found = "\n".join(parsed.unescape(line, app_map=words) for line in lines)
    if _unwrapped(found) != _unwrapped(as_python_hl7_decodes(text, message.charset)):
        return ["python-hl7: the text is not the one that was released"]
    return []


def as_python_hl7_decodes(text: str, charset: str) -> str:
    """It takes each byte of `\\Xhh..\\` for a character: so do we, for the characters we write in that way."""
    return "".join(
        char.encode(charset).decode("latin-1") if "\x80" <= char <= "\x9f" or char in "\u2028\u2029" else char
        for char in text
    )
