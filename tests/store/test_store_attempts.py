"""Every attempt to deliver is written down in the unit that settles it, with what the receiver wrote."""

from __future__ import annotations

import pytest
from store_build import NOON, Store, arrival, change, event, later, outgoing

from labbridge import pipeline
from labbridge.errors import Retry, StoreUnavailable
from labbridge.hl7.ack import Acknowledgement
from labbridge.model.work import AuditEvent, Count
from labbridge.review import sending
from labbridge.states import Reason
from labbridge.store import outbox
from labbridge.store.deliveries import StoreDeliveries

ATTEMPTS = "SELECT delivery, at, sent, reason, answer FROM attempts ORDER BY id"


async def waiting(store: Store) -> None:
    await store.intake.keep(arrival(), event())
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]
    store.desk.release(outgoing(), event("released"))


class Line:
    """A receiver that answers as it is told."""

    name = "lis"

    def __init__(self, *answers: Acknowledgement | Retry) -> None:
        self._answers = list(answers)

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        answer = self._answers.pop(0)
        if isinstance(answer, Retry):
            raise answer
        return answer


class Clock:
    def __init__(self) -> None:
        self.moment = later(1)

    def now(self) -> object:
        return self.moment


async def attempt(store: Store, answer: Acknowledgement | Retry, minutes: float) -> None:
    clock = Clock()
    clock.moment = later(minutes)
    assert await pipeline.deliver(Line(answer), store.outbox, clock, lambda _number: later(5) - NOON)  # type: ignore[arg-type]


def attempts(store: Store) -> list[tuple[object, ...]]:
    return [(*row[:4], bytes(row[4])) for row in store.rows(ATTEMPTS)]  # type: ignore[arg-type]


async def test_each_attempt_leaves_its_row(store: Store) -> None:
    await waiting(store)
    await attempt(store, Retry(Reason.NO_ANSWER, "No acknowledgement (TimeoutError)"), 1)
    await attempt(store, Retry(Reason.NO_ANSWER, "Mismatched answer", b"\x0bMSH|other\x1c\r"), 11)
    await attempt(store, Acknowledgement("AE", "LB1", "no", "103", b"MSA|AE|LB1|no\r"), 21)
    await attempt(store, Acknowledgement("AA", "LB1", raw=b"MSA|AA|LB1\r"), 31)
    assert [(row[0], *row[2:]) for row in attempts(store)] == [
        (1, "unanswered", "No acknowledgement (TimeoutError)", b""),
        (1, "unanswered", "Mismatched answer", b"\x0bMSH|other\x1c\r"),
        (1, "refused", "AE: 103 no", b"MSA|AE|LB1|no\r"),
        (1, "acknowledged", "AA received", b"MSA|AA|LB1\r"),
    ]
    assert [row[1] for row in attempts(store)] == [later(minutes).isoformat() for minutes in (1, 11, 21, 31)]
    found = StoreDeliveries(store.reader).one(1, None, opened=True)
    assert found is not None
    assert found.attempts[0].answer == b"MSA|AA|LB1\r"
    assert (found.told, found.row.attempts, found.raw) == (4, 4, b"MSH|out")
    closed = StoreDeliveries(store.reader).one(1, None)
    assert closed is not None
    assert {one.answer for one in closed.attempts} == {b""}
    assert [one.length for one in closed.attempts] == [11, 14, 12, 0]


async def test_of_a_long_answer_the_first_64_kib_are_kept(store: Store) -> None:
    await waiting(store)
    await attempt(store, Acknowledgement("AA", "LB1", raw=b"x" * 200_000), 1)
    assert len(attempts(store)[0][4]) == 65536  # type: ignore[arg-type]


async def test_the_row_and_the_state_are_one_unit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last statement of the unit fails nothing of it is there; where it is done anew, it is there once."""
    await waiting(store)
    delivery = await store.outbox.claim_delivery("lis", later(1))
    assert delivery is not None
    settled = sending.heard(sending.acknowledged(delivery, "AA"), b"MSA|AA|LB1")
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "INSERT_AUDIT", "INSERT INTO no_such_table VALUES (?,?,?,?,?)")
        with pytest.raises(StoreUnavailable):
            await store.outbox.settle(delivery, settled, (), event())
        assert attempts(store) == []
        assert store.rows("SELECT state FROM outbox") == [("sent",)]
    await store.outbox.claim_delivery("lis", later(2))
    assert len(attempts(store)) == 1
    assert store.rows("SELECT state FROM outbox") == [("acknowledged",)]
    await store.outbox.settle(delivery, settled, (Count("delivered", ()),), event())
    assert len(attempts(store)) == 1


async def test_an_attempt_that_a_stop_cut_off_is_told(store: Store) -> None:
    await waiting(store)
    await store.outbox.claim_delivery("lis", later(1))
    audit = AuditEvent(at=later(2), actor="labbridge", action="recovered", subject="outbox")
    assert await store.outbox.recover("lis", later(2), audit) == 1
    assert attempts(store) == [(1, later(2).isoformat(), "unanswered", outbox.ENDED, b"")]
    assert await store.outbox.recover("lis", later(3), audit) == 0
    assert len(attempts(store)) == 1
