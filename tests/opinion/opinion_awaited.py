"""Points on which the engine and the second opinion differ and the specification, or its owner, has still to decide.

Each names its paragraph. Remove an entry once it is decided: the comparison then watches it.
"""

from __future__ import annotations

from collections.abc import Callable

from opinion_record import Case, Opinion

PROBLEMS = {"STATUS_UNKNOWN", "RESULT_CENSORED", "CONFLICTING_DUPLICATE", "ASSAY_UNMAPPED", "VALUE_IMPLAUSIBLE"}


def codes_only_in(one: Opinion, other: Opinion) -> set[str]:
    return {code for code, _, _ in one["flags"]} - {code for code, _, _ in other["flags"]}


def creatinine_in_doubt(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C10.14 against C10.28: a conflicting, censored or unmapped creatinine holds for us only."""
    return any(code in PROBLEMS and analyte == "CREAT" for code, analyte, _ in ours["flags"])


def new_antibody_beside_seroreversion(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C10.5 against C10.7: a known antibody that went does not replace the comment on a new one for the engine."""
    return ours["comment"] == "C14" and theirs["comment"] in {"C01", "C02", "C03", "C04"}


def several_beside_disagreement(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C8: beside a known antibody several antibodies come before methods that disagree for the engine."""
    return (ours["comment"], theirs["comment"]) == ("C09", "C23")


def quality_of_replaced_ck(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C1.4: for the engine a poor specimen of any CK of the window counts, for us that of the one that stands."""
    return "SPECIMEN_QUALITY" in codes_only_in(theirs, ours) | codes_only_in(ours, theirs)


def dilution_while_ck_is_in_progress(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """O3 against C10.13: a CK in progress does not stand in for the repeat on dilution for the engine."""
    return "enzymatic_diluted" in theirs["retests"].get("CK", ((), "", None))[0]


def censored_after_infusion(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C1.6 against O1: the numeric value of a sample already taken has not to wait for us."""
    codes = {code for code, _, _ in ours["flags"]}
    return {"RESULT_CENSORED", "PASSIVE_AB_POSSIBLE"} <= codes


def nothing_usable(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C10.1: without a usable result there is no anchor, and what is current is open."""
    return set(ours["states"].values()) == {"NOT_TESTED", "UNKNOWN"}


def where_an_infusion_counts(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """O1: which of several positives has to lie within 90 d after the infusion."""
    return "PASSIVE_AB_POSSIBLE" in codes_only_in(ours, theirs) | codes_only_in(theirs, ours)


def trend_of_an_older_sample(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C7, C10.26, C10.27: which pair a trend is read from where several are open, and who is told of it when."""
    trends = {"METHOD_CHANGE_NO_TREND", "SEROCONVERSION", "SEROREVERSION", "SEROREVERSION_UNEXPECTED"}
    return bool(trends & (codes_only_in(ours, theirs) | codes_only_in(theirs, ours)))


def old_artefact(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """O3, L8: whether a CK that was too low in its day is an artefact, or a starting point of a rebound, later."""
    low = {"CK_REBOUND", "CK_LOW_DISCORDANT"}
    return bool(low & (codes_only_in(ours, theirs) | codes_only_in(theirs, ours)))


def follow_up_of_a_pair(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C3, L9: what is said of CK where both antibodies are followed."""
    followed = {"MSA_POS_CK_NORMAL", "CK_NORMALISED_AB_PERSISTENT"}
    return bool(followed & codes_only_in(theirs, ours))


def confirmed_and_negative_again(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C3.2, C10.2: a repeat by the same method within the window makes it discordant for the engine."""
    return "METHOD_DISCORDANCE" in codes_only_in(theirs, ours)


def repeated_tissue(case: Case, ours: Opinion, theirs: Opinion) -> bool:
    """C2: tissue positive, then negative, and nothing else: the later one stands for the engine."""
    tissue = [row["analyte"] for row in case["results"] if row["method"] == "tissue_iif"]
    return len(tissue) > len(set(tissue))


AWAITED: tuple[Callable[[Case, Opinion, Opinion], bool], ...] = (
    creatinine_in_doubt,
    new_antibody_beside_seroreversion,
    several_beside_disagreement,
    quality_of_replaced_ck,
    dilution_while_ck_is_in_progress,
    censored_after_infusion,
    nothing_usable,
    where_an_infusion_counts,
    trend_of_an_older_sample,
    old_artefact,
    follow_up_of_a_pair,
    confirmed_and_negative_again,
    repeated_tissue,
)
