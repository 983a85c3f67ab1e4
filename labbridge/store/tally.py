"""The tally: how often something happened, by name and labels. The counters of the metrics, kept with what they count.

Of several nodes each counts in rows of its own, so that none waits for another's commit; who reads adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.model.work import Count
from labbridge.store.connection import Connection, of_rows

COUNT = (
    "INSERT INTO tally(name, labels, count, updated) VALUES (?,?,?,?)"
    " ON CONFLICT(name, labels, node) DO UPDATE SET count = tally.count + excluded.count,"
    " updated = CASE WHEN excluded.updated > tally.updated THEN excluded.updated ELSE tally.updated END"
)
COUNT_ALL = (
    "INSERT INTO tally(name, labels, count) VALUES (?,?,?)"
    " ON CONFLICT(name, labels, node) DO UPDATE SET count = tally.count + excluded.count"
)
SEPARATOR = "\t"


def labels(*values: str) -> str:
    """Labels as the table keeps them."""
    return SEPARATOR.join(values)


def add_counts(connection: Connection, counts: Sequence[Count]) -> None:
    """Add counts to the tally, where there are any."""
    if counts:
        connection.execute(*counted(counts))


def counted(counts: Sequence[Count]) -> tuple[str, tuple[object, ...]]:
    """All counts of a unit as one statement and its parameters; at least one. Each counter stands in it once: PostgreSQL
    changes no row twice in a statement."""
    sums: dict[tuple[str, str], int] = {}
    for one in counts:
        key = (one.name, labels(*one.labels))
        sums[key] = sums.get(key, 0) + one.by
    return of_rows(COUNT_ALL, len(sums)), tuple(value for key, by in sums.items() for value in (*key, by))
