"""Builders for cases and outcomes, so that the tests read like the worklist."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from labbridge.knowledge.policy import Policy, PolicyNumber
from labbridge.model.outcome import Comment, Flag, Outcome, PostedComment, Retest, Severity, States
from labbridge.model.report import Patient, Timestamp
from labbridge.model.result import Analyte, PatientResults, Result
from labbridge.model.work import Case, HeldPart, StoredHistory
from labbridge.states import CaseState

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
DAY = date(2026, 11, 9)


def policy(window: int = 30) -> Policy:
    number = PolicyNumber(id="case_window_d", value=Decimal(window), unit="d", tag="CONVENTION", source="test")
    return Policy({"case_window_d": number})


def outcome(
    text: str = "A text.",
    comment_class: str = "C01",
    flags: tuple[Flag, ...] = (),
    retests: tuple[Retest, ...] = (),
    hold: bool = False,
    subject: str = "M7:OBX[3]",
    used: tuple[str, ...] = ("M7:OBX[3]",),
) -> Outcome:
    comment = Comment(comment_class=comment_class, language="en", text=text) if text and not hold else None
    return Outcome(
        patient=None,
        evaluated_at=DAY,
        knowledge="sha256:0",
        states=States("NEG", "NEG", "NEG", "NORMAL"),
        flags=flags,
        retests=retests,
        comment=comment,
        hold=hold,
        held=("SRP",) if hold else (),
        subject=subject,
        used=used,
    )


def flag(code: str = "MSA_POSITIVE", severity: Severity = Severity.MAJOR, analyte: str = "SRP") -> Flag:
    return Flag(code=code, severity=severity, rule="r@1", analyte=analyte)


def case(
    key: int = 1,
    state: CaseState = CaseState.NEW,
    said: Outcome | None = None,
    opened: date = DAY,
    posted: bool = False,
) -> Case:
    shown = said or outcome()
    before = PostedComment(comment_class="C01", text="A text.", posted=NOON, used=shown.used)
    return Case(
        key=key,
        version=1,
        state=state,
        patient=None,
        lane="p:LABA|1",
        feed="lis",
        opened_day=opened,
        outcome=shown,
        text=shown.comment.full_text if shown.comment else "",
        subject_message=7,
        subject_at="OBX[3]",
        sub_id="LB1",
        posted=(before,) if posted else (),
        updated=NOON,
    )


def result(ref: str, day: date = DAY) -> Result:
    moment = datetime(day.year, day.month, day.day, 8, 0, tzinfo=UTC)
    collected = Timestamp(text=day.isoformat(), moment=moment, day=day)
    return Result(ref=ref, key=ref, analyte=Analyte.CK, collected=collected, received=NOON)


def found(*results: Result, patient: Patient | None = None) -> PatientResults:
    return PatientResults(lane="p:LABA|1", patient=patient or Patient(), results=results)


def held(*cases: Case, results: tuple[Result, ...] = (), patient: Patient | None = None) -> StoredHistory:
    lane = "p:LABA|1"
    parts = (HeldPart(lane=lane, results=results),) if results else ()
    return StoredHistory(patient=patient, lanes=(lane,), parts=parts, cases=cases)
