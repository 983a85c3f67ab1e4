"""Patients whom nothing else tells apart: each holds one value of a row that `make mutate` has found to be free."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from interpret_build import ck, episode, evidence, hep2, history
from interpret_combinations import as_episode, every, plain
from interpret_lab import hmgcr, srp
from interpret_written import over_time
from test_interpret_stories import comment, retests, text

from labbridge.interpret import Interpreter
from labbridge.interpret.evidence import Episode
from labbridge.interpret.facts import facts
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.knowledge.build import Knowledge

# ---------------------------------------------------------------- C4: the other methods, by what a state rests on


@pytest.mark.parametrize(
    ("analyte", "family", "offered"),
    [
        ("SRP", "ip", "quant"),
        ("SRP", "tissue", "quant blot ip"),
        ("HMGCR", "ip", "cba quant"),
        ("HMGCR", "cba", "ip quant"),
        ("HMGCR", "tissue", "quant ip cba"),
    ],
)
def test_an_equivocal_result_is_settled_by_the_methods_that_are_left(
    interpreter: Interpreter, analyte: str, family: str, offered: str
) -> None:
    mine, partner = (srp, hmgcr) if analyte == "SRP" else (hmgcr, srp)
    found = interpreter(history(mine("EQUIVOCAL", family), partner("NEG"), hep2("NEG"), ck(2)))
    assert retests(found)[analyte] == (tuple(offered.split()), "routine")


# ---------------------------------------------------------------- C8: whom a comment names first, where two are alike


def test_two_equivocal_antibodies_are_named_in_their_order(interpreter: Interpreter) -> None:
    found = interpreter(history(srp("EQUIVOCAL"), hmgcr("EQUIVOCAL"), hep2("NEG"), ck(2)))
    assert comment(found) == "C04"
    assert text(found).startswith("Anti-SRP and anti-HMGCR equivocal")


# ---------------------------------------------------------------- C4: whom a flag concerns

STATE_OF = {
    "MSA_POSITIVE": ("POS_STRONG",),
    "MSA_POS_CONCORDANT": ("POS_STRONG",),
    "MSA_LOW_POS_UNCONFIRMED": ("POS_LOW",),
    "MSA_EQUIVOCAL": ("EQUIVOCAL",),
    "METHOD_DISCORDANCE": ("EQUIVOCAL",),
    "HEP2_NEG_MSA_POS": ("POS_LOW", "POS_STRONG"),
    "HEP2_PATTERN_INCONSISTENT": ("POS_LOW", "POS_STRONG"),
    "MSA_POS_CK_NORMAL": ("POS_LOW", "POS_STRONG"),
    "PARTNER_MISSING": ("NOT_TESTED",),
    "PARTNER_PENDING": ("NOT_TESTED",),
}
OVER_TIME = """SEROCONVERSION SEROREVERSION SEROREVERSION_UNEXPECTED TITRE_RISING TITRE_CK_DIVERGENCE
    CK_NORMALISED_AB_PERSISTENT""".split()


def every_episode() -> Iterator[Episode]:
    replace = msgspec.structs.replace
    for at in every():
        found = as_episode(at)
        yield found
        if "NOT_TESTED" in (at.srp.state, at.hmgcr.state):
            yield replace(found, srp=replace(found.srp, pending=True), hmgcr=replace(found.hmgcr, pending=True))
    for at in plain():
        if at.hep2 == "NEG" and at.ck == "NORMAL":
            yield from over_time(as_episode(at))


def test_a_flag_of_one_antibody_names_the_one_that_is_so(rules: RuleSet, knowledge: Knowledge) -> None:
    wrong, seen = [], set()
    for found in every_episode():
        positive = [one for one in (found.srp, found.hmgcr) if one.state.positive]
        for flag in rules.judge(found, facts(found, knowledge.policy)).flags:
            seen.add(flag.code)
            if flag.code in STATE_OF and not (flag.code == "MSA_POS_CK_NORMAL" and len(positive) == 2):
                state = {"SRP": found.srp.state.value, "HMGCR": found.hmgcr.state.value}.get(flag.analyte, "")
                if state not in STATE_OF[flag.code]:
                    wrong.append((flag.code, flag.analyte, state))
            elif flag.code in OVER_TIME and flag.analyte not in ("SRP", "HMGCR"):
                wrong.append((flag.code, flag.analyte, ""))
    assert sorted(set(wrong)) == []
    assert seen >= {*STATE_OF, *OVER_TIME}


@pytest.mark.parametrize("side", ["srp", "hmgcr"])
def test_a_reference_method_that_has_decided_is_told_of_its_antibody(
    side: str, rules: RuleSet, knowledge: Knowledge
) -> None:
    found = untested("NEG")
    one = msgspec.structs.replace(getattr(found, side), resolved=True)
    verdict = rules.judge(resolved := msgspec.structs.replace(found, **{side: one}), facts(resolved, knowledge.policy))
    assert [flag.analyte for flag in verdict.flags if flag.code == "METHOD_DISCORDANCE_RESOLVED"] == [side.upper()]


# ---------------------------------------------------------------- C5 G0: antibodies in progress


def untested(pattern: str, band: str = "NORMAL") -> Episode:
    """Neither antibody tested, beside a HEp-2 and a CK."""
    return next(
        as_episode(at)
        for at in plain()
        if (at.srp.state, at.hmgcr.state, at.hep2, at.ck) == ("NOT_TESTED", "NOT_TESTED", pattern, band)
    )


@pytest.mark.parametrize(
    ("pattern", "band", "said"),
    [
        ("CYTO_COMPAT", "NORMAL", ["MSA_PENDING"]),
        ("CYTO_COMPAT", "HIGH", ["MSA_PENDING"]),
        ("CYTO_OTHER", "NORMAL", []),
        ("NUCLEAR", "MILD", []),
        ("NEG", "MOD", ["MSA_PENDING"]),
    ],
)
def test_both_antibodies_are_in_progress(
    pattern: str, band: str, said: list[str], rules: RuleSet, knowledge: Knowledge
) -> None:
    found = untested(pattern, band)
    pending = {side: msgspec.structs.replace(getattr(found, side), pending=True) for side in ("srp", "hmgcr")}
    waiting = msgspec.structs.replace(found, **pending)
    verdict = rules.judge(waiting, facts(waiting, knowledge.policy))
    assert ([flag.code for flag in verdict.flags], verdict.retests) == (said, ())


# ---------------------------------------------------------------- C5 G1: what is said of a pair is said once


def test_of_two_positive_antibodies_each_flag_stands_once(rules: RuleSet, knowledge: Knowledge) -> None:
    """DUAL_SRP_HMGCR speaks of both: CK and HEp-2 beside them are not told of each again."""
    twice = set()
    for at in every():
        found = as_episode(at)
        if found.srp.state.positive and found.hmgcr.state.positive:
            codes = [flag.code for flag in rules.judge(found, facts(found, knowledge.policy)).flags]
            assert "DUAL_SRP_HMGCR" in codes
            twice |= {code for code in codes if codes.count(code) > 1}
    assert twice == set()


# ---------------------------------------------------------------- C5 G4, C10.5: known from before, and equivocal now


@pytest.mark.parametrize("side", ["SRP", "HMGCR"])
@pytest.mark.parametrize(
    ("variant", "other", "band", "code", "severity"),
    [
        ("discordant", "NEG", "MILD", "METHOD_DISCORDANCE", "major"),
        ("discordant", "NOT_TESTED", "MILD", "METHOD_DISCORDANCE", "major"),
        ("discordant", "POS_STRONG", "MILD", "METHOD_DISCORDANCE", "major"),
        ("", "NEG", "MILD", "MSA_EQUIVOCAL", "minor"),
        ("", "NEG", "HIGH", "MSA_EQUIVOCAL", "major"),
        ("", "NOT_TESTED", "MOD", "MSA_EQUIVOCAL", "major"),
        ("", "POS_LOW", "HIGH", "MSA_EQUIVOCAL", "minor"),
        ("", "POS_STRONG", "MOD", "MSA_EQUIVOCAL", "minor"),
    ],
)
def test_a_known_antibody_that_is_equivocal_now(
    rules: RuleSet, knowledge: Knowledge, side: str, variant: str, other: str, band: str, code: str, severity: str
) -> None:
    partner = "HMGCR" if side == "SRP" else "SRP"
    mine = evidence(side, "EQUIVOCAL", "quant", variant, known=True, partner_tested=True)
    pair = {side: mine, partner: evidence(partner, other, "quant")}
    found = episode(pair["SRP"], pair["HMGCR"], "CYTO_COMPAT", band)
    verdict = rules.judge(found, facts(found, knowledge.policy))
    told = [(one.code, one.severity.value) for one in verdict.flags if one.analyte == side and one.code in STATE_OF]
    assert told == [(code, severity)]
    assert side not in retests_of(verdict)


def retests_of(verdict: Verdict) -> list[str]:
    return [one.analyte for one in verdict.retests]
