"""The judge of what leaves: hl7apy's grammar in the receiver's version, and two readers that must find the same text.

hl7apy is slow to load and to run, and rewrites some escapes (docs/adr/0004): it judges grammar, cardinality and data
types here, in a worker process of its own, and never writes a byte that leaves. Texts are compared by our reader and by
python-hl7, which decodes escapes by its own code.
"""

from __future__ import annotations

import re

import hl7
from hl7apy.base_datatypes import FT
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message, parse_segment

from labbridge.errors import Refuse
from labbridge.hl7 import escapes, reader
from labbridge.hl7.escapes import STANDARD
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
        *_judged_by_hl7apy(message, version),
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
    if _unwrapped(found) != _unwrapped(_as_python_hl7_decodes(text, message.charset)):
        return ["python-hl7: the text is not the one that was released"]
    return []


def _as_python_hl7_decodes(text: str, charset: str) -> str:
    """It takes each byte of `\\Xhh..\\` for a character: so do we, for the characters we write in that way."""
    return "".join(
        char.encode(charset).decode("latin-1") if "\x80" <= char <= "\x9f" or char in "\u2028\u2029" else char
        for char in text
    )


# ---------------------------------------------------------------- hl7apy

# hl7apy has no tables for 2.7.1, and from 2.8 on its group finder takes an OBX after ORC for the order's document. There
# the order of segments is judged by 2.7, whose grammar is the same for the segments we send, and each segment by its own.
_GRAMMAR = {"2.7.1": "2.7", "2.8": "2.7", "2.8.1": "2.7", "2.8.2": "2.7"}
_SEGMENTS = {"2.7.1": "2.7"}


def _judged_by_hl7apy(message: Message, version: str) -> list[str]:
    """Strict validation of grammar, cardinality and data types."""
    try:
        segments = [_text_apart(_in_standard_delimiters(message, segment)) for segment in message.segments]
    except HL7apyException as error:
        return [f"hl7apy {version}: {type(error).__name__}"]
    if segments[0].split("|")[11:12] != [version]:
        return ["hl7apy: MSH-12 is not the receiver's version"]
    grammar = _GRAMMAR.get(version, version)
    own_tables = segments[1:] if grammar != version else []
    try:
        whole = "\r".join(
            [_with_version(segments[0], grammar), *(_with_sub_id(one, grammar != version) for one in segments[1:])]
        )
        parse_message(whole, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True).validate()
        for segment in own_tables:
            tables = _SEGMENTS.get(version, version)
            parse_segment(_with_sub_id(segment), version=tables, validation_level=VALIDATION_LEVEL.STRICT).validate()
    except HL7apyException as error:
        return [f"hl7apy {version}: {type(error).__name__}: {_without_values(error)}"]
    except ValueError:  # its sentence quotes the value
        return [f"hl7apy {version}: a value does not fit the data type of its field"]
    return []


def _text_apart(segment: str) -> str:
    """hl7apy parses OBX-5 as ST, at most 199 characters, before it looks at OBX-2. A long FT or TX is judged by its own
    data type here, and the copy whose grammar is judged carries a short one. MaxLengthReached where it is too long."""
    fields = segment.split("|")
    if fields[0].upper() != "OBX" or len(fields) < 6 or fields[2] not in ("FT", "TX") or len(fields[5]) < 200:
        return segment
    FT(fields[5], validation_level=VALIDATION_LEVEL.STRICT)
    return "|".join([*fields[:5], "text", *fields[6:]])


def _with_sub_id(segment: str, simple: bool = False) -> str:
    """hl7apy takes the conditional OBX-4 for a required one in 2.3.1, 2.7 and 2.8 (not in 2.8.1), and 2.7 has no OG. A
    result is echoed with the sub-id it came with, if any; in the copies judged here it has one, and a `simple` one
    where another version's grammar judges the order of segments."""
    fields = segment.split("|")
    if fields[0].upper() == "OBX" and len(fields) > 4 and (simple or not fields[4]):
        fields[4] = "1"
    return "|".join(fields)


def _with_version(msh: str, version: str) -> str:
    fields = msh.split("|")
    return "|".join([*fields[:11], version, *fields[12:]])


def _in_standard_delimiters(message: Message, segment: Segment) -> str:
    """hl7apy takes no other delimiters; an echo of a sender's own ones is rewritten for it, piece by piece."""
    marks = message.delimiters
    if marks == STANDARD:
        return segment.text
    fields = segment.text.split(marks.field)
    first = 2 if segment.name == "MSH" else 1
    kept = [segment.name, STANDARD.msh2][:first]
    return "|".join([*kept, *(_rewritten(message, field) for field in fields[first:])])


def _rewritten(message: Message, field: str) -> str:
    marks = message.delimiters
    pairs = [(marks.repetition, "~"), (marks.component, "^"), (marks.subcomponent, "&")]

    def level(text: str, depth: int) -> str:
        if depth == len(pairs):
            return escapes.encode(message.decoded(text))
        theirs, ours = pairs[depth]
        return ours.join(level(part, depth + 1) for part in (text.split(theirs) if theirs else [text]))

    return level(field, 0)


def _without_values(error: HL7apyException) -> str:
    """hl7apy's sentence, cut where it quotes a value: faults are logged."""
    return str(error).split(":", 1)[0].split("'", 1)[0].split("The value ", 1)[0][:120]
