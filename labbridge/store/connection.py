"""What the store asks of a database connection, and what an error of its driver means. The one place that knows both.

The form is sqlite3's, which needs no adapter; postgres.py offers the same.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from labbridge.errors import StoreUnavailable

FATAL = frozenset(
    "SQLITE_IOERR_FSYNC SQLITE_CORRUPT SQLITE_NOTADB DataCorrupted IndexCorrupted AnotherWriter StoreRefused".split()
)
LONGEST_KEY, KEY_HEAD = 512, 64  # bytes; characters. An entry of an index holds four such keys
SHORT_KEY = LONGEST_KEY // 4  # characters: so many are never longer
ANOTHER_WRITES = "Another labbridge process writes this store; use the running service, or stop it first"


class StoreRefused(Exception):
    """The store cannot be opened for writing; the text says why and what to do. Exit code 78."""


class Cursor(Protocol):
    """What a statement gave. `rowcount`: rows changed. `lastrowid`: the key of the last row inserted."""

    @property
    def rowcount(self) -> int: ...

    @property
    def lastrowid(self) -> int | None: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Statement(NamedTuple):
    """One guarded statement: `rows` is how many it must change; None where that does not matter."""

    sql: str
    params: tuple[Any, ...] = ()
    rows: int | None = None


class Connection(Protocol):
    """One session. No transaction is open but between BEGIN and COMMIT or ROLLBACK."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor: ...

    @property
    def node(self) -> int:
        """The number of the node that writes through it."""

    @property
    def epoch(self) -> int:
        """Raised with each session that takes the node's number: what was begun under an older one may be another's now."""

    def insert(self, sql: str, rows: Sequence[Sequence[Any]]) -> list[int]:
        """An INSERT of one row, for all of these in one statement; their keys, in order."""

    def alone(self, what: str) -> None:
        """Until this transaction ends no other node is alone with the same. Where one is now, wait."""

    def hold(self, statements: Sequence[Statement]) -> bool:
        """Run these within a transaction; whether each changed as many rows as it must. Where not, who asked undoes what was
        run. A server is sent all of them in one go, behind a guard that does not hold too: False also where one failed."""

    def scrub(self) -> bool:
        """Outside of a transaction: nothing of what was wiped stays in the log beside the file, or in room the server would
        use again. False where a reader still holds on to it."""

    def indexes_hold(self, table: str) -> bool:
        """Whether every row of a table is in each of its indexes, and nothing else is. A server has its own means."""

    def reindex(self, table: str) -> None:
        """Make the indexes of a table anew from its rows. A server has its own means."""

    def close(self) -> None: ...


class DriverFault(Exception):
    """An error of a driver other than sqlite3, by the name of its condition: the driver's text may quote a row."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(text or name)
        self.name = name


class Unreachable(DriverFault, StoreUnavailable):
    """The connection is lost, or the server cannot serve it now. What was not committed did not happen."""


FAULTS = (sqlite3.Error, DriverFault)
MET = frozenset({"UniqueViolation", "DeadlockDetected", "SerializationFailure"})


def name_of(error: Exception) -> str:
    """The condition: SQLITE_FULL, UniqueViolation, AdminShutdown."""
    return getattr(error, "sqlite_errorname", "") or getattr(error, "name", "") or type(error).__name__


def fatal(error: Exception) -> bool:
    """Nothing more may be written here: what is on the disk cannot be trusted (the kernel may have dropped pages, so the
    same fsync is never retried, reliability.md F3), another process writes, or the server came back without its promises."""
    return name_of(error) in FATAL


def met(error: Exception) -> bool:
    """Two nodes wrote the same at one moment: what was undone is done again, and finds what the other has written."""
    return name_of(error) in MET


@lru_cache(maxsize=512)
def of_rows(sql: str, rows: int) -> str:
    """An INSERT of one row as one of so many."""
    start, row, rest = re.split(r"(?<= VALUES )(\([^)]*\))", sql, maxsplit=1)
    return start + ",".join([row] * rows) + rest


def lookup_key(text: str) -> str:
    """A text that is looked up, as it is kept: one that is too long for PostgreSQL's indexes ends in its digest."""
    if len(text) <= SHORT_KEY or len(raw := text.encode("utf-8", "surrogatepass")) <= LONGEST_KEY:
        return text
    return f"{text[:KEY_HEAD]}…{hashlib.sha256(raw).hexdigest()}"


def marks(count: int) -> str:
    """So many placeholders, for IN (...)."""
    return ",".join("?" * count)
