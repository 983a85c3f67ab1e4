"""What comes over the wire, in pieces and in characters: T-42, T-44, T-46; and what existing tests hold: T-70."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys

from tests.faults import wire
from tests.faults.client import Client
from tests.faults.messages import Message, plain
from tests.faults.outcome import Outcome, Run
from tests.faults.service import ROOT, until
from tests.faults.wire import Answer
from tests.faults.world import World


def split_anywhere(run: Run) -> Outcome:
    """T-42. Several messages in a row, cut anywhere and joined anyhow, down to single bytes, with bytes between them that
    belong to none: each whole one is answered once, in order."""
    found, rng = Outcome(), random.Random(run.seed)
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.start()
        client = Client(world)
        for case in range(run.size(40, 3000)):
            messages = [plain(f"W{case}-{number}", f"W{case}P{number}") for number in range(rng.randrange(1, 6))]
            answers = _through(world, client, messages, rng)
            ids = [one.control_id for one in answers]
            found.must(ids == [one.id for one in messages], f"case {case}: {len(messages)} sent, answered {ids}")
            found.trials += 1
            found.exposures += len(messages)
        until(world.service.processed)
        found.add(world.check())
    return found


def _through(world: World, client: Client, messages: list[Message], rng: random.Random) -> list[Answer]:
    junk = rng.choice((b"", b"\r\n", b"\r"))
    for one in messages:
        client.sending(one)
    stream = junk.join(wire.framed(one.raw) for one in messages)
    answers: list[Answer] = []
    frames = wire.Frames()
    with wire.connect(world.service.port) as channel:
        for part in _cut(stream, rng):
            channel.sendall(part)
        channel.shutdown(socket.SHUT_WR)
        while data := channel.recv(65536):
            answers += [wire.read_answer(frame) for frame in frames.feed(data)]
    for message, answer in zip(messages, answers, strict=False):
        client.answered(message, answer)
    return answers


def _cut(stream: bytes, rng: random.Random) -> list[bytes]:
    if rng.random() < 0.2:
        return [stream[at : at + 1] for at in range(len(stream))]
    places = sorted(rng.sample(range(1, len(stream)), rng.randrange(0, 8)))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


TEXT = "Kreatinkináza µkat/l ľ ž"


def characters(run: Run) -> Outcome:
    """T-46. Characters of several sets, declared rightly, wrongly and not at all: the bytes are kept as they came, what
    cannot be read is refused, and no replacement character is anywhere in the store."""
    found = Outcome()
    rows = [
        ("UNICODE UTF-8", TEXT.encode(), "AA"), ("8859/2", "Kreatinkináza ľ ž".encode("iso-8859-2"), "AA"),
        ("UNICODE UTF-8", TEXT.encode("cp1250", "ignore"), "AE"), ("UNICODE UTF-8", b"\xff\xfe\xc0", "AE"),
        ("ASCII", TEXT.encode(), "AE"), ("KLINGON", TEXT.encode(), "AE"), ("8859/1", "µkat/l".encode("latin-1"), "AA"),
    ]  # fmt: skip
    with World(run.folder / "w", run.seed, run.patched) as world:
        world.start()
        client = Client(world)
        for round in range(run.size(2, 100)):
            for number, (declared, text, wanted) in enumerate(rows):
                message = _named(f"C{round}-{number}", declared, text)
                answer = client.send(message)
                found.must(answer is not None and answer.code == wanted, f"{declared} {text!r}: {answer}, not {wanted}")
                found.trials += 1
        for number, raw in enumerate(
            (b"\xef\xbb\xbf" + plain("BOM", "BOM").raw, plain("U16", "U").raw.decode().encode("utf-16"))
        ):
            client.send(Message(("BOM", "U16")[number], "", -1, "odd", "", raw), timeout=3)
            found.trials += 1
        until(world.service.processed)
        for table, column in (("results", "body"), ("drafts", "text"), ("patients", "body"), ("work", "sentence")):
            spoilt = f"SELECT count(*) FROM {table} WHERE instr(CAST({column} AS BLOB), x'EFBFBD') > 0"
            found.must(world.service.rows(spoilt) == [(0,)], f"U+FFFD in {table}.{column}")
        found.add(world.check(without=("C1b", "C2")))
    found.exposures = found.trials
    return found


def _named(control_id: str, declared: str, text: bytes) -> Message:
    raw = plain(control_id, control_id).raw.replace(b"UNICODE UTF-8", declared.encode()).replace(b"Sodium", text)
    return Message(control_id, control_id, -1, "characters", "", raw)


def tests(run: Run, *paths: str) -> Outcome:
    """Existing tests as trials: each that passes is one, each that fails a violation."""
    environment = {**os.environ, **({"PYTHONPATH": str(run.patched)} if run.patched else {})}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", *paths]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    passed = re.search(r"(\d+) passed", done.stdout)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    found = Outcome(int(passed[1]) if passed else 0, violations=failed, note="tests, not trials")
    found.must(done.returncode in (0, 1), done.stdout[-300:] + done.stderr[-300:])
    found.exposures = found.trials
    return found


def broken(run: Run) -> Outcome:
    """T-44. Every way in which the content can be broken, over real MLLP (tests/service/test_service_answers.py)."""
    chosen = ("-k", "missing or raw or segments or digits or not_hl7 or counted") if run.quick else ()
    return tests(run, "tests/service/test_service_answers.py", *chosen)


def zones(run: Run) -> Outcome:
    """T-70. Zones and summer time, in the tests of the times of a message."""
    return tests(run, "tests/test_times.py", *(("-k", "summer or offset or zone") if run.quick else ()))
