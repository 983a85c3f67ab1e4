"""Cumulative sums of counts with exact false-alarm probabilities, for drift that no single day shows.

Binomial: a step is so many results one after the other, of which some are positive. Poisson: a step is a day with a count.
The reference value is that of the likelihood ratio, as a fraction of small whole numbers, so that the sum stands on
finitely many places: it is a Markov chain, and what it does by chance alone is computed, not simulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

import msgspec
import numpy as np
from scipy import stats

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
LEAST_EXPECTED = 0.05  # hits a step: where they are rarer, a step takes more results
GRID, NEAR = 60, 0.02  # the reference value has whole numbers up to GRID, and is this near its best
MOST = 1500  # places of a chain


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """A sum, in whole numbers: at each step up by `up` for each count and down by `down` (`falling`: the other way), never
    below 0; an alarm at `limit` or above. A step takes `block` results. `false_alarm`: the probability of any alarm in
    `steps` steps of what is as expected."""

    up: int
    down: int
    falling: bool
    limit: int
    steps: int
    block: int
    false_alarm: float


class Course(msgspec.Struct, frozen=True):
    """The sum after each step, and the steps at which an alarm was raised; the sum begins anew after one."""

    sums: tuple[int, ...]
    alarms: tuple[int, ...]


def binomial(expected: float, shifted: float, results: int, false_alarm: float) -> Chart:
    """The chart for a share that should be `expected` and may have become `shifted`, over so many results. A step takes as
    many of them as make a hit no rarer than LEAST_EXPECTED. `false_alarm`: the probability of any that is allowed.

    ValueError for shares that are not between 0 and 1, or equal."""
    if not (0 < expected < 1 and 0 < shifted < 1) or expected == shifted:
        raise ValueError("two different shares between 0 and 1 are needed")
    block = max(1, round(LEAST_EXPECTED / expected))
    odds = shifted * (1 - expected) / (expected * (1 - shifted))
    reference = block * log((1 - expected) / (1 - shifted)) / log(odds)
    chances = [float(stats.binom.pmf(count, block, expected)) for count in range(block + 1)]
    steps = max(1, results // block)
    return _fitted(reference, chances, false_alarm, falling=shifted < expected, steps=steps, block=block)


def poisson(expected: float, shifted: float, steps: int, false_alarm: float) -> Chart:
    """The chart for a count a step that should be `expected` on average and may have become `shifted`.

    ValueError where these are not above 0, or equal."""
    if not (expected > 0 and shifted > 0) or expected == shifted:
        raise ValueError("two different means above 0 are needed")
    reference = (shifted - expected) / (log(shifted) - log(expected))
    most = int(stats.poisson.isf(1e-15, expected)) + 1
    chances = [float(stats.poisson.pmf(count, expected)) for count in range(most + 1)]
    return _fitted(reference, chances, false_alarm, falling=shifted < expected, steps=steps, block=1)


def course(counts: Sequence[int], chart: Chart) -> Course:
    """The sum along these counts, one a step."""
    total, sums, alarms = 0, list[int](), list[int]()
    for step, count in enumerate(counts):
        change = chart.up * count - chart.down
        total = max(0, total + (-change if chart.falling else change))
        sums.append(total)
        if total >= chart.limit:
            alarms.append(step)
            total = 0
    return Course(tuple(sums), tuple(alarms))


def blocks(hits: Sequence[int], chart: Chart) -> list[int]:
    """Hits of single results as the counts of the chart's steps; what is left over at the end is no step yet."""
    whole = len(hits) // chart.block * chart.block
    return [sum(hits[start : start + chart.block]) for start in range(0, whole, chart.block)]


def fraction(reference: float) -> tuple[int, int]:
    """A reference value as two whole numbers (up, down) with down/up near it, the smallest that are near enough."""
    most = max(GRID, ceil(2 / reference))
    for up in range(1, most + 1):
        down = max(1, round(reference * up))
        if abs(down / up - reference) <= NEAR * reference:
            return up, down
    return most, max(1, round(reference * most))


def chain(steps: tuple[int, int], limit: int, chances: Sequence[float], *, falling: bool = False) -> Matrix:
    """How the sum goes from each place below the limit to each other one in a step; what a row lacks to 1 is the alarm.
    `steps`: up for each count, and down; `chances`: of each count."""
    up, down = steps
    found = np.zeros((limit, limit))
    for count, chance in enumerate(chances):
        change = down - up * count if falling else up * count - down
        for place in range(limit):
            after = max(0, place + change)
            if after < limit:
                found[place, after] += chance
    return found


def alarm_within(steps: int, matrix: Matrix) -> float:
    """The probability of an alarm in so many steps from 0."""
    return float(max(0.0, 1 - np.linalg.matrix_power(matrix, steps)[0].sum()))


def run_length(matrix: Matrix) -> float:
    """The mean number of steps until an alarm, from 0."""
    places = len(matrix)
    return float(np.linalg.solve(np.eye(places) - matrix, np.ones(places))[0])


def _fitted(
    reference: float, chances: Sequence[float], false_alarm: float, *, falling: bool, steps: int, block: int
) -> Chart:
    """The lowest limit with which a false alarm in all the steps is improbable enough."""
    up, down = fraction(reference)
    known: dict[int, float] = {}

    def of(limit: int) -> float:
        if limit not in known:
            known[limit] = alarm_within(steps, chain((up, down), limit, chances, falling=falling))
        return known[limit]

    high = max(up, 2)
    while of(high) > false_alarm and high < MOST:
        high = min(high * 2, MOST)
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if of(middle) <= false_alarm else (middle, high)
    return Chart(up=up, down=down, falling=falling, limit=high, steps=steps, block=block, false_alarm=of(high))
