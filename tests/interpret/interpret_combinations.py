"""Every combination of the core table with its contexts: as evidence, as judged by the product, and read a second time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import msgspec
from interpret_build import case, episode, evidence, other
from interpret_c5 import BANDS, PATTERNS, SEVERITIES, STATES, Antibody, Combination, Said, core

from labbridge.interpret.comment import choose
from labbridge.interpret.evidence import Episode
from labbridge.interpret.facts import facts
from labbridge.interpret.rules import RuleSet, Verdict
from labbridge.knowledge.build import Knowledge

FORBIDDEN_PAIRS = [
    ("SERONEG_HIGH_CK", "PARTNER_MISSING"),
    ("SERONEG_HIGH_CK", "MSA_POSITIVE"),
    ("SERONEG_HIGH_CK", "MSA_EQUIVOCAL"),
    ("MSA_POSITIVE", "MSA_LOW_POS_UNCONFIRMED"),
    ("MSA_POS_CONCORDANT", "MSA_POS_CK_NORMAL"),
    ("MSA_POS_CONCORDANT", "DUAL_SRP_HMGCR"),
    ("HEP2_NEG_MSA_POS", "HEP2_PATTERN_INCONSISTENT"),
    ("CK_MISSING", "MSA_POS_CK_NORMAL"),
]


OTHERS = {
    "positive": (other("MI2", "POS_LOW"),),
    "synthetase": (other("JO1", "POS_STRONG", synthetase=True),),
    "before": (),
    "tested": (),
}
"""What `others` of a combination means: the positive ones of the episode."""


class Judged(NamedTuple):
    """A combination with what the product and the second reading say of it."""

    at: Combination
    episode: Episode
    verdict: Verdict
    comment: str
    text: str
    wanted: Said

    @property
    def flags(self) -> dict[str, str]:
        return severities(self.verdict)


def severities(verdict: Verdict) -> dict[str, str]:
    """The highest severity of each code."""
    found: dict[str, str] = {}
    for flag in verdict.flags:
        found[flag.code] = max(found.get(flag.code, "info"), flag.severity.value, key=SEVERITIES.index)
    return found


def recommended(verdict: Verdict) -> dict[str, tuple[tuple[str, ...], str]]:
    return {one.analyte: (one.families, one.priority.value) for one in verdict.retests}


def variants(name: str) -> list[Antibody]:
    """Every state of an antibody with every way it can come about."""
    found = [Antibody(name, "NOT_TESTED", "")]
    found += [Antibody(name, state, source) for state in STATES[:4] for source in ("blot", "quant")]
    found += [Antibody(name, "NEG", "ip"), Antibody(name, "POS_STRONG", "ip", confirmed=True)]
    found += [Antibody(name, "POS_STRONG", "quant", confirmed=True)]
    found += [Antibody(name, "EQUIVOCAL", "quant", discordant=True)]
    return found


def plain() -> Iterator[Combination]:
    """The 625 combinations of P1: SRP from blot, HMGCR from a quantitative test."""
    for srp, hmgcr, pattern, band in product(STATES, STATES, PATTERNS, BANDS):
        yield Combination(Antibody("SRP", srp, "blot"), Antibody("HMGCR", hmgcr, "quant"), pattern, band)


def every() -> Iterator[Combination]:
    """Every combination of states, sources, confirmation and discordance, without and with the contexts of G0."""
    for srp, hmgcr, pattern, band in product(variants("SRP"), variants("HMGCR"), PATTERNS, BANDS):
        yield Combination(srp, hmgcr, pattern, band)
        if srp.state == hmgcr.state == "NOT_TESTED":
            yield Combination(srp, hmgcr, pattern, band, suspicion=True)
            yield Combination(srp, hmgcr, pattern, band, persistent=True)


def contexts(at: Combination) -> Iterator[Combination]:
    """One combination with each thing that C10 asks beside it."""
    for name in ("suspicion", "persistent", "ck_pending", "others_pending"):
        yield replace(at, **{name: True})
    for others in OTHERS:
        yield replace(at, others=others)
        yield replace(at, others=others, suspicion=True)
    for change in ({"pending": True}, {"known": True}, {"once_positive": True}):
        srp, hmgcr = replace(at.srp, **change), replace(at.hmgcr, **change)
        yield replace(at, srp=srp)
        yield replace(at, hmgcr=hmgcr)
        if "pending" in change:
            yield replace(at, srp=srp, hmgcr=hmgcr, suspicion=True)
    yield from _two_at_once(at)
    if at.hep2 == "NOT_TESTED":
        yield replace(at, hep2_pending=True)
        yield replace(at, unspecified=True)
        yield replace(at, unspecified=True, srp=replace(at.srp, known=True))
    if at.hep2 == "CYTO_COMPAT":
        yield replace(at, titre_low=True)
    if at.hep2 == "CYTO_OTHER":
        yield replace(at, undescribed=True)
        yield replace(at, undescribed=True, srp=replace(at.srp, known=True))


def _two_at_once(at: Combination) -> Iterator[Combination]:
    """Where two of them meet: known and pending, known with its partner tested then, pending or once positive beside
    other antibodies, a CK that stays high beside them."""
    for one, other_one in (("srp", "hmgcr"), ("hmgcr", "srp")):
        mine, theirs = getattr(at, one), getattr(at, other_one)
        known = replace(mine, known=True)
        yield replace(at, **{one: known, other_one: replace(theirs, pending=True)})
        yield replace(at, **{one: replace(known, partner_tested=True)})
        yield replace(at, **{one: replace(known, once_positive=True)})
        for others in OTHERS:
            yield replace(at, others=others, **{one: replace(mine, pending=True)})
            yield replace(at, others=others, **{one: replace(mine, once_positive=True)})
            yield replace(at, others=others, **{one: known})
    for others in OTHERS:
        pending = {name: replace(getattr(at, name), pending=True) for name in ("srp", "hmgcr")}
        yield replace(at, others=others, **pending)
        yield replace(at, others=others, persistent=True)


def as_evidence(one: Antibody) -> str:
    return "confirmed" if one.confirmed else "discordant" if one.discordant else ""


def as_episode(at: Combination) -> Episode:
    srp, hmgcr = (
        evidence(
            one.name,
            one.state,
            one.source,
            as_evidence(one),
            pending=one.pending,
            known=one.known,
            partner_tested=one.partner_tested,
            once_positive=one.once_positive and one.state == "NEG",
        )
        for one in (at.srp, at.hmgcr)
    )
    context = {"suspicion": at.suspicion, "suspicion_implied": at.unspecified, "other_pending": at.others_pending}
    found = episode(srp, hmgcr, at.hep2, at.ck, **context)
    fluorescence = msgspec.structs.replace(
        found.hep2,
        pending=at.hep2_pending,
        titre_low=at.titre_low,
        pattern_stated=not at.undescribed,
        unspecified=at.unspecified,
    )
    creatine = msgspec.structs.replace(found.ck, pending=at.ck_pending, persistent=at.persistent)
    return msgspec.structs.replace(
        found,
        hep2=fluorescence,
        ck=creatine,
        other_positive=OTHERS[at.others] if at.others else (),
        other_negative=6 if at.others == "tested" else 0,
        synthetase_negative=at.others == "tested",
        synthetase_on_file=at.explained,
    )


def judge(at: Combination, rules: RuleSet, knowledge: Knowledge) -> Judged:
    found = as_episode(at)
    verdict = rules.judge(found, facts(found, knowledge.policy))
    comment = choose(case(found, verdict, knowledge))
    name, text = (comment.comment_class, comment.text) if comment else ("NONE", "")
    return Judged(at, found, verdict, name, text, core(at))
