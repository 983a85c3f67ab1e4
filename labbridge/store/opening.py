"""From the URL of a store to its connections: the one place that tells a SQLite file from a PostgreSQL database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from labbridge.store import sqlite
from labbridge.store.connection import Connection
from labbridge.store.nodes import NOBODY, Node

SQLITE = "sqlite:///"


class Held(msgspec.Struct, frozen=True):
    """A store that this process may write. `files`: what a forked process must close. `writer` gives the one connection
    through which it does; who asked closes it."""

    files: tuple[int, ...]
    writer: Callable[[], Connection]


@contextmanager
def held(url: str, node: Node = NOBODY, *, alone: bool = False, strict: bool = False) -> Iterator[Held]:
    """Nobody else writes this file while the block runs; a PostgreSQL store is written by several nodes, but where one must
    be `alone`. StoreRefused where another process is in the way, or where the store cannot be opened, with the repair;
    StoreUnavailable where its server does not answer."""
    path = file_of(url)
    if path is not None:
        with sqlite.StoreLock(path) as lock:
            yield Held((lock.file,), lambda: sqlite.open_writer(path))
        return
    from labbridge.store import server

    connection = server.open_writer(url, node, alone=alone, strict=strict)
    try:
        yield Held((connection.fileno(),), lambda: connection)
    finally:
        connection.close()


def reader(url: str, *, lenient: bool = False) -> Connection:
    """A connection that reads. `lenient`: also rows with text that is none, where a file may hold such."""
    path = file_of(url)
    if path is not None:
        return sqlite.open_reader(path, lenient=lenient)
    from labbridge.store import server

    return server.open_reader(url)


def present(url: str) -> bool:
    """Whether there is a store yet. StoreUnavailable where that cannot be known."""
    path = file_of(url)
    if path is not None:
        return path.is_file()
    from labbridge.store import server

    return server.present(url)


def server_of(url: str) -> str:
    """What the PostgreSQL server is, in a sentence. StoreRefused or StoreUnavailable where it cannot carry a store."""
    from labbridge.store import server

    return server.examined(url)


def file_of(url: str) -> Path | None:
    """The SQLite file; None for PostgreSQL, whose driver is loaded only where it is used."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def absolute(url: str) -> str:
    """The same store for a process that may stand in another folder."""
    path = file_of(url)
    return url if path is None else SQLITE + os.path.abspath(path)
