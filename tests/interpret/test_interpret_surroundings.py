"""C6 and C7 over every combination of what they ask: the rows add what the second reading adds, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import msgspec
import pytest
from interpret_build import DAY, ck, episode, evidence
from interpret_c7 import Added, Side, Surroundings, added

from labbridge.interpret.evidence import (
    AntibodyEvidence,
    Change,
    CkBand,
    CkCourse,
    Episode,
    Hep2State,
    LowCk,
    Rebound,
    Titre,
    Trend,
)
from labbridge.interpret.facts import facts
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.knowledge.build import Knowledge

STATES = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "NOT_TESTED")
BANDS = ("NORMAL", "MILD", "MOD", "HIGH", "UNKNOWN")
SOURCES = {"SRP": "blot", "HMGCR": "quant"}
POSITIVE = ("POS_LOW", "POS_STRONG")
CHANGES = {
    "NEG": ("became_negative", "method_changed"),
    **dict.fromkeys(POSITIVE, ("became_positive", "method_changed")),
}


def pairs() -> Iterator[Surroundings]:
    """Every pair of states, known or not, with every band."""
    known = (False, True)
    for srp, hmgcr, first, second, band in product(STATES, STATES, known, known, BANDS):
        yield Surroundings(Side("SRP", srp, first), Side("HMGCR", hmgcr, second), band)


def changes(at: Surroundings) -> Iterator[Surroundings]:
    for name, side in (("srp", at.srp), ("hmgcr", at.hmgcr)):
        found = CHANGES.get(side.state, ())
        if side.state == "NEG" and side.known and name == "hmgcr":
            found = (*found, "unrecorded")
        for change in found:
            yield replace(at, **{name: replace(side, change=change)})
        if side.state in POSITIVE:
            yield replace(at, **{name: replace(side, change="became_positive", pending=True)})
            yield from (replace(at, **{name: replace(side, titre=one.value)}) for one in Titre)
            yield replace(at, ck_pending=True, **{name: replace(side, titre="falling_ck_rising")})


def over_time(at: Surroundings) -> Iterator[Surroundings]:
    for rebound in Rebound:
        yield replace(at, rebound=rebound.value)
    yield replace(at, rebound="rebound", ck_pending=True)
    for latest, low in product(BANDS, LowCk):
        yield replace(at, latest=latest, low=low.value, creatinine_low=True)
        yield replace(at, latest=latest, low=low.value)
        for was_high in (True, False):
            beside = {name: replace(side, beside_ck=side.state in POSITIVE) for name, side in _named(at)}
            yield replace(at, latest=latest, low=low.value, was_high=was_high, **beside)
    yield replace(at, latest="NORMAL", was_high=True)
    yield replace(at, low="discordant", ck_pending=True)
    yield replace(at, low="low_muscle_mass", ck_pending=True)


def overlays(at: Surroundings) -> Iterator[Surroundings]:
    yield replace(at, hep2_passive=True)
    yield replace(at, extreme=True)
    for age, statin in product((17, 18, None), ("Y", "N", "")):
        yield replace(at, age=age, statin=statin)
    for name, side in _named(at):
        if side.state in POSITIVE and not side.known:
            yield replace(at, **{name: replace(side, passive=True)})
            yield replace(at, **{name: replace(side, passive=True, change="became_positive")})


def _named(at: Surroundings) -> tuple[tuple[str, Side], ...]:
    return (("srp", at.srp), ("hmgcr", at.hmgcr))


def as_evidence(side: Side) -> AntibodyEvidence:
    found = evidence(side.name, side.state, SOURCES[side.name], known=side.known, pending=side.pending)
    trend = Trend(change=Change(side.change), titre=Titre(side.titre), results=found.results)
    return msgspec.structs.replace(found, trend=trend, passive=side.passive, beside_ck=side.beside_ck)


def as_episode(at: Surroundings) -> Episode:
    pattern = "CYTO_COMPAT" if at.hep2_passive else "NOT_TESTED"
    found = episode(as_evidence(at.srp), as_evidence(at.hmgcr), pattern, at.ck, age_years=at.age, statin=at.statin)
    course = CkCourse(
        band=CkBand(at.latest),
        rebound=Rebound(at.rebound),
        was_high=at.was_high,
        low=LowCk(at.low),
        creatinine=ck(1) if at.creatinine_low else None,
    )
    return msgspec.structs.replace(
        found,
        course=course,
        ivig=DAY - timedelta(days=10),
        hep2=msgspec.structs.replace(found.hep2, passive=at.hep2_passive and found.hep2.state is Hep2State.CYTO_COMPAT),
        ck=msgspec.structs.replace(found.ck, pending=at.ck_pending, extreme=at.extreme),
    )


def without(at: Surroundings) -> Surroundings:
    """The same two antibodies and CK, with nothing around them."""
    sides = (Side(side.name, side.state, side.known, side.pending) for side in at.sides)
    return Surroundings(*sides, ck=at.ck, ck_pending=at.ck_pending)


def judged(at: Surroundings, rules: RuleSet, knowledge: Knowledge) -> Verdict:
    found = as_episode(at)
    return rules.judge(found, facts(found, knowledge.policy))


def flags_of(verdict: Verdict) -> set[tuple[str, str, str]]:
    return {(flag.code, flag.analyte, flag.severity.value) for flag in verdict.flags}


def told(verdict: Verdict) -> tuple[set[str], set[str]]:
    return set(verdict.comments), set(verdict.beside)


def differs(at: Surroundings, rules: RuleSet, knowledge: Knowledge) -> str:
    """How the rows differ from the second reading; empty where they do not."""
    before, after, wanted = judged(without(at), rules, knowledge), judged(at, rules, knowledge), added(at)
    if flags_of(after) - flags_of(before) != wanted.flags - flags_of(before):
        return f"flags {flags_of(after) - flags_of(before)}, not {wanted.flags}"
    if flags_of(before) - flags_of(after):
        return f"flags gone: {flags_of(before) - flags_of(after)}"
    for analyte in {one.analyte for one in (*before.retests, *after.retests)} | set(wanted.retests):
        if wrong := _retest_differs(analyte, before, after, wanted):
            return wrong
    (comments, beside), (comments_before, beside_before) = told(after), told(before)
    if comments - comments_before != {name for name, _about in wanted.comments} - comments_before:
        return f"comments {comments - comments_before}, not {wanted.comments}"
    if beside - beside_before != {name for name, _about in wanted.beside} - beside_before:
        return f"beside {beside - beside_before}, not {wanted.beside}"
    codes = {flag.code for flag in after.flags}
    for retest in after.retests:
        if retest.reason not in codes and retest not in before.retests:
            return f"{retest.analyte} for {retest.reason}, which was not raised"
    for name, about in (*wanted.comments, *wanted.beside):
        if about and about not in {**after.comments, **after.beside}[name]:
            return f"{name} is not about {about}"
    return ""


def _retest_differs(analyte: str, before: Verdict, after: Verdict, wanted: Added) -> str:
    core = next((one for one in before.retests if one.analyte == analyte), None)
    found = next((one for one in after.retests if one.analyte == analyte), None)
    asked = wanted.retests.get(analyte, set())
    if found is None:
        return f"{analyte} is not asked for" if core is not None or asked else ""
    families = {*(core.families if core else ()), *(family for names, _priority in asked for family in names)}
    urgent = "urgent" in {*([core.priority.value] if core else []), *(priority for _names, priority in asked)}
    deferred = wanted.deferred and analyte in ("SRP", "HMGCR", "ANA_HEP2")
    if set(found.families) != families:
        return f"{analyte} by {found.families}, not {families}"
    if found.priority.value != ("urgent" if urgent and not deferred else "routine"):
        return f"{analyte} {found.priority.value}"
    if found.not_before != (DAY + timedelta(days=50) if deferred else None):
        return f"{analyte} not before {found.not_before}"
    return ""


@pytest.mark.parametrize("around", [changes, over_time, overlays])
def test_the_rows_add_what_the_second_reading_adds(around: object, rules: RuleSet, knowledge: Knowledge) -> None:
    assert callable(around)
    looked, wrong = 0, []
    for at in pairs():
        for one in around(at):
            looked += 1
            found = differs(one, rules, knowledge)
            if found:
                wrong.append((found, one))
    assert looked > 1000
    assert wrong[:3] == []
