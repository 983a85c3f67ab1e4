"""The titre and the word of result inside a sentence: `See note: POSITIVE 1:640`, `Negative≦1:80X(-)`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

from labbridge.knowledge.terminology import Words
from labbridge.knowledge.words import fold, plain
from labbridge.model.values import Comparator, Grade, Titre
from labbridge.normalise import comparisons, hep2

_SIGN = r"(?P<sign>(?:[<>=≤≥≦≧＜＞＝〈〉]\s*){1,2})?"
_TITRE = re.compile(rf"(?<![0-9:/.,]){_SIGN}1\s*[:/]\s*(?P<reciprocal>[0-9]{{1,7}})(?![0-9:/]|[.,][0-9])")


class Sentence(msgspec.Struct, frozen=True):
    """What a sentence states. `contradicts`: a titre that was reached, beside a word that says negative, or words that
    say both."""

    titre: Titre | None = None
    grade: Grade | None = None
    contradicts: bool = False


def read(text: str, words: Words) -> Sentence:
    """The one titre of a sentence and the one word of result; neither where it states several that differ, and no word
    without a titre. A negative in a text that describes a pattern is of another part of the cell, and contradicts
    nothing."""
    if _TITRE.search(text) is None:
        return Sentence()
    found = titre(text, words)
    grades = set(_grades(_TITRE.sub(" ", text), words))
    negative, positive = Grade.NEG in grades, bool(grades - {Grade.NEG})
    reached = found is not None and not found.comparator.below
    if negative and (positive or reached):
        described = hep2.describes(hep2.PatternText(text), words)
        return Sentence(found) if described else Sentence(contradicts=True)
    return Sentence(found, grades.pop() if len(grades) == 1 else None)


def titre(text: str, words: Words) -> Titre | None:
    """The titre inside a text (`AC-4, 1:320`); None where there is none, where two differ, or where it is not sure how
    one is compared."""
    found = {_one(text, place, words) for place in _TITRE.finditer(text)}
    return found.pop() if len(found) == 1 else None


def _one(text: str, place: re.Match[str], words: Words) -> Titre | None:
    """One titre with its comparator: a sign or a word of the table right before it. A word of comparison that stands
    further off may be part of another one (`less than or equal to 1:80`); one after it means what its feed declares,
    which is said of whole values, not of prose."""
    reciprocal = Decimal(place["reciprocal"])
    before, after = fold(text[: place.start()]), plain(text[place.end() :]).lstrip()
    prefixes, postfixes = words.comparators.get("prefix", {}), words.comparators.get("postfix_declared", {})
    found = {its for word, its in prefixes.items() if before.endswith(fold(word))}
    loose = any(fold(word) in before and not before.endswith(fold(word)) for word in prefixes)
    loose = loose or after.startswith(tuple(postfixes))
    sign = comparisons.sign(place["sign"] or "")
    if sign is not None and place["sign"]:
        found.add(sign)
    if reciprocal == 0 or sign is None or loose or len(found) > 1:
        return None
    return Titre(reciprocal, next(iter(found), Comparator.EQUAL))


def _grades(text: str, words: Words) -> Iterator[Grade]:
    """The words of result in a text, the longest first: `weakly positive` is no `positive`. A sign at the end counts;
    a word that is denied (`not positive`) does not."""
    left = fold(text)
    for word in sorted(words.grades, key=len, reverse=True):
        phrase = fold(word)
        if phrase.strip() and phrase in left:
            denied = any(f"{negation.rstrip()}{phrase}" in left for negation in words.hep2_words.get("negation", ()))
            left = left.replace(phrase, " ")
            if not denied:
                yield words.grades[word]
    for sign, grade in words.signs.items():
        if sign.startswith("(") and comparisons.narrow(text).rstrip().endswith(sign):
            yield grade
