"""Rows of an archive as reports: what an export of earlier results says of one patient, as a message would say it.

A row is one observation with its order, its patient and its times, every field the text that stood there. What is empty is
absent; nothing is filled in. Rows of one order number are one order; rows without one are one order where their specimen
and their time of collection are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo

import msgspec

from labbridge import times
from labbridge.errors import Refuse
from labbridge.model.report import EntityId, Identifier, Observation, Order, Patient, Report, Specimen, Timestamp
from labbridge.model.values import Coding, Missing, SentText
from labbridge.model.work import Feed


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row. The names are those of the columns (docs/reference/archive-columns.md), the texts as they stood there.

    `number` tells it apart in what it was read from. `patient` is the number, `authority` who gave it. `result`,
    `order`, `placer`, `specimen_id` are the laboratory's numbers; `system` of `code` is as HL7 spells it (L, LN);
    `kit` is the reagent or the instrument; `lot` that of the kit.
    """

    number: str = ""
    patient: str = ""
    authority: str = ""
    birth_date: str = ""
    sex: str = ""
    family_name: str = ""
    order: str = ""
    placer: str = ""
    specimen_id: str = ""
    specimen: str = ""
    collected: str = ""
    received: str = ""
    reported: str = ""
    system: str = ""
    code: str = ""
    name: str = ""
    value: str = ""
    unit: str = ""
    reference_range: str = ""
    flag: str = ""
    status: str = ""
    method: str = ""
    kit: str = ""
    lot: str = ""
    note: str = ""
    laboratory: str = ""
    sender: str = ""


COLUMNS: tuple[str, ...] = Row.__struct_fields__[1:]
TIMES = ("collected", "received", "reported")
DAYS = ("birth_date",)
LOCAL = "L"
MAGIC, MAGIC_HL7 = b"labbridge-archive-rows 1\n", b"labbridge-archive-hl7 1\n"
"""What a kept message begins with that came from an archive: no HL7 v2 and no JSON does."""

_rows = msgspec.json.Decoder(list[Row])


def packed(rows: Sequence[Row]) -> bytes:
    """Rows as the bytes of a message, to be kept as they stood."""
    return MAGIC + msgspec.json.encode(list(rows))


def owned(row: Row, authority: str) -> Row:
    """A row that says itself who gave the patient's number."""
    return row if row.authority else msgspec.structs.replace(row, authority=authority)


def wrapped(message: bytes) -> bytes:
    """A message of HL7 v2 from an archive as it is kept: told apart from one that a feed brought."""
    return MAGIC_HL7 + message


def is_archived(raw: bytes) -> bool:
    """Whether a kept message came from an archive: rows, or a message of HL7 v2."""
    return raw.startswith((MAGIC, MAGIC_HL7))


def message_of(raw: bytes) -> bytes:
    """The message of HL7 v2 that is kept; empty where it is rows."""
    return raw.removeprefix(MAGIC_HL7) if raw.startswith(MAGIC_HL7) else b""


def unpacked(raw: bytes) -> list[Row]:
    """The rows of a kept message. msgspec.DecodeError where the bytes are no rows."""
    return _rows.decode(raw.removeprefix(MAGIC))


def lane_of(row: Row, authority: str) -> str:
    """The lane of a row's patient; empty where it names none."""
    return f"p:{row.authority or authority}|{row.patient}" if row.patient else ""


def received_of(row: Row, zone: tzinfo) -> datetime | None:
    """When a result came: received, else reported, else collected; None where none of them is a time."""
    for text in (row.received, row.reported, row.collected):
        found = times.timestamp(text, zone) if text else None
        if found is not None:
            return found.moment
    return None


def report(rows: Sequence[Row], feed: Feed, authority: str, name: str = "") -> Report:
    """What rows of one patient say together. `authority` gave the patient's number where a row does not say who did; `name`
    is what the rows came in. ValueError without a row."""
    if not rows:
        raise ValueError("no row")
    first, zone = rows[0], times.zone(feed.timezone)
    came = received_of(rows[-1], zone)
    return Report(
        feed=feed.name,
        sender=first.sender or feed.sender,
        control_id=name,
        lane=lane_of(first, authority),
        sent=Timestamp(came.isoformat(), came, came.astimezone(zone).date()) if came is not None else None,
        patient=_patient(rows, authority),
        orders=tuple(_order(some, zone) for some in _orders(rows)),
    )


def _patient(rows: Sequence[Row], authority: str) -> Patient:
    """As the newest row that states it has it."""
    first = rows[0]
    return Patient(
        identifiers=(Identifier(first.authority or authority, first.patient),) if first.patient else (),
        family_name=_last(one.family_name for one in rows),
        birth_date=times.birth_date(_last(one.birth_date for one in rows)),
        sex=_last(one.sex for one in rows),
    )


def _last(texts: Iterable[str]) -> str:
    found = ""
    for text in texts:
        found = text or found
    return found


def _orders(rows: Sequence[Row]) -> Iterator[list[Row]]:
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        key = (row.order,) if row.order else ("", row.placer, row.specimen_id, row.specimen, row.collected)
        found.setdefault(key, []).append(row)
    return iter(found.values())


def _order(rows: Sequence[Row], zone: tzinfo) -> Order:
    first = rows[0]
    return Order(
        at=f"order[{first.number}]",
        placer=EntityId(first.placer),
        filler=EntityId(first.order),
        collected=times.timestamp(first.collected, zone),
        received=times.timestamp(first.received, zone),
        reported=times.timestamp(rows[-1].reported, zone),
        observations=tuple(_observation(row, zone) for row in rows),
        specimens=tuple(_specimens(first)),
    )


def _specimens(row: Row) -> Iterator[Specimen]:
    if row.specimen or row.specimen_id:
        stated = (Coding(row.specimen, row.specimen),) if row.specimen else ()
        yield Specimen(filler=EntityId(row.specimen_id), type=stated)


def _observation(row: Row, zone: tzinfo) -> Observation:
    collected = times.timestamp(row.collected, zone)
    return Observation(
        at=f"row[{row.number}]",
        codes=(Coding(row.code, row.name, row.system or LOCAL),),
        values=(SentText(row.value),) if row.value else (),
        missing=None if row.value else Missing.ABSENT,
        unit=Coding(row.unit, row.unit) if row.unit else None,
        reference_range=row.reference_range,
        flags=(Coding(row.flag),) if row.flag else (),
        status=row.status,
        methods=(Coding("", row.method, LOCAL),) if row.method else (),
        equipment=(row.kit,) if row.kit else (),
        observed=collected,
        laboratory=row.laboratory,
        notes=(row.note,) if row.note else (),
        lots=(row.lot,) if row.lot else (),
    )


def reports_of(raw: bytes, feed: Feed) -> list[Report]:
    """The report of a kept message of rows, which are of one patient. Refuse where the bytes are no rows."""
    try:
        return [report(unpacked(raw), feed, "")]
    except (msgspec.DecodeError, ValueError) as fault:
        raise Refuse("These are not rows of an archive as they were kept", code="207", location="row") from fault
