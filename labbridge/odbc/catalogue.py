"""Tables and columns as the catalogue of the database has them (SQLTables, SQLColumns): what a configuration names is
looked up, and only a name that was found is ever written into a statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import msgspec

from labbridge.odbc.connecting import Session, manager
from labbridge.odbc.faults import OdbcFault, fault_of

KINDS = ("TABLE", "VIEW", "SYSTEM TABLE", "MATERIALIZED VIEW", "FOREIGN TABLE", "BASE TABLE", "SYNONYM", "MATVIEW")


class Table(msgspec.Struct, frozen=True):
    """A table that is there: its parts as the catalogue writes them, quoted, and its columns by the name that was asked
    for, with the type that the catalogue gives each."""

    catalogue: str
    schema: str
    name: str
    quoted: str
    columns: Mapping[str, str]
    types: Mapping[str, str]

    def column(self, session: Session, name: str) -> str:
        """A column, quoted."""
        return session.quoted(self.columns[name])


def look_up(session: Session, name: str, columns: Iterable[str]) -> Table:
    """The table of a configured name with these columns. OdbcFault where it, or one of them, is not there."""
    *before, own = name.split(".")
    found = [one for one in _tables(session, own) if _within(before, one)]
    exact = [one for one in found if one[2] == own] or found
    if not exact:
        raise OdbcFault("table_missing", name)
    if len(exact) > 1:
        raise OdbcFault("table_ambiguous", name)
    catalogue, schema, table = exact[0]
    there = list(_columns(session, catalogue, schema, table))
    if not there:
        raise OdbcFault("table_missing", name)
    matched = _matched([name for name, _type in there], columns)
    types = dict(there)
    kinds = {name: types[own] for name, own in matched.items()}
    return Table(catalogue, schema, table, _quoted(session, before, exact[0]), matched, kinds)


def _tables(session: Session, own: str) -> Iterator[tuple[str, str, str]]:
    """Catalogue, schema and name of what has this name, whatever its case."""
    for row in _asked(session, "tables"):
        catalogue, schema, table = row[0] or "", row[1] or "", row[2] or ""
        if table.casefold() == own.casefold() and str(row[3] or "TABLE").upper() in KINDS:
            yield catalogue, schema, table


def _within(before: Sequence[str], found: tuple[str, str, str]) -> bool:
    """Whether what was named before the name is its schema, or, where the database has none, its catalogue."""
    catalogue, schema, _name = found
    if not before:
        return True
    own = schema or catalogue
    if before[-1].casefold() != own.casefold():
        return False
    return len(before) == 1 or before[0].casefold() == catalogue.casefold()


def _quoted(session: Session, before: Sequence[str], found: tuple[str, str, str]) -> str:
    """As many parts as were named, in the catalogue's own spelling."""
    catalogue, schema, table = found
    parts = {0: (), 1: (schema or catalogue,), 2: (catalogue, schema)}[len(before)]
    return session.quoted(*parts, table)


def _columns(session: Session, catalogue: str, schema: str, table: str) -> Iterator[tuple[str, str]]:
    """Each column of a table with its type."""
    wanted = {"table": table}
    if schema:
        wanted["schema"] = schema
    elif catalogue:
        wanted["catalog"] = catalogue
    for row in _asked(session, "columns", **wanted):
        if row[2] == table and (not schema or row[1] == schema):  # _ and % are patterns
            yield row[3], row[5] or ""


def _matched(there: Sequence[str], wanted: Iterable[str]) -> dict[str, str]:
    found = {}
    for name in wanted:
        same = [one for one in there if one == name] or [one for one in there if one.casefold() == name.casefold()]
        if len(same) != 1:
            raise OdbcFault("column_missing", name)
        found[name] = same[0]
    return found


def procedure(session: Session, name: str) -> str:
    """A stored procedure as the catalogue has it (SQLProcedures), quoted. OdbcFault where it is not there."""
    *before, own = name.split(".")
    found = [(row[0] or "", row[1] or "", (row[2] or "").partition(";")[0]) for row in _asked(session, "procedures")]
    same = [one for one in found if one[2].casefold() == own.casefold() and _within(before, one)]
    exact = [one for one in same if one[2] == own] or same
    if not exact:
        raise OdbcFault("procedure_missing", name)
    if len({*exact}) > 1:
        raise OdbcFault("table_ambiguous", name)
    return _quoted(session, before, exact[0])


def is_unique(session: Session, table: Table, column: str) -> bool:
    """Whether the database itself keeps a column unique (SQLStatistics)."""
    wanted = {"schema": table.schema} if table.schema else {"catalog": table.catalogue} if table.catalogue else {}
    indexes: dict[str, list[str]] = {}
    for row in _asked(session, "statistics", table.name, unique=True, **wanted):
        if row[5] is not None and not row[3]:
            indexes.setdefault(row[5], []).append(row[8])
    keys = [row[3] for row in _asked(session, "primaryKeys", table.name, **wanted)]
    return [table.columns[column]] in (keys, *indexes.values())


def _asked(session: Session, what: str, *named: str, **wanted: Any) -> list[Any]:
    module = manager()
    try:
        with closing(session.connection.cursor()) as cursor:
            return list(getattr(cursor, what)(*named, **wanted).fetchall())
    except module.Error as error:
        raise fault_of(error) from None
