"""Opening a PostgreSQL store: what a server must promise, one writer for a database, the version gate, the migrations.

The lock is the server's own (a session-level advisory lock) and is held by the writing session: who writes holds it, and it
goes with the session. It needs a session of one's own: no pooler that shares sessions may stand between.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from labbridge.store.connection import ANOTHER_WRITES, DriverFault, StoreRefused, Unreachable
from labbridge.store.postgres import PostgresConnection, Session, connected, fault
from labbridge.store.sqlite import REVISION

LOCK = int.from_bytes(b"labbridg", "big")
OLDEST = 130000
FREED_WITHIN_S = 2.0  # the server may take a moment to see that a killed process has gone
SETTINGS = (
    "SET synchronous_commit = on",
    "SET statement_timeout = 0",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET tcp_keepalives_idle = 20",  # the server gives our lock free soon after this machine has vanished
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
PROMISES = (
    "SELECT current_setting('server_encoding'), current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit'), pg_is_in_recovery()"
)
NO_IDLE_END = ("SET idle_session_timeout = 0",)
READER = (
    "SET default_transaction_read_only = on",
    "SET default_transaction_isolation = 'repeatable read'",  # all counts of one moment
)
WRITER = ("SET enable_seqscan = off",)  # it asks by key alone; a plan made while a table was empty must not stay
HOLDER = (
    "SELECT a.pid, a.backend_start FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s::int8::oid"
    " AND l.objid = %s::int8::oid AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def open_writer(url: str) -> PostgresConnection:
    """The one session that writes. Makes the tables of a fresh database; migrates an older one."""
    sessions = _WritingSessions(url)
    connection = PostgresConnection(sessions.next, reader=False)
    try:
        _to_newest(url, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(url: str) -> PostgresConnection:
    """A session that reads: the server refuses it any write. StoreUnavailable where there is no server."""
    return PostgresConnection(lambda: _set_up(_reached(url), READER), reader=True)


def present(url: str) -> bool:
    """Whether there is a store already."""
    with _reached(url) as session:
        return _one(session, "SELECT to_regclass('alembic_version')") is not None


def examined(url: str) -> str:
    """What the server is, in a sentence. StoreRefused or StoreUnavailable where it cannot carry a store."""
    with _reached(url) as session:
        check_server(session)
        check_rights(session)
        return f"PostgreSQL {_one(session, 'SHOW server_version')}, commits reach its disk"


# ---------------------------------------------------------------- the writing session


class _WritingSessions:
    """The sessions that hold the lock, one after the other."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._mine: tuple[int, Any] | None = None  # process and start of the session that last held the lock

    def next(self) -> Session:
        """A session that is durable and holds the lock. DriverFault AnotherWriter where another one took it meanwhile."""
        session = _reached(self._url)
        try:
            self._check(session)
            _set_up(session, WRITER)
            self._lock(session)
            pid = session.info.backend_pid
            since = _one(session, "SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()")
        except psycopg.Error as error:
            session.close()
            raise fault(error) from None
        except BaseException:
            session.close()
            raise
        self._mine = (pid, since)
        return session

    def _check(self, session: Session) -> None:
        try:
            check_server(session)
        except _Standby:
            if self._mine is None:
                raise
            raise Unreachable("Standby") from None  # we had a primary: it, or its successor, is waited for

    def _lock(self, session: Session) -> None:
        patience = time.monotonic() + FREED_WITHIN_S
        while not _one(session, f"SELECT pg_try_advisory_lock({LOCK})"):
            if self._mine is None:
                if time.monotonic() > patience:
                    raise StoreRefused(ANOTHER_WRITES)
                time.sleep(0.1)
                continue
            holder = session.execute(HOLDER, (LOCK >> 32, LOCK & 0xFFFFFFFF)).fetchone()
            if holder == self._mine:  # the server has not seen yet that our last session is lost
                session.execute("SELECT pg_terminate_backend(%s::int)", (holder[0],))
            elif holder is not None:
                raise DriverFault("AnotherWriter")
            if time.monotonic() > patience:
                raise Unreachable("LockNotAvailable")
            time.sleep(0.05)


# ---------------------------------------------------------------- the gate


class _Standby(StoreRefused):
    """A server that takes no writes, now."""


def check_server(session: Session) -> None:
    """StoreRefused where this server cannot promise what an acknowledgement says, with the repair."""
    check_version(session.info.server_version)
    encoding, fsync, full_pages, commit, standby = session.execute(PROMISES).fetchall()[0]
    if encoding != "UTF8":
        raise StoreRefused(f"The database's encoding is {encoding}; create it with ENCODING 'UTF8'")
    for setting, value in (("fsync", fsync), ("full_page_writes", full_pages), ("synchronous_commit", commit)):
        if value != "on":
            raise StoreRefused(f"The server runs with {setting} {value} and may lose what it has committed; set it on")
    if standby:
        raise _Standby("The server is a standby and takes no writes; name the primary in [store] url")


def check_version(version: int) -> None:
    """StoreRefused below PostgreSQL 13 (130000)."""
    if version < OLDEST:
        raise StoreRefused(f"The server is PostgreSQL {version // 10000}; 13 or newer is needed")


def check_rights(session: Session) -> None:
    """StoreRefused where this user may not make tables here."""
    schema = _one(session, "SELECT current_schema()")
    if schema is None or not _one(session, "SELECT has_schema_privilege(current_schema(), 'CREATE')"):
        raise StoreRefused(
            f"The user {session.info.user} may not create tables; GRANT CREATE ON SCHEMA {schema or 'public'} to it"
        )


def _to_newest(url: str, connection: PostgresConnection) -> None:
    revision = None
    if present(url):
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if revision == REVISION:
        return
    if (
        revision is None
        and connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1").fetchone()
    ):
        raise StoreRefused("The database is one of something else; name an empty one in [store] url")
    with _reached(url) as session:
        check_rights(session)
    from labbridge.store import migrate  # loads Alembic: only where there is something to migrate

    migrate.upgrade(migrate.on_postgres(url), revision)


# ---------------------------------------------------------------- parts


def _reached(url: str) -> Session:
    """A fresh session. StoreUnavailable with what the library says: the address and why, never a password."""
    try:
        session = connected(url)
    except psycopg.ProgrammingError:  # its text may quote the password
        raise StoreRefused("[store] url has a part that libpq does not know; see its section Connection URIs") from None
    except psycopg.OperationalError as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        text = f"The PostgreSQL server of [store] url cannot be used: {said}"
        raise Unreachable(type(error).__name__, text) from None
    try:
        return _set_up(session, SETTINGS)
    except psycopg.Error as error:
        session.close()
        raise fault(error) from None


def _set_up(session: Session, settings: tuple[str, ...]) -> Session:
    """The session with these settings, in one exchange."""
    newer = NO_IDLE_END if session.info.server_version >= 140000 else ()
    session.execute(";".join((*settings, *newer)))
    return session


def _one(session: Session, sql: str) -> Any:
    row = session.execute(sql).fetchone()
    return row[0] if row else None
