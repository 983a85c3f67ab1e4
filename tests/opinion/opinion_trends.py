"""C7 with C10.4, C10.25-C10.29, C10.33: what changed since earlier results."""

from __future__ import annotations

from fractions import Fraction

from opinion_categories import CREATININE_FACTOR, Patient
from opinion_core import Findings, Question
from opinion_episode import Episode, latest_before, strong_before
from opinion_record import ANTIBODIES, PARTNER, Reading, days
from opinion_state import STRENGTH, WINDOW, AntibodyState, other_method

PAIR = (14, 365)  # C7, C10.27: inclusive
CONVERSION_DAYS = 180  # L1
RISE = Fraction(3, 2)  # L5
HALF = Fraction(1, 2)  # L6
REBOUND_LIMIT = Fraction(3, 2)  # L8
REBOUND_DAYS = (7, 365)  # C10.25
LOW_CREATININE = {"F": 45, "M": 60}  # L9
BURST_MEMORY = 90  # C10.29
REVERSION = {"HMGCR": ("SEROREVERSION_UNEXPECTED", "major"), "SRP": ("SEROREVERSION", "minor")}  # L2, L3


def trends(q: Question, f: Findings, patient: Patient) -> set[str]:
    """Raise the flags of L1-L9; return the comment classes they ask for."""
    comments: set[str] = set()
    for analyte in ANTIBODIES:
        state = q.episode.states[analyte]
        for earlier, later in pairs(q.episode, state):
            comments |= seroconversion(q, f, state, earlier, later)
            comments |= seroreversion(q, f, state, earlier, later)
            if state.positive:  # Open (L5, L6): nothing rises that methods disagree about
                comments |= titre(q, f, earlier, later)
        changed = any(converted(state, *pair) or reverted(q, state, *pair) for pair in pairs(q.episode, state))
        if not changed and not old_reversion(q, state):
            method_change(q, f, state)  # Open (L4): where a comparable pair changed, "no trend" would contradict it
        comments |= reversion_without_pair(q, f, state)
        comments |= persistence(q, f, state)
    comments |= rebound(q, f)
    comments |= sarcopenia(q, f, patient)
    return comments


# --- pairs of one antibody ------------------------------------------------------------------------------------------


def comparable(one: Reading, other: Reading) -> bool:
    """Same method and same manufacturer; one not stated is not "the same" (C10.27)."""
    return one.kit == other.kit and bool(one.line.manufacturer)


def pairs(e: Episode, state: AntibodyState) -> list[tuple[Reading, Reading]]:
    """For each kit of the current window its latest result and the nearest earlier one 14-365 d before."""
    latest: dict[tuple[str, str], Reading] = {}
    for reading in sorted(state.window, key=lambda r: (r.day, STRENGTH.index(r.category), r.number or -1)):
        latest[reading.kit] = reading
    found = []
    for later in latest.values():
        earlier = [
            r for r in e.of(state.analyte) if comparable(r, later) and PAIR[0] <= days(r.day, later.day) <= PAIR[1]
        ]
        if earlier:
            found.append((max(earlier, key=lambda r: (r.day, STRENGTH.index(r.category), r.number or -1)), later))
    return found


def seroconversion(q: Question, f: Findings, state: AntibodyState, earlier: Reading, later: Reading) -> set[str]:
    """L1; never when it may have come with IVIG (O1)."""
    if state.analyte in q.episode.passive or not converted(state, earlier, later):
        return set()
    f.flag("SEROCONVERSION", "major", state.analyte)
    settled = state.confirmed or q.known(state.analyte) or state.analyte in q.waiting
    others = () if settled else other_method(state)
    f.suggest(state.analyte, ("same_new_specimen", *others), "urgent")
    return {"C14"}


