"""The accepted grammar of numbers, comparators and titres (reliability.md 3.2, F10). Everything else is not a number."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from labbridge.model.result import Problem
from labbridge.model.values import Comparator

_COMPARATORS = {
    "": Comparator.EQUAL,
    "=": Comparator.EQUAL,
    "<": Comparator.LESS,
    "<=": Comparator.LESS_OR_EQUAL,
    "≤": Comparator.LESS_OR_EQUAL,
    "≦": Comparator.LESS_OR_EQUAL,
    ">": Comparator.GREATER,
    ">=": Comparator.GREATER_OR_EQUAL,
    "≥": Comparator.GREATER_OR_EQUAL,
    "≧": Comparator.GREATER_OR_EQUAL,
}
_COMPARED = r"(?P<comparator><=|>=|[<>=≤≥≦≧])?\s*"
_NUMBER = re.compile(_COMPARED + r"(?P<number>-?[0-9]{1,15}(?:(?P<mark>[.,])(?P<fraction>[0-9]{1,10}))?)")
_TITRE = re.compile(_COMPARED + r"1\s*[:/]\s*(?P<reciprocal>[0-9]{1,7})")
_SIGNED = re.compile(r"(?P<amount>.*[0-9])\s*(?P<sign>\([+-]{1,3}\)|\+{1,3}|-)", re.DOTALL)
_WITHIN = re.compile(r"(?<![0-9:/.])" + _COMPARED + r"1\s*[:/]\s*(?P<reciprocal>[0-9]{1,7})(?![0-9:/])")
_RANGE = re.compile(r"(?P<low>-?[0-9]+(?:[.,][0-9]+)?)\s*(?:-|to|–)\s*(?P<high>-?[0-9]+(?:[.,][0-9]+)?)")


class Number(msgspec.Struct, frozen=True):
    """A number with its comparator, or the problem that kept it from being one."""

    value: Decimal | None
    comparator: Comparator = Comparator.EQUAL
    problem: Problem | None = None


class Interval(msgspec.Struct, frozen=True):
    """A reference range as sent: limits in the sender's unit. `high_excluded`: written as `<20`."""

    low: Decimal | None
    high: Decimal | None
    high_excluded: bool = False


UNREADABLE = Number(None, problem=Problem.VALUE_UNREADABLE)


def number(text: str, decimal_mark: str = ".") -> Number:
    """A decimal number. `12,5` is read either way; `1,234` and, where the comma is declared, `1.234` are ambiguous:
    the mark could group thousands. No exponent, no infinity, no digits of other scripts."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return UNREADABLE
    if found["mark"] and found["mark"] != decimal_mark and len(found["fraction"]) == 3:
        return Number(None, problem=Problem.VALUE_AMBIGUOUS)
    return Number(Decimal(found["number"].replace(",", ".")), _COMPARATORS[found["comparator"] or ""])


def titre(text: str) -> Number | None:
    """`1:320`, `1/320`, `<1:80`, `>=1:1280` as the reciprocal; None for anything else."""
    found = _TITRE.fullmatch(text.strip())
    if found is None or int(found["reciprocal"]) == 0:
        return None
    return Number(Decimal(found["reciprocal"]), _COMPARATORS[found["comparator"] or ""])


def signed(text: str) -> tuple[str, str]:
    """`320 (+)`, `<40(-)`, `10.3 -` as the amount and the sign in one field; the text and no sign for anything else."""
    found = _SIGNED.fullmatch(text.strip())
    return (found["amount"].strip(), found["sign"]) if found else (text, "")


def titre_within(text: str) -> Number | None:
    """The titre inside a sentence (`AC-4, 1:320`); None where there is none, or where two differ."""
    found = {(int(one["reciprocal"]), _COMPARATORS[one["comparator"] or ""]) for one in _WITHIN.finditer(text)}
    if len(found) != 1:
        return None
    reciprocal, comparator = found.pop()
    return Number(Decimal(reciprocal), comparator) if reciprocal else None


def structured(comparator: str, num1: str, separator: str, num2: str, decimal_mark: str = ".") -> tuple[Number, bool]:
    """An SN value: (number, is a titre). `^1^:^320` is the titre 320; an interval or a suffix is not a number."""
    if comparator not in _COMPARATORS:
        return UNREADABLE, False
    sign = _COMPARATORS[comparator]
    if separator in (":", "/") and num1.strip() == "1":
        found = number(num2, decimal_mark)
        whole = found.value is not None and found.value > 0 and found.comparator is Comparator.EQUAL
        return (Number(found.value, sign), True) if whole else (UNREADABLE, True)
    if separator or num2:
        return UNREADABLE, False
    found = number(num1, decimal_mark)
    if found.value is None or found.comparator is not Comparator.EQUAL:
        return (found if found.value is None else UNREADABLE), False
    return Number(found.value, sign), False


def interval(text: str, decimal_mark: str = ".") -> Interval | None:
    """`26-170`, `0 - 19`, `<20`, `<=1.0`, `(<9.9)`, `>=26`; None for words, a number alone and anything else."""
    stripped = text.strip().strip("()").strip()
    if found := _RANGE.fullmatch(stripped):
        low, high = number(found["low"], decimal_mark), number(found["high"], decimal_mark)
        if low.value is None or high.value is None or low.value > high.value:
            return None
        return Interval(low.value, high.value)
    single = number(stripped, decimal_mark)
    if single.value is None or single.comparator is Comparator.EQUAL:
        return None
    if single.comparator.below:
        return Interval(None, single.value, single.comparator is Comparator.LESS)
    return Interval(single.value, None)
