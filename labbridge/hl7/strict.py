"""hl7apy's strict judgement of a message in a version: grammar, cardinality and data types.

Where its own tables or its group finder are wrong, a copy is judged that goes around the place; what goes around is said
at each. It is given copies only, and never writes a byte that leaves (docs/adr/0004).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from hl7apy import load_library
from hl7apy.base_datatypes import FT
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message, parse_segment

from labbridge.hl7 import escapes
from labbridge.hl7.escapes import STANDARD
from labbridge.hl7.reader import Message, Segment

# hl7apy has no tables for 2.7.1, and from 2.8 on its group finder takes an OBX after ORC for the order's document. There
# the order of segments is judged by 2.7, whose grammar is the same for the segments we send, and each segment by its own.
_OF_RESULTS = {"2.7.1": "2.7", "2.8": "2.7", "2.8.1": "2.7", "2.8.2": "2.7"}
_OF_ORDERS = {"2.7.1": "2.7"}
_SEGMENTS = {"2.7.1": "2.7"}


def judged(message: Message, version: str) -> list[str]:
    """What strict validation of grammar, cardinality and data types finds; a fault names a rule, never a value."""
    try:
        segments = [_text_apart(_in_standard_delimiters(message, segment)) for segment in message.segments]
    except HL7apyException as error:
        return [f"hl7apy {version}: {type(error).__name__}"]
    if segments[0].split("|")[11:12] != [version]:
        return ["hl7apy: MSH-12 is not the receiver's version"]
    kind = message.component(message.msh.field(9), 1)
    grammar = (_OF_RESULTS if kind == "ORU" else _OF_ORDERS).get(version, version)
    own_tables = segments[1:] if grammar != version else []
    try:
        _whole(
            [_with_version(segments[0], grammar), *(_gone_around(one, version, grammar) for one in segments[1:])], kind
        )
        for segment in own_tables:
            tables = _SEGMENTS.get(version, version)
            copy = _gone_around(segment, version, version)
            parse_segment(copy, version=tables, validation_level=VALIDATION_LEVEL.STRICT).validate()
    except HL7apyException as error:
        return [f"hl7apy {version}: {type(error).__name__}: {_without_values(error)}"]
    except ValueError:  # its sentence quotes the value
        return [f"hl7apy {version}: a value does not fit the data type of its field"]
    return []


def _whole(segments: list[str], kind: str) -> None:
    raw, level = "\r".join(segments), VALIDATION_LEVEL.STRICT
    if kind == "ORM":
        profile = {"ORM_O01": _orm(segments[0].split("|")[11])}
        parse_message(raw, level, find_groups=True, message_profile=profile, force_validation=True)
    else:
        parse_message(raw, level, find_groups=True).validate()


@lru_cache(maxsize=8)
def _orm(version: str) -> Any:
    """ORM_O01 as the version's table has it, but for its choice of OBR, RQD, RXO...: hl7apy takes that for a group in
    which all of them are required. Here it holds the OBR that we write."""
    return _chosen(load_library(version).MESSAGES["ORM_O01"])


def _chosen(reference: Any) -> Any:
    content, children, *rest = reference
    of_orders = tuple(child for child in children if child[0] == "OBR")
    if of_orders:
        return (content, of_orders, *rest)
    found = tuple((name, _chosen(ref) if kind == "GRP" else ref, times, kind) for name, ref, times, kind in children)
    return (content, found, *rest)


def _gone_around(segment: str, version: str, grammar: str) -> str:
    """The copy of a segment that is judged by the grammar of `grammar`."""
    if segment.startswith("TQ1|") and "2.7" in (grammar, _SEGMENTS.get(version, version)):
        return "|".join(["TQ1", "", *segment.split("|")[2:]])  # hl7apy's 2.7 has no data type for TQ1-1 and ends in it
    return _with_sub_id(segment, grammar != version)


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
