"""Power cuts, replayed: T-03."""

from __future__ import annotations

import os
import random
from pathlib import Path

from tests.faults import bugs, powercut, traced
from tests.faults.outcome import Outcome, Run
from tests.faults.world import World

CONTROL = "synchronous-normal"


def cut(run: Run) -> Outcome:
    """T-03. A traced service under load; at each acknowledgement the disk holds what was synced, with none or random ones
    of the unsynced sectors. A control with synchronous=NORMAL must lose something, else the row could find nothing."""
    found = Outcome()
    if not traced.present():
        found.gap = traced.NEEDED
        return found
    acks, torn = run.size(30, 200), run.size(3, 200)
    found.trials, found.exposures, bad = images(run.folder / "full", run, run.patched, acks=acks, torn=torn)
    found.violations += bad
    if run.patched is None:
        patched = bugs.applied(CONTROL, run.folder / "bug")
        _trials, seen, lost = images(run.folder / "normal", run, patched, acks=run.size(30, 60), torn=0)
        found.must(lost, "the control with synchronous=NORMAL lost nothing: the replay sees nothing")
        found.note = f"control with NORMAL: {len(lost)} of {seen} images bad"
    return found


def images(folder: Path, run: Run, patched: Path | None, *, acks: int, torn: int) -> tuple[int, int, list[str]]:
    """Acknowledgements looked at, images made of them, and those that lost an acknowledged message or were unsound."""
    with World(folder, run.seed, patched) as world:
        world.start()
        trace = world.folder / "trace"
        already, handles = _files(world), _handles(world.service.pid)
        with traced.attached(world.service.pid, trace, *powercut.TRACE):
            world.sender("s0", window=4, count=acks * 2, serology=0.2, malformed=0.0)
            world.wait("s0", 120)
        return _judged(world, powercut.Disk(world.service.database, already, handles), trace, acks=acks, torn=torn)


def _judged(world: World, disk: powercut.Disk, trace: Path, *, acks: int, torn: int) -> tuple[int, int, list[str]]:
    acked: set[str] = set()
    bad: list[str] = []
    seen = made = 0
    rng = random.Random(world.seed)
    for named in disk.acknowledgements(trace):
        acked.update(named)
        if seen >= acks:
            break
        seen += 1
        for number in range(torn + 1):
            image = {name: file.torn(rng) if number else file.synced for name, file in disk.files.items()}
            kept, sound = powercut.held(world.folder / "image", world.service.database.name, image)
            made += 1
            if sound != "ok" or not acked <= kept:
                bad.append(f"at {named[0]}: {len(acked - kept)} lost, {sound}")
    return seen, made, bad


def _files(world: World) -> dict[str, bytes]:
    """The database and its -wal before the trace: all of it is on the disk, for nothing was sent yet."""
    return {
        path.name: path.read_bytes()
        for path in (world.service.database, Path(f"{world.service.database}-wal"))
        if path.is_file()
    }


def _handles(pid: int) -> dict[int, str]:
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = Path(os.readlink(f"/proc/{pid}/fd/{number}")).name
        except OSError:
            continue
    return found
