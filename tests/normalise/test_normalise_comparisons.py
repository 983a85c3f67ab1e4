"""Comparators in every spelling: signs before a number, words by their table, and forms a feed must declare (C10.34)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from panels import FEED, UL, ck, codes_of, knowledge, local, obx, one, read

from labbridge.model.result import Problem
from labbridge.model.values import Coding, Comparator, Quantity, Titre
from labbridge.normalise import numbers
from labbridge.normalise.comparisons import PLAIN, Writing, beside, narrow, sign, writing

POSTFIX = msgspec.structs.replace(FEED, postfix_comparators=True)
LESS, AT_MOST, MORE, AT_LEAST = (
    Comparator.LESS,
    Comparator.LESS_OR_EQUAL,
    Comparator.GREATER,
    Comparator.GREATER_OR_EQUAL,
)


def by_the_tables(declared: bool = False) -> Writing:
    return writing(POSTFIX if declared else FEED, knowledge().terminology.words)


# ---------------------------------------------------------------- signs are grammar


@pytest.mark.parametrize(
    ("text", "comparator"),
    [
        ("", Comparator.EQUAL),
        ("=", Comparator.EQUAL),
        ("＝", Comparator.EQUAL),
        ("<", LESS),
        ("＜", LESS),
        ("〈", LESS),
        ("<=", AT_MOST),
        ("< =", AT_MOST),
        ("=<", AT_MOST),
        ("＜＝", AT_MOST),
        ("≤", AT_MOST),
        ("≦", AT_MOST),
        (">", MORE),
        ("＞", MORE),
        ("〉", MORE),
        (">=", AT_LEAST),
        ("> =", AT_LEAST),
        ("=>", AT_LEAST),
        ("= >", AT_LEAST),
        ("≥", AT_LEAST),
        ("≧", AT_LEAST),
    ],
)
def test_a_sign(text: str, comparator: Comparator) -> None:
    assert sign(text) is comparator


@pytest.mark.parametrize("text", ["<>", "><", "<<", "==", "≠", "~", "<=>", "-", "+", "≪", "a", "5", ":", "≤="])
def test_what_is_no_sign(text: str) -> None:
    assert sign(text) is None


def test_full_width_signs_are_made_narrow_and_digits_are_not() -> None:
    assert narrow("＜１（＋）ａ") == "<１(+)ａ"


@pytest.mark.parametrize(
    ("text", "value", "comparator"),
    [
        ("＞100", "100", MORE),
        ("〉100", "100", MORE),
        ("＜ 100", "100", LESS),
        ("=>200", "200", AT_LEAST),
        ("=<200", "200", AT_MOST),
        ("< = 200", "200", AT_MOST),
        (":<0.5", "0.5", LESS),
        ("::<0.5", "0.5", LESS),
        (": < 0.5", "0.5", LESS),
        ("<0.5:", "0.5", LESS),
        ("0.5:", "0.5", Comparator.EQUAL),
        ("320::", "320", Comparator.EQUAL),
        ("10:", "10", Comparator.EQUAL),
    ],
)
def test_signs_and_colons_around_a_number(text: str, value: str, comparator: Comparator) -> None:
    """No table is needed for any of them."""
    found = numbers.number(text)
    assert (found.value, found.comparator, found.problem) == (Decimal(value), comparator, None)


@pytest.mark.parametrize("text", ["1:", "<1:", "1::", ":1", ":320", ":", "::", "1/"])
def test_a_colon_that_may_be_what_is_left_of_a_titre_is_no_part_of_a_number(text: str) -> None:
    assert numbers.number(text).problem is Problem.VALUE_UNREADABLE
    assert numbers.titre(text) is None


# ---------------------------------------------------------------- words are rows


@pytest.mark.parametrize(
    ("text", "value", "comparator"),
    [
        ("above 100", "100", MORE),
        ("ABOVE 100", "100", MORE),
        ("below 7", "7", LESS),
        ("greater than 100", "100", MORE),
        ("Less  than 7.5", "7.5", LESS),
        ("inferior a 20,0", "20.0", LESS),
    ],
)
def test_words_of_comparison(text: str, value: str, comparator: Comparator) -> None:
    found = numbers.number(text, by_the_tables())
    assert (found.value, found.comparator) == (Decimal(value), comparator)
    assert numbers.number(text).problem is Problem.VALUE_UNREADABLE  # the word is a row, not Python


@pytest.mark.parametrize(
    "text",
    [
        ">100以上",
        "<300未満",
        "above 100超過",
        ">above 100",
        "以上200",
        "100 above",
        "未満",
        "above",
        "200以上か",
        "上200",
    ],
)
def test_a_word_out_of_its_place_or_two_comparators_are_not_read(text: str) -> None:
    assert numbers.number(text, by_the_tables()).value is None


def test_an_equal_sign_beside_a_word_adds_nothing() -> None:
    found = numbers.number("=200以上", by_the_tables(declared=True))
    assert (found.value, found.comparator) == (200, AT_LEAST)


@pytest.mark.parametrize(
    ("text", "comparator"),
    [
        ("1:320以上", AT_LEAST),
        ("1:80未満", LESS),
        ("below 1:80", LESS),
        ("＞1:1024", MORE),
        ("1:320:", Comparator.EQUAL),
    ],
)
def test_titres_with_words_of_comparison(text: str, comparator: Comparator) -> None:
    found = numbers.titre(text, by_the_tables(declared=True))
    assert found is not None
    assert found.comparator is comparator


# ---------------------------------------------------------------- forms that mean something only where the feed says so

DECLARED = [
    ("100<", "100", MORE),
    ("100＜", "100", MORE),
    ("300>", "300", LESS),
    ("300＞", "300", LESS),
    ("U100", "100", AT_LEAST),
    ("L300", "300", AT_MOST),
    ("↑200", "200", AT_LEAST),
    ("↓200", "200", AT_MOST),
    ("100超過", "100", MORE),
    ("200 以上", "200", AT_LEAST),
    ("300未満", "300", LESS),
    ("300ﾐﾏﾝ", "300", LESS),
    ("200～", "200", AT_LEAST),
    ("200〜", "200", AT_LEAST),
]


@pytest.mark.parametrize(("text", "value", "comparator"), DECLARED)
def test_forms_of_a_feed_that_declares_them(text: str, value: str, comparator: Comparator) -> None:
    found = one(ck(text), feed=POSTFIX)
    assert found.value == Quantity(Decimal(value), "U/L", comparator)
    assert found.problems == ()


@pytest.mark.parametrize("text", [text for text, _value, _comparator in DECLARED])
def test_the_same_forms_of_any_other_feed_are_a_doubt_that_holds(text: str) -> None:
    """`100<` is above 100 in one hospital and a flagged 100 in another: never a number by guessing."""
    found, notes = read(ck(text))
    (result,) = found.results
    assert result.problems == (Problem.VALUE_AMBIGUOUS,)
    assert not isinstance(result.value, Quantity)
    assert "N216" in codes_of(notes)


@pytest.mark.parametrize("text", ["↓", "↑", "U", "<", "〉", "～"])
@pytest.mark.parametrize("feed", [FEED, POSTFIX])
def test_a_mark_alone_is_no_value(text: str, feed: object) -> None:
    found, notes = read(ck(text), feed=feed)  # type: ignore[arg-type]
    assert found.results[0].problems == (Problem.VALUE_UNREADABLE,)
    assert "N201" in codes_of(notes)


@pytest.mark.parametrize(
    "text", [">100<", "<100>", "U100以上", ">100以上", "<300未満", "100<<", "↑↑200", "200↑", "100 U", "L-300x"]
)
def test_a_declared_form_beside_another_comparator_is_not_read(text: str) -> None:
    assert one(ck(text), feed=POSTFIX).problems[0] in (Problem.VALUE_UNREADABLE, Problem.VALUE_AMBIGUOUS)


def test_a_titre_after_which_an_undeclared_comparator_stands_holds() -> None:
    found, notes = read(obx(local("ANAT"), "1:320<"))
    assert Problem.VALUE_AMBIGUOUS in found.results[0].problems
    assert "N216" in codes_of(notes)
    assert one(obx(local("ANAT"), "1:320<"), feed=POSTFIX).value == Titre(Decimal(320), MORE)


# ---------------------------------------------------------------- the pieces


def test_beside_a_number_at_most_one_text_compares() -> None:
    assert beside("<", "", PLAIN).comparator is LESS
    assert beside("", "", PLAIN).comparator is Comparator.EQUAL
    assert beside("x", "", PLAIN).comparator is None
    assert beside("<", "以上", by_the_tables()).comparator is None
    assert (beside("", "<", PLAIN).open, beside("", "<", by_the_tables()).open) == (False, True)
    assert beside(">", "<", by_the_tables()).open


@pytest.mark.parametrize("text", ["above 14", ">14"])
def test_an_antibody_keeps_its_comparator(text: str) -> None:
    found = one(obx(local("SRPB"), text))
    assert found.value == Quantity(Decimal(14), "", MORE)


def test_a_comparator_and_a_unit_conversion_go_together() -> None:
    found = one(ck("10以上", unit=Coding("µkat/L")), feed=POSTFIX)
    assert found.value == Quantity(Decimal(600), "U/L", AT_LEAST)
    assert one(ck("10 以上", unit=UL), feed=POSTFIX).value == Quantity(Decimal(10), "U/L", AT_LEAST)
