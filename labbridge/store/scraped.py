"""What a scrape reads of the store: the tally, and what waits, along the indexes of what waits. What is done with is never
looked at: a scrape costs the same however much is stored."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from labbridge.store import status
from labbridge.store.connection import Connection
from labbridge.store.marks import MARKS
from labbridge.store.tally import SEPARATOR

Labels = tuple[str, ...]
TALLY = "SELECT name, labels, count, updated FROM tally"
CASES = (  # by expressions, so that only what is open is read; a disposition is of the version it was made for
    "SELECT '' || state, CASE WHEN disposition_version = version AND (until = '' OR until > ?) THEN disposition ELSE '' END,"
    " count(*), min(opened) FROM cases WHERE state NOT IN ('signed', 'closed') GROUP BY 1, 2"
)
SUSPENDED = "SELECT feed, analyte, rule FROM suspensions WHERE lifted = ''"
UNCONFIRMED = "SELECT count(*) FROM restores WHERE confirmed = ''"
WORKLIST = "worklist"  # the queue of what nobody has set aside
OPEN = ("waiting", "sent")


class Scraped(msgspec.Struct, frozen=True, kw_only=True):
    """As of one moment. `tally[name][labels]` has every counter, `marks` what was set last (marks.py). `last_received` is in
    seconds since 1970 by feed. Counts and ages in seconds of what waits: `work` by state, `cases` by state and queue,
    `outbox` by receiver (waiting or sent), `quarantine` by reason; `failed` are deliveries given up, by receiver. `unmapped`
    has by feed how many codes no table names, and how many of them may be ours. `suspended` are the switches of release by
    rule, by what they stop. `unconfirmed`: restores that nobody has confirmed yet."""

    tally: dict[str, dict[Labels, int]]
    marks: dict[str, dict[Labels, int]]
    last_received: dict[str, float]
    work: dict[str, int]
    work_oldest_s: dict[str, float]
    cases: dict[Labels, int]
    cases_oldest_s: dict[Labels, float]
    outbox: dict[str, int]
    outbox_oldest_s: dict[str, float]
    failed: dict[str, int]
    quarantine: dict[str, int]
    quarantine_oldest_s: float
    unmapped: dict[str, int]
    unmapped_ours: dict[str, int]
    suspended: dict[str, int]
    unconfirmed: int


def scraped(connection: Connection, now: datetime) -> Scraped:
    """All of it in one read transaction."""
    connection.execute("BEGIN")
    try:
        return _scraped(connection, now)
    finally:
        connection.execute("ROLLBACK")


def _scraped(connection: Connection, now: datetime) -> Scraped:
    rows = connection.execute
    tally, marks, last = _counters(connection)
    work = {state: (count, _seconds(at, now)) for state, count, at in rows(status.WORK).fetchall()}
    cases = {
        (state, queue or WORKLIST): (count, _seconds(at, now))
        for state, queue, count, at in rows(CASES, (now.isoformat(),)).fetchall()
    }
    outbox = [(to, state, count, _seconds(at, now)) for to, state, count, at in rows(status.OUTBOX).fetchall()]
    refused = [(why, count, _seconds(at, now)) for _feed, why, count, at in rows(status.QUARANTINE).fetchall()]
    unmapped = rows(status.UNMAPPED).fetchall()
    return Scraped(
        tally=tally,
        marks=marks,
        last_received=last,
        work={state: work.get(state, (0, 0.0))[0] for state in ("kept", "parked")},
        work_oldest_s={state: work.get(state, (0, 0.0))[1] for state in ("kept", "parked")},
        cases={about: count for about, (count, _age) in cases.items()},
        cases_oldest_s={about: age for about, (_count, age) in cases.items()},
        outbox=_summed((to, count) for to, state, count, _age in outbox if state in OPEN),
        outbox_oldest_s=_oldest((to, age) for to, state, _count, age in outbox if state in OPEN),
        failed=_summed((to, count) for to, state, count, _age in outbox if state not in OPEN),
        quarantine=_summed((why, count) for why, count, _age in refused),
        quarantine_oldest_s=max((age for _why, _count, age in refused), default=0.0),
        unmapped={feed: count for feed, count, _ours in unmapped},
        unmapped_ours={feed: int(ours) for feed, _count, ours in unmapped if ours},
        suspended=_summed((_scope(*one), 1) for one in rows(SUSPENDED).fetchall()),
        unconfirmed=int(rows(UNCONFIRMED).fetchone()[0]),
    )


def _counters(
    connection: Connection,
) -> tuple[dict[str, dict[Labels, int]], dict[str, dict[Labels, int]], dict[str, float]]:
    tally: dict[str, dict[Labels, int]] = {name: {} for name in status.ARRIVED}
    marks: dict[str, dict[Labels, int]] = {}
    last: dict[str, float] = {}
    for name, joined, count, updated in connection.execute(TALLY).fetchall():
        labels = tuple(joined.split(SEPARATOR)) if joined else ()
        its = (marks if name in MARKS else tally).setdefault(name, {})
        its[labels] = its.get(labels, 0) + count
        if name in status.ARRIVED and updated:
            last[labels[0]] = max(last.get(labels[0], 0.0), datetime.fromisoformat(updated).timestamp())
    return tally, marks, last


def _scope(feed: str, analyte: str, rule: str) -> str:
    """What a suspension stops: the names themselves are no label."""
    return " ".join(word for word, named in (("feed", feed), ("analyte", analyte), ("rule", rule)) if named) or "all"


def _summed(rows: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, count in rows:
        found[name] = found.get(name, 0) + int(count)
    return found


def _oldest(rows: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, age in rows:
        found[name] = max(found.get(name, 0.0), age)
    return found


def _seconds(since: str, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(since)).total_seconds())
