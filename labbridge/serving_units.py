"""What one message says of one patient, as resources that can be read: on whichever wire it came."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from labbridge import reading
from labbridge.errors import Refuse
from labbridge.fhir import given, results
from labbridge.model.report import EntityId, Report
from labbridge.model.served import Unit
from labbridge.model.values import Coding
from labbridge.model.work import Feed

COMPONENT = ".component["
Same = frozenset[tuple[str, ...]]


class Shown(msgspec.Struct, frozen=True):
    """A resource with id, meta and subject. `at`: where it stands in its message. `same`: by what a later version of it is
    known; empty where nothing tells."""

    kind: str
    id: str
    at: str
    body: dict[str, Any]
    same: Same = frozenset()


class Unshown(Exception):
    """What was kept cannot be read: it is no longer what came, or was wiped."""


def opened(unit: Unit, feed: Feed, named: Collection[str], patient: str) -> list[Shown]:
    """The results and reports of a unit. `named`: those of its message that are known by their sender's own id; `patient`:
    the address of its patient, empty without one. Unshown where the bytes are not there, not whole, or not readable."""
    if not unit.raw or unit.damaged:
        raise Unshown
    try:
        reports = reading.reports_of(unit.raw, feed, unit.received, unit.notes)
        report = next((one for one in reports if one.lane == unit.lane), None)
        if report is None:
            return []
        if not reading.is_fhir(unit.raw, feed):
            return _of_report(unit, report, feed, patient)
        refused, held = (reading.entries(unit.notes, code) for code in (reading.REFUSED, reading.KNOWN))
        kept = given.Kept(unit.raw, unit.message, refused, held, frozenset(named))
        there = given.resources(kept, feed)
    except Refuse as fault:
        raise Unshown from fault
    known = _known(report)
    return [
        _shown(unit, one.id, one.at, given.of_patient(one.body, patient), known.get(one.at, frozenset()))
        for one in there
        if one.lane == unit.lane
    ]


def who_is(unit: Unit, feed: Feed) -> dict[str, Any] | None:
    """The patient of a unit without id and meta; None where it names none. Unshown as `opened`."""
    if not unit.raw or unit.damaged:
        raise Unshown
    try:
        reports = reading.reports_of(unit.raw, feed, unit.received, unit.notes)
    except Refuse as fault:
        raise Unshown from fault
    report = next((one for one in reports if one.lane == unit.lane), None)
    return results.patient(report.patient, feed) if report is not None and report.patient.identifiers else None


def meta(unit: Unit, sent: dict[str, Any] | None = None) -> dict[str, Any]:
    """What is said of a resource's coming: versions follow the order of messages."""
    came = unit.received.isoformat(timespec="milliseconds")
    said = {"versionId": str(unit.message), "lastUpdated": came, "source": f"urn:labbridge:feed:{unit.feed}"}
    return {**(sent or {}), **said}


def _shown(unit: Unit, id: str, at: str, body: dict[str, Any], same: Same) -> Shown:
    kind = str(body["resourceType"])
    rest = {key: one for key, one in body.items() if key not in ("resourceType", "id", "meta")}
    sent = body.get("meta")
    whole = {"resourceType": kind, "id": id, "meta": meta(unit, sent if isinstance(sent, dict) else None), **rest}
    return Shown(kind, id, at, whole, same | {("id", unit.feed, kind, id)})


def _of_report(unit: Unit, report: Report, feed: Feed, patient: str) -> list[Shown]:
    """What came by another wire: the lines of each order, and the order as a report of them."""
    known, subject = _known(report), {"subject": {"reference": patient}} if patient else {}
    found, of_order = [], dict[str, list[str]]()
    for order, line in results.lines(report):
        id = f"M{unit.message}-{results.place(line.at)}"
        body = {**results.observation(line, order, feed), **subject}
        found.append(_shown(unit, id, line.at, body, known.get(line.at, frozenset())))
        if order is not None:
            of_order.setdefault(order.at, []).append(f"Observation/{id}")
    for order in report.orders:
        body = {**results.report(order, of_order.get(order.at, ()), feed), **subject}
        id = f"M{unit.message}-{results.place(order.at)}"
        found.append(_shown(unit, id, order.at, body, known.get(order.at, frozenset())))
    return found


# ---------------------------------------------------------------- versions


def _known(report: Report) -> dict[str, Same]:
    """By what results and reports are known over their versions, by their places: the order's number and the code (v2ig
    OBX-11: OBX-3 and OBX-4 under one order)."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for order in report.orders:
        number = order.filler or order.placer
        if number:
            _add(found, order.at, ("DiagnosticReport", *_of(number), *_code(order.service)))
            for line in order.observations:
                key = ("Observation", *_of(number), *_code(line.codes), line.sub_id)
                _add(found, line.at.partition(COMPONENT)[0], key)
    return {at: frozenset(keys) for at, keys in found.items()}


def _add(found: dict[str, set[tuple[str, ...]]], at: str, key: tuple[str, ...]) -> None:
    found.setdefault(at, set()).add(key)


def _of(number: EntityId) -> tuple[str, str]:
    return number.namespace, number.id


def _code(codes: Iterable[Coding]) -> tuple[str, str]:
    """The first code: a sender that gives several gives them in one order."""
    first = next(iter(codes), Coding(""))
    return (first.system, first.code) if first.code else ("", first.display)
