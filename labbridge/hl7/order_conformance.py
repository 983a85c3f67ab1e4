"""The judge of an order that leaves: hl7apy's grammar in the receiver's version, and two readers that must find in it what
its letter says.

As conformance.py for comments: an order is judged in a worker process, because hl7apy is slow to load and to run. Faults
name a rule and a place, never a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import hl7

from labbridge.errors import Refuse
from labbridge.hl7 import reader, strict
from labbridge.hl7.conformance import as_python_hl7_decodes
from labbridge.hl7.ordering import OML, PRIORITIES, OrderForm, OrderLetter
from labbridge.hl7.reader import Message

Place = tuple[str, int, int]
"""Segment, field, component; component 0 is the whole field."""

_SHAPES = {True: re.compile(r"MSH PID ORC TQ1 OBR( NTE)?( SPM)?"), False: re.compile(r"MSH PID ORC OBR( NTE)?")}


def judge(raw: bytes, letter: OrderLetter, form: OrderForm) -> list[str]:
    """The faults of an order, empty when there are none: more or less than one order, a result, a value that is not the
    letter's, no parent, another specimen than was asked for, or anything that hl7apy forbids."""
    try:
        message = reader.read(raw)
    except Refuse as fault:
        return [f"our reader: {fault.text} {fault.location}".strip()]
    names = [segment.name for segment in message.segments]
    if not _SHAPES[form.has_tq1_and_spm].fullmatch(" ".join(names)):
        return ["our reader: it holds other segments than one order"]
    if reader.encode(message) != raw or message.prefix or {segment.ending for segment in message.segments} != {"\r"}:
        return ["our reader: it does not read back as written"]
    return [
        *_parents(message),
        *_of_specimen(message, letter, form),
        *_differing("our reader", letter, form, lambda place: _by_us(message, place)),
        *_by_python_hl7(raw, message, letter, form),
        *strict.judged(message, form.version),
    ]


def expected(letter: OrderLetter, form: OrderForm) -> Iterator[tuple[Place, str]]:
    """Each value of a letter, and where it stands in its message."""
    kind = ("OML", "O21") if form.message == OML else ("ORM", "O01")
    yield from ((("MSH", 9, number), text) for number, text in enumerate(kind, 1))
    yield from ((("MSH", 10, 1), letter.control_id), (("MSH", 12, 1), form.version))
    yield from ((("ORC", 1, 0), "NW"), (("OBR", 11, 0), form.action))
    for name in ("ORC", "OBR"):
        yield from (((name, 2, 1), letter.placer), ((name, 2, 2), form.application))
    for name, field, coding in (("OBR", 4, letter.service), ("ORC", 16, letter.reason)):
        parts = (coding.code, coding.display, coding.system)
        yield from (((name, field, number), text) for number, text in enumerate(parts, 1))
    yield from ((("ORC", number, 2), letter.asked_by) for number in (10, 11))
    start = f"{letter.not_before:%Y%m%d}" if letter.not_before is not None else ""
    priority = PRIORITIES[letter.priority]
    if form.has_tq1_and_spm:
        yield ("TQ1", 7, 1), start
        yield from ((("TQ1", 9, number), text) for number, text in enumerate(priority, 1))
    else:
        for name, field in (("ORC", 7), ("OBR", 27)):
            yield from (((name, field, 4), start), ((name, field, 6), priority[0]))
    yield ("NTE", 3, 0), letter.note if letter.note.strip() else ""


def _parents(message: Message) -> list[str]:
    """ORC-8 and OBR-29 name the same parent order (standards.md 2.1)."""
    (orc,), (obr,) = message.all("ORC"), message.all("OBR")
    same = bool(orc.field(8)) and orc.field(8) == obr.field(29)
    return [] if same else ["our reader: ORC-8 and OBR-29 do not name one parent order"]


def _of_specimen(message: Message, letter: OrderLetter, form: OrderForm) -> list[str]:
    found = message.all("SPM")
    if letter.later and (found or message.all("OBR")[0].field(15)):
        return ["our reader: an order for a later specimen names the one at hand"]
    if form.has_tq1_and_spm and form.action == "A" and not found:
        return ["our reader: an addition to a specimen names none"]
    if any(not spm.field(2) or message.component(spm.field(11), 1) not in ("", "P") for spm in found):
        return ["our reader: SPM names no specimen of a patient"]
    return []


def _differing(who: str, letter: OrderLetter, form: OrderForm, read: Callable[[Place], str]) -> list[str]:
    faults = []
    for place, text in expected(letter, form):
        if read(place) != text:
            faults.append(f"{who}: {place[0]}-{place[1]} is not what the letter says")
    return faults


def _by_us(message: Message, place: Place) -> str:
    name, number, component = place
    found = message.all(name)
    field = found[0].field(number) if found else ""
    return message.component(field, component) if component else message.decoded(field)


def _by_python_hl7(raw: bytes, message: Message, letter: OrderLetter, form: OrderForm) -> list[str]:
    """The same by a reader that decodes escapes by its own code."""
    try:
        parsed = hl7.parse(raw.decode(message.charset))
        segments = {str(one[0]): one for one in parsed}
        if len(parsed) != len(message.segments) or len(segments) != len(parsed):
            return ["python-hl7: it counts other segments than were written"]
        read = {place: _text_of(parsed, segments.get(place[0]), place) for place, _text in expected(letter, form)}
    except (hl7.HL7Exception, IndexError, KeyError, ValueError) as error:
        return [f"python-hl7: {type(error).__name__}"]
    return [
        f"python-hl7: {place[0]}-{place[1]} is not what the letter says"
        for place, text in expected(letter, form)
        if read[place] != as_python_hl7_decodes(text, message.charset)
    ]


def _text_of(parsed: hl7.Message, segment: hl7.Segment | None, place: Place) -> str:
    _name, number, component = place
    field = str(segment[number]) if segment is not None and number < len(segment) else ""
    parts = field.split("^") if component else [field]
    part = parts[max(component, 1) - 1] if component <= len(parts) else ""
    return str(parsed.unescape(part, app_map={".br": "\n"}))
