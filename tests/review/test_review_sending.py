"""What an answer makes of a delivery: acknowledged, tried again, or given up for a person (reliability.md 6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from labbridge.model.work import Delivery, Sent
from labbridge.review import sending
from labbridge.states import DELIVERY_TRANSITIONS, DeliveryState

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def delivery(refusals: int = 0) -> Delivery:
    return Delivery(
        key=3, case=1, version=1, receiver="lis", control_id="LB1", raw=b"MSH|out", attempts=4, refusals=refusals,
        state=DeliveryState.SENT, created=NOON,
    )  # fmt: skip


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_an_acknowledged_delivery_is_never_due_again(code: str) -> None:
    found = sending.acknowledged(delivery(2), code)
    assert (found.state, found.sent, found.due) == (DeliveryState.ACKNOWLEDGED, Sent.ACKNOWLEDGED, None)
    assert (found.reason, found.refusals) == (f"{code} received", 2)


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_counted_and_the_delivery_waits(code: str) -> None:
    found = sending.refused(delivery(2), code, "207 bad thing", LATER)
    assert (found.state, found.sent, found.due) == (DeliveryState.WAITING, Sent.REFUSED, LATER)
    assert (found.reason, found.refusals) == (f"{code}: 207 bad thing", 3)


def test_ten_refusals_are_enough() -> None:
    one = delivery()
    for number in range(1, sending.MAX_REFUSALS):
        found = sending.refused(one, "AE", "", LATER)
        assert (found.state, found.refusals) == (DeliveryState.WAITING, number)
        one = msgspec.structs.replace(one, refusals=found.refusals)
    last = sending.refused(one, "AE", "", LATER)
    assert (last.state, last.refusals, last.due) == (DeliveryState.FAILED, 10, None)
    assert last.reason == "10 times AE"


def test_silence_is_no_refusal_and_never_gives_up() -> None:
    one = msgspec.structs.replace(delivery(9), attempts=5000)
    found = sending.unanswered(one, "No acknowledgement (TimeoutError)", LATER)
    assert (found.state, found.sent, found.due, found.refusals) == (DeliveryState.WAITING, Sent.UNANSWERED, LATER, 9)


def test_every_outcome_is_a_step_the_table_allows() -> None:
    outcomes = [
        sending.acknowledged(delivery(), "AA"),
        sending.refused(delivery(), "AE", "", LATER),
        sending.refused(delivery(9), "AE", "", LATER),
        sending.unanswered(delivery(), "silence", LATER),
    ]
    assert {one.state for one in outcomes} <= DELIVERY_TRANSITIONS[DeliveryState.SENT]
