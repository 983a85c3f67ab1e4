"""Death and sleep of processes: T-01, T-04, T-05, T-06, T-64."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.faults import journal
from tests.faults.checker import Verdict
from tests.faults.client import Client
from tests.faults.evidence import load
from tests.faults.messages import plain, serology
from tests.faults.outcome import Outcome, Run
from tests.faults.service import free_port, until
from tests.faults.world import World

SENDERS, WINDOW, CYCLES_A_WORLD = 4, 8, 20
IN_FLIGHT, SHARE = 8, 0.9


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def begin(world: World, senders: int = SENDERS, **settings: object) -> list[str]:
    """Senders, LIS and signer at work; the names of the senders."""
    names = [f"s{number}" for number in range(senders)]
    for name in names:
        world.sender(name, **{"window": WINDOW, "again": 0.02, "serology": 0.05, **settings})
    until(lambda: all((world.folder / f"{name}.jsonl").is_file() for name in names))
    return names


def killed(run: Run) -> Outcome:
    """T-01. Senders, a signer and a LIS at work; the service is killed at random moments and started again."""
    found, verdicts, flights = Outcome(), [], []
    cycles, acked = run.size(4, 210), run.size(0, 101_000)
    number = 0
    while found.trials < cycles or sum(one.figures["acked"] for one in verdicts) < acked:
        number += 1
        folder = run.folder / f"w{number}"
        verdict, at_kills = _kill_cycles(folder, run, min(CYCLES_A_WORLD, cycles), number)
        verdicts.append(verdict)
        flights += at_kills
        found.trials += len(at_kills)
        found.add(verdict)
    found.exposures = sum(flights)
    enough = sum(one >= IN_FLIGHT for one in flights) / len(flights)
    found.figures(verdicts, "acked", "duplicates", "delivered")
    p99 = max(one.figures["recovery_p99_s"] for one in verdicts)
    found.note += f", {enough:.0%} of kills with at least {IN_FLIGHT} in flight, first AA p99 {p99:.1f} s"
    if enough < SHARE and not run.quick:
        found.violations.append("too few messages were in flight: the run says too little")
    _half_killed(run, found)
    return found


def _kill_cycles(folder: Path, run: Run, cycles: int, number: int) -> tuple[Verdict, list[int]]:
    with World(folder, run.seed + number, run.patched) as world:
        world.lis()
        world.start()
        names = begin(world)
        world.signer()
        for _cycle in range(cycles):
            time.sleep(world.rng.uniform(0.05, 1.5))
            world.kill(whole=world.rng.random() < 0.7)
            world.start()
        world.settle(*names, signer=True, within_s=run.size(120, 600))
        verdict = world.check(recovery_bound_s=run.size(60, 10))
        return verdict, load(folder, world.service.database).in_flight


def _half_killed(run: Run, found: Outcome) -> None:
    """The processing process alone is killed; the service starts another, and what waits is processed."""
    with World(run.folder / "half", run.seed, run.patched) as world:
        world.start()
        client = Client(world)
        for number in range(run.size(1, 20)):
            client.send(plain(f"H{number}", f"H{number}"))
            os.kill(children(world.service.pid)[0], signal.SIGKILL)
            found.trials += 1
            client.send(plain(f"I{number}", f"I{number}"))
            found.must(until(world.service.processed, 30), "the processing process did not come back")
            until(lambda: children(world.service.pid))
        found.add(world.check())


def killed_while_recovering(run: Run) -> Outcome:
    """T-04. Killed under load, then again and again while it starts, before it is left to come up."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        world.start()
        names = begin(world, 2)
        world.signer()
        for _chain in range(run.size(1, 40)):
            time.sleep(world.rng.uniform(0.2, 0.6))
            for _nested in range(run.size(3, 5)):
                world.kill()
                found.trials += 1
                world.start(wait=False)
                time.sleep(world.rng.uniform(0.4, 1.4))
            until(lambda: world.service.ready())
        world.settle(*names, signer=True)
        verdict = world.check()
        found.add(verdict)
        found.exposures = int(verdict.figures["in_flight"])
        found.figures([verdict], "acked", "delivered")
    return found


