"""`make bench [ONLY=name,...]`: each Speed line with its bar, median, spread, met or not met."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import parts
from tests.bench.figures import Line, ratios, void

ROUNDS, ROUND_S, STARTS = 7, 4, 5
SUSTAINED_S, SHARE_DURABLE, SHARE_SUSTAINED = 60, 0.2, 0.04


def bare_rate(folder: Path, file: Path) -> tuple[float, float]:
    """Messages a second of the bare listener, and its CPU microseconds a message."""
    port = parts.free_port()
    command = (sys.executable, str(parts.TOOLS / "bare_listener.py"), str(port), str(folder / f"bare-{port}.db"))
    with parts.running(*command) as process:
        parts.listening(port)
        return closed_loop(port, file, process.pid)


def null_rate(file: Path) -> float:
    port = parts.free_port()
    with parts.running(sys.executable, str(Path(__file__).with_name("null_listener.py")), str(port)) as process:
        parts.listening(port)
        return closed_loop(port, file, process.pid)[0]


def labbridge_rate(file: Path) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        service = parts.Labbridge(Path(folder))
        with parts.running(*service.command("listen")) as process:
            parts.listening(service.port)
            return closed_loop(service.port, file, process.pid)


def closed_loop(port: int, file: Path, pid: int) -> tuple[float, float]:
    options = ("-c", str(parts.CONNECTIONS), "-d", str(ROUND_S), "-w", "500", "--watch", f"it={pid}")
    found = parts.generate(port, file, *options)
    return float(found["msgs_per_s"]), parts.cpu_us(found, "it")


def durable() -> list[Line]:
    """Kept on disk and acknowledged, at 16 connections, against the bare listener: A B A B ..."""
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), parts.load_file(Path(name))
        rounds = [(bare_rate(folder, file), labbridge_rate(file)) for _round in range(ROUNDS)]
        alone = null_rate(file)
    bare, ours = [one[0][0] for one in rounds], [one[1][0] for one in rounds]
    if void(alone, max(ours)):
        print(f"void: the load generator alone reaches {alone:.0f}/s, less than twice {max(ours):.0f}/s")
    cpu = f"CPU {rounds[0][1][1]:.0f} us a message, bare {rounds[0][0][1]:.0f} us"
    note = (
        f"{sorted(ours)[len(ours) // 2]:.0f}/s to {sorted(bare)[len(bare) // 2]:.0f}/s; {cpu}; generator {alone:.0f}/s"
    )
    return [Line("mllp-durable", "of bare", SHARE_DURABLE, True, ratios(ours, bare), note)]


def sustained() -> list[Line]:
    """Every message also interpreted and its draft stored, for a minute, at a share of the bare listener's rate."""
    with tempfile.TemporaryDirectory() as name:
        folder, file = Path(name), parts.load_file(Path(name))
        bare = sorted(bare_rate(folder, file)[0] for _round in range(3))[1]
        rate = math.ceil(bare * SHARE_SUSTAINED)
        service = parts.Labbridge(folder)
        with parts.running(*service.command("all")) as process:
            parts.listening(service.port)
            options = ("-c", str(parts.CONNECTIONS), "--rate", str(rate), "--watch", f"it={process.pid}")
            first = parts.generate(service.port, file, *options, "-d", "10")
            early = service.waiting()
            later = parts.generate(service.port, file, *options, "-d", str(SUSTAINED_S - 10))
            late = service.waiting()
    held = min(float(one["msgs_per_s"]) for one in (first, later))
    cpu, p99 = parts.cpu_us(later, "it"), later["latency_ms"]["p99"]
    note = f"{held:.0f}/s of {bare:.0f}/s; CPU {cpu:.0f} us a message; p99 {p99} ms"
    return [
        Line("sustained-rate", "of bare", SHARE_SUSTAINED * 0.999, True, (held / bare,), note),
        Line("sustained-queue", "messages waiting at the end", max(early, 64), False, (late,), f"{early} after 10 s"),
    ]


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


LINES: dict[str, Callable[[], list[Line]]] = {"durable": durable, "sustained": sustained, "starts": starts}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", default=",".join(LINES), help=f"of {', '.join(LINES)}")
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
