"""Several nodes on one PostgreSQL store: each works on its share, nobody twice, and one that is lost stops nothing
(architecture.md, Scale; reliability.md I3, I10, T-60)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from store_build import NOON, arrival, change, drafted, event, later, outgoing
from store_nodes import WITHIN_S, OneNode, nodes, settled

from labbridge.errors import StoreUnavailable
from labbridge.model.result import Unmapped
from labbridge.model.work import PostedResource, Sent, Settled
from labbridge.states import DeliveryState, Reason, State
from labbridge.store import sealing
from labbridge.store.choosing import PARTITIONS, partition_of
from labbridge.store.counts import counts
from labbridge.store.journal import keep_all
from tests.clusters import Cluster

LIS = "receiver lis"


@pytest.fixture
def ask(postgres: Cluster, emptied: str) -> Callable[[str], list[tuple[Any, ...]]]:
    return lambda sql: postgres.ask(emptied.rpartition("/")[2], sql)


def lane_in(parts: set[int], number: int = 0) -> str:
    """A lane of a patient in one of these partitions."""
    fitting = (name for one in range(10_000) if partition_of(name := f"p/LABA/{one}") in parts)
    return [next(fitting) for _one in range(number + 1)][-1]


async def keep(node: OneNode, lane: str, control_id: str = "C1", text: str = "MSH|a") -> int:
    return (await node.intake.keep(arrival(text, control_id=control_id, lanes=(lane,)), event())).key


# ---------------------------------------------------------------- shares


def test_one_node_has_all_and_two_have_half_each(emptied: str) -> None:
    with nodes(emptied, "a") as (first,):
        assert first.parts() == set(range(PARTITIONS))
        with nodes(emptied, "b") as (second,):
            settled([first, second])
            assert (len(first.parts()), len(second.parts())) == (32, 32)
            assert first.parts() | second.parts() == set(range(PARTITIONS))
            assert [one.leases.holds(LIS) > 0 for one in (first, second)] == [True, False]


def test_a_node_that_takes_no_share_leaves_it_to_those_that_process(emptied: str) -> None:
    with nodes(emptied, "listens", processes=False, wanted=()) as (idle,), nodes(emptied, "works") as (works,):
        settled([idle, works])
        assert (idle.parts(), len(works.parts())) == (set(), PARTITIONS)


def test_three_nodes_share_within_one_of_each_other(emptied: str) -> None:
    with nodes(emptied, "a", "b", "c") as found:
        settled(found)
        assert sorted(len(one.parts()) for one in found) == [20, 22, 22]


async def test_a_share_is_given_back_once_nothing_of_it_is_in_hand(emptied: str) -> None:
    with nodes(emptied, "a") as (first,), nodes(emptied, "b", wanted=()) as (second,):
        lane = lane_in({63})
        await keep(first, lane)
        (message,) = first.work.claim(NOON)
        for one in (first, second, first, second):
            one.turn()
        assert second.parts() == set(), "asked back, and not given yet"
        assert first.finish(message, change()) == [True]
        assert first.work.claim(NOON) == []
        for one in (first, second):
            one.turn()
        assert second.parts() == set(range(32, PARTITIONS))


async def test_each_takes_up_what_is_in_its_partitions_alone(emptied: str) -> None:
    with nodes(emptied, "a", "b") as found:
        settled(found)
        lanes = [lane_in(one.parts()) for one in found]
        for number, lane in enumerate(lanes):
            await keep(found[0], lane, f"C{number}")
        for one, lane in zip(found, lanes, strict=True):
            assert [message.lane for message in one.work.claim(NOON)] == [lane]


def test_the_server_and_this_code_agree_which_partition_a_patient_is_in(emptied: str) -> None:
    with nodes(emptied, "a") as (one,):
        for text in ("p/LABA/1", "s/ünïcode/µ", "x" * 400):
            sql = "SELECT get_byte(sha256(convert_to(?, 'UTF8')), 0) & 63"
            assert one.reader.execute(sql, (text,)).fetchone() == (partition_of(text),)


async def test_a_merged_lane_is_in_the_partition_of_the_patient_it_was_merged_into(emptied: str) -> None:
    with nodes(emptied, "a", "b") as found:
        settled(found)
        prior, surviving = lane_in(found[0].parts()), lane_in(found[1].parts())
        await keep(found[0], prior)
        sql = "INSERT INTO merged(lane, surviving) VALUES (?, ?)"
        found[0].writer.submit(lambda connection: connection.execute(sql, (prior, surviving))).result(30)
        assert found[0].work.claim(NOON) == []
        assert [one.lane for one in found[1].work.claim(NOON)] == [prior]


# ---------------------------------------------------------------- lost


def test_what_a_node_without_a_session_held_is_taken_at_once(emptied: str) -> None:
    with nodes(emptied, "a", "b") as (first, second):
        settled([first, second])
        first.vanish()
        for _time in range(2):
            second.turn()
        assert len(second.parts()) == PARTITIONS
        assert second.leases.holds(LIS)


async def test_nothing_of_a_frozen_node_is_written_once_another_has_taken_over(
    emptied: str, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    with nodes(emptied, "a", "b") as (frozen, other):
        settled([frozen, other])
        lane = lane_in(frozen.parts())
        await keep(other, lane)
        (message,) = frozen.work.claim(NOON)
        late(ask, "a")
        assert other.turn()
        for _time in range(2):
            other.turn()
        assert len(other.parts()) == PARTITIONS
        (again,) = other.work.claim(NOON)
        assert (again.lane, again.attempts) == (lane, 2), "taken singly: the node before may have died of it"
        with pytest.raises(StoreUnavailable, match="Another node has taken over"):
            frozen.finish(message, change())
        assert frozen.rows("SELECT count(*) FROM results") == [(0,)]
        assert other.finish(again, change()) == [True]
        assert frozen.work.claim(NOON) == []
        assert other.rows("SELECT count(*) FROM cases") == [(1,)]


def late(ask: Callable[[str], list[tuple[Any, ...]]], name: str) -> None:
    """As if a node had not renewed for longer than it may."""
    ask(f"UPDATE nodes SET renewed = renewed - 60000 WHERE name = '{name}'")


def test_a_frozen_node_knows_by_its_own_clock_that_it_may_not_send(emptied: str) -> None:
    with nodes(emptied, "a") as (one,):
        one.now += WITHIN_S * 0.8
        assert one.leases.holds(LIS)
        one.now += WITHIN_S * 0.15
        assert not one.leases.holds(LIS)
        one.turn()
        assert one.leases.holds(LIS)


async def test_a_receiver_is_taken_over_with_what_was_under_way(
    emptied: str, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    with nodes(emptied, "a", "b") as (first, second):
        settled([first, second])
        await with_delivery(first)
        sent = await first.outbox.claim_delivery("lis", NOON)
        assert sent is not None
        assert await second.outbox.claim_delivery("lis", NOON) is None
        late(ask, "a")
        for _time in range(3):
            second.turn()
        assert await second.outbox.recover("lis", NOON, event("recovered", "outbox")) == 1
        again = await second.outbox.claim_delivery("lis", NOON)
        assert again is not None
        assert (again.control_id, again.raw, again.attempts) == (sent.control_id, sent.raw, 2)
        assert await first.outbox.claim_delivery("lis", NOON) is None
        gone = Settled(state=DeliveryState.WAITING, reason="No answer", sent=Sent.UNANSWERED, due=later(5))
        await first.outbox.settle(sent, gone, (), event("delivery waiting", "D1"))
        assert first.rows("SELECT state, attempts FROM outbox") == [("sent", 2)], "what it says is of an older attempt"


async def test_an_answer_that_came_to_a_node_that_lost_the_receiver_ends_the_delivery(
    emptied: str, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    with nodes(emptied, "a", "b") as (first, second):
        settled([first, second])
        await with_delivery(first)
        sent = await first.outbox.claim_delivery("lis", NOON)
        assert sent is not None
        late(ask, "a")
        for _time in range(3):
            second.turn()
        await second.outbox.recover("lis", NOON, event("recovered", "outbox"))
        taken = Settled(state=DeliveryState.ACKNOWLEDGED, reason="AA", sent=Sent.ACKNOWLEDGED)
        await first.outbox.settle(sent, taken, (), event("delivery acknowledged", "D1"))
        assert await second.outbox.claim_delivery("lis", NOON) is None


async def with_delivery(node: OneNode) -> None:
    """A comment of a patient in one of the node's partitions waits to be sent."""
    await keep(node, lane_in(node.parts()))
    (message,) = node.work.claim(NOON)
    assert node.finish(message, change()) == [True]
    node.desk.release(outgoing(), event("released", "C1@1"))


