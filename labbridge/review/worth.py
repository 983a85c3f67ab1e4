"""What a retest is worth: the loss now, less the loss that is to be expected after it, less its cost (clinical.md E4).

Losses are counted in losses of one false label, which is 1; that of a missed antibody is L.
"""

from __future__ import annotations

from typing import NamedTuple


class Second(NamedTuple):
    """The second method: its sensitivity s and its false-positive rate f."""

    sensitivity: float
    false_positive: float


class Losses(NamedTuple):
    """The loss of a missed antibody (L), and the cost of a retest (c)."""

    missed: float
    cost: float


def of_ratios(positive: float, negative: float) -> Second:
    """The method whose likelihood ratios these are: s / f is the positive one, (1 - s) / (1 - f) the negative one."""
    false_positive = (1 - negative) / (positive - negative)
    return Second(positive * false_positive, false_positive)


def expected_value(probability: float, second: Second, losses: Losses) -> float:
    """EVR of clinical.md E4. Below zero the retest costs more than it can save; never below minus its cost."""
    p, (s, f), (missed, cost) = probability, second, losses
    positive = p * s + (1 - p) * f
    if_positive = p * s / positive
    if_negative = p * (1 - s) / (1 - positive)
    after = positive * loss(if_positive, missed) + (1 - positive) * loss(if_negative, missed)
    return loss(p, missed) - after - cost


def loss(probability: float, missed: float) -> float:
    """The loss of the better of two decisions: to call the antibody true, or not to."""
    return min(1 - probability, probability * missed)
