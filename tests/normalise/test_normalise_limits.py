"""Limits at their edges, with every comparator: bands, the laboratory's own verdict, CK's upper limit (clinical.md C1.6,
C2, C10.21, C10.30, C10.31)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import knowledge

from labbridge.knowledge.policy import Policy
from labbridge.model.report import Patient, Timestamp
from labbridge.model.result import Analyte, Band, Category, Family, Limits, Method
from labbridge.model.values import Comparator, Grade, Missing, Quantity, Titre, Value, Word
from labbridge.normalise import limits
from labbridge.normalise.limits import Interval, UpperLimit

DAY = date(2026, 11, 9)
COLLECTED = Timestamp(text="20261109", moment=datetime(2026, 11, 9, 8, 0, tzinfo=UTC), day=DAY)
EQUIVOCAL, LOW, STRONG = Category.EQUIVOCAL, Category.POS_LOW, Category.POS_STRONG
FROM_20 = Limits((Band(LOW, Decimal(20)), Band(STRONG, Decimal(60))), "a kit: 20 is positive")
ABOVE_20 = Limits((Band(LOW, Decimal(20), above_only=True), Band(STRONG, Decimal(60))), "a range 0-20: 20 is negative")


def policy() -> Policy:
    return knowledge().policy


def quantity(text: str) -> Quantity:
    """`<7` as a value."""
    sign = text.rstrip("0123456789.")
    return Quantity(Decimal(text.removeprefix(sign)), "U", Comparator(sign or "="))


def interval(text: str) -> Interval | None:
    """`26-170`, `<20`, `<=20`, `>=26` as a range; a word or a number alone is none."""
    if text.startswith(("<", ">")):
        limit = Decimal(text.lstrip("<>="))
        return Interval(None, limit, not text.startswith("<=")) if text.startswith("<") else Interval(limit, None)
    low, _dash, high = text.rpartition("-")
    return Interval(Decimal(low), Decimal(high)) if low else None


# ---------------------------------------------------------------- which limits hold


def by(code: str, assay: str = "") -> Method:
    row = knowledge().terminology.methods[code]
    return Method(code=code, family=row.family, tier=row.tier, assay=assay)


def banding(method: Method | None, analyte: Analyte, value: Value | Missing, sent: str) -> Limits | None:
    """What counts: the cut-off sent, else the kit's or the method's own bands."""
    of_sent = limits.sent_bands(method, interval(sent), policy())
    return of_sent or limits.own_bands(method, analyte, value, knowledge().terminology, policy())


def banded(
    method: Method | None, sent: str = "", analyte: Analyte = Analyte.HMGCR, value: Value | Missing | None = None
) -> list[tuple[Category, str, bool]] | None:
    value = value or Quantity(Decimal(30), "CU")
    found = banding(method, analyte, value, sent)
    return None if found is None else [(band.category, str(band.low), band.above_only) for band in found.bands]


def test_the_bands_of_the_blots_are_those_of_the_specification() -> None:
    assert banded(by("line_blot"), analyte=Analyte.SRP) == [
        (EQUIVOCAL, "6", False), (LOW, "11", False), (STRONG, "26", False),
    ]  # fmt: skip
    assert banded(by("dot_blot"), analyte=Analyte.SRP) == [
        (EQUIVOCAL, "5", False), (LOW, "10", True), (STRONG, "30", False),
    ]  # fmt: skip


def test_a_kits_own_bands_beat_those_of_its_method() -> None:
    """Quest's strip: below 11 SI is negative, and there is no borderline band (codes.md 5.2)."""
    value = Quantity(Decimal(30), "SI")
    assert banded(by("line_blot", "quest-94777"), analyte=Analyte.SRP, value=value) == [
        (LOW, "11", False),
        (STRONG, "26", False),
    ]
    assert banded(by("line_blot", "euroline-16"), analyte=Analyte.SRP) == banded(by("line_blot"), analyte=Analyte.SRP)


