"""C6 (O1-O8) and the flags that come from single results (C1.1-C1.6, C10.6, C10.14, C10.29, C10.34)."""

from __future__ import annotations

import re
from datetime import timedelta

from opinion_categories import NEGATED, Patient
from opinion_core import Findings, Question
from opinion_record import ANTIBODIES, Line, Problem, Reading, Standing, days
from opinion_state import HISTORY, TIER, WINDOW, AntibodyState
from opinion_trends import depletion_doubtful

WASH_OUT = 60  # O1: not before infusion + 60 d
EXTREME = 10_000  # O4
DELAYED = ("SRP", "HMGCR", "ANA_HEP2")  # O1
PROBLEM_SEVERITY = {"RESULT_NOT_FINAL": "info"}  # C4; every other problem of a version is major, all hold
QUALITY = re.compile(r"h(a?e|é)moly|lip(a?e|é)mi|ict(e|è)r", re.IGNORECASE)


# --- overlays of the interpretation ---------------------------------------------------------------------------------


def passive(q: Question, f: Findings) -> None:
    """O1 and C10.6: the delay never applies to a strong antibody or a high CK."""
    ivig = q.episode.context.ivig
    if not q.episode.passive or ivig is None:
        return
    f.flag("PASSIVE_AB_POSSIBLE", "minor")
    if "ANA_HEP2" in q.episode.passive and "ANA_HEP2" not in q.waiting:
        f.suggest("ANA_HEP2", ("hep2_iif",), "routine")  # C20 suggests a repeat, so it is in the list (C10.8)


def wait_for_infusion(q: Question, f: Findings, problems: list[Problem]) -> None:
    """O1: what is measured again has to wait. Open (C1.6): the number of a sample already taken has not."""
    ivig, at_once = (
        q.episode.context.ivig,
        {problem.analyte for problem in problems if problem.flag == "RESULT_CENSORED"},
    )
    if ivig is None or not delays(q):
        return
    for analyte in DELAYED:
        if analyte in f.retests and analyte not in at_once:
            f.retests[analyte] = (f.retests[analyte][0], "routine", ivig + timedelta(days=WASH_OUT))


def delays(q: Question) -> bool:
    return bool(q.episode.passive) and not q.episode.any_strong() and not q.episode.hi


def multiple(q: Question, f: Findings) -> None:
    """O2. Open (C10.3): the search for others is dropped, the confirmation by quant or ip that O2 asks is kept."""
    own = [analyte for analyte in ANTIBODIES if q.episode.states[analyte].positive]
    if not q.others.positive or len(own) + len(q.others.positive) < 2:
        return
    f.flag("MULTI_MSA", "major")
    if "OTHER_MSA" not in q.waiting:
        f.suggest("OTHER_MSA", (x for x in ("quant", "ip") if x not in q.others.families_of_positive), "routine")


def low_ck(q: Question, f: Findings, patient: Patient) -> None:
    """O3 and C10.29."""
    # Open (O3): a believable CK of a later day has answered the question; the low one is only left out of the band.
    newest = max((ck.day for ck in q.episode.valid_ck), default=None)
    current = [
        ck
        for ck in q.episode.set_aside
        if abs(days(ck.day, q.episode.anchor)) <= WINDOW and (newest is None or ck.day >= newest)
    ]
    if not current:
        return
    f.flag("CK_LOW_DISCORDANT", "major", "CK")
    doubtful = all(depletion_doubtful(q.episode, ck, patient) for ck in current)
    if "CK" not in q.waiting:
        f.suggest("CK", ("enzymatic_diluted",), "routine" if doubtful else "urgent")


def extreme_ck(q: Question, f: Findings) -> None:
    """O4, C10.34: the first above 10 000 U/L in 30 d."""
    e = q.episode
    extreme = [ck for ck in e.of("CK") if is_extreme(ck)]
    for ck in extreme:
        first = not any(0 < days(other.day, ck.day) <= WINDOW for other in extreme)
        in_band_window = e.centre is not None and abs(days(ck.day, e.centre)) <= WINDOW
        read_now = in_band_window or (e.index is not None and 0 <= days(ck.day, e.anchor) <= WINDOW)
        if first and read_now:
            f.flag("CK_EXTREME", "critical", "CK")


def is_extreme(ck: Reading) -> bool:
    return ck.number is not None and (ck.number > EXTREME or (ck.comparator == ">" and ck.number >= EXTREME))


def patient_context(q: Question, f: Findings, patient: Patient) -> None:
    """O5, O6 with C10.31, and the assumed CK limit."""
    if patient.child:
        f.flag("PAEDIATRIC_CONTEXT", "info")
    elif q.episode.context.statin and q.episode.category("HMGCR") != "NOT_TESTED":
        f.flag("STATIN_CONTEXT", "info", "HMGCR")
    if q.episode.ck is not None and q.episode.ck.limit_assumed:
        f.flag("CK_ULN_ASSUMED", "info", "CK")


