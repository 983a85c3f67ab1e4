"""How large the parts of a message may be (reliability.md 3.1). What is beyond a limit is refused whole, with the place. How
many segments there may be is the reader's own limit: it must hold before they are built."""

from __future__ import annotations

from labbridge.errors import Refuse
from labbridge.hl7.reader import Message, Segment

MAX_FIELDS = 512
MAX_REPETITIONS = 1_000
MAX_COMPONENTS = 128
MAX_FIELD_BYTES = 2**20
MAX_ATTACHMENT_BYTES = 12 * 2**20


def check(message: Message) -> None:
    """Refuse(207) for too many parts, Refuse(104) for a field that is too long."""
    marks = message.delimiters
    for segment in message.segments:
        text = segment.text
        if len(text) < MAX_COMPONENTS:  # too short to hold too much of anything
            continue
        if len(text) > MAX_FIELDS and segment.length > MAX_FIELDS:
            raise Refuse(f"More than {MAX_FIELDS} fields", code="207", location=erl(segment))
        if (
            text.count(marks.component) >= MAX_COMPONENTS
            or (len(text) > MAX_REPETITIONS and text.count(marks.repetition) >= MAX_REPETITIONS)
            or (marks.subcomponent in text and text.count(marks.subcomponent) >= MAX_COMPONENTS)
            or len(text) > MAX_FIELD_BYTES // 4
        ):
            _check_fields(message, segment)


def _check_fields(message: Message, segment: Segment) -> None:
    """Only for segments long enough to hold too much: each field on its own."""
    marks = message.delimiters
    first = 3 if segment.name == "MSH" else 1
    for number in range(first, segment.length + 1):
        field = segment.field(number)
        if len(field.encode(message.charset)) > _longest(segment, number):
            raise Refuse("A field is too long", code="104", location=erl(segment, number))
        repetitions = field.split(marks.repetition)
        if len(repetitions) > MAX_REPETITIONS:
            raise Refuse(f"More than {MAX_REPETITIONS} repetitions", code="207", location=erl(segment, number))
        for repetition in repetitions:
            components = repetition.split(marks.component)
            too_many = len(components) > MAX_COMPONENTS or (
                marks.subcomponent and any(part.count(marks.subcomponent) >= MAX_COMPONENTS for part in components)
            )
            if too_many:
                raise Refuse(f"More than {MAX_COMPONENTS} components", code="207", location=erl(segment, number))


def _longest(segment: Segment, number: int) -> int:
    attachment = segment.name == "OBX" and number == 5 and segment.field(2) == "ED"
    return MAX_ATTACHMENT_BYTES if attachment else MAX_FIELD_BYTES


def erl(segment: Segment, field: int | None = None) -> str:
    """The place of a segment or field as ERR-2 names it: `OBX^3^11`."""
    place = f"{segment.name}^{segment.occurrence}"
    return f"{place}^{field}" if field else place
