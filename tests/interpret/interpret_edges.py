"""Every number of mappings/policy.yaml at its edge: a patient in whom that quantity is just below it, at it, just above.

Patients are case files (clinical.md F), so that they pass the normaliser and the interpreter as a message does. Numbers are
those of the page; a row says what must be seen at each of the three, decided from the section it names before any run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from labbridge.model.outcome import Outcome

Case = dict[str, Any]
Seen = Callable[[Outcome], object]
DAY = date(2026, 3, 10)


class Edge(NamedTuple):
    """`section`: of clinical.md. `case`: the patient in whom the quantity is x. `seen`: what is looked at. `wanted`: at the
    number less `step`, at the number, at the number and `step`. `given`: other numbers that would hide the edge."""

    number: str
    section: str
    case: Callable[[Decimal], Case]
    seen: Seen
    wanted: tuple[object, object, object]
    step: str = "1"
    given: tuple[tuple[str, str], ...] = ()


# ---------------------------------------------------------------- patients


def patient(*rows: Case, age: object = 48, sex: str = "F", **context: Any) -> Case:
    stated = {name: value for name, value in context.items() if name != "today"}
    return {
        "id": "EDGE",
        "patient": {"sex": sex, "age_years": str(age)},
        "context": stated,
        "evaluate_at": str(context.get("today", DAY)),
        "results": list(rows),
    }


def _row(analyte: str, method: str, value: object, day: object, **fields: Any) -> Case:
    on = str(DAY + timedelta(days=int(str(day))))
    return {
        "filler": f"{analyte}{method}{day}",
        "analyte": analyte,
        "method": method,
        "value": str(value),
        "specimen": "serum",
        "status": "F",
        "collected": on,
        "received": on,
        **fields,
    }


def ck(value: object, day: object = 0, **fields: Any) -> Case:
    """A CK in U/L with the limit 200."""
    return ck_plain(value, day, **{"ref_low": 25, "ref_high": 200, **fields})


def ck_plain(value: object, day: object = 0, **fields: Any) -> Case:
    """A CK without a limit."""
    return _row("CK", "enzymatic", value, day, unit="U/L", **fields)


def creatinine(value: object) -> Case:
    return _row("CREAT", "enzymatic", value, 0, unit="umol/L")


def blot(value: object, day: object = 0, analyte: str = "SRP", **fields: Any) -> Case:
    """A line blot: below 6 negative, from 11 low, from 26 strong."""
    return _row(analyte, "line_blot", value, day, unit="intensity", manufacturer="euroimmun", **fields)


def elisa(value: object, day: object = 0, analyte: str = "HMGCR", **fields: Any) -> Case:
    """A quantitative result with the cut-off 20."""
    return _row(analyte, "elisa", value, day, unit="U", manufacturer="werfen", cutoff=20, **fields)


def hep2(titre: object, pattern: str = "AC-19") -> Case:
    return _row("ANA_HEP2", "hep2_iif", "Positive", 0, titre=f"1:{titre}", pattern=pattern)


def both_negative(*rows: Case, **fields: Any) -> Case:
    return patient(blot(0), elisa(5), *rows, **fields)


def followed(*rows: Case, **fields: Any) -> Case:
    """A patient known to have anti-SRP, positive today."""
    known = [{"analyte": "SRP", "confirmed": True, "since": "2020-01-01", "partner_tested": True}]
    return patient(blot(60), *rows, known_msa=known, **fields)


ANTIGENS = "Jo-1 Mi-2 MDA5 NXP2 SAE PL-7 PL-12".split()


def others_negative(many: Decimal) -> list[Case]:
    return [blot(0, analyte=f"OTHER_MSA:{antigen}") for antigen in ANTIGENS[: int(many)]]


# ---------------------------------------------------------------- what is looked at


def flagged(code: str) -> Seen:
    return lambda outcome: any(flag.code == code for flag in outcome.flags)


def state(name: str) -> Seen:
    return lambda outcome: str(getattr(outcome.states, name))


def asked(analyte: str) -> Seen:
    """The priority of a retest; empty where it is not asked for."""
    return lambda outcome: next((one.priority for one in outcome.retests if one.analyte == analyte), "")


def waits_until(analyte: str) -> Seen:
    """The day before which a retest is not to be done, counted from DAY; None where there is none."""

    def read(outcome: Outcome) -> object:
        day = next((one.not_before for one in outcome.retests if one.analyte == analyte), None)
        return None if day is None else (day - DAY).days

    return read


CK, SRP, HMGCR = state("CK"), state("SRP"), state("HMGCR")
NO, YES = False, True
OFTEN = (("expiry_d", "1000"),)

EDGES = (
    # C2: categories and bands
    Edge(
        "quant_strong_fold", "C2", lambda x: patient(elisa(20 * x)), HMGCR, ("POS_LOW", "POS_STRONG", "POS_STRONG"), "0.05"
    ),
    Edge("ck_mod_from", "C2", lambda x: patient(ck(200 * x)), CK, ("MILD", "MOD", "MOD"), "0.005"),
    Edge("ck_high_above", "C2", lambda x: patient(ck(200 * x)), CK, ("MOD", "MOD", "HIGH"), "0.005"),
    Edge("ck_fallback_limit_female", "C2", lambda x: patient(ck_plain(x)), CK, ("NORMAL", "NORMAL", "MILD")),
    Edge("ck_fallback_limit_male", "C2", lambda x: patient(ck_plain(x), sex="M"), CK, ("NORMAL", "NORMAL", "MILD")),
    Edge(
        "ck_fallback_limit_male_older", "C2", lambda x: patient(ck_plain(x), sex="M", age=60), CK,
        ("NORMAL", "NORMAL", "MILD"),
    ),
    Edge("ck_fallback_limit_girl", "C2", lambda x: patient(ck_plain(x), age=9), CK, ("NORMAL", "NORMAL", "MILD")),
    Edge(
        "ck_fallback_limit_boy", "C2", lambda x: patient(ck_plain(x), sex="M", age=9), CK, ("NORMAL", "NORMAL", "MILD")
    ),
    Edge(
        "ck_fallback_older_from", "C2", lambda x: patient(ck_plain(370), sex="M", age=x), CK, ("NORMAL", "MILD", "MILD")
    ),
    Edge("adult_from", "C2", lambda x: patient(ck_plain(300), age=x), CK, ("NORMAL", "MILD", "MILD")),
    Edge("infant_until", "C10.30", lambda x: patient(ck_plain(300), age=x), CK, ("UNKNOWN", "NORMAL", "NORMAL")),
    Edge("ck_sent_limit_least", "C10.30", lambda x: patient(ck(110, ref_high=x)), CK, ("NORMAL", "MILD", "MILD")),
    Edge("ck_sent_limit_most", "C10.30", lambda x: patient(ck(1500, ref_high=x)), CK, ("NORMAL", "NORMAL", "MOD")),
    Edge("hep2_corroborates_from", "C10.20", lambda x: patient(blot(60), hep2(x), ck(2500)),
         flagged("MSA_POS_CONCORDANT"), (NO, YES, YES)),
    # C1: what holds
    Edge("ck_implausible_above", "C1.5", lambda x: patient(ck(x)), flagged("VALUE_IMPLAUSIBLE"), (NO, NO, YES)),
    Edge("age_implausible_above", "C1.5", lambda x: patient(ck(150), age=x), flagged("VALUE_IMPLAUSIBLE"), (NO, NO, YES)),
    Edge(
        "clock_skew_h", "C10.32", lambda x: patient(ck(150, x // 24, received=str(DAY)), today=DAY + timedelta(days=3)),
        flagged("VALUE_IMPLAUSIBLE"), (NO, NO, YES), "24",
    ),
    Edge(
        "pending_expires_d", "C10.13", lambda x: patient(ck(5000, -x), blot("", -x, status="P"), elisa("", -x, status="P")),
        flagged("MSA_PENDING"), (YES, YES, NO),
    ),
    # C3: windows
    Edge("aggregation_window_d", "C3", lambda x: patient(blot(60, -x), elisa(5, analyte="SRP")), SRP,
         ("EQUIVOCAL", "EQUIVOCAL", "NEG")),
    Edge("repeat_same_method_d", "C10.2", lambda x: patient(blot(0, -x), blot(60)), SRP,
         ("EQUIVOCAL", "POS_STRONG", "POS_STRONG")),
    Edge("expiry_d", "C10.1", lambda x: patient(blot(60, -x), ck(150)), SRP, ("POS_STRONG", "POS_STRONG", "NOT_TESTED")),
    Edge("confirmation_window_d", "C10.9", lambda x: patient(elisa(30, -x, "SRP"), blot(15)), SRP,
         ("POS_STRONG", "POS_STRONG", "POS_LOW"), given=OFTEN),
    Edge("known_before_d", "C10.5", lambda x: patient(blot(60, -x), elisa(90, -x, "SRP"), ck(2500)), flagged("MSA_POSITIVE"),
         (YES, YES, NO)),
    Edge("ck_window_d", "C2", lambda x: patient(blot(60), ck(1200, -x)), CK, ("MOD", "MOD", "UNKNOWN")),
    Edge("ck_extreme_above", "C4", lambda x: patient(ck(x)), flagged("CK_EXTREME"), (NO, NO, YES)),
    Edge("ck_persistent_least_d", "C10.17", lambda x: patient(ck(2500, -x), ck(2500)), flagged("MSA_NOT_TESTED_CK_HIGH"),
         (NO, YES, YES)),
    Edge("ck_persistent_most_d", "C10.17", lambda x: patient(ck(2500, -x), ck(2500)), flagged("MSA_NOT_TESTED_CK_HIGH"),
         (YES, YES, NO)),
    Edge("other_msa_enough", "C10.37", lambda x: both_negative(ck(1200), *others_negative(x)), asked("OTHER_MSA"),
         ("routine", "", "")),
    # C6: immunoglobulins, a CK too low to be true
    Edge("ivig_window_d", "O1", lambda x: patient(blot(60), ivig_last_date=str(DAY - timedelta(days=int(x)))),
         flagged("PASSIVE_AB_POSSIBLE"), (YES, YES, NO)),
    Edge("passive_wait_d", "O1", lambda x: patient(blot(15), ivig_last_date=str(DAY - timedelta(days=int(x)))),
         waits_until("SRP"), (1, 0, -1)),
    Edge("ck_depleted_below", "O3", lambda x: patient(blot(60), ck(x)), flagged("CK_LOW_DISCORDANT"), (YES, NO, NO)),
    Edge("ck_depletion_before_d", "O3", lambda x: both_negative(ck(2500, -x), ck(10)), flagged("CK_LOW_DISCORDANT"),
         (YES, YES, NO)),
    Edge("ck_fall_percent", "C10.29", lambda x: both_negative(ck(5000, -2), ck(5000 - 50 * x)),
         flagged("CK_LOW_DISCORDANT"), (NO, NO, YES)),
    Edge("ck_fall_within_d", "C10.29", lambda x: both_negative(ck(5000, -x), ck(60)), flagged("CK_LOW_DISCORDANT"),
         (YES, YES, NO)),
    Edge("ck_depletion_clear_d", "C10.29", lambda x: followed(ck(2500, -x), ck(10), creatinine(30)), asked("CK"),
         ("urgent", "urgent", "routine")),
    # C7: over time
    Edge("trend_least_d", "C10.27", lambda x: patient(blot(0, -x), blot(60)), flagged("SEROCONVERSION"), (NO, YES, YES)),
    Edge("seroconversion_most_d", "L1", lambda x: patient(blot(0, -x), blot(60)), flagged("SEROCONVERSION"), (YES, YES, NO)),
    Edge("trend_most_d", "L2", lambda x: patient(elisa(30, -x), elisa(5)), flagged("SEROREVERSION_UNEXPECTED"),
         (YES, YES, NO)),
    Edge("seroconversion_fold", "C10.27", lambda x: patient(elisa(15, -60), elisa(15 * x)), flagged("SEROCONVERSION"),
         (NO, YES, YES), "0.01"),
    Edge("titre_rising_fold", "L5", lambda x: patient(elisa(30, -60), elisa(30 * x)), flagged("TITRE_RISING"),
         (NO, YES, YES), "0.01"),
    Edge("titre_falling_fold", "L6", lambda x: patient(elisa(100, -60), elisa(100 * x), ck(400, -60), ck(1200)),
         flagged("TITRE_CK_DIVERGENCE"), (YES, YES, NO), "0.01"),
    Edge("ck_diverging_fall", "L6", lambda x: patient(elisa(30, -60), elisa(90), ck(2000, -60), ck(2000 * x)),
         flagged("TITRE_CK_DIVERGENCE"), (YES, YES, NO), "0.01"),
    Edge("ck_diverging_rise", "L6", lambda x: patient(elisa(90, -60), elisa(30), ck(400, -60), ck(400 * x)),
         flagged("TITRE_CK_DIVERGENCE"), (NO, YES, YES), "0.01"),
    Edge("ck_rebound_above", "L8", lambda x: followed(ck(100, -60), ck(200 * x)), flagged("CK_REBOUND"), (NO, NO, YES),
         "0.01"),
    Edge("ck_rebound_fold", "L8", lambda x: followed(ck(200, -60), ck(200 * x)), flagged("CK_REBOUND"), (NO, YES, YES),
         "0.01"),
    Edge("ck_rebound_least_d", "C10.25", lambda x: followed(ck(600, -x), ck(3000)), flagged("CK_REBOUND"), (NO, YES, YES)),
    Edge("ck_rebound_most_d", "C10.25", lambda x: followed(ck(100, -x), ck(600)), flagged("CK_REBOUND"), (YES, YES, NO)),
    Edge("creatinine_low_female", "L9", lambda x: followed(ck(400), creatinine(x)), flagged("SARCOPENIA_CAVEAT"),
         (YES, NO, NO)),
    Edge("creatinine_low_male", "L9", lambda x: followed(ck(400), creatinine(x), sex="M"), flagged("SARCOPENIA_CAVEAT"),
         (YES, NO, NO)),
)  # fmt: skip

ELSEWHERE = {
    "release_reviewed_least": "whether a rule may release: tests/story/test_story_by_rule.py",
    "release_agreement_least": "whether a rule may release: tests/story/test_story_by_rule.py",
    "release_sample": "what is read after a release by rule: tests/story/test_story_by_rule.py",
    "drift_baseline": "the drift report: tests/analysis/test_analysis_drift.py",
    "drift_least": "the drift report: tests/analysis/test_analysis_drift.py",
    "drift_odds": "the drift report: tests/analysis/test_analysis_drift.py",
    "drift_false_alarm": "the drift report: tests/analysis/test_analysis_drift.py",
    "release_new_lot_d": "whether a rule may release: tests/story/test_story_by_rule.py",
    "case_window_d": "which entry of the worklist a result belongs to: tests/review/test_review_worklist.py",
    "sample_kept_d": "what the comment says of the sample: tests/interpret/test_interpret_comment.py",
    "add_on_srp_d": "what the comment says of the sample",
    "add_on_hmgcr_d": "what the comment says of the sample",
    "add_on_ana_hep2_d": "what the comment says of the sample",
    "add_on_ck_d": "what the comment says of the sample",
    "add_on_other_msa_d": "what the comment says of the sample",
    "repeat_comment_d": "whether a comment is posted again",
    "repeat_rebound_d": "whether a comment is posted again",
    "repeat_quiet_comment_d": "whether a comment is posted again",
    "partner_prompt_d": "when a prompt reaches the worklist: tests/review/test_review_offering.py",
    "comment_expiry_h": "until when a signed comment may leave: tests/story/test_story_expiry.py",
    "second_reader_share": "how many are signed by two persons: tests/web/test_web_second.py",
    "add_on_least_ml": "which tube is used up: tests/normalise/test_normalise_specimens.py",
}
"""Numbers that decide no category, band or flag, and what they decide."""
