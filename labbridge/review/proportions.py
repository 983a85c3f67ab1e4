"""Exact intervals of a proportion (Clopper and Pearson): so many of so many, and between what the truth may lie."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, log1p

HALVINGS = 60


def exact(found: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The lower and upper bound of the proportion; 0 to 1 where nothing was counted. ValueError where more were found than
    there are."""
    if not 0 <= found <= of:
        raise ValueError(f"{found} of {of}")
    tail = (1 - confidence) / 2
    lower = 0.0 if found == 0 else _where(lambda p: _at_least(found, of, p) < tail)
    upper = 1.0 if found == of else _where(lambda p: 1 - _at_least(found + 1, of, p) > tail)
    return lower, upper


def _where(below: Callable[[float], bool]) -> float:
    """The proportion at which a condition that holds for the small ones ends."""
    low, high = 0.0, 1.0
    for _halving in range(HALVINGS):
        middle = (low + high) / 2
        if below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_least(found: int, of: int, p: float) -> float:
    """How probable so many or more are, where each is with probability p."""
    if p <= 0:
        return float(found <= 0)
    if p >= 1:
        return 1.0
    fewer = found <= of * p
    ends = range(found) if fewer else range(found, of + 1)
    total = sum(exp(_log_chance(k, of, p)) for k in ends)
    return 1 - total if fewer else total


def _log_chance(k: int, of: int, p: float) -> float:
    return lgamma(of + 1) - lgamma(k + 1) - lgamma(of - k + 1) + k * log(p) + (of - k) * log1p(-p)
