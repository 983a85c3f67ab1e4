"""The named facts that rules and comments see: small functions of an Episode, each with its meaning and its values.

The rule manual is printed from this registry. A fact is never missing: what is not known has a value of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import TypeVar

import msgspec

from labbridge.interpret.evidence import (
    AntibodyEvidence,
    BestSource,
    Change,
    Episode,
    Hep2State,
    LowCk,
    Rebound,
    Titre,
)
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Family

FactValue = str | bool
TRUTH = (True, False)
CK = ("NORMAL", "MILD", "MOD", "HIGH", "UNKNOWN")
ANTIBODY = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "NOT_TESTED")
SOURCE = ("tier1", "quant", "blot", "tissue", "none")


class Fact(msgspec.Struct, frozen=True):
    """A fact: its name, its values, and how it is read off an episode."""

    name: str
    domain: tuple[FactValue, ...]
    meaning: str
    read: Callable[[Episode, Policy], FactValue]


REGISTRY: dict[str, Fact] = {}


def _fact(name: str, domain: tuple[FactValue, ...]) -> Callable[[Callable[[Episode, Policy], FactValue]], None]:
    def register(read: Callable[[Episode, Policy], FactValue]) -> None:
        REGISTRY[name] = Fact(name, domain, (read.__doc__ or "").strip(), read)

    return register


def facts(episode: Episode, policy: Policy) -> dict[str, FactValue]:
    """Every fact of an episode."""
    return {name: fact.read(episode, policy) for name, fact in REGISTRY.items()}


T = TypeVar("T")


class OnDemand(dict[str, T]):
    """Values read when they are first named: most readers name few."""

    def __init__(self, known: Mapping[str, T], read: Callable[[str], T]) -> None:
        super().__init__(known)
        self._read = read

    def __missing__(self, name: str) -> T:
        found = self[name] = self._read(name)
        return found


def on_demand(episode: Episode, policy: Policy) -> Mapping[str, FactValue]:
    """The facts of an episode, each read when it is asked for. KeyError for a name that is none."""
    return OnDemand({}, lambda name: REGISTRY[name].read(episode, policy))


def _register_antibody(side: str, name: str) -> None:
    """The facts of one antibody; both have the same ones."""
    readings: tuple[tuple[str, tuple[FactValue, ...], str, str], ...] = (
        ("_now", ANTIBODY, f"state of {name} (C3), known before or not", "state.value"),
        ("_confirmed", TRUTH, f"{name} is confirmed (C3.2, C10.9)", "confirmed"),
        ("_discordant", TRUTH, f"methods disagree about {name}, unresolved (C3.3, C10.2)", "discordant"),
        ("_resolved", TRUTH, f"tier 1 has decided about {name} against another method", "resolved"),
        ("_pending", TRUTH, f"{name} is ordered and not final, or held (C1.7)", "pending"),
        ("_known", TRUTH, f"{name} is known from before: monitoring (C10.5)", "known"),
        ("_partner_tested", TRUTH, "the other antibody was tested when this became known", "partner_tested"),
        ("_once_positive", TRUTH, f"{name} was strongly positive, is negative (C10.4)", "once_positive"),
        ("_source", SOURCE, f"what the state of {name} rests on (C2)", "source.value"),
        (
            "_change",
            tuple(map(str, Change)),
            f"{name} against its last comparable result (L1-L4)",
            "trend.change.value",
        ),
        ("_titre", tuple(map(str, Titre)), f"the number of {name} beside CK over time (L5, L6)", "trend.titre.value"),
        ("_beside_ck", TRUTH, f"{name} is positive within 30 days of the latest CK (C10.33)", "beside_ck"),
        ("_passive", TRUTH, f"{name} is newly positive after an immunoglobulin infusion (O1, C10.6)", "passive"),
    )
    meaning = f"state of {name} (C3); KNOWN in monitoring, where the core table is silent"
    REGISTRY[side] = Fact(side, (*ANTIBODY, "KNOWN"), meaning, _state(attrgetter(side)))
    for suffix, domain, meaning, path in readings:
        REGISTRY[side + suffix] = Fact(side + suffix, domain, meaning, _at(attrgetter(f"{side}.{path}")))


def _state(of: Callable[[Episode], AntibodyEvidence]) -> Callable[[Episode, Policy], FactValue]:
    def read(episode: Episode, _policy: Policy) -> FactValue:
        found = of(episode)
        return "KNOWN" if found.known else found.state.value

    return read


def _at(path: Callable[[Episode], FactValue]) -> Callable[[Episode, Policy], FactValue]:
    return lambda episode, _policy: path(episode)


_register_antibody("srp", "anti-SRP")
_register_antibody("hmgcr", "anti-HMGCR")


@_fact("srp_by_ip", TRUTH)
def _srp_by_ip(episode: Episode, _policy: Policy) -> FactValue:
    """anti-SRP was looked for by immunoprecipitation (C5 G5)"""
    return episode.srp.source is BestSource.TIER1 and Family.IP in episode.srp.families


@_fact("both_pending", TRUTH)
def _both_pending(episode: Episode, _policy: Policy) -> FactValue:
    """both antibodies are in progress or held (C10.38)"""
    return episode.srp.pending and episode.hmgcr.pending


@_fact("any_pending", TRUTH)
def _any_pending(episode: Episode, _policy: Policy) -> FactValue:
    """one of the antibodies is in progress or held (C5)"""
    return episode.srp.pending or episode.hmgcr.pending


@_fact("hep2", ("CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "NOT_TESTED"))
def _hep2(episode: Episode, _policy: Policy) -> FactValue:
    """HEp-2 pattern class (C2, C10.19); solid-phase screens are NOT_TESTED, and so is a compatible cytoplasm that an
    immunoglobulin infusion may have brought (O1)"""
    return Hep2State.NOT_TESTED.value if episode.hep2.passive else episode.hep2.state.value


@_fact("hep2_passive", TRUTH)
def _hep2_passive(episode: Episode, _policy: Policy) -> FactValue:
    """a compatible cytoplasm within the window of an immunoglobulin infusion (O1)"""
    return episode.hep2.passive


@_fact("passive", TRUTH)
def _passive(episode: Episode, _policy: Policy) -> FactValue:
    """an antibody or a compatible cytoplasm may be passively acquired (O1, C10.6)"""
    return episode.hep2.passive or episode.srp.passive or episode.hmgcr.passive


@_fact("hep2_pending", TRUTH)
def _hep2_pending(episode: Episode, _policy: Policy) -> FactValue:
    """HEp-2 is in progress or held (C10.13)"""
    return episode.hep2.pending


@_fact("hep2_unspecified", TRUTH)
def _hep2_unspecified(episode: Episode, _policy: Policy) -> FactValue:
    """HEp-2 is positive without any pattern (C10.19 a)"""
    return episode.hep2.unspecified


@_fact("hep2_stated", TRUTH)
def _hep2_stated(episode: Episode, _policy: Policy) -> FactValue:
    """the cytoplasmic pattern is described (C10.19 c)"""
    return episode.hep2.pattern_stated


@_fact("hep2_cytoplasm_stated", TRUTH)
def _hep2_cytoplasm_stated(episode: Episode, _policy: Policy) -> FactValue:
    """a negative HEp-2 speaks of the cytoplasm too, by its report or by what is known of the laboratory (E40)"""
    return episode.hep2.cytoplasm_stated


@_fact("hep2_titre_low", TRUTH)
def _hep2_titre_low(episode: Episode, _policy: Policy) -> FactValue:
    """the titre is below the one that corroborates (C10.20)"""
    return episode.hep2.titre_low


@_fact("ck", CK)
def _ck(episode: Episode, _policy: Policy) -> FactValue:
    """CK as a multiple of its upper limit (C2)"""
    return episode.ck.band.value


@_fact("ck_pending", TRUTH)
def _ck_pending(episode: Episode, _policy: Policy) -> FactValue:
    """CK is in progress or held (C10.13)"""
    return episode.ck.pending


@_fact("ck_persistent", TRUTH)
def _ck_persistent(episode: Episode, _policy: Policy) -> FactValue:
    """CK stays at 4 times the limit or more (C10.17)"""
    return episode.ck.persistent


@_fact("ck_limit_assumed", TRUTH)
def _ck_limit_assumed(episode: Episode, _policy: Policy) -> FactValue:
    """CK's limit was assumed by age and sex (C2)"""
    return episode.ck.limit_assumed


