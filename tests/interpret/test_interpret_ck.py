"""CK: ratio, band, which one counts, persistence, extremes (clinical.md C2, C10.1, C10.17, C10.30, C10.33, C10.34)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interpret_build import DAY, ck, hep2, result, stated
from interpret_lab import POLICY, at, hmgcr, on, quantity, raised, seen, srp, timed, undated

from labbridge.interpret.ck import band, persistent, ratio
from labbridge.interpret.evidence import CkEvidence
from labbridge.model.result import Analyte, ContextKind, Problem, Result, Status
from labbridge.model.values import Grade, Missing, Quantity, Word

LIMIT = Decimal(200)
STEP = Decimal("0.0001")


def of(*results: Result, **fields: Any) -> CkEvidence:
    return seen(*results, **fields).ck


def units(number: str | int, day: int = 0, comparator: str = "=", name: str = "CK", **fields: Any) -> Result:
    """A CK by its number in U/L, limit 200."""
    return ck(1, f"{name}{day}", on(day), value=quantity(str(number), comparator, "U/L"), **fields)


def times(many: float | str, day: int = 0, name: str = "CK", **fields: Any) -> Result:
    return ck(many, f"{name}{day}-{many}", on(day), **fields)


# ---------------------------------------------------------------- ratio and band


@pytest.mark.parametrize(
    ("many", "wanted"),
    [
        (Decimal(0), "NORMAL"),
        (Decimal(1), "NORMAL"),
        (1 + STEP, "MILD"),
        (4 - STEP, "MILD"),
        (Decimal(4), "MOD"),
        (Decimal(10), "MOD"),
        (10 + STEP, "HIGH"),
        (Decimal(5000), "HIGH"),
    ],
)
def test_the_bands(many: Decimal, wanted: str) -> None:
    assert band(many, POLICY).value == wanted
    assert of(times(str(many))).band.value == wanted


def test_without_a_ratio_the_band_is_unknown() -> None:
    assert band(None, POLICY).value == "UNKNOWN"


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, Decimal(3)),
        ({"upper_limit": None}, None),  # an infant without a limit (C10.30)
        ({"upper_limit": Decimal(0)}, None),
        ({"value": Missing.ABSENT}, None),
        ({"value": Word(Grade.NEG, "normal")}, None),
        ({"value": quantity("1200", ">", "U/L")}, Decimal(6)),
        ({"value": quantity("7", "<", "U/L")}, Decimal("0.035")),
    ],
)
def test_the_ratio(fields: dict[str, Any], wanted: Decimal | None) -> None:
    assert ratio(times(3, **fields)) == wanted


@given(
    st.integers(1, 2_000_000),
    st.integers(50, 2000),
    st.sampled_from([Decimal(60), Decimal(1) / Decimal(60), Decimal("0.0166667"), Decimal("16.67"), Decimal(7)]),
)
def test_p9_the_unit_does_not_matter(number: int, limit: int, factor: Decimal) -> None:
    """Value and limit scaled together: the same band, and the ratio to 20 digits."""
    plain = units(number, upper_limit=Decimal(limit))
    scaled = ck(1, value=Quantity(number * factor, "ukat/L"), upper_limit=limit * factor)
    first, second = of(plain), of(scaled)
    assert first.band is second.band
    assert first.ratio is not None
    assert second.ratio is not None
    assert abs(first.ratio - second.ratio) < Decimal("1e-15")


@pytest.mark.parametrize(
    ("number", "comparator", "wanted"),
    [
        ("200", "<", "NORMAL"),
        ("7", "<", "NORMAL"),
        ("201", "<", "MILD"),
        ("300", ">", "MILD"),
        ("900", ">", "MOD"),
        ("2000", ">", "MOD"),
        ("2001", ">", "HIGH"),
        ("10000", ">", "HIGH"),
        ("800", ">=", "MOD"),
    ],
)
def test_a_comparator_is_banded_by_its_number_and_kept(number: str, comparator: str, wanted: str) -> None:
    found = of(units(number, comparator=comparator))
    assert found.band.value == wanted
    assert found.result is not None
    assert found.result.value == quantity(number, comparator, "U/L")


def test_an_assumed_limit_is_said_to_be_assumed() -> None:
    assert of(times(3, upper_limit_assumed=True)).limit_assumed
    assert not of(times(3)).limit_assumed


def test_an_infant_without_a_limit_is_unknown_but_has_a_ck() -> None:
    found = of(times(3, upper_limit=None))
    assert (found.band.value, found.ratio, found.result is not None) == ("UNKNOWN", None, True)


# ---------------------------------------------------------------- diagnostic: the highest of the window


@pytest.mark.parametrize(
    ("day", "wanted"), [(-31, "UNKNOWN"), (-30, "HIGH"), (0, "HIGH"), (30, "HIGH"), (31, "UNKNOWN")]
)
def test_thirty_days_either_side_of_a_positive_antibody(day: int, wanted: str) -> None:
    assert of(srp("POS_STRONG"), times(20, day)).band.value == wanted


@pytest.mark.parametrize(
    "index", [srp("POS_LOW"), hmgcr("EQUIVOCAL"), srp("NEG"), hep2("NUCLEAR"), hep2("UNSPECIFIED")]
)
def test_the_window_is_centred_on_the_latest_antibody_or_hep2(index: Result) -> None:
    assert of(index, times(20, -30)).band.value == "HIGH"
    assert of(index, times(20, -31), today=on(0)).band.value == "UNKNOWN"


def test_the_index_is_the_latest_of_them() -> None:
    assert of(srp("POS_LOW", day=-40), hep2("NEG"), times(20, -50)).band.value == "UNKNOWN"
    assert of(srp("POS_LOW", day=-40), times(20, -50)).band.value == "HIGH"


@pytest.mark.parametrize(("age", "wanted"), [(30, "HIGH"), (31, "UNKNOWN")])
def test_without_an_index_the_window_is_of_the_evaluation_day(age: int, wanted: str) -> None:
    assert of(times(20), today=on(age)).band.value == wanted


def test_the_highest_ratio_counts_not_the_latest() -> None:
    found = of(srp("POS_STRONG"), times(3, 5), times(20, -20), times(8, 0))
    assert found.ratio == 20


def test_the_highest_ratio_by_its_own_limit() -> None:
    """900 of 100 is more than 1500 of 500 (C10.33)."""
    more = units(900, name="A", upper_limit=Decimal(100))
    less = units(1500, name="B", upper_limit=Decimal(500))
    assert of(more, less).ratio == 9


def test_of_equal_ratios_the_later() -> None:
    found = of(srp("POS_STRONG"), times(6, -3), times(6, 2))
    assert found.result is not None
    assert found.result.collected.day == on(2)


def test_one_without_a_limit_never_hides_one_with() -> None:
    assert of(times(6, -1), times(50, upper_limit=None)).ratio == 6


def test_a_ck_that_cannot_be_read_is_no_ck() -> None:
    found = of(srp("POS_STRONG"), times(20, problems=(Problem.UNIT_UNKNOWN,)))
    assert (found.band.value, found.pending, found.result) == ("UNKNOWN", True, None)


# ---------------------------------------------------------------- C10.1: centred on a later CK


@pytest.mark.parametrize(
    ("antibody", "day", "wanted"),
    [
        (srp("NEG"), 30, "HIGH"),
        (srp("NEG"), 31, "HIGH"),  # negative: today's CK is not ignored
        (srp("NEG"), 180, "HIGH"),
        (hep2("NEG"), 60, "HIGH"),
        (srp("POS_LOW"), 31, "UNKNOWN"),  # positive: its own window stays
        (srp("EQUIVOCAL"), 31, "UNKNOWN"),
        (hmgcr("POS_STRONG"), 60, "UNKNOWN"),
    ],
)
def test_the_window_moves_to_a_later_ck_only_where_no_antibody_is_open(antibody: Result, day: int, wanted: str) -> None:
    assert of(antibody, times(12, day), today=on(day)).band.value == wanted


def test_negative_in_april_and_a_high_ck_in_june() -> None:
    found = of(srp("NEG"), hmgcr("NEG"), times("0.5", 3), times(12, 60), today=on(60))
    assert found.band.value == "HIGH"


def test_centred_on_the_later_ck_the_highest_of_its_window_counts() -> None:
    found = of(srp("NEG"), times(40, 10), times(15, 50), times(12, 60), today=on(60))
    assert found.ratio == 15


def test_both_negative_long_ago_and_a_high_ck_today() -> None:
    found = seen(srp("NEG", day=-2000), hmgcr("NEG", day=-2000), times(15))
    assert (found.srp.state.value, found.ck.band.value, found.suspicion_implied) == ("NOT_TESTED", "HIGH", True)


# ---------------------------------------------------------------- monitoring: the latest before the anchor (C10.33)


@pytest.mark.parametrize(("age", "wanted"), [(0, "MILD"), (30, "MILD"), (31, "UNKNOWN")])
def test_known_the_latest_within_30_days_before_the_anchor(age: int, wanted: str) -> None:
    found = of(hmgcr("POS_LOW"), times(3, -age), known=frozenset({"HMGCR"}))
    assert found.band.value == wanted


def test_known_the_latest_counts_not_the_highest() -> None:
    results = (hmgcr("POS_STRONG"), times(20, -20), times(2, -3))
    assert of(*results, known=frozenset({"HMGCR"})).ratio == 2
    assert of(*results).ratio == 20


def test_known_without_an_antibody_result_of_its_own() -> None:
    assert of(times(20, -20), times(2, 0), known=frozenset({"SRP"})).ratio == 2


def test_known_and_a_new_other_antibody_is_a_diagnosis_again() -> None:
    results = (hmgcr("POS_STRONG"), srp("POS_LOW"), times(20, -20), times(2, -3))
    assert of(*results, known=frozenset({"HMGCR"})).ratio == 20
    assert of(*results, known=frozenset({"HMGCR", "SRP"})).ratio == 2


def test_the_case_may_say_that_it_is_known() -> None:
    context = (stated(ContextKind.KNOWN_MSA, "HMGCR"),)
    assert of(hmgcr("POS_STRONG"), times(20, -20), times(2, -3), context=context).ratio == 2


# ---------------------------------------------------------------- persistence (C10.17)


def stays(*results: Result, anchor: date = DAY) -> bool:
    return persistent(results, anchor, POLICY)


@pytest.mark.parametrize(
    ("first", "second", "apart", "wanted"),
    [
        (5, 5, 6, False),
        (5, 5, 7, True),
        (5, 5, 90, True),
        (5, 5, 91, False),
        (4, 4, 30, True),
        ("3.99", 4, 30, False),
        (4, "3.99", 30, False),
        (50, 50, 30, True),
    ],
)
def test_two_samples_of_four_times_the_limit(first: Any, second: Any, apart: int, wanted: bool) -> None:
    assert stays(times(first, -apart, "A"), times(second, 0, "B")) is wanted
    assert of(times(first, -apart, "A"), times(second, 0, "B")).persistent is wanted


@pytest.mark.parametrize(("age", "wanted"), [(30, True), (31, False)])
def test_one_of_them_near_the_anchor(age: int, wanted: bool) -> None:
    assert stays(times(5, -age - 20), times(5, -age)) is wanted


@pytest.mark.parametrize(("age", "wanted"), [(30, True), (31, False)])
def test_the_anchor_is_the_episode_s(age: int, wanted: bool) -> None:
    assert of(times(5, -age - 20), times(5, -age), hep2("NUCLEAR"), today=on(0)).persistent is wanted


def test_a_lower_one_between_ends_the_stretch() -> None:
    assert not stays(times(5, -20), times(2, -10), times(5, 0))
    assert stays(times(2, -30), times(5, -20), times(5, 0), times("3.9", 1), anchor=on(1))
    assert stays(times(5, -20), times(2, -10), times(5, -8), times(5, 0), anchor=on(0))


def test_a_higher_one_between_leaves_it() -> None:
    assert stays(times(5, -7), times(9, -3), times(5, 0))


def test_one_that_cannot_be_compared_says_nothing() -> None:
    assert stays(times(5, -20), times(1, -10, upper_limit=None), times(5, 0))


def test_within_one_day_the_time_says_what_lies_between() -> None:
    first, low, last = times(5, -10), times(2, 0, "L"), times(5, 0, "H")
    assert stays(first, timed(low, at(0, 18)), timed(last, at(0, 8)))
    assert not stays(first, timed(low, at(0, 8)), timed(last, at(0, 18)))
    assert stays(first, timed(low, undated(0)), timed(last, undated(0)))  # simultaneous: not between


def test_long_ago_and_today_is_no_persistence() -> None:
    """Rhabdomyolysis years ago and a raised CK today."""
    assert not stays(times(300, -2000), times(200, -1990), times(5, 0))


def test_a_long_series_is_read_in_time() -> None:
    """Years of daily values: only those that can matter are compared with each other."""
    series = [times(5, -day) for day in range(0, 1500, 2)]
    assert stays(*series)


# ---------------------------------------------------------------- extremes (C4 CK_EXTREME, C10.34)


@pytest.mark.parametrize(
    ("number", "comparator", "wanted"),
    [
        ("10000", "=", False),
        ("10000.01", "=", True),
        ("10001", "=", True),
        ("10000", ">", True),  # "> 10,000" counts as above it
        ("10000", ">=", True),
        ("9999", ">", False),
        ("20000", ">", True),
        ("10000", "<", False),
    ],
)
def test_above_ten_thousand(number: str, comparator: str, wanted: bool) -> None:
    assert of(units(number, comparator=comparator)).extreme is wanted


@pytest.mark.parametrize(("apart", "first_again"), [(1, False), (30, False), (31, True)])
def test_the_first_in_30_days(apart: int, first_again: bool) -> None:
    """A later one of the same rise is not first; the finding stays with the one that was, while it is in the window."""
    earlier, later = units(12000, -apart), units(15000, 0)
    found = of(earlier, later, today=on(0))
    assert found.extreme
    assert found.extreme_result == (later if first_again else earlier)


def test_a_rise_that_began_before_the_window_is_not_called_again() -> None:
    """Above the limit for forty days: the first has left the window, none of the rest is first."""
    series = [units(12000, -day) for day in range(0, 41, 5)]
    assert not of(*series, today=on(0)).extreme


def test_without_an_extreme_there_is_no_evidence_of_one() -> None:
    assert of(times(20)).extreme_result is None


def test_the_number_counts_not_the_ratio() -> None:
    assert not of(times(40, upper_limit=Decimal(100))).extreme
    assert of(units(10001, upper_limit=Decimal(2000))).extreme


# ---------------------------------------------------------------- nothing there


def test_no_ck_at_all() -> None:
    assert of(srp("NEG")) == CkEvidence()
    assert of() == CkEvidence()


def test_a_withdrawn_ck_leaves_none() -> None:
    sent, taken_back = ck(20, "CK@1"), ck(20, "CK@2", status=Status.WITHDRAWN)
    found = seen(srp("NEG"), sent, taken_back)
    assert (found.ck.band.value, raised(found)) == ("UNKNOWN", {"RESULT_WITHDRAWN"})


def test_creatinine_is_no_ck() -> None:
    creatinine = result(Analyte.CREATININE, "KR", value=quantity("3000", unit="umol/L"), upper_limit=LIMIT)
    assert of(srp("NEG"), creatinine) == CkEvidence()
