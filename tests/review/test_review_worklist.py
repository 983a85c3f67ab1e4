"""Which case a result belongs to, and whether its case changes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from review_build import DAY, case, flag, found, held, outcome, policy, result

from labbridge.model.outcome import Outcome, Priority, Retest, Severity
from labbridge.model.report import Patient
from labbridge.model.work import CaseChange
from labbridge.review import worklist
from labbridge.review.worklist import Arrived, Entry
from labbridge.states import CaseState

LATER = timedelta(days=1)


def touched(arrived: Arrived, *cases: object) -> list[tuple[int | None, date]]:
    entries = worklist.touched(arrived, held(*cases), policy())  # type: ignore[arg-type]
    return [(entry.case.key if entry.case else None, entry.opened_day) for entry in entries]


def arrived(*days: date) -> Arrived:
    return Arrived(found(*(result(f"M9:OBX[{n}]", day) for n, day in enumerate(days, 1))), DAY)


def test_the_first_result_may_open_a_case_on_its_collection_day() -> None:
    assert touched(arrived(DAY)) == [(None, DAY)]


@pytest.mark.parametrize(("days", "inside"), [(0, True), (30, True), (-30, True), (31, False), (-31, False)])
def test_a_case_takes_results_collected_within_thirty_days_either_side(days: int, inside: bool) -> None:
    day = DAY + timedelta(days=days)
    entries = touched(arrived(day), case(1))
    assert ((None, day) not in entries) is inside


def test_results_of_one_message_far_apart_open_two_cases() -> None:
    old = DAY - timedelta(days=100)
    assert touched(arrived(DAY, old)) == [(None, old), (None, DAY)]


def test_results_of_one_message_close_together_open_one() -> None:
    assert touched(arrived(DAY, DAY + LATER)) == [(None, DAY)]


def test_a_change_to_an_old_result_concerns_the_later_cases_too() -> None:
    old = DAY - timedelta(days=100)
    assert touched(arrived(old), case(1, opened=old), case(2)) == [(1, old), (2, DAY)]


def test_a_new_result_leaves_the_older_case_alone() -> None:
    old = DAY - timedelta(days=100)
    assert touched(arrived(DAY), case(1, opened=old), case(2)) == [(2, DAY)]


def test_context_alone_concerns_the_newest_case() -> None:
    assert touched(Arrived(found(), DAY), case(1, opened=DAY - timedelta(days=99)), case(2)) == [(2, DAY)]
    assert touched(Arrived(found(), DAY)) == []


def test_an_evaluation_looks_at_everything_up_to_the_end_of_the_cases_window() -> None:
    stored = (result("M1:OBX[1]", DAY - timedelta(days=900)), result("M2:OBX[1]", DAY + timedelta(days=31)))
    seen = worklist.history_of(Entry(case(), DAY), arrived(DAY + timedelta(days=30)), held(results=stored), policy())
    assert [one.ref for one in seen.results] == ["M1:OBX[1]", "M9:OBX[1]"]
    assert seen.today == DAY


def test_a_result_that_is_stored_already_is_looked_at_once() -> None:
    stored = (result("M9:OBX[1]"),)
    seen = worklist.history_of(Entry(None, DAY), arrived(DAY), held(results=stored), policy())
    assert len(seen.results) == 1


def test_nothing_stored_of_a_disagreeing_patient_is_used() -> None:
    stored = held(results=(result("M1:OBX[1]"),), patient=Patient(sex="F", birth_date=date(1950, 1, 1)))
    sent = Patient(sex="F", birth_date=date(1960, 1, 1))
    seen = worklist.history_of(
        Entry(None, DAY), Arrived(found(result("M9:OBX[1]"), patient=sent), DAY), stored, policy()
    )
    assert [one.ref for one in seen.results] == ["M9:OBX[1]"]
    assert seen.identity == "birth_date"
    assert seen.patient == sent


def changed(entry: Entry, said: Outcome, *, held: frozenset[str] | None = None) -> CaseChange | None:
    """While the patient still has the results the case was written from, unless told."""
    rests_on = frozenset(entry.case.outcome.used) if entry.case else frozenset[str]()
    return worklist.change(entry, said, rests_on if held is None else held)


@pytest.mark.parametrize(
    ("said", "opens"),
    [
        (outcome(), True),
        (outcome(text=""), False),
        (outcome(text="", flags=(flag(severity=Severity.INFO),)), False),
        (outcome(text="", flags=(flag(severity=Severity.MINOR),)), True),
        (outcome(hold=True), True),
    ],
)
def test_a_case_opens_when_there_is_something_to_say_decide_or_see(said: object, opens: bool) -> None:
    assert (changed(Entry(None, DAY), said) is not None) is opens  # type: ignore[arg-type]


def test_the_draft_names_the_result_its_comment_hangs_on() -> None:
    change = changed(Entry(None, DAY), outcome())
    assert change is not None
    assert (change.draft.subject_message, change.draft.subject_at) == (7, "OBX[3]")
    assert (change.case, change.version, change.state, change.opened_day) == (None, 0, CaseState.NEW, DAY)
    elsewhere = changed(Entry(None, DAY), outcome(subject="A101"))
    assert elsewhere is not None
    assert (elsewhere.draft.subject_message, elsewhere.draft.subject_at) == (None, "A101")


def test_an_unchanged_outcome_is_not_written_again() -> None:
    assert changed(Entry(case(), DAY), outcome()) is None


def test_a_changed_outcome_is_the_next_version_of_the_case() -> None:
    change = changed(Entry(case(), DAY), outcome(text="Another."))
    assert change is not None
    assert (change.case, change.version, change.state, change.draft.text) == (1, 1, CaseState.NEW, "Another.")


@pytest.mark.parametrize("now", [outcome(), outcome(text="")])
def test_a_signed_case_written_from_results_that_are_anothers_now_is_a_persons_again(now: Outcome) -> None:
    """Two patients that were one: the comment at the LIS rests on what is no longer this patient's, whatever there is left
    to say."""
    change = changed(Entry(case(**SIGNED), DAY), now, held=frozenset({"M99:OBX[1]"}))
    assert change is not None
    assert change.state is CaseState.REOPENED
    new = changed(Entry(case(), DAY), outcome(), held=frozenset({"M99:OBX[1]"}))
    assert new is not None
    assert new.version == 1


def test_a_hold_makes_the_case_held_and_its_end_makes_it_new() -> None:
    hold = changed(Entry(case(), DAY), outcome(hold=True))
    assert hold is not None
    assert hold.state is CaseState.HELD
    ended = changed(Entry(case(state=CaseState.HELD, said=outcome(hold=True)), DAY), outcome())
    assert ended is not None
    assert ended.state is CaseState.NEW


SIGNED = {"state": CaseState.SIGNED, "posted": True}
RETEST = Retest(analyte="SRP", families=("ip",), priority=Priority.URGENT, reason="METHOD_DISCORDANCE")


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (outcome(flags=(flag(severity=Severity.INFO),)), None),  # a finding without words of its own
        (outcome(text=""), None),  # nothing to say instead
        (outcome(text="Another.", used=("M8:OBX[3]",)), CaseState.REOPENED),
        (outcome(text="On a new sample."), None),  # the same results, grown old
        (outcome(comment_class="C02"), CaseState.REOPENED),
        (outcome(retests=(RETEST,)), CaseState.REOPENED),
        (outcome(hold=True), CaseState.HELD),
    ],
)
def test_a_released_comment_is_replaced_only_where_it_would_read_otherwise(
    now: object, state: CaseState | None
) -> None:
    change = changed(Entry(case(**SIGNED), DAY), now)  # type: ignore[arg-type]
    assert (change.state if change else None) is state
