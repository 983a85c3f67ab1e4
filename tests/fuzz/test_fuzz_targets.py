"""Every target over its seeds and a fixed number of inputs made from them; the guided runs are `make fuzz`."""

from __future__ import annotations

import pytest

from tests.fuzz.mutation import inputs
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

SEED = 20261126


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_every_answer_is_the_specifications(target: Target) -> None:
    for data in (*target.seeds(), *inputs(target, SEED, target.mutated)):
        target.check(data)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_the_inputs_of_a_seed_are_the_same_each_time(target: Target) -> None:
    first, second = (list(inputs(target, SEED, 50)) for _time in range(2))
    assert first == second
    assert len(set(first)) > 30
    assert list(inputs(target, SEED + 1, 50)) != first
