"""Opening the database: the lock that keeps other writers out, pragmas read back, the version gate, a fresh schema."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from labbridge.store.connection import ANOTHER_WRITES, Statement, StoreRefused, of_rows

SCHEMA = Path(__file__).with_name("schema.sql")
REVISION = "0017"
ALEMBIC = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)
FIXED = (3, 51, 3)
BACKPORTS = ((3, 50, 7), (3, 44, 6))


class SqliteStatus(msgspec.Struct, frozen=True):
    """The library's version, and whether it needs the single-writer mode (reliability.md F3)."""

    version: str
    single_writer_mode: bool
    sentence: str


def status(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> SqliteStatus:
    """Below 3.51.3 (and its two backports) two connections that write or checkpoint at once can lose rows: there one
    connection alone may write and checkpoint. This service always works so; on an old library it has to."""
    text = ".".join(map(str, version[:3]))
    old = version[:3] < FIXED and version[:3] not in BACKPORTS
    sentence = (
        f"SQLite {text} has the WAL-reset fault: single-writer mode, no other program may write or checkpoint this store"
        if old
        else f"SQLite {text}"
    )
    return SqliteStatus(text, old, sentence)


class SqliteConnection(sqlite3.Connection):
    """connection.Connection by sqlite3 itself: of a file there is one writer, and nobody takes anything from it."""

    node, epoch = 0, 0

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        last = self.execute(of_rows(sql, len(rows)), [value for row in rows for value in row]).lastrowid or 0
        return list(range(last - len(rows) + 1, last + 1))  # one statement numbers its rows in order, without a gap

    def alone(self, what: str) -> None:
        """Nobody else writes."""

    def hold(self, statements: Sequence[Statement]) -> bool:
        for sql, params, rows in statements:
            cursor = self.execute(sql, params)
            if rows is not None and cursor.rowcount != rows:
                return False
        return True

    def scrub(self) -> bool:
        """Into the file, whose pages are overwritten (secure_delete), and the log cut to nothing."""
        busy, _log, _done = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def indexes_hold(self, table: str) -> bool:
        return bool(self.execute(f"PRAGMA integrity_check({table})").fetchone()[0] == "ok")

    def reindex(self, table: str) -> None:
        self.execute(f"REINDEX {table}")


class StoreLock:
    """One process writes a store, or has what lies beside one. The lock goes with the process, however it ends."""

    def __init__(self, path: Path, refusal: str = ANOTHER_WRITES) -> None:
        self._path, self._refusal = path.with_name(path.name + ".lock"), refusal
        self._file: int | None = None

    @property
    def file(self) -> int:
        """The open lock file, for a forked process to close."""
        assert self._file is not None
        return self._file

    def __enter__(self) -> StoreLock:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise StoreRefused(self._refusal) from None
        self._file = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def open_writer(path: Path) -> SqliteConnection:
    """The one connection that writes. The caller holds the StoreLock. Makes a fresh database; migrates an older one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists() or path.stat().st_size == 0
    before = os.umask(0o177)
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=256, factory=SqliteConnection
        )
        durable(connection)
        if fresh:
            create(connection)
        else:
            _check_revision(connection, path)
            _check_pages(connection)
    except sqlite3.DatabaseError as error:
        raise StoreRefused(_unfit(path, error)) from None
    finally:
        os.umask(before)
    return connection


def _unfit(path: Path, error: sqlite3.DatabaseError) -> str:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    if name.startswith("SQLITE_BUSY"):
        return f"{path.name} is held by another program; end it, then start again"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"{path.name} cannot be opened for writing ({name}); change its owner, or [store] url"
    if name == "SQLITE_NOTADB":
        return f"{path.name} is no database, or its first page is damaged; restore a backup, or change [store] url"
    return f"The database cannot be used ({name}); restore a backup"


def durable(connection: sqlite3.Connection) -> None:
    """WAL and synchronous=FULL, set and read back: without them an acknowledgement could promise too much."""
    connection.execute("PRAGMA busy_timeout=5000")
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten, in the pages that stay too
    _within_memory(connection)
    synchronous = connection.execute("PRAGMA synchronous").fetchone()[0]
    if str(mode).lower() != "wal" or synchronous != 2:
        raise StoreRefused(
            f"This file system gives journal_mode={mode}, synchronous={synchronous}; WAL and FULL are needed"
        )


def _within_memory(connection: sqlite3.Connection) -> None:
    """What a statement holds on the way is no file: opening one costs more than the statement, and it would lie in the
    system's folder of temporary files with what it holds of patients."""
    connection.execute("PRAGMA temp_store=MEMORY")


def create(connection: sqlite3.Connection) -> None:
    """A fresh database at the newest revision, in one transaction."""
    connection.executescript(f"BEGIN IMMEDIATE;\n{SCHEMA.read_text(encoding='utf-8')}{ALEMBIC};")
    connection.execute("INSERT INTO alembic_version VALUES (?)", (REVISION,))
    connection.execute("COMMIT")


def _check_revision(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
    if found is None:
        raise StoreRefused(f"{path.name} is a database of something else; name another file in [store] url")
    revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
    if revision == REVISION:
        return
    from labbridge.store import migrate  # loads Alembic: only where there is something to migrate

    migrate.upgrade(migrate.on_sqlite(connection), revision)


def _check_pages(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreRefused(f"The database is damaged ({found}); restore a backup")


def open_reader(path: Path, *, lenient: bool = False) -> SqliteConnection:
    """A connection that reads: it never writes and never checkpoints. `lenient`: bytes of a text that are none come as
    surrogates, where else the whole row could not be read."""
    connection = sqlite3.connect(
        f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, factory=SqliteConnection
    )
    if lenient:
        connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    _within_memory(connection)
    connection.execute("PRAGMA busy_timeout=5000")
    return connection
