"""The store under test, asked beside the service: a SQLite file by its path, a PostgreSQL database by its URL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Database = Path | str
Answer = tuple[list[str], list[tuple[Any, ...]]]  # the columns' names, and the rows
Ask = Callable[[str, tuple[object, ...]], Answer]
TABLES = (  # what amcheck finds in their pages
    "SELECT c.relname, v.msg FROM pg_class c, verify_heapam(c.oid::regclass) v"
    " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace LIMIT 3"
)
INDEXES = (  # it fails where an index does not hold what its table does
    "SELECT bt_index_check(c.oid::regclass, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
    " WHERE c.relkind = 'i' AND a.amname = 'btree' AND c.relnamespace = 'public'::regnamespace"
)


class Unanswered(Exception):
    """There is no server now, or it cannot tell."""


def rows(database: Database, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What the database says. Unanswered where its server does not."""
    with _asked(database) as ask:
        return ask(sql, values)[1]


def named(database: Database, queries: Mapping[str, str]) -> dict[str, list[Row]]:
    """The rows of several queries by their names, each as column and value."""
    found: dict[str, list[Row]] = {}
    with _asked(database) as ask:
        for name, sql in queries.items():
            columns, answer = ask(sql, ())
            found[name] = [dict(zip(columns, row, strict=True)) for row in answer]
    return found


def soundness(database: Database) -> str:
    """`ok`, or what the database finds damaged in itself."""
    if isinstance(database, Path):
        ((found,),) = rows(database, "PRAGMA integrity_check")
        return str(found)
    try:
        with _asked(database) as ask:
            ask("CREATE EXTENSION IF NOT EXISTS amcheck", ())
            damaged = ask(TABLES, ())[1]
            ask(INDEXES, ())
    except Unanswered as fault:
        return f"{fault}: {fault.__cause__}"
    return "; ".join(": ".join(map(str, row)) for row in damaged) or "ok"


@contextmanager
def _asked(database: Database) -> Iterator[Ask]:
    yield from _of_file(database) if isinstance(database, Path) else _of_server(database)


def _of_file(path: Path) -> Iterator[Ask]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)

    def ask(sql: str, values: tuple[object, ...]) -> Answer:
        cursor = connection.execute(sql, values)
        return [column[0] for column in cursor.description or ()], cursor.fetchall()

    try:
        yield ask
    finally:
        connection.close()


def _of_server(url: str) -> Iterator[Ask]:
    import psycopg  # only where it is used: senders and the LIS need none

    def ask(sql: str, values: tuple[object, ...]) -> Answer:
        cursor = session.execute(sql.replace("?", "%s"), values or None)  # type: ignore[arg-type]
        return [column.name for column in cursor.description or ()], cursor.fetchall() if cursor.description else []

    try:
        with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=5) as session:
            yield ask
    except psycopg.Error as fault:
        raise Unanswered(type(fault).__name__) from fault