@_fact("ck_extreme", TRUTH)
def _ck_extreme(episode: Episode, _policy: Policy) -> FactValue:
    """CK is above 10,000 U/L, the first such in 30 days (O4, C10.34)"""
    return episode.ck.extreme


@_fact("context_on_file", TRUTH)
def _context_on_file(episode: Episode, _policy: Policy) -> FactValue:
    """an antibody or HEp-2 result, another myositis antibody, or a suspicion is on file (C10.18)"""
    tested = episode.srp.prior or episode.hmgcr.prior or episode.hep2.result is not None
    others = bool(episode.other_positive) or episode.other_negative > 0
    return tested or others or episode.suspicion or episode.suspicion_implied


@_fact("critical_owner", ("lis", "labbridge"))
def _critical_owner(_episode: Episode, policy: Policy) -> FactValue:
    """whose procedure a critical CK follows at this site (C10.18)"""
    return policy.choice("critical_owner")


@_fact("ck_latest", CK)
def _ck_latest(episode: Episode, _policy: Policy) -> FactValue:
    """the latest CK of the 30 days before the anchor as a multiple of its limit (C10.33)"""
    return episode.course.band.value


@_fact("ck_was_high", TRUTH)
def _ck_was_high(episode: Episode, _policy: Policy) -> FactValue:
    """an earlier CK was at 4 times the limit or more (L7)"""
    return episode.course.was_high


