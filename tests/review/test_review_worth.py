"""What a retest is worth (clinical.md E4): its formulas, its three ranges of p, and the band that the ranges of E2 leave."""

from __future__ import annotations

from math import isclose, log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from review_figures import FIGURES, figure

from labbridge.knowledge.probabilities import COST, FALSE_POSITIVE, MISSED, SENSITIVITY, Figure, Pair, Setting
from labbridge.model.ranking import Spread
from labbridge.review.ranking import UNIT, rank_of
from labbridge.review.spread import BASES, band, drawing, mirrored, points
from labbridge.review.worth import Losses, Second, expected_value, loss, of_ratios


def setting(id: str) -> float:
    return FIGURES.by_id(Setting, id).default


SECOND = Second(setting(SENSITIVITY), setting(FALSE_POSITIVE))


def evr(p: float, missed: float) -> float:
    return expected_value(p, SECOND, Losses(missed, setting(COST)))


# ---------------------------------------------------------------- E4

RANGES = [(2, "0.02", "0.79"), (5, "0.01", "0.62"), (10, "0.005", "0.45")]


def crossing(missed: float, below: float, above: float) -> float:
    """Where the expected value passes zero between two probabilities."""
    for _ in range(60):
        middle = (below + above) / 2
        if (evr(middle, missed) > 0) == (evr(above, missed) > 0):
            above = middle
        else:
            below = middle
    return above


@pytest.mark.parametrize(("missed", "first", "last"), RANGES)
def test_the_ranges_in_which_a_retest_pays(missed: float, first: str, last: str) -> None:
    turn = 1 / (1 + missed)  # where both decisions cost the same, a retest is worth most
    for printed, found in ((first, crossing(missed, 1e-6, turn)), (last, crossing(missed, 1 - 1e-6, turn))):
        assert f"{found:.{len(printed.partition('.')[2])}f}" == printed


@pytest.mark.parametrize(("missed", "first", "last"), RANGES)
def test_it_pays_between_them_and_not_beyond(missed: float, first: str, last: str) -> None:
    for place in range(1, 1000):
        p = place / 1000
        if float(first) + 0.005 < p < float(last) - 0.005:
            assert evr(p, missed) > 0, p
        elif p < float(first) - 0.005 or p > float(last) + 0.005:
            assert evr(p, missed) < 0, p


def test_the_loss_that_is_shipped_is_one_of_the_three() -> None:
    assert setting(MISSED) in [missed for missed, _first, _last in RANGES]


def test_one_value_worked_out_by_hand() -> None:
    """p 0.1, s 0.9, f 0.1, L 5, c 0.02: now 0.5; positive 0.18 of the time, then p 0.5 and a loss of 0.5; negative 0.82 of
    the time, then p 0.01 / 0.82 and a loss of 0.05 / 0.82."""
    assert expected_value(0.1, Second(0.9, 0.1), Losses(5, 0.02)) == pytest.approx(0.5 - 0.09 - 0.05 - 0.02)


@pytest.mark.parametrize(("p", "wanted"), [(0.1, 0.5), (0.9, 0.1), (1 / 6, 5 / 6)])
def test_the_better_of_two_decisions_is_taken(p: float, wanted: float) -> None:
    assert loss(p, 5) == pytest.approx(wanted)


within = st.floats(0.001, 0.999)
losses = st.builds(Losses, st.floats(0.1, 50), st.floats(0.001, 1))


@given(within, within, within, losses)
def test_a_retest_saves_no_more_than_there_is_to_lose_and_costs_no_more_than_it_costs(
    p: float, sensitivity: float, false_positive: float, given_losses: Losses
) -> None:
    found = expected_value(p, Second(sensitivity, false_positive), given_losses)
    assert -given_losses.cost - 1e-9 <= found <= loss(p, given_losses.missed) - given_losses.cost + 1e-9


@given(within, within, losses)
def test_a_method_that_tells_nothing_is_worth_minus_its_cost(p: float, rate: float, given_losses: Losses) -> None:
    assert isclose(expected_value(p, Second(rate, rate), given_losses), -given_losses.cost, abs_tol=1e-9)


@given(within, within, within, losses)
def test_a_better_method_is_worth_no_less(p: float, one: float, other: float, given_losses: Losses) -> None:
    low, high = sorted((one, other))
    assert (
        expected_value(p, Second(low, 0.05), given_losses) <= expected_value(p, Second(high, 0.05), given_losses) + 1e-9
        or low < 0.05
    )


@given(st.floats(1.01, 900), st.floats(0.01, 0.99))
def test_the_ratios_of_a_method_are_those_it_was_made_of(positive: float, negative: float) -> None:
    s, f = of_ratios(positive, negative)
    assert 0 < f < s < 1
    assert (s / f, (1 - s) / (1 - f)) == (pytest.approx(positive), pytest.approx(negative))


def test_the_pairs_that_ship_give_methods_that_tell() -> None:
    found = {}
    for pair in FIGURES.of(Pair):
        positive, negative = (FIGURES.rows[id] for id in (pair.positive, pair.negative))
        assert isinstance(positive, Figure)
        assert isinstance(negative, Figure)
        found[pair.id] = tuple(round(rate, 3) for rate in of_ratios(positive.default, negative.default))
    assert found == {
        "retest-srp-quant": (0.853, 0.017),
        "retest-srp-ip": (0.95, 0.005),
        "retest-hmgcr-tissue": (0.905, 0.045),
    }


