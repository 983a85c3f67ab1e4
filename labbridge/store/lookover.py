"""A look over every row of work, every case and every draft: SQLite sums no page, and a row that nobody happens to read, or
that an index does not lead to any more, is found by nobody else.

What is not what was written is taken out of the way and told: a row of work is parked, a case is held; a draft is left as it
is, and never read (reading.py). A message whose row of work is gone gets it back, parked. Nothing is thrown away but a row
that is no message's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from labbridge.store import mending, whole
from labbridge.store.connection import FAULTS, Connection
from labbridge.store.writer import Writer

AT_ONCE = 1000
LEAST = -(2**63)  # before every key, also one whose sign has turned
TABLES = ("work", "cases", "drafts")
WORK = f"SELECT w.id, {whole.WORK.format('w')} FROM work w WHERE w.id > ? ORDER BY w.id LIMIT ?"  # noqa: S608
CASES = f"SELECT c.id, {whole.CASE} FROM cases c WHERE c.id > ? ORDER BY c.id LIMIT ?"  # noqa: S608
DRAFTS = (
    f'SELECT {whole.DRAFT.format("d")} FROM drafts d WHERE (d."case", d.version) > (?, ?)'  # noqa: S608
    ' ORDER BY d."case", d.version LIMIT ?'
)
WITHOUT_DRAFT = (
    'SELECT c.id, c.version FROM cases c WHERE NOT EXISTS (SELECT 1 FROM drafts d WHERE d."case" = c.id'
    " AND d.version = c.version) ORDER BY c.id"
)
WITHOUT_CASE = (
    'SELECT DISTINCT d."case" FROM drafts d WHERE NOT EXISTS (SELECT 1 FROM cases c WHERE c.id = d."case") ORDER BY 1'
)
LOST = (  # an edit, or a reprocessing from before there were sums, may have named other lanes; wiped bytes cannot be read
    "SELECT j.id FROM journal j WHERE j.state <> 'quarantined' AND j.lanes <> '' AND length(j.raw) > 0 AND"
    " (SELECT count(*) FROM work w WHERE w.message = j.id) < 1 + length(j.lanes) - length(replace(j.lanes, ?, ''))"
    " AND NOT EXISTS (SELECT 1 FROM edits e WHERE e.message = j.id)"
    " AND NOT EXISTS (SELECT 1 FROM work w WHERE w.message = j.id AND w.crc IS NULL) ORDER BY j.id"
)
PARKED = "SELECT count(*) FROM work w WHERE w.state IN ('kept', 'parked') AND w.reason = 'work_damaged'"
TOLD = (
    "INSERT INTO tally(name, labels, node, count) VALUES ('damaged', ?, 0, ?)"
    " ON CONFLICT(name, labels, node) DO UPDATE SET count = excluded.count"
)


class Found(NamedTuple):
    """What a look found. `new`: what was not known before, a line of the audit each; the rest is how many rows of each table
    wait for a person by now."""

    new: int
    work: int
    cases: int
    drafts: int


class LookOver:
    """Reads on a connection of its own, and where a text is none on one that takes it as it is (opening.reader, `lenient`);
    what is to be done the writer does."""

    def __init__(self, reader: Connection, lenient: Connection, writer: Writer) -> None:
        self._reader, self._lenient, self._writer = reader, lenient, writer
        self._known: set[tuple[str, str]] = set()  # what was told since the start

    def look(self, now: datetime, pause: Callable[[], None] = lambda: None) -> Found:
        """Over everything; `pause` between some rows and the next."""
        told = self._indexes(now) + self._work(now, pause)
        cases = self._cases(now, pause)
        drafts = self._drafts(pause)
        told += self._tell(now, [*cases, *drafts])
        (parked,) = self._reader.execute(PARKED).fetchone()
        found = Found(told, int(parked), len({subject for subject, _what in cases}), len(drafts))
        counts = list(zip(TABLES, found[1:], strict=True))
        self._do(lambda connection: [connection.execute(TOLD, row) for row in counts])
        return found

    def _indexes(self, now: datetime) -> int:
        """An index that does not agree with its table is made anew: by it a row would be missed."""
        found = [table for table in TABLES if not self._reader.indexes_hold(table)]
        for table in found:
            self._do(partial(_reindex, table=table))
        return self._tell(now, [("store", f"indexes of {table}") for table in found])

    def _work(self, now: datetime, pause: Callable[[], None]) -> int:
        damaged = [row for row in self._rows(WORK, pause) if not whole.work(row[1:])]
        if damaged:
            self._do(partial(_reindex, table="work"))
        for row in damaged:
            self._do(partial(mending.work, row=row, now=now))
        lost = [int(key) for (key,) in self._reader.execute(LOST, ("\n",)).fetchall()]
        for key in lost:
            self._do(partial(mending.lost, key=key, now=now))
        return len(damaged) + len(lost)

    def _cases(self, now: datetime, pause: Callable[[], None]) -> list[tuple[str, str]]:
        """Each case that is not whole, and what of it. It is held where it stands, with words that can be read."""
        rows = ((row[0], whole.CaseRow(*row[1:])) for row in self._rows(CASES, pause))
        damaged = [(key, row) for key, row in rows if not (row.decides and row.ordered)]
        if damaged:
            self._do(partial(_reindex, table="cases"))
        for key, row in damaged:
            self._do(partial(mending.case, key=key, row=row, now=now))
        said = [(f"C{key}", what) for key, row in damaged for what in row.damaged]
        gone = self._reader.execute(WITHOUT_DRAFT).fetchall()
        return said + [(f"C{key}", f"draft {version} is gone") for key, version in gone]

    def _drafts(self, pause: Callable[[], None]) -> list[tuple[str, str]]:
        found, at = list[tuple[str, str]](), (LEAST, LEAST)
        while rows := self._some(DRAFTS, (*at, AT_ONCE)):
            damaged = [row for row in rows if not whole.draft(row)]
            for row in damaged:
                self._do(partial(mending.draft, row=row))
            found += [(f"C{row[0]}", f"draft {row[1]}") for row in damaged]
            at = rows[-1][0], rows[-1][1]
            pause()
        return found + [(f"C{key}", "it is gone") for (key,) in self._reader.execute(WITHOUT_CASE).fetchall()]

    def _rows(self, sql: str, pause: Callable[[], None]) -> Iterator[tuple[Any, ...]]:
        """All rows of a table by their key, some at a time: no transaction is held open over the look."""
        last = LEAST
        while rows := self._some(sql, (last, AT_ONCE)):
            yield from rows
            last = rows[-1][0]
            pause()

    def _some(self, sql: str, params: tuple[int, ...]) -> list[Any]:
        try:
            return self._reader.execute(sql, params).fetchall()
        except FAULTS:  # a text that is none, and with it all the rows: whatever else it was is raised again
            return self._lenient.execute(sql, params).fetchall()

    def _tell(self, now: datetime, found: list[tuple[str, str]]) -> int:
        """A line of the audit for each that was not told since the start. How many."""
        new = [one for one in found if one not in self._known]
        self._known |= set(new)
        if new:
            self._do(lambda connection: mending.tell(connection, now, *new))
        return len(new)

    def _do(self, job: Callable[[Connection], Any]) -> None:
        self._writer.submit(job).result()


def _reindex(connection: Connection, table: str) -> None:
    connection.reindex(table)
