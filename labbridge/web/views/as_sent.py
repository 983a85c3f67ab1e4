"""Results as their messages have them, on any wire, of the case's own patient alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

import msgspec

from labbridge import reading
from labbridge.errors import Refuse
from labbridge.hl7 import reader, structure
from labbridge.hl7.groups import ObservationGroup
from labbridge.hl7.reader import Message, Segment
from labbridge.model.messages import InForce
from labbridge.model.outcome import Outcome
from labbridge.model.report import Observation
from labbridge.model.values import SentCoding, SentStructured, SentText, SentValue
from labbridge.model.work import Feed

LONGEST = 200  # characters of a value in a table: its segment shows all of it
MOST_CODES = 4
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A result in the words of its sender (OBX-3, 5, 6, 11, 17): `codes` with their names and systems."""

    codes: tuple[tuple[str, str, str], ...] = ()
    value: str = ""
    unit: str = ""
    status: str = ""
    method: str = ""


def refs(outcome: Outcome) -> tuple[str, ...]:
    """The results a case rests on: those its comment was written from, and those of its flags."""
    of_flags = (ref for flag in outcome.flags for ref in flag.evidence)
    named = (*outcome.used, *of_flags, *outcome.changes, outcome.subject)
    return tuple(one for one in dict.fromkeys(named) if ":" in one)


def place(ref: str) -> tuple[int, str]:
    """Message and place of a ref (`M17:OBX[3]`); 0 where it names no message."""
    message, _colon, at = ref.partition(":")
    number = message[1:]
    return (int(number) if message[:1] == "M" and number.isascii() and number.isdigit() else 0), at


def observations(raw: bytes, charset: str, lanes: Collection[str]) -> Iterator[tuple[Message, ObservationGroup]]:
    """The observations of a message that are of the patient of these lanes. Nothing of one that cannot be read."""
    try:
        message = reader.read(raw, charset)
        patients = structure.patients_of(message)
    except Refuse:
        return
    for patient in patients:
        if patient.lanes and patient.lanes[0] in lanes:
            yield from ((message, one) for order in patient.orders for one in order.observations)


def of_message(message: InForce, feed: Feed, lanes: Collection[str]) -> dict[str, Sent]:
    """The results of a message that are of the patient of these lanes, by their place. None of one that cannot be read, or
    whose bytes are damaged."""
    if message.damaged:
        return {}
    if reading.is_hl7(message.raw, feed):
        return {one.obx.at: sent(read, one.obx) for read, one in observations(message.raw, feed.charset, lanes)}
    return {one.at: sent_of(one) for one in elements(message, feed, lanes)}


def elements(message: InForce, feed: Feed, lanes: Collection[str]) -> Iterator[Observation]:
    """The same of a body of FHIR or of rows, as they are read."""
    try:
        reports = reading.reports_of(message.raw, feed, NO_TIME, message.notes)
    except Refuse:
        return
    for report in reports:
        if report.lane in lanes:
            yield from (one for order in report.orders for one in order.observations)


def sent_of(one: Observation) -> Sent:
    codes = tuple((coding.code, coding.display, coding.system) for coding in one.codes[:MOST_CODES])
    value = "; ".join(filter(None, map(_text, one.values)))
    method = next((coding.display or coding.code for coding in one.methods), "")
    unit = (one.unit.code or one.unit.display) if one.unit is not None else ""
    return Sent(codes=codes, value=_cut(value), unit=unit, status=one.status, method=method)


def _text(value: SentValue) -> str:
    if isinstance(value, SentText):
        return value.text
    if isinstance(value, SentStructured):
        return f"{value.comparator}{value.num1}{value.separator}{value.num2}"
    if isinstance(value, SentCoding):
        return " / ".join(" ".join(filter(None, (one.code, one.display))) for one in value.codings)
    return value.value_type


def sent(message: Message, obx: Segment) -> Sent:
    code = obx.field(3)
    codes = [_code(message, code, first) for first in (1, 4)]
    method = obx.field(17)
    return Sent(
        codes=tuple(one for one in codes if any(one)),
        value=_cut(message.decoded(obx.field(5))),
        unit=message.component(obx.field(6), 1),
        status=message.component(obx.field(11), 1),
        method=message.component(method, 2) or message.component(method, 1),
    )


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _code(message: Message, field: str, first: int) -> tuple[str, str, str]:
    """A code with its name and system: the first, or the alternate one."""
    return (
        message.component(field, first),
        message.component(field, first + 1),
        message.component(field, first + 2),
    )
