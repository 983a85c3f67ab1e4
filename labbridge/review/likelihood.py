"""How probable it is that an antibody is clinically true: prior and likelihood ratios in odds form (clinical.md E1, E2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

import msgspec

from labbridge.knowledge.probabilities import Antibody, Likelihood, Prior, Probabilities, holds


class Basis(msgspec.Struct, frozen=True):
    """What a probability is computed from. The likelihoods are of different tests, in the order of their names."""

    prior: Prior
    likelihoods: tuple[Likelihood, ...] = ()

    @property
    def tests(self) -> frozenset[str]:
        return frozenset(one.test for one in self.likelihoods)


def prior_of(probabilities: Probabilities, facts: Mapping[str, str | bool]) -> Prior | None:
    """The prior of a case, by what is known of CK and suspicion. None where no row fits: nothing is guessed."""
    return next((one for one in probabilities.of(Prior) if holds(one.when, facts)), None)


def likelihoods_of(
    probabilities: Probabilities, antibody: Antibody, facts: Mapping[str, str | bool]
) -> tuple[Likelihood, ...]:
    """The likelihoods that count for an antibody; none where nothing is known of the antibody itself."""
    found = [one for one in probabilities.of(Likelihood) if holds(one.when.get(antibody, ()), facts)]
    return independent(found) if any(not one.beside for one in found) else ()


def independent(likelihoods: Iterable[Likelihood]) -> tuple[Likelihood, ...]:
    """One of each test: two results of a family are one finding, and the first that is named counts (clinical.md E1)."""
    first: dict[str, Likelihood] = {}
    for one in likelihoods:
        first.setdefault(one.test, one)
    return tuple(first[test] for test in sorted(first))


def posterior(prior: float, ratios: Iterable[float]) -> float:
    """Posterior odds are prior odds times every likelihood ratio (clinical.md E1). The order of the ratios is of no account,
    to the last bit."""
    odds = prod(sorted(ratios), start=prior / (1 - prior))
    return odds / (1 + odds)
