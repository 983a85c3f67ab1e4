"""What stands before and after a number, as its comparator: plain signs by the grammar, words and marks by their table."""

from __future__ import annotations

import msgspec

from labbridge.knowledge.terminology import Words
from labbridge.knowledge.words import plain
from labbridge.model.result import Problem
from labbridge.model.values import Comparator
from labbridge.model.work import Feed

_SIGNS = {
    "": Comparator.EQUAL,
    "=": Comparator.EQUAL,
    "<": Comparator.LESS,
    "<=": Comparator.LESS_OR_EQUAL,
    "=<": Comparator.LESS_OR_EQUAL,
    ">": Comparator.GREATER,
    ">=": Comparator.GREATER_OR_EQUAL,
    "=>": Comparator.GREATER_OR_EQUAL,
}
# Each sign as one that stands for it; of the same length, so that places in the text stay.
_SAME = str.maketrans("＜＞＝〈〉＋－（）", "<>=<>+-()")
_TWO_IN_ONE = {"≤": "<=", "≦": "<=", "≥": ">=", "≧": ">="}


class Writing(msgspec.Struct, frozen=True):
    """How a feed writes numbers: its decimal mark, its words of comparison, and the places where those stand that say
    something only because the feed declares it (`declared`)."""

    decimal_mark: str = "."
    words: dict[str, dict[str, Comparator]] = {}
    declared: bool = False

    def known(self, place: str, text: str) -> Compared:
        """The comparator of a text in its place (`prefix`, `postfix`). `open`: the table knows it, and only for feeds
        that declare it."""
        found = self.words.get(place, {}).get(text)
        if found is not None:
            return Compared(found)
        by_declaration = self.words.get(f"{place}_declared", {}).get(text)
        if by_declaration is None or self.declared:
            return Compared(by_declaration)
        return Compared(None, open=True)


class Compared(msgspec.Struct, frozen=True):
    """A comparator, or none: because nothing knows the text, or (`open`) because the feed does not say what it means."""

    comparator: Comparator | None
    open: bool = False

    @property
    def problem(self) -> Problem:
        return Problem.VALUE_AMBIGUOUS if self.open else Problem.VALUE_UNREADABLE

    @property
    def note(self) -> str:
        return "N216" if self.open else "N201"


PLAIN = Writing()
NOTHING_BESIDE = Compared(Comparator.EQUAL)
UNKNOWN = Compared(None)


def writing(feed: Feed, words: Words) -> Writing:
    """How this feed writes numbers."""
    return Writing(feed.decimal_mark, words.comparators, feed.postfix_comparators)


def narrow(text: str) -> str:
    """Full-width signs as the plain ones they stand for, digits and letters untouched; of the same length."""
    return text.translate(_SAME)


def sign(text: str) -> Comparator | None:
    """`<`, `≥`, `=>`, `< =`, `＞`, `〉` and nothing at all; None for everything else."""
    joined = "".join(narrow(text).split())
    return _SIGNS.get(_TWO_IN_ONE.get(joined, joined))


def beside(before: str, after: str, writing: Writing, *, colon: bool = True) -> Compared:
    """The comparator of a number between two texts; at most one of them may hold one. Colons around it say nothing
    (`:<0.5`, `0.5:`), but one alone before it, or (`colon` False) after it, may be what is left of a titre."""
    if not before and not after:
        return NOTHING_BESIDE
    first = _before(before.strip(), writing)
    if first.comparator is None:
        return first
    last = _after(after.strip(), writing, colon)
    if first.comparator is Comparator.EQUAL:
        return last
    return first if last.comparator is Comparator.EQUAL else Compared(None, open=last.open)


def _before(text: str, writing: Writing) -> Compared:
    bare = text.lstrip(":").lstrip()
    plainly = sign(bare)
    if plainly is not None:
        return UNKNOWN if text and not bare else Compared(plainly)
    return writing.known("prefix", plain(bare))


def _after(text: str, writing: Writing, colon: bool) -> Compared:
    bare = text.rstrip(":").rstrip() if colon else text
    return writing.known("postfix", plain(bare)) if bare else NOTHING_BESIDE
