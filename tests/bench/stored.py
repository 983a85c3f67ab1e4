"""A store that has been in use for years: some hundred patients by the way of a message, and copies of their rows under
other numbers, written in bulk.

The copies bear no sums (as rows from before there were any), and no lines in the audit, which nothing looks anything up in.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from labbridge import pipeline, processing
from labbridge.model.work import Feed
from labbridge.store import opening
from labbridge.store.journal import StoreIntake
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer
from tests.bench import parts

PATTERNS = 256  # messages that are made by their way
OPEN_ONE_IN = 100  # cases that somebody has still to look at
AT_ONCE = 20_000
WIDTH = 12
FEED = Feed(name="myolis", timezone="Europe/Paris")
KEYS = {  # columns that number messages, and those that number cases
    "journal": {"id": "message"},
    "work": {"id": "message", "message": "message"},
    "results": {"id": "result", "message": "message"},
    "numbers": {"message": "message"},
    "patients": {},
    "cases": {"id": "case"},
    "drafts": {"case": "case", "subject_message": "message"},
    "retests": {"id": "retest", "case": "case", "message": "message"},
}
DONE = {"cases": "signed", "retests": "cancelled"}


class Rows(NamedTuple):
    """The rows of a table that are copied, and their columns."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def grow(url: str, results: int) -> None:
    """Fill an empty store up to so many results."""
    asyncio.run(_made(url))
    found = _patterns(url)
    copies = max(0, -(-results // len(found["results"].rows)) - 1)
    write = _into_sqlite if url.startswith(opening.SQLITE) else _into_postgresql
    steps = {
        kind: 1 + max(row[rows.columns.index(column)] for row in rows.rows)
        for table, rows in found.items()
        for column, kind in KEYS[table].items()
        if column == "id" and rows.rows
    }
    write(url, {table: (rows, _copied(table, rows, steps, copies)) for table, rows in found.items()})


async def _made(url: str) -> None:
    text = parts.load_text().replace("\n", "\r")
    with opening.held(url) as store:
        writer = Writer(store.writer())
        reads = opening.reader(url)
        intake, work = StoreIntake(writer), StoreWork(reads, LocalUnits(writer))
        settings = processing.Settings(
            store=url, site=str(parts.SITE), feeds=(FEED,), application="LABBRIDGE", json_logs=True
        )
        reader, clock = processing.reader_of(settings), processing.SystemClock()
        names = [_name(0, number) for number in range(PATTERNS)]
        peer = pipeline.Peer(FEED, "127.0.0.1")
        messages = [text.replace("{{ID}}", name).replace("S2002", name).encode() for name in names]
        await asyncio.gather(*(pipeline.receive(one, peer, intake, clock) for one in messages))
        while pipeline.run_once(work, reader, clock):
            pass
        writer.close()
        reads.close()


def _name(copy: int, number: int) -> str:
    return f"Q{copy * PATTERNS + number:0{WIDTH}}"


def _patterns(url: str) -> dict[str, Rows]:
    connection = opening.reader(url)
    found = {}
    for table in KEYS:
        columns = _columns(connection, table)
        named = ", ".join(f'"{name}"' for name in columns)
        found[table] = Rows(columns, connection.execute(f"SELECT {named} FROM {table}").fetchall())
    connection.close()
    return found


def _columns(connection: Any, table: str) -> tuple[str, ...]:
    cursor = connection.execute(f"SELECT * FROM {table} LIMIT 1")
    return tuple(one[0] for one in cursor.description)


def _copied(table: str, found: Rows, steps: dict[str, int], copies: int) -> Iterator[list[Any]]:
    """Each row of the table so many times, its patient, orders and keys those of the copy."""
    columns, keys = found.columns, KEYS[table]
    moved = [(columns.index(name), steps.get(kind, 0)) for name, kind in keys.items()]
    nulls = [place for place, name in enumerate(columns) if name.endswith("crc")]
    state = columns.index("state") if table in DONE else -1
    raw, digest = (columns.index(name) if name in columns else -1 for name in ("raw", "digest"))
    for copy in range(1, copies + 1):
        for row in found.rows:
            new = [_renamed(value, copy) for value in row]
            for place, step in moved:
                new[place] += copy * step
            for place in nulls:
                new[place] = None
            if state >= 0 and copy % OPEN_ONE_IN:
                new[state] = DONE[table]
            if digest >= 0:
                new[digest] = hashlib.sha256(new[raw]).digest()
            yield new


def _renamed(value: Any, copy: int) -> Any:
    """A text or bytes with the names of this copy in place of the first one's."""
    if isinstance(value, str):
        at = value.find("Q0")
        return _in_place(value, value[at : at + WIDTH + 1], copy) if at >= 0 else value
    if isinstance(value, bytes):
        at = value.find(b"Q0")
        name = value[at : at + WIDTH + 1].decode("latin-1") if at >= 0 else ""
        return value.replace(name.encode(), _moved(name, copy).encode()) if name[1:].isdigit() else value
    return value


def _in_place(text: str, name: str, copy: int) -> str:
    return text.replace(name, _moved(name, copy)) if name[1:].isdigit() else text


def _moved(name: str, copy: int) -> str:
    return _name(copy, int(name[1:]))


# ---------------------------------------------------------------- in bulk

Copies = dict[str, tuple[Rows, Iterator[list[Any]]]]


def _into_sqlite(url: str, copies: Copies) -> None:
    path = Path(url.removeprefix(opening.SQLITE))
    store = sqlite3.connect(path, isolation_level=None)
    store.execute("PRAGMA synchronous=OFF")
    store.execute("PRAGMA cache_size=-1000000")
    for table, (found, rows) in copies.items():
        named = ", ".join(f'"{name}"' for name in found.columns)
        sql = f"INSERT INTO {table}({named}) VALUES ({', '.join('?' * len(found.columns))})"
        _in_parts(rows, lambda some, sql=sql: _written(store, sql, some))  # type: ignore[misc]
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _written(store: sqlite3.Connection, sql: str, rows: Sequence[list[Any]]) -> None:
    store.execute("BEGIN")
    store.executemany(sql, rows)
    store.execute("COMMIT")


def _into_postgresql(url: str, copies: Copies) -> None:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as server:
        for table, (found, rows) in copies.items():
            named = ", ".join(f'"{name}"' for name in found.columns)
            with server.cursor().copy(f"COPY {table}({named}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            if "id" in found.columns:
                server.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        server.execute("VACUUM ANALYZE")


def _in_parts(rows: Iterator[list[Any]], write: Callable[[Sequence[list[Any]]], None]) -> None:
    while some := list(islice(rows, AT_ONCE)):
        write(some)
