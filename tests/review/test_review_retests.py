"""The ledger of retests as a function: rows before, what is known now, rows after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.model.ordered import CONTRADICTS, LONGEST_SAID, LOST, becomes
from labbridge.model.outcome import Outcome, Priority, Retest, States
from labbridge.model.retests import (
    LEFT,
    OPEN,
    ORDER_TRANSITIONS,
    TRANSITIONS,
    Answer,
    Cause,
    Closing,
    Heard,
    OrderSaid,
    OrderState,
    Raised,
    Retested,
    RetestState,
    RetestStep,
    Withheld,
)
from labbridge.review.retests import Now, Speaking, settled

NOON, DAY = datetime(2026, 11, 13, 12, tzinfo=UTC), date(2026, 11, 10)


def asked(
    analyte: str = "SRP", reason: str = "LOW", families: Sequence[str] = ("quant", "ip"), **more: object
) -> Retest:
    return Retest(analyte=analyte, families=tuple(families), priority=Priority.ROUTINE, reason=reason, **more)  # type: ignore[arg-type]


def outcome(*retests: Retest, used: Sequence[str] = ("M1:OBX[1]",), quiet: Sequence[str] = ()) -> Outcome:
    states = States(SRP="POS_LOW", HMGCR="NEG", HEP2="NEG", CK="NORMAL")
    return Outcome(
        patient=None,
        evaluated_at=DAY,
        knowledge="k",
        states=states,
        retests=retests,
        used=tuple(used),
        quiet=tuple(quiet),
    )


def case(*retests: Retest, key: int = 1, evaluated: bool = True, **more: object) -> Speaking:
    given_ = {
        "written": True,
        "raised": {one.analyte: Raised(rule="low@1", ref="M1:OBX[1]") for one in retests},
        **more,
    }
    return Speaking(case=key, version=2, day=DAY, feed="lis", outcome=outcome(*retests), evaluated=evaluated, **given_)  # type: ignore[arg-type]


def row(**changed: object) -> Retested:
    found = Retested(
        key=1, case=1, version=1, lane="p:1", feed="lis", day=DAY, message=1, analyte="SRP", reason="LOW",
        families=("quant", "ip"), priority=Priority.ROUTINE, raised=Raised(rule="low@1", ref="M1:OBX[1]", family="blot"),
        advised=NOON,
    )  # fmt: skip
    return msgspec.structs.replace(found, **changed)


def answer(family: str = "quant", closing: Closing = Closing.CONFIRMED, **changed: object) -> Answer:
    found = Answer(ref="M5:OBX[1]", message=5, analyte="SRP", family=family, day=DAY, closing=closing)
    return msgspec.structs.replace(found, **changed)


RAISED = answer("blot", ref="M1:OBX[1]", message=1)


def step(
    ledger: Sequence[Retested], *cases: Speaking, heard: Sequence[Answer] = (), waiting: Sequence[str] = ()
) -> tuple[RetestStep, ...]:
    found = Heard(answers=(RAISED, *heard), waiting=frozenset(waiting))
    now = Now(cases=cases, heard=found, message=9, lane="p:1", at=NOON + timedelta(hours=1), window_d=30)
    return settled(ledger, now)


def only(steps: Sequence[RetestStep]) -> Retested:
    (found,) = steps
    return found.row


# ---------------------------------------------------------------- advised


def test_a_new_recommendation_is_a_row() -> None:
    found = only(step((), case(asked())))
    assert (found.key, found.case, found.state, found.message) == (0, 1, RetestState.ADVISED, 9)
    assert (found.raised.rule, found.again, found.withheld) == ("low@1", False, Withheld.NONE)


def test_one_that_stands_is_left_as_it_is() -> None:
    assert step([row()], case(asked())) == ()


def test_a_case_that_was_not_evaluated_advises_nothing_new() -> None:
    assert step((), case(asked(), evaluated=False)) == ()


@pytest.mark.parametrize(
    ("retest", "same"),
    [
        (asked(), True),
        (asked(reason="DISCORDANT", families=["ip"]), True),
        (asked(families=["cba"]), True),
        (asked(reason="DISCORDANT", families=["cba"]), False),
        (asked(analyte="HMGCR"), False),
    ],
)
def test_it_is_the_same_retest_for_the_same_reason_or_by_a_shared_method(retest: Retest, same: bool) -> None:
    steps = step([row()], case(retest))
    assert bool([one for one in steps if one.before is None]) is not same


def test_another_case_of_the_patient_that_asks_for_the_same_raises_no_second_row() -> None:
    assert step([row()], case(asked(), evaluated=False), case(asked(), key=2)) == ()


def test_advice_alone_is_never_ordered() -> None:
    quiet = msgspec.structs.replace(case(asked()), outcome=outcome(asked(), quiet=["LOW"]))
    assert only(step((), quiet)).withheld is Withheld.PROMPT


# ---------------------------------------------------------------- resulted


@pytest.mark.parametrize(("state", "closing"), list(product(sorted(OPEN), Closing)))
def test_a_later_usable_result_by_an_acceptable_method_closes_it(state: RetestState, closing: Closing) -> None:
    steps = step([row(state=state)], case(), heard=[answer(closing=closing)])
    found = only(steps)
    assert (found.state, found.closing, found.closed_by) == (RetestState.RESULTED, closing, "M5:OBX[1]")
    assert (steps[0].by, steps[0].recall) == ("quant", state is RetestState.ORDERED)


@pytest.mark.parametrize(
    "other",
    [
        answer("blot"),
        answer(analyte="HMGCR"),
        answer(message=1),
        answer(message=0),
        answer(day=DAY - timedelta(days=31)),
    ],
    ids=["method", "analyte", "same message", "earlier message", "before its case"],
)
def test_what_is_no_answer_closes_nothing(other: Answer) -> None:
    assert step([row()], case(asked()), heard=[other]) == ()


def test_one_that_waits_for_a_day_is_answered_from_that_day_on() -> None:
    waits = row(not_before=DAY + timedelta(days=60))
    early, late = answer(), answer(ref="M6:OBX[1]", message=6, day=DAY + timedelta(days=60))
    assert step([waits], case(asked()), heard=[early]) == ()
    closed, _asked_again = step([waits], case(asked()), heard=[early, late])
    assert closed.row.closed_by == "M6:OBX[1]"
    assert only(step([waits], case(), heard=[early])).closed_by == "M5:OBX[1]"


@pytest.mark.parametrize(
    ("mine", "theirs", "days", "closes"),
    [("S1", "S2", 0, True), ("S1", "S1", 5, False), ("", "", 1, True), ("", "", 0, False), ("S1", "", 0, False)],
)
def test_the_same_method_answers_on_a_new_specimen_alone(mine: str, theirs: str, days: int, closes: bool) -> None:
    raised = Raised(rule="x@1", ref="M1:OBX[1]", family="blot", specimen=mine, day=DAY)
    asks = asked(families=["same_new_specimen"])
    found = answer("blot", specimen=theirs, day=DAY + timedelta(days=days))
    steps = step([row(families=("same_new_specimen",), raised=raised)], case(asks), heard=[found])
    assert any(one.row.state is RetestState.RESULTED for one in steps) is closes


def test_ck_answers_ck_on_dilution() -> None:
    asks = asked("CK", families=["enzymatic_diluted"])
    ck = row(analyte="CK", families=("enzymatic_diluted",))
    steps = step([ck], case(asks), heard=[answer("enzymatic", analyte="CK")])
    assert [one.row.state for one in steps] == [RetestState.RESULTED, RetestState.ADVISED]
    assert steps[1].row.again, "the result of a retest raises it again: no order is made of that"


def test_what_is_asked_for_after_an_answer_by_another_method_is_a_retest_of_its_own() -> None:
    steps = step([row()], case(asked(families=["ip"])), heard=[answer(closing=Closing.EQUIVOCAL)])
    assert [(one.row.state, one.row.again) for one in steps] == [
        (RetestState.RESULTED, False),
        (RetestState.ADVISED, False),
    ]


# ---------------------------------------------------------------- corrected


DONE = row(state=RetestState.RESULTED, closing=Closing.CONFIRMED, closed_by="M5:OBX[1]", closed=NOON)


def test_a_closing_result_that_stands_leaves_it_closed() -> None:
    assert step([DONE], case(), heard=[answer(), answer("ip", ref="M6:OBX[1]", message=6)]) == ()


def test_a_corrected_one_closes_it_anew() -> None:
    found = only(step([DONE], case(), heard=[answer(ref="M7:OBX[1]", message=7, closing=Closing.REFUTED)]))
    assert (found.closing, found.closed_by) == (Closing.REFUTED, "M7:OBX[1]")


@pytest.mark.parametrize(
    ("order", "state"),
    [(None, RetestState.ADVISED), (OrderState.CANCELLED, RetestState.ADVISED)]
    + [(one, RetestState.ORDERED) for one in sorted(LEFT)],
)
def test_a_withdrawn_one_opens_it_again_with_its_order(order: OrderState | None, state: RetestState) -> None:
    found = only(step([msgspec.structs.replace(DONE, order=order)], case(asked())))
    assert (found.state, found.closing, found.closed, found.cause) == (state, None, None, None)


def test_a_withdrawn_one_of_what_nobody_wants_any_more_was_for_nothing() -> None:
    assert only(step([DONE], case())).cause is Cause.CHANGED


def test_what_came_in_its_place_meanwhile_gives_way() -> None:
    later = row(key=2, reason="DISCORDANT", families=("ip",))
    steps = step([DONE, later], case(asked(families=["quant", "ip"])))
    assert [(one.row.key, one.row.state, one.row.cause) for one in steps] == [
        (2, RetestState.CANCELLED, Cause.TWICE),
        (1, RetestState.ADVISED, None),
    ]


@pytest.mark.parametrize("why", ["in progress", "on hold"])
def test_nothing_is_cancelled_while_something_is_waited_for(why: str) -> None:
    assert step([row()], case(), waiting=["SRP"]) == (), why


def test_what_is_not_recommended_any_more_is_cancelled_with_its_cause() -> None:
    assert only(step([row()], case())).cause is Cause.NOT_NEEDED
    gone = row(raised=Raised(rule="low@1", ref="M0:OBX[1]"))
    assert only(step([gone], case())).cause is Cause.CHANGED
    assert only(step([row()])).cause is Cause.CLOSED


def test_an_order_that_has_not_left_goes_with_what_it_was_written_from() -> None:
    waiting = row(state=RetestState.ORDERED, order=OrderState.WAITING, raised=Raised(rule="low@1", ref="M0:OBX[1]"))
    (found,) = step([waiting], case(asked()))
    assert (found.row.state, found.recall, found.row.raised.ref) == (RetestState.ADVISED, True, "M1:OBX[1]")
    (kept,) = step([waiting], case(asked(), written=False))
    assert (kept.row.state, kept.recall) == (RetestState.ORDERED, False)
    left = msgspec.structs.replace(waiting, order=OrderState.UNKNOWN)
    assert only(step([left], case(asked()))).state is RetestState.ORDERED


def test_one_that_comes_back_finds_its_row() -> None:
    ended = row(state=RetestState.CANCELLED, cause=Cause.NOT_NEEDED, closed=NOON)
    found = only(step([ended], case(asked())))
    assert (found.key, found.state, found.cause) == (1, RetestState.ADVISED, None)
    elsewhere = msgspec.structs.replace(ended, case=7)
    assert only(step([elsewhere], case(asked()))).key == 0
    with_order = msgspec.structs.replace(elsewhere, order=OrderState.ACCEPTED)
    assert only(step([with_order], case(asked()))).state is RetestState.ORDERED


def test_what_a_person_ended_stays_ended_in_its_case() -> None:
    ended = row(state=RetestState.CANCELLED, cause=Cause.PERSON, closed=NOON)
    assert step([ended], case(asked())) == ()
    assert only(step([ended], case(asked(), key=2))).state is RetestState.ADVISED


# ---------------------------------------------------------------- whatever there is


ANALYTES, REASONS, FAMILIES = ("SRP", "CK"), ("LOW", "DISCORDANT"), ("quant", "ip", "same_new_specimen")
families = st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=2, unique=True).map(tuple)
retests = st.builds(asked, st.sampled_from(ANALYTES), st.sampled_from(REASONS), families)
rows = st.builds(
    row,
    key=st.integers(1, 9),
    case=st.integers(1, 2),
    analyte=st.sampled_from(ANALYTES),
    reason=st.sampled_from(REASONS),
    families=families,
    state=st.sampled_from(RetestState),
    closed_by=st.sampled_from(("M5:OBX[1]", "M6:OBX[1]")),
    cause=st.sampled_from((Cause.PERSON, Cause.CHANGED)),
    order=st.sampled_from((None, *OrderState)),
)
answers = st.builds(
    answer,
    st.sampled_from(("quant", "ip", "blot")),
    st.sampled_from(Closing),
    ref=st.sampled_from(("M5:OBX[1]", "M6:OBX[1]")),
    analyte=st.sampled_from(ANALYTES),
    message=st.integers(0, 8),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(rows, max_size=5, unique_by=lambda one: one.key),
    st.lists(retests, max_size=3, unique_by=lambda one: one.analyte),
    st.lists(answers, max_size=3, unique_by=lambda one: one.ref),
)
def test_of_whatever_rows_one_is_open_for_a_reason_and_no_step_is_unlisted(
    ledger: list[Retested], recommended: list[Retest], known: list[Answer]
) -> None:
    for _time in range(2):  # the second time what the first has written is there
        ledger = _after(ledger, step(ledger, case(*recommended), heard=known))
        opened = [(one.analyte, one.reason) for one in ledger if one.open]
        assert len(opened) == len(set(opened))


def _after(ledger: Sequence[Retested], steps: Sequence[RetestStep]) -> list[Retested]:
    """The rows as the steps leave them; each step is a listed one."""
    for one in steps:
        assert one.before is None or one.row.state is one.before or one.row.state in TRANSITIONS[one.before]
        assert (one.row.closing is not None) is (one.row.state is RetestState.RESULTED)
    after = {one.key: one for one in ledger} | {one.row.key: one.row for one in steps if one.row.key}
    fresh = [one.row for one in steps if one.before is None]
    return [*after.values(), *(_keyed(one, 20 + number) for number, one in enumerate(fresh))]


def _keyed(one: Retested, key: int) -> Retested:
    return msgspec.structs.replace(one, key=key)


# ---------------------------------------------------------------- what an answer makes of an order


def said(state: OrderState, text: str = "") -> OrderSaid:
    return OrderSaid(number="LBO1-1", control_id="LB1-1", state=state, said=text)


@pytest.mark.parametrize(
    ("before", "state", "lost"),
    list(product(OrderState, (OrderState.ACKNOWLEDGED, OrderState.ACCEPTED, OrderState.REFUSED), (False, True))),
)
def test_an_answer_takes_a_listed_step_or_none(before: OrderState, state: OrderState, lost: bool) -> None:
    if before is OrderState.WAITING:
        return  # it becomes unknown as it leaves
    became = becomes(before, said(state), lost=lost)
    assert became is None or became.state is before or became.state in ORDER_TRANSITIONS[before]
    if became is not None and became.state is OrderState.ACCEPTED:
        assert (state, before in (OrderState.UNKNOWN, OrderState.ACKNOWLEDGED)) == (OrderState.ACCEPTED, True)


def test_doubt_is_told() -> None:
    after_lost = becomes(OrderState.UNKNOWN, said(OrderState.REFUSED, "duplicate number"), lost=True)
    assert after_lost is not None
    assert (after_lost.state, after_lost.said) == (OrderState.UNKNOWN, f"{LOST}. duplicate number")
    both = becomes(OrderState.ACCEPTED, said(OrderState.REFUSED, "no serum"), lost=False)
    assert both is not None
    assert (both.state, both.said) == (OrderState.UNKNOWN, f"{CONTRADICTS}. no serum")


def test_a_reason_is_one_line_of_bounded_length() -> None:
    found = becomes(OrderState.UNKNOWN, said(OrderState.REFUSED, "a\n b" + "x" * 999), lost=False)
    assert found is not None
    assert (found.said[:3], len(found.said)) == ("a b", LONGEST_SAID)