def quality(q: Question, f: Findings, problems: list[Problem]) -> None:
    """O8, C1.4: a new specimen where the antibody is weak; for CK only where it could change the band."""
    e = q.episode
    for analyte in ANTIBODIES:
        state = e.states[analyte]
        behind = [r for r in state.window if rests_on(state, r)]
        lines = [r.line for r in (*behind, *state.corroborated_by)]
        poor = [line for line in (*lines, *undecided(problems, analyte)) if noted(line)]
        if poor:
            f.flag("SPECIMEN_QUALITY", "minor", analyte)
        # Open (C3): not for a known antibody, where a weak result is followed, not confirmed.
        if poor and e.category(analyte) in {"POS_LOW", "EQUIVOCAL"} and not q.known(analyte):
            f.suggest(analyte, ("same_new_specimen",), "routine")
    if e.hep2 is not None and quality_note(e.hep2):
        f.flag("SPECIMEN_QUALITY", "minor", "ANA_HEP2")
    if e.ck is not None and quality_note(e.ck) and e.band in {"NORMAL", "MILD"}:
        f.flag("SPECIMEN_QUALITY", "minor", "CK")
    for reading in (*e.of("OTHER_MSA"), *e.of("CREAT")):
        if quality_note(reading) and current(reading.line, q):
            f.flag("SPECIMEN_QUALITY", "minor", reading.analyte)
    for analyte in ("ANA_HEP2", "OTHER_MSA"):  # of a CK its band tells whether it matters
        if any(noted(line) for line in undecided(problems, analyte)):
            f.flag("SPECIMEN_QUALITY", "minor", analyte)


def undecided(problems: list[Problem], analyte: str) -> list[Line]:
    """Final results that wait for a person or a number."""
    other = {"RESULT_NOT_FINAL", "STATUS_UNKNOWN", "CONFLICTING_DUPLICATE"}
    return [problem.line for problem in problems if problem.analyte == analyte and problem.flag not in other]


def rests_on(state: AntibodyState, reading: Reading) -> bool:
    """Tissue counts where there is nothing else, and where it confirms (C2)."""
    supports = state.confirmed and state.analyte == "HMGCR" and reading.positive and TIER[state.best] > 1
    return reading.family != "tissue" or state.best == "tissue" or supports


def quality_note(reading: Reading) -> bool:
    return noted(reading.line)


def noted(line: Line) -> bool:
    return bool(QUALITY.search(NEGATED.sub(" ", line.note)))


# --- flags of single results ----------------------------------------------------------------------------------------


def current(line: Line, q: Question) -> bool:
    """C10.14: a result of an older episode takes no part, nor a CK outside the window that CK is read in."""
    e = q.episode
    if line.analyte == "CK":
        near_index = e.index is not None and abs(days(line.collected, e.index)) <= WINDOW
        return near_index or days(line.collected, e.anchor) <= WINDOW
    return days(line.collected, e.anchor) <= HISTORY


def current_problems(q: Question, standing: Standing) -> list[Problem]:
    return [problem for problem in standing.problems if current(problem.line, q)]


def single_results(q: Question, f: Findings, standing: Standing) -> None:
    for problem in current_problems(q, standing):
        f.flag(problem.flag, PROBLEM_SEVERITY.get(problem.flag, "major"), problem.analyte)
        if problem.flag == "RESULT_CENSORED":
            f.suggest(problem.analyte, ("quant",), q.priority)  # C1.6: the numeric value
    for code, severity, lines in (
        ("RESULT_CORRECTED", "major", standing.corrected),
        ("RESULT_WITHDRAWN", "major", standing.withdrawn),
        ("DUPLICATE_SUPPRESSED", "info", standing.duplicates),
        ("MSA_CANCELLED_ON_ANA", "major", standing.cancelled_on_ana),
        ("SPECIMEN_INVALID", "major", standing.invalid),
    ):
        for line in lines:
            if current(line, q):
                f.flag(code, severity, line.analyte)
    if standing.age_implausible:
        f.flag("VALUE_IMPLAUSIBLE", "major")
    for line in standing.invalid:
        new_specimen(line, q, f)


def new_specimen(line: Line, q: Question, f: Findings) -> None:
    """C1.3, even where the analyte is awaited or valid elsewhere (C10.22). Open: creatinine never."""
    if line.analyte == "CREAT" or not current(line, q):
        return
    f.suggest(line.analyte, ("same_new_specimen",), "urgent" if line.analyte == "CK" else "routine")