@pytest.mark.parametrize("sent", ["0-5", "<10", "0-100"])
def test_a_range_sent_with_a_blot_moves_no_band(sent: str) -> None:
    """It is its laboratory's verdict, which must not contradict ours (C10.21)."""
    assert banded(by("line_blot"), sent, Analyte.SRP) == banded(by("line_blot"), "", Analyte.SRP)


@pytest.mark.parametrize("code", ["immunoblot", "ip_protein", "ip_rna", "cba", "tissue_iif"])
@pytest.mark.parametrize("sent", ["", "<20"])
def test_a_method_of_words_has_no_bands(code: str, sent: str) -> None:
    assert banded(by(code), sent) is None


def test_without_a_method_no_limits_hold() -> None:
    assert banded(None, "<20") is None


@pytest.mark.parametrize("code", ["elisa", "clia", "albia", "pmat", "feia"])
@pytest.mark.parametrize(
    ("sent", "low", "above_only", "strong"),
    [
        ("<20", "20", False, "60"), ("<20.0", "20.0", False, "60.0"), ("<=20", "20", True, "60"), ("0-19", "19", True, "57"),
        ("<0.35", "0.35", False, "1.05"), ("<9.9", "9.9", False, "29.7"), ("<14", "14", False, "42"),
    ],
)  # fmt: skip
def test_a_cut_off_sent_is_the_first_positive_and_three_times_it_is_strong(
    code: str, sent: str, low: str, above_only: bool, strong: str
) -> None:
    """C2: 1 to below 3 x cut-off is low; 3 x and more is strong. The end of a range is still negative."""
    assert banded(by(code), sent) == [(LOW, low, above_only), (STRONG, strong, False)]


@pytest.mark.parametrize("sent", ["", ">=5", ">20", "negative", "20"])
def test_without_a_cut_off_sent_the_kits_own_counts(sent: str) -> None:
    assert banded(by("clia", "quanta-flash-hmgcr"), sent) == [(LOW, "20.0", False), (STRONG, "60.0", False)]


@pytest.mark.parametrize("unit", ["CU", "[CU]", "{CU}", "U/mL", "cu", ""])
def test_a_kits_cut_off_says_nothing_of_another_unit_or_of_none(unit: str) -> None:
    """20 CU is no 20 U/mL: without a cut-off sent such a number is held (C1.5), never compared."""
    found = banded(by("clia", "quanta-flash-hmgcr"), value=Quantity(Decimal(30), unit))
    assert (found is not None) is (unit in ("CU", "[CU]", "{CU}"))
    assert banded(by("clia", "quanta-flash-hmgcr"), "<15", value=Quantity(Decimal(30), unit)) == [
        (LOW, "15", False),
        (STRONG, "45", False),
    ]


def test_a_strip_with_its_own_bands_says_nothing_in_another_unit() -> None:
    assert banded(by("line_blot", "quest-94777"), analyte=Analyte.SRP, value=Quantity(Decimal(30), "")) is None


def test_a_word_has_no_unit_that_could_differ() -> None:
    assert banded(by("clia", "quanta-flash-hmgcr"), value=Word(Grade.POSITIVE, "Positive")) is not None
    assert banded(by("clia", "quanta-flash-hmgcr"), value=Missing.ABSENT) is not None


def test_a_cut_off_sent_beats_the_kits() -> None:
    assert banded(by("clia", "quanta-flash-hmgcr"), "<15") == [(LOW, "15", False), (STRONG, "45", False)]


def test_a_kits_cut_off_is_of_its_own_analyte() -> None:
    assert banded(by("clia", "quanta-flash-hmgcr"), analyte=Analyte.SRP) is None


@pytest.mark.parametrize("assay", ["", "quanta-lite-hmgcr", "albia-hmgcr", "cosmic-srp", "no-such-kit"])
def test_a_quantitative_assay_without_a_cut_off_has_no_limits(assay: str) -> None:
    """C1.5: it is held; nothing is taken from another kit of its kind."""
    assert banded(by("elisa", assay)) is None


