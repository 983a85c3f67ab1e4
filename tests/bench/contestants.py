"""Who is measured beside whom: each a listener that is started for one round, or a peer that runs already."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from tests.bench import parts

PEER = os.environ.get("PEER", "")
BESIDE = Path(__file__).parent


class Listener(NamedTuple):
    """One that takes messages: its port, its process, its database server if it has one (0: none), and how many of its
    messages wait to be interpreted."""

    port: int
    pid: int
    database: int = 0
    waiting: Callable[[], int] = lambda: 0


Contestant = Callable[[], AbstractContextManager[Listener]]


@contextlib.contextmanager
def bare() -> Iterator[Listener]:
    """Keeps the bytes in SQLite and answers: the limit."""
    with tempfile.TemporaryDirectory() as folder, _script(parts.TOOLS / "bare_listener.py", folder) as found:
        yield found


@contextlib.contextmanager
def python_hl7() -> Iterator[Listener]:
    """python-hl7's asyncio server, a commit for each message."""
    with tempfile.TemporaryDirectory() as folder, _script(BESIDE / "python_hl7_listener.py", folder) as found:
        yield found


@contextlib.contextmanager
def _script(script: Path, folder: str) -> Iterator[Listener]:
    port = parts.free_port()
    with parts.running(sys.executable, str(script), str(port), str(Path(folder) / "kept.db")) as process:
        parts.listening(port)
        yield Listener(port, process.pid)


class Database(NamedTuple):
    """An empty database: its URL, and the process of its server."""

    url: str = ""
    pid: int = 0


SQLITE = Database()


def labbridge(role: str, store: Database = SQLITE) -> Contestant:
    """A service on an empty store: SQLite, or this database."""

    @contextlib.contextmanager
    def contestant() -> Iterator[Listener]:
        with tempfile.TemporaryDirectory() as name, served(parts.Labbridge(Path(name), store.url), role) as found:
            yield found._replace(database=store.pid)

    return contestant


@contextlib.contextmanager
def served(service: parts.Labbridge, role: str) -> Iterator[Listener]:
    """A service, once it takes messages."""
    with parts.running(*service.command(role)) as process:
        parts.ready(service.admin) if role == "all" else parts.listening(service.port)
        yield Listener(service.port, process.pid, waiting=service.waiting)


@contextlib.contextmanager
def postgresql() -> Iterator[Callable[[], Database]]:
    """A server of our own with its usual settings, and a new empty database for each call."""
    from tests.clusters import Cluster

    cluster = Cluster()
    try:
        yield lambda: Database(cluster.empty(), cluster.process.pid)
    finally:
        cluster.close()


def peer() -> Contestant | None:
    """Whoever `PEER=host:port:pid` names, left as they are."""
    if not PEER:
        return None
    host, port, pid = PEER.split(":")
    if host not in ("127.0.0.1", "localhost"):
        raise SystemExit("PEER is host:port:pid of a process of this machine")

    @contextlib.contextmanager
    def contestant() -> Iterator[Listener]:
        yield Listener(int(port), int(pid))

    return contestant
