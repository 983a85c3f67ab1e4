"""The HEp-2 observations of one order as one finding: screen, titre, patterns, notes (clinical.md C2, C10.19)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from labbridge.knowledge.terminology import Words
from labbridge.knowledge.words import fold
from labbridge.model.result import Hep2Class, Hep2Finding
from labbridge.model.values import Grade

_AC = re.compile(r"\bAC[- ]?([0-9]{1,2})\b", re.IGNORECASE)
_REACH = 4  # words between a negation and what it negates
_RANK = (Hep2Class.CYTO_COMPAT, Hep2Class.CYTO_OTHER, Hep2Class.NUCLEAR, Hep2Class.NEG)


class PatternText(msgspec.Struct, frozen=True):
    """One text that may describe a pattern; `cytoplasmic` where its own code says that it is about the cytoplasm."""

    text: str
    cytoplasmic: bool = False


class _Seen(msgspec.Struct, frozen=True):
    pattern: Hep2Class
    stated: bool = True


def finding(
    texts: Sequence[PatternText], grade: Grade | None, below: bool, above: bool, words: Words
) -> Hep2Finding | None:
    """The finding of an order; None where nothing in it is a result.

    Pattern text and codes outrank the screen's own positive or negative. `below`: the titre is below the screening
    dilution; `above`: a titre was reached. Positive without any pattern is UNSPECIFIED.
    """
    codes = tuple(dict.fromkeys(f"AC-{int(number)}" for one in texts for number in _AC.findall(one.text)))
    seen = [_Seen(words.hep2_codes[code]) for code in codes if code in words.hep2_codes]
    seen += [one for text in texts if (one := _of_words(text, words)) is not None]
    cytoplasmic = [one for one in seen if one.pattern in (Hep2Class.CYTO_COMPAT, Hep2Class.CYTO_OTHER)]
    text = "; ".join(dict.fromkeys(one.text.strip() for one in texts if one.text.strip()))
    if cytoplasmic:
        best = min(cytoplasmic, key=lambda one: (_RANK.index(one.pattern), not one.stated))
        return Hep2Finding(pattern=best.pattern, pattern_stated=best.stated, codes=codes, text=text)
    by_code = {words.hep2_codes[code] for code in codes if code in words.hep2_codes}
    negative = grade is Grade.NEG or below
    if Hep2Class.NUCLEAR in by_code or (not negative and Hep2Class.NEG not in by_code and seen):
        return Hep2Finding(pattern=Hep2Class.NUCLEAR, codes=codes, text=text)
    if negative or Hep2Class.NEG in by_code:
        return Hep2Finding(pattern=Hep2Class.NEG, codes=codes, text=text)
    if above or grade is not None:
        return Hep2Finding(pattern=Hep2Class.UNSPECIFIED, codes=codes, text=text)
    return None


def _of_words(text: PatternText, words: Words) -> _Seen | None:
    """The class that a text's words give it, negated phrases removed; None where they describe no pattern."""
    table = words.hep2_words
    left = _without_negated(fold(text.text), words)
    if (text.cytoplasmic and left.strip()) or _any(left, table.get("cytoplasm", ())):
        if _any(left, table.get("organelle", ())):
            return _Seen(Hep2Class.CYTO_OTHER)
        if _any(left, table.get("compatible", ())):
            return _Seen(Hep2Class.CYTO_COMPAT)
        return _Seen(Hep2Class.CYTO_OTHER, stated=False)
    return _Seen(Hep2Class.NUCLEAR) if _any(left, table.get("nuclear", ())) else None


def _any(folded: str, phrases: Sequence[str]) -> bool:
    return any(phrase in folded for phrase in phrases)


def _without_negated(folded: str, words: Words) -> str:
    """The text without what it denies: `no cytoplasmic staining`, `cytoplasme negatif`."""
    table = words.hep2_words
    objects = (*table.get("cytoplasm", ()), *table.get("nuclear", ()))
    tokens = folded.split()
    for negation in table.get("negation", ()):
        tokens = _drop(tokens, negation.split(), objects)
    return f" {' '.join(_drop_denied(tokens, objects, words))} "


def _drop(tokens: list[str], negation: list[str], objects: Sequence[str]) -> list[str]:
    size = len(negation)
    for start in range(len(tokens) - size):
        if tokens[start : start + size] != negation:
            continue
        for end in range(start + size, min(start + size + _REACH, len(tokens))):
            if _any(f" {tokens[end]} ", objects):
                return _drop(tokens[:start] + tokens[end + 1 :], negation, objects)
    return tokens


def _drop_denied(tokens: list[str], objects: Sequence[str], words: Words) -> list[str]:
    """`cytoplasm: negative`: a denied word is followed, within two, by a word that means negative."""
    for place, token in enumerate(tokens):
        denied = any(words.grades.get(after) is Grade.NEG for after in tokens[place + 1 : place + 3])
        if denied and _any(f" {token} ", objects):
            return _drop_denied(tokens[:place] + tokens[place + 1 :], objects, words)
    return tokens
