"""Reference ranges as real laboratories write them (field-quirks 5.3): an interval, or nothing with a note."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from panels import FEED, ck, codes_of, knowledge, local, obx, one, read

from labbridge.model.result import Analyte, Band, Category, Problem
from labbridge.model.values import Coding, Comparator, Missing, Quantity, Titre, Word
from labbridge.normalise import ranges
from labbridge.normalise.comparisons import Writing, writing
from labbridge.normalise.ranges import Interval, Reference


def interval(low: str | None, high: str | None, excluded: bool = False) -> Interval:
    return Interval(None if low is None else Decimal(low), None if high is None else Decimal(high), excluded)


def sent(text: str, unit: str = "", titres: bool = False) -> Reference:
    words = knowledge().terminology.words
    return ranges.reference(text, unit, words, writing(FEED, words), titres=titres)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("26-170", interval("26", "170")),
        ("0 - 19", interval("0", "19")),
        ("26–170", interval("26", "170")),
        ("0.65-3.17", interval("0.65", "3.17")),
        ("0,65-3,17", interval("0.65", "3.17")),
        ("99 to 99", interval("99", "99")),
        ("26 TO 170", interval("26", "170")),
        ("<20", interval(None, "20", True)),
        ("< 20", interval(None, "20", True)),
        ("(<9.9)", interval(None, "9.9", True)),
        ("( 26-170 )", interval("26", "170")),
        ("<=1.0", interval(None, "1.0")),
        ("≦1.0", interval(None, "1.0")),
        ("below 20", interval(None, "20", True)),
        ("inferior a 20,0", interval(None, "20.0", True)),
        ("0-0", interval("0", "0")),
        (">20", interval("20", None)),
        (">=26", interval("26", None)),
        ("<10 = Negative", interval(None, "10", True)),
        ("<10=negative", interval(None, "10", True)),
        ("0-19 = Négatif", interval("0", "19")),
    ],
)
def test_ranges_that_are_read(text: str, expected: Interval) -> None:
    assert sent(text) == Reference(expected)


@pytest.mark.parametrize(
    "text",
    [
        *("170-26", "20", "99_999", "< 9 .99", "See Below", "N", "Normal", "range of a few", "ReferenceRange9"),
        *(
            "1.001^1.035^",
            "<9 = Susceptible, >= 9 = Resistant",
            ">=20 = Positive",
            "<10 = Nonsense",
            "26~170",
            "26..170",
        ),
        *(
            "１-２",
            "<１０",
            "26-170-300",
            "1e2-1e3",
            "100<",
            "1,234-5,678",
            "<1:80",
            "26 bis 170",
            "-",
            "()",
            "<",
            "<= 9,999 x",
        ),
    ],
)
def test_a_range_that_cannot_be_read_is_noted_and_limits_nothing(text: str) -> None:
    assert sent(text) == Reference(None, unread=True)


@pytest.mark.parametrize(
    "text", ["", " ", "^^", "Negative", "NEGATIVE", "^^Negative", "négatif", "non-reactive", "neg"]
)
def test_a_word_for_what_is_usual_limits_nothing_and_is_understood(text: str) -> None:
    assert sent(text) == Reference()


@pytest.mark.parametrize(
    ("text", "high", "excluded"), [("<1:80", "80", True), ("≦1/40", "40", False), ("<10", "10", True)]
)
def test_the_range_of_a_titre_is_of_its_reciprocal(text: str, high: str, excluded: bool) -> None:
    assert sent(text, titres=True) == Reference(interval(None, high, excluded))


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("<9.99 IU/mL", "IU/mL", interval(None, "9.99", True)),
        ("39-190 U/L", "U/L", interval("39", "190")),
        ("<20 CU", "U/mL", None),
        ("39-190", "190", interval("39", "190")),
        ("39-190", "0", interval("39", "190")),
    ],
)
def test_the_results_own_unit_after_the_range(text: str, unit: str, expected: Interval | None) -> None:
    assert sent(text, unit) == Reference(expected, unread=expected is None)


@pytest.mark.parametrize(("mark", "expected"), [(".", None), (",", interval("1.234", "5.678"))])
def test_the_feeds_decimal_mark_counts_in_ranges(mark: str, expected: Interval | None) -> None:
    assert ranges.interval("1,234-5,678", Writing(mark)) == expected


@given(st.text(max_size=14))
def test_any_text_is_an_interval_of_finite_numbers_or_none(text: str) -> None:
    found = sent(text, titres=True)
    for limit in (found.interval.low, found.interval.high) if found.interval else ():
        assert limit is None or limit.is_finite()
    assert not (found.interval is not None and found.unread)


# ---------------------------------------------------------------- whether a value lies inside


@pytest.mark.parametrize(
    ("value", "range_", "inside"),
    [
        (Quantity(Decimal(19), ""), interval(None, "20", True), True),
        (Quantity(Decimal(20), ""), interval(None, "20", True), False),
        (Quantity(Decimal(20), ""), interval(None, "20"), True),
        (Quantity(Decimal(20), "", Comparator.LESS), interval(None, "20", True), True),
        (Quantity(Decimal(21), "", Comparator.LESS), interval(None, "20", True), None),
        (Quantity(Decimal(5), "", Comparator.GREATER), interval(None, "20", True), None),
        (Titre(Decimal(640)), interval(None, "10", True), False),
        (Titre(Decimal(5)), interval(None, "10", True), True),
        (Titre(Decimal(80), Comparator.LESS), interval(None, "80", True), True),
        (Titre(Decimal(640)), interval("0", "0"), None),
        (Quantity(Decimal(0), ""), interval("0", "0"), None),
        (Quantity(Decimal(5), ""), interval(None, "-1"), None),
        (Quantity(Decimal(5), ""), interval("20", None), None),
        (Quantity(Decimal(5), ""), None, None),
        (Missing.ABSENT, interval(None, "20", True), None),
        (None, interval(None, "20", True), None),
    ],
)
def test_within(value: Quantity | Titre | Word | Missing | None, range_: Interval | None, inside: bool | None) -> None:
    assert ranges.within(value, range_) is inside


# ---------------------------------------------------------------- in results


@pytest.mark.parametrize("text", ["0-0", "0.0-0.0", "<0", "12-12"])
def test_a_range_of_nothing_is_no_cut_off(text: str) -> None:
    """Low and high 0 is how a sender without limits fills the field: the kit's own cut-off stands (field-quirks 3.1)."""
    found = one(obx(local("HMGCRC"), "15", unit=Coding("CU"), reference_range=text))
    assert found.limits is not None
    assert found.limits.bands[0] == Band(Category.POS_LOW, Decimal("20.0"))
    assert found.problems == ()


