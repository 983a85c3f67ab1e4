"""A LIS that misbehaves, is slow, is away, refuses, or sends our own messages back: T-30 to T-34."""

from __future__ import annotations

import time

from tests.faults import clock, journal
from tests.faults.checker_out import line_used_again
from tests.faults.client import Client
from tests.faults.evidence import Evidence
from tests.faults.lis import MODES
from tests.faults.messages import Message, plain, serology
from tests.faults.outcome import Outcome, Run
from tests.faults.service import free_port, until
from tests.faults.world import World

MIXED = {**dict.fromkeys(MODES, 1.0), "plain": 12.0}
STATES = "SELECT state, count(*) FROM outbox GROUP BY 1"


def patients(world: World, names: list[str], client: Client) -> None:
    """Each has serology that leads to a comment; all of it is processed."""
    for name in names:
        client.send(serology(f"{name}-0", name))
    until(world.service.processed)


def arrivals(world: World, receiver: str = "lis") -> list[journal.Event]:
    return [one for one in journal.read(world.folder / f"{receiver}.jsonl") if one["ev"] == "arrival"]


def misbehaving(run: Run) -> Outcome:
    """T-30. Comments of the whole service to a LIS that misbehaves in every way, until it has them all; and the product's
    MLLP client alone through many more answers: none is taken for delivered that the LIS did not accept by name."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched, timeout_s=0.5) as world:
        world.lis(modes=MIXED)
        world.start()
        patients(world, [f"L{number}" for number in range(run.size(4, 60))], Client(world))
        world.sign()
        if not world.service.quiesce(run.size(15, 300)):
            world.lis_modes({"plain": 1})  # the last few need not wait for their turn
            found.must(world.service.quiesce(90), "not everything was delivered in the end")
        verdict = world.check()
        found.add(verdict)
        found.trials = int(verdict.figures["arrivals"])
    _exchanges(run, found)
    return found


def _exchanges(run: Run, found: Outcome) -> None:
    modes = dict.fromkeys(MODES, 1.0) | {"late": 0.3, "silent": 0.3}
    with World(run.folder / "x", run.seed, run.patched) as world:
        world.lis(modes=modes)
        lines, count = 8, run.size(60, 12_500)
        world.part("exchanges", "exchanges", port=world.service.receivers["lis"], lines=lines, count=count)
        found.must(world.wait("exchanges", run.size(60, 1800)), "the exchanges did not come to their end")
        trusted = {one["id"] for one in arrivals(world) if one["trusted"]}
        again = list(line_used_again(Evidence(lis=arrivals(world))))
        found.must(not again, f"C6g: {len(again)} on a line whose last answer was doubtful: {again[:3]}")
        done = journal.read(world.folder / "exchanges.jsonl")
        false = [one["id"] for one in done if one["delivered"] and one["id"] not in trusted]
        found.must(not false, f"{len(false)} taken for delivered that the LIS did not accept: {false[:3]}")
        found.must(len(done) == lines * count, f"{len(done)} of {lines * count} exchanges ended")
        missed = sum(not one["delivered"] and one["id"] in trusted for one in done)
        found.trials += len(done)
        found.exposures = sum(one["id"] not in trusted for one in done)
        found.note = f"{missed} accepted ones were not believed and would go again"


def slow(run: Run) -> Outcome:
    """T-31. A LIS that answers after the time is up: the attempts become rarer, carry the same bytes, one at a time; once
    it answers in time it has each comment once."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched, timeout_s=0.5) as world:
        world.lis(modes={"late": 1})
        world.start()
        patients(world, [f"S{number}" for number in range(3)], Client(world))
        world.sign()
        seconds = run.size(6, 120)
        time.sleep(seconds)
        tries = arrivals(world)
        # three lanes, each after 1, 2, 4 ... 30 s at the least, less the jitter: nothing here depends on being fast
        most = 3 * (2 + int((seconds / 0.8) ** 0.5)) if run.quick else 3 * 12
        found.must(1 <= len(tries) <= most, f"{len(tries)} attempts in {seconds} s")
        world.lis_modes({"plain": 1})
        found.must(world.service.quiesce(90), "not everything was delivered in the end")
        verdict = world.check()
        found.add(verdict)
        found.trials, found.exposures = len(tries), int(verdict.figures["arrivals"])
        found.note = f"{len(tries)} attempts of 3 comments in {seconds} s"
    return found