def test_limits_say_where_they_came_from() -> None:
    found = [
        banding(method, Analyte.HMGCR, Quantity(Decimal(30), "CU"), sent)
        for method, sent in (
            (by("clia", "quanta-flash-hmgcr"), "<15"), (by("clia", "quanta-flash-hmgcr"), ""), (by("line_blot"), "<15"),
        )
    ]  # fmt: skip
    assert [one and one.source for one in found] == ["sent", "quanta-flash-hmgcr", "method:line_blot"]


# ---------------------------------------------------------------- negative by our bands?


@pytest.mark.parametrize(
    ("banding", "sent", "negative"),
    [
        *((FROM_20, text, True) for text in ("0", "19.99", "<20", "<19", "<0.5", "<=19.99")),
        *((FROM_20, text, False) for text in ("20", "20.01", "500", ">20", ">=20", ">500")),
        *((FROM_20, text, None) for text in ("<20.01", "<=20.01", "<100", ">19.99", ">=19.99", ">0")),
        *((ABOVE_20, text, True) for text in ("0", "19.99", "20", "<20", "<=20", "<5")),
        *((ABOVE_20, text, False) for text in ("20.01", "500", ">20.01", ">=20.01")),
        *((ABOVE_20, text, None) for text in ("<20.01", "<=20.01", ">=20", ">19.99", ">=0")),
    ],
)
def test_a_number_beside_the_first_band(banding: Limits, sent: str, negative: bool | None) -> None:
    """C1.6: what a comparator leaves open stays open."""
    assert limits.below_first_band(quantity(sent), banding) is negative


@pytest.mark.parametrize(
    "value", [Titre(Decimal(80)), Titre(Decimal(80), Comparator.LESS), Word(Grade.NEG, "negative")]
)
def test_only_a_number_lies_beside_a_band(value: Value) -> None:
    assert limits.below_first_band(value, FROM_20) is None


# ---------------------------------------------------------------- the laboratory's own verdict


@pytest.mark.parametrize(
    ("value", "sent", "negative"),
    [
        ("0", "0-19", True), ("19", "0-19", True), ("19.01", "0-19", False), ("20", "0-19", False),
        ("19.99", "<20", True), ("20", "<20", False), ("20", "<=20", True), ("20.01", "<=20", False),
        ("<20", "<20", True), ("<5", "<20", True), ("<=19", "0-19", True), ("<21", "<20", None), (">20", "<20", None),
        ("8", "", None), ("8", ">=5", None), ("3", ">=5", None), ("8", "negative", None),
    ],
)  # fmt: skip
def test_the_range_sent_is_a_verdict(value: str, sent: str, negative: bool | None) -> None:
    assert limits.verdict(quantity(value), interval(sent), None, None) is negative


@pytest.mark.parametrize(
    ("value", "sent", "grade", "flag", "negative"),
    [
        ("8", "0-10", Grade.POSITIVE, Grade.POSITIVE, True), ("12", "0-10", Grade.NEG, Grade.NEG, False),
        ("8", "", Grade.NEG, Grade.POSITIVE, True), ("8", "", Grade.EQUIVOCAL, Grade.NEG, False),
        ("8", "", None, Grade.NEG, True), ("8", "", None, Grade.POS_STRONG, False), ("8", "", None, Grade.EQUIVOCAL, False),
        (">20", "<20", Grade.POSITIVE, None, False), ("<25", "<20", Grade.NEG, None, True), ("8", "", None, None, None),
    ],
)  # fmt: skip
def test_the_range_comes_before_the_words_and_the_words_before_the_flag(
    value: str, sent: str, grade: Grade | None, flag: Grade | None, negative: bool | None
) -> None:
    """C2: numeric value > text grade > abnormal flag. Not negative is every other grade."""
    assert limits.verdict(quantity(value), interval(sent), grade, flag) is negative


