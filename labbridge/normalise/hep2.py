"""The HEp-2 observations of one order as one finding: screen, titre, patterns, notes (clinical.md C2, C10.19)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from labbridge.knowledge.terminology import Words
from labbridge.knowledge.words import fold
from labbridge.model.result import Hep2Class, Hep2Finding
from labbridge.model.values import Grade

_AC = re.compile(r"\bAC[- ]?([0-9]{1,2})\b", re.IGNORECASE)
_REACH = 4  # words between a negation and what it negates
_RANK = (Hep2Class.CYTO_COMPAT, Hep2Class.CYTO_OTHER, Hep2Class.NUCLEAR, Hep2Class.NEG)
_CYTOPLASMIC = (Hep2Class.CYTO_COMPAT, Hep2Class.CYTO_OTHER)


class PatternText(msgspec.Struct, frozen=True):
    """One text that may describe a pattern. `about`: what its own code says it is about (CYTO_OTHER, NUCLEAR), None where
    the code says nothing. `seen`: by its titre or its word of result that pattern is there, or is not; None where it has
    neither."""

    text: str
    about: Hep2Class | None = None
    seen: bool | None = None


class Screen(msgspec.Struct, frozen=True):
    """What an order says besides patterns: its positive or negative, whether the titre is `below` the screening dilution
    or was reached (`above`), and whether it lies `within` the range sent with it."""

    grade: Grade | None = None
    below: bool = False
    above: bool = False
    within: bool = False

    @property
    def negative(self) -> bool:
        return self.grade is Grade.NEG or self.below


class Seen(msgspec.Struct, frozen=True):
    """What a text says: its pattern, None where it only denies one; `stated` False for a cytoplasm not described."""

    pattern: Hep2Class | None
    stated: bool = True


def finding(texts: Sequence[PatternText], screen: Screen, words: Words, *, covered: bool = False) -> Hep2Finding | None:
    """The finding of an order; None where nothing in it is a result.

    Pattern text and codes outrank the screen's own positive or negative. Positive without any pattern is UNSPECIFIED,
    unless its titre lies in the range that the laboratory itself calls negative. `covered`: a negative of this feed
    speaks of the cytoplasm too.
    """
    codes = codes_in(texts)
    by_code = [Seen(words.hep2_codes[code]) for code in codes if code in words.hep2_codes]
    by_words = [one for text in texts if (one := read(text, words)) is not None]
    text = "; ".join(dict.fromkeys(one.text.strip() for one in texts if one.text.strip()))
    cytoplasmic = [one for one in (*by_code, *by_words) if one.pattern in _CYTOPLASMIC]
    if cytoplasmic:
        best = min(cytoplasmic, key=lambda one: (_rank(one), not one.stated))
        return Hep2Finding(pattern=_named(best), pattern_stated=best.stated, codes=codes, text=text)
    coded = {one.pattern for one in by_code}
    worded = any(one.pattern is Hep2Class.NUCLEAR for one in by_words)
    if Hep2Class.NUCLEAR in coded or (worded and not screen.negative and Hep2Class.NEG not in coded):
        return Hep2Finding(pattern=Hep2Class.NUCLEAR, codes=codes, text=text)
    inside = screen.within and screen.grade is None
    if screen.negative or Hep2Class.NEG in coded or inside:
        stated = covered or Hep2Class.NEG in coded or any(denies_cytoplasm(one, words) for one in texts)
        return Hep2Finding(pattern=Hep2Class.NEG, cytoplasm_stated=stated, codes=codes, text=text)
    if screen.above or screen.grade is not None:
        return Hep2Finding(pattern=Hep2Class.UNSPECIFIED, codes=codes, text=text)
    return None


def codes_in(texts: Iterable[PatternText]) -> tuple[str, ...]:
    """The AC codes of the texts as ICAP writes them, in order of appearance."""
    return tuple(dict.fromkeys(f"AC-{int(number)}" for one in texts for number in _AC.findall(one.text)))


def _rank(seen: Seen) -> int:
    return _RANK.index(_named(seen))


def _named(seen: Seen) -> Hep2Class:
    assert seen.pattern is not None
    return seen.pattern


def understood(text: PatternText, words: Words) -> bool:
    """Whether a text says anything the tables know: a code, a pattern, or that there is none."""
    return read(text, words) is not None or any(code in words.hep2_codes for code in codes_in((text,)))


def describes(text: PatternText, words: Words) -> bool:
    """Whether a text names a pattern that is there."""
    seen = read(text, words)
    codes = (words.hep2_codes.get(code, Hep2Class.NEG) for code in codes_in((text,)))
    return (seen is not None and seen.pattern is not None) or any(its is not Hep2Class.NEG for its in codes)


def read(text: PatternText, words: Words) -> Seen | None:
    """What a text's words say, negated phrases removed; None where they say nothing of a pattern."""
    if text.about is not None and text.seen is False:
        return Seen(None)
    table = words.hep2_words
    folded = fold(text.text)
    left = _without_negated(folded, words)
    if text.about is Hep2Class.CYTO_OTHER or _any(left, table.get("cytoplasm", ())):
        return _of_cytoplasm(text, left, words)
    if text.about is Hep2Class.NUCLEAR and text.seen:
        return Seen(Hep2Class.NUCLEAR)
    if _any(left, table.get("nuclear", ())) or _alone(text.text, words):
        return Seen(Hep2Class.NUCLEAR)
    return Seen(None) if left != folded or _denied(folded, words) else None


