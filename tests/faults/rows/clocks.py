"""The wall clock jumps: T-61."""

from __future__ import annotations

import time

from tests.faults import clock
from tests.faults.client import Client
from tests.faults.messages import serology
from tests.faults.outcome import Outcome, Run
from tests.faults.service import until
from tests.faults.world import World

HOUR, DAY, DECADE = 3600, 86_400, 315_360_000


def jumps(run: Run) -> Outcome:
    """T-61. The wall clock of the service jumps an hour and a day both ways, and ten years ahead, under load; and back by a
    day while a comment waits for its next attempt: order holds, and nothing waits for a time that will not come."""
    found = Outcome()
    if not clock.present():
        found.gap = clock.NEEDED
        return found
    shim = clock.Shim(run.folder)
    with World(run.folder / "w", run.seed, run.patched, environment=shim.environment) as world:
        world.lis(modes={"plain": 3, "ae": 1})
        world.start()
        world.sender("s0", window=4, serology=0.05, malformed=0.0)
        world.signer()
        for seconds in (HOUR, DAY, -DAY, 0) if run.quick else (HOUR, -HOUR, DAY, -DAY, DECADE, 0) * 3:
            time.sleep(run.size(1, 4))
            world.nemesis.write({"ev": "clock", "seconds": seconds})
            shim.set(seconds)
            found.trials += 1
        world.lis_modes({"plain": 1})
        world.end("s0")
        world.end("signer")
        _back_while_waiting(world, shim, found)
        # a message from the future is held (clinical.md C10.32), so a comment may be missing; C8 reads the wall clock
        verdict = world.check(without=("C4e", "C6d", "C6e", "C8"))  # the newest is told by the clock
        found.add(verdict)
        found.exposures = int(verdict.figures["acked"])
        found.figures([verdict], "acked", "delivered")
    return found


def _back_while_waiting(world: World, shim: clock.Shim, found: Outcome) -> None:
    """Refused tomorrow, due tomorrow, and then it is today again."""
    world.lis_modes({"ae": 1})
    shim.set(DAY)
    Client(world).send(serology("BACK", "BACK"))
    world.sign()
    refused = "SELECT count(*) FROM outbox WHERE refusals > 0 AND state = 'waiting'"
    found.must(until(lambda: world.service.rows(refused)[0][0] > 0, 30), "nothing was refused")
    shim.set(0)
    world.lis_modes({"plain": 1})
    found.must(world.service.quiesce(40), "a comment waits for a time that lies a day ahead")
    found.trials += 1