@pytest.mark.parametrize("value", [None, Word(Grade.NEG, "negative")])
def test_a_range_says_nothing_of_what_is_no_number(value: Value | None) -> None:
    assert limits.verdict(value, interval("0-10"), None, None) is None
    assert limits.verdict(value, interval("0-10"), Grade.NEG, None) is True


# ---------------------------------------------------------------- CK's upper limit


def ck(
    sent: str = "", factor: str | None = "1", born: date | None = date(1971, 2, 5), sex: str = "F", **more: Any
) -> UpperLimit:
    patient = Patient(birth_date=born, sex=sex, **more)
    return limits.ck_limit(interval(sent), None if factor is None else Decimal(factor), patient, COLLECTED, policy())


@pytest.mark.parametrize(
    ("sent", "upper", "lower"),
    [
        ("39-190", "190", "39"), ("<190", "190", None), ("<=190", "190", None), ("0-50", "50", "0"), ("0-2000", "2000", "0"),
        ("39.5-190.25", "190.25", "39.5"),
    ],
)  # fmt: skip
def test_the_limit_sent_with_the_result_counts(sent: str, upper: str, lower: str | None) -> None:
    assert ck(sent) == UpperLimit(Decimal(upper), None if lower is None else Decimal(lower))


@pytest.mark.parametrize(
    ("sent", "factor", "upper"),
    [
        ("0.65-3.17", "60", "190.20"),
        ("650-3170", "0.06", "190.20"),
        ("0.04-0.19", "1000", "190.00"),
        ("<3.5", "60", "210.0"),
    ],
)
def test_a_limit_is_in_the_unit_of_its_value(sent: str, factor: str, upper: str) -> None:
    found = ck(sent, factor)
    assert (found.upper, found.assumed, found.sent_unusable) == (Decimal(upper), False, False)


@pytest.mark.parametrize("sent", ["0-0", "190-190", "<0", "-10-0", "0-49.99", "0-2000.01", "<49", "<=5000", "<1"])
def test_a_limit_that_cannot_be_one_is_left_out_and_said_so(sent: str) -> None:
    """C10.30: zero or less, equal to the lower one, below 50 or above 2000 U/L."""
    assert ck(sent) == UpperLimit(Decimal(207), assumed=True, sent_unusable=True)


@pytest.mark.parametrize(
    ("sent", "factor", "usable"),
    [
        ("0-0.84", "60", True),
        ("0-0.83", "60", False),
        ("0-33.3", "60", True),
        ("0-33.4", "60", False),
        ("39-190", "60", False),
    ],
)
def test_whether_a_limit_can_be_one_is_judged_in_u_per_l(sent: str, factor: str, usable: bool) -> None:
    """39-190 beside a value in ukat/L would be 11,400 U/L: the range was not converted with its value."""
    found = ck(sent, factor)
    assert (found.assumed, found.sent_unusable) == (not usable, not usable)


@pytest.mark.parametrize("sent", ["", "see report", "190"])
def test_nothing_sent_is_nothing_unusable(sent: str) -> None:
    assert ck(sent) == UpperLimit(Decimal(207), assumed=True)


def test_a_limit_in_a_unit_that_is_not_known_is_not_used() -> None:
    """C1.5: the result is held for its unit; its range is not blamed."""
    assert ck("39-190", None) == UpperLimit(Decimal(207), assumed=True)
    assert ck(">=26", None) == UpperLimit(Decimal(207), assumed=True)


def test_a_lower_limit_alone_is_kept_in_u_per_l() -> None:
    assert ck(">=0.5", "60") == UpperLimit(Decimal(207), Decimal(30), assumed=True)


BIRTHDAYS = [
    (date(2026, 11, 9), "F", None),
    (date(2025, 11, 10), "M", None),
    (date(2025, 11, 9), "F", "345"),
    (date(2025, 11, 9), "M", "870"),
    (date(2008, 11, 10), "F", "345"),
    (date(2008, 11, 10), "M", "870"),
    (date(2008, 11, 9), "F", "207"),
    (date(2008, 11, 9), "M", "395"),
    (date(1976, 11, 10), "M", "395"),
    (date(1976, 11, 9), "M", "340"),
    (date(1976, 11, 9), "F", "207"),
    (date(1926, 11, 9), "M", "340"),
]