def _of_cytoplasm(text: PatternText, left: str, words: Words) -> Seen | None:
    """A text about the cytoplasm, by its words or its code; under such a code a text of no known word is not understood."""
    table = words.hep2_words
    if _any(left, table.get("organelle", ())):
        return Seen(Hep2Class.CYTO_OTHER)
    if _any(left, table.get("compatible", ())):
        return Seen(Hep2Class.CYTO_COMPAT)
    if text.seen or _any(left, (*table.get("cytoplasm", ()), *table.get("nuclear", ()))):
        return Seen(Hep2Class.CYTO_OTHER, stated=False)
    return Seen(None) if _denied(fold(text.text), words) else None


def denies_cytoplasm(text: PatternText, words: Words) -> bool:
    """Whether a text says that there is no cytoplasmic fluorescence."""
    cytoplasm = words.hep2_words.get("cytoplasm", ())
    folded = fold(text.text)
    if text.about is Hep2Class.CYTO_OTHER:
        return read(text, words) == Seen(None)
    return _any(folded, cytoplasm) and not _any(_without_negated(folded, words), cytoplasm)


def _any(folded: str, phrases: Iterable[str]) -> bool:
    return any(phrase in folded for phrase in phrases)


def _denied(folded: str, words: Words) -> bool:
    """The text begins with a word that denies (`none seen`, `absent`)."""
    return any(folded.startswith(denial) for denial in words.hep2_words.get("denial", ()))


def _alone(text: str, words: Words) -> bool:
    """Words of a language whose cytoplasm no row names: they say nuclear only where nothing else stands beside them."""
    left, known = fold(_AC.sub(" ", text)), words.hep2_words.get("alone", ())
    found = _any(left, known)
    for phrase in sorted(known, key=len, reverse=True):
        left = left.replace(phrase, " ")
    return found and not any(char.isalpha() for char in left)


def _without_negated(folded: str, words: Words) -> str:
    """The text without what it denies: `no cytoplasmic staining`, `cytoplasme negatif`."""
    table = words.hep2_words
    objects = (*table.get("cytoplasm", ()), *table.get("nuclear", ()))
    tokens = folded.split()
    for negation in table.get("negation", ()):
        tokens = _drop(tokens, negation.split(), objects, table.get("list", ()))
    return f" {' '.join(_drop_denied(tokens, objects, words))} "


def _drop(tokens: list[str], negation: list[str], objects: Sequence[str], joins: Sequence[str]) -> list[str]:
    size = len(negation)
    for start in range(len(tokens) - size):
        if tokens[start : start + size] != negation:
            continue
        for end in range(start + size, min(start + size + _REACH, len(tokens))):
            if _any(f" {tokens[end]} ", objects):
                after = _listed(tokens, end + 1, objects, joins)
                return _drop(tokens[:start] + tokens[after:], negation, objects, joins)
    return tokens


def _listed(tokens: list[str], place: int, objects: Sequence[str], joins: Sequence[str]) -> int:
    """Where a list of negated words ends: `no nuclear or cytoplasmic staining` denies both."""
    while place + 1 < len(tokens) and _any(f" {tokens[place]} ", joins) and _any(f" {tokens[place + 1]} ", objects):
        place += 2
    return place


def _drop_denied(tokens: list[str], objects: Sequence[str], words: Words) -> list[str]:
    """`cytoplasm: negative`: a denied word is followed, within two, by a word that means negative."""
    for place, token in enumerate(tokens):
        denied = any(words.grades.get(after) is Grade.NEG for after in tokens[place + 1 : place + 3])
        if denied and _any(f" {token} ", objects):
            return _drop_denied(tokens[:place] + tokens[place + 1 :], objects, words)
    return tokens
