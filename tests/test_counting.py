"""What the story counts: results by category, rules by verdict, flags once, stages by how long they took."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
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
    Problem,
    Result,
    Status,
)
from labbridge.model.values import Grade, Quantity
from labbridge.model.work import EVALUATION_BOUNDS_US, STAGE_BOUNDS_S, Count, Delivery, Settled
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


def test_a_comment_that_is_given_up_is_counted_as_failed_and_a_try_again_as_nothing() -> None:
    tried = sending.refused(msgspec.structs.replace(DELIVERY, refusals=9), "AE", "", NOON)
    assert Count("comments", ("lis", "failed")) in counting.sent(DELIVERY, tried, NOON)
    again = sending.refused(DELIVERY, "AE", "", NOON)
    assert not [one for one in counting.sent(DELIVERY, again, NOON) if one.name == "comments"]


@pytest.mark.parametrize("other", [{"order": "LBO1"}, {"case": 0}])
def test_an_order_and_an_acknowledgement_are_no_comments(other: dict[str, Any]) -> None:
    delivery = msgspec.structs.replace(DELIVERY, **other)
    found = counting.sent(delivery, sending.acknowledged(delivery, "AA"), NOON)
    assert [one.name for one in found] == ["sent"]


# ---------------------------------------------------------------- how flags end, and what was not understood


def test_flags_that_are_there_no_more_are_counted_by_their_own_rule() -> None:
    before, after = outcome(("MSA_POSITIVE", "SRP"), ("X", "")), outcome(("MSA_POSITIVE", "SRP"))
    found = [one for one in counting.evaluation(after, before) if one.name == "flags_closed"]
    assert found == [Count("flags_closed", ("X@1", "gone"))]
    assert not [one for one in counting.evaluation(after, None) if one.name == "flags_closed"]


def test_a_case_that_ends_takes_its_flags_with_it_and_edits_are_the_rules_that_held() -> None:
    ended = outcome(("MSA_POSITIVE", "SRP"), fired=("srp@1", "ck@3"))
    assert counting.closed(ended, "no_action") == [Count("flags_closed", ("MSA_POSITIVE@1", "no_action"))]
    edited = counting.closed(ended, "signed", edited=True)
    assert edited[1:] == [Count("comment_edits", ("srp@1",)), Count("comment_edits", ("ck@3",))]


def test_what_was_not_understood_is_counted_by_what_it_was() -> None:
    unknown = (Problem.METHOD_UNKNOWN, Problem.UNIT_UNKNOWN)
    results = (result(Analyte.SRP, problems=unknown), result(Analyte.CK, problems=unknown[1:]), result(Analyte.CK))
    found = counting.problems(PatientResults(lane="p:A|1", patient=Patient(), results=results), "lis")
    assert set(found) == {Count("problems", ("lis", "method_unknown")), Count("problems", ("lis", "unit_unknown"), 2)}


# ---------------------------------------------------------------- how long it took


@pytest.mark.parametrize(
    ("taken", "bound"), [(0, "500"), (500, "500"), (501, "1000"), (1_000_000, "1000000"), (1_000_001, "inf")]
)
def test_an_evaluation_is_timed_in_microseconds(taken: int, bound: str) -> None:
    found = counting.evaluated(NOON, NOON + timedelta(microseconds=taken))
    assert found == [Count("evaluation_times", (bound,)), Count("evaluation_us", (), taken)]
    assert list(EVALUATION_BOUNDS_US) == sorted(set(EVALUATION_BOUNDS_US))


def test_the_way_to_us_begins_with_the_oldest_specimen_of_which_a_time_is_known() -> None:
    def at(hours: int, **fields: Any) -> Result:
        moment = NOON - timedelta(hours=hours)
        of = Timestamp(text="", moment=moment, day=moment.date(), **fields)
        return msgspec.structs.replace(result(Analyte.SRP), collected=of)

    def counted_of(*results: Result) -> list[Count]:
        return counting.collected(PatientResults(lane="p:A|1", patient=Patient(), results=results), NOON)

    guessed = msgspec.structs.replace(at(90), collected_estimated=True)
    found = counted_of(at(2), at(3), at(50, has_time=False), guessed)
    assert found == [Count("stages", ("received", "14400")), Count("stage_seconds", ("received",), 3 * 3600)]
    assert counted_of(at(50, has_time=False)) == counted_of() == []