def converted(state: AntibodyState, earlier: Reading, later: Reading) -> bool:
    """L1 with C10.27. Open: what methods disagree about has not become positive; the disagreement is told."""
    if not (earlier.negative and later.positive) or days(earlier.day, later.day) > CONVERSION_DAYS:
        return False
    return state.positive and (later.category == "POS_STRONG" or doubled(earlier, later))


def reverted(q: Question, state: AntibodyState, earlier: Reading, later: Reading) -> bool:
    """L2 and L3. A pair that is already a disagreement of one family is not also a reversion (C10.2). Open: what methods
    disagree about, or tier 1 found, has not gone."""
    disagreement = days(earlier.day, later.day) <= WINDOW and not q.known(state.analyte)
    return earlier.positive and later.negative and state.category == "NEG" and not disagreement


def doubled(earlier: Reading, later: Reading) -> bool:
    if (
        later.family != "quant"
        or earlier.number is None
        or later.number is None
        or earlier.line.unit != later.line.unit
    ):
        return False
    return later.number >= 2 * earlier.number


def seroreversion(q: Question, f: Findings, state: AntibodyState, earlier: Reading, later: Reading) -> set[str]:
    if not reverted(q, state, earlier, later):
        return set()
    return revert(q, f, state.analyte, comment=state.analyte == "HMGCR")


def revert(q: Question, f: Findings, analyte: str, *, comment: bool) -> set[str]:
    code, severity = REVERSION[analyte]
    f.flag(code, severity, analyte)
    # C10.4: with a high CK the change is commented for either antibody.
    unknown_before = not q.known(analyte) and strong_before(analyte, q.episode)
    commented = comment or (q.episode.hi and unknown_before)
    if analyte == "HMGCR" or commented:
        f.suggest(analyte, ("same_new_specimen",), "urgent")  # L2; C14 suggests it, so it is in the list (C10.8)
    return {"C14"} if commented else set()


def reversion_without_pair(q: Question, f: Findings, state: AntibodyState) -> set[str]:
    """C10.4 and C10.26: an earlier positive, now NEG, that no pair of C7 compares."""
    analyte, e = state.analyte, q.episode
    if state.category != "NEG" or any(earlier.positive and later.negative for earlier, later in pairs(e, state)):
        return set()
    negative = [reading for reading in state.window if reading.negative and reading.family != "tissue"]
    newest = max(reading.day for reading in negative or state.window)
    positives = [r for r in e.of(analyte) if r.positive and r.family != "tissue"]
    earlier = [r for r in positives if days(r.day, newest) > WINDOW]
    if q.known(analyte):
        signed = any(now.negative and (then.positive or then.negative) for then, now in pairs(e, state))
        if analyte != "HMGCR" or state.best == "tissue" or signed:
            return set()  # C10.26: "no comparable pair". Open: one has a sign; tissue only supports (C2)
        old = [r for r in earlier if any(comparable(r, now) for now in negative)]
        if old:
            return revert(q, f, analyte, comment=True)
        if earlier:
            f.flag("METHOD_CHANGE_NO_TREND", "info", analyte)
        # Open (C10.26): known from the record with no earlier result here is treated like a change of method.
        # Without such a result there is nothing to tell beside a new antibody, which says more (C10.5).
        told = bool(earlier) or not e.states[PARTNER[analyte]].positive
        return revert(q, f, analyte, comment=told) if e.hi else set()
    if not strong_before(analyte, e):
        return set()
    if e.hi:
        return revert(q, f, analyte, comment=True)
    code, severity = REVERSION[analyte]
    f.flag(code, severity, analyte)  # C10.4: "otherwise the flag alone"
    return set()


def old_reversion(q: Question, state: AntibodyState) -> bool:
    """C10.26: a known HMGCR, negative now, was positive by the same kit more than a year ago."""
    if state.analyte != "HMGCR" or state.category != "NEG" or not q.known("HMGCR"):
        return False
    positives = [r for r in q.episode.of("HMGCR") if r.positive]
    negatives = [r for r in state.window if r.negative]
    return any(comparable(r, now) and days(r.day, now.day) > PAIR[1] for r in positives for now in negatives)


