"""A view of the LIS, read page by page: SELECT and nothing else, names from the catalogue, values bound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import msgspec

from labbridge.feeds.odbc_window import Mark, Range, mark_of
from labbridge.odbc.catalogue import Table, look_up
from labbridge.odbc.connecting import Session, manager
from labbridge.odbc.faults import OdbcFault, fault_of
from labbridge.rows.body import Cell

MOST_ROWS = 100_000  # asked for in one statement, however many share a value of `changed`
GROUPS_AT_ONCE = 100
A_SECOND = timedelta(seconds=1)
ZONED = ("timestamptz", "timetz", "datetimeoffset", "with time zone", "with local time zone")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What is read, as the configuration has it. `columns`: all of them, each once. `together`: those that the rows of one
    report have in common; empty: each row is one."""

    name: str
    key: tuple[str, ...]
    changed: str
    columns: tuple[str, ...]
    number: str = ""
    together: tuple[str, ...] = ()
    page_rows: int = 2000


Row = dict[str, Cell]


class Source:
    """One session on one view. `types`: the kind of each column's values, as they were when the service started; empty:
    whatever they are now. OdbcFault from everything."""

    def __init__(self, session: Session, view: View, types: dict[str, str]) -> None:
        self._session, self._view = session, view
        self.types = dict(types)
        self._table: Table = look_up(session, view.name, view.columns)
        for name in view.columns:
            if name != view.changed and self._table.types[name].lower().endswith(ZONED):
                raise OdbcFault("column_zoned", name)
        self._select = f"SELECT {', '.join(map(self._quoted, view.columns))} FROM {self._table.quoted}"  # noqa: S608

    @property
    def zoned(self) -> bool:
        """Whether `changed` is a time with a zone: the driver gives it in UTC then, as the session is set to."""
        return self._table.types[self._view.changed].lower().endswith(ZONED)

    def check(self) -> None:
        """No row is without a key or without `changed`: it would never be seen, or never be told from others."""
        empty = " OR ".join(f"{self._quoted(name)} IS NULL" for name in (self._view.changed, *self._view.key))
        order = self._quoted(self._view.changed)
        if self._rows(f"{self._select} WHERE {empty} ORDER BY {order} {self._limit(1)}"):
            raise OdbcFault("key_empty", self._view.name)

    def top(self) -> Mark | None:
        """The highest `changed` that is there; None where there is no row."""
        changed = self._quoted(self._view.changed)
        found = self._session.rows(
            f"SELECT {changed} FROM {self._table.quoted} WHERE {changed} IS NOT NULL"  # noqa: S608
            f" ORDER BY {changed} DESC {self._limit(1)}"
        )
        return mark_of(found[0][0]) if found else None

    def pages(self, wanted: Range) -> Iterator[list[Row]]:
        """The rows of a range in the order of `changed` and key. Each page begins with the last row of the one before, so
        that a key which is there twice is noticed."""
        view, size = self._view, self._view.page_rows
        after: list[Any] = []
        while True:
            where, values = self._where(wanted, after)
            order = ", ".join(map(self._quoted, dict.fromkeys((view.changed, *view.key))))
            rows = self._rows(f"{self._select}{where} ORDER BY {order} {self._limit(size)}", *values)
            self._check_keys(rows)
            yield rows
            if len(rows) < size:
                return
            last = [rows[-1][name] for name in dict.fromkeys((view.changed, *view.key))]
            if last == after:  # all of a page has one value of `changed`, cut short by the driver
                size *= 2
            if size > MOST_ROWS * 2:
                raise OdbcFault("key_repeated", view.name)
            after = last

    def groups(self, rows: Sequence[Row]) -> Iterator[list[Row]]:
        """All rows of each report that these are of, in the order of their keys."""
        together = self._view.together
        wanted = list(dict.fromkeys(tuple(row[name] for name in together) for row in rows))
        for start in range(0, len(wanted), GROUPS_AT_ONCE):
            some = [one for one in wanted[start : start + GROUPS_AT_ONCE] if None not in one]
            if some:
                yield from self._groups(some)
        yield from ([row] for row in rows if any(row[name] is None for name in together))

    def _groups(self, some: Sequence[tuple[Cell, ...]]) -> Iterator[list[Row]]:
        view = self._view
        one = " AND ".join(f"{self._quoted(name)} = ?" for name in view.together)
        order = ", ".join(map(self._quoted, dict.fromkeys((*view.together, *view.key))))
        sql = f"{self._select} WHERE {' OR '.join([f'({one})'] * len(some))} ORDER BY {order}"
        found: dict[tuple[Cell, ...], list[Row]] = {}
        for row in self._rows(sql, *(value for values in some for value in values)):
            found.setdefault(tuple(row[name] for name in view.together), []).append(row)
        yield from found.values()

    def _where(self, wanted: Range, after: Sequence[Any]) -> tuple[str, list[Any]]:
        changed = self._quoted(self._view.changed)
        high = wanted.high
        if isinstance(high, datetime):
            high = (
                high.replace(microsecond=0) + A_SECOND
            )  # a driver may cut the fraction off, and with it the last rows
        terms, values = [f"{changed} <= ?"], [high]
        if after:
            names = [self._quoted(name) for name in dict.fromkeys((self._view.changed, *self._view.key))]
            terms.append(f"{changed} >= ?")
            values.append(after[0])
            steps = []
            for number, name in enumerate(names):
                same = [f"{one} = ?" for one in names[:number]]
                sign = ">=" if number == len(names) - 1 else ">"
                steps.append(f"({' AND '.join([*same, f'{name} {sign} ?'])})")
                values += after[: number + 1]
            terms.append(f"({' OR '.join(steps)})")
        elif wanted.low is not None:
            terms.append(f"{changed} >= ?")
            values.append(wanted.low)
        return f" WHERE {' AND '.join(terms)}", values

    def _check_keys(self, rows: Sequence[Row]) -> None:
        keys = [tuple(row[name] for name in self._view.key) for row in rows]
        if any(None in one for one in keys):
            raise OdbcFault("key_empty", self._view.name)
        if len(set(map(str, keys))) < len(keys) and len(set(keys)) < len(keys):
            raise OdbcFault("key_repeated", self._view.name)

    def _rows(self, sql: str, *values: object) -> list[Row]:
        module = manager()
        try:
            with closing(self._session.connection.cursor()) as cursor:
                cursor.execute(sql, *map(self._session.bound, values))
                self._check_types(cursor.description)
                return [dict(zip(self._view.columns, row, strict=True)) for row in cursor.fetchall()]
        except module.Error as error:
            raise fault_of(error) from None
        except (ValueError, OverflowError) as error:  # a text that is none, a time that no calendar has
            raise OdbcFault("unreadable", self._view.name) from error

    def _check_types(self, description: Sequence[Sequence[Any]]) -> None:
        for name, column in zip(self._view.columns, description, strict=True):
            kind = column[1].__name__
            if self.types.setdefault(name, kind) != kind:
                raise OdbcFault("column_retyped", name)

    def _quoted(self, name: str) -> str:
        return self._table.column(self._session, name)

    def _limit(self, rows: int) -> str:
        return self._session.dialect.limit.format(rows=rows)
