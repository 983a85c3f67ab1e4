"""What reports are made from, over everything held: results by patient, cases, stages, counts by hour. Reads only.

What is no longer what was written is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from labbridge.model.outcome import Outcome
from labbridge.model.result import Result
from labbridge.store import sums, whole
from labbridge.store.connection import Connection

RESULTS = (
    "SELECT coalesce(m.surviving, r.lane), j.feed, r.lane, r.message, r.who, r.kind, r.collected, r.body, r.crc"
    " FROM results r JOIN journal j ON j.id = r.message LEFT JOIN merged m ON m.lane = r.lane"
    " WHERE r.kind = 'result' AND r.lane LIKE 'p:%'"
    " ORDER BY 1, r.id"
)
CASES = (
    f"SELECT c.opened_day, c.feed, {whole.DRAFT.format('d')} FROM cases c"  # noqa: S608 - constants
    ' JOIN drafts d ON d."case" = c.id AND d.version = c.version WHERE c.opened_day >= ? AND c.opened_day <= ? ORDER BY c.id'
)
STAGES = {
    "received to drafted": "SELECT j.received, w.updated FROM work w JOIN journal j ON j.id = w.message"
    " WHERE w.state = 'done' AND w.reason = 'drafted' AND j.received >= ? AND j.received < ?",
    "drafted to released": 'SELECT d.created, o.created FROM outbox o JOIN drafts d ON d."case" = o."case"'
    " AND d.version = o.version WHERE o.comment > 0 AND o.created >= ? AND o.created < ?",
    "released to acknowledged": "SELECT o.created, o.updated FROM outbox o WHERE o.comment > 0 AND o.state = 'acknowledged'"
    " AND o.created >= ? AND o.created < ?",
}
HOURS = (
    "SELECT feed, substr(received, 1, 13), count(*) FROM journal WHERE message_type <> 'archive' AND received >= ?"
    " AND received < ? GROUP BY 1, 2 ORDER BY 1, 2"
)
UNMAPPED = (
    "SELECT feed, system, code, label, name, unit, may_be, seen FROM unmapped ORDER BY seen DESC, feed, code, label"
)
FIRST, LAST = "0001-01-01", "9999-12-31"

_result = msgspec.json.Decoder(Result)
_outcome = msgspec.json.Decoder(Outcome)


class Held(NamedTuple):
    """The results of one patient by feed, and how many of them are damaged."""

    lane: str
    results: list[tuple[str, Result]]
    damaged: int


def results(connection: Connection) -> Iterator[Held]:
    """Every result version that is held, patient by patient."""
    for lane, rows in groupby(connection.execute(RESULTS), key=lambda row: str(row[0])):
        found, damaged = list[tuple[str, Result]](), 0
        for _lane, feed, *about, body, crc in rows:
            if crc is not None and crc != sums.of_result(tuple(about), bytes(body)):
                damaged += 1
            else:
                found.append((str(feed), _result.decode(body)))
        yield Held(lane, found, damaged)


def cases(connection: Connection, since: date | None, until: date | None) -> Iterator[tuple[str, str, Outcome]]:
    """Day, feed and newest outcome of the cases that opened between two days, both included."""
    for day, feed, *drafted in connection.execute(CASES, _days(since, until)):
        if whole.draft(drafted):
            yield str(day), str(feed), _outcome.decode(drafted[7])


def stages(connection: Connection, since: date | None, until: date | None) -> Iterator[tuple[str, str, str]]:
    """Stage, and when it began and ended, of everything that began between two days."""
    for name, sql in STAGES.items():
        for began, ended in connection.execute(sql, _moments(since, until)):
            yield name, str(began), str(ended)


def received(connection: Connection, since: date | None, until: date | None) -> list[tuple[str, str, int]]:
    """Feed, hour in UTC (2026-11-13T09) and how many messages were kept or quarantined; sent again counts once."""
    rows = connection.execute(HOURS, _moments(since, until)).fetchall()
    return [(str(feed), str(hour), int(count)) for feed, hour, count in rows]


def unmapped(connection: Connection) -> list[tuple[Any, ...]]:
    """Feed, system, code, label, name, unit, the analyte it may be, and how often it was seen."""
    return [tuple(row) for row in connection.execute(UNMAPPED).fetchall()]


def _days(since: date | None, until: date | None) -> tuple[str, str]:
    return (since.isoformat() if since else FIRST, until.isoformat() if until else LAST)


def _moments(since: date | None, until: date | None) -> tuple[str, str]:
    """The same for moments as the store writes them: the last day is in it as a whole."""
    first, last = _days(since, until)
    return first, f"{last}T99"
