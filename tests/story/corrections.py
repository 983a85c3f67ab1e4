"""Corrections at every stage of a comment's life: is one ever sent for a result that was superseded (check C8)?

A laboratory corrects its results without end: before the comment is signed, between signature and sending, while the
message is under way, after an answer that never came, after the acknowledgement. Whatever reaches the LIS must rest on the
newest version that had been acknowledged when the comment was claimed, and the last comment of each case on the newest of
all. Run with a number: `python tests/story/corrections.py 20000`.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import msgspec
from story_parts import BLOT, Laboratory, obx, order, oru

from labbridge import pipeline
from labbridge.delivery.retry import retry_delay
from labbridge.errors import Refused, Retry
from labbridge.hl7 import reader
from labbridge.hl7.ack import Acknowledgement
from labbridge.model.outcome import PostedComment
from labbridge.states import CaseState, Reason

STAGES = ("drafted", "released", "released, unread", "under way", "no answer", "refused", "acknowledged")
VALUES = ("58", "14", "2")  # strong, low, negative: each speaks otherwise
EACH = 16  # corrections of a patient, about: histories stay as short as they are in life

_posted = msgspec.json.Decoder(PostedComment)


class ReadBack:
    """ports.Judge by our own reader alone: hl7apy takes 30 ms a message, and what it judges is not asked here."""

    def judge(self, raw: bytes, text: str, version: str) -> Sequence[str]:
        found = reader.read(raw, "").segments[-1]
        return [] if found.name == "OBX" and text else ["no comment"]


class Found(msgspec.Struct):
    """What a run has seen: corrections by stage, comments that arrived, and every violation as a sentence."""

    corrections: Counter[str] = msgspec.field(default_factory=Counter)
    arrived: int = 0
    violations: list[str] = []


class Corrections:
    """One laboratory of many patients, and the LIS its comments go to (ports.Receiver)."""

    name: ClassVar[str] = "lis"

    def __init__(self, lab: Laboratory, corrections: int, seed: int) -> None:
        self.lab, self.rng, self.found = lab, random.Random(seed), Found()
        self.patients = max(16, corrections // EACH)
        lab.judge = ReadBack()  # type: ignore[assignment]
        self.newest: dict[str, int] = {}  # key of the newest acknowledged message, by patient
        self.value: dict[str, str] = {}
        self.last: dict[int, tuple[str, PostedComment]] = {}  # the last comment of each case that arrived
        self.stage, self.patient = "", ""

    async def correct(self, patient: str, read: bool = True) -> None:
        """Another value for the patient's result, acknowledged; processed at once or not."""
        first = patient not in self.value
        value = self.rng.choice([one for one in VALUES if one != self.value.get(patient)])
        sent = (self.lab.clock.now() + timedelta(hours=1)).strftime("%Y%m%d%H%M%S+0100")
        number = sum(self.found.corrections.values())
        line = obx(BLOT, value, "F" if first else "C")
        assert await self.lab.codes(oru(f"K{number}", order(f"F{patient}", line), patient=patient, sent=sent)) == ["AA"]
        (self.newest[patient],) = self.lab.rows.execute("SELECT max(id) FROM journal").fetchone()
        self.value[patient] = value
        self.found.corrections[self.stage if not first else "first"] += 1
        self.lab.clock.forward(seconds=1)
        if read:
            self.lab.process()

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        """The comment arrives. Nothing has happened since it was claimed."""
        row = self.lab.rows.execute(
            'SELECT o."case", m.body, c.lane FROM outbox o JOIN comments m ON m.id = o.comment'
            ' JOIN cases c ON c.id = o."case" WHERE o.control_id = ?',
            (control_id,),
        ).fetchone()
        case, posted, patient = row[0], _posted.decode(row[1]), row[2].rpartition("|")[2]
        self.found.arrived += 1
        self._check(patient, posted, "sent for a superseded version")
        self.last[case] = (patient, posted)
        stage, self.stage = self.stage, f"{self.stage}*"  # once per delivery
        if patient == self.patient and stage in ("under way", "no answer", "refused"):
            self.stage = stage
            await self.correct(patient, read=self.rng.random() < 0.5)
            self.stage = f"{stage}*"
            if stage == "no answer":
                raise Retry(Reason.NO_ANSWER, "no answer")
        code = "AE" if stage == "refused" else "AA"
        return Acknowledgement(code=code, control_id=control_id)

    def _check(self, patient: str, posted: PostedComment, what: str) -> None:
        if not any(ref.startswith(f"M{self.newest[patient]}:") for ref in posted.used):
            self.found.violations.append(f"{what}: {patient}, message {self.newest[patient]}, used {posted.used}")

    async def round(self) -> None:
        """One comment's life, with a correction at one stage of it."""
        self.patient, self.stage = f"P{self.rng.randrange(self.patients)}", self.rng.choice(STAGES)
        stage, patient = self.stage, self.patient
        if patient not in self.value:
            await self.correct(patient)
        if stage == "drafted":
            await self.correct(patient)
        self.release(patient)
        if stage.startswith("released"):
            await self.correct(patient, read=stage == "released")
        await self.deliver()
        self.lab.process()
        if stage == "acknowledged":
            await self.correct(patient)
        self.lab.clock.forward(minutes=self.rng.choice((0, 1, 10)))

    def release(self, patient: str) -> None:
        for key, version in self.lab.rows.execute(
            "SELECT id, version FROM cases WHERE lane = ? AND state IN ('new', 'reopened')", (f"p:LABA|{patient}",)
        ).fetchall():
            try:
                self.lab.release(f"C{key}@{version}")
            except Refused:
                assert (case := self.lab.desk.case(key)) is not None
                assert case.outcome.comment is None, "refused although there is a comment"

    async def deliver(self) -> None:
        while await pipeline.deliver(self, self.lab.outbox, self.lab.clock, lambda n: retry_delay(n, lambda: 0.5)):
            pass

    async def quiesce(self) -> None:
        """Everything is read, signed and delivered; then each case has said the newest there is."""
        self.stage = "quiet"
        for _turn in range(3):
            self.lab.process()
            for patient in self.newest:
                self.release(patient)
            self.lab.clock.forward(minutes=10)
            await self.deliver()
        for key, (patient, posted) in self.last.items():
            case = self.lab.desk.case(key)
            assert case is not None
            if case.state is not CaseState.SIGNED:
                self.found.violations.append(f"C{key} is {case.state} at the end")
            self._check(patient, posted, "the last comment is not the newest")


async def run(lab: Laboratory, corrections: int, seed: int = 1) -> Found:
    """So many corrections, at every stage."""
    made = Corrections(lab, corrections, seed)
    while sum(made.found.corrections.values()) < corrections:
        await made.round()
    await made.quiesce()
    return made.found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        laboratory = Laboratory(f"sqlite:///{Path(folder) / 'store.db'}")
        total = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
        seen = asyncio.run(run(laboratory, total))
        laboratory.close()
    for stage, count in sorted(seen.corrections.items()):
        print(f"{count:7} {stage}")
    print(f"{seen.arrived} comments arrived, {len(seen.violations)} for a superseded version")
    print("\n".join(seen.violations[:20]))
    sys.exit(bool(seen.violations))
