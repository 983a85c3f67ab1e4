"""A connection by ODBC: the driver manager loaded where it is needed, a session that reads only and gives up in time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from labbridge.odbc.faults import OdbcFault, fault_of

if TYPE_CHECKING:
    import pyodbc


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How a database is reached. `connection` has no password in it."""

    connection: str
    password: str = ""
    connect_timeout_s: int = 10
    timeout_s: int = 30
    read_only: bool = True

    def __repr__(self) -> str:
        return f"Access({self.connection!r})"


class Dialect(NamedTuple):
    """How one database wants what ODBC does not say: the end of a SELECT of at most `{rows}` rows, and how its session is
    made to read only, to give up (`{seconds}`, `{milliseconds}`), and to give times that have a zone in UTC.
    `times_as_text`: the driver cuts a bound time to the second (odbc-mariadb 3.1.15), and a text keeps all of it.
    `explains`: EXPLAIN tells of an INSERT whether it is allowed. `quote`: what names are quoted with, where it is not what
    the driver says."""

    limit: str
    read_only: tuple[str, ...] = ()
    timeout: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()
    times_as_text: bool = False
    explains: bool = False
    quote: str = ""


STANDARD = Dialect("OFFSET 0 ROWS FETCH NEXT {rows} ROWS ONLY")  # SQL:2008; SQL Server, Oracle, Db2
_READ_ONLY = ("SET SESSION TRANSACTION READ ONLY",)
_MARIADB = Dialect(
    "LIMIT {rows}", _READ_ONLY, ("SET SESSION max_statement_time = {seconds}",), times_as_text=True, explains=True
)
_MYSQL = _MARIADB._replace(timeout=("SET SESSION max_execution_time = {milliseconds}",))
DIALECTS = {
    "PostgreSQL": Dialect(
        "LIMIT {rows}",
        ("SET default_transaction_read_only = on",),
        ("SET statement_timeout = {milliseconds}",),
        ("SET TIME ZONE 'UTC'",),
        explains=True,
    ),
    "MariaDB": _MARIADB,
    "MySQL": _MYSQL,
    # In double quotes SQLite takes a column that is not there for a text.
    "SQLite": Dialect("LIMIT {rows}", ("PRAGMA query_only = on",), explains=True, quote="`"),
}
"""By the beginning of SQL_DBMS_NAME; else STANDARD."""


class Session:
    """An open connection with its dialect. `quote` is what names are quoted with; a statement is its own transaction unless
    `commit` is called for."""

    def __init__(self, connection: pyodbc.Connection, name: str, quote: str) -> None:
        self.connection, self.name = connection, name
        self.dialect = next((one for start, one in DIALECTS.items() if name.startswith(start)), STANDARD)
        self.quote = self.dialect.quote or quote

    def quoted(self, *parts: str) -> str:
        """A name that the catalogue gave, quoted. It is one of rows/naming.py, so that no quote can stand in it."""
        return ".".join(f"{self.quote}{part}{self.quote}" for part in parts if part)

    def bound(self, value: object) -> object:
        """A value as it is bound."""
        if self.dialect.times_as_text and isinstance(value, datetime):
            return value.isoformat(sep=" ")
        return value

    def rows(self, sql: str, *values: object) -> list[Sequence[Any]]:
        """All rows of a short answer. OdbcFault."""
        module = manager()
        try:
            with closing(self.connection.cursor()) as cursor:
                return list(cursor.execute(sql, *values).fetchall())
        except module.Error as error:
            raise fault_of(error) from None

    def close(self) -> None:
        module = manager()
        try:
            self.connection.close()
        except module.Error:
            return  # it was lost: there is nothing to close


def manager() -> Any:
    """pyodbc, which loads the driver manager. OdbcFault where either is not installed."""
    try:
        import pyodbc
    except ModuleNotFoundError:
        raise OdbcFault("package_missing") from None
    except ImportError:
        raise OdbcFault("manager_missing") from None
    pyodbc.pooling = False  # a pooled connection outlives its closing, and keeps what its session was set to
    return pyodbc


def connect(access: Access) -> Session:
    """A session. OdbcFault with what is in the way."""
    module = manager()
    try:
        connection = module.connect(
            _whole(access), timeout=access.connect_timeout_s, autocommit=True, readonly=access.read_only
        )
    except module.Error as error:
        raise fault_of(error) from None
    session = Session(connection, _said(connection, module.SQL_DBMS_NAME), _said(connection, _QUOTE))
    with suppress(module.Error):  # not every driver has it; what follows, and who watches this process, see to it
        connection.timeout = access.timeout_s
    spoken = (*session.dialect.zone, *session.dialect.timeout, *(session.dialect.read_only if access.read_only else ()))
    for statement in spoken:
        _run(session, statement.format(seconds=access.timeout_s, milliseconds=access.timeout_s * 1000))
    return session


_QUOTE = 29  # SQL_IDENTIFIER_QUOTE_CHAR


def _said(connection: pyodbc.Connection, what: int) -> str:
    found = connection.getinfo(what)
    return found.strip() if isinstance(found, str) else ""


def _run(session: Session, statement: str) -> None:
    module = manager()
    try:
        with closing(session.connection.cursor()) as cursor:
            cursor.execute(statement)
    except module.Error as error:
        raise fault_of(error) from None


def _whole(access: Access) -> str:
    """The connection string with its password; a brace in it is doubled, as ODBC wants it."""
    if not access.password:
        return access.connection
    return f"{access.connection};PWD={{{access.password.replace('}', '}}')}}}"
