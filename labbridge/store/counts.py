"""What the store counts: the equation of arrivals, queues and their ages, for the command line and the metrics."""

from __future__ import annotations

from datetime import datetime

import msgspec

from labbridge.store.connection import Connection
from labbridge.store.orders import WAITS_SINCE
from labbridge.store.tally import SEPARATOR

NAMES = ("stored", "quarantined", "duplicate", "oversize")


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """received = stored + quarantined + duplicate + oversize. `tally[name][labels]` has every counter of the store;
    arrivals by feed and type. `last_received` is in seconds since 1970 by feed. Ages in seconds."""

    received: int
    stored: int
    quarantined: int
    duplicate: int
    oversize: int
    tally: dict[str, dict[tuple[str, ...], int]]
    last_received: dict[str, float]
    waiting: int
    parked: int
    oldest_waiting_s: float
    cases: dict[str, int]
    cases_oldest_s: dict[str, float]
    outbox: dict[str, dict[str, int]]
    outbox_oldest_s: dict[str, float]
    quarantine: dict[str, int]
    quarantine_oldest_s: float
    unmapped: dict[str, int]
    unmapped_ours: dict[str, int]


def counts(connection: Connection, now: datetime) -> Counts:
    """All counts as of one moment, in one read transaction."""
    connection.execute("BEGIN")
    try:
        return _counts(connection, now)
    finally:
        connection.execute("COMMIT")


def _counts(connection: Connection, now: datetime) -> Counts:
    tally: dict[str, dict[tuple[str, ...], int]] = {name: {} for name in NAMES}
    last: dict[str, float] = {}
    for name, joined, count, updated in connection.execute("SELECT name, labels, count, updated FROM tally"):
        labels = tuple(joined.split(SEPARATOR)) if joined else ()
        its = tally.setdefault(name, {})
        its[labels] = its.get(labels, 0) + count
        if name in NAMES and updated:
            last[labels[0]] = max(last.get(labels[0], 0.0), datetime.fromisoformat(updated).timestamp())
    total = {name: sum(tally[name].values()) for name in NAMES}
    outbox: dict[str, dict[str, int]] = {}
    for receiver, state, count in connection.execute("SELECT receiver, state, count(*) FROM outbox GROUP BY 1, 2"):
        outbox.setdefault(receiver, {})[state] = count
    cases = connection.execute("SELECT state, count(*), min(opened) FROM cases GROUP BY 1").fetchall()
    oldest = f"SELECT receiver, min({WAITS_SINCE}) FROM outbox WHERE state IN ('waiting', 'sent') GROUP BY 1"  # noqa: S608
    return Counts(
        received=sum(total.values()),
        **total,
        tally=tally,
        last_received=last,
        waiting=_one(connection, "SELECT count(*) FROM work WHERE state = 'kept'"),
        parked=_one(connection, "SELECT count(*) FROM work WHERE state = 'parked'"),
        oldest_waiting_s=_age(connection, "SELECT min(updated) FROM work WHERE state = 'kept'", now),
        cases={state: count for state, count, _opened in cases},
        cases_oldest_s={state: _seconds(opened, now) for state, _count, opened in cases},
        outbox=outbox,
        outbox_oldest_s={receiver: _seconds(made, now) for receiver, made in connection.execute(oldest)},
        quarantine=dict(
            connection.execute("SELECT reason, count(*) FROM journal WHERE state = 'quarantined' GROUP BY 1").fetchall()
        ),
        quarantine_oldest_s=_age(connection, "SELECT min(received) FROM journal WHERE state = 'quarantined'", now),
        unmapped_ours=dict(
            connection.execute("SELECT feed, count(*) FROM unmapped WHERE may_be <> '' GROUP BY 1").fetchall()
        ),
        unmapped=dict(connection.execute("SELECT feed, count(*) FROM unmapped GROUP BY 1").fetchall()),
    )


def _one(connection: Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])


def _age(connection: Connection, sql: str, now: datetime) -> float:
    made = connection.execute(sql).fetchone()[0]
    return _seconds(made, now) if made else 0.0


def _seconds(made: str, now: datetime) -> float:
    return max(0.0, (now - datetime.fromisoformat(made)).total_seconds())
