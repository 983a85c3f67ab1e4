"""The bytes of a message on its wire, as a page shows them, takes an edit of them and compares it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from labbridge import reading
from labbridge.errors import Refuse, Refused
from labbridge.fhir import visible as body
from labbridge.hl7 import repair, visible
from labbridge.hl7.head import head
from labbridge.hl7.repair import Difference
from labbridge.model.report import PlacedNote, Report
from labbridge.model.work import Feed
from labbridge.web.views.as_sent import Sent, sent_of

LONGEST_EDIT = 2**17  # bytes of a message that is repaired on a page
MOST_LINES, MOST_READ = 2000, 500  # of a body, results: on one page
UTF8 = "UTF-8"


class Wire(Protocol):
    """How the bytes of one wire are repaired on a page."""

    def can_be_edited(self, raw: bytes) -> bool: ...

    def is_short(self, raw: bytes) -> bool: ...

    def editable(self, raw: bytes) -> str: ...

    def repaired(self, raw: bytes, text: str) -> bytes: ...

    def differences(self, before: bytes, after: bytes) -> list[Difference]: ...


class Hl7(msgspec.Struct, frozen=True):
    """Segments, each a line."""

    charset: str

    def can_be_edited(self, raw: bytes) -> bool:
        return self.is_short(raw) and bool(head(raw).fields)

    def is_short(self, raw: bytes) -> bool:
        return len(raw) <= LONGEST_EDIT and raw.count(b"\r") + raw.count(b"\n") <= visible.MOST_SEGMENTS

    def editable(self, raw: bytes) -> str:
        return repair.editable(raw, self.charset)

    def repaired(self, raw: bytes, text: str) -> bytes:
        return repair.repaired(raw, text, self.charset)

    def differences(self, before: bytes, after: bytes) -> list[Difference]:
        return repair.differences(before, after, self.charset)


class Json(msgspec.Struct, frozen=True):
    """JSON of FHIR or of rows, indented: the room between its elements means nothing, and is not kept by an edit."""

    def can_be_edited(self, raw: bytes) -> bool:
        return self.is_short(raw)

    def is_short(self, raw: bytes) -> bool:
        shown = _indented(raw) if len(raw) <= LONGEST_EDIT else raw
        return len(shown) <= LONGEST_EDIT and shown.count(b"\n") + shown.count(b"\r") <= MOST_LINES

    def editable(self, raw: bytes) -> str:
        return repair.editable(_indented(raw), UTF8)

    def repaired(self, raw: bytes, text: str) -> bytes:
        if not text.strip():
            raise Refused("A body without an element says nothing")
        return repair.repaired(_indented(raw), text, UTF8)

    def differences(self, before: bytes, after: bytes) -> list[Difference]:
        found = repair.differences(_indented(before), _indented(after), UTF8)
        return [msgspec.structs.replace(one, fields=()) for one in found]


def wire_of(raw: bytes, feed: Feed | None) -> Wire:
    return Hl7(feed.charset if feed is not None else "") if reading.is_hl7(raw, feed) else Json()


def _indented(raw: bytes) -> bytes:
    """A body with a line for each element; as it came where it is no JSON."""
    found = body.lines(raw)
    return raw if found is None else "\n".join(one.text for one in found).encode()


# ---------------------------------------------------------------- looked at


class BodyLine(msgspec.Struct, frozen=True):
    """`marked`: it is of the element that is looked for."""

    text: str
    marked: bool = False


class Body(msgspec.Struct, frozen=True):
    """A body as a page shows it. `left_out`: lines before and behind that are not shown. Without `json` its bytes stand as
    they came."""

    lines: tuple[BodyLine, ...]
    left_out: int = 0
    json: bool = True


def opened(raw: bytes, places: Sequence[str] = ()) -> Body:
    """A body whose bytes were opened, the elements of these places marked. One that is missing is marked at what it is
    missing from."""
    found = body.lines(raw)
    if found is None:
        told = [BodyLine(_cut(visible.text_of(one.data, "utf-8"))) for one in visible.lines(raw)[1]]
        return Body(tuple(told[:MOST_LINES]), max(0, len(told) - MOST_LINES), json=False)
    known = {one.at for one in found}
    wanted = [place for place in (_nearest(one, known) for one in places if one) if place]
    marks = [any(body.within(one.at, place) for place in wanted) for one in found]
    start = marks.index(True) - MOST_LINES // 2 if True in marks[MOST_LINES:] and True not in marks[:MOST_LINES] else 0
    shown = [_line(one, mark) for one, mark in zip(found, marks, strict=True)][start : start + MOST_LINES]
    return Body(tuple(shown), len(found) - len(shown))


def element(raw: bytes, at: str) -> Body | None:
    """The resource that a place is in, and nothing else of the body; None where there is none. The place is marked where it
    is not all of it."""
    resource = at.partition(".component[")[0]
    own = body.lines(raw, resource) or []
    if all(one.at != at for one in own):
        return None
    shown = [_line(one, at != resource and body.within(one.at, at)) for one in own[:MOST_LINES]]
    return Body(tuple(shown), len(own) - len(shown))


def _nearest(place: str, known: set[str]) -> str:
    """The place itself, else the innermost one around it that is there; the whole of a body is none."""
    while place and place not in known:
        place = place[: max(place.rfind("."), place.rfind("["), 0)]
    return place if "." in place else ""


def _line(one: body.Line, marked: bool) -> BodyLine:
    return BodyLine(_cut(visible.text_of(one.text.encode(), "utf-8")), marked)


def _cut(text: str) -> str:
    longest = visible.LONGEST_FIELD
    return text if len(text) <= longest else f"{text[:longest]} … +{len(text) - longest}"


# ---------------------------------------------------------------- how it reads


class ReadResult(msgspec.Struct, frozen=True):
    """A result of a body as it is read: where it stands, under which order, and what it says."""

    at: str
    order: str
    sent: Sent


class Reads(msgspec.Struct, frozen=True):
    """How a body reads: of how many patients, and their results. `fault`: why it does not."""

    patients: int = 0
    results: tuple[ReadResult, ...] = ()
    fault: str = ""


def reads(raw: bytes, feed: Feed, notes: Sequence[PlacedNote], received: datetime) -> Reads:
    """Read as it would be if it were sent through now."""
    try:
        reading.lanes_of(raw, feed, notes)
        reports = reading.reports_of(raw, feed, received, notes)
    except Refuse as fault:
        return Reads(fault=f"{fault.text} {fault.location}".strip())
    results = [one for report in reports for one in _results(report)]
    return Reads(len(reports), tuple(results[:MOST_READ]))


def _results(report: Report) -> Iterator[ReadResult]:
    yield from (ReadResult(one.at, "", sent_of(one)) for one in report.observations)
    for order in report.orders:
        named = next((one.display or one.code for one in order.service), "")
        yield from (ReadResult(one.at, named, sent_of(one)) for one in order.observations)
