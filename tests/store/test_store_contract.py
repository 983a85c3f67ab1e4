"""The contract of ports.Work, over every way its writes may go: here, or through a pipe from another process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest
from store_build import LANE, NOON, Store, arrival, change, drafted, event

from labbridge.model.report import Identifier
from labbridge.model.work import Kept
from labbridge.states import CaseState, Reason, State
from labbridge.store.sqlite import open_reader
from labbridge.store.units import LocalUnits, RemoteUnits, serve_units
from labbridge.store.work import BATCH, SqliteWork

PATIENT = Identifier("LABA", "PT1", "MR")


@pytest.fixture(params=["local", "remote"])
def work(request: pytest.FixtureRequest, store: Store) -> Iterator[SqliteWork]:
    reader = open_reader(store.path)
    if request.param == "local":
        yield SqliteWork(reader, LocalUnits(store.writer))
        reader.close()
        return
    ours, theirs = multiprocessing.Pipe()
    serve_units(theirs, store.writer)
    yield SqliteWork(reader, RemoteUnits(ours))
    ours.close()
    reader.close()


async def keep(store: Store, *lanes: str) -> None:
    for number, lane in enumerate(lanes):
        await store.intake.keep(arrival(f"MSH|{number}", control_id=f"C{number}", lanes=(lane,)), event())


def done(work: SqliteWork, message: Kept) -> None:
    with work.unit():
        work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event())


async def test_waiting_work_is_claimed_oldest_first_one_of_each_lane(store: Store, work: SqliteWork) -> None:
    await keep(store, "a", "b", "a", "c")
    assert [(one.key, one.lane) for one in work.claim(NOON)] == [(1, "a"), (2, "b"), (4, "c")]


async def test_a_claim_counts_the_attempt_durably(store: Store, work: SqliteWork) -> None:
    await keep(store, "a")
    assert [one.attempts for one in work.claim(NOON)] == [1]
    assert [one.attempts for one in work.claim(NOON)] == [2]
    assert store.rows("SELECT attempts FROM work") == [(2,)]


async def test_a_claim_takes_at_most_a_batch_and_singly_one(store: Store, work: SqliteWork) -> None:
    await keep(store, *(f"lane{number}" for number in range(BATCH + 5)))
    assert len(work.claim(NOON)) == BATCH
    assert len(work.claim(NOON, singly=True)) == 1


async def test_the_message_is_claimed_as_it_came(store: Store, work: SqliteWork) -> None:
    await keep(store, "a")
    (message,) = work.claim(NOON)
    assert (message.raw, message.feed, message.sender, message.control_id) == (b"MSH|0", "lis", "LIS|LABA", "C0")
    assert (message.received, message.state) == (NOON, State.KEPT)


async def test_a_lane_goes_on_once_its_first_message_is_done(store: Store, work: SqliteWork) -> None:
    await keep(store, "a", "a")
    (first,) = work.claim(NOON)
    done(work, first)
    assert work.flush() == [True]
    assert [one.key for one in work.claim(NOON)] == [2]
    assert store.rows("SELECT id, state, reason FROM journal") == [(1, "done", "drafted"), (2, "kept", "received")]


async def test_a_parked_message_holds_back_its_lane_and_no_other(store: Store, work: SqliteWork) -> None:
    await keep(store, "a", "b", "a")
    first = work.claim(NOON)[0]
    with work.unit():
        work.set_state(first, State.PARKED, Reason.CRASHED, "Look at it", event())
    work.flush()
    assert [one.lane for one in work.claim(NOON)] == ["b"]
    assert store.rows("SELECT state FROM journal WHERE id = 1") == [("parked",)]


async def test_an_exception_in_a_unit_leaves_nothing_of_it(store: Store, work: SqliteWork) -> None:
    await keep(store, "a", "b")
    first, second = work.claim(NOON)
    with pytest.raises(KeyError, match="bug"):
        _fail_within_a_unit(work, first)
    done(work, second)
    assert work.flush() == [True]
    assert store.rows("SELECT count(*) FROM results") == [(0,)]
    assert [one.key for one in work.claim(NOON)] == [1]


def _fail_within_a_unit(work: SqliteWork, message: Kept) -> None:
    with work.unit():
        work.save(drafted(message), event())
        raise KeyError("bug")


async def test_after_a_failure_nothing_is_written_but_that_there_was_one(store: Store, work: SqliteWork) -> None:
    await keep(store, "a")
    done(work, work.claim(NOON)[0])
    work.failed()
    assert work.flush() == []
    assert store.rows("SELECT state FROM work") == [("kept",)]
    assert store.rows("SELECT count FROM tally WHERE name = 'failures'") == [(1,)]


def test_a_write_outside_a_unit_is_a_bug(work: SqliteWork) -> None:
    message = Kept(key=1, raw=b"", feed="f", sender="", control_id="", lane="a", received=NOON, state=State.KEPT)
    with pytest.raises(RuntimeError, match="outside unit"):
        work.set_state(message, State.DONE, Reason.DRAFTED, "", event())


async def test_what_was_saved_is_the_history(store: Store, work: SqliteWork) -> None:
    await keep(store, LANE)
    (message,) = work.claim(NOON)
    with work.unit():
        work.save(drafted(message, change()), event("drafted"))
        work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event())
    assert work.flush() == [True]
    held = work.history(PATIENT, LANE)
    assert [one.ref for one in held.results] == ["M1:OBX[1]"]
    assert held.patient is not None
    assert held.patient.sex == "F"
    (case,) = held.cases
    assert (case.key, case.version, case.state, case.text, case.sub_id) == (1, 1, CaseState.NEW, "A comment.", "LB1")
    assert (case.subject_message, case.subject_at, case.posted, case.unsent) == (1, "OBX[1]", (), 0)
    assert store.rows("SELECT code, seen FROM unmapped") == [("GLU", 1)]


async def test_nothing_is_held_of_somebody_else(store: Store, work: SqliteWork) -> None:
    await keep(store, LANE)
    store.finish(work.claim(NOON)[0], change())
    other = work.history(Identifier("LABA", "PT2"), "p:LABA|PT2")
    assert (other.patient, other.results, other.cases) == (None, (), ())


async def test_the_next_draft_is_the_next_version(store: Store, work: SqliteWork) -> None:
    await keep(store, LANE, LANE)
    store.finish(work.claim(NOON)[0], change())
    assert store.finish(work.claim(NOON)[0], change(case=1, version=1, text="Another.")) == [True]
    (case,) = work.history(PATIENT, LANE).cases
    assert (case.version, case.text) == (2, "Another.")
    assert store.rows('SELECT version, text FROM drafts WHERE "case" = 1') == [(1, "A comment."), (2, "Another.")]


async def test_a_draft_for_a_version_that_is_no_longer_current_is_undone_alone(store: Store, work: SqliteWork) -> None:
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
