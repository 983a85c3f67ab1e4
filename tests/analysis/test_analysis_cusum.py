"""Cumulative sums: what they do by chance alone, held against scipy, exact fractions and draws."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from scipy import stats

from labbridge.analysis import cusum

FALSE_ALARM = 0.05


def chances(mean: float, most: int = 60) -> list[float]:
    return [float(stats.poisson.pmf(count, mean)) for count in range(most)]


@pytest.mark.parametrize("mean", [0.5, 2.0, 7.5])
@pytest.mark.parametrize("alarm_at", [3, 8])
def test_a_limit_of_one_step_is_a_chart_of_single_counts(mean: float, alarm_at: int) -> None:
    """Where only a count of so many reaches the limit, and every other one goes back to 0, the run length is geometric."""
    matrix = cusum.chain((1, alarm_at - 1), 1, chances(mean))
    beyond = float(stats.poisson.sf(alarm_at - 1, mean))
    assert cusum.run_length(matrix) == pytest.approx(1 / beyond, rel=1e-6)
    assert cusum.alarm_within(20, matrix) == pytest.approx(1 - (1 - beyond) ** 20, rel=1e-6)


def exactly(up: int, down: int, limit: int, steps: int, share: Fraction, block: int, falling: bool) -> Fraction:
    """The probability of an alarm by exact fractions, step by step, with nothing of the module."""
    places = {0: Fraction(1)}
    for _step in range(steps):
        after: dict[int, Fraction] = {}
        for place, chance in places.items():
            for count in range(block + 1):
                change = down - up * count if falling else up * count - down
                now = max(0, place + change)
                if now < limit:
                    p = comb(block, count) * share**count * (1 - share) ** (block - count)
                    after[now] = after.get(now, Fraction(0)) + chance * p
        places = after
    return 1 - sum(places.values())


@pytest.mark.parametrize(
    ("expected", "shifted", "results"), [(0.2, 0.33, 60), (0.5, 0.33, 60), (0.7, 0.82, 40), (0.02, 0.04, 80)]
)
def test_the_false_alarm_is_exact(expected: float, shifted: float, results: int) -> None:
    chart = cusum.binomial(expected, shifted, results, FALSE_ALARM)
    share = Fraction(expected).limit_denominator(1000)
    theirs = exactly(chart.up, chart.down, chart.limit, chart.steps, share, chart.block, chart.falling)
    assert chart.false_alarm == pytest.approx(float(theirs), rel=1e-9)
    assert chart.false_alarm <= FALSE_ALARM


@pytest.mark.parametrize(("expected", "shifted"), [(0.2, 0.33), (0.5, 0.33)])
def test_a_lower_limit_would_alarm_too_often(expected: float, shifted: float) -> None:
    chart = cusum.binomial(expected, shifted, 60, FALSE_ALARM)
    share = Fraction(expected).limit_denominator(1000)
    lower = exactly(chart.up, chart.down, chart.limit - 1, chart.steps, share, chart.block, chart.falling)
    assert float(lower) > FALSE_ALARM


def test_the_run_length_as_it_is_drawn() -> None:
    """20,000 runs by a seed: the mean lies within four standard errors of the computed one."""
    up, down, limit, mean = 2, 5, 12, 2.0
    computed = cusum.run_length(cusum.chain((up, down), limit, chances(mean)))
    random = np.random.default_rng(7)
    sums, lengths = np.zeros(20_000), np.zeros(20_000)
    running = np.ones(20_000, dtype=bool)
    while running.any():
        sums[running] = np.maximum(0, sums[running] + up * random.poisson(mean, running.sum()) - down)
        lengths[running] += 1
        running &= sums < limit
    assert abs(lengths.mean() - computed) < 4 * lengths.std() / np.sqrt(len(lengths))


def test_the_reference_value_is_that_of_the_likelihood_ratio() -> None:
    """Poisson: (m1 - m0) / (ln m1 - ln m0); from 1 to 2 that is 1.4427."""
    chart = cusum.poisson(1.0, 2.0, 100, FALSE_ALARM)
    assert chart.down / chart.up == pytest.approx(1.4427, rel=cusum.NEAR)
    falling = cusum.poisson(2.0, 1.0, 100, FALSE_ALARM)
    assert falling.falling
    assert falling.down / falling.up == pytest.approx(1.4427, rel=cusum.NEAR)


@pytest.mark.parametrize("reference", [0.011, 0.07, 0.35, 0.9, 1.4427, 7.3])
def test_a_fraction_is_near_its_value(reference: float) -> None:
    up, down = cusum.fraction(reference)
    assert abs(down / up - reference) <= cusum.NEAR * reference


def test_the_sum_step_by_step() -> None:
    chart = cusum.Chart(up=3, down=2, falling=False, limit=6, steps=9, block=1, false_alarm=0.01)
    found = cusum.course([0, 1, 1, 0, 3, 0, 2, 2, 0], chart)
    assert found.sums == (0, 1, 2, 0, 7, 0, 4, 8, 0)
    assert found.alarms == (4, 7)  # and it began anew after each
    falling = cusum.Chart(up=3, down=2, falling=True, limit=6, steps=4, block=1, false_alarm=0.01)
    assert cusum.course([0, 0, 1, 0, 0, 0], falling).sums == (2, 4, 3, 5, 7, 2)


def test_rare_hits_are_taken_in_blocks() -> None:
    chart = cusum.binomial(0.001, 0.002, 10_000, FALSE_ALARM)
    assert (chart.block, chart.steps) == (50, 200)
    assert cusum.blocks([1] * 125, chart) == [50, 50]


@pytest.mark.parametrize("pair", [(0.0, 0.5), (0.5, 1.0), (0.3, 0.3)])
def test_shares_that_make_no_chart(pair: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="two different shares"):
        cusum.binomial(*pair, 10, FALSE_ALARM)
    with pytest.raises(ValueError, match="two different means"):
        cusum.poisson(0.0, pair[1], 10, FALSE_ALARM)
