"""The episode: its anchor, HEp-2, the CK that counts and what is known (C2, O3, C10.1, C10.5, C10.29, C10.33)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from opinion_record import ANTIBODIES, PARTNER, Reading, Standing, days
from opinion_state import HISTORY, IVIG_DAYS, WINDOW, AntibodyState, aggregate

ANCHORING = {"SRP", "HMGCR", "ANA_HEP2", "CK"}  # C10.1
HEP2_ORDER = ("NOT_TESTED", "NEG", "NUCLEAR", "CYTO_OTHER", "CYTO_COMPAT")
CK_ARTEFACT = 20  # O3, U/L
FALL_DAYS = 3  # C10.29: 72 h
BURST_DAYS = 14  # O3
HIGH_BANDS = {"MOD", "HIGH"}


@dataclass(frozen=True)
class Context:
    """What is on file besides results."""

    suspicion: bool = False
    statin: bool = False
    ivig: date | None = None
    recorded: frozenset[str] = frozenset()
    partner_tested: frozenset[str] = frozenset()
    comment_posted: bool = False


@dataclass(frozen=True)
class Episode:
    today: date
    anchor: date
    context: Context
    readings: tuple[Reading, ...]
    states: dict[str, AntibodyState]
    known: frozenset[str]
    hep2: Reading | None
    ck: Reading | None
    index: date | None = None
    centre: date | None = None
    set_aside: tuple[Reading, ...] = ()
    passive: frozenset[str] = field(default_factory=frozenset)

    @property
    def band(self) -> str:
        return self.ck.band if self.ck else "UNKNOWN"

    @property
    def hi(self) -> bool:
        return self.band in HIGH_BANDS

    @property
    def hep2_state(self) -> str:
        return self.hep2.category if self.hep2 else "NOT_TESTED"

    @property
    def hep2_for_core(self) -> str:
        """O1: a compatible cytoplasm after IVIG counts as not tested for C5."""
        return "NOT_TESTED" if "ANA_HEP2" in self.passive else self.hep2_state

    @property
    def valid_ck(self) -> tuple[Reading, ...]:
        return tuple(r for r in self.of("CK") if r not in self.set_aside)

    def of(self, analyte: str) -> tuple[Reading, ...]:
        found = [reading for reading in self.readings if reading.analyte == analyte]
        return tuple(sorted(found, key=lambda reading: reading.day))

    def category(self, analyte: str) -> str:
        return self.states[analyte].category

    def any_strong(self) -> bool:
        return any(state.category == "POS_STRONG" for state in self.states.values())


def open_episode(readings: Iterable[Reading], standing: Standing, context: Context) -> Episode:
    """The episode as it stands, with what earlier results make known (C10.5)."""
    everything = tuple(readings)
    today = standing.today
    # Open (C10.1): without any usable result the newest of the others stands in for the anchor.
    others = [r.day for r in everything if r.analyte == "OTHER_MSA"]
    unused = (*standing.withdrawn, *standing.invalid, *standing.pending, *standing.cancelled_on_ana)
    others += [line.collected for line in unused]
    others += [problem.line.collected for problem in standing.problems]
    fallback = max((day for day in others if day <= today), default=today)
    anchor = max((r.day for r in everything if r.analyte in ANCHORING), default=fallback)
    known = context.recorded | {
        analyte for analyte in ANTIBODIES if established_before(analyte, everything, anchor, context)
    }
    return view(everything, today, anchor, context, frozenset(known))


def view(readings: tuple[Reading, ...], today: date, anchor: date, context: Context, known: frozenset[str]) -> Episode:
    states = {
        analyte: aggregate(analyte, readings, anchor, monitored=analyte in known, ivig=context.ivig)
        for analyte in ANTIBODIES
    }
    index = max(
        (r.day for r in readings if r.analyte in {*ANTIBODIES, "ANA_HEP2"} and days(r.day, anchor) <= HISTORY),
        default=None,
    )
    hep2 = latest_hep2(readings, anchor)
    strong = any(state.category == "POS_STRONG" for state in states.values())
    set_aside = tuple(r for r in readings if r.analyte == "CK" and low_discordant(r, readings, (anchor, index), strong))
    usable_ck = [r for r in readings if r.analyte == "CK" and r not in set_aside]
    if monitoring(states, known):
        centre, ck = anchor, latest_before(usable_ck, anchor)
    else:
        centre = window_centre(states, usable_ck, index, today)
        ck = highest_around(usable_ck, centre)
    passive = passively_acquired(states, readings, hep2, context, known)
    return Episode(today, anchor, context, readings, states, known, hep2, ck, index, centre, set_aside, passive)


def monitoring(states: dict[str, AntibodyState], known: frozenset[str]) -> bool:
    """Open (C10.5, C10.33): CK is read as in follow-up unless the other antibody asks a new question."""
    new = [a for a in ANTIBODIES if a not in known and (states[a].positive or states[a].category == "EQUIVOCAL")]
    return bool(known) and not new


def latest_hep2(readings: tuple[Reading, ...], anchor: date) -> Reading | None:
    current = [r for r in readings if r.analyte == "ANA_HEP2" and 0 <= days(r.day, anchor) <= HISTORY]
    # Open (C10.19): a positive without pattern does not take away a pattern that was described before.
    in_time = sorted(current, key=lambda r: (r.day, r.category == "NOT_TESTED", r.line.received, r.line.filler))
    latest = in_time[-1] if in_time else None
    if latest is not None and latest.category == "NOT_TESTED":
        described = [r for r in current if r.category != "NOT_TESTED"]
        newest = max((r.day for r in described), default=None)
        last = [r for r in described if r.day == newest]
        current = [latest] if all(r.category == "NEG" for r in last) else last
    return max(
        current, key=lambda r: (r.day, HEP2_ORDER.index(r.category), r.line.received, r.line.filler), default=None
    )


# --- CK -------------------------------------------------------------------------------------------------------------


def low_discordant(ck: Reading, readings: tuple[Reading, ...], centres: tuple[date | None, ...], strong: bool) -> bool:
    """O3 and C10.29: a CK too low to be believed."""
    if ck.number is None:
        return False
    earlier = [r for r in readings if r.analyte == "CK" and r is not ck and 0 <= days(r.day, ck.day) <= BURST_DAYS]
    burst = [r for r in earlier if r.ratio is not None and r.ratio > 10]
    # Two of one day are simultaneous (C10.32): nothing has fallen.
    if any(r.number and ck.number * 10 < r.number and 0 < days(r.day, ck.day) <= FALL_DAYS for r in burst):
        return True
    tiny = ck.number < CK_ARTEFACT or (ck.comparator == "<" and ck.number <= CK_ARTEFACT)
    current = any(centre is not None and abs(days(ck.day, centre)) <= WINDOW for centre in centres)
    antibody = any(
        r.category == "POS_STRONG" and r.analyte in ANTIBODIES and abs(days(r.day, ck.day)) <= WINDOW for r in readings
    )
    return tiny and (bool(burst) or (strong if current else antibody))


def highest_around(cks: list[Reading], centre: date) -> Reading | None:
    """Diagnostic mode: the highest ratio within 30 d either side (C2)."""
    near = [r for r in cks if r.ratio is not None and abs(days(r.day, centre)) <= WINDOW]
    return max(near, key=lambda r: (r.ratio or Fraction(0), r.day), default=None)


def latest_before(cks: list[Reading], anchor: date) -> Reading | None:
    """Monitoring mode: the latest within 30 d before the anchor (C10.33); of one day's the highest."""
    near = [r for r in cks if r.ratio is not None and 0 <= days(r.day, anchor) <= WINDOW]
    return max(near, key=lambda r: (r.day, r.ratio or Fraction(0)), default=None)


