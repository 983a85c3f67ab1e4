"""Whether a code that no table names may be one of ours: by words, LOINC component and unit together (codes.md 6.4).

It decides who looks at a code, never what a result means: nothing is mapped here.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from labbridge.knowledge.terminology import Likeness, Terminology
from labbridge.knowledge.words import fold
from labbridge.model.values import Coding

MOST_CACHED = 20_000  # distinct names; beyond it the cache starts over


class Resemblance(msgspec.Struct, frozen=True):
    """An analyte id that a name speaks of. `sure` False: only a short word says so, or more than one analyte is named.
    `reasons` are the words and the unit that decided."""

    analyte: str
    sure: bool
    reasons: tuple[str, ...]


class Resembles:
    """Compares names and units with the words of the analytes; remembers what it has compared."""

    def __init__(self, terminology: Terminology) -> None:
        self._terminology = terminology
        self._seen: dict[tuple[str, str, str], Resemblance | None] = {}

    def of(self, codings: Iterable[Coding], unit: str, beside: str = "") -> Resemblance | None:
        """What the names of an observation speak of; None for everything that is none of ours. `beside` is text around
        it: the name of its order."""
        key = (" ".join(part for coding in codings for part in (coding.code, coding.display) if part), unit, beside)
        if key not in self._seen:
            if len(self._seen) >= MOST_CACHED:
                self._seen.clear()
            self._seen[key] = self._compare(*key)
        return self._seen[key]

    def _compare(self, name: str, unit: str, beside: str) -> Resemblance | None:
        text, around = fold(name), f"{fold(name)}{fold(beside)}"
        found = [
            one
            for analyte, likeness in self._terminology.likeness.items()
            if (one := self._like(analyte, likeness, text, around, unit)) is not None
        ]
        if not found:
            return None
        best = max(found, key=lambda one: one.sure)
        rivals = [one for one in found if one is not best and one.sure == best.sure]
        return msgspec.structs.replace(best, sure=False) if rivals else best

    def _like(self, analyte: str, likeness: Likeness, text: str, around: str, unit: str) -> Resemblance | None:
        kind = self._terminology.analytes[analyte].analyte.value
        row = self._terminology.units.get((kind, unit))
        if _first(text, likeness.against) or (row is not None and row.unit == "refuse"):
            return None
        name = _first(text, likeness.names)
        if name:
            return Resemblance(analyte, True, (name.strip(),))
        short = _first(text, likeness.short)
        if not short:
            return None
        support = _first(around.replace(short, " ", 1), likeness.beside) or (unit if row is not None else "")
        reasons = tuple(filter(None, (short.strip(), support.strip())))
        return Resemblance(analyte, bool(support), reasons)


def _first(folded: str, words: tuple[str, ...]) -> str:
    return next((word for word in words if word in folded), "")
