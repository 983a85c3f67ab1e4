"""What the status page reads: a fixed number of statements, each along an index or over a bounded number of rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from labbridge.model.messages import Waiting
from labbridge.model.status import Arrivals, Labels, Numbers, Silence
from labbridge.store.connection import Connection
from labbridge.store.orders import WAITS_SINCE
from labbridge.store.tally import SEPARATOR

WEEKS = 4
NEWEST_MESSAGES, BEFORE_A_MOMENT, NEWEST_DECISIONS = 5000, 2000, 500  # rows that one statement reads
KEPT_FOR = timedelta(seconds=60)  # what is read of the journal is read no more often
ARRIVED = ("stored", "quarantined", "duplicate", "oversize")
COUNTERS = (*ARRIVED, "sent", "failures", "evaluations", "rules", "flags", "results", "stages", "reloads")

_NAMED = ", ".join(f"'{name}'" for name in COUNTERS)
TALLY = f"SELECT name, labels, count, updated FROM tally WHERE name IN ({_NAMED})"  # noqa: S608
CASES = "SELECT feed, state, count(*) FROM cases GROUP BY feed, state"
OLDEST = (  # by expressions, so that only what is open is read
    "SELECT '' || feed, '' || state, min(opened) FROM cases WHERE state NOT IN ('signed', 'closed') GROUP BY 1, 2"
)
WORK = "SELECT state, count(*), min(updated) FROM work WHERE state IN ('kept', 'parked') GROUP BY state"
OUTBOX = (
    f"SELECT receiver, state, count(*), min({WAITS_SINCE}) FROM outbox WHERE state IN ('waiting', 'sent', 'failed')"  # noqa: S608
    " GROUP BY receiver, state"
)
QUARANTINE = (
    "SELECT feed, reason, count(*), min(received) FROM journal WHERE state = 'quarantined' GROUP BY feed, reason"
)
UNMAPPED = "SELECT feed, count(*), sum(CASE WHEN may_be <> '' THEN 1 ELSE 0 END) FROM unmapped GROUP BY feed"
DECIDED = (
    "SELECT kind, count(*) FROM decisions WHERE id > (SELECT max(id) FROM decisions WHERE id > 0) - ? GROUP BY kind"
)
LAST = "(SELECT max(id) FROM journal WHERE id > 0)"
NEWEST = f"id > {LAST} - ?"
SINCE = f"SELECT received FROM journal WHERE {NEWEST} ORDER BY id LIMIT 1"  # noqa: S608
HOURS = f"SELECT feed, substr(received, 1, 13), count(*) FROM journal WHERE {NEWEST} AND received >= ? GROUP BY 1, 2"  # noqa: S608
MIDDLE = "(s.low + s.high) / 2"
EARLIER = f"(SELECT j.received FROM journal j WHERE j.id >= {MIDDLE} ORDER BY j.id LIMIT 1) < ?"  # noqa: S608
THEN = (  # keys are given in the order of time: halved until one is left, the first that came at the moment or later
    "WITH RECURSIVE s(low, high) AS (SELECT (SELECT min(id) FROM journal WHERE id > 0),"  # noqa: S608
    f" {LAST} + 1 UNION ALL SELECT CASE WHEN {EARLIER} THEN {MIDDLE} + 1 ELSE s.low END,"
    f" CASE WHEN {EARLIER} THEN s.high ELSE {MIDDLE} END"
    " FROM s WHERE s.low < s.high)"
    " SELECT j.feed, max(j.received) FROM (SELECT max(low) AS key FROM s WHERE low >= high) AS p"
    " JOIN journal j ON j.id < p.key AND j.id >= p.key - ? GROUP BY j.feed"
)


class StoreStatus:
    """web/parts.Status on a connection of its own. One thread at a time."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader
        self._arrivals: tuple[datetime, Arrivals] | None = None

    def numbers(self, now: datetime) -> Numbers:
        """Of all feeds, as of now."""
        tally, newest = self._counters()
        rows = self._reader.execute
        return Numbers(
            at=now,
            tally=tally,
            newest=newest,
            cases={(feed, state): count for feed, state, count in rows(CASES).fetchall()},
            open_since={(feed, state): datetime.fromisoformat(at) for feed, state, at in rows(OLDEST).fetchall()},
            work={state: _waiting(count, at) for state, count, at in rows(WORK).fetchall()},
            outbox={(to, state): _waiting(count, at) for to, state, count, at in rows(OUTBOX).fetchall()},
            quarantine={(feed, why): _waiting(count, at) for feed, why, count, at in rows(QUARANTINE).fetchall()},
            unmapped={feed: (count, int(ours)) for feed, count, ours in rows(UNMAPPED).fetchall()},
            decided=dict(rows(DECIDED, (NEWEST_DECISIONS,)).fetchall()),
            arrivals=self._kept(now),
        )

    def _counters(self) -> tuple[Mapping[str, Mapping[Labels, int]], Mapping[str, datetime]]:
        tally: dict[str, dict[Labels, int]] = {name: {} for name in COUNTERS}
        newest: dict[str, datetime] = {}
        for name, joined, count, updated in self._reader.execute(TALLY).fetchall():
            labels = tuple(joined.split(SEPARATOR)) if joined else ()
            tally[name][labels] = tally[name].get(labels, 0) + count
            if name in ARRIVED and updated:
                at = datetime.fromisoformat(updated)
                newest[labels[0]] = max(newest.get(labels[0], at), at)
        return tally, newest

    def _kept(self, now: datetime) -> Arrivals:
        if self._arrivals is None or not timedelta() <= now - self._arrivals[0] < KEPT_FOR:
            self._arrivals = (now, self._read(now))
        return self._arrivals[1]

    def _read(self, now: datetime) -> Arrivals:
        first = self._reader.execute(SINCE, (NEWEST_MESSAGES,)).fetchone()
        since, day_ago = datetime.fromisoformat(first[0]) if first else None, now - timedelta(hours=24)
        found = self._reader.execute(HOURS, (NEWEST_MESSAGES, day_ago.isoformat())).fetchall()
        hours = {(feed, datetime.fromisoformat(f"{hour}:00").replace(tzinfo=UTC)): count for feed, hour, count in found}
        return Arrivals(since, hours, tuple(self._then(now - timedelta(weeks=week + 1)) for week in range(WEEKS)))

    def _then(self, at: datetime) -> Silence:
        moment = at.isoformat()
        rows = self._reader.execute(THEN, (moment, moment, BEFORE_A_MOMENT)).fetchall()
        return Silence(at, {feed: datetime.fromisoformat(received) for feed, received in rows})


def _waiting(count: int, oldest: str) -> Waiting:
    return Waiting(count, datetime.fromisoformat(oldest))
