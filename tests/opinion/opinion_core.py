"""C5, the core table, with C10.3, C10.4, C10.5, C10.13, C10.17, C10.19, C10.20, C10.37 and C10.38."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from opinion_episode import Episode, concordant, strong_before
from opinion_others import OtherAntibodies
from opinion_record import ANTIBODIES, PARTNER, Flag, Retest, days
from opinion_state import FIRST_TEST, WINDOW, AntibodyState, other_method

SEARCH: tuple[str, ...] = ("blot", "quant", "ip")  # families in which other myositis antibodies are looked for
PERSISTENT_APART = (7, 90)  # C10.17


@dataclass
class Findings:
    """Flags, recommendations and the comment of the core table as they build up."""

    flags: set[Flag] = field(default_factory=set)
    retests: dict[str, Retest] = field(default_factory=dict)
    core: str = "NONE"

    def flag(self, code: str, severity: str, analyte: str = "") -> None:
        self.flags.add((code, analyte, severity))

    def has(self, code: str) -> bool:
        return any(flag[0] == code for flag in self.flags)

    def suggest(self, analyte: str, families: Iterable[str], priority: str, not_before: date | None = None) -> None:
        """One entry per analyte: merge, keep the higher priority (C4)."""
        added = tuple(families)
        if not added:
            return
        before = self.retests.get(analyte)
        if before is not None:
            added = before[0] + tuple(family for family in added if family not in before[0])
            priority = "urgent" if "urgent" in {priority, before[1]} else "routine"
        self.retests[analyte] = (added, priority, not_before or (before[2] if before else None))


@dataclass(frozen=True)
class Question:
    """An episode together with what is still awaited (pending or held) and the other antibodies."""

    episode: Episode
    waiting: frozenset[str]
    others: OtherAntibodies

    @property
    def priority(self) -> str:
        return "urgent" if self.episode.hi else "routine"

    def known(self, analyte: str) -> bool:
        return analyte in self.episode.known


# --- building blocks ------------------------------------------------------------------------------------------------


def confirm(q: Question, f: Findings, state: AntibodyState, priority: str) -> None:
    """The other method, unless confirmed, followed up, or already in progress (C4)."""
    if state.confirmed or q.known(state.analyte) or state.analyte in q.waiting:
        return
    f.suggest(state.analyte, other_method(state), priority)


def partner(q: Question, f: Findings, analyte: str, priority: str) -> None:
    """C5 partner rule; never for a known analyte (C10.5), and in follow-up see `never_tested`."""
    if q.episode.category(analyte) != "NOT_TESTED" or q.episode.known:
        return
    if analyte in q.waiting:
        f.flag("PARTNER_PENDING", "info", analyte)
        return
    f.flag("PARTNER_MISSING", "major" if priority == "urgent" else "minor", analyte)
    f.suggest(analyte, FIRST_TEST[analyte], priority)


def never_tested(q: Question, f: Findings) -> None:
    """C3 monitoring: PARTNER_MISSING if the partner was never tested. Open: whatever the class, and never urgent."""
    for analyte in ANTIBODIES:
        ever = q.episode.of(analyte) or analyte in q.episode.context.partner_tested or analyte in q.waiting
        if q.known(PARTNER[analyte]) and not q.known(analyte) and not ever:
            f.flag("PARTNER_MISSING", "minor", analyte)
            f.suggest(analyte, FIRST_TEST[analyte], "routine")


def ask_hep2(q: Question, f: Findings) -> None:
    if "ANA_HEP2" not in q.waiting:
        f.suggest("ANA_HEP2", ("hep2_iif",), "routine")


def ask_pattern(q: Question, f: Findings) -> None:
    """C10.19a: the pattern of this slide is asked for. Open: not with SRP known, nor where C5 asks nothing of HEp-2."""
    states, hep2 = q.episode.states, q.episode.hep2
    only_hmgcr = states["HMGCR"].positive and not states["SRP"].positive  # P5
    if hep2 is None or hep2.category != "NOT_TESTED" or q.known("SRP") or only_hmgcr or states["SRP"].confirmed:
        return
    ask_hep2(q, f)


def ask_other_msa(q: Question, f: Findings, priority: str) -> None:
    """C10.3, C10.37, C10.38: not when one is positive or explains the pattern, nor after a full negative panel."""
    explained = q.others.explains_cytoplasm and q.episode.hep2_for_core == "CYTO_COMPAT"
    if q.others.positive or explained or "OTHER_MSA" in q.waiting:
        return
    families = SEARCH  # open (C10.22): one antigen tested does not use up the family for all the others
    if q.others.panel_negative:
        if not (q.episode.hep2_for_core == "CYTO_COMPAT" and q.episode.hi):
            return
        families = ("ip",)
    f.suggest("OTHER_MSA", families, priority)


def ck_missing(q: Question, f: Findings, strong: bool) -> None:
    """All of G1-G4 with K?; a pending CK is not missing (C10.13)."""
    if q.episode.band == "UNKNOWN" and "CK" not in q.waiting:
        f.flag("CK_MISSING", "minor", "CK")
        f.suggest("CK", ("enzymatic",), "urgent" if strong else "routine")


def ck_normal(q: Question, f: Findings, analyte: str) -> None:
    if q.episode.band == "NORMAL":
        f.flag("MSA_POS_CK_NORMAL", "minor", analyte)


def hep2_against_srp(q: Question, f: Findings) -> None:
    """HEp-2 flags of a positive SRP (C4): graded, information only once SRP is confirmed."""
    confirmed = q.episode.states["SRP"].confirmed
    pattern = q.episode.hep2_for_core
    if pattern == "NEG":
        f.flag("HEP2_NEG_MSA_POS", "info" if confirmed else ("major" if q.episode.hi else "minor"), "SRP")
    elif pattern in {"NUCLEAR", "CYTO_OTHER"}:
        f.flag("HEP2_PATTERN_INCONSISTENT", "info" if confirmed else "minor", "SRP")
        # C10.19c, which wins over "no retest of HEp-2" for a confirmed SRP in C5: wherever the flag is raised.
        if q.episode.hep2 is not None and q.episode.hep2.unspecified:
            ask_hep2(q, f)


def equivocal(q: Question, f: Findings, state: AntibodyState, severity: str, priority: str) -> None:
    if state.discordant:
        f.flag("METHOD_DISCORDANCE", "major", state.analyte)
    else:
        f.flag("MSA_EQUIVOCAL", severity, state.analyte)
    confirm(q, f, state, priority)


# --- classes G0-G6 --------------------------------------------------------------------------------------------------


def core_table(q: Question) -> Findings:
    f = Findings()
    states = q.episode.states
    positive = [state for state in states.values() if state.positive]
    doubtful = [state for state in states.values() if state.category == "EQUIVOCAL"]
    tested = [state for state in states.values() if state.category != "NOT_TESTED"]
    if len(positive) == 2:
        dual(q, f)
    elif positive:
        single(q, f, positive[0])
    elif doubtful:
        only_equivocal(q, f, doubtful)
    elif len(tested) == 2:
        both_negative(q, f)
    elif tested:
        one_negative(q, f, tested[0])
    else:
        none_tested(q, f)
    never_tested(q, f)
    ask_pattern(q, f)
    for state in states.values():
        if state.resolved:
            f.flag("METHOD_DISCORDANCE_RESOLVED", "info", state.analyte)
    return f


def dual(q: Question, f: Findings) -> None:
    """G1. C10.5: what concerns a known antibody only is not repeated; C08 stands."""
    f.core = "C08"
    f.flag("DUAL_SRP_HMGCR", "major")
    for state in q.episode.states.values():
        confirm(q, f, state, q.priority)
    if not q.known("SRP"):
        hep2_against_srp(q, f)
        if q.episode.hep2_for_core == "NOT_TESTED":
            ask_hep2(q, f)
    new = [state for state in q.episode.states.values() if not q.known(state.analyte)]
    if new:
        ck_normal(q, f, new[0].analyte if len(new) == 1 else "")
        ck_missing(q, f, any(state.category == "POS_STRONG" for state in new))


def single(q: Question, f: Findings, state: AntibodyState) -> None:
    """G2 and G3; in follow-up of this antibody only its partner can ask something new (C10.5)."""
    other = q.episode.states[PARTNER[state.analyte]]
    strong = state.category == "POS_STRONG"
    priority = "routine" if strong else q.priority
    if q.known(state.analyte):
        if other.category == "EQUIVOCAL" and not q.known(other.analyte):
            f.core = "C09" if other.discordant else "C04"
            ck_missing(q, f, strong=False)
            if other.analyte == "SRP" and q.episode.hep2_for_core == "NOT_TESTED":
                ask_hep2(q, f)  # evaluated as new, hence as in G4
    else:
        {"SRP": positive_srp, "HMGCR": positive_hmgcr}[state.analyte](q, f, state, strong)
        ck_normal(q, f, state.analyte)
        ck_missing(q, f, strong)
    if other.category == "EQUIVOCAL" and q.known(state.analyte):
        new = not q.known(other.analyte)  # C10.5: evaluated as new; else there is a positive beside it (C4)
        equivocal(q, f, other, "major" if q.episode.hi and new else "minor", q.priority)
    elif other.category == "EQUIVOCAL":
        equivocal(q, f, other, "minor", "routine")
    partner(q, f, other.analyte, priority)


def positive_srp(q: Question, f: Findings, state: AntibodyState, strong: bool) -> None:
    pattern = q.episode.hep2_for_core
    hep2_against_srp(q, f)
    if pattern == "NOT_TESTED" and not state.confirmed:
        ask_hep2(q, f)
    if not strong:
        f.core = "C03"
        f.flag("MSA_LOW_POS_UNCONFIRMED", "major" if q.episode.hi else "minor", "SRP")
        confirm(q, f, state, q.priority)
        return
    f.core = "C10" if q.episode.band == "NORMAL" else "C01"
    f.flag("MSA_POSITIVE", "major", "SRP")
    if concordant(q.episode, "SRP"):
        f.flag("MSA_POS_CONCORDANT", "major", "SRP")
    wanted = srp_confirmation(q, pattern)
    if wanted:
        confirm(q, f, state, wanted)


SRP_STRONG: dict[str, dict[str, str]] = {  # C5 G2/SRP strong: confirmation by HEp-2 row and CK column
    "CYTO_COMPAT": {"hi": "", "MILD": "", "NORMAL": "routine", "UNKNOWN": ""},
    "NEG": {"hi": "urgent", "MILD": "routine", "NORMAL": "routine", "UNKNOWN": "routine"},
    "NUCLEAR": {"hi": "urgent", "MILD": "routine", "NORMAL": "routine", "UNKNOWN": "routine"},
    "CYTO_OTHER": {"hi": "urgent", "MILD": "routine", "NORMAL": "routine", "UNKNOWN": "routine"},
    "NOT_TESTED": {"hi": "", "MILD": "routine", "NORMAL": "routine", "UNKNOWN": "routine"},
}


def srp_confirmation(q: Question, pattern: str) -> str:
    hep2 = q.episode.hep2
    if pattern == "CYTO_COMPAT" and hep2 is not None and hep2.weak_titre:
        return "routine"  # C10.20: a low titre does not corroborate
    return SRP_STRONG[pattern]["hi" if q.episode.hi else q.episode.band]


def positive_hmgcr(q: Question, f: Findings, state: AntibodyState, strong: bool) -> None:
    """HEp-2 never changes anything here but an information flag."""
    if q.episode.hep2_for_core == "NEG":
        f.flag("HEP2_NEG_MSA_POS", "info", "HMGCR")
    if not strong:
        f.core = "C03"
        f.flag("MSA_LOW_POS_UNCONFIRMED", "major" if q.episode.hi else "minor", "HMGCR")
        confirm(q, f, state, q.priority)
        return
    f.core = "C10" if q.episode.band == "NORMAL" else "C02"
    f.flag("MSA_POSITIVE", "major", "HMGCR")
    if q.episode.hi:
        f.flag("MSA_POS_CONCORDANT", "major", "HMGCR")
    if not (state.best == "quant" and (q.episode.hi or q.episode.band == "UNKNOWN")):
        confirm(q, f, state, "routine")


def only_equivocal(q: Question, f: Findings, doubtful: list[AntibodyState]) -> None:
    """G4."""
    new = [state for state in doubtful if not q.known(state.analyte)]
    for state in doubtful:
        equivocal(q, f, state, "major" if q.episode.hi else "minor", q.priority)
    if new:
        f.core = "C09" if any(state.discordant for state in new) else "C04"
        ck_missing(q, f, strong=False)
    if any(state.analyte == "SRP" for state in new) and q.episode.hep2_for_core == "NOT_TESTED":
        ask_hep2(q, f)
    for analyte in ANTIBODIES:
        partner(q, f, analyte, q.priority)


def both_negative(q: Question, f: Findings) -> None:
    """G5, with another antibody positive (C10.3) or an earlier positive (C10.4) in the way of "seronegative"."""
    if q.episode.known:
        return
    e, compatible = q.episode, q.episode.hep2_for_core == "CYTO_COMPAT"
    seronegative = not q.others.positive and not any(strong_before(a, e) for a in ANTIBODIES)
    f.core = "C06" if e.hi else ("C13" if compatible else "C07")
    if not seronegative:
        f.core = "NONE"  # C10.4: "otherwise the flag alone", hence no C13 either
    if e.hi and seronegative:
        f.flag("SERONEG_HIGH_CK", "major")
    if compatible:
        f.flag("HEP2_CYTO_MSA_NEG", cytoplasm_severity(q), "ANA_HEP2")
        if e.hi and "ip" not in e.states["SRP"].families and "SRP" not in q.waiting and not q.others.positive:
            f.suggest("SRP", ("ip",), "urgent")
    if compatible or (e.hi and seronegative):
        ask_other_msa(q, f, "urgent" if compatible and e.hi else "routine")
    without_other_antibody(q, f)


def cytoplasm_severity(q: Question) -> str:
    if q.others.explains_cytoplasm:
        return "info"  # C10.3, C10.38
    return "major" if q.episode.hi else "minor"


def one_negative(q: Question, f: Findings, tested: AntibodyState) -> None:
    """G6."""
    other = PARTNER[tested.analyte]
    partner(q, f, other, q.priority)
    if q.episode.known:
        return
    f.core = "C05"
    if q.episode.hep2_for_core == "NEG":
        f.flag("ANA_NEG_NOT_EXCLUDING", "info", "ANA_HEP2")
    # Open (C5, closing lines): with the partner in progress the pattern waits for it.
    if q.episode.hep2_for_core == "CYTO_COMPAT" and other not in q.waiting:
        f.flag("HEP2_CYTO_MSA_INCOMPLETE", "info" if q.others.explains_cytoplasm else "minor", "ANA_HEP2")
        ask_other_msa(q, f, "routine")
    without_other_antibody(q, f)


def none_tested(q: Question, f: Findings) -> None:
    """G0."""
    if q.episode.known:
        return
    e, pattern = q.episode, q.episode.hep2_for_core
    awaited = [analyte for analyte in ANTIBODIES if analyte in q.waiting]
    if len(awaited) == len(ANTIBODIES) or (awaited and pattern != "CYTO_COMPAT"):
        if e.hi or pattern == "CYTO_COMPAT":
            f.flag("MSA_PENDING", "info")
        return
    if pattern == "CYTO_COMPAT":
        f.core = "C12"
        f.flag("HEP2_CYTO_MSA_UNTESTED", cytoplasm_severity(q), "ANA_HEP2")
        if e.hi or not q.others.explains_cytoplasm:
            first_tests(q, f, q.priority)
        ask_other_msa(q, f, q.priority)
    elif e.hi and (pattern != "NOT_TESTED" or suspected(e)):
        f.core = "C11" if pattern == "NEG" else "C22"
        f.flag("MSA_NOT_TESTED_CK_HIGH", "major")
        if pattern == "NEG":
            f.flag("ANA_NEG_NOT_EXCLUDING", "info", "ANA_HEP2")
        first_tests(q, f, "urgent" if e.band == "HIGH" else "routine")
    elif e.hi:
        f.flag("CK_HIGH_SINGLE", "info", "CK")
    without_other_antibody(q, f)


def first_tests(q: Question, f: Findings, priority: str) -> None:
    for analyte in ANTIBODIES:
        if analyte not in q.waiting:
            f.suggest(analyte, FIRST_TEST[analyte], priority)


def without_other_antibody(q: Question, f: Findings) -> None:
    """C10.3, C10.38: with another antibody found, comments about an unexplained picture are not posted."""
    if q.others.positive or (q.others.explains_cytoplasm and f.core in {"C12", "C13"}):
        f.core = "NONE"


def suspected(e: Episode) -> bool:
    """Suspicion recorded, an SRP/HMGCR result on file (C10.1), a positive HEp-2 without pattern (C10.19), or C10.17."""
    unspecified = e.hep2 is not None and e.hep2.category == "NOT_TESTED"
    on_file = any(e.of(analyte) for analyte in ANTIBODIES)
    return e.context.suspicion or on_file or unspecified or persistent_ck(e)


def persistent_ck(e: Episode) -> bool:
    """C10.17: two CK at least 4x, 7-90 d apart, none lower between, one within 30 d of the anchor."""
    cks = [r for r in e.valid_ck if r.ratio is not None]
    raised = [r for r in cks if r.ratio is not None and r.ratio >= 4]
    for first in raised:
        for second in raised:
            apart = days(first.day, second.day)
            between = [r for r in cks if first.day <= r.day <= second.day and r not in raised]
            recent = abs(days(second.day, e.anchor)) <= WINDOW or abs(days(first.day, e.anchor)) <= WINDOW
            if PERSISTENT_APART[0] <= apart <= PERSISTENT_APART[1] and not between and recent:
                return True
    return False
