"""The accepted grammar of numbers and titres (reliability.md 3.2, F10). Everything else is not a number."""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal

import msgspec

from labbridge.model.result import Problem
from labbridge.model.values import Comparator
from labbridge.normalise.comparisons import PLAIN, Compared, Writing, beside, narrow, sign

_NUMBER = re.compile(
    r"(?P<before>[^0-9]*?)(?P<number>-?[0-9]{1,15}(?:(?P<mark>[.,])(?P<fraction>[0-9]{1,10}))?)(?P<after>[^0-9]*)"
)
_TITRE = re.compile(r"(?P<before>[^0-9]*?)1\s*[:/]\s*(?P<reciprocal>[0-9]{1,7})(?P<after>[^0-9]*)")
_BARE = re.compile("-?[0-9]{1,15}(?:[.][0-9]{1,10})?")  # nearly every number; the same in every feed but for the mark
_BRACKETED = "("


class Number(msgspec.Struct, frozen=True):
    """A number with its comparator, or the problem that kept it from being one and the note that tells of it."""

    value: Decimal | None
    comparator: Comparator = Comparator.EQUAL
    problem: Problem | None = None
    note: str = ""


UNREADABLE = Number(None, problem=Problem.VALUE_UNREADABLE, note="N201")
GROUPED = Number(None, problem=Problem.VALUE_AMBIGUOUS, note="N202")


def number(text: str, writing: Writing = PLAIN) -> Number:
    """A decimal number. `12,5` is read either way; `1,234` and, where the comma is declared, `1.234` are ambiguous:
    the mark could group thousands. No exponent, no infinity, no digits of other scripts."""
    if _BARE.fullmatch(text) and (writing.decimal_mark == "." or "." not in text):
        return Number(Decimal(text))
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return UNREADABLE
    compared = beside(found["before"], found["after"], writing, colon=found["number"] != "1")
    if compared.comparator is None:
        return _not_compared(compared)
    if found["mark"] and found["mark"] != writing.decimal_mark and len(found["fraction"]) == 3:
        return GROUPED
    return Number(Decimal(found["number"].replace(",", ".")), compared.comparator)


def titre(text: str, writing: Writing = PLAIN) -> Number | None:
    """`1:320`, `1/320`, `<1:80`, `>=1:1280` as the reciprocal; a problem where a comparator stands beside it that the
    feed does not declare; None for anything else."""
    found = _TITRE.fullmatch(text.strip()) if ":" in text or "/" in text else None
    if found is None or int(found["reciprocal"]) == 0:
        return None
    compared = beside(found["before"], found["after"], writing)
    if compared.comparator is not None:
        return Number(Decimal(found["reciprocal"]), compared.comparator)
    return _not_compared(compared) if compared.open else None


def _not_compared(compared: Compared) -> Number:
    return Number(None, problem=compared.problem, note=compared.note)


def signed(text: str, signs: Collection[str]) -> tuple[str, str]:
    """`320 (+)`, `<40(-)`, `10.3 -` as the amount and the sign in one field; the text and no sign for anything else. A
    sign that is not in brackets stands apart: `10-` may be the beginning of a range, `10+` a minimum."""
    stripped = text.strip()
    if stripped[-1:].isdigit():  # nearly every value; no sign ends in a digit
        return text, ""
    narrowed = narrow(stripped)
    for one in sorted(signs, key=len, reverse=True):
        amount = stripped[: -len(one)]
        apart = one.startswith(_BRACKETED) or amount[-1:].isspace()
        if narrowed.endswith(one) and apart and re.search("[0-9]", amount):
            return amount.strip(), one
    return text, ""


def structured(comparator: str, num1: str, separator: str, num2: str, writing: Writing = PLAIN) -> tuple[Number, bool]:
    """An SN value: (number, is a titre). `^1^:^320` is the titre 320; an interval or a suffix is not a number."""
    found = sign(comparator)
    if found is None:
        return UNREADABLE, False
    first, second = _exact(num1, writing), _exact(num2, writing)
    if separator.strip() in (":", "/") and first.value == 1:
        whole = second.value is not None and second.value > 0 and second.value == second.value.to_integral_value()
        return (Number(second.value, found), True) if whole else (UNREADABLE, True)
    if separator.strip() or num2.strip():
        return UNREADABLE, False
    return (first if first.value is None else Number(first.value, found)), False


def _exact(text: str, writing: Writing) -> Number:
    """A number without any comparator of its own."""
    found = number(text, writing)
    return found if found.comparator is Comparator.EQUAL else UNREADABLE
