"""The store over the years: retention during a backlog (T-62), backups under load (T-80), a restore whose senders send
again (T-81)."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from tests.faults import clock, journal
from tests.faults.client import Client
from tests.faults.evidence import load
from tests.faults.messages import Message, malformed, plain, serology
from tests.faults.outcome import Outcome, Run
from tests.faults.rows.deaths import begin
from tests.faults.service import until
from tests.faults.world import World

WHO = ("--as", "Alex Smith")
WIPED = "SELECT control_id FROM journal WHERE length(raw) = 0"
LEDGER = "SELECT control_id, hex(digest) FROM journal ORDER BY 1, 2"


def expired(run: Run) -> Outcome:
    """T-62. Retention as short as it may be, forty days later, over messages in every state: only finished ones are wiped,
    and what is wiped is known again when it comes again."""
    found = Outcome()
    if not clock.present():
        found.note = clock.NEEDED
        found.must(False, clock.NEEDED)
        return found
    shim = clock.Shim(run.folder)
    with World(run.folder / "w", run.seed, run.patched, environment=shim.environment) as world:
        world.start()
        client = Client(world)
        size = run.size(10, 1000)
        finished = [plain(f"F{number}", f"F{number}") for number in range(size)]
        kept = [serology(f"S{number}", f"S{number}") for number in range(size // 2)]  # their cases are open
        kept += [malformed(f"Q{number}", number) for number in range(size // 2)]
        for message in (*finished, *kept):
            client.send(message)
        until(world.service.processed)
        signed = serology("W1", "W1")
        client.send(signed)
        world.sign()  # the LIS is away: its comment waits
        shim.set(40 * 86400)
        world.kill()
        world.start()
        world.freeze_processing()
        waiting = [plain(f"K{number}", f"K{number}") for number in range(size // 2)]
        for message in waiting:
            client.send(message)
        done = world.service.run("expire", "--days", "35", *WHO)
        found.must(done.returncode == 0, f"expire ended with {done.returncode}: {done.stderr.strip()}")
        wiped = {control_id for (control_id,) in world.service.rows(WIPED)}
        found.trials, found.exposures = 1, len(kept) + len(waiting) + 1
        found.must(wiped == {one.id for one in finished}, f"{len(wiped)} wiped, {len(finished)} were finished and old")
        again = client.send(finished[0])
        found.must(again is not None and again.code == "AA", "a wiped message that came again was not accepted")
        twice = world.service.rows("SELECT count(*), max(duplicates) FROM journal WHERE control_id = ?", finished[0].id)
        found.must(twice == [(1, 1)], f"it was not known again: {twice}")
    return found


def backed_up(run: Run) -> Outcome:
    """T-80. Backups one after the other while senders, signer and LIS are at work; each is restored and compared: whole, and
    with every message that was accepted before it was begun."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        world.start()
        names = begin(world, a_second=run.size(1000, 25))
        world.signer()
        for number in range(run.size(2, 60)):
            begun = time.monotonic()
            _one_backup(world, number, found)
            time.sleep(max(0.0, run.size(0, 5) - (time.monotonic() - begun)))
        world.settle(*names, signer=True)
        verdict = world.check()
        found.add(verdict)
        found.figures([verdict], "acked", "delivered")
    return found


def _one_backup(world: World, number: int, found: Outcome) -> None:
    copy, place = world.folder / f"b{number}.db", world.folder / f"r{number}.db"
    before = _accepted(world)
    for words in (("backup", str(copy)), ("restore", str(copy), "--to", str(place), *WHO)):
        done = world.service.run(*words)
        found.must(done.returncode == 0, f"{words[0]} ended with {done.returncode}: {done.stderr.strip()[:200]}")
        if done.returncode:
            return
    connection = sqlite3.connect(place)
    try:
        held = {one for (one,) in connection.execute("SELECT control_id FROM journal")}
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        connection.close()
    found.trials += 1
    found.exposures += len(before)
    found.must(sound == "ok", f"backup {number}: {sound}")
    found.must(before <= held, f"backup {number} lacks {len(before - held)} messages accepted before it")
    for one in (copy, place):
        _gone(one)


def _accepted(world: World) -> set[str]:
    """What the senders have an acceptance of by now."""
    replies = (one for path in world.folder.glob("s[0-9].jsonl") for one in journal.lines(path) if one["ev"] == "reply")
    return {one["id"] for one in replies if one["code"] == "AA" and one["msa2"] == one["id"]}


def _gone(database: Path) -> None:
    for end in ("", "-wal", "-shm", ".json", ".lock"):
        Path(f"{database}{end}").unlink(missing_ok=True)


def restored(run: Run) -> Outcome:
    """T-81. The store is lost; a backup of before comes back, and the senders send again what they sent since. The ledger is
    what it was, nothing leaves before a person confirms, and the LIS gets no message under an id it does not know."""
    found = Outcome()
    for number in range(run.size(1, 20)):
        with World(run.folder / f"w{number}", run.seed + number, run.patched) as world:
            _lost_and_restored(world, run.size(6, 60), found)
    return found


def _lost_and_restored(world: World, size: int, found: Outcome) -> None:
    world.lis()
    world.start()
    client, copy = Client(world), world.folder / "b.db"
    before = [serology(f"A{number}", f"A{number}") for number in range(size)]
    since = [serology(f"B{number}", f"B{number}") for number in range(size)]
    since += [serology(f"C{number}", f"A{number}", 1) for number in range(size)]  # corrections of what was sent
    _sent(world, client, before)
    found.must(world.service.run("backup", str(copy)).returncode == 0, "no backup was taken")
    _sent(world, client, since)
    whole = world.service.rows(LEDGER)
    known = _arrived(world)
    world.kill()
    _gone(world.service.database)
    done = world.service.run("restore", str(copy), *WHO)
    found.must(done.returncode == 0, f"restore ended with {done.returncode}: {done.stderr.strip()[:200]}")
    world.start()
    for message in (*before, *since):  # they cannot know from when on
        client.until_answered(message)
    until(world.service.processed)
    found.trials += 1
    found.exposures += len(before) + len(since)
    found.must(world.service.rows(LEDGER) == whole, "the ledger is not what it was")
    found.must(_arrived(world) == known, "a comment left before a person confirmed")
    found.must(world.service.run("restore", "--confirm", *WHO).returncode == 0, "it could not be confirmed")
    world.service.quiesce(30)
    new = set(_arrived(world)) - set(known)
    found.must(not new, f"{len(new)} messages under ids the LIS does not know, and nobody signed any")
    found.must(world.service.run("audit", "verify").returncode == 0, "the audit of the restored store is not whole")


def _sent(world: World, client: Client, messages: list[Message]) -> None:
    for message in messages:
        client.until_answered(message)
    world.sign()
    world.service.quiesce(30)


def _arrived(world: World) -> list[str]:
    return [one["id"] for one in load(world.folder, world.service.database).lis if one["ev"] == "arrival"]
