"""H9 and T-34 over ten thousand events: whatever comes, in whatever order, a reason is ordered once.

What the judge says of orders is tested elsewhere (tests/hl7); here it would take most of the time.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from story_parts import BLOT, CK, CLIA, ELISA, FEED, LOST, Judge, Laboratory, Lis, field, obx, order, orl, oru

from labbridge import pipeline
from labbridge.model.retests import TRANSITIONS, OrderState, RetestState
from labbridge.pipeline import Peer
from labbridge.states import CaseState

EVENTS, AT_ONCE = 10_000, 250
ANSWERS = ("MSA|AA|$ID", "OK", "OK", "UA", LOST, "MSA|AE|$ID", "MSA|CA|$ID")


class Trusting(Judge):
    """Finds nothing wrong."""

    def judge(self, *_about: object) -> Sequence[str]:
        return []

    judge_order = judge


class Trial:
    """Patients to whom anything happens that happens to results, orders and answers."""

    def __init__(self, lab: Laboratory, seed: int, patients: int = AT_ONCE) -> None:
        self.lab, self.rng, self.lis = lab, random.Random(seed), Lis()
        self.names = [f"PT{number}" for number in range(patients)]
        self.sent: dict[str, list[bytes]] = defaultdict(list)
        self.number = 0
        lab.judge = Trusting()
        lab.take_orders()

    def result(self, name: str) -> bytes:
        self.number += 1
        rng, status = self.rng, self.rng.choice("FFCCW")
        lines = [obx(BLOT, rng.choice(("1", "8", "9", "58")), status)]
        if rng.random() < 0.5:
            lines += [obx(CK, rng.choice(("100", "7800"))), obx(CLIA, rng.choice(("2", "50")))]
        if rng.random() < 0.2:
            lines = [obx(ELISA, rng.choice(("3", "50")), status)]
        filler = f"{name}{'E' if 'SRPE' in lines[0] else 'F'}"
        return oru(f"X{self.number}", order(filler, *lines), patient=name)

    def event(self, name: str) -> bytes:
        """Something new of a patient, the same again, or a message of ours that comes back, or an answer to one."""
        rng, before, ours = self.rng, self.sent[name], self.of(name)
        kind = rng.choice(("new", "new", "same", "same", "ours", "answer"))
        if kind == "same" and before:
            one = rng.choice(before)
            self.number += 1
            return one if rng.random() < 0.5 else one.replace(b"|P|2.5.1", f"-{self.number}|P|2.5.1".encode(), 1)
        if kind == "ours" and ours:
            return rng.choice(ours)
        orders = [one for one in ours if b"|OML^" in one]
        if kind == "answer" and orders:
            self.number += 1
            return orl(rng.choice(orders), rng.choice(("OK", "UA")), f"A{self.number}")
        return self.result(name)

    def of(self, name: str) -> list[bytes]:
        return [one for one in self.lis.received if f"|{name}^^^".encode() in one]

    async def round(self) -> None:
        messages = [(name, self.event(name)) for name in self.names]
        peer = Peer(FEED, "127.0.0.1")
        await asyncio.gather(*(pipeline.receive(one, peer, self.lab.intake, self.lab.clock) for _name, one in messages))
        for name, one in messages:
            if one.startswith(b"MSH|^~\\&|MYOLIS"):
                self.sent[name].append(one)
        self.lab.process()
        self.lab.clock.forward(minutes=1)
        for case in self.lab.cases():
            open_now = case.state in (CaseState.NEW, CaseState.REOPENED) and case.text and not case.outcome.hold
            if open_now and self.rng.random() < 0.5:
                self.lab.release(f"C{case.key}@{case.version}")
        self.lis.answers = [self.rng.choice(ANSWERS) for _answer in range(4 * len(self.names))]
        await self.lab.deliver(self.lis)
        self.lab.clock.forward(hours=1)

    def left(self) -> dict[tuple[str, str, str], set[bytes]]:
        """The orders that reached the LIS, by patient, analyte and reason; each as it was sent."""
        found: dict[tuple[str, str, str], set[bytes]] = defaultdict(set)
        rows = self.lab.rows.execute("SELECT number, lane, analyte, reason FROM orders").fetchall()
        about = {number: (lane, analyte, reason) for number, lane, analyte, reason in rows}
        for raw in self.lis.ordered:
            found[about[field(raw, "ORC", 2).partition("^")[0]]].add(raw)
        return found


@pytest.fixture
def trial() -> Iterator[Trial]:
    """In memory, where there is some: nothing is asked of the disk here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        lab = Laboratory(f"sqlite:///{folder}/store.db")
        yield Trial(lab, 7)
        lab.close()


async def test_in_ten_thousand_events_no_reason_is_ordered_twice(trial: Trial) -> None:
    for _round in range(EVENTS // AT_ONCE):
        await trial.round()
    left = trial.left()
    assert len(left) > AT_ONCE
    assert {about: len(sent) for about, sent in left.items() if len(sent) > 1} == {}
    numbers = [number for number, _state, _said in trial.lab.orders()]
    assert len(numbers) == len(set(numbers))
    states = {state for _number, state, _said in trial.lab.orders()}
    assert states >= {one.value for one in (OrderState.ACCEPTED, OrderState.REFUSED, OrderState.UNKNOWN)}
    _check_rows(trial)


def _check_rows(trial: Trial) -> None:
    """One open retest of a patient for a reason; what closed one is there; no step that is not listed was taken."""
    opened = "SELECT count(*) FROM retests WHERE state IN ('advised', 'ordered') GROUP BY lane, analyte, reason"
    assert {count for (count,) in trial.lab.rows.execute(opened).fetchall()} <= {1}
    before: dict[str, RetestState] = {}
    asked = "SELECT subject, action FROM audit WHERE action LIKE 'retest %' ORDER BY id"
    for subject, action in trial.lab.rows.execute(asked).fetchall():
        state = RetestState(action.removeprefix("retest "))
        if subject in before and state is not before[subject]:
            assert state in TRANSITIONS[before[subject]], subject
        before[subject] = state
