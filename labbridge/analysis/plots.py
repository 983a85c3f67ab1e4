"""Plots as SVG, the same bytes for the same figures, in colours that the colour-blind tell apart (M. Okabe, K. Ito), each
with marks of its own besides; every one says in words what it shows."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
import msgspec
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labbridge.analysis.drift import Watched

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv*P"
GREY = "#595959"
WIDE_IN, ROW_IN = 7.2, 0.32
STYLE = {
    "svg.hashsalt": "labbridge",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e5e5",
    "figure.constrained_layout.use": True,
}
MOST_LINES = len(COLOURS)
ABOVE: dict[str, Any] = {
    "loc": "lower left", "bbox_to_anchor": (0, 1.0), "ncols": 4, "frameon": False, "fontsize": 8,
}  # fmt: skip


class Plot(msgspec.Struct, frozen=True):
    """A plot: SVG without a date, and what it shows in a sentence."""

    title: str
    says: str
    svg: str


@contextmanager
def _figure(high_in: float) -> Iterator[tuple[Figure, Axes]]:
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(WIDE_IN, high_in))
        yield figure, figure.subplots()


def _drawn(figure: Figure, title: str, says: str) -> Plot:
    """The SVG without its prolog, named for who cannot see it."""
    text = io.StringIO()
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    name = f"<title>{escape(title)}</title><desc>{escape(says)}</desc>"
    head, _, rest = svg.partition(">")
    lines = "\n".join(line.rstrip() for line in f'{head} role="img">{name}{rest}'.splitlines())
    return Plot(title, says, lines + "\n")


def forest(frame: pd.DataFrame, names: Sequence[str], axis: str, *, title: str, says: str) -> Plot:
    """Shares with their intervals, one below the other. `frame`: share, low and high; `names`: what each row is."""
    with _figure(1.0 + ROW_IN * max(len(frame), 2)) as (figure, axes):
        places = list(range(len(frame)))[::-1]
        share, low, high = (frame[name].astype(float) for name in ("share", "low", "high"))
        axes.hlines(places, low, high, color=GREY, linewidth=1.5)
        axes.plot(share, places, "o", color=COLOURS[0], markersize=5)
        axes.set_yticks(places, list(names))
        axes.set_ylim(-0.7, len(frame) - 0.3)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel(axis)
        return _drawn(figure, title, says)


def by_month(frame: pd.DataFrame, axis: str, *, title: str, says: str, low: str = "low", high: str = "high") -> Plot:
    """Lines over months with the band of their intervals. `frame`: series, month, share (and its interval)."""
    with _figure(3.0) as (figure, axes):
        months = sorted(frame["month"].unique())
        at = {month: place for place, month in enumerate(months)}
        for number, (name, one) in enumerate(frame.groupby("series", sort=True)):
            if number == MOST_LINES:
                break
            x = one["month"].map(at)
            colour, marker = COLOURS[number], MARKERS[number]
            axes.fill_between(x, one[low].astype(float), one[high].astype(float), color=colour, alpha=0.15, linewidth=0)
            axes.plot(
                x, one["share"].astype(float), color=colour, marker=marker, markersize=3, label=str(name), linewidth=1
            )
        step = max(1, len(months) // 10)
        axes.set_xticks(range(0, len(months), step), months[::step], rotation=30, ha="right")
        axes.set_ylabel(axis)
        axes.set_ylim(bottom=0)
        axes.legend(**ABOVE)
        return _drawn(figure, title, says)


def sums(watched: Watched) -> Plot:
    """A cumulative sum up and one down, as shares of their limits, with the alarms."""
    with _figure(2.6) as (figure, axes):
        for number, (name, chart, its) in enumerate(
            (("rising", watched.rising, watched.up), ("falling", watched.falling, watched.down))
        ):
            shown = [(step, total / chart.limit) for step, total in thinned(its.sums)]
            axes.plot([(step + 1) * chart.block for step, _ in shown], [y for _, y in shown],
                      color=COLOURS[number], linewidth=1, linestyle=("-", "--")[number], label=name)  # fmt: skip
            marks = [(step + 1) * chart.block for step in its.alarms]
            axes.plot(marks, [1.0] * len(marks), MARKERS[number], color=COLOURS[number], markersize=6)
        axes.axhline(1.0, color=GREY, linewidth=1, linestyle=":")
        axes.set_xlabel("results behind the baseline")
        axes.set_ylabel("sum / limit")
        axes.legend(**ABOVE)
        alarms = len(watched.up.alarms) + len(watched.down.alarms)
        says = f"Sums of {watched.series.name}, {watched.series.counted}: {alarms} alarms above the dotted limit."
        return _drawn(figure, f"{watched.series.name}: drift", says)


def thinned(values: Sequence[int], most: int = 600) -> list[tuple[int, int]]:
    """No more than so many points of a line: of each stretch the highest, so that no alarm is lost."""
    width = max(1, -(-len(values) // most))
    stretches = (range(start, min(start + width, len(values))) for start in range(0, len(values), width))
    return [max(((step, values[step]) for step in one), key=lambda point: point[1]) for one in stretches]


def bars(names: Sequence[str], values: Sequence[float], axis: str, *, title: str, says: str) -> Plot:
    """Bars from left to right, one below the other, each with its number."""
    with _figure(0.9 + ROW_IN * max(len(names), 2)) as (figure, axes):
        places = list(range(len(names)))[::-1]
        drawn = axes.barh(places, list(values), color=COLOURS[0], height=0.7)
        axes.bar_label(drawn, [f"{value:g}" for value in values], padding=3, fontsize=8)
        axes.set_yticks(places, list(names))
        axes.margins(x=0.12)
        axes.set_xlabel(axis)
        axes.grid(visible=False, axis="y")
        return _drawn(figure, title, says)


def spans(frame: pd.DataFrame, names: Sequence[str], *, title: str, says: str) -> Plot:
    """Medians with the 90th and 95th percentile, in hours."""
    with _figure(1.0 + ROW_IN * max(len(frame), 2)) as (figure, axes):
        places = list(range(len(frame)))[::-1]
        axes.hlines(places, frame["median_h"].astype(float), frame["p95_h"].astype(float), color=GREY, linewidth=1)
        for number, (name, label) in enumerate((("median_h", "median"), ("p90_h", "90 %"), ("p95_h", "95 %"))):
            axes.plot(
                frame[name].astype(float), places, MARKERS[number], color=COLOURS[number], markersize=5, label=label
            )
        axes.set_yticks(places, list(names))
        axes.set_ylim(-0.7, len(frame) - 0.3)
        axes.set_xlim(left=0)
        axes.set_xlabel("hours")
        axes.legend(**ABOVE)
        return _drawn(figure, title, says)
