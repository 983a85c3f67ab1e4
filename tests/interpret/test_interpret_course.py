"""CK over time: values too low to be true, rebound, the latest, and creatinine beside it (O3, L7-L9, C10.25-C10.33)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from interpret_build import PATIENT, ck, result, stated
from interpret_lab import hmgcr, on, quantity, seen, srp

from labbridge.interpret.evidence import CkBand, CkCourse, LowCk, Rebound
from labbridge.model.result import Analyte, ContextKind, Result
from labbridge.model.values import Comparator, Quantity


def course(*results: Result, **fields: Any) -> CkCourse:
    return seen(*results, **fields).course


def units(number: str, ref: str = "CK", day: int = 0, comparator: str = "=", **fields: Any) -> Result:
    """A CK in U/L; its limit is 200 U/L."""
    value = Quantity(Decimal(number), "U/L", Comparator(comparator))
    return ck(1, ref, on(day), value=value, **fields)


def creatinine(number: str, day: int = 0, **fields: Any) -> Result:
    return result(Analyte.CREATININE, f"KR{day}", on(day), value=quantity(number, unit="umol/L"), **fields)


# ---------------------------------------------------------------- O3, C10.29


@pytest.mark.parametrize(
    ("number", "comparator", "low"),
    [
        ("19.9", "=", True),
        ("20", "=", False),
        ("7", "<", True),
        ("20", "<", True),
        ("21", "<", False),
        ("7", ">", False),
    ],
)
def test_below_20_beside_a_strong_antibody(number: str, comparator: str, low: bool) -> None:
    found = seen(srp("POS_STRONG"), units(number, comparator=comparator))
    assert found.course.low is (LowCk.DISCORDANT if low else LowCk.NONE)
    assert (found.ck.band is CkBand.UNKNOWN) is low  # set aside, it says nothing of the band


@pytest.mark.parametrize("antibody", [srp("POS_LOW"), hmgcr("NEG")])
def test_below_20_alone_is_a_low_ck(antibody: Result) -> None:
    found = seen(antibody, units("15"))
    assert (found.course.low, found.ck.band) == (LowCk.NONE, CkBand.NORMAL)


@pytest.mark.parametrize(("day", "low"), [(-14, LowCk.DISCORDANT), (-15, LowCk.NONE)])
def test_below_20_within_two_weeks_of_a_very_high_one(day: int, low: LowCk) -> None:
    assert course(units("2001", "CK-0", day), units("15")).low is low


def test_ten_times_the_limit_itself_is_not_above() -> None:
    assert course(units("2000", "CK-0", -5), units("15")).low is LowCk.NONE


@pytest.mark.parametrize(
    ("day", "number", "low"),
    [
        (-3, "2999", LowCk.DISCORDANT),
        (-3, "3000", LowCk.NONE),
        (-4, "2999", LowCk.NONE),
    ],
)
def test_more_than_90_percent_within_72_hours(day: int, number: str, low: LowCk) -> None:
    assert course(units("30000", "CK-0", day), units(number)).low is low


def test_a_later_believable_ck_ends_it() -> None:
    found = seen(srp("POS_STRONG"), units("5", "CK-1", -2), units("9000", "CK-2"))
    assert (found.course.low, found.ck.band) == (LowCk.NONE, CkBand.HIGH)


def test_low_muscle_mass_may_explain_it() -> None:
    found = course(srp("POS_STRONG"), units("15"), creatinine("30"))
    assert (found.low, found.band) == (LowCk.LOW_MUSCLE_MASS, CkBand.NORMAL)
    assert course(srp("POS_STRONG"), units("15"), creatinine("70")).low is LowCk.DISCORDANT


@pytest.mark.parametrize(("day", "low"), [(-90, LowCk.DISCORDANT), (-91, LowCk.LOW_MUSCLE_MASS)])
def test_not_within_90_days_of_a_very_high_one(day: int, low: LowCk) -> None:
    assert course(srp("POS_STRONG"), units("3000", "CK-0", day), units("15"), creatinine("30")).low is low


# ---------------------------------------------------------------- L8, C10.25


@pytest.mark.parametrize(
    ("before", "now", "rebound"),
    [
        ("1.5", "3.0", Rebound.REBOUND),
        ("1.5", "2.9", Rebound.NONE),
        ("0.5", "1.5", Rebound.NONE),
        ("0.5", "1.6", Rebound.REBOUND),
        ("1.6", "3.9", Rebound.NONE),  # from a plateau only to 4 times the limit
        ("2.0", "4.0", Rebound.REBOUND),
        ("2.1", "4.1", Rebound.NONE),
    ],
)
def test_a_rebound_is_twice_the_one_before(before: str, now: str, rebound: Rebound) -> None:
    assert course(ck(before, "CK-0", on(-60)), ck(now)).rebound is rebound


@pytest.mark.parametrize(
    ("before", "day", "rebound"),
    [
        ("0.5", -1, Rebound.REBOUND),
        ("0.5", -365, Rebound.REBOUND),
        ("0.5", -366, Rebound.NONE),
        ("3.0", -6, Rebound.NONE),
        ("3.0", -7, Rebound.REBOUND),
        ("3.0", -366, Rebound.NONE),
    ],
)
def test_days_between_them(before: str, day: int, rebound: Rebound) -> None:
    assert course(ck(before, "CK-0", on(day)), ck(15)).rebound is rebound


def test_the_one_before_is_the_nearest() -> None:
    assert course(ck("0.5", "CK-0", on(-60)), ck(3, "CK-1", on(-30)), ck("3.5")).rebound is Rebound.NONE


def test_two_laboratories_have_to_agree() -> None:
    """200 to 500 U/L, and as multiples 1 to 2.5, or 4 to 2.5 where the first limit was 50."""
    now = ck("2.5", laboratory="B")
    assert course(ck("1", "CK-0", on(-60), laboratory="A"), now).rebound is Rebound.REBOUND
    other = units("60", "CK-0", -60, laboratory="A", upper_limit=Decimal(50))
    assert course(other, units("310", laboratory="B", upper_limit=Decimal(400))).rebound is Rebound.NONE


def test_a_ck_set_aside_is_no_previous_one() -> None:
    found = course(ck(30, "CK-0", on(-20)), units("5", "CK-1", -10), ck(25))
    assert (found.rebound, found.previous is not None and found.previous.ref) == (Rebound.NONE, "CK-0")


# ---------------------------------------------------------------- the latest, L7, L9


@pytest.mark.parametrize(("day", "band"), [(-30, CkBand.MILD), (-31, CkBand.UNKNOWN)])
def test_the_latest_is_of_the_30_days_before_the_anchor(day: int, band: CkBand) -> None:
    assert course(ck(2, day=on(day)), srp("POS_LOW")).band is band


@pytest.mark.parametrize(("times", "high"), [("3.9", False), ("4", True)])
def test_an_earlier_ck_was_high(times: str, high: bool) -> None:
    assert course(ck(times, "CK-0", on(-300)), ck(1)).was_high is high
    assert course(ck(times)).was_high is False


@pytest.mark.parametrize(("day", "near"), [(-30, True), (-31, False)])
def test_positive_within_30_days_of_the_latest_ck(day: int, near: bool) -> None:
    assert seen(hmgcr("POS_STRONG", day=day), ck(1)).hmgcr.beside_ck is near
    assert seen(hmgcr("NEG", day=day), ck(1)).hmgcr.beside_ck is False


@pytest.mark.parametrize(
    ("sex", "number", "low"),
    [
        ("F", "44.9", True),
        ("F", "45", False),
        ("M", "59", True),
        ("M", "60", False),
        ("U", "44", True),
        ("U", "50", False),
    ],
)
def test_creatinine_below_its_limit_by_sex(sex: str, number: str, low: bool) -> None:
    patient = msgspec.structs.replace(PATIENT, sex=sex)
    assert (course(ck(1), creatinine(number), patient=patient).creatinine is not None) is low


@pytest.mark.parametrize(("age", "low"), [(18, True), (17, False), (None, True)])
def test_under_18_only_a_limit_sent_with_it_counts(age: int | None, low: bool) -> None:
    patient = msgspec.structs.replace(PATIENT, age_years=age)
    assert (course(ck(1), creatinine("30"), patient=patient).creatinine is not None) is low
    sent = creatinine("30", lower_limit=Decimal(35))
    assert course(ck(1), sent, patient=patient).creatinine is not None


def test_the_limit_sent_wins_a_comparator_above_says_nothing() -> None:
    assert course(ck(1), creatinine("50", lower_limit=Decimal(55))).creatinine is not None
    above = result(Analyte.CREATININE, "KR", value=quantity("30", ">", "umol/L"))
    assert course(ck(1), above).creatinine is None


def test_a_creatinine_in_an_unknown_unit_is_not_evaluated() -> None:
    assert course(ck(1), result(Analyte.CREATININE, "KR", value=quantity("0.3", unit=""))).creatinine is None


@pytest.mark.parametrize(("day", "low"), [(-30, True), (-31, False)])
def test_creatinine_within_30_days_of_the_ck(day: int, low: bool) -> None:
    assert (course(ck(1), creatinine("30", day)).creatinine is not None) is low


def test_the_nearest_creatinine_counts() -> None:
    assert course(ck(1), creatinine("30", -10), creatinine("80", -1)).creatinine is None


def test_none_counts_in_pregnancy() -> None:
    expecting = (stated(ContextKind.PREGNANT, "Y"),)
    assert course(ck(1), creatinine("30"), context=expecting).creatinine is None
    assert course(ck(1), creatinine("30"), context=(stated(ContextKind.PREGNANT, "N"),)).creatinine is not None
