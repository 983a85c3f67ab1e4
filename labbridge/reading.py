"""A kept message on whichever wire it came, or rows of an archive: its lanes, its reports, and itself in HL7 v2 for an
answer in that. The one place that knows of them all; what stands behind it reads reports."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from labbridge.errors import Refuse, Refused
from labbridge.fhir import guard
from labbridge.fhir import incoming as fhir_incoming
from labbridge.fhir import structure as fhir_structure
from labbridge.fhir.faults import Issue, Unfit
from labbridge.hl7 import incoming, standing_in, structure
from labbridge.hl7.page import Form
from labbridge.hl7.standing_in import Paper
from labbridge.model.report import Observation, Order, Patient, PlacedNote, Report
from labbridge.model.work import Feed, Kept
from labbridge.rows import archive
from labbridge.rows import body as row_body
from labbridge.rows import incoming as rows_incoming

HL7, FHIR, ROWS, ARCHIVE = "mllp", "fhir", "odbc", "archive"
REFUSED, KNOWN = "N021", "N022"
EARLIEST = datetime.min.replace(tzinfo=UTC)
UNNAMED = "The identity message that gave the patient another number does not name the patient any more"
_ENTRY = re.compile(r"Bundle\.entry\[(\d{1,6})\](?![\w\[])")


def wire_of(raw: bytes, feed: Feed | None) -> str:
    """The wire of a message is its feed's; rows of an archive say what they are, whichever feed they are read as. Where no
    feed is at hand, a body of FHIR is the one that begins an object, and rows of a table the one that begins with their
    view."""
    if archive.is_archived(raw):
        return ARCHIVE
    if feed is not None:
        return feed.kind
    if row_body.is_rows(raw):
        return ROWS
    return FHIR if raw.removeprefix(guard.BOM).lstrip()[:1] == b"{" else HL7


def is_fhir(raw: bytes, feed: Feed | None) -> bool:
    return wire_of(raw, feed) == FHIR


def is_hl7(raw: bytes, feed: Feed | None) -> bool:
    """Whether a kept message is HL7 v2."""
    return wire_of(raw, feed) == HL7


def feed_of(raw: bytes, name: str, feeds: Mapping[str, Feed]) -> Feed:
    """The feed a message came by; of one that is not configured what its bytes say."""
    found = feeds.get(name)
    return found if found is not None else Feed(name=name, kind=wire_of(raw, None))


def is_answer(raw: bytes, feed: Feed) -> bool:
    """Whether a message that was kept is the answer to an order; no body of FHIR is one, and no row."""
    return is_hl7(raw, feed) and structure.is_answer(raw)


def reports_of(raw: bytes, feed: Feed, received: datetime, notes: Iterable[PlacedNote] = ()) -> list[Report]:
    """The reports of a message, one per patient (lane), in order of appearance. Refuse as receiving would. `notes` are
    those of its receipt: they name the entries of a body that are not read."""
    wire = wire_of(raw, feed)
    if wire == ARCHIVE:
        message = archive.message_of(raw)
        return incoming.read_reports(message, feed, received) if message else archive.reports_of(raw, feed)
    if wire == HL7:
        return incoming.read_reports(raw, feed, received)
    if wire == ROWS:
        return rows_incoming.read_reports(raw, feed)
    noted = tuple(notes)
    return fhir_incoming.read_reports(raw, feed, entries(noted, REFUSED), entries(noted, KNOWN))


def lanes_of(raw: bytes, feed: Feed, notes: Iterable[PlacedNote] = ()) -> tuple[str, ...]:
    """The lanes of a message that was not accepted before as it is: all of it is looked at as receiving does. Refuse."""
    wire = wire_of(raw, feed)
    if wire == HL7:
        return structure.read_structure(raw, feed).lanes
    if wire in (ROWS, ARCHIVE):
        return tuple(one.lane for one in reports_of(raw, feed, EARLIEST))
    refused = entries(notes, REFUSED)
    _check(fhir_structure.checked(raw), refused)
    envelope = fhir_structure.read_structure(raw, feed, refused)
    _check(fhir_structure.unasked(envelope.contents), refused)
    return envelope.lanes


def _check(issues: Iterable[Issue], refused: Collection[int]) -> None:
    """Unfit for any but those of the entries that were refused when the body came."""
    found = [one for one in issues if _entry(one.expression) not in refused]
    if found:
        raise Unfit(found)


def check_places(before: bytes, after: bytes, feed: Feed, notes: Iterable[PlacedNote]) -> None:
    """Refused where an edit moves or changes an entry that is not read: it is known by its number alone."""
    left_out = [] if not is_fhir(before, feed) else sorted(entries(tuple(notes), REFUSED, KNOWN))
    old, new = (guard.load(raw).get("entry") or [] for raw in (before, after)) if left_out else ([], [])
    if len(old) != len(new) or any(old[number : number + 1] != new[number : number + 1] for number in left_out):
        named = ", ".join(f"Bundle.entry[{number}]" for number in left_out)
        raise Refused(f"What is not read of this message must stay as it is and where it is: {named}")


def entries(notes: Iterable[PlacedNote], *codes: str) -> frozenset[int]:
    """The entries of a body that notes of these numbers are about."""
    return frozenset(_entry(one.at) for one in notes if one.code in codes) - {-1}


def _entry(place: str) -> int:
    """The entry that a place stands in; -1 where it is in none."""
    found = _ENTRY.match(place)
    return int(found[1]) if found else -1


class Placed(NamedTuple):
    """A result where it stands: its report, the order it is of, and itself."""

    report: Report
    order: Order
    result: Observation


def placed(message: Kept, at: str, lanes: Collection[str], feeds: Mapping[str, Feed]) -> Placed:
    """A result of a kept message, whichever wire it came on. Refused where it is not one of the patient of these lanes."""
    for report in _read(message, feed_of(message.raw, message.feed, feeds)):
        if report.lane in lanes:
            for order in report.orders:
                for result in order.observations:
                    if result.at == at:
                        return Placed(report, order, result)
    raise Refused("The result is not in its message, or is another patient's")


def patient_named(message: Kept | None, lane: str, feeds: Mapping[str, Feed]) -> Patient | None:
    """Who the patient of a lane is by the identity message that names them; None where there is no such message."""
    if message is None or not message.raw:
        return None
    for report in _read(message, feed_of(message.raw, message.feed, feeds)):
        if report.lane == lane:
            return report.patient
    raise Refused(UNNAMED)


# ---------------------------------------------------------------- in HL7 v2


class Source(NamedTuple):
    """A message in HL7 v2, with the character set of its feed, and where in it a result stands."""

    raw: bytes
    charset: str
    at: str


def in_hl7(
    message: Kept, at: str, lanes: Collection[str], feeds: Mapping[str, Feed], form: Form, *, echoes: bool = False
) -> Source:
    """The message that an answer is made from: itself, or what stands in its place. `form`: how the receiver takes
    messages; `echoes`: parts of it go back as they are. Refused where the result is not one of the patient of these
    lanes."""
    feed = feed_of(message.raw, message.feed, feeds)
    if wire_of(message.raw, feed) == ARCHIVE:
        raise Refused("The result came from an archive: no comment can hang on it")
    if is_hl7(message.raw, feed):
        return Source(message.raw, feed.charset, at)
    characters = form.charset if echoes else standing_in.PLAIN.charset
    paper = Paper(version=form.version, charset=characters, processing_id=feed.processing_id, names=feed.authorities)
    for report in _read(message, feed):
        found = standing_in.written(report, paper) if report.lane in lanes else None
        if found is not None and at in found.places:
            return Source(found.raw, "", found.places[at])
    raise Refused("The result is not in its message, or is another patient's, or names no patient")


def naming_in_hl7(message: Kept | None, lane: str, feeds: Mapping[str, Feed]) -> bytes:
    """The identity message that names the patient of a lane, where there is one."""
    if message is None or not message.raw:
        return b""
    feed = feed_of(message.raw, message.feed, feeds)
    if is_hl7(message.raw, feed):
        return message.raw
    for report in _read(message, feed):
        if report.lane == lane:
            return standing_in.written(report).raw
    raise Refused(UNNAMED)


def _read(message: Kept, feed: Feed) -> list[Report]:
    try:
        return reports_of(message.raw, feed, message.received, message.notes)
    except Refuse as fault:
        raise Refused(f"M{message.key} cannot be read: {fault.text} {fault.location}".strip()) from None
