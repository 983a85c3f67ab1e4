"""The shipped knowledge and its compiled rules, read once for all tests of interpret/."""

from __future__ import annotations

import pytest
from interpret_written import Written, all_written, kept_too_long

from labbridge.interpret import Interpreter
from labbridge.interpret.rules import RuleSet
from labbridge.knowledge.build import Knowledge
from labbridge.sources import load


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return load()


@pytest.fixture(scope="session")
def rules(knowledge: Knowledge) -> RuleSet:
    return RuleSet(knowledge.decisions, knowledge.policy.days("passive_wait_d"))


@pytest.fixture(scope="session")
def interpreter(knowledge: Knowledge) -> Interpreter:
    return Interpreter(knowledge)


@pytest.fixture(scope="session")
def written(rules: RuleSet, knowledge: Knowledge) -> list[Written]:
    """Every comment of every combination."""
    return all_written(rules, knowledge)


@pytest.fixture(scope="session")
def late(written: list[Written], knowledge: Knowledge) -> list[Written]:
    """Every different comment that suggests a test, when no sample is on hand any more."""
    return kept_too_long(written, knowledge)
