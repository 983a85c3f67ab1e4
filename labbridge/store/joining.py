"""Rows that the units of a batch write alike, each of which stands for itself: they go in one statement for many of them.

How many statements there are is what a busy store costs: for each the interpreter's lock is given up and waited for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labbridge.store.audit import INSERT_AUDIT
from labbridge.store.connection import Statement, of_rows
from labbridge.store.tally import COUNT_ALL, added_up
from labbridge.store.unmapped import SEEN_IN, SEEN_UNMAPPED, together

INSERT_RESULT = "INSERT INTO results(lane, message, who, kind, collected, body, crc) VALUES (?,?,?,?,?,?,?)"
NUMBER = "INSERT INTO numbers(number, lane, message) VALUES (?,?,?) ON CONFLICT(number, lane, message) DO NOTHING"
KEEP_PATIENT = (
    "INSERT INTO patients(authority, identifier, body) VALUES (?,?,?)"
    " ON CONFLICT(authority, identifier) DO UPDATE SET body = excluded.body"
)
APART = (INSERT_RESULT, NUMBER, KEEP_PATIENT, COUNT_ALL, INSERT_AUDIT, SEEN_IN, SEEN_UNMAPPED)
VALUES = {sql: sql.count("?") for sql in APART}  # the last are rows that all nodes share: their locks are taken last
ONCE = {COUNT_ALL: added_up, SEEN_UNMAPPED: together}  # where a statement may not have a row twice
ROWS = 64  # of a statement: few different statements, so that they stay prepared


def joined(statements: Iterable[Statement]) -> list[Statement]:
    """The same as few statements. One whose SQL is that of a row of VALUES may bring the parameters of many; such rows come
    last, those of a table in their order. Nothing else that is written with them looks at them."""
    rows: dict[str, list[object]] = {sql: [] for sql in VALUES}
    others = []
    for one in statements:
        if one.sql in VALUES and one.rows is None:
            rows[one.sql].extend(one.params)
        else:
            others.append(one)
    return [*others, *(part for sql, params in rows.items() for part in _parts(sql, params))]


def _parts(sql: str, params: list[object]) -> Iterator[Statement]:
    if sql in ONCE:
        params = ONCE[sql](params)
    most = ROWS * VALUES[sql]
    for start in range(0, len(params), most):
        some = params[start : start + most]
        yield Statement(of_rows(sql, len(some) // VALUES[sql]), tuple(some))
