"""What the store counts: the equation of arrivals, queues and their ages, each from the rows it speaks of."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from store_build import LANE, NOON, Store, arrival, change, event, later, outgoing, refused

from labbridge.model.work import Arrival, Count
from labbridge.review import sending
from labbridge.states import Reason, State
from labbridge.store.connection import Statement
from labbridge.store.counts import NAMES, Counts, counts
from labbridge.store.tally import counted as count_all
from labbridge.store.writer import unit
from tests.summed import summed

HOUR_S, DAY_S = 3600.0, 86400.0


def counted(store: Store, minutes: float = 0) -> Counts:
    return counts(store.reader, later(minutes))


async def keep(store: Store, *arrivals: Arrival) -> None:
    for one in arrivals:
        await store.intake.keep(one, event())


def of(feed: str, text: str, minutes: float = 0, **more: object) -> Arrival:
    """An arrival of a feed, so many minutes after noon; its text is its control id too."""
    made = arrival(text, control_id=text, lanes=(f"lane {text}",))
    return msgspec.structs.replace(made, feed=feed, received=later(minutes), **more)


def oversize(text: str) -> Arrival:
    return refused(text, control_id=text, reason=Reason.OVERSIZE)


def equation(found: Counts) -> tuple[int, int, int, int, int]:
    return found.received, found.stored, found.quarantined, found.duplicate, found.oversize


# ---------------------------------------------------------------- arrivals


def test_a_fresh_store_has_counted_nothing(store: Store) -> None:
    found = counted(store)
    assert equation(found) == (0, 0, 0, 0, 0)
    assert (found.waiting, found.parked, found.cases, found.outbox, found.quarantine) == (0, 0, {}, {}, {})
    assert (found.oldest_waiting_s, found.quarantine_oldest_s, found.last_received, found.unmapped) == (0, 0, {}, {})
    assert set(found.tally) == set(NAMES), "each of the equation is there before the first"


async def test_whatever_arrives_is_counted_once_as_what_it_is(store: Store) -> None:
    await keep(store, arrival("A", control_id="1"), arrival("B", control_id="2"), arrival("A", control_id="1"))
    await keep(
        store, refused("X", control_id="3"), oversize("Y"), refused("X", control_id="3"), arrival("A", control_id="1")
    )
    found = counted(store)
    assert equation(found) == (7, 2, 1, 3, 1)
    assert found.received == sum(getattr(found, name) for name in NAMES)


async def test_another_text_under_a_used_control_id_is_a_message_of_its_own(store: Store) -> None:
    await keep(store, arrival("A", control_id="1"), arrival("B", control_id="1"))
    assert equation(counted(store)) == (2, 2, 0, 0, 0)


async def test_arrivals_are_counted_by_feed_and_type_and_a_refused_one_gives_no_label(store: Store) -> None:
    """What a sender writes into MSH-9 must not make labels without end."""
    await keep(store, of("lis", "A"), of("lis", "B"), of("poct", "C", message_type="OUL^R22"))
    await keep(store, msgspec.structs.replace(refused("X"), message_type="ZZZ^WHATEVER"))
    tally = counted(store).tally
    assert tally["stored"] == {("lis", "ORU^R01"): 2, ("poct", "OUL^R22"): 1}
    assert tally["quarantined"] == {("lis", "other"): 1}


async def test_the_last_message_of_each_feed_whatever_became_of_it(store: Store) -> None:
    await keep(store, of("lis", "A", 0), of("lis", "B", 10), of("poct", "C", 5))
    first = counted(store).last_received
    assert first == {"lis": later(10).timestamp(), "poct": later(5).timestamp()}
    bad = msgspec.structs.replace(refused("X"), feed="poct", received=later(20))
    await keep(store, bad, of("lis", "A", 30))
    assert counted(store).last_received == {"lis": later(30).timestamp(), "poct": later(20).timestamp()}


async def test_taken_up_after_a_repair_it_moves_from_one_side_of_the_equation_to_the_other(store: Store) -> None:
    await keep(store, refused("X", control_id="1"), oversize("Y"))
    store.desk.reprocess(1, (LANE,), event())
    assert equation(counted(store)) == (2, 1, 0, 0, 1)
    store.desk.reprocess(2, (LANE,), event())
    assert equation(counted(store)) == (2, 2, 0, 0, 0)
    assert counted(store).quarantine == {}
    assert counted(store).waiting == 2


# ---------------------------------------------------------------- work


async def test_work_waits_from_its_receipt_and_the_oldest_counts(store: Store) -> None:
    await keep(store, of("lis", "A", 0), of("lis", "B", 30))
    found = counted(store, 60)
    assert (found.waiting, found.parked, found.oldest_waiting_s) == (2, 0, HOUR_S)
    (first, _second) = store.work.claim(later(60))
    store.finish(first)
    found = counted(store, 60)
    assert (found.waiting, found.oldest_waiting_s) == (1, HOUR_S / 2)


async def test_a_message_of_three_patients_is_three_pieces_of_work_and_one_arrival(store: Store) -> None:
    await keep(store, arrival(lanes=("a", "b", "c")))
    found = counted(store)
    assert (found.received, found.waiting) == (1, 3)


async def test_what_is_parked_waits_no_longer_and_is_counted_apart(store: Store) -> None:
    await keep(store, of("lis", "A"))
    (message,) = store.work.claim(NOON)
    with store.work.unit():
        store.work.set_state(message, State.PARKED, Reason.UNREADABLE, "Look at it", event())
    store.work.flush()
    found = counted(store, 600)
    assert (found.waiting, found.parked, found.oldest_waiting_s) == (0, 1, 0)
    assert found.quarantine == {}, "it was accepted: it is no quarantined message"


async def test_a_claim_alone_settles_nothing(store: Store) -> None:
    await keep(store, of("lis", "A"))
    store.work.claim(NOON)
    assert counted(store, 5).waiting == 1


# ---------------------------------------------------------------- quarantine


async def test_the_quarantine_by_reason_and_its_oldest(store: Store) -> None:
    reasons = (Reason.STRUCTURE, Reason.STRUCTURE, Reason.CHARACTERS, Reason.OVERSIZE)
    for number, reason in enumerate(reasons):
        bad = msgspec.structs.replace(
            refused(f"X{number}", control_id=f"{number}", reason=reason), received=later(number)
        )
        await keep(store, bad)
    found = counted(store, 60)
    assert found.quarantine == {"structure": 2, "characters": 1, "oversize": 1}
    assert found.quarantine_oldest_s == HOUR_S
    store.desk.reprocess(1, (LANE,), event())
    assert counted(store, 60).quarantine_oldest_s == HOUR_S - 60


# ---------------------------------------------------------------- cases and what leaves


async def with_case(store: Store, number: int) -> None:
    await keep(store, of("lis", f"case{number}"))
    (message,) = store.work.claim(NOON)
    assert store.finish(message, change()) == [True]


async def test_cases_by_state_each_with_its_oldest(store: Store) -> None:
    for number in (1, 2, 3):
        await with_case(store, number)
    store.desk.release(outgoing(2), event("released", "C2@1"))
    store.connection.execute("UPDATE cases SET opened = ? WHERE id = 3", (later(-24 * 60).isoformat(),))
    summed(store.connection)
    found = counted(store, 60)
    assert found.cases == {"new": 2, "signed": 1}
    assert found.cases_oldest_s == {"new": DAY_S + HOUR_S, "signed": HOUR_S}


async def test_the_outbox_by_receiver_and_state_and_what_has_not_arrived_yet(store: Store) -> None:
    for number in (1, 2, 3):
        await with_case(store, number)
    for case, receiver in ((1, "lis"), (2, "lis"), (3, "his")):
        letter = msgspec.structs.replace(outgoing(case, 1, f"LB{case}", f"{receiver}/{case}"), receiver=receiver)
        store.desk.release(letter, event("released", f"C{case}@1"))
    assert counted(store, 10).outbox == {"lis": {"waiting": 2}, "his": {"waiting": 1}}
    assert counted(store, 10).outbox_oldest_s == {"lis": 600, "his": 600}
    first = await store.outbox.claim_delivery("lis", NOON)
    assert first is not None
    assert counted(store, 10).outbox["lis"] == {"waiting": 1, "sent": 1}
    assert counted(store, 10).outbox_oldest_s["lis"] == 600, "sent is not acknowledged"
    await store.outbox.settle(first, sending.acknowledged(first, "AA"), (), event())
    other = await store.outbox.claim_delivery("his", NOON)
    assert other is not None
    await store.outbox.settle(other, sending.acknowledged(other, "AA"), (), event())
    assert counted(store, 10).outbox == {"lis": {"waiting": 1, "acknowledged": 1}, "his": {"acknowledged": 1}}
    assert counted(store, 10).outbox_oldest_s == {"lis": 600}


async def test_unmapped_codes_are_counted_by_feed_and_each_once(store: Store) -> None:
    for number in (1, 2):
        await with_case(store, number)  # each draft meets the same unknown glucose
    assert counted(store).unmapped == {"lis": 1}


# ---------------------------------------------------------------- counters, clocks, one moment


def test_every_counter_is_listed_by_its_labels(store: Store) -> None:
    some = (
        Count("flags", ("srp@1", "major"), 2),
        Count("evaluations", (), 5),
        Count("results", ("lis", "SRP", "blot", "")),
    )
    for _twice in (1, 2):
        store.writer.submit(unit([Statement(*count_all(some))])).result(10)
    tally = counted(store).tally
    assert tally["flags"] == {("srp@1", "major"): 4}
    assert tally["evaluations"] == {(): 10}
    assert tally["results"] == {("lis", "SRP", "blot", ""): 2}
    assert counted(store).last_received == {}, "only an arrival is one"


@pytest.mark.parametrize("minutes", [-1, -60 * 24])
async def test_a_clock_that_went_back_gives_no_negative_age(store: Store, minutes: float) -> None:
    await with_case(store, 1)
    await keep(store, of("lis", "A"), refused("X"))
    store.desk.release(outgoing(1), event("released", "C1@1"))
    found = counted(store, minutes)
    assert (found.oldest_waiting_s, found.quarantine_oldest_s) == (0, 0)
    assert (found.cases_oldest_s, found.outbox_oldest_s) == ({"signed": 0}, {"lis": 0})


async def test_parts_of_a_second_count(store: Store) -> None:
    await keep(store, msgspec.structs.replace(of("lis", "A"), received=NOON + timedelta(milliseconds=250)))
    await keep(store, of("lis", "B"))
    assert counts(store.reader, NOON + timedelta(seconds=1)).oldest_waiting_s == 1
    (_first, second) = store.work.claim(NOON)
    store.finish(second)
    assert counts(store.reader, NOON + timedelta(seconds=1)).oldest_waiting_s == 0.75


async def test_counting_leaves_its_connection_as_it_was(store: Store) -> None:
    await keep(store, of("lis", "A"))
    assert counted(store).received == 1
    assert not store.reader.in_transaction
    await keep(store, of("lis", "B"))
    assert counted(store).received == 2, "the next count sees what came meanwhile"


def test_a_count_that_fails_leaves_no_transaction_open(store: Store) -> None:
    store.connection.execute("INSERT INTO tally(name, labels, count, updated) VALUES ('stored', 'lis', 1, 'yesterday')")
    with pytest.raises(ValueError, match="yesterday"):
        counted(store)
    assert not store.reader.in_transaction
