"""A PostgreSQL session that is lost: nothing of it is lost, doubled or written by two (reliability.md I1, I2, I10)."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from store_build import LANE, NOON, Store, arrival, change, event, outgoing
from store_proxy import Proxy

from labbridge.errors import Refused, StoreUnavailable
from labbridge.store import opening, sealing, server
from labbridge.store.connection import FAULTS, Connection, DriverFault, Statement, Unreachable
from labbridge.store.counts import counts
from labbridge.store.dialect import statement
from labbridge.store.writer import Writer, unit
from tests.clusters import Cluster

PATIENCE_S = 30
ADD = "INSERT INTO tally(name, labels, count) VALUES (?, '', 1)"
END_WRITER = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks"
    f" WHERE locktype = 'advisory' AND objid = {server.LOCK & 0xFFFFFFFF}"
)
END_ALL = (
    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.fixture
def place(emptied: str) -> str:
    return emptied


@pytest.fixture
def ask(postgres: Cluster, place: str) -> Callable[[str], list[tuple[object, ...]]]:
    """Statements of an administrator."""
    return lambda sql: postgres.ask(place.rpartition("/")[2], sql)


@pytest.fixture
def proxy(place: str) -> Iterator[Proxy]:
    found = Proxy(place)
    yield found
    found.close()


@pytest.fixture
def far(proxy: Proxy) -> Iterator[Store]:
    """A store behind a network that breaks."""
    found = Store(proxy.url)
    yield found
    found.close()


def add(name: str) -> Callable[[Connection], bool]:
    return unit([Statement(ADD, (name,))])


def names(store: Store) -> set[object]:
    return {name for (name,) in store.rows("SELECT name FROM tally")}


# ---------------------------------------------------------------- between transactions


def test_a_session_that_was_ended_between_two_groups_is_opened_again_unnoticed(
    store: Store, ask: Callable[[str], object]
) -> None:
    for number in range(3):
        assert store.writer.submit(add(f"n{number}")).result(PATIENCE_S)
        ask(END_ALL)
    assert names(store) == {"n0", "n1", "n2"}


def test_a_count_whose_session_is_lost_in_the_middle_fails_and_the_next_one_counts(
    store: Store, ask: Callable[[str], object]
) -> None:
    store.reader.execute("BEGIN")
    ask(END_ALL)
    with pytest.raises(StoreUnavailable):
        store.reader.execute("SELECT count(*) FROM tally")
    with pytest.raises(StoreUnavailable):
        store.reader.execute("COMMIT")
    assert counts(store.reader, NOON).received == 0


# ---------------------------------------------------------------- within a transaction


async def test_a_session_ended_before_the_commit_keeps_nothing_of_its_group(
    store: Store, ask: Callable[[str], object]
) -> None:
    gate, begun = threading.Event(), threading.Event()

    def wait(_connection: Connection) -> None:
        begun.set()
        gate.wait(PATIENCE_S)

    def ends(connection: Connection) -> None:
        connection.execute(ADD, ("half",))
        ask(END_WRITER)

    store.writer.submit(wait)
    begun.wait(PATIENCE_S)
    sent = asyncio.create_task(store.intake.keep(arrival(), event()))
    await asyncio.sleep(0)  # it is asked for
    await asyncio.sleep(0)  # and it queues
    ended = store.writer.submit(ends)
    gate.set()
    for one in (sent, asyncio.wrap_future(ended)):
        with pytest.raises(StoreUnavailable):
            await one
    assert store.rows("SELECT count(*) FROM journal") == [(0,)]
    assert names(store) == set()
    again = await store.intake.keep(arrival(), event())
    assert not again.duplicate
    assert store.rows("SELECT count(*) FROM journal") == [(1,)]


def test_what_follows_in_a_lost_transaction_is_not_written_by_the_next_session(
    store: Store, ask: Callable[[str], object]
) -> None:
    """A job that goes on after an error must not write outside of its group."""

    def job(connection: Connection) -> None:
        ask(END_WRITER)
        for _time in (1, 2):
            with pytest.raises(Unreachable):
                connection.execute(ADD, ("stray",))

    with pytest.raises(StoreUnavailable):
        store.writer.submit(job).result(PATIENCE_S)
    assert store.writer.submit(add("next")).result(PATIENCE_S)
    assert names(store) == {"next"}


def test_a_commit_that_the_server_turned_into_a_rollback_is_no_commit(store: Store) -> None:
    """PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and no error."""

    def job(connection: Connection) -> None:
        connection.execute(ADD, ("undone",))
        with pytest.raises(FAULTS):
            connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreUnavailable, match="could not commit"):
        store.writer.submit(job).result(PATIENCE_S)
    assert names(store) == set()
    assert store.writer.submit(add("next")).result(PATIENCE_S)


# ---------------------------------------------------------------- a commit whose answer is lost


async def test_a_message_whose_commit_was_not_answered_is_known_when_it_comes_again(far: Store, proxy: Proxy) -> None:
    proxy.swallow_the_next_commit()
    with pytest.raises(StoreUnavailable):
        await far.intake.keep(arrival(), event())
    assert far.rows("SELECT count(*) FROM journal") == [(1,)]
    again = await far.intake.keep(arrival(), event())
    assert (again.key, again.duplicate) == (1, True)
    assert far.rows("SELECT count(*) FROM work") == [(1,)]


async def test_a_unit_whose_commit_was_not_answered_is_written_once(far: Store, proxy: Proxy) -> None:
    await far.intake.keep(arrival(), event())
    (message,) = far.work.claim(NOON)
    proxy.swallow_the_next_commit()
    with pytest.raises(StoreUnavailable):
        far.finish(message, change())
    assert far.work.claim(NOON) == []
    assert far.rows("SELECT count(*) FROM results") == [(1,)]
    assert far.rows("SELECT count(*) FROM cases") == [(1,)]


async def test_a_claim_whose_commit_was_not_answered_is_given_again(far: Store, proxy: Proxy) -> None:
    await far.intake.keep(arrival(), event())
    proxy.swallow_the_next_commit()
    with pytest.raises(StoreUnavailable):
        far.work.claim(NOON)
    assert [(one.key, one.attempts) for one in far.work.claim(NOON)] == [(1, 1)]


async def test_a_release_whose_commit_was_not_answered_is_not_released_twice(far: Store, proxy: Proxy) -> None:
    await with_case(far)
    proxy.swallow_the_next_commit()
    with pytest.raises(StoreUnavailable):
        far.desk.release(outgoing(), event("released", "C1@1"))
    with pytest.raises(Refused):
        far.desk.release(outgoing(control_id="LB2"), event("released", "C1@1"))
    assert far.rows("SELECT control_id FROM outbox") == [("LB1",)]


async def test_a_delivery_whose_claim_was_not_answered_goes_with_the_same_bytes(far: Store, proxy: Proxy) -> None:
    await with_case(far)
    far.desk.release(outgoing(), event("released", "C1@1"))
    proxy.swallow_the_next_commit()
    with pytest.raises(StoreUnavailable):
        await far.outbox.claim_delivery("lis", NOON)
    assert far.rows("SELECT state FROM outbox") == [("sent",)]
    delivery = await far.outbox.claim_delivery("lis", NOON)
    assert delivery is not None
    assert (delivery.control_id, delivery.raw, delivery.attempts) == ("LB1", b"MSH|out", 2)
    assert await far.outbox.claim_delivery("lis", NOON) is None  # now it is in hand


async def with_case(store: Store) -> None:
    await store.intake.keep(arrival(lanes=(LANE,)), event())
    assert store.finish(store.work.claim(NOON)[0], change()) == [True]


# ---------------------------------------------------------------- one writer


def test_a_session_that_its_server_still_believes_in_gives_the_lock_to_the_next(far: Store, proxy: Proxy) -> None:
    assert far.writer.submit(add("before")).result(PATIENCE_S)
    proxy.vanish()
    assert far.writer.submit(add("after")).result(PATIENCE_S)
    assert names(far) == {"before", "after"}


def test_a_writer_whose_number_was_taken_meanwhile_goes_on_under_another(
    place: str, ask: Callable[[str], object]
) -> None:
    writer = Writer(server.open_writer(place))
    assert writer.submit(add("before")).result(PATIENCE_S)
    ask(END_WRITER)
    other = server.open_writer(place)
    assert writer.submit(add("after")).result(PATIENCE_S)
    assert (other.node, writer.node()) == (0, 1)
    assert other.execute("SELECT name, node FROM tally ORDER BY node").fetchall() == [("before", 0), ("after", 1)]
    assert sealing.verify(other).faults == ()
    writer.close()
    other.close()


def test_a_writer_waits_while_another_must_be_alone(place: str, ask: Callable[[str], object]) -> None:
    writer = Writer(server.open_writer(place))
    assert writer.submit(add("before")).result(PATIENCE_S)
    ask(END_WRITER)
    with opening.held(place, alone=True), pytest.raises(StoreUnavailable, match="LockNotAvailable"):
        writer.submit(add("not now")).result(PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while not _submitted(writer):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    writer.close()


def _submitted(writer: Writer) -> bool:
    try:
        return bool(writer.submit(add("now")).result(PATIENCE_S))
    except StoreUnavailable:
        return False


def test_a_server_that_is_away_is_asked_at_once_and_then_with_pauses() -> None:
    """Who asks meanwhile is answered at once: nobody waits for a server that is not there."""
    from labbridge.store.postgres import PostgresConnection, connected
    from tests.clusters import cluster

    own = cluster()
    try:
        asked: list[int] = []

        def connect() -> object:
            asked.append(1)
            try:
                return connected(own.url("postgres"))
            except psycopg.OperationalError:
                raise Unreachable("ConnectionTimeout") from None

        connection = PostgresConnection(connect, reader=True)  # type: ignore[arg-type]
        own.stop()
        for _time in range(20):
            with pytest.raises(Unreachable):
                connection.execute("SELECT 1")
        assert len(asked) == 2, "once to open, once at the loss; then the pause"
        own.start()
        while True:
            try:
                assert connection.execute("SELECT 1").fetchone() == (1,)
                break
            except Unreachable:
                threading.Event().wait(0.05)
        assert len(asked) == 3
        connection.close()
    finally:
        own.close()


# ---------------------------------------------------------------- what an error says


async def test_an_error_of_the_server_never_quotes_a_row(store: Store) -> None:
    assert store.writer.submit(add("PT4711")).result(PATIENCE_S)
    with pytest.raises(DriverFault) as caught:
        store.connection.execute(ADD, ("PT4711",))
    assert str(caught.value) == caught.value.name == "UniqueViolation"
    assert caught.value.__cause__ is None
    with pytest.raises(StoreUnavailable, match=r"^The store could not commit \(UniqueViolation\)$"):
        store.writer.submit(add("PT4711")).result(PATIENCE_S)


# ---------------------------------------------------------------- values and words


async def test_a_null_character_is_kept_as_its_symbol_and_as_it_is_in_the_bytes(store: Store) -> None:
    odd = arrival("MSH|\0x", control_id="C\x001", sender="LIS\0|LABA")
    first = await store.intake.keep(odd, event())
    again = await store.intake.keep(odd, event())
    assert (again.key, again.duplicate) == (first.key, True)
    assert store.rows("SELECT sender, control_id, raw FROM journal") == [("LIS␀|LABA", "C␀1", b"MSH|\0x")]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM b WHERE c = ? AND d = ?", "SELECT a FROM b WHERE c = $1 AND d = $2"),
        ("UPDATE a SET b = ?2 WHERE c = ?1 OR d = ?1", "UPDATE a SET b = $2 WHERE c = $1 OR d = $1"),
        ("SELECT 'really?', \"odd?\" FROM a WHERE b = ?", "SELECT 'really?', \"odd?\" FROM a WHERE b = $1"),
        ("BEGIN IMMEDIATE", "BEGIN"),
        ("INSERT INTO a VALUES (last_insert_rowid(), ?)", "INSERT INTO a VALUES (lastval(), $1)"),
    ],
)
def test_a_statement_in_the_words_of_postgresql(sql: str, expected: str) -> None:
    assert statement(sql) == expected
