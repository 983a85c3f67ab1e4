"""How far a result may lie from its point: the ranges of its figures, drawn over evenly and always alike (clinical.md E4).

The draws are a Halton sequence: the digits of 1, 2, 3, ... in one prime base a figure, mirrored behind the point (van der
Corput). It fills the space more evenly than chance, so that few draws do; and it is the same in every run, so that a case
never changes its place by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import exp, log

from labbridge.knowledge.probabilities import Figure
from labbridge.model.ranking import Spread

DRAWS = 4096
BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
"""As many as a case can have figures: a prior, one likelihood of each test, two of the second method."""
Point = tuple[float, ...]


def mirrored(number: int, base: int) -> float:
    """The digits of a number in this base, mirrored behind the point: 6 is 110 in base 2, and becomes 0.011, 3/8."""
    found, place = 0.0, 1.0
    while number:
        number, digit = divmod(number, base)
        place /= base
        found += digit * place
    return found


@lru_cache(maxsize=4)
def points(draws: int = DRAWS) -> tuple[Point, ...]:
    """So many points, with a coordinate between 0 and 1 for each of BASES."""
    return tuple(tuple(mirrored(number, base) for base in BASES) for number in range(1, draws + 1))


def drawing(figure: Figure) -> Callable[[float], float]:
    """The figure by its place in its range: the lower end at 0, the default at one half, the upper end at 1, and evenly
    between them in the logarithm, of a probability in the log odds. probabilities.yaml says why."""
    if figure.low is None or figure.high is None:
        return lambda _at: figure.default
    odds = figure.unit == "probability"
    low, middle, high = (log(v / (1 - v)) if odds else log(v) for v in (figure.low, figure.default, figure.high))

    def drawn(at: float) -> float:
        found = exp(low + (middle - low) * 2 * at if at < 0.5 else middle + (high - middle) * (2 * at - 1))
        return found / (1 + found) if odds else found

    return drawn


def band(point: float, values: Sequence[float], tail: float) -> Spread:
    """The point, and the band that leaves this share of the values on either side."""
    ordered, out = sorted(values), int(len(values) * tail)
    return Spread(point, ordered[out], ordered[-1 - out])