def window_centre(states: dict[str, AntibodyState], cks: list[Reading], index: date | None, today: date) -> date:
    """C2 and C10.1: around the serology, unless it is silent and the CK is newer than its window."""
    if index is None:
        return today
    newest = max((r.day for r in cks), default=None)
    silent = not any(state.positive or state.category == "EQUIVOCAL" for state in states.values())
    if silent and newest is not None and days(index, newest) > WINDOW:
        return newest
    return index


# --- what is known --------------------------------------------------------------------------------------------------


def earlier_views(readings: tuple[Reading, ...], before: date, context: Context) -> list[Episode]:
    """The case as of each earlier collection, recomputed from the results held (C10.5)."""
    when = sorted({r.day for r in readings if r.analyte in ANCHORING and r.day < before})
    return [view(tuple(r for r in readings if r.day <= day), day, day, context, frozenset()) for day in when]


def established_before(analyte: str, readings: tuple[Reading, ...], anchor: date, context: Context) -> bool:
    """C10.5b: once, more than 30 d before the anchor, confirmed or concordant."""
    return any(
        days(past.anchor, anchor) > WINDOW
        and (past.states[analyte].confirmed or concordant(past, analyte))
        and not contradicted(analyte, past, tuple(r for r in readings if days(r.day, anchor) > WINDOW), context)
        for past in earlier_views(readings, anchor, context)
    )


