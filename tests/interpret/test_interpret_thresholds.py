"""Both sides of every threshold, and the threshold itself, through the real path: case, normaliser, interpreter."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from interpret_edges import EDGES, ELSEWHERE, Edge

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.policy import Policy
from labbridge.model.outcome import Outcome
from labbridge.offline import Readers, case_history


def with_numbers(knowledge: Knowledge, given: tuple[tuple[str, str], ...]) -> Knowledge:
    """The knowledge of a site that has set these numbers."""
    numbers = dict(knowledge.policy.numbers)
    for name, value in given:
        numbers[name] = msgspec.structs.replace(numbers[name], value=Decimal(value))
    return msgspec.structs.replace(knowledge, policy=Policy(numbers, knowledge.policy.choices))


def interpreted(edge: Edge, at: Decimal, readers: Readers) -> Outcome:
    return readers.interpret(case_history(edge.case(at), readers))


@pytest.fixture(scope="module")
def shipped(knowledge: Knowledge) -> Readers:
    return Readers.of(knowledge)


@pytest.mark.parametrize("edge", EDGES, ids=[edge.number for edge in EDGES])
def test_just_below_at_and_just_above(edge: Edge, knowledge: Knowledge, shipped: Readers) -> None:
    readers = Readers.of(with_numbers(knowledge, edge.given)) if edge.given else shipped
    number, step = knowledge.policy.number(edge.number), Decimal(edge.step)
    found = tuple(edge.seen(interpreted(edge, at, readers)) for at in (number - step, number, number + step))
    assert found == edge.wanted, edge.section


@pytest.mark.parametrize("edge", EDGES, ids=[edge.number for edge in EDGES])
def test_a_site_that_sets_the_number_moves_the_edge(edge: Edge, knowledge: Knowledge) -> None:
    """The edge is the policy's number and nothing written beside it: one step up, and what was at it is below it."""
    number, step = knowledge.policy.number(edge.number), Decimal(edge.step)
    readers = Readers.of(with_numbers(knowledge, (*edge.given, (edge.number, str(number + step)))))
    found = tuple(edge.seen(interpreted(edge, at, readers)) for at in (number, number + step))
    assert found == edge.wanted[:2], edge.section


def test_every_number_that_decides_is_tested_at_its_edge(knowledge: Knowledge) -> None:
    tested = [edge.number for edge in EDGES]
    assert sorted(set(knowledge.policy.numbers) - set(tested) - set(ELSEWHERE)) == []
    assert len(set(tested)) == len(tested)
    assert [edge.number for edge in EDGES if len(set(edge.wanted)) == 1] == []  # nothing would be seen to change