def method_change(q: Question, f: Findings, state: AntibodyState) -> None:
    """L4: the newest result against the nearest earlier one more than 30 d before, of another method or maker."""
    signed = [r for r in state.window if same_sign(r, state) and r.family != "tissue"]
    newest = max((r.day for r in signed), default=None)
    if newest is None:
        return
    earlier = [
        r
        for r in q.episode.of(state.analyte)
        if (r.positive or r.negative) and r.family != "tissue" and WINDOW < days(r.day, newest) <= PAIR[1]
    ]
    nearest = max((r.day for r in earlier), default=None)
    same_kit = [now for now in signed if any(comparable(now, before) for before in earlier)]
    for now in (r for r in signed if r.day == newest and r not in same_kit):
        for before in (r for r in earlier if r.day == nearest):
            if now.positive != before.positive and not comparable(now, before):
                f.flag("METHOD_CHANGE_NO_TREND", "info", state.analyte)


def same_sign(reading: Reading, state: AntibodyState) -> bool:
    """Only a state that has a sign can differ in sign from an earlier result."""
    return (state.positive and reading.positive) or (state.category == "NEG" and reading.negative)


def titre(q: Question, f: Findings, earlier: Reading, later: Reading) -> set[str]:
    """L5 and L6: quantitative assays only, one unit only."""
    both = earlier.positive and later.positive and earlier.line.unit == later.line.unit
    if not both or later.family != "quant" or not earlier.number or later.number is None:
        return set()
    change = later.number / earlier.number
    rising = change >= RISE and earlier.comparator in {"", "<"} and later.comparator in {"", ">"}
    falling = change <= HALF and later.comparator in {"", "<"} and earlier.comparator in {"", ">"}
    if rising:
        f.flag("TITRE_RISING", "minor", later.analyte)
    cks = [nearest_ck(q.episode, sample) for sample in (earlier, later)]
    if cks[0] is None or cks[1] is None or not cks[0].number or cks[1].number is None:
        return set()
    ck_change, (first, second) = cks[1].number / cks[0].number, (ck.comparator for ck in cks if ck is not None)
    fell = ck_change <= HALF and first in {"", ">"} and second in {"", "<"}
    rose = ck_change >= 2 and first in {"", "<"} and second in {"", ">"}
    if (rising and fell) or (falling and rose):
        f.flag("TITRE_CK_DIVERGENCE", "minor", later.analyte)
        f.suggest(later.analyte, ("same_new_specimen",), "routine")  # C16 suggests both, so both are listed (C10.8)
        if "CK" not in q.waiting:
            f.suggest("CK", ("enzymatic",), "routine")
        return {"C16"}
    return set()


def nearest_ck(e: Episode, sample: Reading) -> Reading | None:
    """Within 30 d of the sample (C10.33); of two equally near the higher."""
    near = [r for r in e.valid_ck if abs(days(r.day, sample.day)) <= WINDOW]
    return min(near, key=lambda r: (abs(days(r.day, sample.day)), -(r.number or 0)), default=None)


# --- CK in follow-up ------------------------------------------------------------------------------------------------


def persistence(q: Question, f: Findings, state: AntibodyState) -> set[str]:
    """L7: suppressed where the low CK is not believed (O3)."""
    e, sample = q.episode, state.newest_positive
    latest = latest_before(list(e.valid_ck), e.anchor)
    if not q.known(state.analyte) or not state.positive or sample is None or latest is None:
        return set()
    if f.has("CK_LOW_DISCORDANT") or latest.ratio is None or latest.ratio > 1:
        return set()
    raised_before = any(r.ratio is not None and r.ratio >= 4 and r.day < latest.day for r in e.valid_ck)
    if not raised_before or abs(days(sample.day, latest.day)) > WINDOW:
        return set()
    f.flag("CK_NORMALISED_AB_PERSISTENT", "info", state.analyte)
    return {"C15"}


