"""The accepted grammar of numbers: what is read, and what is not a number (reliability.md F10, 3.2)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.model.result import Problem
from labbridge.model.values import Comparator
from labbridge.normalise import numbers
from labbridge.normalise.comparisons import Writing


@pytest.mark.parametrize(
    ("text", "value", "comparator"),
    [
        ("0", "0", "="),
        ("14", "14", "="),
        (" 14 ", "14", "="),
        ("12.30", "12.30", "="),
        ("12,5", "12.5", "="),
        ("12,50", "12.50", "="),
        ("1,2345", "1.2345", "="),
        ("-5.2", "-5.2", "="),
        ("<7", "7", "<"),
        ("< 7", "7", "<"),
        ("<=7", "7", "<="),
        ("≤7", "7", "<="),
        (">20", "20", ">"),
        (">=20", "20", ">="),
        ("≥20.5", "20.5", ">="),
        ("=3", "3", "="),
        ("000123", "123", "="),
        ("999999999999999", "999999999999999", "="),
    ],
)
def test_numbers_that_are_read(text: str, value: str, comparator: str) -> None:
    found = numbers.number(text)
    assert found.value == Decimal(value)
    assert str(found.value) == str(Decimal(value))
    assert found.comparator is Comparator(comparator)
    assert found.problem is None


NOT_NUMBERS = (
    *("", "FOO", "1_0", "١٢", "NaN", "inf", "1e3", "1E999", "0x10", "12.", ".5", "1.2.3", "12 U/L", "60~120", "0 .07"),
    *(
        "<",
        "<>5",
        "100<",
        "+5",
        "5+",
        "1 000",
        "NOVALUE",
        "85^^Hexoquinasa",
        "½",
        "１２",
        "--5",
        "1,5,2",
        "０５",
        "5０",
        "५",
        "5e",
        "\N{SUPERSCRIPT TWO}",
    ),
    *(
        ":5",
        "1:",
        "<1:",
        ">100<",
        "<<5",
        "><5",
        "<=>5",
        "−5",
        "－5",
        "5−",
        "5%",
        "∞",
        "1\u20605",
        "\N{ROMAN NUMERAL FIVE}",
    ),
    "1234567890123456",
)


@pytest.mark.parametrize("text", NOT_NUMBERS)
def test_everything_else_is_not_a_number(text: str) -> None:
    found = numbers.number(text)
    assert found.value is None
    assert found.problem is Problem.VALUE_UNREADABLE


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("1,234", ".", None),
        ("1,234", ",", "1.234"),
        ("1.234", ".", "1.234"),
        ("1.234", ",", None),
        ("<1,234", ".", None),
        ("1,23", ".", "1.23"),
        ("1.23", ",", "1.23"),
        ("12,5", ",", "12.5"),
    ],
)
def test_a_mark_before_exactly_three_digits_is_ambiguous_unless_declared(
    text: str, mark: str, value: str | None
) -> None:
    found = numbers.number(text, Writing(mark))
    assert found.value == (Decimal(value) if value else None)
    assert found.problem is (None if value else Problem.VALUE_AMBIGUOUS)


@given(st.decimals(min_value=0, max_value=10**9, places=2), st.sampled_from(["", "<", "<=", ">", ">="]))
def test_a_written_number_is_read_as_it_stands(value: Decimal, sign: str) -> None:
    found = numbers.number(f"{sign}{value}")
    assert found.value == value
    assert found.comparator.value == (sign or "=")


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_a_problem_and_never_both(text: str) -> None:
    found = numbers.number(text)
    assert (found.value is None) == (found.problem is not None)
    if found.value is not None:
        assert found.value.is_finite()
        assert all(
            char in "0123456789.,:<>=≤≥≦≧＜＞＝〈〉- \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0" or char.isspace()
            for char in text
        )


@pytest.mark.parametrize(
    ("text", "reciprocal", "comparator"),
    [
        ("1:320", 320, "="),
        ("1/320", 320, "="),
        ("1 : 80", 80, "="),
        ("<1:80", 80, "<"),
        (">1:2560", 2560, ">"),
        (">=1:1280", 1280, ">="),
        ("≥1:1280", 1280, ">="),
    ],
)
def test_titres(text: str, reciprocal: int, comparator: str) -> None:
    found = numbers.titre(text)
    assert found is not None
    assert (found.value, found.comparator.value) == (reciprocal, comparator)


SIGNS = ("-", "(-)", "(+)", "+", "++", "+++")


@pytest.mark.parametrize(
    ("text", "amount", "sign"),
    [
        ("320 (+)", "320", "(+)"),
        ("<40(-)", "<40", "(-)"),
        ("1:80 (+)", "1:80", "(+)"),
        ("10.3 -", "10.3", "-"),
        ("14 ++", "14", "++"),
        ("320（＋）", "320", "(+)"),
        ("10.3 －", "10.3", "-"),
        ("1:80X(-)", "1:80X", "(-)"),
        ("positive", "positive", ""),
        ("-", "-", ""),
        ("(+)", "(+)", ""),
        ("10-", "10-", ""),
        ("10+", "10+", ""),
        ("14++", "14++", ""),
        ("14 (++)", "14 (++)", ""),
        ("14 ++++", "14 ++++", ""),
        ("", "", ""),
    ],
)
def test_the_sign_beside_an_amount(text: str, amount: str, sign: str) -> None:
    assert numbers.signed(text, SIGNS) == (amount, sign)


def test_a_sign_that_no_row_names_is_none() -> None:
    assert numbers.signed("320 (+)", ()) == ("320 (+)", "")


@pytest.mark.parametrize("text", ["", "80", "1:", "1:0", "2:80", "1:80:00", "Jan-80", "1:8x", "negative", "1:12345678"])
def test_what_is_no_titre(text: str) -> None:
    assert numbers.titre(text) is None


@pytest.mark.parametrize(
    ("parts", "value", "is_titre", "comparator"),
    [
        (("", "1", ":", "320"), 320, True, "="),
        (("=", "1", ":", "640"), 640, True, "="),
        (("<", "1", ":", "80"), 80, True, "<"),
        ((">=", "1", "/", "1280"), 1280, True, ">="),
        (("<", "7", "", ""), 7, False, "<"),
        (("", "12.5", "", ""), Decimal("12.5"), False, "="),
        (("", "1.0", ":", "320"), 320, True, "="),
        (("=>", "200", "", ""), 200, False, ">="),
        (("≦", "1", ":", "80"), 80, True, "<="),
        (("", "1", ":", "320.5"), None, True, "="),
        (("", "1", ":", "-80"), None, True, "="),
        (("", "", "", ""), None, False, "="),
        (("=", "", "", ""), None, False, "="),
        (("", "60", "-", "120"), None, False, "="),
        (("", "", ":", "320"), None, False, "="),
        (("", "2", ":", "80"), None, False, "="),
        (("", "1", ":", ""), None, True, "="),
        (("", "1", ":", "0"), None, True, "="),
        (("", "1", ":", "<80"), None, True, "="),
        (("", "10", "-", "20"), None, False, "="),
        (("", "2", "+", ""), None, False, "="),
        (("<>", "5", "", ""), None, False, "="),
        (("<", "<5", "", ""), None, False, "="),
    ],
)
def test_structured_numbers(
    parts: tuple[str, str, str, str], value: Decimal | None, is_titre: bool, comparator: str
) -> None:
    found, titre = numbers.structured(*parts)
    assert (found.value, titre) == (value, is_titre)
    if value is not None:
        assert found.comparator.value == comparator
    else:
        assert found.problem is Problem.VALUE_UNREADABLE
