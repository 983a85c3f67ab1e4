"""Corrections at every stage of a comment's life: check C8."""

from __future__ import annotations

from tests.faults.checker import Verdict
from tests.faults.evidence import load
from tests.faults.outcome import Outcome, Run
from tests.faults.rows.deaths import begin
from tests.faults.service import until
from tests.faults.world import World

A_WORLD, MESSAGES = 4000, 40
MODES = {"plain": 10, "ae": 1, "close": 1, "ca_then_aa": 1}


def corrected(run: Run) -> Outcome:
    """C8. Nothing but serology, each corrected up to seven times while its comment is drafted, signed, on its way, refused
    or at the LIS, with a kill now and then: no comment arrives after one of a newer version, or after that was written."""
    found, verdicts = Outcome(), []
    wanted = run.size(60, 20_000)
    while found.exposures < wanted and not found.violations:
        number = len(verdicts) + 1
        verdict, corrections = _world(run, number, min(A_WORLD, wanted - found.exposures))
        verdicts.append(verdict)
        found.add(verdict)
        found.exposures += corrections
        found.trials += int(verdict.figures["arrivals"])
    found.figures(verdicts, "acked", "delivered", "arrivals", "kills")
    found.note += f", {found.exposures} corrections"
    return found


def _world(run: Run, number: int, wanted: int) -> tuple[Verdict, int]:
    folder = run.folder / f"w{number}"
    with World(folder, run.seed + number, run.patched, timeout_s=1) as world:
        world.lis(modes=MODES)
        world.start()
        names = begin(world, 2, serology=1.0, malformed=0.0, messages=8, count=max(MESSAGES, wanted * 4 // 7))
        world.signer(pause_s=0.05)
        for _kill in range(run.size(1, 3)):
            world.wait(names[0], world.rng.uniform(1, run.size(2, 15)))
            world.kill()
            world.start()
        for name in names:
            world.wait(name, 600)
        until(world.service.processed, 300)
        world.lis_modes({"plain": 1})
        world.settle(*names, signer=True, within_s=300)
        verdict = world.check()
        seen = load(folder, world.service.database)
        accepted = seen.accepted
        return verdict, sum(one["pseq"] > 0 and one["id"] in accepted for one in seen.sent.values())
