"""C5 written down a second time, as a procedure read off clinical.md, sharing nothing with the product but its words.

The product decides by rows; this decides by if. Where the two disagree one of them misread the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

POSITIVE = ("POS_STRONG", "POS_LOW")
HI = ("MOD", "HIGH")
PATTERNS = ("CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG", "NOT_TESTED")
BANDS = ("NORMAL", "MILD", "MOD", "HIGH", "UNKNOWN")
STATES = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG", "NOT_TESTED")
SEVERITIES = ("info", "minor", "major")

# C4, "Other method" lists: what may follow a blot, a quantitative test; a discordant analyte; nothing left (C10.22).
LISTS = {
    ("SRP", "blot"): ("quant", "ip"),
    ("SRP", "quant"): ("ip", "blot"),
    ("HMGCR", "blot"): ("quant", "ip", "cba"),
    ("HMGCR", "quant"): ("ip", "cba", "tissue"),
    ("SRP", "discordant"): ("ip",),
    ("HMGCR", "discordant"): ("ip", "cba"),
}
REFERENCE = {"SRP": ("ip",), "HMGCR": ("ip", "cba")}
UNTESTED = {"SRP": ("quant", "blot"), "HMGCR": ("quant",)}
SINGLE = {"ANA_HEP2": ("hep2_iif",), "CK": ("enzymatic",), "OTHER_MSA": ("blot", "quant", "ip")}


@dataclass(frozen=True)
class Antibody:
    """One antibody of a combination: state, family it rests on, and whether confirmed or discordant."""

    name: str
    state: str
    source: str = "blot"
    confirmed: bool = False
    discordant: bool = False
    pending: bool = False
    known: bool = False
    partner_tested: bool = False
    once_positive: bool = False

    @property
    def used(self) -> tuple[str, ...]:
        if self.state == "NOT_TESTED":
            return ()
        return ("blot", "quant") if self.discordant or (self.confirmed and self.source != "ip") else (self.source,)


@dataclass
class Said:
    """Flags with their severity, retests with families and priority, one comment class."""

    flags: dict[str, str] = field(default_factory=dict)
    retests: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    comment: str = "NONE"

    def flag(self, code: str, severity: str) -> None:
        before = self.flags.get(code, "info")
        self.flags[code] = max(before, severity, key=SEVERITIES.index)

    def retest(self, analyte: str, families: tuple[str, ...], priority: str) -> None:
        before = self.retests.get(analyte)
        urgent = priority == "urgent" or (before is not None and before[1] == "urgent")
        self.retests[analyte] = (before[0] if before else families, "urgent" if urgent else "routine")

    def single(self, analyte: str, priority: str) -> None:
        self.retest(analyte, SINGLE[analyte], priority)


@dataclass(frozen=True)
class Combination:
    """One cell of the core table, with its context: what C5 asks in G0, and what C10 adds.

    `others`: `positive` (another myositis-specific antibody), `synthetase` (one that explains the cytoplasm), `before` (such
    a one of long ago), `tested`
    (six and more negative). `titre_low`: C10.20. `undescribed`: a cytoplasm without pattern, `unspecified`: positive
    without any (C10.19 c, a).
    """

    srp: Antibody
    hmgcr: Antibody
    hep2: str
    ck: str
    suspicion: bool = False
    persistent: bool = False
    ck_pending: bool = False
    hep2_pending: bool = False
    others: str = ""
    others_pending: bool = False
    titre_low: bool = False
    undescribed: bool = False
    unspecified: bool = False

    @property
    def another(self) -> bool:
        return self.others in ("positive", "synthetase")

    @property
    def explained(self) -> bool:
        return self.others in ("synthetase", "before")

    @property
    def hi(self) -> bool:
        return self.ck in HI

    @property
    def pr(self) -> str:
        return "urgent" if self.hi else "routine"

    @property
    def severity(self) -> str:
        return "major" if self.hi else "minor"


def core(at: Combination) -> Said:
    """What the core table says of one combination."""
    said = Said()
    if at.srp.known or at.hmgcr.known:
        _monitoring(at, said)
    else:
        _table(at, said)
    srp_open = not at.srp.known and at.srp.state in ("NOT_TESTED", "NEG")
    if at.unspecified and srp_open and at.hmgcr.state not in POSITIVE:  # P5: HEp-2 changes nothing beside HMGCR
        said.single("ANA_HEP2", "routine")
    if at.another and (at.srp.state in POSITIVE or at.hmgcr.state in POSITIVE):
        said.flag("MULTI_MSA", "major")  # O2; the others of these combinations are strong
        said.retest("OTHER_MSA", ("quant", "ip"), "routine")
        said.comment = "C08" if said.comment == "C08" else "C23"
    _in_progress(at, said)
    if at.another and said.comment not in ("C01", "C02", "C03", "C04", "C08", "C09", "C10", "C14", "C23"):
        said.comment = "NONE"  # C10.3
    return said


def _table(at: Combination, said: Said) -> None:
    states = (at.srp.state, at.hmgcr.state)
    positive = [one for one in (at.srp, at.hmgcr) if one.state in POSITIVE]
    if len(positive) == 2:
        _g1(at, said)
    elif positive:
        one = positive[0]
        partner = at.hmgcr if one is at.srp else at.srp
        {"POS_STRONG": _g2, "POS_LOW": _g3}[one.state](at, one, partner, said)
    elif "EQUIVOCAL" in states:
        _g4(at, said)
    elif states == ("NEG", "NEG"):
        _g5(at, said)
    elif "NEG" in states:
        _g6(at, said)
    else:
        _g0(at, said)
    for one, code, severity in (
        (at.srp, "SEROREVERSION", "minor"),
        (at.hmgcr, "SEROREVERSION_UNEXPECTED", "major"),
    ):
        if one.state == "NEG" and one.once_positive:
            said.flag(code, severity)  # C10.4
            if at.ck in HI:
                asked = said.retests.get(one.name, ((), ""))[0]  # SRP by ip beside a fitting pattern
                said.retests[one.name] = ((*asked, "same_new_specimen"), "urgent")
                said.comment = "C14"
    if at.ck == "UNKNOWN" and (positive or "EQUIVOCAL" in states):
        said.flag("CK_MISSING", "minor")
        said.single("CK", "urgent" if "POS_STRONG" in states else "routine")


def _monitoring(at: Combination, said: Said) -> None:
    """C10.5: one antibody is known. It is left alone; the other is judged as new; both positive now is C08."""
    known, new = (at.srp, at.hmgcr) if at.srp.known else (at.hmgcr, at.srp)
    if new.state in POSITIVE and known.state in POSITIVE:
        _g1(at, said)
    elif new.state == "POS_STRONG":
        _g2(at, new, known, said)
    elif new.state == "POS_LOW":
        _g3(at, new, known, said)
    elif new.state == "EQUIVOCAL":
        _g4(replace(at, **{new.name.lower(): new, known.name.lower(): replace(known, state="NEG")}), said)
    elif new.state == "NOT_TESTED" and not new.pending and not known.partner_tested:
        _partner(new, "routine", said)
    if known.state == "EQUIVOCAL":  # C3 silences other flags, not these
        raised = at.ck in HI and new.state not in POSITIVE
        said.flag(
            "METHOD_DISCORDANCE" if known.discordant else "MSA_EQUIVOCAL",
            "major" if known.discordant or raised else "minor",
        )
    if at.ck == "UNKNOWN" and new.state in (*POSITIVE, "EQUIVOCAL"):
        said.flag("CK_MISSING", "minor")
        said.single("CK", "urgent" if new.state == "POS_STRONG" else "routine")


def _in_progress(at: Combination, said: Said) -> None:
    """C4, C10.13: what is in progress is neither missing nor recommended."""
    waiting = {"SRP": at.srp.pending, "HMGCR": at.hmgcr.pending, "CK": at.ck_pending}
    waiting |= {"ANA_HEP2": at.hep2_pending, "OTHER_MSA": at.others_pending}
    for analyte in [name for name, pending in waiting.items() if pending]:
        said.retests.pop(analyte, None)
    if at.ck_pending:
        said.flags.pop("CK_MISSING", None)


def _confirm(one: Antibody, priority: str, said: Said) -> None:
    """Other method, unless confirmed; families used already are never offered again."""
    if one.confirmed or one.known:
        return
    offered = LISTS[(one.name, "discordant" if one.discordant else one.source)]
    left = tuple(family for family in offered if family not in one.used)
    said.retest(one.name, left or REFERENCE[one.name], priority)


def _partner(partner: Antibody, priority: str, said: Said) -> None:
    if partner.state == "NOT_TESTED" and not partner.known and partner.pending:
        said.flag("PARTNER_PENDING", "info")
    elif partner.state == "NOT_TESTED" and not partner.known:
        said.flag("PARTNER_MISSING", "major" if priority == "urgent" else "minor")
        said.retest(partner.name, UNTESTED[partner.name], priority)


def _equivocal_partner(partner: Antibody, said: Said) -> None:
    if partner.state != "EQUIVOCAL" or partner.known:
        return
    if partner.discordant:
        said.flag("METHOD_DISCORDANCE", "major")
    else:
        said.flag("MSA_EQUIVOCAL", "minor")
    _confirm(partner, "routine", said)


def _g1(at: Combination, said: Said) -> None:
    said.comment = "C08"
    said.flag("DUAL_SRP_HMGCR", "major")
    _confirm(at.srp, at.pr, said)
    _confirm(at.hmgcr, at.pr, said)
    if at.srp.known:
        pass
    elif at.hep2 == "NEG":
        said.flag("HEP2_NEG_MSA_POS", "info" if at.srp.confirmed else at.severity)
    elif at.hep2 in ("NUCLEAR", "CYTO_OTHER"):
        _inconsistent(at, said)
    elif at.hep2 == "NOT_TESTED":
        said.single("ANA_HEP2", "routine")
    if at.ck == "NORMAL":
        said.flag("MSA_POS_CK_NORMAL", "minor")


def _inconsistent(at: Combination, said: Said) -> None:
    said.flag("HEP2_PATTERN_INCONSISTENT", "info" if at.srp.confirmed else "minor")
    if at.hep2 == "CYTO_OTHER" and at.undescribed:
        said.single("ANA_HEP2", "routine")


def _g2(at: Combination, one: Antibody, partner: Antibody, said: Said) -> None:
    said.comment = "C10" if at.ck == "NORMAL" else {"SRP": "C01", "HMGCR": "C02"}[one.name]
    said.flag("MSA_POSITIVE", "major")
    _partner(partner, "routine", said)
    _equivocal_partner(partner, said)
    if at.ck == "NORMAL":
        said.flag("MSA_POS_CK_NORMAL", "minor")
    if one.name == "SRP":
        _g2_srp(at, said)
    else:
        _g2_hmgcr(at, said)


def _g2_srp(at: Combination, said: Said) -> None:
    confirmed = at.srp.confirmed
    weak = at.hep2 == "CYTO_COMPAT" and at.titre_low
    if weak:
        _confirm(at.srp, "routine", said)
    if at.hi and (confirmed or (at.hep2 == "CYTO_COMPAT" and not weak)):
        said.flag("MSA_POS_CONCORDANT", "major")
    urgent = "urgent" if at.hi else "routine"
    if at.hep2 == "NEG":
        said.flag("HEP2_NEG_MSA_POS", "info" if confirmed else at.severity)
        _confirm(at.srp, urgent, said)
    elif at.hep2 in ("NUCLEAR", "CYTO_OTHER"):
        _inconsistent(at, said)
        _confirm(at.srp, urgent, said)
    elif at.hep2 == "NOT_TESTED":
        if not confirmed:
            said.single("ANA_HEP2", "routine")
        if not at.hi:
            _confirm(at.srp, "routine", said)
    elif at.ck == "NORMAL":
        _confirm(at.srp, "routine", said)


def _g2_hmgcr(at: Combination, said: Said) -> None:
    if at.hep2 == "NEG":
        said.flag("HEP2_NEG_MSA_POS", "info")
    if at.hi:
        said.flag("MSA_POS_CONCORDANT", "major")
    wanted = {"blot": BANDS, "quant": ("NORMAL", "MILD"), "ip": ()}[at.hmgcr.source]
    if at.ck in wanted:
        _confirm(at.hmgcr, "routine", said)


def _g3(at: Combination, one: Antibody, partner: Antibody, said: Said) -> None:
    said.comment = "C03"
    said.flag("MSA_LOW_POS_UNCONFIRMED", at.severity)
    _confirm(one, at.pr, said)
    _partner(partner, at.pr, said)
    _equivocal_partner(partner, said)
    if at.ck == "NORMAL":
        said.flag("MSA_POS_CK_NORMAL", "minor")
    if at.hep2 == "NEG":
        said.flag("HEP2_NEG_MSA_POS", at.severity if one.name == "SRP" else "info")
    if one.name == "SRP" and at.hep2 in ("NUCLEAR", "CYTO_OTHER"):
        _inconsistent(at, said)
    if one.name == "SRP" and at.hep2 == "NOT_TESTED":
        said.single("ANA_HEP2", "routine")


def _g4(at: Combination, said: Said) -> None:
    equivocal = [one for one in (at.srp, at.hmgcr) if one.state == "EQUIVOCAL"]
    said.comment = "C09" if any(one.discordant for one in equivocal) else "C04"
    for one in equivocal:
        if one.discordant:
            said.flag("METHOD_DISCORDANCE", "major")
        else:
            said.flag("MSA_EQUIVOCAL", at.severity)
        _confirm(one, at.pr, said)
    if at.srp.state == "EQUIVOCAL" and at.hep2 == "NOT_TESTED":
        said.single("ANA_HEP2", "routine")
    for one in (at.srp, at.hmgcr):
        _partner(one, at.pr, said)


def _g5(at: Combination, said: Said) -> None:
    if at.srp.once_positive or at.hmgcr.once_positive:
        _g5_compatible(at, said)  # C10.4: neither SERONEG_HIGH_CK nor a comment; what the fluorescence asks stays
        return
    if at.another:
        said.comment = "NONE"
    elif at.hi:
        said.comment = "C06"
        said.flag("SERONEG_HIGH_CK", "major")
        if at.hep2 != "CYTO_COMPAT":
            _others(at, "routine", said)
    else:
        said.comment = "C07"
        if at.hep2 == "CYTO_COMPAT":
            said.comment = "NONE" if at.explained else "C13"
    _g5_compatible(at, said)


def _g5_compatible(at: Combination, said: Said) -> None:
    if at.hep2 != "CYTO_COMPAT":
        return
    said.flag("HEP2_CYTO_MSA_NEG", "info" if at.explained else at.severity)
    _others(at, at.pr, said)
    if at.hi and at.srp.source != "ip" and not at.another:
        said.retest("SRP", ("ip",), "urgent")


def _others(at: Combination, priority: str, said: Said) -> None:
    """OTHER_MSA, where it was not tested enough (C10.37), none is positive (C10.3) or explains the pattern (C10.38)."""
    if at.another or (at.explained and at.hep2 == "CYTO_COMPAT"):
        return
    if at.others != "tested":
        said.single("OTHER_MSA", priority)
    elif at.hep2 == "CYTO_COMPAT" and at.hi:
        said.retest("OTHER_MSA", ("ip",), priority)


def _g6(at: Combination, said: Said) -> None:
    said.comment = "C05"
    untested = at.srp if at.srp.state == "NOT_TESTED" else at.hmgcr
    _partner(untested, at.pr, said)
    if at.hep2 == "NEG":
        said.flag("ANA_NEG_NOT_EXCLUDING", "info")
    if at.hep2 == "CYTO_COMPAT" and not untested.pending:
        said.flag("HEP2_CYTO_MSA_INCOMPLETE", "info" if at.explained else "minor")
        if at.others != "tested":
            _others(at, "routine", said)


def _g0(at: Combination, said: Said) -> None:
    pending = (at.srp.pending, at.hmgcr.pending)
    if at.hep2 == "CYTO_COMPAT":
        if all(pending):
            said.flag("MSA_PENDING", "info")
            return
        said.comment = "NONE" if at.explained else "C12"
        said.flag("HEP2_CYTO_MSA_UNTESTED", "info" if at.explained else at.severity)
        if at.hi or not at.explained:
            for analyte in UNTESTED:
                said.retest(analyte, UNTESTED[analyte], at.pr)
        _others(at, at.pr, said)
        return
    if not at.hi:
        return
    if any(pending):
        said.flag("MSA_PENDING", "info")
        return
    if at.hep2 == "NOT_TESTED" and not (at.suspicion or at.persistent or at.unspecified):
        said.flag("CK_HIGH_SINGLE", "info")
        return
    said.flag("MSA_NOT_TESTED_CK_HIGH", "major")
    for analyte in UNTESTED:
        said.retest(analyte, UNTESTED[analyte], "urgent" if at.ck == "HIGH" else "routine")
    said.comment = "C22"
    if at.hep2 == "NEG":
        said.flag("ANA_NEG_NOT_EXCLUDING", "info")
        said.comment = "C11"
