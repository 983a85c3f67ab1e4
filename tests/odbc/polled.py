"""A view that is written while it is read, by a poller that is killed again and again: each committed row is kept once, and
nothing else is."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.service import Service
from tests.odbc import lis
from tests.odbc.servers import Database

KEPT = "SELECT raw, state FROM journal WHERE feed = ?"
COUNT = "SELECT count(*) FROM journal WHERE feed = ?"


class Listening(Service):
    """What listens and keeps, without processing."""

    role = "listen"


@dataclass
class Found:
    """What a run came to. `missed`: committed rows of which the last version was not kept; `twice`: versions kept more than
    once; `invented`: rows that were never committed."""

    rows: int = 0
    kept: int = 0
    missed: int = 0
    twice: int = 0
    invented: int = 0
    kills: int = 0
    rolled_back: int = 0
    corrected: int = 0
    seconds: float = 0.0
    filled_s: float = 0.0
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not (self.missed or self.twice or self.invented or self.notes)


@dataclass(frozen=True)
class Plan:
    """`there`: rows that are there at the start; `written`: by `sessions` while it is read; `kills` of the poller. What was
    committed has to be here after `settle_s`."""

    there: int
    written: int
    sessions: int = 40
    latest_s: float = 3.0
    window_s: float = 6.0
    kills: int = 3
    settle_s: float = 120.0
    seed: int = 1


def run(database: Database, folder: Path, plan: Plan, patched: Path | None = None) -> Found:
    lis.create(database)
    if plan.there:
        lis.fill(database, plan.there)
    service = Listening(folder, extra=lis.section(database, window_s=plan.window_s), patched=patched)
    service.configure(feeds=" ")
    writers = lis.Writers(database, plan.written, sessions=plan.sessions, latest_s=plan.latest_s, seed=plan.seed)
    found, begun = Found(), time.monotonic()
    try:
        service.start()
        if plan.there:
            lis.patient(lambda: count(service) >= plan.there, 1800)
            found.filled_s = time.monotonic() - begun
        writers.start()
        found.kills = _kill(service, writers, plan)
        writers.join()
        found.corrected = lis.corrected(database, 50)
        wanted = lis.rows_of(database)
        settled = lis.patient(lambda: _latest(service, wanted), plan.settle_s)
        if not settled:
            found.notes.append("the last row did not come")
        time.sleep(plan.window_s / 2)  # what was to come twice would come now
        found.seconds = time.monotonic() - begun
        if service.readiness()[0] != 200 or "odbc_feed_stopped" in service.readiness()[1]:
            found.notes.append("the feed stopped")
        service.stop()
        _judge(service, wanted, found)
        found.rolled_back = writers.rolled_back
    finally:
        service.close()
    return found


def pollers(service: Service) -> list[int]:
    """The processes that read views."""
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                status = (one / "stat").read_text().rpartition(")")[2].split()
                command = (one / "cmdline").read_bytes()
            except OSError:
                continue
            if int(status[1]) == service.pid and b"spawn_main" in command:
                found.append(int(one.name))
    return found


def _kill(service: Service, writers: lis.Writers, plan: Plan) -> int:
    """Kill the poller at random moments, while rows are written."""
    rng, kills = random.Random(plan.seed), 0
    while writers.busy and kills < plan.kills:
        time.sleep(0.5 + rng.random() * 3)
        for one in pollers(service):
            os.kill(one, signal.SIGKILL)
            kills += 1
    return kills


def readings(service: Service) -> int:
    """How often the view was read since the start."""
    found = re.search(r'labbridge_odbc_readings_total\{feed="tables"\} (\d+)', service.metrics())
    return int(found[1]) if found else 0


def count(service: Service) -> int:
    return int(service.rows(COUNT, lis.FEED)[0][0])


def _latest(service: Service, wanted: dict[int, tuple[Any, ...]]) -> bool:
    """Whether as many different rows are here as there are there. How many versions there are of each is not known."""
    if count(service) < len(wanted):
        return False
    return len(_kept(service)[0].keys() & wanted.keys()) == len(wanted) and not _behind(service, wanted)


def _behind(service: Service, wanted: dict[int, tuple[Any, ...]]) -> int:
    versions, _copies = _kept(service)
    return sum(_written(row) not in versions.get(one, ()) for one, row in wanted.items())


def _kept(service: Service) -> tuple[dict[int, set[str]], Counter[str]]:
    """The versions of each row that were kept, and how often each was."""
    versions: dict[int, set[str]] = {}
    copies: Counter[str] = Counter()
    for raw, _state in service.rows(KEPT, lis.FEED):
        (row,) = json.loads(raw)["rows"]
        moment = row["changed"]["timestamp"]
        text = "|".join((moment, row["patient"], row["value"], row["order_no"]))
        versions.setdefault(row["id"], set()).add(text)
        copies[f"{row['id']}|{text}"] += 1
    return versions, copies


def _written(row: tuple[Any, ...]) -> str:
    return "|".join((row[0].isoformat(), *map(str, row[1:])))


def _judge(service: Service, wanted: dict[int, tuple[Any, ...]], found: Found) -> None:
    versions, copies = _kept(service)
    found.rows, found.kept = len(wanted), sum(copies.values())
    found.missed = sum(_written(row) not in versions.get(one, ()) for one, row in wanted.items())
    found.twice = sum(count - 1 for count in copies.values())
    found.invented = len(versions.keys() - wanted.keys())
    log = service.log()
    for line in re.findall(r'"event": ?"(odbc_feed_stopped|keeping_failed|part_failed)"', log):
        found.notes.append(line)
