"""What the story counts: results by category, rules by verdict, flags once, stages by how long they took."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from labbridge import counting
from labbridge.model.outcome import Flag, Outcome, Severity, States
from labbridge.model.report import Patient, Timestamp
from labbridge.model.result import (
    Analyte,
    Family,
    Hep2Class,
    Hep2Finding,
    Method,
    PatientResults,
    Result,
    Status,
)
from labbridge.model.values import Grade, Quantity
from labbridge.model.work import STAGE_BOUNDS_S, Count, Delivery, Settled
from labbridge.review import sending
from labbridge.states import DeliveryState

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
DAY = Timestamp(text="20261110", moment=NOON, day=date(2026, 11, 10))
BLOT = Method(code="line_blot", family=Family.BLOT)
ENZYMATIC = Method(code="enzymatic", family=Family.ENZYMATIC)


def result(analyte: Analyte, method: Method | None = BLOT, **fields: Any) -> Result:
    return Result(ref="M1:OBX[1]", key="k", analyte=analyte, method=method, collected=DAY, received=NOON, **fields)


def counted(*results: Result) -> list[Count]:
    return counting.results(PatientResults(lane="p:A|1", patient=Patient(), results=results), "lis")


def ck(number: str, limit: str | None, **fields: Any) -> Result:
    upper = Decimal(limit) if limit else None
    return result(Analyte.CK, ENZYMATIC, value=Quantity(Decimal(number), "U/L"), upper_limit=upper, **fields)


def hep2(pattern: Hep2Class) -> Result:
    method = Method(code="hep2_iif", family=Family.HEP2_IIF)
    return result(Analyte.HEP2, method, hep2=Hep2Finding(pattern=pattern))


@pytest.mark.parametrize(
    ("one", "category"),
    [
        (result(Analyte.SRP, grade=Grade.NEG), "negative"),
        (result(Analyte.SRP), "indeterminate"),
        (result(Analyte.SRP, grade=Grade.NEG, status=Status.PENDING), "invalid"),
        (result(Analyte.SRP, grade=Grade.NEG, status=Status.CANCELLED), "invalid"),
        (ck("190", "190"), "negative"),
        (ck("190.1", "190"), "positive"),
        (ck("6000", None), "indeterminate"),
        (ck("6000", "190", status=Status.WITHDRAWN), "invalid"),
        (hep2(Hep2Class.NEG), "negative"),
        (hep2(Hep2Class.CYTO_COMPAT), "positive"),
        (hep2(Hep2Class.UNSPECIFIED), "positive"),
    ],
)
def test_a_result_counts_under_its_category(one: Result, category: str) -> None:
    assert [count.labels[-1] for count in counted(one)] == [category]


def test_results_of_one_kind_are_one_count() -> None:
    found = counted(ck("190", "190"), ck("100", "190"), ck("900", "190"))
    assert sorted((one.labels, one.by) for one in found) == [
        (("lis", "CK", "enzymatic", "negative"), 2),
        (("lis", "CK", "enzymatic", "positive"), 1),
    ]


def test_a_method_that_is_not_known_is_called_so() -> None:
    assert counted(result(Analyte.SRP, None))[0].labels[2] == "unknown"


def outcome(*flags: tuple[str, str], hold: bool = False, fired: tuple[str, ...] = ("a@1", "b@2")) -> Outcome:
    listed = tuple(Flag(code=code, severity=Severity.MAJOR, rule=f"{code}@1", analyte=of) for code, of in flags)
    return Outcome(
        patient=None, evaluated_at=DAY.day, knowledge="sha256:0", states=States("NEG", "NEG", "NEG", "NORMAL"),
        flags=listed, hold=hold, fired=fired,
    )  # fmt: skip


@pytest.mark.parametrize(("hold", "verdict"), [(False, "flag"), (True, "hold")])
def test_each_rule_that_held_counts_with_its_verdict(hold: bool, verdict: str) -> None:
    found = counting.evaluation(outcome(hold=hold), None)
    assert found == [Count("evaluations", ()), Count("rules", ("a@1", verdict)), Count("rules", ("b@2", verdict))]


def test_a_flag_is_opened_once() -> None:
    before = outcome(("MSA_POSITIVE", "SRP"))
    now = outcome(("MSA_POSITIVE", "SRP"), ("MSA_POSITIVE", "HMGCR"), ("CK_MISSING", ""))
    opened = [one for one in counting.evaluation(now, before) if one.name == "flags"]
    assert opened == [Count("flags", ("MSA_POSITIVE@1", "major")), Count("flags", ("CK_MISSING@1", "major"))]
    assert [one for one in counting.evaluation(before, before) if one.name == "flags"] == []


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [
        (0, "60"),
        (60, "60"),
        (61, "300"),
        (3600, "3600"),
        (86_401, "259200"),
        (1_209_600, "1209600"),
        (1_209_601, "inf"),
    ],
)
def test_a_stage_counts_under_the_first_bound_not_below_it(seconds: int, bound: str) -> None:
    found = counting.stage("signed", NOON, NOON + timedelta(seconds=seconds))
    assert found == [Count("stages", ("signed", bound)), Count("stage_seconds", ("signed",), seconds)]


def test_a_clock_that_went_back_makes_no_negative_time() -> None:
    assert counting.stage("signed", NOON, NOON - timedelta(hours=1))[1].by == 0


def test_the_bounds_rise() -> None:
    assert sorted(set(STAGE_BOUNDS_S)) == list(STAGE_BOUNDS_S)


DELIVERY = Delivery(
    key=3, case=1, version=1, receiver="lis", control_id="LB1", raw=b"", attempts=1, state=DeliveryState.SENT,
    created=NOON,
)  # fmt: skip


@pytest.mark.parametrize(
    ("settled", "outcome", "timed"),
    [
        (sending.acknowledged(DELIVERY, "AA"), "acknowledged", True),
        (sending.refused(DELIVERY, "AE", "", NOON), "refused", False),
        (sending.unanswered(DELIVERY, "silence", NOON), "unanswered", False),
    ],
)
def test_each_attempt_counts_and_only_an_acknowledged_one_ends_the_stage(
    settled: Settled, outcome: str, timed: bool
) -> None:
    first, *rest = counting.sent(DELIVERY, settled, NOON + timedelta(minutes=2))
    assert first == Count("sent", ("lis", "ORU^R01", outcome))
    assert rest == (
        [
            Count("comments", ("lis", "acknowledged")),
            Count("stages", ("acknowledged", "300")),
            Count("stage_seconds", ("acknowledged",), 120),
        ]
        if timed
        else []
    )
