"""What came before: T-10, T-11, T-12, T-13."""

from __future__ import annotations

import threading
from collections import Counter

from tests.faults import clock, wire
from tests.faults.client import Client
from tests.faults.messages import Message, plain
from tests.faults.outcome import Outcome, Run
from tests.faults.service import until
from tests.faults.world import World

SWALLOWED = {"pass": 20, "swallow": 1, "cut": 1, "corrupt": 0.5}
ROWS = "SELECT count(*), max(duplicates) FROM journal WHERE control_id = ?"


def answer_lost(run: Run) -> Outcome:
    """T-10. A proxy swallows answers, cuts them short and corrupts them; the sender sends the same bytes again."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.lis()
        world.start()
        port = world.proxy("proxy", world.service.port, down=SWALLOWED)
        names = [f"s{number}" for number in range(4)]
        for name in names:
            count = run.size(120, 4_000)
            world.sender(name, port=port, window=4, timeout_s=1, count=count, malformed=0.02, serology=0.01)
        for name in names:
            found.must(world.wait(name, run.size(60, 900)), f"{name} did not come to its end")
        until(world.service.processed)
        world.sign()
        found.must(world.service.quiesce(60), "not everything was delivered")
        found.trials = _faults(world)
        verdict = world.check(without=("C10",))  # a corrupted answer names another message
        found.add(verdict)
        found.exposures = int(verdict.figures["duplicates"])
        found.must(found.exposures, "nothing was ever sent twice: the run says nothing")
        found.figures([verdict], "acked", "duplicates")
    return found


def _faults(world: World) -> int:
    return (world.folder / "proxy.jsonl").read_text().count('"ev": "fault"')


def id_used_again(run: Run) -> Outcome:
    """T-11. A sender whose counter starts again: the same MSH-10 with other bytes. Both are kept, the second is marked."""
    found = Outcome()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.start()
        client = Client(world)
        found.trials = run.size(40, 2000)
        for number in range(found.trials):
            for pseq in range(2):
                answer = client.send(plain(f"R{number}", f"R{number}", pseq))
                found.must(answer is not None and answer.code == "AA", f"R{number} was not accepted")
        until(world.service.processed)
        kept = world.service.rows("SELECT control_id, count(*) FROM journal GROUP BY 1 HAVING count(*) <> 2")
        marked = world.service.rows("SELECT count(*) FROM audit WHERE action = 'control_id_reuse'")[0][0]
        found.must(not kept, f"{len(kept)} ids without their two messages")
        found.must(marked == found.trials, f"{marked} of {found.trials} marked")
        found.add(world.check())
    found.exposures = 2 * found.trials
    return found


def at_once(run: Run) -> Outcome:
    """T-12, MLLP part. The same message on 32 connections at the same moment: one row, and every answer accepts it."""
    found = Outcome()
    hands = 32
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.start()
        client = Client(world)
        for number in range(run.size(4, 300)):
            message = plain(f"P{number}", f"P{number}")
            codes = _together(client, message, hands)
            rows, duplicates = world.service.rows(ROWS, message.id)[0]
            found.must(codes == Counter({"AA": hands}), f"{message.id} was answered {dict(codes)}")
            found.must((rows, duplicates) == (1, hands - 1), f"{message.id}: {rows} rows, {duplicates} duplicates")
            found.trials += 1
        until(world.service.processed)
        found.add(world.check())
    found.exposures = found.trials * hands
    return found


def _together(client: Client, message: Message, hands: int) -> Counter[str]:
    codes: Counter[str] = Counter()
    start = threading.Barrier(hands)

    def hand(source: str) -> None:
        with wire.connect(client.port, source) as channel:
            start.wait(20)
            answer = client.on(channel, message)
            codes[answer.code if answer else "none"] += 1

    threads = [threading.Thread(target=hand, args=(f"127.0.1.{number + 1}",)) for number in range(hands)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return codes


def long_after(run: Run) -> Outcome:
    """T-13. The same bytes after a kill, after a clean stop, and (where the clock can be set) after 1 hour, 25 hours, 8 and
    34 days: still the first message, the same answer."""
    found = Outcome()
    shim = clock.Shim(run.folder) if clock.present() else None
    with World(run.folder / "w", run.seed, run.patched, environment=shim.environment if shim else {}) as world:
        world.start()
        client = Client(world)
        messages = [plain(f"H{number}", f"H{number}") for number in range(run.size(20, 500))]
        for message in messages:
            client.send(message)
        jumps = (0, 1, 34 * 24) if run.quick else (0, 0, 1, 25, 8 * 24, 34 * 24)
        for hours in jumps if shim else (0, 0):
            if shim:
                shim.set(hours * 3600)
            world.kill() if found.trials % 2 else world.service.stop()
            world.start()
            for message in messages:
                answer = client.send(message)
                found.must(answer is not None and answer.code == "AA", f"{message.id} after {hours} h")
            found.trials += 1
            found.exposures += len(messages)
        until(world.service.processed)
        kept = world.service.rows("SELECT count(*) FROM journal")[0][0]
        found.must(kept == len(messages), f"{kept} rows for {len(messages)} messages")
        found.add(world.check())
    found.note = "" if shim else clock.NEEDED
    return found
