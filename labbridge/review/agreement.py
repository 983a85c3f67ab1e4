"""How far two readers agree: counts, and Cohen's kappa (J. Cohen, Educ Psychol Meas 1960;20:37), by pair and by pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from labbridge.model.review import Reading


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Of `count` pairs of readings `same` agree. `kappa` is None where chance alone would always agree, so that it says
    nothing: with no pair, or where both readers gave one and the same finding every time."""

    count: int
    same: int
    kappa: float | None


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two readers, in alphabetical order; over all findings, and each finding against the rest."""

    readers: tuple[str, str]
    whole: Agreement
    patterns: Mapping[str, Agreement]


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Of the findings of two readers, case by case."""
    count, same = len(pairs), sum(one == other for one, other in pairs)
    if not count:
        return Agreement(count=0, same=0, kappa=None)
    first, other = (Counter(side) for side in zip(*pairs, strict=True))
    chance = sum(first[finding] * other[finding] for finding in first) / count**2
    return Agreement(count=count, same=same, kappa=None if chance == 1 else (same / count - chance) / (1 - chance))


def by_pair(readings: Iterable[Reading]) -> list[Pair]:
    """Of each two people who read the same cases: readings that were made unseen alone tell of both."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for one in readings:
        if one.unseen:
            ours = one.first < one.person
            pair = (one.first, one.person) if ours else (one.person, one.first)
            read = (one.first_finding, one.finding) if ours else (one.finding, one.first_finding)
            found.setdefault(pair, []).append(read)
    return [_pair(readers, read) for readers, read in sorted(found.items())]


def _pair(readers: tuple[str, str], read: list[tuple[str, str]]) -> Pair:
    findings = sorted({finding for pair in read for finding in pair})
    patterns = {one: agreement([(str(a == one), str(b == one)) for a, b in read]) for one in findings}
    return Pair(readers=readers, whole=agreement(read), patterns=patterns)
