"""The cases of the rules: each rule shows for whom it speaks, and the cases are held against it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from labbridge.interpret.cases import check_cases, completed, speaks
from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Cases, Decisions, Rule, Then

WHEN: dict[str, Any] = {"srp": "POS_STRONG", "ck": ("MOD", "HIGH"), "srp_confirmed": False}
FIRES = {"srp": "POS_STRONG", "ck": "HIGH"}
SILENT = {"srp": "POS_STRONG", "ck": "MILD"}
UNKNOWN = {"srp": "POS_STRONG"}


def rule(**cases: Any) -> Rule:
    its = Cases(**{"fires": (FIRES,), "silent": (SILENT,), "lacks_data": (UNKNOWN,), **cases})
    return Rule(id="r", version=1, status="active", why="-", when=WHEN, then=Then(), cases=its)


def messages(*rules: Rule) -> list[str]:
    return [fault.message for fault in check_cases(Decisions(rules=rules))]


def test_the_shipped_rules_have_cases_and_judge_them_so(knowledge: Knowledge) -> None:
    assert check_cases(knowledge.decisions) == []


def test_the_values_of_the_shipped_cases_exist(knowledge: Knowledge) -> None:
    wrong = []
    for one in knowledge.decisions.rules:
        cases = one.cases or Cases()
        for case in (*cases.fires, *cases.silent, *cases.lacks_data):
            wrong += [
                (one.id, name)
                for name, value in case.items()
                if name in REGISTRY and value not in REGISTRY[name].domain
            ]
    assert wrong == []


def test_every_rule_that_looks_at_ck_hep2_or_an_antibody_is_silent_without_it_somewhere(knowledge: Knowledge) -> None:
    """At least half of the rules of the core table show what they do when something is missing."""
    core = [one for one in knowledge.decisions.rules if not one.on]
    shown = [one for one in core if one.cases and one.cases.lacks_data]
    assert len(shown) * 2 > len(core)


def test_sound_cases_have_no_fault() -> None:
    assert messages(rule()) == []


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ({"fires": ()}, "r: no case fires."),
        ({"silent": ()}, "r: no case silent."),
        ({"fires": (FIRES, SILENT)}, "r: fires 2 is not so."),
        ({"silent": (FIRES,)}, "r: silent 1 is not so."),
        ({"lacks_data": (FIRES,)}, "r: lacks_data 1 is not so."),
        ({"fires": ({**FIRES, "serum": "clear"},)}, "r: fires 1 names serum."),
    ],
)
def test_a_case_that_is_missing_or_not_so_is_found(cases: dict[str, Any], message: str) -> None:
    assert messages(rule(**cases)) == [message]


def test_a_rule_without_any_cases_is_found_and_one_that_is_not_active_is_not() -> None:
    bare = Rule(id="r", version=1, status="active", why="-", when=WHEN, then=Then())
    assert messages(bare) == ["r: no case fires.", "r: no case silent."]
    assert messages(msgspec.structs.replace(bare, status="draft")) == []


def test_what_a_case_leaves_out_is_as_if_nothing_were_known() -> None:
    found = completed({})
    assert set(found) == set(REGISTRY)
    assert (found["srp"], found["hmgcr"], found["hep2"], found["ck"]) == (
        "NOT_TESTED",
        "NOT_TESTED",
        "NOT_TESTED",
        "UNKNOWN",
    )
    assert all(value in REGISTRY[name].domain for name, value in found.items())


@pytest.mark.parametrize(
    ("case", "follows"),
    [
        ({"srp": "NEG"}, {"srp_now": "NEG", "srp_known": False, "srp_source": "blot"}),
        ({"hmgcr": "POS_LOW"}, {"hmgcr_now": "POS_LOW", "hmgcr_source": "quant", "srp_source": "none"}),
        ({"srp": "KNOWN"}, {"srp_now": "POS_STRONG", "srp_known": True}),
        ({"srp": "KNOWN", "srp_now": "NEG"}, {"srp_now": "NEG", "srp_known": True}),
        ({"srp_pending": True}, {"any_pending": True, "both_pending": False}),
        ({"srp_pending": True, "hmgcr_pending": True}, {"any_pending": True, "both_pending": True}),
        ({"suspicion": True}, {"suspicion_any": True}),
    ],
)
def test_what_follows_from_what_a_case_says(case: dict[str, Any], follows: dict[str, Any]) -> None:
    found = completed(case)
    assert {name: found[name] for name in follows} == follows


@pytest.mark.parametrize(
    ("raised", "spoken"), [("SPECIMEN_INVALID:CK", True), ("SPECIMEN_INVALID:SRP", False), ("UNIT_UNKNOWN:CK", False)]
)
def test_a_case_may_say_what_was_raised(raised: str, spoken: bool) -> None:
    waiting = Rule(id="r", version=1, status="active", why="-", then=Then(), on="SPECIMEN_INVALID", analytes=("CK",))
    assert speaks(waiting, {"raised": raised}) is spoken
    assert not speaks(waiting, {})
