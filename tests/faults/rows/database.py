"""PostgreSQL under the service: it restarts and is away (T-21), the outcome of a commit is unknown (T-22). The servers are
the row's own, and so are the proxies."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults import beside, journal
from tests.faults.beside import Unanswered
from tests.faults.evidence import load
from tests.faults.journal import Event
from tests.faults.outcome import Outcome, Run
from tests.faults.rows.deaths import begin
from tests.faults.service import free_port, until
from tests.faults.world import World

if TYPE_CHECKING:
    from tests.clusters import Cluster

BACK_WITHIN_S = 5.0  # reliability.md T-21: the first acceptance once the server is up
IN_HAND_S = 0.3  # what was committed before the server went may be answered so long after
UNREADY_WITHIN_S = 2.5
WRITER = "SELECT pid FROM pg_stat_activity WHERE application_name = 'labbridge' AND query LIKE '%COMMIT%'"
OPEN_UP_TO = "SELECT count(*) FROM work WHERE state = 'kept' AND message <= ?"
WAY_IN = {"intake": 0.1, "again": 0.05, "begun": 0.05, "processing": 0.1}  # how often, of the commits of a kind
WAY_OUT = {"release": 0.1, "claim": 0.5, "settle": 0.3}  # apart: one attempt after another, with pauses after trouble
WAYS = {"swallow": 1.0, "vanish": 0.3}


@contextmanager
def stored(*settings: str) -> Iterator[tuple[Cluster, str]]:
    """A server of this row alone, and the URL of an empty database on it."""
    from tests.clusters import Cluster

    server = Cluster(*settings, port=free_port())
    try:
        yield server, server.empty()
    finally:
        server.close()


class Accepted:
    """The acceptances that senders have written down, as they come."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        self._read = {folder / f"{name}.jsonl": 0 for name in names}
        self.times: list[float] = []

    def look(self) -> list[float]:
        """When each was, oldest first."""
        for path, place in self._read.items():
            with path.open("rb") as file:
                file.seek(place)
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self._read[path] = place + whole
            events = map(journal.parsed, data[:whole].splitlines())
            self.times += [one["t"] for one in events if one["ev"] == "reply" and one["code"] in ("AA", "CA")]
        self.times.sort()
        return self.times

    def next(self, after: float = 0, within_s: float = 60) -> float | None:
        """Wait for the first one after a moment, or after now; None where there is none in time."""
        moment = after or time.monotonic()
        found: float | None = until(lambda: next((one for one in self.look() if one > moment), None), within_s)
        return found


# ---------------------------------------------------------------- T-21


def away(run: Run) -> Outcome:
    """T-21. The server is killed, stopped, frozen, or the session that writes is killed; meanwhile nothing is accepted,
    afterwards all goes on by itself."""
    found, waits = Outcome(), []
    with stored() as (server, url), World(run.folder / "w", run.seed, run.patched, database=url) as world:
        world.lis()
        world.start()
        names = begin(world, 5, timeout_s=1, a_second=30, serology=0.1, malformed=0.01)
        world.signer(refusals=1000)
        accepted, pid = Accepted(world.folder, names), world.service.pid
        for number in range(run.size(4, 200)):
            how = ("killed", "frozen", "stopped", "session")[number % 4]
            seconds = _down_s(world.rng, number, run)
            accepted.next()
            down, ending, up = _outage(world, server, how, seconds, found)
            first = accepted.next(ending, 30)
            waits.append(max(0.0, first - up) if first else 30.0)
            found.must(waits[-1] <= BACK_WITHIN_S, f"{how} for {seconds:.1f} s: first AA {waits[-1]:.1f} s after")
            told = [one for one in accepted.times if down + IN_HAND_S < one < ending]
            found.must(not told, f"{how}: {len(told)} accepted in the outage")
            found.must(goes_on(world), f"{how} for {seconds:.1f} s: what was accepted is not processed")
            found.trials += 1
        found.must(world.service.alive and world.service.pid == pid, "the service ended")
        found.must(world.settle(*names, signer=True), "not everything came to rest")
        verdict = world.check()
        found.add(verdict)
        found.exposures = int(sum(load(world.folder, url).in_flight))
        found.figures([verdict], "acked", "duplicates", "delivered")
        found.note += f"; first AA at most {max(waits):.1f} s after the server was up"
        world.violated |= bool(found.violations)
    return found


def _down_s(rng: random.Random, number: int, run: Run) -> float:
    """Mostly short; now and then so long that the pauses between two tries to reach it have grown."""
    if number % 9 == 4:  # of each way to go, one after the other
        return rng.uniform(8, 9) if run.quick else rng.uniform(10, 20)
    return rng.uniform(0.6, 1.5)