def rebound(q: Question, f: Findings) -> set[str]:
    """L8 with C10.25. Open: "repeat in 1-2 weeks" is the rule's action, hence a recommendation (routine)."""
    e = q.episode
    latest = latest_before(list(e.valid_ck), e.anchor)
    if not e.known or latest is None or latest.ratio is None or latest.number is None:
        return set()
    previous = [r for r in e.valid_ck if r.day < latest.day and r.ratio is not None]
    if not previous:
        return set()
    before = max(previous, key=lambda r: (r.day, r.number or 0))
    apart = days(before.day, latest.day)
    if before.ratio is None or before.number is None or latest.number < 2 * before.number or apart > REBOUND_DAYS[1]:
        return set()
    from_low = before.ratio <= REBOUND_LIMIT < latest.ratio
    from_plateau = before.ratio > REBOUND_LIMIT and latest.ratio >= 4 and apart >= REBOUND_DAYS[0]
    if not (from_low or from_plateau):
        return set()
    f.flag("CK_REBOUND", "major", "CK")
    if "CK" not in q.waiting:
        f.suggest("CK", ("enzymatic",), "routine")
    return {"C25"}


# --- creatinine -----------------------------------------------------------------------------------------------------


def creatinine_low(e: Episode, ck: Reading, patient: Patient) -> bool:
    """C10.28: the creatinine nearest to the CK (of two the lower) within 30 d, in its own unit, against its own limit."""
    near = [r for r in e.of("CREAT") if r.number is not None and abs(days(r.day, ck.day)) <= WINDOW]
    latest = min(near, key=lambda r: (abs(days(r.day, ck.day)), r.number or 0), default=None)
    if latest is None or latest.number is None:
        return False
    limit = latest.line.ref_low
    if limit is not None and limit > 0:
        return latest.number < limit * CREATININE_FACTOR[latest.line.unit.strip().lower()]
    if patient.child:
        return False
    return latest.number < LOW_CREATININE["M" if patient.sex == "M" else "F"]


def depletion_doubtful(e: Episode, ck: Reading, patient: Patient) -> bool:
    """C10.29: a tiny CK with low creatinine and no recent burst may simply be little muscle."""
    burst = any(r.ratio is not None and r.ratio > 10 and 0 <= days(r.day, ck.day) <= BURST_MEMORY for r in e.of("CK"))
    return ck.number is not None and ck.number < 20 and not burst and creatinine_low(e, ck, patient)


def sarcopenia(q: Question, f: Findings, patient: Patient) -> set[str]:
    """L9: a CK that looks reassuring may only mean little muscle."""
    e = q.episode
    positive = [s.newest_positive for s in e.states.values() if s.positive and s.newest_positive is not None]
    if not e.known and not positive:
        return set()
    recent = [ck for ck in e.set_aside if abs(days(ck.day, e.anchor)) <= WINDOW]
    tiny = [ck for ck in recent if depletion_doubtful(e, ck, patient)]
    if f.has("CK_LOW_DISCORDANT") and not tiny:
        return set()
    believed = [r for r in (*e.valid_ck, *tiny) if r.ratio is not None]
    latest = max(believed, key=lambda r: (r.day, r.number or 0), default=None)
    ck = latest if latest is not None and near(latest, e) else None
    if ck is None or ck.ratio is None or ck.ratio >= 4 or not creatinine_low(e, ck, patient):
        return set()
    f.flag("SARCOPENIA_CAVEAT", "minor", "CREAT")
    return {"C17"}


def near(ck: Reading, e: Episode) -> bool:
    """C10.33: within 30 d of the anchor; in diagnostic mode of the serology too."""
    centres = [e.anchor] if e.known or e.index is None else [e.anchor, e.index]
    return any(abs(days(ck.day, day)) <= WINDOW for day in centres)
