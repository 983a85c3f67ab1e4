"""Release, the outbox and reprocess: bound to versions, in lane order, with identical bytes."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator

import msgspec
import pytest
from store_build import LANE, NOON, Store, arrival, change, event, later, outgoing, refused

from labbridge.errors import Refused, StoreUnavailable
from labbridge.model.work import Count, Delivery
from labbridge.review import sending
from labbridge.states import CaseState, DeliveryState
from tests.summed import summed


async def with_case(store: Store, lane: str = LANE, control_id: str = "C1") -> int:
    await store.intake.keep(arrival(f"MSH|{lane}", control_id=control_id, lanes=(lane,)), event())
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]
    return int(str(store.rows("SELECT max(id) FROM cases")[0][0]))


def released(store: Store, case: int = 1, control_id: str = "LB1", lane: str = "lis/p", version: int = 1) -> int:
    return store.desk.release(outgoing(case, version, control_id, lane), event("released", f"C{case}@{version}"))


async def claimed(store: Store, minutes: float = 0) -> Delivery | None:
    return await store.outbox.claim_delivery("lis", later(minutes))


async def test_a_release_signs_the_case_and_fills_the_outbox_in_one_step(store: Store) -> None:
    await with_case(store)
    assert released(store) == 1
    case = store.desk.case(1)
    assert case is not None
    assert (case.state, case.unsent, case.posted) == (CaseState.SIGNED, 1, ())
    assert store.rows("SELECT control_id, raw, state FROM outbox") == [("LB1", b"MSH|out", "waiting")]
    assert ("released", "C1@1") in store.rows("SELECT action, subject FROM audit")


async def test_a_version_that_is_no_longer_the_newest_is_refused_and_nothing_is_written(store: Store) -> None:
    await with_case(store)
    with pytest.raises(Refused, match="has changed since version 7 was read"):
        released(store, version=7)
    assert store.rows("SELECT count(*) FROM outbox") == [(0,)]


async def test_a_signed_case_is_not_signed_again(store: Store) -> None:
    await with_case(store)
    released(store)
    with pytest.raises(Refused):
        released(store, control_id="LB2")


async def test_a_thousand_hands_release_once(store: Store) -> None:
    await with_case(store)

    async def one(number: int) -> bool:
        try:
            await asyncio.to_thread(released, store, 1, f"LB{number}")
        except Refused:
            return False
        return True

    assert sum(await asyncio.gather(*(one(number) for number in range(40)))) == 1


async def test_a_claimed_message_is_sent_and_its_bytes_are_the_released_ones(store: Store) -> None:
    await with_case(store)
    released(store)
    delivery = await claimed(store)
    assert delivery is not None
    assert (delivery.raw, delivery.control_id, delivery.attempts, delivery.state) == (
        b"MSH|out",
        "LB1",
        1,
        DeliveryState.SENT,
    )
    assert await claimed(store) is None  # it is in flight
    case = store.desk.case(1)
    assert case is not None
    assert (len(case.posted), case.unsent) == (1, 0)


async def test_a_message_waits_until_it_is_due_and_goes_again_with_the_same_bytes(store: Store) -> None:
    await with_case(store)
    released(store)
    first = await claimed(store)
    assert first is not None
    await store.outbox.settle(first, sending.unanswered(first, "no answer", later(5)), (), event())
    assert await claimed(store, 4) is None
    again = await claimed(store, 6)
    assert again is not None
    assert (again.raw, again.control_id, again.attempts) == (first.raw, first.control_id, 2)


@pytest.mark.parametrize(("back", "due"), [(0, False), (1, False), (9, False), (11, True), (24 * 60, True)])
async def test_a_clock_that_is_set_back_puts_nothing_off(store: Store, back: float, due: bool) -> None:
    """A message refused at noon goes again a minute later, also where it is the morning again, or the day before."""
    await with_case(store)
    released(store)
    first = await claimed(store)
    assert first is not None
    await store.outbox.settle(first, sending.refused(first, "AE", "", later(1)), (), event())
    assert (await claimed(store, 1 - max(back, 0.5)) is not None) is due


async def test_refusals_are_counted_apart_from_attempts(store: Store) -> None:
    await with_case(store)
    released(store)
    first = await claimed(store)
    assert first is not None
    assert first.refusals == 0
    await store.outbox.settle(first, sending.refused(first, "AE", "", NOON), (), event())
    second = await claimed(store, 1)
    assert second is not None
    assert (second.refusals, second.attempts) == (1, 2)


async def test_an_acknowledged_message_never_goes_again(store: Store) -> None:
    await with_case(store)
    released(store)
    delivery = await claimed(store)
    assert delivery is not None
    await store.outbox.settle(delivery, sending.acknowledged(delivery, "AA"), (), event())
    assert await claimed(store, 9999) is None


async def test_one_lane_keeps_its_order_and_does_not_hold_up_another(store: Store) -> None:
    for number, lane in enumerate(("a", "b"), 1):
        await with_case(store, lane, f"C{number}")
    released(store, 1, "LB1", "lis/a")
    released(store, 2, "LB2", "lis/b")
    store.connection.execute("UPDATE cases SET state = 'new' WHERE id = 1")
    summed(store.connection)
    released(store, 1, "LB3", "lis/a")
    first, other = await claimed(store), await claimed(store)
    assert (first and first.control_id, other and other.control_id) == ("LB1", "LB2")
    assert await claimed(store) is None  # LB3 waits for LB1
    assert first is not None
    await store.outbox.settle(first, sending.acknowledged(first, "AA"), (), event())
    third = await claimed(store)
    assert third is not None
    assert third.control_id == "LB3"


async def test_a_comment_whose_case_has_moved_on_never_leaves(store: Store) -> None:
    await with_case(store)
    released(store)
    store.connection.execute("UPDATE cases SET version = 2 WHERE id = 1")
    summed(store.connection)
    assert await claimed(store) is None
    assert store.rows("SELECT state FROM outbox") == [("cancelled",)]
    assert store.rows("SELECT void FROM comments") == [(1,)]


async def test_a_comment_that_may_have_left_stays_on_record_when_it_is_called_back(store: Store) -> None:
    await with_case(store)
    released(store)
    first = await claimed(store)
    assert first is not None
    await store.outbox.settle(first, sending.unanswered(first, "no answer", NOON), (), event())
    store.connection.execute(
        'INSERT INTO drafts SELECT "case", 2, outcome, text, subject_message, subject_at, knowledge, created, 0 FROM drafts'
    )
    store.connection.execute("UPDATE cases SET version = 2 WHERE id = 1")
    summed(store.connection)
    assert await claimed(store, 1) is None
    case = store.desk.case(1)
    assert case is not None
    assert len(case.posted) == 1  # so that the next one is sent as its correction


async def test_a_new_draft_calls_back_what_has_not_been_sent(store: Store) -> None:
    await with_case(store)
    released(store)
    await store.intake.keep(arrival("MSH|2", control_id="C2"), event())
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change(case=1, version=1, text="New.", unsent=1)) == [True]
    assert store.rows("SELECT state FROM outbox") == [("cancelled",)]
    case = store.desk.case(1)
    assert case is not None
    assert (case.posted, case.unsent, case.version) == ((), 0, 2)


async def test_a_draft_that_did_not_see_the_release_is_undone(store: Store) -> None:
    await with_case(store)
    await store.intake.keep(arrival("MSH|2", control_id="C2"), event())
    (message,) = store.work.claim(NOON)
    released(store)
    assert store.finish(message, change(case=1, version=1, text="New.", unsent=0)) == [False]
    assert store.rows("SELECT state FROM outbox") == [("waiting",)]


async def test_what_a_stopped_process_left_in_flight_waits_again(store: Store) -> None:
    await with_case(store)
    released(store)
    await claimed(store)
    assert await store.outbox.recover("lis", NOON, event("recovered", "outbox")) == 1
    again = await claimed(store)
    assert again is not None
    assert (again.control_id, again.attempts) == ("LB1", 2)


def test_an_act_without_a_row_of_its_own_is_audited_and_counted(store: Store) -> None:
    store.desk.record(event("reload accepted", "knowledge"), (Count("reloads", ("accepted",)),))
    store.desk.record(event("reload accepted", "knowledge"), (Count("reloads", ("accepted",)),))
    assert store.rows("SELECT action, subject FROM audit") == [("reload accepted", "knowledge")] * 2
    assert store.rows("SELECT labels, count FROM tally WHERE name = 'reloads'") == [("accepted", 2)]


def test_control_ids_are_never_used_twice(store: Store) -> None:
    found = [store.desk.next_control_id(NOON) for _time in range(50)]
    assert len(set(found)) == 50
    assert all(one.startswith("LB") and len(one) <= 20 for one in found)


async def test_a_parked_message_goes_through_again(store: Store) -> None:
    await with_case(store)
    store.desk.reprocess(1, (LANE,), event("reprocess", "M1"))
    assert store.rows("SELECT state, attempts FROM work") == [("kept", 0)]
    assert store.rows("SELECT count(*) FROM results") == [(0,)]
    assert [one.key for one in store.work.claim(NOON)] == [1]


async def test_a_quarantined_message_becomes_kept_with_the_lanes_it_has_now(store: Store) -> None:
    await store.intake.quarantine(refused(), event())
    store.desk.reprocess(1, ("p:A|1", "p:A|2"), event("reprocess", "M1"))
    assert store.rows("SELECT lane FROM work") == [("p:A|1",), ("p:A|2",)]
    assert store.rows("SELECT name, count FROM tally ORDER BY name") == [
        ("quarantined", 0),
        ("stored", 1),
        ("taken_up", 1),
    ]


def test_there_is_nothing_to_reprocess_under_an_unknown_key(store: Store) -> None:
    with pytest.raises(Refused, match="no message M9"):
        store.desk.reprocess(9, (), event())
    assert store.desk.case(9) is None
    assert store.desk.message(9) is None


@pytest.mark.parametrize("sql", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
async def test_the_audit_is_append_only(store: Store, sql: str) -> None:
    await with_case(store)
    with pytest.raises(Exception, match="append-only"):
        store.connection.execute(sql)
    assert len(store.rows("SELECT * FROM audit")) > 0


# ---------------------------------------------------------------- a store that fails between an answer and its record


@contextlib.contextmanager
def full(store: Store) -> Iterator[None]:
    """A database that cannot grow by a page: every commit that needs one fails, as on a full disk."""

    def limit(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.execute("CREATE TABLE filler(body BLOB)")

    with contextlib.suppress(StoreUnavailable):
        store.writer.submit(limit).result()
    yield
    store.writer.submit(lambda connection: connection.execute("PRAGMA max_page_count = 1000000")).result()


LONG = "x" * 100_000  # what the receiver said: it does not fit any more


async def test_an_answer_that_could_not_be_written_is_not_forgotten(file_store: Store) -> None:
    """AA came, the disk was full: the comment must not go again, nor hold up its lane."""
    store = file_store
    await with_case(store)
    released(store)
    delivery = await claimed(store)
    assert delivery is not None
    settled = msgspec.structs.replace(sending.acknowledged(delivery, "AA"), reason=LONG)
    with full(store):
        with pytest.raises(StoreUnavailable):
            await store.outbox.settle(delivery, settled, (Count("sent", ()),), event("delivery acknowledged"))
        with pytest.raises(StoreUnavailable):
            await claimed(store, 1)
    assert await claimed(store, 2) is None
    assert store.rows("SELECT state, attempts FROM outbox") == [("acknowledged", 1)]
    assert store.rows("SELECT count(*) FROM audit WHERE action = 'delivery acknowledged'") == [(1,)]
    assert store.rows("SELECT count FROM tally WHERE name = 'sent'") == [(1,)]


async def test_after_a_claim_that_failed_nothing_stays_under_way(store: Store) -> None:
    await with_case(store)
    released(store)
    store.writer.submit(lambda connection: connection.execute("UPDATE outbox SET state = 'sent'")).result()
    store.outbox._owed["lis"] = lambda connection: None  # as after a commit whose answer was lost
    delivery = await claimed(store)
    assert delivery is not None
    assert (delivery.key, delivery.raw) == (1, b"MSH|out")
    assert await claimed(store) is None
