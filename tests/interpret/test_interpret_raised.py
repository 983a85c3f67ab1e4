"""What a version of a result raises (C1, C4) and which prompts stay quiet (C10.16, C10.18), read a second time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import msgspec
import pytest
from interpret_build import DAY, episode, evidence, site

from labbridge.interpret.evidence import Episode, Raised
from labbridge.interpret.facts import facts
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.knowledge.build import Knowledge

ANALYTES = ("SRP", "HMGCR", "ANA_HEP2", "CK", "OTHER_MSA", "CREAT")
PATTERNS = ("CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "NOT_TESTED")
BANDS = ("NORMAL", "MILD", "MOD", "HIGH", "UNKNOWN")
HI = ("MOD", "HIGH")
SEVERITY = {
    **dict.fromkeys(("RESULT_CORRECTED", "RESULT_WITHDRAWN", "SPECIMEN_INVALID"), "major"),
    **dict.fromkeys(("STATUS_UNKNOWN", "VALUE_IMPLAUSIBLE", "UNIT_UNKNOWN", "ASSAY_UNMAPPED"), "major"),
    **dict.fromkeys(("CONFLICTING_DUPLICATE", "RESULT_CENSORED", "MSA_CANCELLED_ON_ANA"), "major"),
    **dict.fromkeys(("DUPLICATE_SUPPRESSED", "RESULT_NOT_FINAL"), "info"),
    "SPECIMEN_QUALITY": "minor",
}
ONLY = {"RESULT_CENSORED": ("SRP", "HMGCR", "OTHER_MSA"), "MSA_CANCELLED_ON_ANA": ("SRP", "HMGCR")}


def found(state: str, known: bool, band: str, raised: Raised | None) -> Episode:
    srp, hmgcr = (evidence(name, state, "blot", known=known) for name in ("SRP", "HMGCR"))
    return episode(srp, hmgcr, "NOT_TESTED", band, raised=() if raised is None else (raised,))


def judged(at: Episode, rules: RuleSet, knowledge: Knowledge) -> Verdict:
    return rules.judge(at, facts(at, knowledge.policy))


def wanted_retest(code: str, analyte: str, state: str, known: bool, band: str) -> tuple[str, str] | None:
    """C1.3, C1.4, C1.6: what is asked of the analyte that the version is of."""
    if code == "RESULT_CENSORED":
        return "quant", "urgent" if band in HI else "routine"
    if code == "SPECIMEN_INVALID" and analyte != "CREAT":
        return "same_new_specimen", "urgent" if analyte == "CK" else "routine"
    weak = state in ("POS_LOW", "EQUIVOCAL") and not known
    if code == "SPECIMEN_QUALITY" and analyte in ("SRP", "HMGCR") and weak:
        return "same_new_specimen", "routine"
    return None


def versions() -> Iterator[tuple[str, str]]:
    for code in SEVERITY:
        yield from ((code, analyte) for analyte in ONLY.get(code, ANALYTES))


@pytest.mark.parametrize(("code", "analyte"), [*versions()])
def test_a_version_raises_its_flag_and_asks_for_what_settles_it(
    code: str, analyte: str, rules: RuleSet, knowledge: Knowledge
) -> None:
    for state, known, band in product(
        ("NOT_TESTED", "NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG"), (False, True), BANDS
    ):
        holds = knowledge.decisions.flags[code].hold
        raised = Raised(code=code, analyte=analyte, refs=("A@1",), hold=holds, waits=False, day=DAY)
        before = judged(found(state, known, band, None), rules, knowledge)
        after = judged(found(state, known, band, raised), rules, knowledge)
        told = {(flag.code, flag.analyte, flag.severity.value) for flag in after.flags}
        silent = code == "SPECIMEN_QUALITY" and analyte == "CK" and band not in ("NORMAL", "MILD")
        assert ((code, analyte, SEVERITY[code]) in told) is not silent
        assert (analyte in after.held) is holds
        asked = wanted_retest(code, analyte, state, known, band)
        core = next(((one.families, one.priority.value) for one in before.retests if one.analyte == analyte), None)
        given = next(((one.families, one.priority.value) for one in after.retests if one.analyte == analyte), None)
        if asked is None:
            assert given == core
        else:
            assert given is not None
            assert set(given[0]) == {*(core[0] if core else ()), asked[0]}
            assert given[1] == ("urgent" if "urgent" in (asked[1], core[1] if core else "") else "routine")


@pytest.mark.parametrize("tested", ["SRP", "HMGCR"])
def test_a_partner_prompt_stays_quiet_only_where_nothing_speaks_for_it(
    tested: str, rules: RuleSet, knowledge: Knowledge
) -> None:
    """C10.16: one negative, CK within limits or unknown, no compatible fluorescence, no suspicion."""
    states = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG")
    for state, pattern, band, suspicion, known in product(states, PATTERNS, BANDS, (False, True), (False, True)):
        one = evidence(tested, state, "blot", known=known)
        other = evidence("HMGCR" if tested == "SRP" else "SRP", "NOT_TESTED", "")
        srp, hmgcr = (one, other) if tested == "SRP" else (other, one)
        verdict = judged(episode(srp, hmgcr, pattern, band, suspicion=suspicion), rules, knowledge)
        quiet = (
            state == "NEG"
            and not known
            and band in ("NORMAL", "UNKNOWN")
            and pattern != "CYTO_COMPAT"
            and not suspicion
        )
        assert ({"PARTNER_MISSING", "C05"} == set(verdict.quiet)) is quiet, (state, pattern, band, suspicion, known)
        assert bool(verdict.quiet) is quiet


@pytest.mark.parametrize(("on_file", "owner"), [(True, "lis"), (False, "lis"), (False, "labbridge")])
def test_an_extreme_ck_alone_opens_no_case(on_file: bool, owner: str, rules: RuleSet, knowledge: Knowledge) -> None:
    """C10.18: unless the site has made it this service's."""
    none = (evidence(name, "NOT_TESTED", "") for name in ("SRP", "HMGCR"))
    at = episode(*none, "NOT_TESTED", "HIGH", suspicion=on_file)
    at = msgspec.structs.replace(at, ck=msgspec.structs.replace(at.ck, extreme=True))
    verdict = judged(at, rules, site(knowledge, "critical_owner", owner))
    assert "CK_EXTREME" in {flag.code for flag in verdict.flags}
    assert verdict.quiet == (("CK_EXTREME",) if owner == "lis" and not on_file else ())
