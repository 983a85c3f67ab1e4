"""`make bench [ONLY=name,...]`: each Speed line with its bar, median, spread, met or not met."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from tests.bench import parts
from tests.bench.archive import archive
from tests.bench.fhir import fhir
from tests.bench.figures import GENERATOR, Line, ratios
from tests.bench.growth import growth
from tests.bench.ingest import ingest, latency
from tests.bench.interpreting import interpreting
from tests.bench.nodes import nodes
from tests.bench.reading import reading
from tests.bench.stages import stages
from tests.bench.workbench import workbench

ROUNDS, ROUND_S, STARTS = 7, 4, 5
SUSTAINED_S, EARLY_S = 60, 10
SHARE_DURABLE, SHARE_SUSTAINED, SHARE_TWO_MINUTES = 0.2, 0.04, 0.08
TWO_MINUTES_S, TWO_MINUTES_ROUNDS = 120, 3
OFFERED = 1.02  # of the bar: an open loop can reach no more than is offered


class Measured(NamedTuple):
    """One contestant's round: messages a second, and CPU microseconds a message of each process."""

    rate: float
    cpu: dict[str, float]


def bare(file: Path) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        return _script(file, str(parts.TOOLS / "bare_listener.py"), str(Path(folder) / "bare.db"))


def null(file: Path) -> Measured:
    return _script(file, str(Path(__file__).with_name("null_listener.py")))


def _script(file: Path, script: str, *arguments: str) -> Measured:
    port = parts.free_port()
    with parts.running(sys.executable, script, str(port), *arguments) as process:
        parts.listening(port)
        return closed_loop(port, file, process.pid)


def labbridge(file: Path) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        service = parts.Labbridge(Path(folder))
        with parts.running(*service.command("listen")) as process:
            parts.listening(service.port)
            return closed_loop(service.port, file, process.pid)


def closed_loop(port: int, file: Path, pid: int) -> Measured:
    """As many as the listener answers, at 16 connections."""
    options = ("-c", str(parts.CONNECTIONS), "-d", str(ROUND_S), "-w", "500", *parts.watch(pid))
    found = parts.generate(port, file, *options)
    return Measured(float(found["msgs_per_s"]), parts.cpu_us(found))


def durable() -> list[Line]:
    """Kept on disk and acknowledged, at 16 connections, against the bare listener: A B A B ..."""
    with tempfile.TemporaryDirectory() as name:
        file = parts.load_file(Path(name))
        rounds = [(bare(file), labbridge(file)) for _round in range(ROUNDS)]
        alone = null(file).rate
    theirs, ours = [one.rate for one, _ in rounds], [one.rate for _, one in rounds]
    cpu = f"CPU us a message: {parts.told(rounds[-1][1].cpu)}; bare {parts.told(rounds[-1][0].cpu)}"
    note = f"{statistics.median(ours):.0f}/s to {statistics.median(theirs):.0f}/s; {cpu}"
    return [
        Line("mllp-durable", "of bare", SHARE_DURABLE, True, ratios(ours, theirs), note),
        Line("generator-alone", "of bare", GENERATOR, True, ratios([alone] * ROUNDS, theirs), f"{alone:.0f}/s"),
    ]


def sustained() -> list[Line]:
    """Every message also interpreted and its draft stored, for a minute, at a share of the bare listener's rate."""
    return _held("sustained", SHARE_SUSTAINED, SUSTAINED_S, ROUNDS)


def two_minutes() -> list[Line]:
    """The same for two minutes at twice the share."""
    return _held("two-minutes", SHARE_TWO_MINUTES, TWO_MINUTES_S, TWO_MINUTES_ROUNDS)


def _held(name: str, share: float, seconds: int, rounds: int) -> list[Line]:
    with tempfile.TemporaryDirectory() as folder:
        file = parts.load_file(Path(folder))
        minutes = [_minute(bare(file).rate, file, share, seconds) for _round in range(rounds)]
    rates = tuple(one.held / one.bare for one in minutes)
    last = minutes[-1]
    note = f"last {last.held:.0f}/s of {last.bare:.0f}/s; CPU us a message: {parts.told(last.cpu)}; p99 {last.p99} ms"
    waiting = ", ".join(f"{one.early}>{one.late}" for one in minutes)
    growth = tuple(float(one.late - one.early) for one in minutes)
    return [
        Line(f"{name}-rate", "of bare", share, True, rates, note),
        Line(f"{name}-queue", "more waiting at the end than after 10 s", 0, False, growth, waiting),
    ]


class Minute(NamedTuple):
    """A sustained round: rates a second, messages waiting after 10 s and at the end, CPU, the worst 1 % in ms."""

    bare: float
    held: float
    early: int
    late: int
    cpu: dict[str, float]
    p99: float


def _minute(bare_rate: float, file: Path, share: float, seconds: int) -> Minute:
    offered = math.ceil(bare_rate * share * OFFERED)
    with tempfile.TemporaryDirectory() as folder:
        service = parts.Labbridge(Path(folder))
        with parts.running(*service.command("all")) as process:
            parts.ready(service.admin)
            options = ("-c", str(parts.CONNECTIONS), "--rate", str(offered), *parts.watch(process.pid))
            with parts.generating(service.port, file, *options, "-d", str(seconds)) as running:
                time.sleep(EARLY_S)
                early = service.waiting()
                found = parts.measured(running)
            late = service.waiting()
    cpu = parts.cpu_us(found)
    return Minute(bare_rate, float(found["msgs_per_s"]), early, late, cpu, found["latency_ms"]["p99"])


def starts() -> list[Line]:
    """First acknowledgement after the start of the process, and memory once it is idle."""
    seconds, memory = [], []
    for _start in range(STARTS):
        with tempfile.TemporaryDirectory() as name:
            file = parts.load_file(Path(name))
            service = parts.Labbridge(Path(name))
            begun = time.monotonic()
            with parts.running(*service.command("all")) as process:
                parts.generate(service.port, file, "--first-ack", "30")
                seconds.append(time.monotonic() - begun)
                time.sleep(2)
                memory.append(parts.pss_mb(process.pid))
    return [
        Line("first-ack", "s from process start, the generator's own start included", 1.5, False, tuple(seconds)),
        Line("idle-memory", "MB (PSS, service and children)", 120, False, tuple(memory)),
    ]


LINES: dict[str, Callable[[], Iterable[Line]]] = {
    "ingest": ingest,
    "latency": latency,
    "durable": durable,
    "sustained": sustained,
    "two-minutes": two_minutes,
    "growth": growth,
    "nodes": nodes,
    "starts": starts,
    "reading": reading,
    "interpreting": interpreting,
    "stages": stages,
    "fhir": fhir,
    "workbench": workbench,
    "archive": archive,
}


LONG = frozenset({"archive", "growth"})
"""Run only when they are named: they take half an hour and more."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--only", default=",".join(one for one in LINES if one not in LONG), help=f"of {', '.join(LINES)}"
    )
    wanted = parser.parse_args().only.split(",")
    if not parts.TOOLS.is_dir():
        print("the load generator is not here: set LABBRIDGE_TOOLS to the folder of mllp_load.py and bare_listener.py")
        return 2
    met = True
    for name in wanted:
        for line in LINES[name]():
            print(line, flush=True)
            met = met and line.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
