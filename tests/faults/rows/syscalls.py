"""Death and failure at a system call, by strace: T-02, T-24."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.faults import signer, traced
from tests.faults.client import Client
from tests.faults.journal import History
from tests.faults.messages import serology
from tests.faults.outcome import Outcome, Run
from tests.faults.service import until
from tests.faults.world import World

CALLS = ("pwrite64", "fdatasync", "sendto")
POINTS_AT_MOST = 200
DONE = "SELECT 1 FROM work w JOIN journal j ON j.id = w.message WHERE j.control_id = ? AND w.state = 'done'"


def killed_at_each(run: Run) -> Outcome:
    """T-02. The service is killed at every pwrite64, fdatasync and sendto between a message's arrival and its draft, and
    between a signature and the LIS's answer, each once. A point past the last call kills nothing: that ends the sweep."""
    found = Outcome()
    if not traced.present():
        found.gap = traced.NEEDED
        return found
    points: dict[str, int] = {}
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        client = Client(world)
        for way in (_way_in, _way_out):
            for call in CALLS:
                for point in range(1, run.size(2, POINTS_AT_MOST)):
                    name = f"{way.__name__[1:]}-{call}-{point}"
                    if not world.service.alive:
                        world.start()
                    hit = way(world, client, name, call, point)
                    found.trials += hit
                    points[f"{way.__name__[1:]} {call}"] = point if hit else point - 1
                    if not hit:
                        break
        found.must(world.service.quiesce(60), "not everything was processed and delivered after the last kill")
        verdict = world.check()
    found.add(verdict)
    found.exposures = found.trials
    found.note = ", ".join(f"{name}: {count} points" for name, count in points.items())
    return found


def _inject(call: str, what: str, point: int) -> tuple[str, ...]:
    return ("-e", f"trace={call}", "-e", f"inject={call}:{what}:when={point}")


def _way_in(world: World, client: Client, name: str, call: str, point: int) -> bool:
    """One message, under the knife; then the same bytes until they are answered. Whether the knife fell."""
    message = serology(name, name.replace("-", ""))
    with traced.attached(world.service.pid, world.folder / "trace", *_inject(call, "signal=KILL", point)):
        client.send(message, timeout=5)
        until(lambda: not world.service.alive or world.service.processed(), 5)
        hit = _dead(world)
    if hit:
        world.start()
    client.until_answered(message)
    until(world.service.processed)
    return hit


def _way_out(world: World, client: Client, name: str, call: str, point: int) -> bool:
    """One signature, under the knife, until the LIS has the comment; signed again where it was lost."""
    history = History(world.folder / "signer.jsonl")
    client.until_answered(serology(name, name.replace("-", "")))
    until(world.service.processed)
    with traced.attached(world.service.pid, world.folder / "trace", *_inject(call, "signal=KILL", point)):
        keys = signer.worklist(world.service.database)
        signer.sign(world.service.database, keys, history)
        until(lambda: not world.service.alive or world.service.at_rest(), 5)
        hit = _dead(world)
    if hit:
        world.start()
    world.sign()
    until(world.service.at_rest, 30)
    return hit


def _dead(world: World) -> bool:
    """Killed by strace: its death may be a moment away."""
    process = world.service.process
    assert process is not None
    if not traced.ends(process, 0.3):
        return False
    world.nemesis.write({"ev": "kill", "whole": False})
    return True


def fsync_fails(run: Run) -> Outcome:
    """T-24. fdatasync fails once: no answer, exit code 70, and after the next start nothing is claimed that was not sent
    and everything is there that was acknowledged."""
    found = Outcome()
    if not traced.present():
        found.gap = traced.NEEDED
        return found
    with World(run.folder / "w", run.seed, run.patched) as world:
        client = Client(world)
        for trial in range(run.size(1, 30)):
            world.start()
            client.send(serology(f"E{trial}", f"E{trial}"))
            found.must(until(partial(_is_done, world, f"E{trial}"), 30), f"E{trial} was not processed")
            _fail_one(world, client, trial, found)
        world.start()
        for trial in range(found.trials):
            answer = client.until_answered(serology(f"F{trial}", f"F{trial}"))
            found.must(answer is not None and answer.positive, f"F{trial} was not accepted after the restart")
        until(world.service.processed)
        found.add(world.check(without=("C6", "C6e")))
    found.exposures = found.trials
    return found


def _is_done(world: World, control_id: str) -> bool:
    """Stored, and processed: until then a commit of its own may be the one that fails."""
    return bool(world.service.rows(DONE, control_id))


def _fail_one(world: World, client: Client, trial: int, found: Outcome) -> None:
    output: Path = world.folder / "trace"
    with traced.attached(world.service.pid, output, *_inject("fdatasync", "error=EIO", 1)):
        answer = client.send(serology(f"F{trial}", f"F{trial}"), timeout=5)
        process = world.service.process
        assert process is not None
        found.must(traced.ends(process, 10), "the service went on after fdatasync had failed")
        found.must(answer is None, "an answer was given although fdatasync had failed")
        found.must(process.returncode == 70, f"exit code {process.returncode}")
    world.nemesis.write({"ev": "kill", "whole": True})
    world.service.kill()
    found.trials += 1
