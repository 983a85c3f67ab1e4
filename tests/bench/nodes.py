"""Two nodes on one PostgreSQL beside one, on the same machine: what a message costs, kept, interpreted and drafted, and for
how much of the time commits wait for each other's locks. Rounds take turns.

On two cores two nodes are not to be faster: the ratio says what sharing costs.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import psycopg

from labbridge.store.postgres import libpq
from tests.bench import contestants, parts
from tests.bench.contestants import Database, Listener
from tests.bench.figures import Line, ratios

ROUNDS, MESSAGES, CONNECTIONS = 5, 6000, 16
COSTS, LOCKED = 1.15, 0.05
LOOK_EVERY_S = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
WAITING = (
    "SELECT count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity"
    " WHERE application_name = 'labbridge' AND datname = current_database()"
)


class Found(NamedTuple):
    """One round: messages a second from the first sent to the last drafted, CPU us a message of all nodes and of the server,
    and the share of the time that a node's writing session waited for a lock."""

    rate: float
    nodes_us: float
    server_us: float
    locked: float


def nodes() -> list[Line]:
    rounds: dict[int, list[Found]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder, contestants.postgresql() as database:
        file = parts.load_file(Path(folder))
        for _round in range(ROUNDS):
            for count in rounds:
                rounds[count].append(_round_of(count, database(), file))
    one, two = rounds[1][-1], rounds[2][-1]
    note = f"last {_told(two)} with two, {_told(one)} with one"
    costs = [[each.nodes_us + each.server_us for each in rounds[count]] for count in (2, 1)]
    return [
        Line("nodes-cpu", "of the CPU us a message with one node", COSTS, False, ratios(*costs), note),
        Line("nodes-locks", "of the time waits for locks", LOCKED, False, tuple(each.locked for each in rounds[2])),
    ]


def _told(found: Found) -> str:
    return f"{found.rate:.0f}/s, nodes {found.nodes_us:.0f} us, server {found.server_us:.0f} us"


def _round_of(count: int, database: Database, file: Path) -> Found:
    with contextlib.ExitStack() as running:
        listeners = [running.enter_context(contestants.labbridge("all", database)()) for _node in range(count)]
        _shared_out(database, count)
        pids = [one.pid for one in listeners]
        with _locked(database, count) as locked:
            begun, ours, servers = time.monotonic(), _cpu_s(*pids), _cpu_s(database.pid)
            _sent(listeners, file)
            while listeners[0].waiting():
                time.sleep(0.1)
            took = time.monotonic() - begun
        used = (_cpu_s(*pids) - ours, _cpu_s(database.pid) - servers)
    return Found(MESSAGES / took, *(seconds * 1e6 / MESSAGES for seconds in used), sum(locked) / max(1, len(locked)))


def _sent(listeners: Sequence[Listener], file: Path) -> None:
    """All of it, at once over all nodes: each has its share of the connections and of the messages."""
    count = len(listeners)
    options = ("-c", str(CONNECTIONS // count), "-n", str(MESSAGES // count))
    with contextlib.ExitStack() as sending:
        generators = [sending.enter_context(parts.generating(one.port, file, *options)) for one in listeners]
        for one in generators:
            parts.measured(one)


def _shared_out(database: Database, count: int) -> None:
    """Until each node has its share of the work."""
    asked = "SELECT count(DISTINCT node) FROM holdings WHERE id < 64 AND leaving = 0 AND node IS NOT NULL"
    with psycopg.connect(libpq(database.url), autocommit=True) as session:
        while session.execute(asked).fetchone() != (count,):
            time.sleep(0.1)


@contextlib.contextmanager
def _locked(database: Database, count: int) -> Iterator[list[float]]:
    """While inside: at each look, the share of the nodes' sessions that wait for a lock."""
    found, ended = list[float](), threading.Event()

    def look() -> None:
        with psycopg.connect(libpq(database.url), autocommit=True) as session:
            while not ended.wait(LOOK_EVERY_S):
                row = session.execute(WAITING).fetchone()
                found.append(row[0] / count if row else 0.0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _cpu_s(*pids: int) -> float:
    """Seconds of CPU that these have used, with their children, those that have ended too."""
    children = {pid: Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in pids}
    mine = [(pid, True) for pid in pids] + [(int(child), False) for some in children.values() for child in some]
    return sum(_ticks(pid, ended=ended) for pid, ended in mine) / TICKS


def _ticks(pid: int, *, ended: bool) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # ended just now: its parent has its time
    return sum(int(one) for one in fields[11 : 15 if ended else 13])
