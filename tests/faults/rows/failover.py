"""T-23: the primary is lost, its standby takes over, the other is made anew, and so on. The client is given both addresses
and finds the one that writes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.checker import CHECKS
from tests.faults.evidence import load
from tests.faults.outcome import Outcome, Run
from tests.faults.rows.database import Accepted, goes_on
from tests.faults.rows.deaths import begin
from tests.faults.service import Service, free_port, until
from tests.faults.world import World

if TYPE_CHECKING:
    from tests.clusters import Cluster

BACK_WITHIN_S = 60.0  # reliability.md 6, DR figures
SENDER = "SELECT pid FROM pg_stat_replication"
FOLLOWS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '{}'"
WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND backend_type = 'client backend'"
WAYS = ("pg_cancel_backend", "pg_terminate_backend", "")  # what becomes of the commits that wait for a standby


class Pair:
    """A primary and its standby, which change places at each failover."""

    def __init__(self, *, synchronous: bool) -> None:
        from tests.clusters import STANDBY, Cluster

        self.synchronous = synchronous
        names = f"synchronous_standby_names={STANDBY if synchronous else ''}"
        self.primary = Cluster(names, port=free_port())
        self.standby = Cluster(names, follows=self.primary, port=free_port())
        self.followed()
        database = self.primary.empty().rpartition("/")[2]
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in (self.primary, self.standby))
        self.url = f"postgresql+psycopg://labbridge@{hosts}/{database}?target_session_attrs=read-write"

    def followed(self) -> bool:
        """Wait until the standby has all that is committed, or whatever it can have where nobody waits for it."""
        how = "sync" if self.synchronous else "async"
        return until(lambda: self.primary.ask("postgres", FOLLOWS.format(how)) == [(1,)], 60) is True

    def part(self) -> None:
        """The primary sends nothing to its standby any more, and does not know it."""
        for (pid,) in self.primary.ask("postgres", SENDER):
            os.kill(pid, signal.SIGSTOP)

    def promote(self) -> None:
        """The primary is lost with all its processes; its standby is the primary now."""
        self.primary.crash(whole=True)
        self.standby.ask("postgres", "SELECT pg_promote(true, 60)")
        self.primary, self.standby = self.standby, self.primary

    def mend(self) -> bool:
        """The one that was lost comes back empty and follows."""
        self.standby.follow(self.primary)
        return self.followed()

    def close(self) -> None:
        for one in (self.primary, self.standby):
            one.close()


@contextmanager
def paired(*, synchronous: bool) -> Iterator[Pair]:
    pair = Pair(synchronous=synchronous)
    try:
        yield pair
    finally:
        pair.close()


def failed_over(run: Run) -> Outcome:
    """T-23. Under load the primary and all its processes are killed, mostly cut off from its standby before; commits that
    wait for the standby are ended or called off by an administrator meanwhile. With a synchronous standby nothing accepted
    is lost; without one the loss is counted, and there must be one: else the run says nothing."""
    found = Outcome()
    _synchronous(run, found)
    _asynchronous(run, found)
    _refused(run, found)
    return found


def _synchronous(run: Run, found: Outcome) -> None:
    waits = []
    with paired(synchronous=True) as pair, _world(run, pair, "sync") as world:
        names = _at_work(world)
        accepted = Accepted(world.folder, names)
        for number in range(run.size(2, 50)):
            accepted.next()
            time.sleep(world.rng.uniform(0.2, 0.8))
            if number % 4:
                pair.part()
                time.sleep(world.rng.uniform(0.2, 0.5))
                found.must(_call_off(pair.primary, WAYS[number % 4 - 1]), "no commit waited for the standby")
            world.nemesis.write({"ev": "down", "how": f"failover {number}"})
            pair.promote()
            world.nemesis.write({"ev": "up"})
            found.must(pair.mend(), "the standby does not follow")
            up = time.monotonic()
            first = accepted.next(up, BACK_WITHIN_S)
            waits.append(first - up if first else BACK_WITHIN_S)
            found.must(first, f"nothing was accepted within {BACK_WITHIN_S:.0f} s of failover {number}")
            found.must(goes_on(world), f"what was accepted before failover {number} is not processed")
            found.trials += 1
        found.must(world.settle(*names, signer=True), "not everything came to rest")
        verdict = world.check(
            without=("C6d",)
        )  # what became of a delivery may be lost with the commit that was not awaited
        found.add(verdict)
        found.exposures = int(sum(load(world.folder, pair.url).in_flight))
        found.figures([verdict], "acked", "duplicates", "delivered")
        found.note += f"; first AA at most {max(waits):.1f} s after the standby followed"
        world.violated |= bool(found.violations)


def _call_off(server: Cluster, way: str) -> bool:
    """What an administrator may do to the commits that wait, one group after the other, and time for an answer to be given
    wrongly. Whether one waited."""
    waits = until(lambda: server.ask("postgres", f"SELECT pid {WAITING}"), 5)
    for _time in range(6 if way else 0):
        server.ask("postgres", f"SELECT {way}(pid) {WAITING}")
        time.sleep(0.1)
    return bool(waits)


def _asynchronous(run: Run, found: Outcome) -> None:
    """The same without anybody waiting for the standby: what is lost is counted and shown."""
    with paired(synchronous=False) as pair, _world(run, pair, "async") as world:
        names = _at_work(world)
        accepted = Accepted(world.folder, names)
        for _number in range(run.size(1, 5)):
            pair.part()
            accepted.next()
            time.sleep(0.5)
            pair.promote()
            found.must(accepted.next(within_s=BACK_WITHIN_S), "async: nothing is accepted any more")
            found.must(pair.mend(), "async: the standby does not follow")
        world.end(*names, "signer")
        found.must(until(world.service.processed, 60), "async: not everything was processed")
        lost = list(CHECKS["C1"](load(world.folder, pair.url)))
        found.must(lost, "async: nothing was lost, so this run could not have seen it")
        found.note += f"; asynchronous: {len(lost)} of {len(accepted.look())} acceptances lost, as must be expected"


def _refused(run: Run, found: Outcome) -> None:
    """A service that is told to be strict does not start where nobody waits for a standby."""
    with paired(synchronous=False) as pair:
        service = Service(run.folder / "strict", database=pair.url, patched=run.patched)
        path = service.configure()
        path.write_text(path.read_text().replace("[store]\n", '[store]\ndurability = "strict"\n'))
        service.start(wait=False)
        ended = until(lambda: not service.alive, 30)
        said = service.log()
        service.close()
        found.must(ended and service.process is not None and service.process.returncode == 78, "strict was not refused")
        found.must("synchronous_standby_names" in said, f"strict was refused without saying why: {said[-200:]}")


@contextmanager
def _world(run: Run, pair: Pair, name: str) -> Iterator[World]:
    with World(run.folder / name, run.seed, run.patched, database=pair.url) as world:
        yield world


def _at_work(world: World) -> list[str]:
    world.lis()
    world.start()
    names = begin(world, 4, timeout_s=1, a_second=40, serology=0.1, malformed=0.01)
    world.signer(refusals=1000)
    return names