# ---------------------------------------------------------------- the same, at one moment


async def test_one_message_sent_to_all_nodes_at_once_is_kept_once(emptied: str) -> None:
    with nodes(emptied, "a", "b", "c") as found:
        for number in range(20):
            wanted = arrival(f"MSH|{number}", control_id=f"C{number}")
            told = await asyncio.gather(*(one.intake.keep(wanted, event()) for one in found))
            assert len({one.key for one in told}) == 1
            assert sorted(one.duplicate for one in told) == [False, True, True]
        assert counts(found[0].reader, NOON).received == 60
        assert counts(found[0].reader, NOON).stored == 20


def test_a_resource_that_all_nodes_are_asked_to_create_where_there_is_none_is_created_once(emptied: str) -> None:
    with nodes(emptied, "a", "b", "c") as found, ThreadPoolExecutor(3) as pool:
        for number in range(20):
            gate = threading.Barrier(3)

            def create(node: OneNode, which: int, number: int = number, gate: threading.Barrier = gate) -> Future[Any]:
                resource = PostedResource(
                    entry=0,
                    kind="Observation",
                    method="POST",
                    only_if_none=f"sys|{number}",
                    known_by=(f"sys|{number}",),
                )
                body = arrival(f"{{{number} {which}}}", control_id=f"F{number}-{which}")
                asked = msgspec.structs.replace(body, resources=(resource,))
                gate.wait(30)
                return node.writer.submit(lambda connection: keep_all(connection, [(asked, event())]))

            told = [
                one.result().result(30)[0] for one in [pool.submit(create, node, n) for n, node in enumerate(found)]
            ]
            assert sum(not one.known for one in told) == 1


