"""What a code came with, without whose it was: value, unit, range, flags and method of single results."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from labbridge import reading
from labbridge.errors import Refuse
from labbridge.model.mapping import LocalCode, SentCode
from labbridge.model.messages import InForce
from labbridge.model.report import Observation, Report
from labbridge.model.values import Coding, SentCoding, SentStructured, SentText
from labbridge.model.work import Feed

LONGEST = 60  # characters of a value; what is longer is prose, in which anybody may be named
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One result under a code, as sent. `prose`: so many characters of text stood in place of a value."""

    message: int
    value: str
    prose: int
    unit: str
    range: str
    flags: str
    method: str


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """The results of some messages under one code, and the code as its sender writes it."""

    found: tuple[Sample, ...] = ()
    sent: SentCode = SentCode()


def samples(of: LocalCode, messages: list[InForce], feed: Feed) -> Samples:
    """Read from these messages; one that cannot be read, or whose bytes are damaged, gives none."""
    found: list[Sample] = []
    sent: SentCode | None = None
    for message in messages:
        for report, order, one in _observations(message, feed):
            first = one.codes[0] if one.codes else Coding("")
            if (first.system, first.code) != (of.system, of.code) or (not of.code and first.display != of.label):
                continue
            name = " ".join(coding.display for coding in one.codes if coding.display)
            unit = _unit(one)
            sent = sent or SentCode(
                system=of.system, code=of.code, name=name, unit=unit, order=order, sender=report.sender
            )
            found.append(_sample(message.key, one, unit))
    return Samples(found=tuple(found), sent=sent or SentCode(system=of.system, code=of.code))


def _observations(message: InForce, feed: Feed) -> Iterator[tuple[Report, str, Observation]]:
    if message.damaged or not message.raw:
        return
    try:
        reports = reading.reports_of(message.raw, feed, NO_TIME, message.notes)
    except Refuse:
        return
    for report in reports:
        for one in report.observations:
            yield report, "", one
        for order in report.orders:
            named = " ".join(coding.display for coding in order.service if coding.display)
            for one in order.observations:
                yield report, named, one


def _sample(message: int, one: Observation, unit: str) -> Sample:
    value = "; ".join(filter(None, map(_text, one.values)))
    return Sample(
        message=message,
        value=value if len(value) <= LONGEST else "",
        prose=0 if len(value) <= LONGEST else len(value),
        unit=unit,
        range=one.reference_range[:LONGEST],
        flags=" ".join(coding.code for coding in one.flags if coding.code),
        method=" ".join(coding.display or coding.code for coding in one.methods)[:LONGEST],
    )


def _unit(one: Observation) -> str:
    return (one.unit.code.strip() or one.unit.display.strip()) if one.unit is not None else ""


def _text(value: object) -> str:
    if isinstance(value, SentText):
        return value.text
    if isinstance(value, SentStructured):
        return f"{value.comparator}{value.num1}{value.separator}{value.num2}"
    if isinstance(value, SentCoding):
        return " / ".join(" ".join(filter(None, (one.code, one.display))) for one in value.codings)
    return ""
