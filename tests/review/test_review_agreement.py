"""Cohen's kappa, and whose readings it is counted from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labbridge.model.review import Reading
from labbridge.review.agreement import agreement, by_pair


def test_a_table_worked_out_by_hand() -> None:
    """20 both yes, 5 yes and no, 10 no and yes, 15 both no: 0.70 observed, 0.50 by chance."""
    pairs = [("Y", "Y")] * 20 + [("Y", "N")] * 5 + [("N", "Y")] * 10 + [("N", "N")] * 15
    found = agreement(pairs)
    assert (found.count, found.same) == (50, 35)
    assert found.kappa == pytest.approx(0.4)


@pytest.mark.parametrize("pairs", [[], [("NEG", "NEG")] * 9])
def test_where_chance_alone_always_agrees_kappa_says_nothing(pairs: list[tuple[str, str]]) -> None:
    assert agreement(pairs).kappa is None


def test_who_never_agrees_is_below_chance() -> None:
    found = agreement([("NEG", "NUCLEAR"), ("NUCLEAR", "NEG")])
    assert found.kappa is not None
    assert found.kappa < 0


def reading(person: str, first: str, finding: str, first_finding: str, unseen: bool = True) -> Reading:
    at = datetime(2026, 11, 27, tzinfo=UTC)
    return Reading(
        case=1, version=1, person=person, name=person, at=at, finding=finding, first=first,
        first_finding=first_finding, unseen=unseen,
    )  # fmt: skip


def test_two_readers_are_one_pair_whoever_was_first() -> None:
    pairs = by_pair(
        [
            reading("bert", "anna", "NEG", "NEG"),
            reading("anna", "bert", "NUCLEAR", "NEG"),
            reading("cora", "anna", "NEG", "NEG"),
            reading("bert", "anna", "NEG", "NEG", unseen=False),
        ]
    )
    assert [(one.readers, one.whole.count, one.whole.same) for one in pairs] == [
        (("anna", "bert"), 2, 1),
        (("anna", "cora"), 1, 1),
    ]
    assert set(pairs[0].patterns) == {"NEG", "NUCLEAR"}
    assert pairs[0].patterns["NUCLEAR"].same == 1