def contradicted(analyte: str, past: Episode, readings: tuple[Reading, ...], context: Context) -> bool:
    """Open (C10.5): what the same window takes back was never established; "as of the last of them"."""
    window = tuple(r for r in readings if days(past.anchor, r.day) <= WINDOW)
    last = max(r.day for r in window)
    then = view(window, last, last, context, frozenset())
    return not (then.states[analyte].confirmed or concordant(then, analyte))


def strong_before(analyte: str, episode: Episode) -> bool:
    """C10.4: ever strong or confirmed, and not refuted by tier 1."""
    return any(
        (past.states[analyte].confirmed or past.category(analyte) == "POS_STRONG")
        and not refuted(analyte, past, episode.readings)
        for past in earlier_views(episode.readings, episode.anchor, episode.context)
    )


def refuted(analyte: str, past: Episode, readings: tuple[Reading, ...]) -> bool:
    """Open (C10.4): tier 1 refutes what it contradicts while it counts (180 d); later it is a change."""
    first = [r for r in readings if r.analyte == analyte and r.family in {"ip", "cba"}]
    shown = any(r.positive and r.day <= past.anchor for r in first)
    newest = past.states[analyte].newest_positive
    recent = [r for r in readings if r.analyte == analyte and 0 <= days(r.day, past.anchor) <= HISTORY]
    both = {"blot", "quant"} <= {
        r.family for r in recent if r.positive
    }  # C10.23: one tier-1 NEG does not outweigh both
    if shown or both or newest is None:
        return False
    return any(r.negative and abs(days(newest.day, r.day)) <= HISTORY for r in first)


def concordant(episode: Episode, analyte: str) -> bool:
    """C4 MSA_POS_CONCORDANT with C10.20: one strong antibody, CK at least 4x, and corroboration."""
    state = episode.states[analyte]
    if state.category != "POS_STRONG" or not episode.hi or episode.states[PARTNER[analyte]].positive:
        return False
    hep2 = episode.hep2
    pattern = episode.hep2_for_core == "CYTO_COMPAT" and hep2 is not None and not hep2.weak_titre
    return analyte == "HMGCR" or state.confirmed or pattern


def passively_acquired(
    states: dict[str, AntibodyState],
    readings: tuple[Reading, ...],
    hep2: Reading | None,
    context: Context,
    known: frozenset[str],
) -> frozenset[str]:
    """O1 and C10.6: which findings could have come with the infusion."""
    ivig = context.ivig
    if ivig is None:
        return frozenset()
    found = set()
    for analyte in ANTIBODIES:
        newest = states[analyte].newest_positive
        before = any(r.analyte == analyte and r.positive and r.day < ivig for r in readings)
        if not states[analyte].positive or newest is None or before or analyte in known:
            continue
        if 0 <= days(ivig, newest.day) <= IVIG_DAYS:
            found.add(analyte)
    if hep2 is not None and hep2.category == "CYTO_COMPAT" and 0 <= days(ivig, hep2.day) <= IVIG_DAYS:
        found.add("ANA_HEP2")
    return frozenset(found)