async def test_two_nodes_that_finish_the_two_lanes_of_a_message_leave_it_done(emptied: str) -> None:
    with nodes(emptied, "a", "b") as found:
        settled(found)
        for number in range(10):
            lanes = tuple(lane_in(one.parts(), number) for one in found)
            await found[0].intake.keep(arrival(f"MSH|{number}", control_id=f"C{number}", lanes=lanes), event())
            claimed = [one.work.claim(NOON)[0] for one in found]
            with ThreadPoolExecutor(2) as pool:
                done = pool.map(lambda one: one[0].finish(one[1], change()), zip(found, claimed, strict=True))
                assert list(done) == [[True], [True]]
        assert found[0].rows("SELECT DISTINCT state FROM journal") == [("done",)]


async def test_nodes_that_see_the_same_codes_in_another_order_wait_and_do_not_meet_in_a_ring(emptied: str) -> None:
    with nodes(emptied, "a", "b") as found:
        settled(found)
        codes = [Unmapped(system="L", code=f"X{number}", name="n", unit="") for number in range(40)]
        for turn in range(5):
            units = []
            for one, order in zip(found, (codes, codes[::-1]), strict=True):
                lane = lane_in(one.parts(), turn)
                await keep(one, lane, f"C{turn}{one.node.name}", f"MSH|{turn}{one.node.name}")
                (message,) = one.work.claim(NOON)
                with one.work.unit():
                    drafts = drafted(message)
                    results = msgspec.structs.replace(drafts.results, unmapped=tuple(order))
                    one.work.save(msgspec.structs.replace(drafts, results=results), event("drafted"))
                    one.work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event("done"))
                units.append(one)
            with ThreadPoolExecutor(2) as pool:
                assert list(pool.map(lambda one: one.work.flush(), units)) == [[True], [True]]
        assert found[0].rows("SELECT DISTINCT seen FROM unmapped") == [(10,)]
        ((deadlocks,),) = found[0].rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        assert deadlocks == 0


# ---------------------------------------------------------------- the audit and the counters


async def test_each_node_has_a_chain_of_its_own_and_all_are_verified(
    emptied: str, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    with nodes(emptied, "a", "b") as found:
        for number in range(12):
            await keep(found[number % 2], "p/1", f"C{number}", f"MSH|{number}")
        verified = sealing.verify(found[0].reader)
        assert (verified.lines, verified.faults, len(verified.newest)) == (12, (), 2)
        ask("ALTER TABLE audit DISABLE TRIGGER USER; UPDATE audit SET node = 0 WHERE id = 2")
        assert len(sealing.verify(found[0].reader).faults) == 2
        ask("ALTER TABLE audit ENABLE TRIGGER USER")


def test_a_line_of_a_node_that_bears_no_seal_is_found(
    emptied: str, ask: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    with nodes(emptied, "a") as (one,):
        values = "'2026-11-10', 'somebody', 'did', 'M1'"
        ask(f"INSERT INTO audit(at, actor, action, subject, node) VALUES ({values}, 7)")
        assert [said.partition(" ")[0] for said in sealing.verify(one.reader).faults] == ["1"]
