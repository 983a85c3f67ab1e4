"""Cases beside each rule: it fires, stays silent, and lacks data wherever its conditions can lack any."""

from __future__ import annotations

import msgspec
import pytest

from labbridge.interpret.cases import completed, speaks
from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.decisions import Cases, Rule
from labbridge.sources import load

RULES = [rule for rule in load().decisions.rules if rule.status == "active"]
UNKNOWN = ("NOT_TESTED", "UNKNOWN", "unknown", "none")


def may_lack(rule: Rule) -> list[str]:
    """The facts it asks for that may be unknown, where an unknown one would silence it."""
    nothing = completed({})
    asked = {name: value if isinstance(value, tuple) else (value,) for name, value in rule.when.items()}
    return [
        name
        for name, allowed in asked.items()
        if any(word in REGISTRY[name].domain for word in UNKNOWN) and nothing[name] not in allowed
    ]


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_a_rule_is_shown_firing_silent_and_without_its_data(rule: Rule) -> None:
    cases = Cases() if rule.cases is msgspec.UNSET else rule.cases
    assert cases.fires
    assert cases.silent
    assert cases.lacks_data or not may_lack(rule)
    assert all(speaks(rule, case) for case in cases.fires)
    assert not any(speaks(rule, case) for case in (*cases.silent, *cases.lacks_data))


def test_most_rules_can_lack_something() -> None:
    assert sum(bool(may_lack(rule)) for rule in RULES) > len(RULES) // 2
