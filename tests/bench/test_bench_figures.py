"""The arithmetic of the bench."""

from __future__ import annotations

import pytest

from tests.bench.figures import Line, ratios


def test_a_line_is_judged_by_its_median() -> None:
    assert Line("x", "of bare", 0.2, True, (0.1, 0.2, 0.9)).met
    assert not Line("x", "of bare", 0.2, True, (0.1, 0.19, 0.9)).met
    assert Line("x", "s", 1.5, False, (1.4, 1.5, 9.0)).met
    assert not Line("x", "s", 1.5, False, (1.4, 1.6, 1.7)).met


def test_a_line_prints_bar_median_spread_and_verdict() -> None:
    text = str(Line("mllp-durable", "of bare", 0.2, True, (0.3, 0.4, 0.5), "why"))
    assert "met" in text
    assert "NOT MET" not in text
    assert "median 0.4 of bare (bar >= 0.2; 3 rounds, 0.3 to 0.5; why)" in text
    assert "NOT MET" in str(Line("x", "s", 1, False, (2.0,)))


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([1.0, 4.0], [2.0, 2.0]) == (0.5, 2.0)
    with pytest.raises(ValueError, match="zip"):
        ratios([1.0], [1.0, 2.0])