@pytest.mark.parametrize(("born", "sex", "upper"), BIRTHDAYS)
def test_the_fallback_by_age_and_sex_turns_on_the_birthday(born: date, sex: str, upper: str | None) -> None:
    """C2, C10.30: 207 F, 395 M below 50, 340 M from 50; 345 and 870 below 18; none below 1 year."""
    found = ck("", born=born, sex=sex)
    assert found.upper == (Decimal(upper) if upper else None)
    assert found.assumed is (upper is not None)


@pytest.mark.parametrize(("born", "sex", "_upper"), BIRTHDAYS)
def test_a_limit_sent_counts_at_every_age(born: date, sex: str, _upper: str | None) -> None:
    assert ck("40-250", born=born, sex=sex) == UpperLimit(Decimal(250), Decimal(40))


@pytest.mark.parametrize("sex", ["M", "U", "O", "A", "N", ""])
@pytest.mark.parametrize(
    ("born", "upper"), [(date(1990, 1, 1), "395"), (date(1960, 1, 1), "340"), (date(2015, 1, 1), "870")]
)
def test_a_sex_that_is_not_known_has_the_male_limit(sex: str, born: date, upper: str) -> None:
    """C10.31: the higher one, so that nothing is raised by guessing; and it is never held for it."""
    assert ck("", born=born, sex=sex).upper == Decimal(upper)


@pytest.mark.parametrize(("sex", "upper"), [("F", "207"), ("M", "395"), ("U", "395"), ("", "395")])
def test_an_age_that_is_not_known_is_an_adults(sex: str, upper: str) -> None:
    assert ck("", born=None, sex=sex) == UpperLimit(Decimal(upper), assumed=True)


def test_an_age_stated_in_years_counts_where_there_is_no_birth_date() -> None:
    ages = {0: None, 1: "870", 17: "870", 18: "395", 49: "395", 50: "340"}
    found = {age: ck("", born=None, sex="M", age_years=age).upper for age in ages}
    assert found == {age: Decimal(upper) if upper else None for age, upper in ages.items()}


def test_an_infants_unusable_limit_is_said_so_and_none_is_assumed() -> None:
    assert ck("0-0", born=date(2026, 6, 1)) == UpperLimit(None, sent_unusable=True)
    assert ck(">=26", born=date(2026, 6, 1)) == UpperLimit(None, Decimal(26))


@given(
    st.decimals(min_value="0.001", max_value=4000, places=3),
    st.sampled_from(["1", "60", "0.06", "1000"]),
    st.sampled_from(["F", "M", ""]),
    st.one_of(st.none(), st.dates(date(1920, 1, 1), date(2025, 1, 1))),
)
def test_a_limit_is_the_one_sent_or_one_of_the_policys(high: Decimal, factor: str, sex: str, born: date | None) -> None:
    found = limits.ck_limit(
        Interval(None, high), Decimal(factor), Patient(birth_date=born, sex=sex), COLLECTED, policy()
    )
    amount = high * Decimal(factor)
    if 50 <= amount <= 2000:
        assert found == UpperLimit(amount)
    else:
        assert found.upper in {Decimal(each) for each in (207, 395, 340, 345, 870)}
        assert (found.assumed, found.sent_unusable) == (True, True)


def test_a_cut_off_sent_is_taken_by_the_quantitative_methods_and_no_other() -> None:
    methods = knowledge().terminology.methods
    takes = {id for id in methods if banded(by(id), "<7") == [(LOW, "7", False), (STRONG, "21", False)]}
    assert takes == {id for id, row in methods.items() if row.family is Family.QUANT}
    assert {"elisa", "clia", "albia", "pmat"} <= takes
