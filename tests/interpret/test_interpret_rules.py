"""The engine: every rule that holds speaks; flags and retests are merged; nothing needless is recommended."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from interpret_build import episode, evidence

from labbridge.interpret.evidence import Episode, Raised
from labbridge.interpret.facts import facts
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.decisions import Decisions, FlagRow, RetestAction, Rule, Then
from labbridge.model.outcome import Priority, Severity
from labbridge.model.result import Family

LISTS = {
    ("SRP", "blot"): ("quant", "ip"),
    ("SRP", "any"): ("quant", "blot"),
    ("SRP", "discordant"): ("ip",),
    ("SRP", "exhausted"): ("ip",),
    ("HMGCR", "any"): ("quant",),
    ("CK", "any"): ("enzymatic",),
    ("ANA_HEP2", "any"): ("hep2_iif",),
    ("OTHER_MSA", "any"): ("blot",),
}
STRONG = evidence("SRP", "POS_STRONG", "blot")
ABSENT = evidence("HMGCR", "NOT_TESTED", "")
HERE = episode(STRONG, ABSENT, "NEG", "HIGH")


def rule(id: str = "r", *, when: dict[str, Any] | None = None, then: Then | None = None, **fields: Any) -> Rule:
    given = {"version": 1, "status": "active", "why": "because", "citations": ("c",), **fields}
    return Rule(id=id, when=when or {}, then=then or Then(flags=({"A": "minor"},)), **given)


def ask(analyte: str = "SRP", by: Any = "other_method", priority: Any = "routine", **fields: Any) -> Then:
    return Then(retest=(RetestAction(analyte=analyte, by=by, priority=priority, reason="A", **fields),))


def judge(knowledge: Knowledge, *rules: Rule, at: Episode = HERE) -> Verdict:
    flags = {
        code: FlagRow(id=code, meaning=code, severity=("info", "minor", "major", "critical"), hold=code == "H")
        for code in ("A", "B", "H")
    }
    decisions = Decisions(rules=rules, flags=flags, retests=LISTS)
    return RuleSet(decisions, 60).judge(at, facts(at, knowledge.policy))


def replaced(**srp: Any) -> Episode:
    return msgspec.structs.replace(HERE, srp=msgspec.structs.replace(STRONG, **srp))


# ---------------------------------------------------------------- which rules speak


def test_a_rule_holds_when_all_its_conditions_do(knowledge: Knowledge) -> None:
    holds = rule("holds", when={"srp": "POS_STRONG", "ck": ("MOD", "HIGH")})
    fails = rule("fails", when={"srp": "POS_STRONG", "ck": ("NORMAL", "MILD")})
    assert judge(knowledge, holds, fails).fired == ("holds@1",)


def test_every_rule_that_holds_speaks(knowledge: Knowledge) -> None:
    found = judge(knowledge, rule("one", when={"srp": "POS_STRONG"}), rule("two", when={"ck": "HIGH"}), rule("three"))
    assert set(found.fired) == {"one@1", "two@1", "three@1"}


@pytest.mark.parametrize("status", ["draft", "review", "retired"])
def test_only_active_rules_speak(knowledge: Knowledge, status: str) -> None:
    assert judge(knowledge, rule(status=status)).fired == ()


@pytest.mark.parametrize(("about", "spoken"), [((), True), (("SRP",), True), (("CK",), False)])
def test_a_rule_on_a_flag_speaks_for_its_analytes(knowledge: Knowledge, about: tuple[str, ...], spoken: bool) -> None:
    raised = (Raised(code="B", analyte="SRP", refs=("M1",)),)
    found = judge(knowledge, rule(on="B", analytes=about), at=msgspec.structs.replace(HERE, raised=raised))
    assert bool(found.fired) is spoken
    assert not judge(knowledge, rule(on="B", analytes=about)).fired


def test_a_rule_on_a_flag_has_conditions_too(knowledge: Knowledge) -> None:
    at = msgspec.structs.replace(HERE, raised=(Raised(code="B", analyte="SRP"),))
    assert judge(knowledge, rule(on="B", when={"srp": "POS_STRONG"}), at=at).fired
    assert not judge(knowledge, rule(on="B", when={"srp": "NEG"}), at=at).fired


# ---------------------------------------------------------------- flags


def test_of_one_flag_the_highest_severity_stands(knowledge: Knowledge) -> None:
    low, high = rule("low", then=Then(flags=({"A": "info"},))), rule("high", then=Then(flags=({"A": "major"},)))
    for order in ((low, high), (high, low)):
        (flag,) = judge(knowledge, *order).flags
        assert (flag.severity, flag.rule) == (Severity.MAJOR, "high@1")


def test_a_flag_about_two_analytes_stands_twice(knowledge: Knowledge) -> None:
    found = judge(knowledge, rule("one", about="SRP"), rule("two", about="HMGCR"))
    assert [(flag.code, flag.analyte) for flag in found.flags] == [("A", "HMGCR"), ("A", "SRP")]


@pytest.mark.parametrize(
    ("band", "severity"),
    [("NORMAL", "minor"), ("MILD", "minor"), ("MOD", "major"), ("HIGH", "major"), ("UNKNOWN", "minor")],
)
def test_severity_by_ck(knowledge: Knowledge, band: str, severity: str) -> None:
    at = episode(STRONG, ABSENT, "NEG", band)
    (flag,) = judge(knowledge, rule(then=Then(flags=({"A": "by_ck"},))), at=at).flags
    assert flag.severity == severity


def test_flags_come_in_order_of_severity(knowledge: Knowledge) -> None:
    found = judge(knowledge, rule(then=Then(flags=({"A": "info"}, {"B": "major"}))))
    assert [flag.code for flag in found.flags] == ["B", "A"]


def test_the_evidence_of_a_flag_is_what_its_conditions_looked_at(knowledge: Knowledge) -> None:
    (flag,) = judge(knowledge, rule(when={"srp": "POS_STRONG", "srp_confirmed": False, "hep2": "NEG"})).flags
    assert flag.evidence == ("SRP-blot", "HEP2")
    assert flag.citations == ("c",)


def test_the_evidence_of_a_raised_flag_are_its_versions(knowledge: Knowledge) -> None:
    raised = (Raised(code="B", analyte="SRP", refs=("M1:A1", "M2:A1")),)
    (flag,) = judge(knowledge, rule(on="B"), at=msgspec.structs.replace(HERE, raised=raised)).flags
    assert (flag.evidence, flag.analyte) == (("M1:A1", "M2:A1"), "SRP")


# ---------------------------------------------------------------- hold


def test_a_holding_flag_holds_and_names_its_analyte(knowledge: Knowledge) -> None:
    found = judge(knowledge, rule("h", then=Then(flags=({"H": "major"},), comment="C01"), about="SRP"), rule("a"))
    assert (found.hold, found.held) == (True, ("SRP",))
    assert {flag.code for flag in found.flags} == {"H", "A"}  # hold stops comments, never flags (C10.14)


def test_what_c1_holds_is_held(knowledge: Knowledge) -> None:
    for hold in (True, False):
        raised = (Raised(code="B", analyte="CK", hold=hold),)
        found = judge(knowledge, rule(on="B"), at=msgspec.structs.replace(HERE, raised=raised))
        assert found.hold is hold


def test_a_hold_of_nobody_is_of_the_patient(knowledge: Knowledge) -> None:
    raised = (Raised(code="B", analyte="", hold=True),)
    assert judge(knowledge, rule(on="B"), at=msgspec.structs.replace(HERE, raised=raised)).held == ("patient",)


# ---------------------------------------------------------------- retests


def test_one_entry_for_an_analyte_with_the_higher_priority(knowledge: Knowledge) -> None:
    routine, urgent = rule("r", then=ask()), rule("u", then=ask(priority="urgent"))
    for order in ((routine, urgent), (urgent, routine)):
        (retest,) = judge(knowledge, *order).retests
        assert retest.priority is Priority.URGENT


@pytest.mark.parametrize(("band", "priority"), [("MILD", "routine"), ("MOD", "urgent"), ("UNKNOWN", "routine")])
def test_priority_by_ck(knowledge: Knowledge, band: str, priority: str) -> None:
    (retest,) = judge(knowledge, rule(then=ask(priority="by_ck")), at=episode(STRONG, ABSENT, "NEG", band)).retests
    assert retest.priority == priority


@pytest.mark.parametrize("settled", ["confirmed", "pending", "known"])
def test_nothing_confirmed_known_or_in_progress_is_recommended(knowledge: Knowledge, settled: str) -> None:
    assert judge(knowledge, rule(then=ask())).retests
    assert judge(knowledge, rule(then=ask()), at=replaced(**{settled: True})).retests == ()


def test_companions_in_progress_are_not_recommended(knowledge: Knowledge) -> None:
    waiting = msgspec.structs.replace(
        HERE,
        ck=msgspec.structs.replace(HERE.ck, pending=True),
        hep2=msgspec.structs.replace(HERE.hep2, pending=True),
        other_pending=True,
    )
    for analyte in ("CK", "ANA_HEP2", "OTHER_MSA"):
        wanted = rule(then=ask(analyte, "any"))
        assert [one.analyte for one in judge(knowledge, wanted).retests] == [analyte]
        assert judge(knowledge, wanted, at=waiting).retests == ()


@pytest.mark.parametrize(
    ("families", "by", "offered"),
    [
        ((Family.BLOT,), "other_method", ("quant", "ip")),
        ((Family.BLOT, Family.QUANT), "other_method", ("ip",)),
        ((Family.BLOT, Family.QUANT, Family.IP), "other_method", ("ip",)),  # nothing left: a reference laboratory
        ((Family.BLOT,), "discordant", ("ip",)),
        ((Family.BLOT,), ("tissue",), ("tissue",)),
        ((Family.BLOT,), "any", ("quant",)),
        ((Family.BLOT, Family.QUANT), "any", ()),
    ],
)
def test_families_with_a_result_are_not_offered_again(
    knowledge: Knowledge, families: tuple[Family, ...], by: Any, offered: tuple[str, ...]
) -> None:
    found = judge(knowledge, rule(then=ask(by=by)), at=replaced(families=frozenset(families)))
    assert tuple(family for retest in found.retests for family in retest.families) == offered


def test_a_discordant_analyte_goes_to_the_reference_method(knowledge: Knowledge) -> None:
    (retest,) = judge(knowledge, rule(then=ask()), at=replaced(discordant=True)).retests
    assert retest.families == ("ip",)


def test_what_is_exempt_is_recommended_even_of_a_pending_analyte(knowledge: Knowledge) -> None:
    """The number behind a comparator, a new specimen: no confirmations (C10.22)."""
    raised = (Raised(code="B", analyte="SRP", hold=True),)
    at = msgspec.structs.replace(replaced(pending=True), raised=raised)
    (retest,) = judge(knowledge, rule(on="B", then=ask("", ("quant",), exempt=True)), at=at).retests
    assert (retest.analyte, retest.families) == ("SRP", ("quant",))


def test_urgent_recommendations_come_first_then_in_order_of_analytes(knowledge: Knowledge) -> None:
    wanted = [
        rule(name, then=ask(name, "any", "urgent" if name == "CK" else "routine"))
        for name in ("CK", "ANA_HEP2", "HMGCR")
    ]
    assert [one.analyte for one in judge(knowledge, *wanted).retests] == ["CK", "HMGCR", "ANA_HEP2"]


def test_the_classes_of_all_rules_are_kept_once(knowledge: Knowledge) -> None:
    rules = [rule(name, then=Then(comment=name)) for name in ("C01", "C04")] + [rule("x", then=Then(comment="C01"))]
    assert tuple(judge(knowledge, *rules).comments) == ("C01", "C04")
