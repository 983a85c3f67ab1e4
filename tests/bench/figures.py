"""A Speed line: its bar, the median of its rounds, their spread, and whether the bar was met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec

GENERATOR = 2.0  # the load generator alone must reach twice the bare listener, else the run is void


class Line(msgspec.Struct, frozen=True):
    """`at_least` True: the median must reach the bar; False: it must stay below."""

    name: str
    unit: str
    bar: float
    at_least: bool
    rounds: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def met(self) -> bool:
        return self.median >= self.bar if self.at_least else self.median <= self.bar

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        spread = f"{min(self.rounds):.3g} to {max(self.rounds):.3g}"
        word = "met" if self.met else "NOT MET"
        note = f"; {self.note}" if self.note else ""
        return (
            f"{self.name:16} {word:8} median {self.median:.3g} {self.unit} (bar {sign} {self.bar:g};"
            f" {len(self.rounds)} rounds, {spread}{note})"
        )


def percentile(values: Sequence[float], percent: int) -> float:
    """The least value that so many percent of all do not exceed."""
    ranked = sorted(values)
    return ranked[max(-(-len(ranked) * percent // 100), 1) - 1]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Round by round, ours to theirs: contestants of one round ran within the same minute."""
    return tuple(mine / other for mine, other in zip(ours, theirs, strict=True))