def test_a_range_of_nothing_is_no_limit_of_creatinine() -> None:
    found = one(obx((Coding("14682-9", "Creatinine", "LN"),), "28", unit=Coding("umol/L"), reference_range="0-0"))
    assert (found.analyte, found.lower_limit, found.upper_limit) == (Analyte.CREATININE, None, None)


@pytest.mark.parametrize(("text", "noted"), [("See Below", True), ("99_999", True), ("Negative", False), ("", False)])
def test_a_range_that_was_not_read_is_a_note_and_no_problem(text: str, noted: bool) -> None:
    found, notes = read(ck("312", reference_range=text), born=date(1971, 2, 5))
    (result,) = found.results
    assert result.problems == ()
    assert (result.upper_limit, result.upper_limit_assumed) == (Decimal(207), True)
    assert ("N212" in codes_of(notes)) is noted


def test_the_upper_limit_of_ck_is_never_read_off_a_titre() -> None:
    found, notes = read(ck("312", reference_range="<1:80"))
    assert found.results[0].upper_limit_assumed
    assert "N212" in codes_of(notes)


TISSUE = (Coding("53011-3", "SRP Ab IF titer", "LN"),)


@pytest.mark.parametrize(
    ("value", "text", "negative", "differ"),
    [
        ("1:640", "<10 = Negative", False, False),
        ("1:640", "<1:20", False, False),
        ("<1:10", "<10 = Negative", True, False),
        ("1:10", "<1:20", True, True),
        ("1:10", "0-0", None, False),
    ],
)
def test_the_range_of_a_titre_is_the_laboratorys_verdict(
    value: str, text: str, negative: bool | None, differ: bool
) -> None:
    found = one(obx(TISSUE, value, reference_range=text))
    assert found.lab_negative is negative
    assert (Problem.LIMITS_DIFFER in found.problems) is differ


@pytest.mark.parametrize("text", ["<10 = Negative", "<1:80", "N", "<1:40"])
def test_a_high_titre_is_never_negative_by_its_range(text: str) -> None:
    found = one(obx(local("ANAT"), "1:640", reference_range=text))
    assert found.hep2 is not None
    assert found.hep2.pattern.value == "UNSPECIFIED"


@pytest.mark.parametrize(
    ("text", "pattern"), [("<1:80", "NEG"), ("<80", "NEG"), ("<1:40", "UNSPECIFIED"), ("N", "UNSPECIFIED")]
)
def test_a_titre_inside_the_laboratorys_own_range_is_its_negative(text: str, pattern: str) -> None:
    found = one(obx(local("ANAT"), "1:40", reference_range=text))
    assert found.hep2 is not None
    assert (found.hep2.pattern.value, found.value) == (pattern, Titre(Decimal(40)))


def test_a_positive_word_or_a_pattern_outranks_the_range() -> None:
    worded = one(obx(local("ANAS"), "Positive"), obx(local("ANAT"), "1:40", reference_range="<1:80", at="OBX[2]"))
    described = one(obx(local("ANAP"), "AC-19"), obx(local("ANAT"), "1:40", reference_range="<1:80", at="OBX[2]"))
    assert worded.hep2 is not None
    assert described.hep2 is not None
    assert (worded.hep2.pattern.value, described.hep2.pattern.value) == ("UNSPECIFIED", "CYTO_COMPAT")


# ---------------------------------------------------------------- remembered


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["0-19", "<1:80", "1,5-2,5", "Negative", "<20 U/L", "1,234-2,000", "80-", ""]),
            st.sampled_from(["", "U/L"]),
            st.sampled_from([".", ","]),
            st.booleans(),
            st.booleans(),
        ),
        max_size=20,
    )
)
def test_a_range_that_was_read_before_is_read_the_same(asked: list[tuple[str, str, str, bool, bool]]) -> None:
    words = knowledge().terminology.words
    remembering = ranges.References(words)
    for text, unit, mark, declared, titres in asked:
        how = Writing(mark, words.comparators, declared)
        assert remembering.of(text, unit, how, titres=titres) == ranges.reference(text, unit, words, how, titres=titres)


def test_what_is_remembered_of_ranges_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MOST_CACHED", 2)
    remembering = ranges.References(knowledge().terminology.words)
    for number in range(5):
        assert remembering.of(f"0-{number}", "", writing(FEED, knowledge().terminology.words), titres=False).interval
        assert len(remembering._seen) <= 2