def away(run: Run) -> Outcome:
    """T-32. A LIS that is away while its comments queue; the other receiver's are delivered meanwhile. When it is back it
    is given all but what a correction has overtaken, and memory has not grown."""
    found = Outcome()
    receivers = {"lis": free_port(), "other": free_port()}
    with World(run.folder / "w", run.seed, run.patched, receivers=receivers) as world:
        port, count = free_port(), run.size(12, 400)
        _two_feeds(world, port)
        world.lis("other")
        world.start()
        patients(world, [f"Q{number}" for number in range(count)], Client(world))
        world.sign(600)
        before = world.service.memory_mb()
        patients(world, [f"R{number}" for number in range(4)], Client(world, "client2", port))
        world.sign()
        done = "SELECT count(*) FROM outbox WHERE receiver = 'other' AND state = 'acknowledged'"
        found.must(until(lambda: world.service.rows(done) == [(4,)], 30), "the other receiver had to wait")
        found.must(not arrivals(world), "the LIS that is away was reached")
        called_back = _corrected_meanwhile(world)
        world.lis("lis")
        found.must(world.service.quiesce(120), "the queue was not emptied")
        order = [one["id"] for one in arrivals(world)]
        wanted = {row[0] for row in world.service.rows("SELECT control_id FROM outbox WHERE receiver = 'lis'")}
        found.must(called_back not in order, "C8: a comment left although a newer version of its case had come")
        found.must(set(order) == wanted - {called_back}, "not each of them arrived")
        grown = world.service.memory_mb() - before
        found.must(grown <= 50, f"memory grew by {grown:.0f} MB")
        found.add(world.check())
        found.trials, found.exposures = 1, count
        found.note = f"{count} queued, memory grew by {grown:.0f} MB"
    return found


def _corrected_meanwhile(world: World) -> str:
    """A comment that was tried already is overtaken by a correction; its control id."""
    tried = "SELECT control_id, lane FROM outbox WHERE receiver = 'lis' AND attempts > 0 ORDER BY id LIMIT 1"
    ((control_id, lane),) = until(lambda: world.service.rows(tried), 30)
    patient = lane.rpartition("|")[2]
    Client(world, "client3").send(serology(f"{patient}-1", patient, 1, "5"))
    until(world.service.processed)
    return str(control_id)


def _two_feeds(world: World, port: int) -> None:
    zone = 'timezone = "Europe/Paris"\nsettle_s = 0\n'
    world.service.configure(
        f'[feeds.myolis]\nlisten = "127.0.0.1:{world.service.port}"\nreceiver = "lis"\n{zone}'
        f'[feeds.second]\nlisten = "127.0.0.1:{port}"\nreceiver = "{list(world.service.receivers)[-1]}"\n{zone}'
    )


def poison(run: Run) -> Outcome:
    """T-33. A message that cannot be processed (its feed is gone) parks its lane and no other, and goes through in its
    place after the repair; a comment that the LIS refuses ten times is given up for a person and holds up its lane alone."""
    found = Outcome()
    for number in range(run.size(1, 8)):
        _poison_in(run, number, found)
        _poison_out(run, number, found)
    return found


def _poison_in(run: Run, number: int, found: Outcome) -> None:
    with World(run.folder / f"i{number}", run.seed + number, run.patched) as world:
        port = free_port()
        _two_feeds(world, port)
        world.lis()
        world.start()
        lost = Client(world, "second", port)
        client = Client(world)
        world.freeze_processing()
        lost.send(plain("V0", "V", 0))
        for pseq in range(1, 4):
            client.send(plain(f"V{pseq}", "V", pseq))
            client.send(plain(f"U{pseq}", f"U{pseq}"))
        world.kill()
        world.service.configure()
        world.start()
        others = "SELECT count(*) FROM journal WHERE control_id LIKE 'U%' AND state = 'done'"
        found.must(until(lambda: world.service.rows(others) == [(3,)], 30), "another lane had to wait")
        parked = "SELECT control_id, state FROM journal WHERE control_id LIKE 'V%' ORDER BY id"
        found.must(until(lambda: world.service.rows(parked)[0] == ("V0", "parked"), 30), "the poison was not parked")
        states = world.service.rows(parked)
        found.must([one[1] for one in states[1:]] == ["kept"] * 3, f"the lane did not wait: {states}")
        world.service.stop()
        _two_feeds(world, port)
        world.start()
        key = world.service.rows("SELECT id FROM journal WHERE control_id = 'V0'")[0][0]
        done = world.service.run("reprocess", f"M{key}", "--as", "Alex Smith")
        found.must(done.returncode == 0, f"reprocess: {done.stdout}{done.stderr}")
        found.must(until(world.service.processed, 30), "the lane did not go on after the repair")
        found.add(world.check())
        found.trials += 1
        found.exposures += 7


