"""The disk: full (T-20), and rotten (T-25)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.faults.client import Client
from tests.faults.messages import Message, plain, serology
from tests.faults.outcome import Outcome, Run
from tests.faults.service import until
from tests.faults.signer import ask
from tests.faults.world import World, listens

SMALL = 700_000
# What a wrong bit may change unseen; a row that is parked as damaged changes the state of its message.
UNSUMMED = (
    "SELECT id, sender, control_id, hex(digest), state FROM journal ORDER BY id",
    'SELECT id, "case", version, receiver, lane, control_id, expires FROM outbox ORDER BY id',
)
MESSAGES = "SELECT raw, digest FROM journal UNION ALL SELECT raw, digest FROM outbox"
RESULTS = "SELECT lane, message, who, kind, collected, body, crc FROM results"
# Rows that are looked over: what is changed has a line of the audit that names it.
LOOKED_OVER = {
    "SELECT id, 'M' || message, * FROM work": "work",
    "SELECT id, 'C' || id, * FROM cases": "cases",
    "SELECT \"case\" || '@' || version, 'C' || \"case\", * FROM drafts": "drafts",
}
TOLD = (  # also a case that is a person's again, for the bytes of its comment are not those that were signed
    "SELECT subject FROM audit WHERE action = 'damaged' UNION SELECT 'C' || o.\"case\" FROM audit a"
    " JOIN outbox o ON a.subject = 'D' || o.id WHERE a.action = 'delivery cancelled'"
)


def full(run: Run) -> Outcome:
    """T-20. The disk fills up under load (a small tmpfs where it may be mounted, RLIMIT_FSIZE): silence instead of an
    acceptance, /readyz 503, and once there is room the same service accepts again by itself."""
    found = Outcome()
    for number in range(run.size(1, 10)):
        _limited(run.folder / f"r{number}", run, number, found)
        with _tmpfs(run.folder / f"t{number}") as disk:
            if disk is None:
                found.note = "no tmpfs could be mounted: RLIMIT_FSIZE alone"
            else:
                _filled(run.folder / f"u{number}", disk, run, number, found)
    return found


def _limited(folder: Path, run: Run, number: int, found: Outcome) -> None:
    with World(folder, run.seed + number, run.patched) as world:
        world.start()
        soft, hard = resource.prlimit(world.service.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(world.service.pid, resource.RLIMIT_FSIZE, (SMALL, hard))
        _until_full(
            world,
            found,
            lambda: resource.prlimit(world.service.pid, resource.RLIMIT_FSIZE, (soft, hard)),
            room_s=run.size(30, 10),
        )


def _filled(folder: Path, disk: Path, run: Run, number: int, found: Outcome) -> None:
    with World(folder, run.seed + number, run.patched, database=disk / "store.db") as world:
        world.start(wait=False)
        until(lambda: listens(world.service.port))
        grow = ["mount", "-o", "remount,size=64m", str(disk)]
        _until_full(
            world, found, lambda: subprocess.run(grow, check=True), ready_is_judged=True, room_s=run.size(30, 10)
        )
        world.service.stop()


def _until_full(
    world: World, found: Outcome, make_room: Callable[[], object], *, ready_is_judged: bool = False, room_s: float
) -> None:
    client = Client(world)
    refused: Message | None = None
    for number in range(3000):
        message = plain(f"D{number}", f"D{number}")
        answer = client.send(message, timeout=4)
        if answer is None:
            refused = message
            break
        found.must(answer.code == "AA", f"{message.id} was answered {answer.code}")
        found.exposures += 1
    found.trials += 1
    found.must(refused is not None, "the disk never filled up")
    status, said = world.service.readiness()
    # a limit on one file leaves the disk its room, and the probe of /readyz may fit where a message does not
    found.must(status == 503 or not ready_is_judged, f"/readyz says {status} {said.strip()} on a full disk")
    found.must(world.service.alive, "the service ended on a full disk")
    make_room()
    if refused is not None:
        accepted = until(lambda: (answer := client.send(refused, timeout=1)) and answer.positive, room_s)
        found.must(accepted, f"nothing was accepted within {room_s:g} s of there being room again")
    found.must(until(world.service.processed, 30), "what was kept was not processed")
    found.add(world.check())


@contextlib.contextmanager
def _tmpfs(folder: Path) -> Iterator[Path | None]:
    """A file system of 1 MB; None where this user may not mount one."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# ---------------------------------------------------------------- rot