def reconfigured(run: Run) -> Outcome:
    """T-05. Comments wait for a LIS that is away; between kill and start another receiver is configured and named by the
    feed. What was signed goes where it was addressed, what is signed from then on to the other."""
    found = Outcome()
    for number in range(run.size(1, 10)):
        receivers = {"lis": free_port()}
        with World(run.folder / f"w{number}", run.seed + number, run.patched, receivers=receivers) as world:
            world.start()
            client = Client(world)
            for patient in range(3):
                client.send(serology(f"A{patient}", f"A{patient}"))
            world.sign()
            pinned = world.service.rows('SELECT "case", version, knowledge FROM drafts')
            world.kill()
            world.service.receivers["other"] = free_port()
            _feed_to(world, "other")
            world.lis("lis")
            world.lis("other")
            world.start()
            for patient in range(3):
                client.send(serology(f"B{patient}", f"B{patient}"))
            world.sign()
            found.must(world.service.quiesce(30), "not everything was delivered")
            routes = world.service.rows("SELECT receiver, lane FROM outbox ORDER BY id")
            for receiver, lane in routes:
                wanted = "lis" if "|A" in lane.rpartition(":")[2] else "other"
                found.must(receiver == wanted, f"{lane} went to {receiver}")
            found.must(len(routes) == 6, f"{len(routes)} comments instead of 6")
            after = world.service.rows('SELECT "case", version, knowledge FROM drafts')
            found.must(set(pinned) <= set(after), "a draft's knowledge changed")
            found.add(world.check())
        found.trials += 1
        found.exposures += 6
    return found


def _feed_to(world: World, receiver: str) -> None:
    port = world.service.port
    world.service.configure(
        f'[feeds.myolis]\nlisten = "127.0.0.1:{port}"\ntimezone = "Europe/Paris"\nsettle_s = 0\nreceiver = "{receiver}"\n'
    )


def frozen(run: Run) -> Outcome:
    """T-06. SIGSTOP of the service, of its processing process, and of the LIS, longer than answers are waited for."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        world.start()
        names = begin(world, 2, timeout_s=2)
        world.signer()
        for _round in range(run.size(1, 12)):
            seconds = world.rng.uniform(1, 2.5 if run.quick else 12)
            targets = {
                "service": world.service.pid,
                "processing": children(world.service.pid)[0],
                "lis": world.pid("lis"),
            }
            for what, pid in targets.items():
                time.sleep(0.3)
                world.freeze(pid, seconds, what)
                found.trials += 1
        world.settle(*names, signer=True)
        verdict = world.check()
        found.add(verdict)
        found.exposures = int(verdict.figures["acked"])
        found.figures([verdict], "acked", "duplicates", "delivered", "arrivals")
    return found


def terminated(run: Run) -> Outcome:
    """T-64. SIGTERM under load: everything in hand is answered, exit code 0 within 20 s, nothing lost, nothing refused."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        world.start()
        names = begin(world, 2, malformed=0.0)
        world.signer()
        for _stop in range(run.size(2, 100)):
            time.sleep(world.rng.uniform(0.3, 1.0))
            world.nemesis.write({"ev": "stop"})
            code = world.service.stop(20)
            found.trials += 1
            found.must(code == 0, f"exit code {code}")
            world.start()
        world.settle(*names, signer=True)
        verdict = world.check()
        found.add(verdict)
        found.exposures = int(verdict.figures["acked"])
        refused = [e for name in names for e in journal.read(world.folder / f"{name}.jsonl")
                   if e["ev"] == "reply" and e["code"] not in ("AA", "CA")]  # fmt: skip
        found.must(not refused, f"{len(refused)} refused")
        found.figures([verdict], "acked", "duplicates", "delivered")
    return found
