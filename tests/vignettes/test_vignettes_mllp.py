"""Every vignette as HL7 v2 through the MLLP feed of a running service whose clock stands at `evaluate_at`: three orders,
each with a patient of its own; the stored draft is compared as `labbridge validate` compares, and its text by mentions.yaml.

Where a comment was posted before, it is: drafted from the first versions, released by name, acknowledged by the LIS.
"""

from __future__ import annotations

import pytest
from vignette_hl7 import messages
from vignette_mentions import amiss
from vignette_parts import Case, cases, failures, three
from vignette_service import StandingService

ROWS = sorted(cases(), key=lambda case: str(case["evaluate_at"]))  # the clock of a service does not go back


def patients(case: Case) -> dict[str, tuple[bytes, ...]]:
    """By patient, the messages of the case in that patient's order."""
    numbers = range(len(case["results"]))
    names = {f"{case['id'].replace('-', '')}{order}": places for order, places in three(numbers).items()}
    return {name: tuple(messages(case, name)[place] for place in places) for name, places in names.items()}


def later(case: Case, patient: str) -> set[bytes]:
    """The messages that came after the comment was posted: later versions of an order."""
    seen: set[str] = set()
    found = set()
    for row, raw in zip(case["results"], messages(case, patient), strict=True):
        if row["filler"] in seen:
            found.add(raw)
        seen.add(row["filler"])
    return found


def posted_first(standing: StandingService, case: Case) -> None:
    """What the laboratory had sent by the day its comment was posted, and that comment, for each patient."""
    fillers = {row["filler"]: str(row["received"]) for row in reversed(case["results"])}
    standing.at(max(fillers.values()))
    for patient, ordered in patients(case).items():
        standing.take(one for one in ordered if one not in later(case, patient))
        comment = standing.newest(patient).outcome.comment
        assert comment is not None
        assert comment.comment_class == case["context"]["comment_already_posted"]
    standing.post(patients(case))


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case["id"])
def test_a_vignette_passes_over_mllp_in_three_orders(standing: StandingService, case: Case) -> None:
    posted = bool(case["context"].get("comment_already_posted"))
    if posted:
        posted_first(standing, case)
    standing.at(case["evaluate_at"])
    wrong: dict[str, list[str]] = {}
    for patient, ordered in patients(case).items():
        standing.take(one for one in ordered if not posted or one in later(case, patient))
        found = standing.newest(patient)
        assert str(found.outcome.evaluated_at) == str(case["evaluate_at"])
        wrong[patient] = [*failures(case, found.outcome), *amiss(case, found.text)]
    assert wrong == {patient: [] for patient in patients(case)}
    assert standing.states().keys() == {"done"}


def test_a_correction_that_comes_before_its_original_is_the_result_and_replaces_no_comment(
    standing: StandingService,
) -> None:
    case = next(case for case in ROWS if case["id"] == "V-S19")
    standing.at("2025-12-30")
    standing.take(reversed(messages(case, "EARLY")))
    found = standing.newest("EARLY")
    assert (found.outcome.states.SRP, found.posted) == (case["expected"]["states"]["SRP"], ())
    assert found.outcome.comment is not None
    assert found.outcome.comment.comment_class == case["expected"]["comment_class"]
    assert "replaces" not in found.text


def test_the_order_of_arrival_is_not_seen_in_what_is_stored(standing: StandingService) -> None:
    """All of the draft but the names of the messages it was read from."""
    case = next(case for case in ROWS if case["id"] == "V-S07")
    standing.at("2025-12-31")
    told = []
    for patient, ordered in patients(case).items():
        name = f"{patient}X"
        standing.take(one.replace(patient.encode(), name.encode()) for one in ordered)
        outcome = standing.newest(name).outcome
        told.append((outcome.states, outcome.retests, outcome.comment, outcome.facts, outcome.fired, outcome.pathway))
    assert told[1:] == told[:1] * 2
