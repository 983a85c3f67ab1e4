"""Reference ranges as laboratories write them: limits in the sender's unit, of a titre those of its reciprocal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from labbridge.knowledge.terminology import Words
from labbridge.knowledge.words import fold, plain
from labbridge.model.values import Comparator, Grade, Missing, Quantity, Titre, Value
from labbridge.normalise import numbers
from labbridge.normalise.comparisons import PLAIN, Writing
from labbridge.normalise.numbers import Number

_ONE = r"-?[0-9]+(?:[.,][0-9]+)?"
_RANGE = re.compile(rf"(?P<low>{_ONE})(?P<between>[^0-9.,]+?)(?P<high>{_ONE})")
_WORDED = re.compile(r"(?P<amount>.*[0-9])\s*=\s*(?P<word>[^0-9<>=]+)", re.DOTALL)
_HYPHENS = ("-", "–")
_NO_PARTS = "^"  # a range in components of which only one is sent: `^^Negative`


class Interval(msgspec.Struct, frozen=True):
    """A reference range as sent: limits in the sender's unit. `high_excluded`: written as `<20`."""

    low: Decimal | None
    high: Decimal | None
    high_excluded: bool = False

    @property
    def usable(self) -> bool:
        """Whether it parts anything: `0-0` is how a sender without limits fills the field."""
        return self.low != self.high and not (self.high is not None and self.high <= 0)


class Reference(msgspec.Struct, frozen=True):
    """A reference range: its interval, where it is one, and whether something was sent that could not be read."""

    interval: Interval | None = None
    unread: bool = False


NOTHING = Reference()
MOST_CACHED = 20_000  # distinct ranges; beyond it the cache starts over


class References:
    """Reads reference ranges, and remembers what it has read: a laboratory sends the same few hundred all day."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._seen: dict[tuple[str, str, bool, str, bool], Reference] = {}

    def of(self, text: str, unit: str, writing: Writing, *, titres: bool) -> Reference:
        """As `reference` reads it."""
        key = (text, unit, titres, writing.decimal_mark, writing.declared)
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= MOST_CACHED:
                self._seen.clear()
            found = self._seen[key] = reference(text, unit, self._words, writing, titres=titres)
        return found


def reference(text: str, unit: str, words: Words, writing: Writing = PLAIN, *, titres: bool = False) -> Reference:
    """`26-170`, `<20`, `(<9.9)`, `<10 = Negative`, `99 to 99`, each also with the result's own unit after it; with
    `titres` also `<1:80`. A word that is the table's for a negative result (`Negative`) says what is usual and limits
    nothing."""
    stripped = text.strip().strip(_NO_PARTS).strip()
    if unit and not unit[0].isdigit():
        stripped = stripped.removesuffix(unit).strip()
    if not stripped or words.grades.get(plain(stripped)) is Grade.NEG:
        return NOTHING
    worded = _WORDED.fullmatch(stripped) if "=" in stripped else None
    if worded is not None:
        if words.grades.get(plain(worded["word"])) is not Grade.NEG:
            return Reference(unread=True)
        stripped = worded["amount"]
    found = interval(stripped, writing, words.phrases)
    if found is None and titres:
        limit = numbers.titre(stripped, writing)
        found = _one_sided(limit) if limit is not None else None
    return Reference(found, unread=found is None)


def interval(
    text: str, writing: Writing = PLAIN, phrases: Mapping[str, tuple[str, ...]] | None = None
) -> Interval | None:
    """Two numbers with a hyphen or a word of the table between them, or one with a comparator; None for words, a number
    alone and anything else."""
    stripped = text.strip().strip("()").strip()
    if found := _RANGE.fullmatch(stripped):
        between = found["between"]
        if between.strip() not in _HYPHENS and fold(between) not in (phrases or {}).get("between", ()):
            return None
        low, high = numbers.number(found["low"], writing), numbers.number(found["high"], writing)
        if low.value is None or high.value is None or low.value > high.value:
            return None
        return Interval(low.value, high.value)
    return _one_sided(numbers.number(stripped, writing))


def _one_sided(limit: Number) -> Interval | None:
    if limit.value is None or limit.comparator is Comparator.EQUAL:
        return None
    if limit.comparator.below:
        return Interval(None, limit.value, limit.comparator is Comparator.LESS)
    return Interval(limit.value, None)


def within(value: Value | Missing | None, sent: Interval | None) -> bool | None:
    """Whether a value lies in the range sent with it, a titre by its reciprocal; None where that cannot be told."""
    if sent is None or sent.high is None or not sent.usable:
        return None
    if isinstance(value, Titre):
        value = Quantity(value.reciprocal, "", value.comparator)
    if not isinstance(value, Quantity):
        return None
    if value.comparator is Comparator.EQUAL:
        return value.number < sent.high if sent.high_excluded else value.number <= sent.high
    return True if value.comparator.below and value.number <= sent.high else None
