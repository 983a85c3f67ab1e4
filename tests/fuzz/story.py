"""The whole story against a small model of it: receive, correct, withdraw, merge, unlink, release, deliver, restart.

Two people with three numbers each; every number carries one kind of result, so that what a merge joins is plain. The
model holds which results are in force, which numbers are one patient, and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.errors import Refused, Retry
from labbridge.hl7 import reader
from labbridge.hl7.ack import Acknowledgement
from labbridge.model.outcome import PostedComment
from labbridge.model.work import Case
from labbridge.states import CaseState, Reason

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "story"))
from story_parts import BLOT, CK, CLIA, Laboratory, obx, order, oru

NAME = "story"
CONFIG = Config.model_validate({"feeds": {"myolis": {"timezone": "Europe/Paris"}}})
KINDS = {
    "SRP": (BLOT, {"58": "POS_STRONG", "14": "POS_LOW", "2": "NEG"}),
    "HMGCR": (CLIA, {"90": "POS_STRONG", "25": "POS_LOW", "2": "NEG"}),
    "CK": (CK, {"7800": "HIGH", "100": "NORMAL"}),
}
NOTHING = {"SRP": "NOT_TESTED", "HMGCR": "NOT_TESTED", "CK": "UNKNOWN"}
NUMBERS = {f"{person}{kind}": kind for person in "AB" for kind in KINDS}

_posted = msgspec.json.Decoder(PostedComment)


class Model:
    """What must be: the value in force of each number (None: withdrawn), the messages that said so, and who is who."""

    def __init__(self) -> None:
        self.value: dict[str, str | None] = {}
        self.newest: dict[str, set[int]] = {}
        self.links: dict[int, tuple[str, str]] = {}  # by the message that made it: old, new

    def say(self, number: str, value: str | None, key: int) -> None:
        """A message says the value; one that says it again changes nothing."""
        again = number in self.value and self.value[number] == value
        self.newest[number] = self.newest[number] | {key} if again else {key}
        self.value[number] = value

    def together(self, number: str) -> frozenset[str]:
        """All numbers of the patient this one is of."""
        found = {number}
        while more := {a for pair in self.links.values() for a in pair if found & set(pair)} - found:
            found |= more
        return frozenset(found)

    def patients(self) -> set[frozenset[str]]:
        return {self.together(number) for number in self.value}

    def states(self, numbers: frozenset[str]) -> dict[str, str]:
        found = dict(NOTHING)
        for number in numbers:
            value = self.value.get(number)
            if value is not None:
                found[NUMBERS[number]] = KINDS[NUMBERS[number]][1][value]
        return found


class ReadBack:
    """ports.Judge by our own reader alone: what hl7apy judges is not asked here."""

    def judge(self, raw: bytes, text: str, version: str) -> Sequence[str]:
        return [] if reader.read(raw, "").segments[-1].name == "OBX" and text else ["no comment"]


class Story(RuleBasedStateMachine):
    """One laboratory, and the LIS its comments go to (ports.Receiver)."""

    name = "lis"
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.Runner()
        self.model, self.sent, self.says = Model(), 0, "AA"
        self.lab = self._opened()

    def _opened(self) -> Laboratory:
        lab = Laboratory(f"sqlite:///{Path(self.folder.name) / 'store.db'}")
        lab.judge = ReadBack()  # type: ignore[assignment]
        return lab

    def teardown(self) -> None:
        self.lab.close()
        self.loop.close()
        self.folder.cleanup()

    # ---- what can happen

    @rule(number=st.sampled_from(sorted(NUMBERS)), which=st.integers(0, 2), read=st.booleans())
    def receive_or_correct(self, number: str, which: int, read: bool) -> None:
        line, values = KINDS[NUMBERS[number]]
        value = sorted(values)[which % len(values)]
        self._take(self._result(number, obx(line, value, "C" if number in self.model.value else "F")), read)
        self.model.say(number, value, self._key())

    @rule(number=st.sampled_from(sorted(NUMBERS)), status=st.sampled_from("XDW"), read=st.booleans())
    def withdraw(self, number: str, status: str, read: bool) -> None:
        if self.model.value.get(number) is None:
            return
        line, _values = KINDS[NUMBERS[number]]
        self._take(self._result(number, obx(line, str(self.model.value[number]), status)), read)
        self.model.say(number, None, self._key())

    @rule(person=st.sampled_from("AB"), pair=st.permutations(sorted(KINDS)), read=st.booleans())
    def merge(self, person: str, pair: list[str], read: bool) -> None:
        old, new = person + pair[0], person + pair[1]
        gone = {prior for prior, _surviving in self.model.links.values()}
        if new in self.model.together(old) or old in gone:  # a number is merged once: more is left to a person
            return
        msh = f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|{self._now()}||ADT^A40|X{self.sent}|P|2.5.1||||||UNICODE UTF-8"
        pid = f"PID|1||{new}^^^LABA^MR||TEST^SYNTHETIC||19690417|M\rMRG|{old}^^^LABA^MR"
        self._take(f"{msh}\rEVN||{self._now()}\r{pid}\r".encode(), read)
        self.model.links[self._key()] = (old, new)

    @rule(chance=st.integers(0, 7))
    def unlink(self, chance: int) -> None:
        self.lab.process()
        if not self.model.links:
            return
        key = sorted(self.model.links)[chance % len(self.model.links)]
        request = {"command": "unlink", "keys": [f"M{key}"], "as": "Alex Smith"}
        answer = Acts(CONFIG, (), self.lab.desk, self.lab.clock).perform(request)
        assert all(one["ok"] for one in answer["done"]), "a link cannot be undone"
        del self.model.links[key]
        self.lab.process()

    @rule(chance=st.integers(0, 5))
    def release(self, chance: int) -> None:
        cases = self._live()
        if cases:
            case = cases[chance % len(cases)]
            try:
                self.lab.release(f"C{case.key}@{case.version}")
            except Refused as fault:
                if (
                    case.state in (CaseState.NEW, CaseState.REOPENED)
                    and case.outcome.comment
                    and not self._kept_back(case)
                ):
                    raise AssertionError(f"a comment that is free cannot be released: {fault}") from fault

    def _kept_back(self, case: Case) -> bool:
        return case.outcome.hold or self._unread()

    @rule(says=st.sampled_from(("AA", "AA", "AE", "")))
    def deliver(self, says: str) -> None:
        self.says = says
        self.loop.run(self.lab.deliver(self))  # type: ignore[arg-type]
        self.lab.clock.forward(minutes=10)

    @rule(number=st.sampled_from(sorted(NUMBERS)), which=st.integers(0, 2), read=st.booleans())
    def correct_what_is_signed(self, number: str, which: int, read: bool) -> None:
        self.receive_or_correct(number, which, True)
        for chance in range(len(self._live())):
            self.release(chance)
        self.receive_or_correct(number, which + 1, read)
        self.deliver("AA")

    @rule()
    def restart(self) -> None:
        clock = self.lab.clock
        self.lab.close()
        self.lab = self._opened()
        self.lab.clock = clock

    # ---- what must hold

    @invariant()
    def every_patient_has_the_results_of_the_model(self) -> None:
        Story.steps += 1
        if self._unread():
            return
        for numbers in self.model.patients():
            lanes = {f"p:LABA|{number}" for number in numbers}
            cases = [case for case in self._live() if case.lane in lanes]
            wanted = self.model.states(numbers)
            never_signed = [case for case in cases if not self._signed_once(case)]
            assert len(cases) <= 1 or not never_signed, "a patient has two cases in one window"
            assert cases or not {wanted["SRP"], wanted["HMGCR"]} & {"POS_STRONG", "POS_LOW"}, "a patient has no case"
            for case in cases:
                states = case.outcome.states
                found = {"SRP": states.SRP, "HMGCR": states.HMGCR, "CK": states.CK}
                assert found == wanted, f"a case says {found}, the model {wanted}"

    def _signed_once(self, case: Case) -> bool:
        """Two records that had each a comment before they were one patient keep both: each answers for its own."""
        return (
            self.lab.rows.execute('SELECT 1 FROM comments WHERE "case" = ? LIMIT 1', (case.key,)).fetchone() is not None
        )

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        """A comment arrives: it rests on the newest results of its patient, and of nobody else."""
        case, body, lane = self.lab.rows.execute(
            'SELECT o."case", m.body, c.lane FROM outbox o JOIN comments m ON m.id = o.comment'
            ' JOIN cases c ON c.id = o."case" WHERE o.control_id = ?',
            (control_id,),
        ).fetchone()
        used = {int(ref[1:].partition(":")[0]) for ref in _posted.decode(body).used}
        numbers = self.model.together(lane.rpartition("|")[2])
        for one in numbers:
            if NUMBERS[one] != "CK" and self.model.value.get(one) is not None:
                assert self.model.newest[one] & used, f"C{case} leaves without the newest results"
        if not self.says:
            raise Retry(Reason.NO_ANSWER, "no answer")
        return Acknowledgement(code=self.says, control_id=control_id)

    # ---- parts

    def _live(self) -> list[Case]:
        return [case for case in self.lab.cases() if case.state is not CaseState.CLOSED]

    def _unread(self) -> bool:
        return any(state == "kept" for state, _reason in self.lab.states())

    def _now(self) -> str:
        return self.lab.clock.now().strftime("%Y%m%d%H%M%S+0000")

    def _result(self, number: str, line: str) -> bytes:
        return oru(f"K{self.sent}", order(f"F{number}", line), patient=number, sent=self._now())

    def _take(self, raw: bytes, read: bool) -> None:
        assert self.loop.run(self.lab.codes(raw)) == ["AA"], "a message of this laboratory is not accepted"
        self.sent += 1
        self.lab.clock.forward(minutes=1)
        if read:
            self.lab.process()

    def _key(self) -> int:
        return int(self.lab.rows.execute("SELECT max(id) FROM journal").fetchone()[0])


def told(number: int, examples: int = 4, steps: int = 40, machine: type[Story] = Story) -> None:
    """So many stories of this seed; an AssertionError, with its steps, where store and model part."""
    phases = (Phase.generate, Phase.shrink) if os.environ.get("FUZZ_SHRINK") else (Phase.generate,)
    how = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, phases=phases,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(seed(number)(machine), settings=how)


def run(seconds: int, folder: Path) -> None:
    """Story after story, each with a seed of its own, for so long."""
    end, seen = time.monotonic() + seconds, set()
    while time.monotonic() < end:
        number = random.SystemRandom().randrange(10**9)
        try:
            told(number)
        except Exception as fault:  # noqa: BLE001
            kind, said = ("wrong" if isinstance(fault, AssertionError) else "crash"), str(fault).split("{")[0][:120]
            if said not in seen:
                seen.add(said)
                path = folder / f"{kind}-{number}"
                path.write_text(str(number), encoding="ascii")
                rule = said or type(fault).__name__
                print(json.dumps({"kind": kind, "rule": rule, "file": str(path)}), flush=True)
    print(f"stat::number_of_executed_units: {Story.steps}", file=sys.stderr)


def replay(data: bytes) -> None:
    """The stories of a seed again. FUZZ_SHRINK=1 looks for the shortest."""
    told(int(data))
