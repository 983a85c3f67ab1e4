"""Reading and searching what is held (contract.md, HTTP): a page of resources, each in its newest version, of the feeds
that a program may see. A page is made of rows behind a key, up to the keys that were the newest when the search began: what
comes meanwhile moves nothing, and a page of a great store costs what one of a small store does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from labbridge import serving_cases, times
from labbridge.fhir import audits, searching
from labbridge.fhir.faults import Issue, Unfit, unfit
from labbridge.fhir.findings import Words
from labbridge.fhir.searching import Query, Token
from labbridge.model.served import Resources, Unit, Window
from labbridge.model.work import Feed
from labbridge.serving_units import COMPONENT, Same, Shown, Unshown, meta, opened, who_is

SPAN = 5000  # keys that a page looks through
SPAN_OF_DATES = 100_000  # where the store leaves out by their date what is not asked for
AT_ONCE = 10  # messages in hand
OPENED = 300  # messages that a page opens
MOST_LATER = 2000  # of one patient
UNITS, CASES, AUDIT = 0, 1, 2
PHASES = {
    "Observation": (UNITS, CASES),
    "DiagnosticReport": (UNITS,),
    "Patient": (UNITS,),
    "DetectedIssue": (CASES,),
    "AuditEvent": (AUDIT,),
}
_DATED = {UNITS: ("_lastUpdated",), CASES: ("_lastUpdated",), AUDIT: ("_lastUpdated", "date")}
_OURS = re.compile(r"M(\d{1,18})(?:-.+)?")
_PATIENT = re.compile(r"P(\d{1,18})")
_CASE = re.compile(r"C(\d{1,18})(?:-.+)?")
_LINE = re.compile(r"A(\d{1,18})")


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins: which rows, behind which key, and how many of the first row's resources were shown already.
    `until`: the greatest keys of units, cases and lines when the search began."""

    phase: int
    after: int
    skip: int
    until: tuple[int, int, int]


class Page(msgspec.Struct, frozen=True):
    """`next`: where the following page begins; None behind the last. `patients`: whom it is about, `Patient/P12`. `told`:
    what could not be shown."""

    resources: list[dict[str, Any]]
    next: Position | None = None
    patients: frozenset[str] = frozenset()
    told: tuple[Issue, ...] = ()


class Slim(NamedTuple):
    """What tells versions of a resource apart: its unit, address, and by what it is known."""

    unit: int
    kind: str
    id: str
    same: Same


