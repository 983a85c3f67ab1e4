"""Opening a PostgreSQL store: what a server must promise, who may write beside whom, the version gate, the migrations.

The locks are the server's own (session-level advisory locks) and are held by the writing session: who writes holds them, and
they go with the session. They need a session of one's own: no pooler that shares sessions may stand between.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from labbridge.store import nodes
from labbridge.store.connection import ANOTHER_WRITES, StoreRefused, Unreachable
from labbridge.store.nodes import NOBODY, Borne, Node
from labbridge.store.postgres import PostgresConnection, Session, connected, fault
from labbridge.store.sqlite import REVISION

LOCK = int.from_bytes(b"labbridg", "big")  # nodes share it; who must write alone holds it alone
MIGRATING = LOCK + 1
OLDEST = 130000
VERSIONED = "SELECT to_regclass('alembic_version')"
FREED_WITHIN_S = 2.0  # the server may take a moment to see that a killed process has gone
SETTINGS = (
    "SET synchronous_commit = on",
    "SET jit = off",  # where reading a whole table is made dear (WRITER) every such statement would be compiled
    "SET statement_timeout = 0",
    "SET lock_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    "SET tcp_keepalives_idle = 20",  # the server gives our lock free soon after this machine has vanished
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
PROMISES = (
    "SELECT current_setting('server_encoding'), current_setting('fsync'), current_setting('full_page_writes'),"
    " current_setting('synchronous_commit'), pg_is_in_recovery(), current_setting('synchronous_standby_names')"
)
NO_IDLE_END = ("SET idle_session_timeout = 0",)
READER = (
    "SET default_transaction_read_only = on",
    "SET default_transaction_isolation = 'repeatable read'",  # all counts of one moment
)
WRITER = ("SET enable_seqscan = off",)  # it asks by key alone; a plan made while a table was empty must not stay


def open_writer(url: str, node: Node = NOBODY, *, alone: bool = False, strict: bool = False) -> PostgresConnection:
    """The one session that this process writes through, as a node of the store. Makes the tables of a fresh database;
    migrates an older one. `alone`: no other process may write meanwhile. `strict`: StoreRefused where commits do not wait
    for a standby."""
    sessions = _WritingSessions(url, node, alone=alone, strict=strict)
    sessions.prepare()
    return PostgresConnection(sessions.next, reader=False, borne=lambda: sessions.bears)


def open_reader(url: str) -> PostgresConnection:
    """A session that reads: the server refuses it any write. StoreUnavailable where there is no server."""
    return PostgresConnection(lambda: _set_up(_reached(url), READER), reader=True)


def present(url: str) -> bool:
    """Whether there is a store already."""
    with _reached(url) as session:
        return _one(session, VERSIONED) is not None


def examined(url: str) -> str:
    """What the server is, in a sentence. StoreRefused or StoreUnavailable where it cannot carry a store."""
    with _reached(url) as session:
        check_server(session)
        check_rights(session)
        return f"PostgreSQL {_one(session, 'SHOW server_version')}, commits reach its disk"


# ---------------------------------------------------------------- the writing session


class _WritingSessions:
    """The sessions that this process writes through, one after the other; each bears a number (nodes.py)."""

    def __init__(self, url: str, node: Node, *, alone: bool, strict: bool) -> None:
        self._url, self._node, self._alone, self._strict = url, node, alone, strict
        self._mine: Borne | None = None  # of the session that wrote last

    @property
    def bears(self) -> tuple[int, int]:
        """Number and epoch of the session that writes."""
        return (self._mine.number, self._mine.epoch) if self._mine is not None else (0, 0)

    def prepare(self) -> None:
        """The tables as this code knows them. One process at a time makes or migrates them; the others wait."""
        with _reached(self._url) as session:
            self._check(session)
            self._enter(session)
            session.execute(f"SELECT pg_advisory_lock({MIGRATING})")
            _to_newest(self._url, session)

    def next(self) -> Session:
        """A session that is durable and bears a number. Of the one before it is known what became of its last commit."""
        session = _reached(self._url)
        try:
            self._check(session)
            _set_up(session, WRITER)
            if self._mine is not None:
                nodes.end(session, self._mine)
            self._enter(session)
            self._mine = nodes.register(session, self._node, self._mine.number if self._mine is not None else 0)
        except psycopg.Error as error:
            session.close()
            raise fault(error) from None
        except BaseException:
            session.close()
            raise
        return session

    def _check(self, session: Session) -> None:
        try:
            check_server(session, strict=self._strict)
        except _Standby:
            if self._mine is None:
                raise
            raise Unreachable("Standby") from None  # we had a primary: it, or its successor, is waited for

    def _enter(self, session: Session) -> None:
        """Beside other nodes, or alone. StoreRefused where another process is in the way, Unreachable where it came into it
        while we had lost our session."""
        patience = time.monotonic() + FREED_WITHIN_S
        while not _one(session, f"SELECT pg_try_advisory_lock{'' if self._alone else '_shared'}({LOCK})"):
            if time.monotonic() > patience:
                if self._mine is None:
                    raise StoreRefused(ANOTHER_WRITES)
                raise Unreachable("LockNotAvailable")
            time.sleep(0.1)


# ---------------------------------------------------------------- the gate


class _Standby(StoreRefused):
    """A server that takes no writes, now."""


def check_server(session: Session, *, strict: bool = False) -> None:
    """StoreRefused where this server cannot promise what an acknowledgement says, with the repair. `strict`: that is also
    that a second server has it."""
    check_version(session.info.server_version)
    encoding, fsync, full_pages, commit, standby, names = session.execute(PROMISES).fetchall()[0]
    if encoding != "UTF8":
        raise StoreRefused(f"The database's encoding is {encoding}; create it with ENCODING 'UTF8'")
    for setting, value in (("fsync", fsync), ("full_page_writes", full_pages), ("synchronous_commit", commit)):
        if value != "on":
            raise StoreRefused(f"The server runs with {setting} {value} and may lose what it has committed; set it on")
    if standby:
        raise _Standby("The server is a standby and takes no writes; name the primary in [store] url")
    if strict and not names:
        raise StoreRefused(
            "[store] durability is strict, and the server waits for no standby: set synchronous_standby_names, or say server"
        )


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


def _to_newest(url: str, session: Session) -> None:
    revision = None
    if _one(session, VERSIONED) is not None:
        revision = _one(session, "SELECT version_num FROM alembic_version")
    if revision == REVISION:
        return
    if revision is None and _one(session, "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1"):
        raise StoreRefused("The database is one of something else; name an empty one in [store] url")
    check_rights(session)
    from labbridge.store import migrate  # loads Alembic: only where there is something to migrate

    migrate.upgrade_beside(url, revision)


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
