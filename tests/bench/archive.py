"""A synthetic archive imported and replayed: results a second, memory of all processes, and what a second process and a
cluster of two workers bring, beside what two plain counting loops reach in the same run.

LABBRIDGE_BENCH_RESULTS says how many results (100,000 without; 5,000,000 is the archive of a large laboratory).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import archive_made, parts
from tests.bench.figures import Line

RESULTS = int(os.environ.get("LABBRIDGE_BENCH_RESULTS", "100000"))
SCALED = 150_000  # results of the comparison of one process with two
ROUNDS, COUNTED = 3, 40_000_000
IMPORTED, REPLAYED, MEMORY_MB, SHARE = 10_000, 2000, 1536, 0.85
SAMPLED_S = 0.5
CHANGE = "- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: bench}\n"


class Watch:
    """The most memory that a process and all below it held at once (PSS, MB), looked at twice a second."""

    def __init__(self, pid: int) -> None:
        self._pid, self._end, self.most = pid, threading.Event(), 0.0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(SAMPLED_S):
            try:
                self.most = max(self.most, parts.pss_mb(self._pid))
            except (FileNotFoundError, ProcessLookupError):  # a process ended between its listing and its reading
                continue


class Archive:
    """An archive in a folder of its own, and the commands that go over it."""

    def __init__(self, folder: Path, results: int) -> None:
        self.folder, self.results, self.replays = folder, results, 0
        self.csv, self.study = folder / f"{results}.csv", folder / f"study-{results}"
        self.config, self.other = folder / "bench.toml", folder / "other"
        self.config.write_text(
            f'facility = "LABA"\n[store]\nurl = "sqlite:///{folder / "bench.db"}"\nvolatile = true\n'
            '[feeds.myolis]\nlisten = "127.0.0.1:0"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\n'
            f'cytoplasmic_reported_as = "positive"\n[knowledge]\nsite = "{archive_made.SITE}"\n',
            encoding="utf-8",
        )
        (self.other / "codes").mkdir(parents=True, exist_ok=True)
        (self.other / "policy.yaml").write_text(CHANGE, encoding="utf-8")
        codes = "codes/myolis.csv"
        (self.other / codes).write_bytes((archive_made.SITE / codes).read_bytes())
        archive_made.write(self.csv, results)

    def run(self, *words: object) -> tuple[dict[str, Any], float, float]:
        """A command: what it printed, how long it took, and the most memory it held."""
        command = [
            sys.executable,
            "-m",
            "labbridge.cli",
            *map(str, words),
            "--config",
            str(self.config),
            "--format",
            "json",
        ]
        begun = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=parts.ROOT) as process, Watch(process.pid) as watch:
            out, _none = process.communicate()
        if process.returncode not in (0, 1):
            raise RuntimeError(f"{words[0]} failed: {process.returncode}")
        found: dict[str, Any] = json.loads(out)
        return found, time.monotonic() - begun, watch.most

    def imported(self) -> tuple[float, float]:
        found, seconds, memory = self.run("import", self.csv, "--study", self.study)
        if found["rows"] != self.results:
            raise RuntimeError(f"{found['rows']} of {self.results} rows were imported")
        return seconds, memory

    def replayed(self, *how: object, site: Path) -> tuple[float, float]:
        """Seconds of a replay with the knowledge of this site beside the one in force, and its memory."""
        self.replays += 1
        out = self.folder / f"out-{self.results}-{self.replays}"
        found, _seconds, memory = self.run("replay", "--archive", self.study, "--out", out, "--site", site, *how)
        if found["sum"]["results"] != self.results:  # no two rows of it are the same
            raise RuntimeError(f"{found['sum']['results']} of {self.results} rows were replayed")
        return found["sum"]["seconds"], memory


def archive() -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as name:
        whole = Archive(Path(name), RESULTS)
        import_s, import_mb = whole.imported()
        told = f"{RESULTS} in {import_s:.0f} s"
        yield Line("archive-import", "results a second", IMPORTED, True, (RESULTS / import_s,), told)
        replay_s, replay_mb = whole.replayed("--processes", 2, site=archive_made.SITE)
        told = f"{RESULTS} in {replay_s:.0f} s, by the knowledge in force"
        yield Line("archive-replay", "results a second of 2 processes", REPLAYED, True, (RESULTS / replay_s,), told)
        told = f"import {import_mb:.0f}, replay {replay_mb:.0f}"
        yield Line("archive-memory", "MB (PSS, all processes)", MEMORY_MB, False, (max(import_mb, replay_mb),), told)
        part = whole
        if RESULTS != SCALED:
            (Path(name) / "part").mkdir()
            part = Archive(Path(name) / "part", SCALED)
            part.imported()
        with cluster(part.folder) as address:
            part.replayed("--scheduler", address, site=part.other)  # its workers have read the knowledge
            loops, two, dask = zip(*(_round(part, address) for _round_of in range(ROUNDS)), strict=True)
    for title, ours in (("archive-two", two), ("archive-dask", dask)):
        told = f"{_several(ours)} times one process; two counting loops: {_several(loops)} times one"
        yield Line(title, "of what two loops gain", SHARE, True, _ratios(ours, loops), told)


def _round(part: Archive, address: str) -> tuple[float, float, float]:
    """What two bring over one, two knowledges each: of counting loops, of processes, of workers of a cluster."""
    one, _memory = part.replayed("--processes", 1, site=part.other)
    loops = _seconds(1) / _seconds(2)
    two, _memory = part.replayed("--processes", 2, site=part.other)
    dask, _memory = part.replayed("--scheduler", address, site=part.other)
    return 2 * loops, one / two, one / dask


def _ratios(ours: tuple[float, ...], theirs: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(mine / other for mine, other in zip(ours, theirs, strict=True))


def _several(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


def _count(until: int) -> None:
    number = 0
    while number < until:
        number += 1


def _seconds(processes: int) -> float:
    """How long so many processes take to count as far each."""
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_count, args=(COUNTED,)) for _one in range(processes)]
    begun = time.monotonic()
    for one in running:
        one.start()
    for one in running:
        one.join()
    return time.monotonic() - begun


@contextmanager
def cluster(folder: Path, workers: int = 2) -> Iterator[str]:
    """A scheduler of Dask and so many workers of one thread, each a process, on this machine; its address."""
    port = parts.free_port()
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": parts.ROOT}
    commands = [[*dask, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-jupyter"]]
    commands += [
        [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny",
         "--local-directory", str(folder / f"worker-{number}")]
        for number in range(workers)
    ]  # fmt: skip
    running = [subprocess.Popen(command, **quiet) for command in commands]
    try:
        parts.listening(port)
        _joined(address, workers)
        yield address
    finally:
        for process in running:
            process.kill()  # a worker waits for its scheduler before it goes by itself
            process.wait()


def _joined(address: str, workers: int) -> None:
    from dask.distributed import Client

    with Client(address, timeout=20) as client:
        client.wait_for_workers(workers, timeout=60)
