"""The figures of clinical.md E as they ship, and cases by their facts: what the tests of the worklist's order share."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.probabilities import Figure, Likelihood, Prior, Probabilities
from labbridge.model.outcome import Outcome, Priority, Retest, States
from labbridge.review.likelihood import posterior
from labbridge.sources import load

KNOWLEDGE = load()
FIGURES = KNOWLEDGE.probabilities
USUAL: dict[str, str | bool] = {
    "ck": "UNKNOWN",
    "ck_low": "none",
    "suspicion": False,
    "age_group": "adult",
    "hep2": "NOT_TESTED",
    "hep2_titre_low": False,
    "hep2_stated": True,
    "hep2_cytoplasm_stated": True,
    "other_msa_tested": False,
    "multiple_msa": False,
}
"""What the layer asks, of a case of which nothing is known."""


def switched_on(knowledge: Knowledge = KNOWLEDGE) -> Knowledge:
    """The knowledge of a site that orders its worklist by expected value."""
    one = msgspec.structs.replace(knowledge.policy.choices["worklist_order"], value="expected_value")
    policy = msgspec.structs.replace(knowledge.policy, choices={**knowledge.policy.choices, "worklist_order": one})
    return msgspec.structs.replace(knowledge, policy=policy)


def facts(**said: str | bool) -> dict[str, str | bool]:
    """The facts of a case; of an antibody `srp` or `hmgcr`, and what they rest on, `srp_source`."""
    found = dict(USUAL)
    for side in ("srp", "hmgcr"):
        state = said.get(side, "NOT_TESTED")
        found |= {side: state, f"{side}_now": state, f"{side}_source": "none", f"{side}_change": "none"}
        found |= dict.fromkeys((f"{side}_discordant", f"{side}_passive", f"{side}_once_positive"), False)
    return {**found, **said}


def retest(antibody: str = "SRP", *families: str) -> Retest:
    return Retest(analyte=antibody, families=families, priority=Priority.ROUTINE, reason="MSA_LOW_POS_UNCONFIRMED")


def outcome(found: dict[str, str | bool], *retests: Retest, **fields: Any) -> Outcome:
    return Outcome(
        patient=None,
        evaluated_at=date(2026, 11, 9),
        knowledge="sha256:0",
        states=States(str(found["srp"]), str(found["hmgcr"]), str(found["hep2"]), str(found["ck"])),
        retests=retests,
        facts=found,
        **fields,
    )


def ratio(id: str, figures: Probabilities = FIGURES) -> float:
    return figures.by_id(Likelihood, id).default


def prior(id: str, figures: Probabilities = FIGURES) -> float:
    return figures.by_id(Prior, id).default


def probability(prior_id: str, *ids: str) -> float:
    """The posterior of these rows, by their defaults."""
    return posterior(prior(prior_id), [ratio(id) for id in ids])


def figure(**fields: Any) -> Figure:
    given = {"id": "own", "source": "a test", "means": "m", "unit": "likelihood ratio", "tag": "CONVENTION", **fields}
    return Figure(**given)
