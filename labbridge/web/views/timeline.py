"""How CK and the antibodies went: series for a chart, and a table that says all of it, also what no chart can draw.

CK is drawn in its unit beside its upper limit. Antibodies are drawn as multiples of their limit: the units of two kits do
not compare. A number with a comparator is never drawn as a plain one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from labbridge.model.outcome import Outcome
from labbridge.model.result import Analyte, ContextItem, ContextKind, Family, Result
from labbridge.model.values import Comparator, Quantity
from labbridge.web.views import figures
from labbridge.web.views.entries import FAMILIES, NO_METHOD, Entry, collected, entries
from labbridge.web.views.signs import doubt

CHART_WORDS = ("multiples of the limit", "method changed", "limit", "beyond the number", "another laboratory")
_ANTIBODIES = (Analyte.SRP, Analyte.HMGCR, Analyte.OTHER_MSA)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """`number` in the series' unit, `limit` beside it; `comparator` is empty, `<`, `<=`, `>` or `>=`: with one the true
    value lies beyond the number. `part` counts the methods of the series so far: a line joins points of one part alone.
    `text` is the value as sent; `elsewhere`: another laboratory's."""

    day: str
    number: float
    comparator: str
    text: str
    limit: float | None
    limit_assumed: bool
    part: int
    place: str
    laboratory: str
    elsewhere: bool


class Break(msgspec.Struct, frozen=True, kw_only=True):
    """Between two days the method changed: the two, and their kits where those are known."""

    since: str
    day: str
    before: str
    before_kit: str
    after: str
    after_kit: str


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first. `scale` is `unit`, or `limits` for multiples of the limit; `unit` is empty there."""

    name: str
    family: str
    scale: str
    unit: str
    points: tuple[Point, ...]
    breaks: tuple[Break, ...]


class Line(msgspec.Struct, frozen=True):
    """One line of the table. `left_out` says why the chart does not show it; empty where it does."""

    entry: Entry
    left_out: str


class Mark(msgspec.Struct, frozen=True):
    """Something that was given on a day, as the orderer stated it."""

    day: str
    words: str


class Timeline(msgspec.Struct, frozen=True):
    """`lines` are the newest version of every result of CK and of the antibodies, newest first."""

    series: tuple[Series, ...]
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]

    @property
    def left_out(self) -> int:
        return sum(bool(line.left_out) for line in self.lines)

    def chart(self, say: Callable[[str], str]) -> str:
        """What the chart's script reads, as JSON, in the reader's words."""
        words = {one: say(one) for one in CHART_WORDS}
        named = [
            {**msgspec.to_builtins(one), "name": f"{say(one.name)}, {say(one.family)}", "breaks": _said(one, say)}
            for one in self.series
        ]
        marks = [{"day": one.day, "words": say(one.words)} for one in self.marks]
        return msgspec.json.encode({"series": named, "marks": marks, "words": words}).decode()


def timeline(
    results: Iterable[Result],
    outcome: Outcome,
    context: Iterable[ContextItem] = (),
    ours: frozenset[str] = frozenset(),
) -> Timeline:
    """CK and the antibodies of a patient over time, and the days of infusions where the orderer stated them. `ours`:
    entries.entries."""
    every = entries(results, outcome, ours)
    found = [one for one in every if one.analyte is Analyte.CK or one.analyte in _ANTIBODIES]
    lines = tuple(Line(one, _left_out(one)) for one in found)
    drawn = sorted((line.entry for line in lines if not line.left_out), key=collected)
    several: dict[tuple[str, Family | None, str], list[Entry]] = {}
    for one in drawn:
        several.setdefault((one.name, one.family, _unit(one)), []).append(one)
    series = sorted((_series(*key, of) for key, of in several.items()), key=lambda one: (one.scale != "unit", one.name))
    days = sorted({one.value for one in context if one.kind is ContextKind.IVIG_DATE})
    return Timeline(tuple(series), lines, tuple(Mark(day, "immunoglobulins given") for day in days))


def _left_out(one: Entry) -> str:
    """Why a result is not drawn; empty where it is."""
    value = one.result.value
    if not one.standing:
        return one.status if one.status != "unknown" else "status unknown"
    if one.day_estimated:
        return "collection day estimated"
    if against := doubt(one.result, one.contradicts):
        return against
    if not isinstance(value, Quantity):
        return "a titre" if one.titre else "in words"
    if one.analyte in _ANTIBODIES and one.distance is None:
        return "no limit to read it by"
    return "" if value.number > 0 else "zero has no place on a logarithmic scale"


def _unit(one: Entry) -> str:
    """CK's own; multiples have none."""
    value = one.result.value
    return value.unit if one.analyte is Analyte.CK and isinstance(value, Quantity) else ""


def _series(name: str, family: Family | None, unit: str, found: Sequence[Entry]) -> Series:
    points: list[Point] = []
    breaks: list[Break] = []
    for place, one in enumerate(found):
        before = found[place - 1] if place else one
        if _made_by(before) != _made_by(one):
            breaks.append(_break(before, one))
        points.append(_point(one, len(breaks)))
    shown = FAMILIES[family] if family is not None else NO_METHOD
    scale = "unit" if found[0].analyte is Analyte.CK else "limits"
    return Series(name=name, family=shown, scale=scale, unit=unit, points=tuple(points), breaks=tuple(breaks))


def _point(one: Entry, part: int) -> Point:
    result, value = one.result, one.result.value
    assert isinstance(value, Quantity)
    upper, times = result.upper_limit, figures.ratio(result)
    in_unit = one.analyte is Analyte.CK
    return Point(
        day=one.day,
        number=float(value.number if in_unit or times is None else times),
        comparator="" if value.comparator is Comparator.EQUAL else value.comparator.value,
        text=f"{one.text} {one.unit}".strip(),
        limit=(float(upper) if upper is not None else None) if in_unit else 1.0,
        limit_assumed=one.limit_assumed,
        part=part,
        place=one.place,
        laboratory=one.laboratory,
        elsewhere=one.read_only,
    )


def _made_by(one: Entry) -> tuple[str, str, str]:
    """What must be the same for two numbers to be compared (clinical.md C7 L4)."""
    method = one.method
    return (method.code, method.assay, method.manufacturer) if method is not None else ("", "", "")


def _break(before: Entry, after: Entry) -> Break:
    old, new = before.method, after.method
    return Break(
        since=before.day,
        day=after.day,
        before=old.name or old.code if old is not None else NO_METHOD,
        before_kit=old.assay if old is not None else "",
        after=new.name or new.code if new is not None else NO_METHOD,
        after_kit=new.assay if new is not None else "",
    )


def _said(series: Series, say: Callable[[str], str]) -> list[dict[str, str]]:
    return [{**msgspec.to_builtins(one), "before": say(one.before), "after": say(one.after)} for one in series.breaks]
