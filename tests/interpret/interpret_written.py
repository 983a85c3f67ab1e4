"""Every comment that the combinations of the core table give, with ages, contexts and everything that may be pending."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal

import msgspec
from interpret_build import DAY, antibody, case, ck, other, result
from interpret_combinations import as_episode, contexts, every, plain

from labbridge.interpret.comment import choose
from labbridge.interpret.evidence import (
    AntibodyEvidence,
    AntibodyState,
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
from labbridge.model.outcome import Comment
from labbridge.model.result import Analyte, Result
from labbridge.model.values import Quantity


class Written(msgspec.Struct, frozen=True):
    """One episode, what the rules said of it, and the comment that was written."""

    episode: Episode
    verdict: Verdict
    comment: Comment


def write(found: Episode, rules: RuleSet, knowledge: Knowledge) -> Written | None:
    verdict = rules.judge(found, facts(found, knowledge.policy))
    comment = choose(case(found, verdict, knowledge))
    return Written(found, verdict, comment) if comment else None


def ages(found: Episode) -> Iterable[Episode]:
    for age in (48, 9, None):
        yield msgspec.structs.replace(found, age_years=age)


def pendings(found: Episode) -> Iterable[Episode]:
    """The same with one or both antibodies, HEp-2, CK or the others in progress."""
    yield found
    replace = msgspec.structs.replace
    yield replace(found, srp=replace(found.srp, pending=True))
    yield replace(found, hmgcr=replace(found.hmgcr, pending=True))
    yield replace(found, hep2=replace(found.hep2, pending=True), ck=replace(found.ck, pending=True), other_pending=True)


def all_written(rules: RuleSet, knowledge: Knowledge) -> list[Written]:
    """Every combination of the core table for an adult, a child and an unknown age, with everything that may be pending."""
    found = []
    for at in every():
        base = as_episode(at)
        for one in pendings(base):
            if (comment := write(one, rules, knowledge)) is not None:
                found.append(comment)
        for one in ages(base):
            if one.age_years != 48 and (comment := write(one, rules, knowledge)) is not None:
                found.append(comment)
    for at in plain():
        for one in contexts(at):
            if (comment := write(as_episode(one), rules, knowledge)) is not None:
                found.append(comment)
        for later in over_time(as_episode(at)):
            if (comment := write(later, rules, knowledge)) is not None:
                found.append(comment)
    return found


def kept_too_long(written: Iterable[Written], knowledge: Knowledge) -> list[Written]:
    """Each different comment once more, a month after its samples were collected: the rules ask for the same."""
    first = {}
    for one in written:
        if one.verdict.retests:
            first.setdefault((one.comment.full_text, one.verdict.retests), one)
    late = []
    for one in first.values():
        found = msgspec.structs.replace(one.episode, today=DAY + timedelta(days=30))
        comment = choose(case(found, one.verdict, knowledge))
        assert comment is not None
        late.append(Written(found, one.verdict, comment))
    return late


# ---------------------------------------------------------------- C6, C7: what surrounds the core table, and what changed


def over_time(found: Episode) -> Iterable[Episode]:
    """The same after an infusion, beside other antibodies, with a CK too low to be true, a change, a rebound or a low
    creatinine, and with one antibody known."""
    replace = msgspec.structs.replace
    yield from _passive(found)
    jo1 = other("JO1", "POS_LOW", synthetase=True)
    yield replace(found, other_positive=(jo1,), others_all_low=True)
    yield replace(found, other_positive=(jo1, other("MDA5", "POS_STRONG")))
    for low in (LowCk.DISCORDANT, LowCk.LOW_MUSCLE_MASS):
        for was_high in (True, False):
            yield replace(found, course=CkCourse(low=low, low_result=ck("0.02"), was_high=was_high))
    for side in ("srp", "hmgcr"):
        one = getattr(found, side)
        for trend in _trends(one):
            yield replace(found, **{side: replace(one, trend=trend)})
            yield replace(found, **{side: replace(one, trend=trend, known=True)})
        for course in _courses():
            known = replace(one, known=True, beside_ck=one.state.positive)
            yield replace(found, course=course, **{side: known})
            yield replace(found, course=course)


def _passive(found: Episode) -> Iterable[Episode]:
    replace = msgspec.structs.replace
    srp, hmgcr = (replace(one, passive=one.state.positive) for one in (found.srp, found.hmgcr))
    slide = replace(found.hep2, passive=found.hep2.state is Hep2State.CYTO_COMPAT)
    for one in ({"srp": srp}, {"hmgcr": hmgcr}, {"hep2": slide}, {"srp": srp, "hmgcr": hmgcr, "hep2": slide}):
        yield replace(found, ivig=DAY - timedelta(days=20), **one)


def _trends(one: AntibodyEvidence) -> Iterable[Trend]:
    if not one.results:
        return
    before = antibody(
        one.analyte, "NEG" if one.state.positive else "POS_STRONG", "quant", "OLD", DAY - timedelta(days=80)
    )
    pair = (one.results[0], before)
    if one.state.positive:
        yield Trend(change=Change.BECAME_POSITIVE, results=pair)
        for titre in (Titre.RISING, Titre.RISING_CK_FALLING, Titre.FALLING_CK_RISING):
            yield Trend(titre=titre, titre_results=pair)
    elif one.state is AntibodyState.NEG:
        yield Trend(change=Change.BECAME_NEGATIVE, results=pair)
        yield Trend(change=Change.METHOD_CHANGED, results=pair, same_method=False)


def _courses() -> Iterable[CkCourse]:
    previous, low = ck(1, "CK-0", DAY - timedelta(days=50)), creatinine("30")
    for times in ("0.1", "0.9", "3"):
        latest = ck(times, lower_limit=Decimal(40))
        band = CkBand.MILD if times == "3" else CkBand.NORMAL
        yield CkCourse(latest=latest, band=band, previous=previous, was_high=True)
        yield CkCourse(latest=latest, band=band, previous=previous, creatinine=low)
        yield CkCourse(latest=latest, band=band, previous=previous, was_high=True, creatinine=low)
    yield CkCourse(latest=ck(9), band=CkBand.MOD, previous=previous, rebound=Rebound.REBOUND, was_high=True)


def creatinine(number: str) -> Result:
    return result(Analyte.CREATININE, "KR", value=Quantity(Decimal(number), "umol/L"))
