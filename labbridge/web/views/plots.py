"""Cells, tables and charts of the status page. What is not known is a cell that says so, never a 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

import msgspec

from labbridge.model.messages import Waiting
from labbridge.web.views.clock import age

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
PARTS = (50, 90, 95)  # percent


class Cell(NamedTuple):
    """One of: a `name` as it is, a `word` to translate, a number with its unit, so many `of` so many, or nothing known.
    `at_most` and `more_than` say what a number is. `alarm`: somebody has to look."""

    name: str = ""
    word: str = ""
    number: float | None = None
    unit: str = ""
    of: int | None = None
    bound: str = ""
    alarm: bool = False
    href: str = ""

    @property
    def unknown(self) -> bool:
        return not (self.name or self.word) and self.number is None


UNKNOWN = Cell()


class Table(NamedTuple):
    """`heads` and `empty` (what is said where there are no rows) are words to translate; the first cell heads its row."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str
    hint: str = ""
    known: bool = True


class Line(NamedTuple):
    """A line of a chart: its words, and its values, None where there is none."""

    words: tuple[str, ...]
    values: tuple[float | None, ...]


class Chart(NamedTuple):
    """`xs` are seconds since 1970 (`kind` hours) or the bounds' places from 0 on, with `labels` in the reader's units
    (`kind` bounds). Its numbers stand in the tables under it."""

    title: str
    kind: str
    xs: tuple[int, ...]
    lines: tuple[Line, ...]
    labels: tuple[tuple[float, str], ...] = ()

    def data(self, say: Callable[[str], str]) -> str:
        """What the chart's script reads, as JSON, in the reader's words."""
        lines = [{"name": ", ".join(map(say, one.words)), "values": one.values} for one in self.lines]
        labels = [f"{number:g} {say(unit)}" for number, unit in self.labels]
        return msgspec.json.encode({"kind": self.kind, "xs": self.xs, "lines": lines, "labels": labels}).decode()


class Section(NamedTuple):
    """One question, with what answers it."""

    key: str
    question: str
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...]


def name(text: str) -> Cell:
    return Cell(name=text)


def word(text: str) -> Cell:
    return Cell(word=text)


def count(number: int | None, *, alarm: bool = False, href: str = "") -> Cell:
    return Cell(number=number, alarm=alarm and bool(number), href=href)


def share(part: int, whole: int) -> Cell:
    """So many of so many; a rate of nothing is not known."""
    return Cell(number=part, of=whole) if whole else UNKNOWN


def since(begun: datetime | None, now: datetime, *, alarm: bool = False) -> Cell:
    """How long ago it was; a moment to come is none that can be told."""
    found = age(begun, now) if begun is not None else None
    return Cell(number=found.number, unit=found.unit, alarm=alarm) if found else UNKNOWN


def oldest(found: Waiting | None, now: datetime) -> Cell:
    """How old the oldest is of what waits; where nothing waits there is none."""
    return since(found.oldest, now) if found and found.count else word("none")


def lasting(seconds: float) -> Cell:
    """A time to go, below zero one that is over."""
    passed = timedelta(seconds=abs(seconds))
    size, unit = next((one for one in _UNITS if passed.total_seconds() >= one[0]), _UNITS[-1])
    return Cell(number=int(passed.total_seconds() // size) * (1 if seconds >= 0 else -1), unit=unit, alarm=seconds < 0)


def unit_of(seconds: float) -> tuple[float, str]:
    """A bound of a histogram in its own unit: 900 is 15 min."""
    if seconds < 1:
        return seconds * 1000, "ms"
    size, unit = next((size, unit) for size, unit in _UNITS if size == 1 or (seconds >= size and seconds % size == 0))
    return seconds / size, unit


def parts(counts: Sequence[int], bounds_s: Sequence[float]) -> tuple[Cell, ...]:
    """Within which bound half of them, nine tenths and so on are: no more than that is known of a histogram. `counts` has
    one more than there are bounds, for what took longer than the last."""
    whole, running = sum(counts), list(accumulate(counts))
    return tuple(_part(running, bounds_s, whole * percent) if whole else UNKNOWN for percent in PARTS)


def _part(running: Sequence[int], bounds_s: Sequence[float], wanted: int) -> Cell:
    place = next(number for number, found in enumerate(running) if found * 100 >= wanted)
    if place == len(bounds_s):
        number, unit = unit_of(bounds_s[-1])
        return Cell(number=number, unit=unit, bound="more than")
    number, unit = unit_of(bounds_s[place])
    return Cell(number=number, unit=unit, bound="at most")


def curves(title: str, found: Mapping[tuple[str, ...], Sequence[int]], bounds_s: Sequence[float]) -> tuple[Chart, ...]:
    """Which part was done within each bound; no chart where there is nothing to draw."""
    lines = tuple(
        Line(words, tuple(round(one / sum(counts), 4) for one in accumulate(counts[: len(bounds_s)])))
        for words, counts in found.items()
        if sum(counts)
    )
    labels = tuple(unit_of(one) for one in bounds_s)
    return (Chart(title, "bounds", tuple(range(len(bounds_s))), lines, labels),) if lines else ()
