"""Kept on disk and acknowledged: labbridge on SQLite and on PostgreSQL beside python-hl7's server, the bare listener, and
any peer that is named (`PEER=host:port:pid`); at 1, 4, 16 and 64 connections, in rounds that take turns.

Prints the whole table; the lines that have a bar follow it.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import contestants, parts
from tests.bench.contestants import Contestant, Database
from tests.bench.figures import Line, ratios

ROUNDS, ROUND_S = 5, 4
CONNECTIONS = (1, 4, 16, 64)
JUDGED = 16
OF_BARE, TIMES_PYTHON_HL7 = 0.3, 6.0
OPEN_RATE, OPEN_S = 200, 20
TIMES_P99, PLUS_MS = 2, 5
FSYNC_S = 1.0
HEAD = f"{'listener':16} {'conns':>5} {'a second':>18} {'p50 ms':>8} {'p99 ms':>8}  CPU us a message"


class Found(NamedTuple):
    """One round: messages a second, latencies in ms, CPU us a message by process."""

    rate: float
    p50: float
    p99: float
    cpu: dict[str, float]


def ingest() -> list[Line]:
    """The table, and how labbridge on SQLite stands to the others at 16 connections."""
    rounds: dict[tuple[str, int], list[Found]] = {}
    with tempfile.TemporaryDirectory() as folder, contestants.postgresql() as database:
        file = parts.load_file(Path(folder))
        for connections in CONNECTIONS:
            for _round in range(ROUNDS):
                for name, contestant in _contestants(database()):
                    rounds.setdefault((name, connections), []).append(_closed(contestant, file, connections))
        syncs = _syncs(Path(folder))
    print(_table(rounds), f"{'fsync alone':16} {'':>5} {syncs:>18.0f}", sep="\n", flush=True)
    rates = {name: [one.rate for one in found] for (name, conns), found in rounds.items() if conns == JUDGED}
    ours = rates["labbridge sqlite"]
    return [
        Line("ingest-bare", "of bare", OF_BARE, True, ratios(ours, rates["bare"])),
        Line("ingest-python-hl7", "of python-hl7", TIMES_PYTHON_HL7, True, ratios(ours, rates["python-hl7"])),
    ]


def latency() -> list[Line]:
    """An open loop of 200 a second, each also interpreted, beside the bare listener at the same rate."""
    ours, bars = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        file = parts.load_file(Path(folder))
        for _round in range(ROUNDS):
            bars.append(TIMES_P99 * _open(contestants.bare, file) + PLUS_MS)
            ours.append(_open(contestants.labbridge("all"), file))
    note = f"ms: {', '.join(f'{one:.1f} of {bar:.1f}' for one, bar in zip(ours, bars, strict=True))}"
    return [Line("open-loop-p99", "of twice the bare listener's and 5 ms", 1.0, False, ratios(ours, bars), note)]


def _contestants(database: Database) -> list[tuple[str, Contestant]]:
    found: list[tuple[str, Contestant]] = [
        ("bare", contestants.bare),
        ("labbridge sqlite", contestants.labbridge("listen")),
        ("labbridge pg", contestants.labbridge("listen", database)),
        ("python-hl7", contestants.python_hl7),
    ]
    named = contestants.peer()
    return [*found, ("peer", named)] if named else found


def _closed(contestant: Contestant, file: Path, connections: int) -> Found:
    with contestant() as listener:
        options = (
            "-c",
            str(connections),
            "-d",
            str(ROUND_S),
            "-w",
            "200",
            *parts.watch(listener.pid, listener.database),
        )
        return _found(parts.generate(listener.port, file, *options))


def _open(contestant: Contestant, file: Path) -> float:
    with contestant() as listener:
        options = ("-c", "4", "--rate", str(OPEN_RATE), "-d", str(OPEN_S), "-w", "200")
        return float(parts.generate(listener.port, file, *options)["latency_ms"]["p99"])


def _found(found: dict[str, Any]) -> Found:
    latency = found["latency_ms"]
    return Found(float(found["msgs_per_s"]), latency["p50"], latency["p99"], parts.cpu_us(found))


def _table(rounds: dict[tuple[str, int], list[Found]]) -> str:
    return "\n".join((HEAD, *(_row(name, conns, found) for (name, conns), found in rounds.items())))


def _row(name: str, connections: int, found: list[Found]) -> str:
    rates = [one.rate for one in found]
    told = f"{statistics.median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f})"
    p50, p99 = (statistics.median(values) for values in ([one.p50 for one in found], [one.p99 for one in found]))
    return f"{name:16} {connections:>5} {told:>18} {p50:>8.2f} {p99:>8.2f}  {parts.told(found[-1].cpu)}"


def _syncs(folder: Path) -> float:
    """How often a second the disk makes a page of 4 KiB durable: what no listener of one commit each gets past."""
    file = os.open(folder / "sync", os.O_CREAT | os.O_WRONLY)
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < FSYNC_S:
        os.pwrite(file, bytes(4096), 4096 * count)
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / (time.perf_counter() - begun)
