"""Why a rule spoke, or which condition it lacked."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from interpret_build import DAY, antibody, ck, episode, evidence, hep2, history

from labbridge.interpret import Interpreter
from labbridge.interpret.evidence import Raised
from labbridge.interpret.explain import Clause, Source, explain, near
from labbridge.interpret.facts import REGISTRY, facts
from labbridge.interpret.rules import RuleSet
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Rule, Then
from labbridge.model.result import Material, Result

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


RICH = (
    (antibody("SRP", "POS_STRONG"), hep2("NEG"), ck(30)),
    (antibody("SRP", "POS_LOW"), antibody("HMGCR", "NEG", "quant"), hep2("CYTO_COMPAT"), ck(3)),
    (antibody("SRP", "NEG"), antibody("HMGCR", "NEG", "quant"), hep2("CYTO_COMPAT"), ck(30)),
    (antibody("SRP", "POS_STRONG"), antibody("SRP", "NEG", "quant"), ck(5)),
    (
        antibody("HMGCR", "POS_STRONG", "quant"),
        antibody("HMGCR", "NEG", "quant", "H0", DAY - timedelta(days=60)),
        ck(0.5),
    ),
    (hep2("NEG"), ck(20)),
)


@pytest.mark.parametrize("results", RICH)
def test_the_explanation_of_a_history_agrees_with_its_outcome(
    interpreter: Interpreter, results: tuple[Result, ...]
) -> None:
    outcome, found = interpreter.explained(history(*results))
    assert outcome == interpreter(history(*results))
    assert {trace.rule for trace in found.fired} == set(outcome.fired)
    assert {flag.rule for flag in outcome.flags} <= {trace.rule for trace in found.fired}
    assert outcome.comment is None or outcome.comment.comment_class in {trace.comment for trace in found.fired}
    assert set(found.results) <= {one.ref for one in results}
    for flag in outcome.flags:
        (trace,) = [one for one in found.fired if one.rule == flag.rule]
        assert set(flag.evidence) == {ref for clause in trace.clauses for ref in clause.results}


@pytest.mark.parametrize("results", RICH)
def test_a_rule_that_held_is_silent_once_any_of_its_conditions_is_flipped(
    interpreter: Interpreter, knowledge: Knowledge, results: tuple[Result, ...]
) -> None:
    """The explanation names what decided: with any other value of any fact that it names the rule does not fire."""
    one = interpreter.judge(history(*results))
    _outcome, found = interpreter.explained(history(*results))
    rules = RuleSet(knowledge.decisions, 60)
    flipped = 0
    for trace in found.fired:
        for clause in trace.clauses:
            for value in set(REGISTRY[clause.fact].domain) - set(clause.wanted):
                assert trace.rule not in rules.judge(one.episode, {**one.facts, clause.fact: value}).fired
                flipped += 1
    assert flipped >= 4


@pytest.mark.parametrize("results", RICH)
def test_a_near_miss_fires_once_its_missing_condition_is_met(
    interpreter: Interpreter, knowledge: Knowledge, results: tuple[Result, ...]
) -> None:
    one = interpreter.judge(history(*results))
    _outcome, found = interpreter.explained(history(*results))
    rules = RuleSet(knowledge.decisions, 60)
    for trace in found.near:
        (missing,) = trace.lacking
        if missing.fact != "raised":
            facts_then = {**one.facts, missing.fact: missing.wanted[0]}
            assert trace.rule in rules.judge(one.episode, facts_then).fired
        assert len(trace.clauses) >= 3


def test_why_a_concordant_antibody_was_not_found(interpreter: Interpreter) -> None:
    """The immunologist's question: everything fits but HEp-2; the answer names that one condition and its result."""
    _outcome, found = interpreter.explained(history(antibody("SRP", "POS_STRONG"), hep2("NUCLEAR"), ck(30)))
    (trace,) = [one for one in found.near if one.rule.startswith("srp-strong-concordant@")]
    assert trace.lacking == (Clause("hep2", ("CYTO_COMPAT",), "NUCLEAR", False, ("HEP2",)),)
    assert found.results["HEP2"].analyte == "ANA_HEP2"


def test_a_source_is_a_message_a_place_and_the_text_as_sent(interpreter: Interpreter) -> None:
    sent = msgspec.structs.replace(
        antibody("SRP", "POS_STRONG"), ref="M17:OBX[3]", value_text="92", unit_text="intensity", laboratory="LABA"
    )
    _outcome, found = interpreter.explained(history(sent, hep2("CYTO_COMPAT"), ck(30)))
    assert found.results["M17:OBX[3]"] == Source(
        message="M17", place="OBX[3]", analyte="SRP", text="92", unit="intensity", method="line blot",
        collected=DAY.isoformat(), laboratory="LABA",
    )  # fmt: skip


def test_what_c1_raised_is_shown_with_its_results(interpreter: Interpreter) -> None:
    odd = msgspec.structs.replace(
        antibody("SRP", "POS_STRONG", ref="CSF"), material_validated=False, material=Material.OTHER
    )
    _outcome, found = interpreter.explained(history(odd))
    (trace,) = [one for one in found.fired if one.flags == ("SPECIMEN_INVALID",)]
    assert trace.clauses[0].results == ("CSF",)
    assert "CSF" in found.results
