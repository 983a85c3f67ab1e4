"""What a comment or an order for a FHIR server is written about, gathered from the messages that are kept, whichever wire
they came on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from labbridge import reading
from labbridge.errors import Refused
from labbridge.fhir import outgoing
from labbridge.model.report import Observation, Order
from labbridge.model.work import Case, Feed, Kept


class Messages(Protocol):
    """What an answer is composed from: the message it hangs on, and the one that names its patient now (ports.Desk)."""

    def message(self, key: int) -> Kept | None: ...

    def naming(self, lane: str) -> Kept | None: ...


class Place(msgspec.Struct, frozen=True):
    """A result: the key of its message and where it stands in that, and the patient's lanes, the surviving one first."""

    message: int
    at: str
    lanes: tuple[str, ...]


def place_of(ref: str, lanes: tuple[str, ...]) -> Place | None:
    """The place that a result's ref names (`M17:OBX[3]`)."""
    key, _colon, at = ref.partition(":")
    return Place(int(key[1:]), at, lanes) if at and key[1:].isdigit() else None


def whole(message: Kept | None) -> bool:
    """Whether a message can still be answered: its bytes are here, and are those that came."""
    return message is not None and bool(message.raw) and not message.damaged


def about(place: Place, refs: Iterable[str], messages: Messages, feeds: Mapping[str, Feed]) -> outgoing.About:
    """The result of a place, its patient and order, and the results of these refs as far as they are here. Refused where
    the message cannot be answered any more, or where the result is not of the patient."""
    message = messages.message(place.message)
    if message is None or not whole(message):
        raise Refused(f"M{place.message} is not whole in this store any more; it cannot be answered")
    found = reading.placed(message, place.at, place.lanes, feeds)
    patient = found.report.patient
    if found.report.lane != place.lanes[0]:
        patient = reading.patient_named(messages.naming(place.lanes[0]), place.lanes[0], feeds) or patient
    results = dict(_results(tuple(dict.fromkeys(refs)), place.lanes, messages, feeds))
    return outgoing.About(patient=patient, order=found.order, result=found.result, results=results)


def _results(
    refs: Sequence[str], lanes: tuple[str, ...], messages: Messages, feeds: Mapping[str, Feed]
) -> Iterator[tuple[str, tuple[Order, Observation]]]:
    """Of a result whose message is gone nothing can be said: it is left out."""
    for ref in refs:
        place = place_of(ref, lanes)
        message = messages.message(place.message) if place is not None else None
        if place is None or message is None or not whole(message):
            continue
        try:
            found = reading.placed(message, place.at, lanes, feeds)
        except Refused:
            continue
        yield ref, (found.order, found.result)


def refs_of(case: Case) -> Iterator[str]:
    """The results that a case's comment and flags rest on."""
    yield from case.outcome.used
    for flag in case.outcome.flags:
        yield from flag.evidence


def note_of(case: Case, text: str) -> outgoing.Note:
    """The comment of a case as it is written for a FHIR server."""
    return outgoing.Note(
        key=case.sub_id,
        text=text,
        correction=bool(case.posted),
        flags=case.outcome.flags,
        retests=case.outcome.retests,
        used=case.outcome.used,
    )


def specimen(found: outgoing.About) -> str:
    """What the comments of one specimen have in common: its number, else the filler or placer number of the order."""
    tubes = [one.filler or one.placer for one in found.order.specimens if one.filler or one.placer]
    number = tubes[0] if len(set(tubes)) == 1 else found.order.filler or found.order.placer
    return f"{number.namespace}|{number.id}" if number else ""
