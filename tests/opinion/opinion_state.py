"""C3 with C10.2, C10.9, C10.22, C10.23: one state per antibody out of all its results of an episode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from opinion_record import Reading, days

WINDOW = 30  # C3
HISTORY = 180  # C10.1
CONFIRM_LATER = (31, 180)  # C10.9
REPEAT = 14  # C10.2: the same method repeated within this is the same question asked twice
IVIG_DAYS = 90  # O1, C10.9
TIER: dict[str, int] = {"ip": 1, "cba": 1, "quant": 2, "blot": 3, "tissue": 4}  # C2; tissue is untiered support
STRENGTH = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG")


@dataclass(frozen=True)
class AntibodyState:
    analyte: str
    category: str = "NOT_TESTED"
    confirmed: bool = False
    discordant: bool = False
    resolved: bool = False
    best: str = ""
    window: tuple[Reading, ...] = ()
    corroborated_by: tuple[Reading, ...] = ()

    @property
    def families(self) -> set[str]:
        """Families that already have a usable result (C10.22)."""
        return {reading.family for reading in self.window}

    @property
    def positive(self) -> bool:
        return self.category in {"POS_LOW", "POS_STRONG"}

    @property
    def newest_positive(self) -> Reading | None:
        found = [reading for reading in self.window if reading.positive and reading.family != "tissue"]
        return max(found, key=lambda reading: reading.day, default=None)


@dataclass(frozen=True)
class FamilyView:
    """One family reduced to one category (C10.2): both signs at once are a disagreement."""

    family: str
    category: str
    disagrees: bool
    methods: frozenset[str]

    @property
    def sign(self) -> str:
        if self.disagrees:
            return "both"
        return {"NEG": "neg", "EQUIVOCAL": ""}.get(self.category, "pos")


def aggregate(
    analyte: str, readings: Iterable[Reading], anchor: date, *, monitored: bool = False, ivig: date | None = None
) -> AntibodyState:
    """The state of one antibody as of an anchor."""
    own = [reading for reading in readings if reading.analyte == analyte and reading.day <= anchor]
    recent = [reading for reading in own if days(reading.day, anchor) <= HISTORY]  # C10.1: older ones are no part of C3
    window = in_window(recent)
    if not window:
        return AntibodyState(analyte)
    state = compare(analyte, window, monitored=monitored)
    open_still = state.category != "NEG" and not state.confirmed and not state.discordant
    earlier = confirmed_earlier(state, recent, ivig) if open_still else ()
    if earlier:
        return AntibodyState(analyte, "POS_STRONG", True, best=state.best, window=window, corroborated_by=earlier)
    return state


def in_window(current: list[Reading]) -> tuple[Reading, ...]:
    """Results within 30 d of the newest; tissue is support, so it does not move the window of a specific assay (C2)."""
    specific = [reading for reading in current if reading.family != "tissue"]
    newest = max((reading.day for reading in specific or current), default=None)
    if newest is None:
        return ()
    return tuple(reading for reading in current if abs(days(reading.day, newest)) <= WINDOW)


def reduce_family(family: str, results: list[Reading], *, monitored: bool) -> FamilyView:
    """The latest counts when they agree; of one day's results the strongest, so that none is lost (C10.32)."""
    latest = max(reading.day for reading in results)
    category = max((r.category for r in results if r.day == latest), key=STRENGTH.index)
    disagrees = any(disagree(*sorted(pair, key=lambda r: r.day), monitored) for pair in combinations(results, 2))
    return FamilyView(family, category, disagrees, frozenset(reading.line.method for reading in results))


def disagree(earlier: Reading, later: Reading, monitored: bool) -> bool:
    """C10.2: a positive and a NEG of one family that ask for an explanation."""
    if not ((earlier.positive and later.negative) or (earlier.negative and later.positive)):
        return False
    apart = days(earlier.day, later.day)
    if differs(earlier, later) or apart < REPEAT:
        return True
    if earlier.negative:  # 14-30 d apart: a seroconversion (L1), which needs the same stated manufacturer (C10.27)
        return earlier.kit != later.kit
    return not monitored


def differs(one: Reading, other: Reading) -> bool:
    """Another method or manufacturer; one not stated is not the same as one that is (C10.27)."""
    return one.kit != other.kit


def compare(analyte: str, window: tuple[Reading, ...], *, monitored: bool) -> AntibodyState:
    """C3.1-C3.4 over the families, each already reduced."""
    families = sorted({reading.family for reading in window}, key=TIER.__getitem__)
    views = [
        reduce_family(family, [reading for reading in window if reading.family == family], monitored=monitored)
        for family in families
    ]
    specific = [view for view in views if view.family != "tissue"]
    if not specific:
        return tissue_alone(analyte, views[0], window)
    best = specific[0].family
    first = [view for view in specific if TIER[view.family] == 1 and view.sign]
    others = [view for view in specific if TIER[view.family] > 1]
    tissue = any(view.family == "tissue" and view.sign == "pos" for view in views)
    if first:
        return decide_by_tier1(analyte, first, others, window)
    signs = {view.sign for view in others}
    if analyte == "HMGCR" and tissue and "pos" in signs and "both" not in signs:
        # C2: independent native antigen; with a NEG of another family too, two positives stand (C3.2). What disagrees
        # within a family only tier 1 decides (C10.2).
        positive = next(view.family for view in others if view.sign == "pos")
        return AntibodyState(analyte, "POS_STRONG", True, best=positive, window=window)
    if "both" in signs or {"pos", "neg"} <= signs:
        return AntibodyState(analyte, "EQUIVOCAL", discordant=True, best=best, window=window)
    if sum(view.sign == "pos" for view in others) >= 2:
        return AntibodyState(analyte, "POS_STRONG", True, best=best, window=window)  # C3.2
    return AntibodyState(analyte, specific[0].category, best=best, window=window)


