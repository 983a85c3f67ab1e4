"""A PostgreSQL session in the form of sqlite3's connection. What is lost is opened again before the next transaction.

A group whose COMMIT was sent and whose answer never came is reported as failed, and may be on the disk all the same. Each
who asks again is safe: a sender's message is known by the ledger, a unit's rows wait no longer where it stands, a release is
refused where the case is signed, and a delivery that nobody has in hand goes again with the same bytes (desk.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper
from psycopg.types.string import StrDumperUnknown

from labbridge.store.connection import DriverFault, Statement, StoreRefused, Unreachable, of_rows
from labbridge.store.dialect import statement

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0  # senders are to be answered within 5 s of the server's return (T-21)
NUL = "\N{SYMBOL FOR NULL}"  # PostgreSQL keeps no U+0000 in text; the message's own bytes keep it
DEFAULTS = {  # a host that vanished is noticed within a minute, not within a quarter of an hour
    "connect_timeout": "5",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "50000",
    "application_name": "labbridge",
}

ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))"

Session = psycopg.Connection[tuple[Any, ...]]


class _Cursor(psycopg.RawCursor[tuple[Any, ...]]):
    @property
    def lastrowid(self) -> int | None:
        """Asked for only where it is read, before anything else is inserted."""
        try:
            row = psycopg.RawCursor(self.connection).execute("SELECT lastval()").fetchone()
        except psycopg.Error as error:
            raise fault(error) from None
        return int(row[0]) if row else None


class _TextDumper(StrDumperUnknown):
    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", NUL) if "\0" in obj else obj)


class PostgresConnection:
    """`connect` gives a session that is set up, and raises where it may not be used. A BEGIN that finds the session lost is
    asked once more on a new one, and so is what a `reader` asks outside of a transaction. Within one that fails the
    transaction: its group fails, and the next one finds a new session."""

    def __init__(
        self, connect: Callable[[], Session], *, reader: bool, borne: Callable[[], tuple[int, int]] = lambda: (0, 0)
    ) -> None:
        self._connect, self._reader, self._borne = connect, reader, borne
        self._session = self._heard(connect())
        self._begun = self._warned = False
        self._turn = threading.RLock()
        self._pause_s, self._not_before = 0.0, 0.0

    @property
    def node(self) -> int:
        return self._borne()[0]

    @property
    def epoch(self) -> int:
        return self._borne()[1]

    @property
    def in_transaction(self) -> bool:
        return not self._session.closed and self._session.info.transaction_status != TransactionStatus.IDLE

    def fileno(self) -> int:
        """The session's socket, for a forked process to close."""
        return self._session.fileno()

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> _Cursor:
        text = statement(sql)
        with self._turn:
            if text == "BEGIN":
                cursor = self._asked(text, ())
                self._begun = True
                return cursor
            if not self._begun:
                return self._asked(text, parameters)
            self._begun = text not in ("COMMIT", "ROLLBACK")  # over, whatever becomes of it
            return self._within(text, parameters)

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        asked = f"{of_rows(sql, len(rows))} RETURNING id"
        found = self.execute(asked, [value for row in rows for value in row]).fetchall()
        return sorted(int(key) for (key,) in found)  # they were given in the order of the rows

    def alone(self, what: str) -> None:
        self.execute(ALONE, (what,))

    def hold(self, statements: Sequence[Statement]) -> bool:
        with self._turn:
            if self._session.closed:
                raise Unreachable("ConnectionLost")
            try:
                with self._session.pipeline():
                    cursors = [self._sent(statement(one.sql), one.params) for one in statements]
            except psycopg.Error as error:
                if self._session.closed:
                    raise fault(error) from None
                return False  # perhaps behind a guard that does not hold: one after the other tells
            guarded = zip(statements, cursors, strict=True)
            return all(one.rows is None or one.rows == cursor.rowcount for one, cursor in guarded)

    def scrub(self) -> bool:
        """What was wiped is room to be used again; its write-ahead log and archives are the server's own to expire."""
        for table in ("journal", "outbox", "results", "drafts", "comments", "patients", "edits"):
            self.execute(f"VACUUM {table}")
        return True

    def indexes_hold(self, table: str) -> bool:
        return True

    def reindex(self, table: str) -> None:
        """Nothing to do: its pages have sums of their own (initdb --data-checksums), and it is its keeper's to use them."""

    def close(self) -> None:
        self._session.close()

    def _asked(self, text: str, parameters: Sequence[Any]) -> _Cursor:
        """Outside of a transaction: on a new session where the old one is lost."""
        found_open = not self._session.closed
        try:
            return self._on_session(text, parameters)
        except Unreachable:
            again = self._reader or text == "BEGIN"
            if not (found_open and again and self._session.closed):
                raise
        return self._on_session(text, parameters)

    def _on_session(self, text: str, parameters: Sequence[Any]) -> _Cursor:
        if self._session.closed:
            self._renew()
        return self._run(text, parameters)

    def _within(self, text: str, parameters: Sequence[Any]) -> _Cursor:
        """Nothing of a transaction whose session is lost may run on another one."""
        if self._session.closed:
            raise Unreachable("ConnectionLost")
        self._warned = False
        cursor = self._run(text, parameters)
        if text == "COMMIT" and cursor.statusmessage != "COMMIT":
            raise DriverFault("RolledBack")  # the server answers a COMMIT of a failed transaction without an error
        if text == "COMMIT" and self._warned:
            raise Unreachable("NotReplicated")  # the wait for the standby was called off: it may be on one disk alone
        return cursor

    def _run(self, text: str, parameters: Sequence[Any]) -> _Cursor:
        try:
            return self._sent(text, parameters)
        except psycopg.Error as error:
            raise fault(error) from None

    def _sent(self, text: str, parameters: Sequence[Any]) -> _Cursor:
        return _Cursor(self._session).execute(text, parameters or None, binary=True)

    def _heard(self, session: Session) -> Session:
        """A COMMIT whose wait for a standby was called off is answered as if it had been waited for, with a warning."""
        session.add_notice_handler(self._notice)
        return session

    def _notice(self, told: psycopg.errors.Diagnostic) -> None:
        self._warned |= told.severity_nonlocalized == "WARNING"

    def _renew(self) -> None:
        """At once the first time; then after a pause that grows. Meanwhile each who asks is told."""
        if time.monotonic() < self._not_before:
            raise Unreachable("ConnectionLost")
        self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2 * self._pause_s))
        self._not_before = time.monotonic() + self._pause_s
        try:
            self._session = self._heard(self._connect())
        except StoreRefused as refusal:
            raise DriverFault("StoreRefused", str(refusal)) from None
        self._pause_s, self._not_before = 0.0, 0.0


def fault(error: psycopg.Error) -> DriverFault:
    """The driver's error as ours, by its condition alone: its text and detail may quote a row. Only what our own triggers
    raise is said in full."""
    name = type(error).__name__
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return Unreachable(name)
    own = isinstance(error, psycopg.errors.RaiseException)
    return DriverFault(name, error.diag.message_primary or "" if own else "")


def connected(url: str) -> Session:
    """A session of this URL, in autocommit: transactions are begun by name. psycopg.Error where there is none."""
    given = conninfo_to_dict(libpq(url))
    session: Session = psycopg.connect(
        make_conninfo("", **{**DEFAULTS, **given}), autocommit=True, client_encoding="utf8", prepare_threshold=3
    )
    session.prepared_max = 400
    session.adapters.register_dumper(str, _TextDumper)
    for number in (int, bool):
        session.adapters.register_dumper(number, Int8BinaryDumper)  # else each width is a statement of its own
    return session


def libpq(url: str) -> str:
    """The URL as libpq reads it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
