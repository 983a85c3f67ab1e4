"""The process that writes comments into a table: looked up by our number, written where it is not there, read back, and
compared. However often an answer is lost there is one row of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from labbridge.delivery.odbc_link import Answer, Differs, Done, Failed, Staging, Write, encode, write
from labbridge.odbc.catalogue import Table, look_up, procedure
from labbridge.odbc.connecting import Access, Session, connect, manager
from labbridge.odbc.faults import OdbcFault, fault_of
from labbridge.rows import body

TIMESTAMP = "timestamp"


def serve(access: Access, staging: Staging, pipe: Connection) -> None:
    """Body of the process: a row, an answer, until the pipe closes."""
    writer = Writer(access, staging)
    while True:
        try:
            asked: Write = write(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        pipe.send_bytes(encode(writer.write(asked.raw)))


class Writer:
    """One table. A session is kept from row to row, and given up after trouble."""

    def __init__(self, access: Access, staging: Staging) -> None:
        self._access, self._staging = access, staging
        self._session: Session | None = None
        self._table: Table | None = None

    def write(self, raw: bytes) -> Answer:
        """What became of one row. Nothing is raised but what is a bug."""
        try:
            return self._written(values_of(raw))
        except OdbcFault as fault:
            self.close()
            return Failed(fault.code, fault.sentence)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = self._table = None

    def _written(self, values: Mapping[str, Any]) -> Answer:
        found = self._there(values)
        if found:
            return self._judged(found, values, created=False)
        try:
            self._write(values)
        except OdbcFault as fault:
            if fault.code != "row_refused":
                raise
            return self._refused(values)
        found = self._there(values)
        return self._judged(found, values, created=True) if found else Differs("lost", "id")

    def _refused(self, values: Mapping[str, Any]) -> Answer:
        """An attempt before this one may have been committed meanwhile: then it is our own row that the new one ran into."""
        self.close()
        found = self._there(values)
        return self._judged(found, values, created=False) if found else Differs("refused", self._staging.table)

    def _judged(self, found: Sequence[Mapping[str, Any]], values: Mapping[str, Any], *, created: bool) -> Answer:
        if len(found) > 1:
            return Differs("several", "id")
        differing = next((name for name, one in found[0].items() if not same(one, values[name])), "")
        return Differs("changed", differing) if differing else Done(str(values["id"]), created)

    def _there(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows with our number, by what was written to them: in a transaction of its own, so that what is seen is
        committed."""
        session, table = self._open()
        columns = self._staging.columns
        names = ", ".join(table.column(session, one) for one in columns.values())
        by = table.column(session, columns["id"])
        rows = session.rows(f"SELECT {names} FROM {table.quoted} WHERE {by} = ?", values["id"])  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def _write(self, values: Mapping[str, Any]) -> None:
        session, table = self._open()
        if self._staging.procedure:
            marks = ", ".join("?" * len(self._staging.arguments))
            name = procedure(session, self._staging.procedure)
            self._run(f"{{CALL {name} ({marks})}}", [values[one] for one in self._staging.arguments])
            return
        columns = self._staging.columns
        names = ", ".join(table.column(session, one) for one in columns.values())
        marks = ", ".join("?" * len(columns))
        self._run(f"INSERT INTO {table.quoted} ({names}) VALUES ({marks})", [values[one] for one in columns])  # noqa: S608

    def _run(self, sql: str, values: Sequence[Any]) -> None:
        """One statement, committed. Where the connection is lost in the commit, the next look tells what became of it."""
        session, _table = self._open()
        module = manager()
        try:
            session.connection.autocommit = False
            with closing(session.connection.cursor()) as cursor:
                cursor.execute(sql, *map(session.bound, values))
            session.connection.commit()
            session.connection.autocommit = True
        except module.Error as error:
            raise fault_of(error) from None

    def _open(self) -> tuple[Session, Table]:
        if self._session is None or self._table is None:
            self._session = connect(self._access)
            self._table = look_up(self._session, self._staging.table, self._staging.columns.values())
        return self._session, self._table


def values_of(raw: bytes) -> dict[str, Any]:
    """The values of a row of the outbox, by what they are."""
    (row,) = body.decode(raw).rows
    return {name: _value(one) for name, one in row.items()}


def _value(cell: Any) -> Any:
    return datetime.fromisoformat(cell[TIMESTAMP]) if isinstance(cell, dict) else cell


def same(there: Any, ours: Any) -> bool:
    """Whether what was read back is what was written: a fixed column adds blanks, and one of text holds a time as text."""
    if isinstance(ours, datetime):
        read = there if isinstance(there, datetime) else _time(str(there or ""))
        return bool(read == ours)
    if there is None or ours is None:
        return (there or None) is (ours or None)  # Oracle holds an empty text as NULL
    return str(there).replace("\r\n", "\n").rstrip(" ") == str(ours).rstrip(" ")


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None
