"""When a comment is offered, what opens no case by itself, and what is not said again (C10.15, C10.16, C10.18, C10.39)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from review_build import DAY, NOON, case, flag, held, outcome
from review_build import found as nothing

from labbridge.interpret import Interpreter
from labbridge.model.outcome import Outcome, PostedComment, Severity
from labbridge.normalise import Normaliser
from labbridge.offline import Readers, case_history
from labbridge.review import worklist
from labbridge.review.offering import offered
from labbridge.review.worklist import Arrived, Entry
from labbridge.sources import load

SETTLE = timedelta(hours=72)
KNOWLEDGE = load()
READERS = Readers(Normaliser(KNOWLEDGE), Interpreter(KNOWLEDGE))
SERUM = {"specimen": "serum", "status": "F", "collected": "2026-11-05", "received": "2026-11-07"}


def interpreted(*results: dict[str, Any], **context: Any) -> Outcome:
    case_ = {"id": "O", "patient": {"sex": "F", "age_years": 50}, "evaluate_at": "2026-11-09", "context": context}
    return READERS.interpret(case_history({**case_, "results": [{**SERUM, **one} for one in results]}, READERS))


def srp(value: str, **fields: Any) -> dict[str, Any]:
    return {
        "filler": "S",
        "analyte": "SRP",
        "method": "line_blot",
        "manufacturer": "euroimmun",
        "value": value,
        **fields,
    }


def hmgcr(**fields: Any) -> dict[str, Any]:
    given = {"filler": "H", "analyte": "HMGCR", "method": "clia", "manufacturer": "werfen", "unit": "CU", "cutoff": 20}
    return {**given, **fields}


def ck(value: str) -> dict[str, Any]:
    return {"filler": "C", "analyte": "CK", "method": "enzymatic", "value": value, "unit": "U/L", "ref_high": 170}


PENDING = hmgcr(value="", status="I")


# ---------------------------------------------------------------- the wait


def test_a_comment_waits_for_what_was_ordered_with_it() -> None:
    found = interpreted(srp("2"), PENDING, ck("900"))
    assert found.comment is not None
    assert (found.comment.comment_class, found.outstanding, found.settles) == ("C05", ("HMGCR",), True)
    then = offered(found, (), DAY, SETTLE)
    assert found.newest is not None
    assert then.offered_from == found.newest + SETTLE
    assert then.comment == found.comment


def test_a_positive_antibody_is_offered_at_once() -> None:
    found = interpreted(srp("90"), PENDING, ck("9000"))
    assert found.comment is not None
    assert (found.comment.comment_class, found.outstanding, found.settles) == ("C01", ("HMGCR",), False)
    assert offered(found, (), DAY, SETTLE).offered_from is None


def test_with_everything_in_nothing_waits() -> None:
    found = interpreted(srp("2"), hmgcr(value="3"), ck("900"))
    assert (found.outstanding, offered(found, (), DAY, SETTLE).offered_from) == ((), None)


def test_what_belongs_to_another_order_is_not_waited_for() -> None:
    history = case_history(
        {
            "id": "O",
            "patient": {},
            "evaluate_at": "2026-11-09",
            "results": [{**SERUM, **srp("2")}, {**SERUM, **PENDING}],
        },
        READERS,
    )
    mine, theirs = (
        msgspec.structs.replace(one, group=msgspec.structs.replace(one.group, id=name))
        for one, name in zip(history.results, ("G1", "G2"), strict=True)
    )
    apart = READERS.interpret(msgspec.structs.replace(history, results=(mine, theirs)))
    assert apart.outstanding == ()
    together = msgspec.structs.replace(theirs, group=mine.group)
    assert READERS.interpret(msgspec.structs.replace(history, results=(mine, together))).outstanding == ("HMGCR",)


# ---------------------------------------------------------------- what alone opens no case


def opens(found: Outcome) -> bool:
    return worklist.change(Entry(None, DAY), found, frozenset()) is not None


KNOWN = {"known_msa": [{"analyte": "SRP", "confirmed": True, "partner_tested": False}]}


def test_a_prompt_that_nothing_else_brings_waits_a_week() -> None:
    """C10.16: the partner of a known antibody was never tested, and CK is not high."""
    found = interpreted(srp("90"), ck("300"), **KNOWN)
    assert ([flag.code for flag in found.flags if flag.severity != "info"], found.comment) == (
        ["PARTNER_MISSING"],
        None,
    )
    then = offered(found, (), DAY, SETTLE)
    assert found.newest is not None
    assert then.offered_from == found.prompts_from == found.newest + timedelta(days=7)
    assert opens(then)  # it is kept, not lost: the worklist shows it from then on


@pytest.mark.parametrize(
    ("results", "context"),
    [
        ([srp("90"), ck("9000")], {"suspicion": True}),
        ([srp("2"), ck("300")], {}),
        ([srp("90"), hmgcr(value="25"), ck("300")], KNOWN),
        ([srp("90"), ck("300"), hmgcr(value="25", unit="", cutoff="")], KNOWN),
    ],
)
def test_a_prompt_beside_anything_else_waits_for_nothing(
    results: list[dict[str, Any]], context: dict[str, Any]
) -> None:
    found = interpreted(*results, **context)
    assert found.prompts_from is None


@pytest.mark.parametrize(
    ("results", "context", "wanted"),
    [
        ([srp("2"), ck("120")], {}, False),
        ([srp("2")], {}, False),
        ([srp("2"), ck("300")], {}, True),
        ([srp("2"), ck("120")], {"suspicion": True}, True),
        ([srp("8"), ck("120")], {}, True),
    ],
)
def test_a_lone_partner_prompt_opens_no_case(
    results: list[dict[str, Any]], context: dict[str, Any], wanted: bool
) -> None:
    found = interpreted(*results, **context)
    assert opens(found) is wanted
    assert "PARTNER_MISSING" in {one.code for one in found.flags}  # it stays in the outcome, and so does its advice
    assert "HMGCR" in {one.analyte for one in found.retests}


@pytest.mark.parametrize(("context", "wanted"), [({}, False), ({"suspicion": True}, True)])
def test_a_lone_extreme_ck_opens_no_case(context: dict[str, Any], wanted: bool) -> None:
    found = interpreted(ck("15000"), **context)
    assert {one.code: one.severity for one in found.flags}["CK_EXTREME"] is Severity.CRITICAL
    assert opens(found) is wanted


def test_an_extreme_ck_beside_an_antibody_opens_one() -> None:
    assert opens(interpreted(ck("15000"), srp("2"), hmgcr(value="3")))


# ---------------------------------------------------------------- what is not said again


def said(comment_class: str, days_ago: int, *analytes: str) -> PostedComment:
    day = NOON - timedelta(days=days_ago) + (DAY - NOON.date())
    return PostedComment(comment_class=comment_class, text="", posted=day, analytes=analytes)


@pytest.mark.parametrize(
    ("days", "analyte", "silent"),
    [(0, "HMGCR", True), (180, "HMGCR", True), (181, "HMGCR", False), (20, "SRP", False)],
)
def test_the_same_of_the_same_antibody_is_not_said_again(days: int, analyte: str, silent: bool) -> None:
    flags = (flag("CK_NORMALISED_AB_PERSISTENT", Severity.INFO, "HMGCR"),)
    found = msgspec.structs.replace(outcome(comment_class="C15", flags=flags), repeat_d=180)
    then = offered(found, [said("C15", days, analyte)], DAY, SETTLE)
    assert (then.comment is None, then.said_on) == (silent, DAY - timedelta(days=days) if silent else None)


def test_another_class_or_one_that_is_always_said_is_said() -> None:
    found = msgspec.structs.replace(outcome(comment_class="C15"), repeat_d=180)
    assert offered(found, [said("C17", 5)], DAY, SETTLE).comment is not None
    assert offered(outcome(comment_class="C01"), [said("C01", 5)], DAY, SETTLE).comment is not None


def test_the_days_of_each_class_are_those_of_the_policy() -> None:
    number = KNOWLEDGE.policy.days
    assert interpreted(srp("2"), hmgcr(value="3"), ck("120")).repeat_d == number("repeat_comment_d")  # C07
    assert interpreted(srp("90"), ck("9000")).repeat_d == 0
    corrected = interpreted(srp("2"), hmgcr(value="30"), hmgcr(value="3", status="C", received="2026-11-08"), ck("120"))
    assert corrected.comment is not None
    assert (corrected.comment.addendum_classes, corrected.repeat_d) == (("C19",), 0)


@pytest.mark.parametrize(("days", "silent"), [(180, True), (365, True), (366, False)])
def test_a_quiet_prompt_is_not_said_again_within_a_year(days: int, silent: bool) -> None:
    """C10.16: once in 12 months; C10.39 says half a year of all others."""
    found = interpreted(srp("2"), ck("120"))
    assert found.quiet == ("PARTNER_MISSING", "C05")
    assert (offered(found, (said("C05", days, "HMGCR"),), DAY, SETTLE).comment is None) is silent


def test_the_comments_of_the_patients_other_cases_count() -> None:
    flags = (flag("SARCOPENIA_CAVEAT", Severity.MINOR, "SRP"),)
    found = msgspec.structs.replace(outcome(comment_class="C17", flags=flags), repeat_d=180)
    arrived = Arrived(nothing(), DAY, settle=SETTLE)
    other = msgspec.structs.replace(case(1), posted=(said("C17", 40, "SRP"),))
    own = msgspec.structs.replace(case(2), posted=(said("C17", 40, "SRP"),))
    assert worklist.offer(Entry(None, DAY), arrived, held(other), found).comment is None
    assert worklist.offer(Entry(own, DAY), arrived, held(own), found).comment is not None
