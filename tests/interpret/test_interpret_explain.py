"""Why a rule spoke, or which condition it lacked."""

from __future__ import annotations

import pytest
from interpret_build import antibody, ck, episode, evidence, hep2, history

from labbridge.interpret import Interpreter
from labbridge.interpret.evidence import Raised
from labbridge.interpret.explain import Clause, explain, near
from labbridge.interpret.facts import facts
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Rule, Then

AT = episode(evidence("SRP", "POS_STRONG", "blot"), evidence("HMGCR", "NOT_TESTED", ""), "NEG", "MILD")


def rule(id: str, **fields: object) -> Rule:
    return Rule(**{"id": id, "version": 2, "status": "active", "why": "because", "then": Then(), **fields})  # type: ignore[arg-type]


def test_each_condition_is_shown_with_what_was_wanted_and_seen(knowledge: Knowledge) -> None:
    wanted = rule("r", when={"srp": "POS_STRONG", "ck": ("MOD", "HIGH")})
    (trace,) = explain([wanted], facts(AT, knowledge.policy))
    assert (trace.rule, trace.why, trace.fired) == ("r@2", "because", False)
    assert trace.clauses == (
        Clause("srp", ("POS_STRONG",), "POS_STRONG", True),
        Clause("ck", ("MOD", "HIGH"), "MILD", False),
    )
    assert [clause.fact for clause in trace.lacking] == ["ck"]


def test_no_short_cut_every_condition_that_failed_is_there(knowledge: Knowledge) -> None:
    (trace,) = explain([rule("r", when={"srp": "NEG", "hmgcr": "NEG", "ck": "HIGH"})], facts(AT, knowledge.policy))
    assert [clause.fact for clause in trace.lacking] == ["srp", "hmgcr", "ck"]


def test_the_rules_that_lacked_one_condition(knowledge: Knowledge) -> None:
    rules = [
        rule("holds", when={"srp": "POS_STRONG"}),
        rule("lacks-one", when={"srp": "POS_STRONG", "ck": "HIGH"}),
        rule("lacks-two", when={"srp": "NEG", "ck": "HIGH"}),
    ]
    traces = explain(rules, facts(AT, knowledge.policy))
    assert [trace.rule for trace in traces if trace.fired] == ["holds@2"]
    assert [trace.rule for trace in near(traces)] == ["lacks-one@2"]


def test_rules_that_are_not_active_explain_nothing(knowledge: Knowledge) -> None:
    assert explain([rule("r", status="retired")], facts(AT, knowledge.policy)) == ()


@pytest.mark.parametrize(
    ("raised", "seen", "met"),
    [
        ((), "", False),
        ((Raised(code="SPECIMEN_INVALID", analyte="CK"),), "", False),
        ((Raised(code="SPECIMEN_INVALID", analyte="SRP"),), "SPECIMEN_INVALID:SRP", True),
        ((Raised(code="UNIT_UNKNOWN", analyte="SRP"),), "", False),
    ],
)
def test_a_rule_on_a_flag_waits_for_it(knowledge: Knowledge, raised: tuple[Raised, ...], seen: str, met: bool) -> None:
    waiting = rule("r", on="SPECIMEN_INVALID", analytes=("SRP", "HMGCR"))
    (trace,) = explain([waiting], facts(AT, knowledge.policy), raised)
    assert trace.clauses == (Clause("raised", ("SPECIMEN_INVALID:SRP", "SPECIMEN_INVALID:HMGCR"), seen, met),)


def test_the_traces_of_a_history_agree_with_its_outcome(interpreter: Interpreter) -> None:
    given = history(antibody("SRP", "POS_STRONG"), hep2("NEG"), ck(30))
    traces = interpreter.explain(given)
    outcome = interpreter(given)
    assert {trace.rule for trace in traces if trace.fired} == set(outcome.fired)
    active = [one for one in interpreter.knowledge.decisions.rules if one.status == "active"]
    assert [trace.rule for trace in traces] == [one.name for one in active]


def test_why_a_concordant_antibody_was_not_found(interpreter: Interpreter) -> None:
    """The immunologist's question: everything fits but HEp-2; the answer names that one condition."""
    traces = interpreter.explain(history(antibody("SRP", "POS_STRONG"), hep2("NUCLEAR"), ck(30)))
    (trace,) = [one for one in near(traces) if one.rule.startswith("srp-strong-concordant@")]
    assert trace.lacking == (Clause("hep2", ("CYTO_COMPAT",), "NUCLEAR", False),)