def _poison_out(run: Run, number: int, found: Outcome) -> None:
    shim = clock.Shim(run.folder) if clock.present() else None
    environment = shim.environment if shim else {}
    with World(run.folder / f"o{number}", run.seed + number, run.patched, environment=environment) as world:
        world.lis()
        world.lis_modes({"plain": 1}, refuse="POISON")
        world.start()
        client = Client(world)
        patients(world, ["POISON", "G1", "G2", "G3"], client)
        world.sign()
        others = "SELECT count(*) FROM outbox WHERE lane NOT LIKE '%POISON' AND state = 'acknowledged'"
        found.must(until(lambda: world.service.rows(others) == [(3,)], 30), "another lane had to wait")
        if shim and not run.quick:
            _given_up(world, shim, client, found)
        else:
            world.lis_modes({"plain": 1})
            found.note = "" if shim else clock.NEEDED
        found.must(world.service.quiesce(60), "not everything came to an end")
        found.add(world.check(without=("C6d",)))
        found.trials += 1
        found.exposures += 4


def _given_up(world: World, shim: clock.Shim, client: Client, found: Outcome) -> None:
    """The clock is set forward past each wait, until the tenth refusal; then the lane goes on with what is newer."""
    refusals = "SELECT refusals, state FROM outbox WHERE lane LIKE '%POISON' ORDER BY id"
    for count in range(1, 11):
        seen = until(lambda wanted=count: world.service.rows(refusals)[0][0] >= wanted, 20)  # type: ignore[misc]
        found.must(seen, f"no refusal number {count} was taken in")
        shim.set(count * 400)
    found.must(world.service.rows(refusals)[0] == (10, "failed"), f"after ten: {world.service.rows(refusals)}")
    world.lis_modes({"plain": 1})
    client.send(serology("POISON-1", "POISON", 1, "5"))
    world.sign()
    found.must(until(lambda: world.service.rows(refusals)[-1][1] == "acknowledged", 30), "the lane did not go on")


def reflected(run: Run) -> Outcome:
    """T-34. The LIS sends every comment back, as it is, under another control id, and under another sender's name: it is
    kept, and nothing comes of it."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        world.start()
        client = Client(world)
        patients(world, [f"E{number}" for number in range(run.size(3, 40))], client)
        world.sign()
        world.service.quiesce()
        before = world.service.rows('SELECT "case", version FROM drafts'), world.service.rows(STATES)
        for one in arrivals(world):
            for way in range(run.size(3, 60)):
                client.send(_back(one, way))
                found.trials += 1
        until(world.service.processed)
        after = world.service.rows('SELECT "case", version FROM drafts'), world.service.rows(STATES)
        found.must(before == after, f"reflections led to something: {len(after[0]) - len(before[0])} new drafts")
        found.must(not world.sign(5), "a reflection led to a comment")
        known = "SELECT count(*) FROM journal WHERE reason = 'echo'"
        found.must(world.service.rows(known) == [(found.trials,)], "not each was known for one of ours")
        found.add(world.check())
    found.exposures = found.trials
    return found


def _back(arrival: journal.Event, way: int) -> Message:
    raw, control_id = arrival["raw"].encode("utf-8", "surrogateescape"), arrival["id"]
    if way:
        raw = raw.replace(control_id.encode(), f"BACK{way}-{control_id}".encode(), 1)
        control_id = f"BACK{way}-{control_id}"
    if way > 1:
        raw = raw.replace(b"|LABBRIDGE|", b"|MYOLIS|", 1)
    return Message(control_id, "", -1, "reflection", "", raw)