def _outage(world: World, server: Cluster, how: str, seconds: float, found: Outcome) -> tuple[float, float, float]:
    """When it went, when it was let come back, and when it answered again."""
    if how == "session":
        _session_killed(world, server)
    else:
        {"frozen": lambda: server.signal(signal.SIGSTOP), "killed": server.crash, "stopped": server.stop}[how]()
    world.nemesis.write({"ev": "down", "how": how})
    down = ending = time.monotonic()
    if how != "session":
        if seconds > UNREADY_WITHIN_S + 2:
            time.sleep(UNREADY_WITHIN_S)
            status, code = world.service.readiness()
            found.must((status, "store_unavailable" in code) == (503, True), f"{how}: readiness said {status} {code}")
        time.sleep(max(0.0, down + seconds - time.monotonic()))
        ending = time.monotonic()
        server.signal(signal.SIGCONT) if how == "frozen" else server.start()
    until(lambda: _answers(world))
    world.nemesis.write({"ev": "up"})
    return down, ending, time.monotonic()


def _session_killed(world: World, server: Cluster) -> None:
    """The server ends all its sessions and recovers, by itself."""
    before = set(server.processes()[1:])
    for (pid,) in beside.rows(world.service.database, WRITER):
        os.kill(pid, signal.SIGKILL)
    until(lambda: before.isdisjoint(server.processes()))


def _answers(world: World) -> bool:
    try:
        return beside.rows(world.service.database, "SELECT 1") == [(1,)]
    except Unanswered:
        return False


def goes_on(world: World) -> bool:
    """Whether everything accepted until now is processed soon."""
    ((newest,),) = world.service.rows("SELECT max(id) FROM journal")
    return bool(until(lambda: world.service.rows(OPEN_UP_TO, newest) == [(0,)], 15, 0.1))


# ---------------------------------------------------------------- T-22


def unanswered(run: Run) -> Outcome:
    """T-22. A proxy lets commits through and swallows their answers: of intake, of processing, of a release, of a delivery's
    claim and of what became of it. Nothing is lost, and nothing is there twice, nor at the LIS."""
    found, port = Outcome(), free_port()
    with stored() as (server, url):
        through = url.replace(f":{server.port}/", f":{port}/")
        soon = "[node]\nrenewal_s = 1\n"  # what it lost with its session it takes again within a fifth of that
        with World(run.folder / "w", run.seed, run.patched, database=url, store=through, extra=soon) as world:
            world.pgproxy("pg", port, server.port)
            world.lis()
            world.start()
            names = begin(world, 4, timeout_s=0.3, window=4, serology=0.15, malformed=0.01, again=0.01)
            world.signer(pause_s=0.05, refusals=1000)
            for kinds, enough in ((WAY_IN, run.size(8, 880)), (WAY_OUT, run.size(4, 120))):
                _swallowed(world, kinds, enough, run.size(0, 40), run.size(30, 900))
            found.must(world.settle(*names, signer=True), "not everything came to rest")
            verdict = world.check()
            found.add(verdict)
            _once(found, journal.read(world.folder / "lis.jsonl"))
            events = _faults(world)
            swallowed = Counter(kind for one in events for kind in one["kinds"])
            found.trials, found.exposures = len(events), swallowed.total()
            scarce = [kind for kind in (*WAY_IN, *WAY_OUT) if swallowed[kind] < run.size(0, 40)]
            found.must(not scarce, f"too few were swallowed of {scarce}: {dict(swallowed)}")
            found.figures([verdict], "acked", "duplicates", "delivered")
            found.note += ", swallowed: " + ", ".join(f"{count} {kind}" for kind, count in sorted(swallowed.items()))
            world.violated = bool(found.violations)
    return found


def _swallowed(world: World, kinds: dict[str, float], enough: int, of_each: int, within_s: float) -> None:
    """Swallow answers to these kinds of commits, until there are so many more, and so many of each."""
    before = len(_faults(world))
    world.pgproxy_ways(
        "pg", **{kind: {way: part * often for way, part in WAYS.items()} for kind, often in kinds.items()}
    )

    def met() -> bool:
        events = _faults(world)[before:]
        found = Counter(kind for one in events for kind in one["kinds"])
        return len(events) >= enough and all(found[kind] >= of_each for kind in kinds)

    until(met, within_s, 0.5)
    world.pgproxy_ways("pg")


def _faults(world: World) -> list[Event]:
    path = world.folder / "pg.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [journal.parsed(line) for line in lines if '"ev": "fault"' in line and line.endswith("}")]


def _once(found: Outcome, arrivals: list[Event]) -> None:
    """The LIS was never away and refused nothing: each comment came to it once."""
    counts: Counter[Any] = Counter(one["id"] for one in arrivals if one["ev"] == "arrival")
    twice = [id for id, count in counts.items() if count > 1]
    found.must(not twice, f"{len(twice)} comments came to the LIS more than once: {', '.join(twice[:3])}")
