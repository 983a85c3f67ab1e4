"""Rows that a test wrote by hand, given the sums they would have if the product had written them."""

from __future__ import annotations

from labbridge.store import sums, whole
from labbridge.store.connection import Connection

WORK = f"SELECT w.id, {whole.WORK.format('w')} FROM work w"
CASES = f"SELECT c.id, {whole.CASE} FROM cases c"
DRAFTS = f"SELECT {whole.DRAFT.format('d')} FROM drafts d"
SET_WORK = "UPDATE work SET crc = ? WHERE id = ?"
SET_CASE = "UPDATE cases SET crc = ?, version_crc = ?, state_crc = ?, put_crc = ?, rank_crc = ? WHERE id = ?"
SET_DRAFT = 'UPDATE drafts SET crc = ? WHERE "case" = ? AND version = ?'


def summed(connection: Connection) -> None:
    """Every row of the three tables as it stands."""
    for id, *said, attempts, forgiven, _crc in connection.execute(WORK).fetchall():
        connection.execute(SET_WORK, (sums.of_work(tuple(said), attempts, forgiven), id))
    for id, *columns in connection.execute(CASES).fetchall():
        row = whole.CaseRow(*columns)
        groups = [sums.of_group(row[start:end]) for start, end in ((5, 9), (9, 11), (11, 14), (14, 16))]
        connection.execute(SET_CASE, (sums.of_case(row[:4], row.restore), *groups, id))
    for case, *said, outcome, _crc in connection.execute(DRAFTS).fetchall():
        connection.execute(SET_DRAFT, (sums.of_draft(tuple(said), outcome, case), case, said[0]))


def damaged(connection: Connection) -> list[str]:
    """Every row of the three tables that is not what its sums say, or has none."""
    found = [f"work {row}" for row in connection.execute(WORK).fetchall() if row[-1] is None or not whole.work(row[1:])]
    for id, *columns in connection.execute(CASES).fetchall():
        row = whole.CaseRow(*columns)
        if row.damaged or None in columns[-5:]:
            found.append(f"C{id} {row.damaged} {row}")
    drafts = connection.execute(DRAFTS).fetchall()
    return found + [f"draft {row[:2]}" for row in drafts if row[-1] is None or not whole.draft(row)]
