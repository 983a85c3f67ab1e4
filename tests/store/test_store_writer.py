"""Group commit: what queued is one commit; a unit is all or nothing; a failed commit fails its whole group."""

from __future__ import annotations

import asyncio
import threading

import msgspec
import pytest
from store_build import Store, arrival, event

from labbridge.errors import Refused, StoreUnavailable
from labbridge.store.connection import Connection, Statement
from labbridge.store.writer import GROUP, GuardFailed, unit

ADD = "INSERT INTO tally(name, labels, count) VALUES (?, '', 1)"


def names(store: Store) -> list[str]:
    return [str(row[0]) for row in store.rows("SELECT name FROM tally")]


def held_up(store: Store) -> threading.Event:
    """Keep the writer busy until the event is set, so that what follows queues."""
    gate, begun = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        begun.set()
        gate.wait(10)

    store.writer.submit(wait)
    begun.wait(10)
    return gate


def test_what_queued_during_a_commit_is_the_next_group(store: Store) -> None:
    gate = held_up(store)
    before = store.writer.commits
    futures = [store.writer.submit(unit([Statement(ADD, (f"n{number}",))])) for number in range(GROUP)]
    gate.set()
    assert all(future.result(10) for future in futures)
    assert store.writer.commits == before + 2  # the one that waited, and all the others together


def test_a_group_is_never_larger_than_its_limit(store: Store) -> None:
    gate = held_up(store)
    before = store.writer.commits
    futures = [store.writer.submit(unit([Statement(ADD, (f"n{number}",))])) for number in range(GROUP + 1)]
    gate.set()
    assert all(future.result(10) for future in futures)
    assert store.writer.commits == before + 3


def test_a_unit_whose_guard_fails_is_undone_alone(store: Store) -> None:
    gate = held_up(store)
    good = store.writer.submit(unit([Statement(ADD, ("good",))]))
    bad = store.writer.submit(
        unit([Statement(ADD, ("half",)), Statement("UPDATE tally SET count = 2 WHERE name = 'nobody'", (), rows=1)])
    )
    other = store.writer.submit(unit([Statement(ADD, ("other",))]))
    gate.set()
    assert good.result(10)
    assert other.result(10)
    with pytest.raises(GuardFailed):
        bad.result(10)
    assert set(names(store)) == {"good", "other"}


def test_a_refusal_of_a_job_undoes_it_and_reaches_its_caller(store: Store) -> None:
    def job(connection: Connection) -> None:
        connection.execute(ADD, ("half",))
        raise Refused("not now")

    with pytest.raises(Refused, match="not now"):
        store.writer.submit(job).result(10)
    assert names(store) == []


def test_a_failed_commit_fails_every_unit_of_its_group_and_nothing_happened(store: Store) -> None:
    gate = held_up(store)
    good = store.writer.submit(unit([Statement(ADD, ("good",))]))
    broken = store.writer.submit(unit([Statement("INSERT INTO nowhere VALUES (1)")]))
    gate.set()
    for future in (good, broken):
        with pytest.raises(StoreUnavailable, match="could not commit"):
            future.result(10)
    assert names(store) == []
    assert store.writer.submit(unit([Statement(ADD, ("after",))])).result(10)
    assert names(store) == ["after"]


def test_who_asked_is_called_after_each_commit(store: Store) -> None:
    called = threading.Event()
    store.writer.after_commit(called.set)
    store.writer.submit(unit([Statement(ADD, ("x",))])).result(10)
    assert called.wait(10)


def test_closing_finishes_what_is_queued(store: Store) -> None:
    futures = [store.writer.submit(unit([Statement(ADD, (f"n{number}",))])) for number in range(200)]
    store.writer.close()
    assert all(future.result(0) for future in futures)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_a_full_disk_claims_nothing_and_recovers_when_there_is_room(store: Store) -> None:
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    big = "x" * 100_000
    with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
        store.writer.submit(unit([Statement(ADD, (big,))])).result(10)
    assert names(store) == []
    store.connection.execute(f"PRAGMA max_page_count = {pages + 10_000}")
    assert store.writer.submit(unit([Statement(ADD, (big,))])).result(10)
    assert names(store) == [big]


async def test_a_job_with_a_bug_fails_alone_and_the_writer_goes_on(store: Store) -> None:
    """A text that no driver can encode is no fault of the store: whoever waits beside it is answered all the same."""
    odd = msgspec.structs.replace(arrival(), control_id="\ud800")
    good = [store.intake.keep(arrival(f"MSH|{n}", control_id=f"C{n}"), event()) for n in range(3)]
    answers = await asyncio.gather(store.intake.keep(odd, event()), *good, return_exceptions=True)
    assert isinstance(answers[0], UnicodeEncodeError)
    assert [getattr(one, "key", None) for one in answers[1:]] == [1, 2, 3]
    assert (await store.intake.keep(arrival("MSH|9", control_id="C9"), event())).key == 4