def tissue_alone(analyte: str, view: FamilyView, window: tuple[Reading, ...]) -> AntibodyState:
    """C2: a tissue pattern without any specific assay is at most equivocal."""
    category = "NEG" if view.sign == "neg" else "EQUIVOCAL"
    return AntibodyState(analyte, category, best="tissue", window=window)


def decide_by_tier1(
    analyte: str, first: list[FamilyView], others: list[FamilyView], window: tuple[Reading, ...]
) -> AntibodyState:
    """C3.2, C3.3 and its limits in C10.23."""
    best = first[0].family
    signs = {view.sign for view in first}
    unresolved = AntibodyState(analyte, "EQUIVOCAL", discordant=True, best=best, window=window)
    if "both" in signs or len(signs) > 1:
        return unresolved
    doubted = any(view.sign == "both" for view in others)
    if signs == {"pos"}:
        resolved = doubted or any(view.sign == "neg" for view in others)
        return AntibodyState(analyte, "POS_STRONG", True, resolved=resolved, best=best, window=window)
    positive_families = {view.family for view in others if view.sign in {"pos", "both"}}
    single = len({method for view in first for method in view.methods}) == 1
    if positive_families == {"blot", "quant"} and single:
        return unresolved
    return AntibodyState(analyte, "NEG", resolved=bool(positive_families), best=best, window=window)


def confirmed_earlier(state: AntibodyState, own: list[Reading], ivig: date | None) -> tuple[Reading, ...]:
    """C10.9: a positive of another family 31-180 d before, nothing negative between, not passively acquired."""
    last = {r.family: max((x for x in state.window if x.family == r.family), key=rank_in_time) for r in state.window}
    positive = [r for r in last.values() if r.positive and r.family != "tissue"]  # C10.2: the latest of a family counts
    newest = max(positive, key=lambda r: r.day, default=None)
    if newest is None or from_infusion(newest, ivig):
        return ()
    for earlier in sorted(own, key=lambda r: (r.day, r.line.received, r.line.filler), reverse=True):
        apart = days(earlier.day, newest.day)
        if not (earlier.positive and CONFIRM_LATER[0] <= apart <= CONFIRM_LATER[1]):
            continue
        if from_infusion(earlier, ivig):
            continue
        if any(r.negative and r.family != "tissue" and earlier.day <= r.day <= newest.day for r in own):
            continue
        if corroborates(earlier, newest):
            return (earlier,)
    return ()


def rank_in_time(reading: Reading) -> tuple[date, int]:
    return (reading.day, STRENGTH.index(reading.category))


def from_infusion(reading: Reading, ivig: date | None) -> bool:
    """Open (C10.9): neither of the two may have come with an infusion."""
    return ivig is not None and 0 <= days(ivig, reading.day) <= IVIG_DAYS


def corroborates(earlier: Reading, newest: Reading) -> bool:
    tiers = {TIER[earlier.family], TIER[newest.family]}
    if "tissue" in {earlier.family, newest.family}:
        return False  # C10.9 counts for C3.2, in which tissue takes no part (C3.4)
    return earlier.family != newest.family and min(tiers) <= 2


# --- retests of an antibody -----------------------------------------------------------------------------------------

OTHER_METHOD: dict[tuple[str, str], tuple[str, ...]] = {  # C4, "Other method" lists
    ("SRP", "blot"): ("quant", "ip"),
    ("SRP", "quant"): ("ip", "blot"),
    ("HMGCR", "blot"): ("quant", "ip", "cba"),
    ("HMGCR", "quant"): ("ip", "cba", "tissue"),
    # Open (C4): from tissue alone any specific assay is a different method.
    ("SRP", "tissue"): ("quant", "blot", "ip"),
    ("HMGCR", "tissue"): ("quant", "ip", "cba"),
}
REFERENCE: dict[str, tuple[str, ...]] = {"SRP": ("ip",), "HMGCR": ("ip", "cba")}  # C4 discordant, C10.22
FIRST_TEST: dict[str, tuple[str, ...]] = {"SRP": ("quant", "blot"), "HMGCR": ("quant",)}  # C5 "partner"


def other_method(state: AntibodyState) -> tuple[str, ...]:
    """C4 and C10.22: another family than any that already has a usable result; else the reference laboratory."""
    usual = REFERENCE[state.analyte]
    if not state.discordant:
        usual = OTHER_METHOD.get((state.analyte, state.best), usual)
    return tuple(family for family in usual if family not in state.families) or REFERENCE[state.analyte]
