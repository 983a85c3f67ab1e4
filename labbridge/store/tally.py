"""The tally: how often something happened, by name and labels. The counters of the metrics, kept with what they count.

Of several nodes each counts in rows of its own, so that none waits for another's commit; who reads adds them up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
    """All counts of a unit as one statement and its parameters; at least one."""
    params = added_up(params_of(counts))
    return of_rows(COUNT_ALL, len(params) // 3), tuple(params)


def params_of(counts: Sequence[Count]) -> list[object]:
    """What COUNT_ALL writes of each."""
    return [value for one in counts for value in (one.name, labels(*one.labels), one.by)]


def added_up(params: Sequence[Any]) -> list[object]:
    """Rows of COUNT_ALL with each counter once, in one order for all: PostgreSQL changes no row twice in a statement, and
    two nodes that count the same wait for each other and not in a ring."""
    sums: dict[tuple[str, str], int] = {}
    for name, its, by in zip(params[0::3], params[1::3], params[2::3], strict=True):
        sums[name, its] = sums.get((name, its), 0) + by
    return [value for key, by in sorted(sums.items()) for value in (*key, by)]