@_fact("ck_rebound", tuple(map(str, Rebound)))
def _ck_rebound(episode: Episode, _policy: Policy) -> FactValue:
    """CK against the one before; incomparable where another laboratory measured it and the multiples disagree (L8)"""
    return episode.course.rebound.value


@_fact("ck_low", tuple(map(str, LowCk)))
def _ck_low(episode: Episode, _policy: Policy) -> FactValue:
    """the newest CK is too low to be true, or low muscle mass may explain it (O3, C10.29)"""
    return episode.course.low.value


@_fact("creatinine_low", TRUTH)
def _creatinine_low(episode: Episode, _policy: Policy) -> FactValue:
    """the creatinine beside the latest CK is below its limit (L9, C10.28)"""
    return episode.course.creatinine is not None


@_fact("suspicion", TRUTH)
def _suspicion(episode: Episode, _policy: Policy) -> FactValue:
    """the requester recorded a suspicion of myositis"""
    return episode.suspicion


@_fact("suspicion_any", TRUTH)
def _suspicion_any(episode: Episode, _policy: Policy) -> FactValue:
    """a suspicion is recorded, or implied by an antibody result on file or a HEp-2 without pattern (C10.1, C10.19 a)"""
    return episode.suspicion or episode.suspicion_implied


@_fact("partner_elsewhere", TRUTH)
def _partner_elsewhere(_episode: Episode, policy: Policy) -> FactValue:
    """this site tests the other antibody where this service does not see it (C10.16)"""
    return policy.choice("partner_elsewhere") == "yes"


@_fact("other_msa_positive", TRUTH)
def _other_msa_positive(episode: Episode, _policy: Policy) -> FactValue:
    """another myositis-specific antibody is positive (C10.3, C10.24)"""
    return bool(episode.other_positive)


@_fact("multiple_msa", TRUTH)
def _multiple_msa(episode: Episode, _policy: Policy) -> FactValue:
    """two different myositis-specific antibodies are positive, one of them outside these two (O2, C10.24)"""
    others = {one.antigen for one in episode.other_positive}
    return bool(others) and len(others) + episode.srp.state.positive + episode.hmgcr.state.positive > 1


@_fact("others_all_low", TRUTH)
def _others_all_low(episode: Episode, _policy: Policy) -> FactValue:
    """every other myositis-specific antibody that is positive is low positive (C10.7)"""
    return episode.others_all_low and bool(episode.other_positive)


@_fact("statin", ("exposed", "unexposed", "unknown"))
def _statin(episode: Episode, _policy: Policy) -> FactValue:
    """statin exposure as recorded (O6)"""
    return {"Y": "exposed", "N": "unexposed"}.get(episode.statin, "unknown")


@_fact("synthetase_positive", TRUTH)
def _synthetase_positive(episode: Episode, _policy: Policy) -> FactValue:
    """a synthetase antibody is positive, or was, however long ago (C10.3, C10.38)"""
    return episode.synthetase_on_file


@_fact("other_msa_tested", TRUTH)
def _other_msa_tested(episode: Episode, policy: Policy) -> FactValue:
    """enough other antigens, a synthetase among them, were negative (C10.37)"""
    return episode.other_negative >= policy.number("other_msa_enough") and episode.synthetase_negative


@_fact("age_group", ("adult", "child", "unknown"))
def _age_group(episode: Episode, policy: Policy) -> FactValue:
    """adult, child, or unknown, which reads texts as a child's (C10.31)"""
    if episode.age_years is None:
        return "unknown"
    return "adult" if episode.age_years >= policy.number("adult_from") else "child"


@_fact("identity", ("agrees", "sex", "birth_date"))
def _identity(episode: Episode, _policy: Policy) -> FactValue:
    """what disagrees with the stored patient (C10.36)"""
    return next((one.text for one in episode.raised if one.code == "IDENTITY_MISMATCH"), "agrees")