def rotten(run: Run) -> Outcome:
    """T-25. One bit flipped in a page that is in use, then a start: it is refused, or everything reads as it did, or what
    is changed is not right by its sum and is not used, or was found when the rows were looked over, and told. SQLite sums
    no pages: a flip in a value without a sum is found by nobody."""
    found, seen = Outcome(), Counter[str]()
    heads = list[str]()
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.start()
        client = Client(world)
        for number in range(40):
            client.send(serology(f"B{number}", f"B{number}"))
        until(world.service.processed)
        world.sign()
        world.service.stop()
        with contextlib.closing(sqlite3.connect(world.service.database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sound = world.service.database.read_bytes()
        before = _rows(world.service.database)
        rng = random.Random(run.seed)
        for _flip in range(run.size(4, 100)):
            damaged = bytearray(sound)
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            _rewrite(world.service.database, bytes(damaged))
            found.trials += 1
            came_to = _after_start(world, before)
            seen[came_to.partition(":")[0]] += 1
            found.violations += [came_to] if came_to.startswith("wrong") else []
            heads += [came_to] if came_to.startswith("head") else []
        _never_used(world, sound, found)
        _never_trusted(world, sound, found)
    if heads and not found.violations:
        found.gap = (
            "the heads of messages and deliveries have no sum: sender, control id and state; receiver, lane and expiry"
        )
    found.violations += heads
    found.exposures = found.trials
    found.note = (
        f"{seen['refused']} starts refused, {seen['same']} read as before, {seen['summed']} not right by their sum,"
        f" {seen['told']} found by a look over the rows"
    )
    return found


def _never_used(world: World, sound: bytes, found: Outcome) -> None:
    """A message, a held result and a signed comment, each with a bit turned: none of the three is used."""
    for table, column in (("journal", "raw"), ("results", "body")):
        _turned(world.service.database, sound, table, column, "UPDATE work SET state = 'kept', crc = NULL WHERE id = 1")
        world.start()
        found.must(until(world.service.processed, 30), f"with a bit turned in {table} nothing was processed")
        (reason,) = world.service.rows("SELECT reason FROM work WHERE id = 1")[0]
        found.must(reason in ("damaged", "held_damaged"), f"with a bit turned in {table}: {reason}")
        world.service.stop()
    key = _turned(world.service.database, sound, "outbox", "raw")
    world.lis()
    world.start()
    found.must(world.service.quiesce(60), "the sound comments were not delivered")
    states = dict(world.service.rows("SELECT id, state FROM outbox"))
    found.must(states.pop(key) == "cancelled", "changed bytes were sent")
    found.must(set(states.values()) == {"acknowledged"}, "a sound comment was not sent")
    world.service.stop()
    found.trials += 3


def _never_trusted(world: World, sound: bytes, found: Outcome) -> None:
    """A row of work, a draft and a signed case, each with a bit turned: parked, not released, not sent; and all is told."""
    _turned(world.service.database, sound, "work", "lane")
    world.start()
    (state,) = world.service.rows("SELECT state || ' ' || reason FROM work WHERE id = 1")[0]
    found.must(state == "parked work_damaged", f"with a bit turned in work: {state}")
    found.must('labbridge_rows_damaged{table="work"} 1.0' in world.service.metrics(), "no metric tells of work")
    world.service.stop()
    key = _turned(world.service.database, sound, "drafts", "outcome", key='"case"')
    world.start()
    answer = ask(world.service.database, {"command": "release", "keys": [f"C{key}@1"], "as": "Alex Smith"})
    found.must("no longer what was written" in str(answer), f"with a bit turned in its draft: {answer}")
    found.must('labbridge_rows_damaged{table="drafts"} 1.0' in world.service.metrics(), "no metric tells of drafts")
    world.service.stop()
    key = _turned(world.service.database, sound, "cases", "updated")
    (waiting,) = world.service.rows(f'SELECT id FROM outbox WHERE "case" = {key}')[0]
    world.start()
    left = f"SELECT count(*) FROM outbox WHERE state <> 'acknowledged' AND id <> {waiting}"
    found.must(until(lambda: world.service.rows(left) == [(0,)], 60), "the sound comments were not delivered")
    states = dict(world.service.rows("SELECT id, state FROM outbox"))
    found.must(states[waiting] == "waiting", f"the comment of a damaged case is {states[waiting]}")
    world.service.stop()
    found.trials += 3


def _turned(database: Path, sound: bytes, table: str, column: str, *more: str, key: str = "id") -> int:
    """Turn a bit of the first row; its number."""
    _rewrite(database, sound)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        id, value = connection.execute(f"SELECT {key}, {column} FROM {table} ORDER BY 1 LIMIT 1").fetchone()
        turned = bytearray(value.encode() if isinstance(value, str) else value)
        turned[len(turned) // 2] ^= 1
        changed = turned.decode() if isinstance(value, str) else bytes(turned)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (changed, id))
        for statement in more:
            connection.execute(statement)
    return int(id)


def _rewrite(database: Path, data: bytes) -> None:
    for end in ("-wal", "-shm"):
        Path(f"{database}{end}").unlink(missing_ok=True)
    database.write_bytes(data)


def _after_start(world: World, before: Seen) -> str:
    world.service.start(wait=False)
    process = world.service.process
    assert process is not None
    until(lambda: world.service.ready() or process.poll() is not None, 20)
    if process.poll() is not None:
        return "refused"
    try:
        return _judged(before, _rows(world.service.database))
    except sqlite3.Error:
        return "refused"  # said so: not silently
    finally:
        world.service.stop()


class Seen(NamedTuple):
    """What a database says: what has no sum, what has one with whether it is right, the rows that are looked over by their
    table and key, each with its subject, and the subjects that were told."""

    unsummed: list[list[tuple[object, ...]]]
    summed: list[object]
    looked_over: dict[tuple[str, object], tuple[object, ...]]
    told: frozenset[str]


def _judged(before: Seen, after: Seen) -> str:
    keys = before.looked_over.keys() | after.looked_over.keys()
    changed = [key for key in sorted(keys, key=str) if before.looked_over.get(key) != after.looked_over.get(key)]
    silent = [key for key in changed if not _told(key, before, after)]
    if silent:
        one, other = (seen.looked_over.get(silent[0], ()) for seen in (before, after))
        places = [place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]]
        return f"wrong: {silent[0][0]} served silently, at {places}"
    for number, (one, other) in enumerate(zip(before.unsummed, after.unsummed, strict=True)):
        if _without(one, after.told, number) != _without(other, after.told, number):
            return f"head: of {('a message', 'a delivery')[number]}, served silently"
    if changed or after.told:
        return "told"
    return "same" if before.summed == after.summed else "summed"


def _told(key: tuple[str, object], before: Seen, after: Seen) -> bool:
    """Whether a line of the audit names what a row is of, or was of; a stray row of work goes by its own number."""
    rows = (before.looked_over.get(key), after.looked_over.get(key))
    return bool(after.told & {f"W{key[1]}", *(str(row[0]) for row in rows if row)})


def _without(rows: list[tuple[object, ...]], told: frozenset[str], number: int) -> list[tuple[object, ...]]:
    """Messages without their state, where it is told that what was kept of their processing was damaged."""
    return [row[:-1] if number == 0 and f"M{row[0]}" in told else row for row in rows]


def _rows(database: Path) -> Seen:
    with _copied(database) as connection:
        unsummed = [connection.execute(sql).fetchall() for sql in UNSUMMED]
        messages = [
            (raw, digest, hashlib.sha256(raw).digest() == digest) for raw, digest in connection.execute(MESSAGES)
        ]
        results = [(*row, _crc(*row[:-1]) == row[-1]) for row in connection.execute(RESULTS)]
        looked_over = {
            (table, row[0]): row[1:] for sql, table in LOOKED_OVER.items() for row in connection.execute(sql)
        }
        told = frozenset(subject for (subject,) in connection.execute(TOLD))
        return Seen(unsummed, [messages, results], looked_over, told)


def _crc(lane: str, message: int, who: str, kind: str, collected: str, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(f"{lane}\0{message}\0{who}\0{kind}\0{collected}\0".encode()))


@contextlib.contextmanager
def _copied(database: Path) -> Iterator[sqlite3.Connection]:
    copy = database.with_suffix(".copy")
    for end in ("", "-wal"):
        if Path(f"{database}{end}").is_file():
            shutil.copy(f"{database}{end}", f"{copy}{end}")
    connection = sqlite3.connect(copy)
    try:
        yield connection
    finally:
        connection.close()
        for end in ("", "-wal", "-shm"):
            Path(f"{copy}{end}").unlink(missing_ok=True)
