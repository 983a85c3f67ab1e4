"""Numbers as a page prints them: never rounded onto the limit they are compared with, never without their comparator."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_UP, Decimal

import msgspec

from labbridge.model.result import Result
from labbridge.model.values import Comparator, Quantity, Titre
from labbridge.web.views.signs import STANDING, category_words

DIGITS = 3
SIGNS = {
    Comparator.EQUAL: "",
    Comparator.LESS: "< ",
    Comparator.LESS_OR_EQUAL: "≤ ",
    Comparator.GREATER: "> ",
    Comparator.GREATER_OR_EQUAL: "≥ ",
}
SENT, ASSUMED, OWN = "sent with the result", "assumed by age and sex", "from our tables"


class Limit(msgspec.Struct, frozen=True):
    """One limit in the value's unit: `words` say what begins there, `how` is `from`, `above`, or empty."""

    words: str
    how: str
    number: str


class Distance(msgspec.Struct, frozen=True):
    """A value as a multiple of a limit, its comparator kept; `limit` is that limit, `what` names it."""

    times: str
    limit: str
    what: str


def plain(number: Decimal) -> str:
    """All digits, no exponent, no zeros behind."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def multiple(number: Decimal) -> str:
    """Three digits, away from 1: what lies beside the limit never reads as on it."""
    if not number:
        return "0"
    step = Decimal(1).scaleb(number.adjusted() - DIGITS + 1)
    return plain(number.quantize(step, ROUND_DOWN if number < 1 else ROUND_UP))


def measure(result: Result) -> tuple[Decimal, str] | None:
    """The limit that a result's distance is told from, and its name; None where there is none."""
    if result.limits is not None:
        positive = (band.low for band in result.limits.bands if band.category.positive)
        low = next(positive, result.limits.bands[0].low)
        return (low, "positive limit") if low else None
    return (result.upper_limit, "upper limit") if result.upper_limit else None


def ratio(result: Result) -> Decimal | None:
    """The number over its limit, whatever its comparator. None without a number or a limit, and of what does not stand or
    was not understood: a number in an unknown unit has no distance from anything."""
    found = measure(result)
    if result.status not in STANDING or result.problems or found is None or not isinstance(result.value, Quantity):
        return None
    return result.value.number / found[0]


def distance(result: Result) -> Distance | None:
    found, times = measure(result), ratio(result)
    if found is None or times is None:
        return None
    assert isinstance(result.value, Quantity)
    return Distance(f"{SIGNS[result.value.comparator]}{multiple(times)}", plain(found[0]), found[1])


def limits(result: Result) -> tuple[Limit, ...]:
    """The limits a result was read by, lowest first."""
    if result.limits is not None:
        bands = result.limits.bands
        return tuple(
            Limit(category_words(one.category), "above" if one.above_only else "from", plain(one.low)) for one in bands
        )
    ends = (("lower limit", result.lower_limit), ("upper limit", result.upper_limit))
    return tuple(Limit(words, "", plain(number)) for words, number in ends if number is not None)


def limits_source(result: Result) -> tuple[str, str]:
    """Where they came from, and the row of our tables that they are; both empty where there are none."""
    if result.limits is not None:
        return (SENT, "") if result.limits.source == "sent" else (OWN, result.limits.source)
    if result.upper_limit is None and result.lower_limit is None:
        return "", ""
    return (ASSUMED if result.upper_limit_assumed else SENT), ""


def converted(result: Result) -> str:
    """The value in the unit it was compared in, where that is not the unit it was sent in."""
    value = result.value
    if not isinstance(value, Quantity) or not value.unit or value.unit == result.unit_text:
        return ""
    return f"{SIGNS[value.comparator]}{plain(value.number)} {value.unit}"


def titre(result: Result) -> str:
    value = result.value
    return f"{SIGNS[value.comparator]}1:{plain(value.reciprocal)}" if isinstance(value, Titre) else ""
