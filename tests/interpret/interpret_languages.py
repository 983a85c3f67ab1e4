"""Comments in every language: one case for each different English comment of the core table, and the classes that lie over
it (clinical.md C6-C8), each as a comment of its own and behind another, with everything its sentences depend on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import msgspec
from interpret_build import DAY, antibody, case, ck, episode, evidence, history, other, posted
from interpret_written import Written

from labbridge.interpret.comment import choose
from labbridge.interpret.evidence import (
    AntibodyEvidence,
    Change,
    CkBand,
    CkCourse,
    Episode,
    LowCk,
    Raised,
    Titre,
    Trend,
)
from labbridge.interpret.rules import Verdict
from labbridge.interpret.slots import Case
from labbridge.knowledge.build import Knowledge
from labbridge.model.outcome import Comment, Priority, Retest

LANGUAGES = ("fr", "de", "es")
replace = msgspec.structs.replace


def spoken(at: Case, language: str) -> Comment:
    """The comment of a case that has one, in a language."""
    found = choose(replace(at, history=replace(at.history, language=language)))
    assert found is not None
    return found


def of_core(written: Iterable[Written], knowledge: Knowledge) -> list[Case]:
    """One case for each English comment of the core table, for an adult and for others."""
    first = {}
    for one in written:
        first.setdefault((one.comment.full_text, one.episode.age_years == 48), one)
    return [case(one.episode, one.verdict, knowledge) for one in first.values()]


def aged(cases: Iterable[Case]) -> Iterator[Case]:
    """Those that suggest a test, a month after their samples were collected. C14 comes with a new specimen only."""
    for one in cases:
        new = any("same_new_specimen" in retest.families for retest in one.verdict.retests)
        if one.verdict.retests and (new or "C14" not in one.verdict.comments):
            yield replace(one, episode=replace(one.episode, today=DAY + timedelta(days=30)))


# ---------------------------------------------------------------- what lies over the core table


def step(analyte: str, *families: str, urgent: bool = False) -> Retest:
    priority = Priority.URGENT if urgent else Priority.ROUTINE
    return Retest(analyte=analyte, families=families or ("ip",), priority=priority, reason="A")


def retests(subject: str) -> Iterator[tuple[Retest, ...]]:
    yield ()
    yield (step(subject, "same_new_specimen"), step("CK", "enzymatic"))
    yield (step("CK", "enzymatic_diluted"),)
    yield (
        step(subject, "quant", "ip", urgent=True),
        step("CK", "enzymatic", urgent=True),
        step("ANA_HEP2", "hep2_iif"),
    )
    yield (
        step("SRP", "ip", "cba", urgent=True),
        step("HMGCR", "quant", urgent=True),
        step("OTHER_MSA", "blot", urgent=True),
    )


def courses() -> Iterator[CkCourse]:
    low = ck(0.1, lower_limit=ck(0.2).upper_limit)
    yield CkCourse(latest=low, band=CkBand.NORMAL, previous=ck(6.25, "CK-0", DAY - timedelta(days=40)))
    yield CkCourse(latest=ck(0.6), band=CkBand.NORMAL, previous=ck(1, "CK-0"), was_high=True, low=LowCk.LOW_MUSCLE_MASS)
    yield CkCourse(latest=ck("1.2345"), band=CkBand.MILD, previous=ck("12.3", "CK-0"), low=LowCk.DISCORDANT)


def trends(subject: str) -> Iterator[Trend]:
    yield Trend()
    for now, then, titre in (
        ("NEG", "POS_STRONG", Titre.FALLING_CK_RISING),
        ("POS_STRONG", "NEG", Titre.RISING_CK_FALLING),
    ):
        found = (antibody(subject, now, "quant"), antibody(subject, then, "blot", "OLD", DAY - timedelta(days=90)))
        for same in (True, False):
            change = Change.BECAME_NEGATIVE if now == "NEG" else Change.BECAME_POSITIVE
            yield Trend(change=change, results=found, same_method=same, titre=titre, titre_results=found)


def raised(code: str, analyte: str, text: str = "") -> Raised:
    return Raised(code=code, analyte=analyte, refs=("S@1", "S@2"), day=DAY, text=text)


SPECIMENS = ("CSF", "EDTA plasma", "edta_plasma", "Liquor cerebrospinalis")
RAISED: tuple[tuple[Raised, ...], ...] = (
    (),
    *((raised("SPECIMEN_INVALID", "SRP", text),) for text in SPECIMENS),
    *((raised(code, name),) for code in ("RESULT_WITHDRAWN", "RESULT_CORRECTED") for name in ("SRP", "CK", "ANA_HEP2")),
    (raised("RESULT_CORRECTED", "OTHER_MSA"), raised("SPECIMEN_INVALID", "CREAT", "urine")),
    (raised("RESULT_WITHDRAWN", "OTHER_MSA"),),
)
OVER = ("C14", "C15", "C16", "C17", "C20", "C23", "C24", "C25")
BESIDE = ("C15", "C16", "C17", "C20", "C23")


def episodes() -> Iterator[tuple[str, Episode]]:
    """An antibody that has moved, beside a CK that has, with others positive or passive."""
    for subject, course, passive in product(("SRP", "HMGCR"), courses(), ((), ("SRP",), ("SRP", "HMGCR"))):
        for trend in trends(subject):
            both = {name: antibody_of(name, subject, trend, name in passive) for name in ("SRP", "HMGCR")}
            found = episode(both["SRP"], both["HMGCR"], "CYTO_COMPAT", "MILD", course=course)
            yield subject, replace(found, other_positive=(other("JO1", "POS_LOW"), other("TIF1G", "POS_LOW")))


def antibody_of(name: str, subject: str, trend: Trend, passive: bool) -> AntibodyEvidence:
    given: dict[str, Any] = {"trend": trend} if name == subject else {}
    state = "POS_LOW" if name == subject else "POS_STRONG" if passive else "NOT_TESTED"
    return evidence(name, state, "blot" if name == "SRP" else "quant", passive=passive, **given)


def over(knowledge: Knowledge) -> Iterator[Case]:
    """Every class that lies over the core table, as a comment and behind one on a low positive antibody."""
    for subject, at in episodes():
        for asked in retests(subject):
            for name in OVER:
                if sayable(name, at, asked):
                    yield case(at, said({name: (subject,)}, {}, asked), knowledge)
            for name in BESIDE:
                if sayable(name, at, asked):
                    yield case(at, said({"C03": (subject,)}, {name: (subject,)}, asked), knowledge)


def sayable(name: str, at: Episode, asked: tuple[Retest, ...]) -> bool:
    """Whether a class is chosen with these facts: C16 needs two results of one antibody, C20 waits, so that no antibody is
    urgent, and where both antibodies are positive it is C08 unless C20 or C24 comes before it."""
    both = at.srp.state.positive and at.hmgcr.state.positive
    waits = not any(one.priority is Priority.URGENT and one.analyte == "HMGCR" for one in asked)
    moved = bool(at.srp.trend.results or at.hmgcr.trend.results)
    return {"C16": moved and not both, "C20": waits, "C24": True}.get(name, not both)


def changes(knowledge: Knowledge) -> Iterator[Case]:
    """Corrections, withdrawals and specimens, alone and behind a comment, before and after one was posted."""
    bare = episode(evidence("SRP", "NOT_TESTED", ""), evidence("HMGCR", "NOT_TESTED", ""), "NOT_TESTED", "UNKNOWN")
    full = episode(evidence("SRP", "POS_LOW", "blot"), evidence("HMGCR", "NEG", "quant"), "NEG", "MILD")
    for at, found, sent in product((bare, full), RAISED, (False, True)):
        past = history(posted=(posted("S@1"),) if sent else ())
        classes: dict[str, tuple[str, ...]] = {} if at is bare else {"C03": ("SRP",)}
        one = case(replace(at, raised=found), said(classes, {}, ()), knowledge, history=past)
        if choose(one) is not None:
            yield one


def said(comments: dict[str, Any], beside: dict[str, Any], asked: tuple[Retest, ...]) -> Verdict:
    return Verdict((), asked, comments, beside, False, (), ())
