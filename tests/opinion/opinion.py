"""A second opinion on a case, written from the clinical specification alone."""

from __future__ import annotations

from datetime import date

from opinion_categories import Patient, read
from opinion_comment import choose
from opinion_core import Question, core_table
from opinion_episode import Context, Episode, open_episode
from opinion_others import other_antibodies
from opinion_overlays import (
    current,
    current_problems,
    extreme_ck,
    low_ck,
    multiple,
    passive,
    patient_context,
    quality,
    single_results,
    wait_for_infusion,
)
from opinion_record import Case, Opinion, Problem, Reading, Standing
from opinion_trends import trends
from opinion_validity import settle


def evaluate(case: Case) -> Opinion:
    """C1 validity, C2 categories, C3 states, C5 core, C6 overlays, C7 trends, C8 comment."""
    patient = Patient.of(case.get("patient") or {})
    standing = settle(case)
    readings = read_all(standing, patient)
    episode = open_episode(readings, standing, context_of(case))
    q = Question(episode, frozenset(), other_antibodies(episode))
    problems = current_problems(q, standing)
    held = {problem.analyte for problem in problems}
    q = Question(episode, waiting(q, standing, problems), q.others)
    f = core_table(q)
    passive(q, f)
    multiple(q, f)
    low_ck(q, f, patient)
    extreme_ck(q, f)
    patient_context(q, f, patient)
    asked = trends(q, f, patient)
    quality(q, f, problems)
    single_results(q, f, standing)
    wait_for_infusion(q, f, problems)
    hold = bool(held) or standing.age_implausible
    comment, addenda = ("NONE", []) if hold else choose(q, f, asked, standing)  # C8.1
    return Opinion(
        states=states_of(episode),
        flags=f.flags,
        retests=f.retests,
        comment=comment,
        addenda=addenda,
        hold=hold,
        held=held,
    )


def read_all(standing: Standing, patient: Patient) -> list[Reading]:
    """C2 over every usable version; what cannot be read joins the problems of C1."""
    found = []
    for line in standing.usable:
        reading = read(line, patient)
        if isinstance(reading, Problem):
            standing.problems.append(reading)
        else:
            found.append(reading)
    return found


def waiting(q: Question, standing: Standing, problems: list[Problem]) -> frozenset[str]:
    """C1.7, C10.13: pending or held, hence neither missing nor to be asked for again."""
    stuck = {problem.analyte for problem in problems if problem.flag != "RESULT_NOT_FINAL"}
    return frozenset(stuck | {line.analyte for line in standing.pending if current(line, q)})


def context_of(case: Case) -> Context:
    sent = case.get("context") or {}
    known = [entry for entry in sent.get("known_msa") or [] if entry.get("confirmed")]  # C10.5a
    partners = {"SRP": "HMGCR", "HMGCR": "SRP"}
    ivig = sent.get("ivig_last_date")
    return Context(
        suspicion=bool(sent.get("suspicion")),
        statin=str(sent.get("statin")) == "yes",
        ivig=date.fromisoformat(str(ivig)) if ivig else None,
        recorded=frozenset(str(entry["analyte"]) for entry in known),
        partner_tested=frozenset(partners[str(e["analyte"])] for e in known if e.get("partner_tested")),
        comment_posted=bool(sent.get("comment_already_posted")),
    )


def states_of(episode: Episode) -> dict[str, str]:
    return {
        "SRP": episode.category("SRP"),
        "HMGCR": episode.category("HMGCR"),
        "HEP2": episode.hep2_state,
        "CK": episode.band,
    }
