"""The order of the worklist by expected value (clinical.md E), where a site has chosen it (policy.yaml, `worklist_order`).

It stands in review and not in interpret, which cannot import it: no flag, retest or comment can come to depend on a rank
(E5, "C5-C8 always win"). It reads an outcome's facts and retests, and may raise a case, never lower or drop one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from labbridge.knowledge import probabilities as rows
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.probabilities import Antibody, Figure, Likelihood, Pair, Setting, Silent, holds
from labbridge.model.outcome import Outcome, Retest
from labbridge.model.ranking import Ranking, Spread, Weighed, Worth
from labbridge.model.result import Analyte
from labbridge.review.likelihood import Basis, likelihoods_of, posterior, prior_of
from labbridge.review.spread import DRAWS, band, drawing, points
from labbridge.review.worth import Losses, Second, expected_value, of_ratios

CHOICE, BY_VALUE = "worklist_order", "expected_value"
UNIT = 10_000
"""A rank counts ten-thousandths of the loss of one false label."""
_ANTIBODIES = (Analyte.SRP.value, Analyte.HMGCR.value)
_METHODS = ("blot", "quant", "ip", "cba", "tissue")
Facts = Mapping[str, str | bool]


class Ranker:
    """Ranks cases by one Knowledge. There are few combinations of its figures: each is computed once."""

    def __init__(self, knowledge: Knowledge, draws: int = DRAWS) -> None:
        self._knowledge, self._probabilities, self._draws = knowledge, knowledge.probabilities, draws
        there = bool(self._probabilities.rows)
        self._on = there and knowledge.policy.choice(CHOICE) == BY_VALUE
        self._computed: dict[tuple[str, ...], Worth] = {}

    def __call__(self, outcome: Outcome) -> Ranking:
        """The rank of a case with this outcome, and why. The retests are those that the rules recommend: none is added."""
        if not self._on:
            return Ranking()
        found = tuple(self._worth(one, outcome.facts) for one in outcome.retests if one.analyte in _ANTIBODIES)
        return Ranking(max((one.rank for one in found), default=0), found)

    def _worth(self, retest: Retest, facts: Facts) -> Worth:
        """The worth of a retest, or why no figure speaks of it."""
        antibody, known = cast(Antibody, retest.analyte), self._probabilities
        for silent in known.of(Silent):
            if holds(silent.when.get(antibody, ()), facts):
                return Worth(antibody=antibody, says=(silent.text,))
        prior, likelihoods = prior_of(known, facts), likelihoods_of(known, antibody, facts)
        if prior is None or not likelihoods:
            return self._left(antibody, rows.NO_PRIOR if prior is None else rows.NO_FIGURE)
        basis = Basis(prior, likelihoods)
        family = next((one for one in retest.families if one in _METHODS and one not in basis.tests), "")
        if not family:
            return self._left(antibody, rows.NO_METHOD)
        key = (antibody, family, prior.id, *[one.id for one in likelihoods])
        if key not in self._computed:
            self._computed[key] = self._compute(antibody, basis, family)
        return self._computed[key]

    def _left(self, antibody: Antibody, sentence: str) -> Worth:
        return Worth(antibody=antibody, says=(self._said(sentence, antibody),))

    def _compute(self, antibody: Antibody, basis: Basis, family: str) -> Worth:
        second, losses = self._second(antibody, family), self._settings(rows.MISSED, rows.COST)
        probability, value = self._spread(basis, second, Losses(*(one.default for one in losses)))
        rank = rank_of(value)
        return Worth(
            antibody=antibody,
            family=family,
            probability=probability,
            value=value,
            rank=rank,
            figures=tuple(_weighed(one) for one in (basis.prior, *basis.likelihoods, *second, *losses)),
            says=(
                self._said(rows.VALUE, antibody, family, [written(v) for v in _parts(value)]),
                self._said(rows.PROBABILITY, antibody, family, [f"{v:.3f}" for v in _parts(probability)]),
                self._said(rows.RAISED if rank else rows.KEPT, antibody),
            ),
        )

    def _spread(self, basis: Basis, second: Sequence[Figure], losses: Losses) -> tuple[Spread, Spread]:
        """Probability and expected value, at the defaults and over the ranges."""
        figures = (basis.prior, *basis.likelihoods, *second)
        tail, draw = self._settings(rows.TAIL)[0].default, [drawing(one) for one in figures]
        draws = [
            _valued([of(at) for of, at in zip(draw, place[: len(draw)], strict=True)], second, losses)
            for place in points(self._draws)
        ]
        probability, value = _valued([one.default for one in figures], second, losses)
        return band(probability, [p for p, _v in draws], tail), band(value, [v for _p, v in draws], tail)

    def _second(self, antibody: Antibody, family: str) -> tuple[Figure, Figure]:
        """What is known of the second method: its pair of likelihood ratios, else what is assumed of any."""
        for pair in self._probabilities.of(Pair):
            if pair.antibody == antibody and family in pair.families:
                by_id = self._probabilities.by_id
                return by_id(Likelihood, pair.positive), by_id(Likelihood, pair.negative)
        sensitivity, false_positive = self._settings(rows.SENSITIVITY, rows.FALSE_POSITIVE)
        return sensitivity, false_positive

    def _settings(self, *ids: str) -> tuple[Setting, ...]:
        return tuple(self._probabilities.by_id(Setting, id) for id in ids)

    def _said(self, id: str, antibody: str, family: str = "", figures: Sequence[str] = ("", "", "")) -> str:
        words = self._knowledge.decisions.words
        method = words.get("family", {}).get(family, family)
        value, low, high = figures
        return self._probabilities.by_id(rows.Sentence, id).text.format(
            antibody=words.get("antibody", {}).get(antibody, antibody), method=method, value=value, low=low, high=high
        )


def rank_of(value: Spread) -> int:
    """A case is raised where the whole band lies above zero, by the value at the defaults. Else the rank is 0: the table's
    order stands (E4), and a retest that is worth nothing never lowers a case (E5)."""
    return max(round(value.point * UNIT), 1) if value.low > 0 and value.point > 0 else 0


def written(value: float) -> str:
    """A value as it is told, to the digit that ranks; what rounds to zero is not called less than zero."""
    return f"{round(value, 4) + 0.0:.4f}"


def _valued(figures: Sequence[float], second: Sequence[Figure], losses: Losses) -> tuple[float, float]:
    """Probability and expected value of a retest from prior, ratios and, last, the two figures of the second method."""
    (prior, *ratios), (one, other) = figures[:-2], figures[-2:]
    method = of_ratios(one, other) if isinstance(second[0], Likelihood) else Second(one, other)
    probability = posterior(prior, ratios)
    return probability, expected_value(probability, method, losses)


def _weighed(one: Figure) -> Weighed:
    return Weighed(
        id=one.id,
        means=one.means,
        unit=one.unit,
        default=one.default,
        low=one.low,
        high=one.high,
        tag=one.tag,
        source=one.source,
        reviewed=one.reviewed,
    )


def _parts(one: Spread) -> tuple[float, float, float]:
    return one.point, one.low, one.high