# ---------------------------------------------------------------- draws


@pytest.mark.parametrize(
    ("number", "base", "wanted"),
    [
        (0, 2, 0),
        (1, 2, 1 / 2),
        (2, 2, 1 / 4),
        (3, 2, 3 / 4),
        (6, 2, 3 / 8),
        (1, 3, 1 / 3),
        (5, 3, 7 / 9),
        (9, 3, 1 / 27),
    ],
)
def test_the_digits_are_mirrored_behind_the_point(number: int, base: int, wanted: float) -> None:
    assert mirrored(number, base) == pytest.approx(wanted)


def test_the_bases_are_different_primes_and_enough_of_them() -> None:
    """A prior, at most one likelihood of each of seven tests, and two figures of the second method."""
    assert len(set(BASES)) == len(BASES) >= 1 + 7 + 2
    assert all(base % other for base in BASES for other in range(2, base))


def test_the_points_fill_the_space_evenly() -> None:
    drawn = points(512)
    assert len(drawn) == len(set(drawn)) == 512
    for place in range(6):  # as many figures as the shipped rows ever bring together
        column = [point[place] for point in drawn]
        assert all(0 < at < 1 for at in column)
        for tenth in range(10):
            assert sum(tenth / 10 <= at < (tenth + 1) / 10 for at in column) == pytest.approx(51.2, abs=6)
    for one, other in ((0, 1), (1, 2), (2, 3), (4, 5)):
        quarter = sum(point[one] < 0.5 and point[other] < 0.5 for point in drawn)
        assert quarter == pytest.approx(128, abs=10)


RATIO = figure(default=2, low=0.5, high=32)
CHANCE = figure(unit="probability", default=0.1, low=0.01, high=0.3)


@pytest.mark.parametrize(
    ("one", "at", "wanted"),
    [
        (RATIO, 0, 0.5),
        (RATIO, 0.25, 1),  # halfway from 1/2 to 2 in the logarithm
        (RATIO, 0.5, 2),
        (RATIO, 0.75, 8),
        (RATIO, 1, 32),
        (CHANCE, 0, 0.01),
        (CHANCE, 0.5, 0.1),
        (CHANCE, 1, 0.3),
        (figure(default=7), 0.9, 7),
    ],
)
def test_a_figure_by_its_place_in_the_range(one: Figure, at: float, wanted: float) -> None:
    assert drawing(one)(at) == pytest.approx(wanted)


def test_a_probability_is_drawn_evenly_in_its_log_odds() -> None:
    low, quarter, middle = (log(p / (1 - p)) for p in map(drawing(CHANCE), (0, 0.25, 0.5)))
    assert quarter == pytest.approx((low + middle) / 2)


@given(st.sampled_from([one for one in FIGURES.of(Figure) if one.low is not None]), st.floats(0, 1), st.floats(0, 1))
def test_a_draw_stays_in_its_range_and_rises_with_its_place(one: Figure, at: float, other: float) -> None:
    draw, (low, high) = drawing(one), sorted((at, other))
    assert one.least * (1 - 1e-9) <= draw(low) <= draw(high) * (1 + 1e-9) <= one.most * (1 + 1e-8)


def test_the_default_is_the_median_of_the_draws() -> None:
    for one in FIGURES.of(Figure):
        values = sorted(drawing(one)(point[0]) for point in points(1023))
        assert values[511] == pytest.approx(one.default, rel=0.01), one.id


def test_the_band_leaves_a_twentieth_on_either_side() -> None:
    values = [float(n) for n in (*range(50, 100), *range(50))]
    assert band(3.5, values, 0.05) == Spread(3.5, 5, 94)
    assert band(3.5, values, 0.10) == Spread(3.5, 10, 89)


# ---------------------------------------------------------------- from value to rank


@pytest.mark.parametrize(
    ("point", "low", "high", "rank"),
    [
        (0.25, 0.01, 0.5, 2500),
        (4.9, 0.01, 5.0, 49_000),
        (0.00004, 0.00001, 0.5, 1),  # worth something: above all that is worth nothing
        (0.25, 0.0, 0.5, 0),  # a tie with zero is in the band
        (0.25, -0.0001, 0.5, 0),
        (-0.01, -0.02, 0.3, 0),
        (-0.01, -0.02, -0.005, 0),  # clearly not worth it: the case is not lowered
        (0.0, 0.01, 0.5, 0),
    ],
)
def test_a_case_is_raised_where_the_whole_band_lies_above_zero(
    point: float, low: float, high: float, rank: int
) -> None:
    assert rank_of(Spread(point, low, high)) == rank


@given(st.lists(st.floats(-1, 10), min_size=3, max_size=3))
def test_a_rank_is_never_below_zero_and_rises_with_the_value(values: list[float]) -> None:
    low, point, high = sorted(values)
    rank = rank_of(Spread(point, low, high))
    assert isinstance(rank, int)
    assert rank >= 0
    assume(low > 0)
    assert rank_of(Spread(point + 1 / UNIT, low, high)) >= rank > 0
