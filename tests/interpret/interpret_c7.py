"""C6 and C7 read a second time: what is said beside the core table of what surrounds it and of what changed.

Written from clinical.md C6, C7 and C10, without a look at the rows. Each reading is of one change in the evidence; the tests
compare it with what the rows say with it and without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HI = ("MOD", "HIGH")
POSITIVE = ("POS_LOW", "POS_STRONG")
OTHER_METHOD = {("SRP", "blot"): ("quant", "ip"), ("HMGCR", "quant"): ("ip", "cba", "tissue")}
RISING = ("rising", "rising_ck_falling", "rising_ck_incomparable")
DIVERGING = ("rising_ck_falling", "falling_ck_rising")
INCOMPARABLE = ("rising_ck_incomparable", "falling_ck_incomparable")


@dataclass(frozen=True)
class Side:
    """One antibody as it stands (C3), known or not, and what became of it since (C7, O1)."""

    name: str
    state: str
    known: bool = False
    pending: bool = False
    change: str = "none"
    titre: str = "none"
    passive: bool = False
    beside_ck: bool = False

    @property
    def positive(self) -> bool:
        return self.state in POSITIVE


@dataclass(frozen=True)
class Surroundings:
    """Two antibodies, CK, and what C6 and C7 ask beside them. `low`: O3; `latest`, `rebound`, `was_high`: CK over time."""

    srp: Side
    hmgcr: Side
    ck: str = "UNKNOWN"
    ck_pending: bool = False
    latest: str = "UNKNOWN"
    low: str = "none"
    rebound: str = "none"
    was_high: bool = False
    creatinine_low: bool = False
    hep2_passive: bool = False
    extreme: bool = False
    age: int | None = 48
    statin: str = ""

    @property
    def sides(self) -> tuple[Side, Side]:
        return (self.srp, self.hmgcr)


@dataclass
class Added:
    """What is said in addition: flags as (code, analyte, severity), retests by analyte as (families, priority), classes."""

    flags: set[tuple[str, str, str]] = field(default_factory=set)
    retests: dict[str, set[tuple[tuple[str, ...], str]]] = field(default_factory=dict)
    comments: set[tuple[str, str]] = field(default_factory=set)
    beside: set[tuple[str, str]] = field(default_factory=set)
    deferred: bool = False

    def retest(self, analyte: str, families: tuple[str, ...], priority: str) -> None:
        self.retests.setdefault(analyte, set()).add((families, priority))


def added(at: Surroundings) -> Added:
    """All of C6 and C7 for these surroundings."""
    said = Added()
    for side, other in (at.sides, at.sides[::-1]):
        _change(at, side, other, said)
        _titre(at, side, said)
        _persistence(at, side, said)
    _ck_over_time(at, said)
    _overlays(at, said)
    _infusion(at, said)
    return said


def _change(at: Surroundings, side: Side, other: Side, said: Added) -> None:
    """L1-L4, C10.26."""
    doubted = False
    if side.change == "became_positive" and not side.passive:  # L1, not O1
        said.flags.add(("SEROCONVERSION", side.name, "major"))
        if not side.known and not side.pending:
            said.retest(side.name, OTHER_METHOD[side.name, "blot" if side.name == "SRP" else "quant"], "urgent")
        said.retest(side.name, ("same_new_specimen",), "urgent")
        said.comments.add(("C14", side.name))
    elif side.change == "became_negative" and side.name == "SRP":  # L3: no comment
        said.flags.add(("SEROREVERSION", "SRP", "minor"))
    elif side.change == "became_negative":  # L2
        doubted = True
        said.comments.add(("C14", "HMGCR"))
    elif side.change == "method_changed":  # L4; C10.26 for a known HMGCR that is negative now
        said.flags.add(("METHOD_CHANGE_NO_TREND", side.name, "info"))
        if side.name == "HMGCR" and side.known and side.state == "NEG" and at.ck in HI:
            doubted = True
            said.comments.add(("C14", "HMGCR"))
    elif side.change == "unrecorded" and at.ck in HI:  # C10.26 without an earlier result
        doubted = True
        if not other.positive:
            said.comments.add(("C14", "HMGCR"))
    if doubted:
        said.flags.add(("SEROREVERSION_UNEXPECTED", "HMGCR", "major"))
        said.retest("HMGCR", ("same_new_specimen",), "urgent")


def _titre(at: Surroundings, side: Side, said: Added) -> None:
    """L5, L6, C10.33."""
    if side.titre in RISING:
        said.flags.add(("TITRE_RISING", side.name, "minor"))
    if side.titre in INCOMPARABLE:
        said.flags.add(("METHOD_CHANGE_NO_TREND", side.name, "info"))
    if side.titre in DIVERGING:
        said.flags.add(("TITRE_CK_DIVERGENCE", side.name, "minor"))
        said.retest(side.name, ("same_new_specimen",), "routine")
        if not at.ck_pending:
            said.retest("CK", ("enzymatic",), "routine")
        said.beside.add(("C16", side.name))


def _persistence(at: Surroundings, side: Side, said: Added) -> None:
    """L7: not where the low CK is not believed (O3)."""
    followed = side.known and side.positive and side.beside_ck
    if followed and at.latest == "NORMAL" and at.was_high and at.low == "none":
        said.flags.add(("CK_NORMALISED_AB_PERSISTENT", side.name, "info"))
        said.beside.add(("C15", side.name))


def _ck_over_time(at: Surroundings, said: Added) -> None:
    """L8 in monitoring; L9 in monitoring or beside a positive antibody, not where O3 suppresses it."""
    monitored = any(side.known for side in at.sides)
    if monitored and at.rebound == "rebound":
        said.flags.add(("CK_REBOUND", "", "major"))
        if not at.ck_pending:
            said.retest("CK", ("enzymatic",), "routine")
        said.beside.add(("C25", ""))
    if monitored and at.rebound == "incomparable":
        said.flags.add(("METHOD_CHANGE_NO_TREND", "", "info"))
    asks = monitored or any(side.positive for side in at.sides)
    if asks and at.creatinine_low and at.latest in ("NORMAL", "MILD") and at.low in ("none", "low_muscle_mass"):
        said.flags.add(("SARCOPENIA_CAVEAT", "", "minor"))
        said.beside.add(("C17", ""))


def _overlays(at: Surroundings, said: Added) -> None:
    """O3 with C10.29 and C10.13, O4, O5, O6 with C10.31."""
    if at.low != "none":
        said.flags.add(("CK_LOW_DISCORDANT", "", "major"))
        if not at.ck_pending:
            said.retest("CK", ("enzymatic_diluted",), "urgent" if at.low == "discordant" else "routine")
        said.comments.add(("C24", ""))
    if at.extreme:
        said.flags.add(("CK_EXTREME", "", "critical"))
    if at.age is not None and at.age < 18:
        said.flags.add(("PAEDIATRIC_CONTEXT", "", "info"))
    elif at.statin == "Y" and at.hmgcr.state != "NOT_TESTED":
        said.flags.add(("STATIN_CONTEXT", "HMGCR", "info"))


def _infusion(at: Surroundings, said: Added) -> None:
    """O1 with C10.6: no delay beside a strong antibody or a high CK; then C20 is said beside the comment."""
    if not (at.hep2_passive or at.srp.passive or at.hmgcr.passive):
        return
    said.flags.add(("PASSIVE_AB_POSSIBLE", "", "minor"))
    if at.hep2_passive:
        said.retest("ANA_HEP2", ("hep2_iif",), "routine")
    strong = [side.name for side in at.sides if side.state == "POS_STRONG"]
    if at.ck in HI or strong:
        said.beside.add(("C20", ""))
        return
    said.comments.add(("C20", ""))
    said.deferred = True