class Serving:
    """One request of a program. `feeds`: how messages of all feeds are read; `seen`: those the program may see."""

    def __init__(self, held: Resources, feeds: Mapping[str, Feed], seen: Sequence[str], words: Words) -> None:
        self._held, self._words = held, words
        self._feeds = {name: feeds[name] for name in seen if name in feeds}
        self._seen = tuple(self._feeds)
        self._later: dict[str, list[Slim]] = {}
        self._addresses: dict[int, dict[str, str]] = {}
        self._patients: dict[str, str] = {}
        self._told: dict[str, Issue] = {}

    # ---- read

    def read(self, kind: str, id: str) -> dict[str, Any]:
        """A resource by its id. Unfit: 404 where there is none for this program, 410 where a newer one stands in its
        place."""
        if kind in ("Observation", "DiagnosticReport") and not (kind == "Observation" and re.fullmatch(r"C\d+", id)):
            return self._sent(kind, id)
        found = next(iter(self._direct(kind, id)), None)
        if found is None:
            raise _nothing()
        return found

    def _sent(self, kind: str, id: str) -> dict[str, Any]:
        messages = set(self._held.messages_of(kind, f"/{id}", self._seen))
        if (ours := _OURS.fullmatch(id)) is not None:
            messages.add(int(ours[1]))
        newest = self._held.newest()[0]
        for message in sorted(messages, reverse=True):
            for unit in self._held.of_message(message, self._seen):
                for one in self._of(unit):
                    if (one.kind, one.id) == (kind, id):
                        later = self._superseded(unit, one, newest)
                        if later:
                            raise unfit("deleted", f"Superseded: {later} stands in its place", status=410)
                        return one.body
        raise _nothing()

    def _direct(self, kind: str, id: str) -> list[dict[str, Any]]:
        """What is found by a key alone."""
        until = self._held.newest()
        if kind == "Patient" and (found := _PATIENT.fullmatch(id)) is not None:
            lanes = self._held.lanes_of_unit(int(found[1]))
            body = self._patient(lanes) if lanes else None
            if body is not None and body["id"] != id:
                raise unfit("deleted", f"Superseded: Patient/{body['id']} stands in its place", status=410)
            return [body] if body is not None else []
        if kind == "AuditEvent" and (found := _LINE.fullmatch(id)) is not None:
            key = int(found[1])
            window = Window(feeds=self._seen, after=key - 1, until=min(key, until[AUDIT]), limit=1)
            return [audits.resource(*one, self._words.system) for one in self._held.audit(window)]
        if kind in ("DetectedIssue", "Observation") and (found := _CASE.fullmatch(id)) is not None:
            window = Window(feeds=self._seen, after=int(found[1]) - 1, until=int(found[1]), limit=1)
            bodies = [one for case in self._held.cases(window) for one in self._of_case(kind, case)]
            return [one for one in bodies if one["id"] == id]
        return []

    # ---- search

    def search(self, query: Query, position: Position | None) -> Page:
        """A page of what is asked for, from a position on (None: from the beginning)."""
        at = position or Position(PHASES[query.kind][0], 0, 0, self._held.newest())
        if query.ids:
            return self._page(query, list(self._by_ids(query)), None)
        lanes, messages = self._lanes(query), self._messages(query)
        found: list[dict[str, Any]] = []
        next_at: Position | None = at
        while next_at is not None and len(found) < query.count:
            room = query.count - len(found)
            some, after = self._rows(query, next_at, room, (lanes, messages))
            found += some
            if after is not None:
                next_at = after
                break
            next_at = self._next_phase(query.kind, next_at)
        return self._page(query, found, next_at)

    def _page(self, query: Query, found: list[dict[str, Any]], after: Position | None) -> Page:
        patients = {one.get("subject", one.get("patient", {})).get("reference", "") for one in found}
        if query.kind == "Patient":
            patients = {f"Patient/{one['id']}" for one in found}
        named = frozenset(one for one in patients if one.startswith("Patient/P"))
        return Page(found, after, named, tuple(self._told.values()))

    def _next_phase(self, kind: str, at: Position) -> Position | None:
        phases = PHASES[kind]
        behind = phases.index(at.phase) + 1
        return Position(phases[behind], 0, 0, at.until) if behind < len(phases) else None

    def _by_ids(self, query: Query) -> Iterator[dict[str, Any]]:
        lanes = self._lanes(query)
        whose = None if lanes is None else {self._address(one) for one in lanes}
        for id in sorted(frozenset.intersection(*query.ids)):
            try:
                body = self.read(query.kind, id)
            except Unfit:
                continue
            subject = body.get("subject", body.get("patient", {})).get("reference", "")
            if searching.matches(query, body, UTC) and (whose is None or subject in whose):
                yield body

    def _rows(
        self, query: Query, at: Position, room: int, of: tuple[tuple[str, ...] | None, tuple[int, ...] | None]
    ) -> tuple[list[dict[str, Any]], Position | None]:
        """What of the rows behind a position is asked for, no more than there is room for; and where to go on, None where
        these rows have ended."""
        until = at.until[at.phase]
        direct = of[0] is not None or of[1] is not None
        span = SPAN_OF_DATES if any(_bounds(query, at.phase)) else SPAN
        end = until if direct else min(until, at.after + span)
        found: list[dict[str, Any]] = []
        last, count = at.after, 0
        for key, bodies in self._behind(query, at, end, of):
            count += 1
            some = bodies[at.skip :] if last == at.after else bodies
            if len(found) + len(some) > room:
                given = (at.skip if last == at.after else 0) + room - len(found)
                return found + some[: room - len(found)], Position(at.phase, last, given, at.until)
            found += some
            last = key
        if count >= OPENED or end < until:
            return found, Position(at.phase, last if count >= OPENED else end, 0, at.until)
        return found, None

    def _behind(
        self, query: Query, at: Position, end: int, of: tuple[tuple[str, ...] | None, tuple[int, ...] | None]
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Rows with what of each is asked for, in the order of their keys."""
        lanes, messages = of
        since, before = _bounds(query, at.phase)
        window = Window(
            feeds=self._seen,
            after=at.after,
            until=end,
            limit=OPENED,
            lanes=lanes,
            messages=messages,
            since=since,
            before=before,
        )
        if at.phase == AUDIT:
            for key, event in self._held.audit(window):
                body = audits.resource(key, event, self._words.system)
                yield key, [body] if searching.matches(query, body, UTC) else []
        elif at.phase == CASES:
            for case in self._held.cases(window) if messages is None else ():
                bodies = self._of_case(query.kind, case)
                yield case.key, [one for one in bodies if searching.matches(query, one, UTC)]
        else:
            for unit in self._walk(window):
                yield unit.id, list(self._wanted(query, unit, at.until[UNITS]))

    def _wanted(self, query: Query, unit: Unit, until: int) -> Iterator[dict[str, Any]]:
        if query.kind == "Patient":
            yield from self._named_first(query, unit)
            return
        zone = times.zone(self._feeds[unit.feed].timezone)
        for one in self._of(unit):
            wanted = one.kind == query.kind and searching.matches(query, one.body, zone)
            if wanted and not self._superseded(unit, one, until):
                yield one.body

    # ---- whose

    def _lanes(self, query: Query) -> tuple[str, ...] | None:
        """The lanes of the patients asked for; None where none is asked for by name."""
        asked: list[set[str]] = []
        for ids in query.patients:
            keys = [int(found[1]) for one in ids if (found := _PATIENT.fullmatch(one)) is not None]
            asked.append({lane for key in keys for lane in self._held.lanes_of_unit(key)})
        people = query.of("identifier") if query.kind == "Patient" else query.people
        for tokens in people:
            asked.append({lane for token in tokens for lane in self._lanes_of(token)})
        return tuple(sorted(set.intersection(*asked))) if asked else None

    def _lanes_of(self, token: Token) -> tuple[str, ...]:
        if not token.code:
            raise unfit("invalid", "An identifier is asked for with its value", "http.identifier")
        if not token.system:
            return self._held.lanes_of_number(None, token.code)
        names = {feed.authorities.get(token.system, token.system) for feed in self._feeds.values()}
        return tuple(lane for name in sorted(names) for lane in self._held.lanes_of_number(name, token.code))

    def _messages(self, query: Query) -> tuple[int, ...] | None:
        """The messages that may hold what is asked for by number; None where nothing is."""
        asked: list[set[int]] = []
        for tokens in query.of("identifier") if query.kind != "Patient" else ():
            found: set[int] = set()
            for token in tokens:
                if not token.code:
                    raise unfit("invalid", "An identifier is asked for with its value", "http.identifier")
                name = token.code if token.system is None else f"{token.system}|{token.code}"
                found.update(self._held.messages_of(query.kind, name, self._seen))
                found.update(self._held.messages_of_number(token.code))
            asked.append(found)
        return tuple(sorted(set.intersection(*asked))) if asked else None

    def _address(self, lane: str) -> str:
        """The patient of a lane as this server names one; empty for a lane of nobody."""
        if lane not in self._patients:
            first = self._held.first_of(lane) if lane.startswith("p:") else 0
            self._patients[lane] = f"Patient/P{first}" if first else ""
        return self._patients[lane]

    def _named_first(self, query: Query, unit: Unit) -> Iterator[dict[str, Any]]:
        """The patient of a unit, where it is the first one of the patient that this program sees."""
        if not unit.lane.startswith("p:"):
            return
        lanes = self._lanes_like(unit)
        before = Window(feeds=self._seen, after=0, until=unit.id - 1, limit=1, lanes=lanes)
        if not self._held.units(before):
            body = self._patient(lanes)
            if body is not None and searching.matches(query, body, UTC):
                yield body

    def _patient(self, lanes: Sequence[str]) -> dict[str, Any] | None:
        unit = self._held.newest_of(lanes, self._seen)
        if unit is None:
            return None
        try:
            who = who_is(unit, self._feeds[unit.feed])
        except Unshown:
            who = None
        address = self._address(unit.lane)
        if who is None or not address:
            return None
        rest = {key: one for key, one in who.items() if key != "resourceType"}
        return {"resourceType": "Patient", "id": address.partition("/")[2], "meta": meta(unit), **rest}

    # ---- units

    def _walk(self, window: Window) -> Iterator[Unit]:
        """Units in their order, a few in hand at a time: a message may be of many megabytes."""
        left, after = window.limit, window.after
        while left > 0:
            few = msgspec.structs.replace(window, after=after, limit=min(left, AT_ONCE))
            some = self._held.units(few)
            yield from some
            if len(some) < few.limit:
                return
            left, after = left - len(some), some[-1].id

    def _of(self, unit: Unit) -> list[Shown]:
        try:
            named = self._held.named_in(unit.message)
            return opened(unit, self._feeds[unit.feed], named, self._address(unit.lane))
        except Unshown:
            text = f"M{unit.message} cannot be shown: its bytes are not here any more, or not what they were"
            self._told[text] = Issue("incomplete", text, severity="warning")
            return []

    def _superseded(self, unit: Unit, one: Shown, until: int) -> str:
        """The address of the newest version of a resource that came later, in the keys until there; empty where it is the
        newest itself."""
        found = ""
        for other in self._later_than(unit, one, until):
            if unit.id < other.unit <= until and other.kind == one.kind and other.same & one.same:
                found = f"{other.kind}/{other.id}"
        return found

    def _later_than(self, unit: Unit, one: Shown, until: int) -> list[Slim]:
        """Where a newer version may stand: with the patient or specimen; of what names neither, where its sender called
        something so."""
        if unit.lane.startswith(("p:", "s:")):
            if unit.lane not in self._later:
                lanes = self._lanes_like(unit)
                window = Window(feeds=self._seen, after=0, until=until, limit=MOST_LATER, lanes=lanes)
                self._later[unit.lane] = self._slim(window)
            return self._later[unit.lane]
        tokens = [f"{number.get('system', '')}|{number.get('value', '')}" for number in one.body.get("identifier", ())]
        messages = {m for name in (*tokens, f"/{one.id}") for m in self._held.messages_of(one.kind, name, self._seen)}
        later = tuple(sorted(message for message in messages if message > unit.message))
        window = Window(feeds=self._seen, after=unit.id, until=until, limit=MOST_LATER, messages=later)
        return self._slim(window) if later else []

    def _slim(self, window: Window) -> list[Slim]:
        found, count = [], 0
        for unit in self._walk(window):
            count += 1
            found += [Slim(unit.id, one.kind, one.id, one.same) for one in self._of(unit)]
        if count == MOST_LATER:
            raise unfit(
                "too-costly", f"More than {MOST_LATER} messages of one patient cannot be told apart in a search"
            )
        return found

    def _lanes_like(self, unit: Unit) -> tuple[str, ...]:
        return self._held.lanes_of_unit(unit.id) if unit.lane.startswith("p:") else (unit.lane,)

    # ---- cases

    def _of_case(self, kind: str, case: Any) -> list[dict[str, Any]]:
        subject = self._address(case.lane)
        if kind == "DetectedIssue":
            return serving_cases.issues(case, subject, self._words, self._result)
        found = serving_cases.interpretation(case, subject, self._words.code, self._result)
        return [found] if found is not None else []

    def _result(self, ref: str) -> str:
        """The address of a result that a case rests on; empty where this program cannot read it."""
        message, _colon, at = ref.partition(":")
        key = int(message[1:]) if re.fullmatch(r"M\d{1,18}", message) else 0
        if key not in self._addresses:
            units = self._held.of_message(key, self._seen) if key else ()
            self._addresses[key] = {one.at: f"{one.kind}/{one.id}" for unit in units for one in self._of(unit)}
        return self._addresses[key].get(at.partition(COMPONENT)[0], "")


def _bounds(query: Query, phase: int) -> tuple[datetime | None, datetime | None]:
    """Which rows are looked at. A patient is listed at the first message and dated by the newest: none is left out."""
    return searching.bounds(query, *_DATED[phase]) if query.kind != "Patient" else (None, None)


def _nothing() -> Unfit:
    return unfit("not-found", "There is no such resource here, or it is not this program's to see")
