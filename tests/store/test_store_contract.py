"""The contract of ports.Work, over every way its writes may go: here, or through a pipe from another process."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from store_build import LANE, NOON, Store, arrival, change, drafted, event

from labbridge.errors import StoreUnavailable
from labbridge.model.report import Identifier
from labbridge.model.result import Unmapped
from labbridge.model.work import Kept
from labbridge.states import CaseState, Reason, State
from labbridge.store.connection import Statement
from labbridge.store.units import LocalUnits, RemoteUnits, Verdicts, serve_units
from labbridge.store.work import BATCH, BEGUN_AT_MOST, StoreWork

PATIENT = Identifier("LABA", "PT1", "MR")


@pytest.fixture(params=["local", "remote"])
def work(request: pytest.FixtureRequest, store: Store) -> Iterator[StoreWork]:
    reader = store.another_reader()
    if request.param == "local":
        yield StoreWork(reader, LocalUnits(store.writer))
        return
    ours, theirs = multiprocessing.Pipe()
    serve_units(theirs, store.writer)
    yield StoreWork(reader, RemoteUnits(ours))
    ours.close()


async def keep(store: Store, *lanes: str) -> None:
    for number, lane in enumerate(lanes):
        await store.intake.keep(arrival(f"MSH|{number}", control_id=f"C{number}", lanes=(lane,)), event())


def done(work: StoreWork, message: Kept) -> None:
    with work.unit():
        work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event())


async def test_waiting_work_is_claimed_oldest_first_one_of_each_lane(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "b", "a", "c")
    assert [(one.key, one.lane) for one in work.claim(NOON)] == [(1, "a"), (2, "b"), (4, "c")]


async def test_a_claim_counts_the_attempt_durably(store: Store, work: StoreWork) -> None:
    await keep(store, "a")
    assert [one.attempts for one in work.claim(NOON)] == [1]
    assert [one.attempts for one in work.claim(NOON, singly=True)] == [2]
    assert store.rows("SELECT attempts FROM work") == [(2,)]


async def test_services_that_end_again_and_again_count_against_no_message_of_a_batch(
    store: Store, work: StoreWork
) -> None:
    """A service killed ten times over a backlog: nobody of the batch has stopped it, and none is parked for that."""
    await keep(store, *(f"lane{number}" for number in range(8)))
    for _kill in range(10):
        assert {one.attempts for one in work.claim(NOON)} == {1}
    assert [one.attempts for one in work.claim(NOON, singly=True)] == [2]
    work.leave()
    assert store.rows("SELECT attempts, count(*) FROM work GROUP BY 1 ORDER BY 1") == [(1, 7), (2, 1)]


async def test_a_claim_takes_at_most_a_batch_and_singly_one(store: Store, work: StoreWork) -> None:
    await keep(store, *(f"lane{number}" for number in range(BATCH + 5)))
    assert len(work.claim(NOON)) == BATCH
    assert len(work.claim(NOON, singly=True)) == 1


async def test_the_message_is_claimed_as_it_came(store: Store, work: StoreWork) -> None:
    await keep(store, "a")
    (message,) = work.claim(NOON)
    assert (message.raw, message.feed, message.sender, message.control_id) == (b"MSH|0", "lis", "LIS|LABA", "C0")
    assert (message.received, message.state) == (NOON, State.KEPT)


async def test_a_lane_goes_on_once_its_first_message_is_done(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "a")
    (first,) = work.claim(NOON)
    done(work, first)
    assert work.flush() == [True]
    assert [one.key for one in work.claim(NOON)] == [2]
    assert store.rows("SELECT id, state, reason FROM journal ORDER BY id") == [
        (1, "done", "drafted"),
        (2, "kept", "received"),
    ]


async def test_a_parked_message_holds_back_its_lane_and_no_other(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "b", "a")
    first = work.claim(NOON)[0]
    with work.unit():
        work.set_state(first, State.PARKED, Reason.CRASHED, "Look at it", event())
    work.flush()
    assert [one.lane for one in work.claim(NOON)] == ["b"]
    assert store.rows("SELECT state FROM journal WHERE id = 1") == [("parked",)]


async def test_an_exception_in_a_unit_leaves_nothing_of_it(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "b")
    first, second = work.claim(NOON)
    with pytest.raises(KeyError, match="bug"):
        _fail_within_a_unit(work, first)
    done(work, second)
    assert work.flush() == [True]
    assert store.rows("SELECT count(*) FROM results") == [(0,)]
    assert [one.key for one in work.claim(NOON)] == [1]


def _fail_within_a_unit(work: StoreWork, message: Kept) -> None:
    with work.unit():
        work.save(drafted(message), event())
        raise KeyError("bug")


async def test_after_a_failure_nothing_is_written_but_that_there_was_one(store: Store, work: StoreWork) -> None:
    await keep(store, "a")
    done(work, work.claim(NOON)[0])
    work.failed()
    assert work.flush() == []
    assert store.rows("SELECT state FROM work") == [("kept",)]
    assert store.rows("SELECT count FROM tally WHERE name = 'failures'") == [(1,)]


# ---------------------------------------------------------------- ahead of the disk


def work_off(work: StoreWork, most: int = 1000) -> list[int]:
    """Claim and hand over, as run_once does, until nothing waits; the messages in the order they were worked on."""
    order: list[int] = []
    while (batch := work.claim(NOON)) and len(order) < most:
        for message in batch:
            done(work, message)
        order += [message.key for message in batch]
        work.hand_over()
    return order


async def test_what_is_handed_over_is_on_disk_once_nothing_waits(store: Store, work: StoreWork) -> None:
    await keep(store, *(f"lane{number % 300}" for number in range(5 * BATCH + 7)))
    order = work_off(work)
    assert sorted(order) == list(range(1, 5 * BATCH + 8))
    assert store.rows("SELECT DISTINCT state, reason FROM journal") == [("done", "drafted")]
    assert store.rows("SELECT DISTINCT attempts FROM work") == [(1,)]


async def test_each_lane_keeps_its_order_however_far_ahead_others_are(store: Store, work: StoreWork) -> None:
    lanes = [f"lane{number * number % 11}" if number % 3 else f"own{number}" for number in range(4 * BATCH)]
    await keep(store, *lanes)
    order = work_off(work)
    assert len(order) == len(lanes)
    for lane in set(lanes):
        mine = [key for key in order if lanes[key - 1] == lane]
        assert mine == sorted(mine)


async def test_nothing_of_a_lane_is_given_while_its_message_is_on_its_way(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "b", "a", "c")
    for message in work.claim(NOON):
        done(work, message)
    work.hand_over()
    assert [one.key for one in work.claim(NOON)] == [3]
    assert store.rows("SELECT count(*) FROM journal WHERE state = 'done'") == [(3,)]


async def test_a_message_parked_on_its_way_holds_back_its_lane(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "b", "a", "b")
    first, second = work.claim(NOON)
    with work.unit():
        work.set_state(first, State.PARKED, Reason.CRASHED, "Look at it", event())
    done(work, second)
    work.hand_over()
    assert work_off(work) == [4]
    assert store.rows("SELECT id, state FROM work ORDER BY id") == [
        (1, "parked"), (2, "done"), (3, "kept"), (4, "done"),
    ]  # fmt: skip


async def test_a_unit_that_was_undone_comes_again(store: Store, work: StoreWork) -> None:
    await keep(store, "a", "b")
    first, second = work.claim(NOON)
    done(work, first)
    with work.unit():
        work.set_state(second, State.DONE, Reason.DRAFTED, "Done", event())
        work._add("UPDATE cases SET version = 2 WHERE id = 99", rows=1)  # a case that changed meanwhile
    work.hand_over()
    assert [(one.key, one.attempts) for one in work.claim(NOON)] == [(2, 1)]


async def test_what_was_begun_ahead_is_given_back_after_a_failure(store: Store, work: StoreWork) -> None:
    await keep(store, *(f"lane{number}" for number in range(4 * BATCH)))
    for message in work.claim(NOON):
        done(work, message)
    work.hand_over()
    assert len(work.claim(NOON)) == BATCH  # the others are begun ahead
    work.failed()
    counted = store.rows("SELECT state, attempts, count(*) FROM work GROUP BY 1, 2 ORDER BY 1, 2")
    assert counted == [("done", 1, BATCH), ("kept", 0, 2 * BATCH), ("kept", 1, BATCH)]
    assert [(one.key, one.attempts) for one in work.claim(NOON, singly=True)] == [(BATCH + 1, 2)]


async def test_who_leaves_has_handed_everything_over_and_begun_nothing(store: Store, work: StoreWork) -> None:
    """Between two batches of a process that is exchanged for another: the next one finds no attempt it did not make."""
    await keep(store, *(f"lane{number}" for number in range(4 * BATCH)))
    for message in work.claim(NOON):
        done(work, message)
    work.hand_over()
    work.leave()
    counted = store.rows("SELECT state, attempts, count(*) FROM work GROUP BY 1, 2 ORDER BY 1, 2")
    assert counted == [("done", 1, BATCH), ("kept", 0, 3 * BATCH)]


async def test_begun_and_never_done_is_no_more_than_a_start_takes_singly(store: Store, work: StoreWork) -> None:
    await keep(store, *(f"lane{number}" for number in range(BEGUN_AT_MOST + BATCH)))
    for _time in range(3):
        for message in work.claim(NOON):
            done(work, message)
        work.hand_over()
        ((begun,),) = store.rows("SELECT count(*) FROM work WHERE attempts > 0 AND state = 'kept'")
        assert isinstance(begun, int)
        assert begun <= BEGUN_AT_MOST


async def test_a_store_that_fails_loses_no_message_and_gives_each_again(store: Store) -> None:
    work = StoreWork(store.reader, FailsOnce(LocalUnits(store.writer)))
    await keep(store, *(f"lane{number}" for number in range(3 * BATCH)))
    for message in work.claim(NOON):
        done(work, message)
    work.hand_over()  # this one never arrives
    with pytest.raises(StoreUnavailable):
        work.claim(NOON)
    assert sorted(work_off(work)) == list(range(1, 3 * BATCH + 1))
    assert store.rows("SELECT DISTINCT state FROM journal") == [("done",)]


class FailsOnce:
    """Units of which the second post fails, as on a full disk."""

    def __init__(self, units: LocalUnits) -> None:
        self._units, self._posts = units, 0

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Verdicts:
        self._posts += 1
        return self._units.post(units, fence) if self._posts != 2 else self._fail

    def _fail(self) -> list[bool]:
        raise StoreUnavailable("The store could not commit (SQLITE_FULL)")


def test_a_write_outside_a_unit_is_a_bug(work: StoreWork) -> None:
    message = Kept(key=1, raw=b"", feed="f", sender="", control_id="", lane="a", received=NOON, state=State.KEPT)
    with pytest.raises(RuntimeError, match="outside unit"):
        work.set_state(message, State.DONE, Reason.DRAFTED, "", event())


async def test_what_was_saved_is_the_history(store: Store, work: StoreWork) -> None:
    await keep(store, LANE)
    (message,) = work.claim(NOON)
    with work.unit():
        work.save(drafted(message, change()), event("drafted"))
        work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event())
    assert work.flush() == [True]
    held = work.history(PATIENT, LANE)
    assert [one.ref for part in held.parts for one in part.results] == ["M1:OBX[1]"]
    assert held.patient is not None
    assert held.patient.sex == "F"
    (case,) = held.cases
    assert (case.key, case.version, case.state, case.text, case.sub_id) == (1, 1, CaseState.NEW, "A comment.", "LB1")
    assert (case.subject_message, case.subject_at, case.posted, case.unsent) == (1, "OBX[1]", (), 0)
    assert store.rows("SELECT code, seen FROM unmapped") == [("GLU", 1)]


async def test_a_patient_and_a_code_longer_than_an_index_takes_are_found_again(store: Store, work: StoreWork) -> None:
    long = hashlib.shake_256(b"a key no index could hold").hexdigest(20_000)
    await keep(store, LANE)
    (message,) = work.claim(NOON)
    with work.unit():
        found = drafted(message, change())
        named = msgspec.structs.replace(found.patient, identifiers=(Identifier(long, long + "1", "MR"),))
        codes = tuple(Unmapped(system="L", code=long, label=f"{long}{number}") for number in (1, 2, 2))
        results = msgspec.structs.replace(found.results, unmapped=codes)
        work.save(msgspec.structs.replace(found, patient=named, results=results), event("drafted"))
        work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event())
    assert work.flush() == [True]
    assert work.history(Identifier(long, long + "1", "MR"), LANE).patient == named
    assert work.history(Identifier(long, long + "2", "MR"), LANE).patient is None
    assert store.rows("SELECT seen FROM unmapped ORDER BY seen") == [(1,), (2,)]


async def test_nothing_is_held_of_somebody_else(store: Store, work: StoreWork) -> None:
    await keep(store, LANE)
    store.finish(work.claim(NOON)[0], change())
    other = work.history(Identifier("LABA", "PT2"), "p:LABA|PT2")
    assert (other.patient, other.parts, other.cases) == (None, (), ())


async def test_the_next_draft_is_the_next_version(store: Store, work: StoreWork) -> None:
    await keep(store, LANE, LANE)
    store.finish(work.claim(NOON)[0], change())
    assert store.finish(work.claim(NOON)[0], change(case=1, version=1, text="Another.")) == [True]
    (case,) = work.history(PATIENT, LANE).cases
    assert (case.version, case.text) == (2, "Another.")
    assert store.rows('SELECT version, text FROM drafts WHERE "case" = 1') == [(1, "A comment."), (2, "Another.")]


async def test_a_draft_for_a_version_that_is_no_longer_current_is_undone_alone(store: Store, work: StoreWork) -> None:
    await keep(store, LANE, LANE, "other")
    store.finish(work.claim(NOON)[0], change())
    stale, fresh = work.claim(NOON)
    with work.unit():
        work.save(drafted(stale, change(case=1, version=7)), event())
        work.set_state(stale, State.DONE, Reason.DRAFTED, "Done", event())
    done(work, fresh)
    assert work.flush() == [False, True]
    assert store.rows("SELECT message, state FROM work ORDER BY id") == [(1, "done"), (2, "kept"), (3, "done")]
    assert store.rows("SELECT count(*) FROM results") == [(1,)]
