"""Intake: kept once, quarantined whole, counted exactly (reliability.md I2, I4, T-10, T-11)."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_build import NOON, Store, arrival, event, opened, refused

from labbridge.states import Reason
from labbridge.store.counts import counts


async def test_a_message_is_kept_with_its_lanes_of_work(store: Store) -> None:
    receipt = await store.intake.keep(arrival(lanes=("p:A|1", "p:A|2")), event("received"))
    assert (receipt.key, receipt.duplicate, receipt.control_id_reuse) == (1, False, False)
    assert store.rows("SELECT raw, state, length FROM journal") == [(b"MSH|one", "kept", 7)]
    assert store.rows("SELECT message, lane, state FROM work ORDER BY id") == [
        (1, "p:A|1", "kept"),
        (1, "p:A|2", "kept"),
    ]


async def test_the_same_bytes_again_are_the_first_message(store: Store) -> None:
    first = await store.intake.keep(arrival(), event())
    again = [await store.intake.keep(arrival(), event()) for _time in range(3)]
    assert {one.key for one in again} == {first.key}
    assert all(one.duplicate for one in again)
    assert store.rows("SELECT count(*), max(duplicates) FROM journal") == [(1, 3)]
    assert store.rows("SELECT count(*) FROM work") == [(1,)]


async def test_the_same_control_id_with_other_bytes_is_kept_and_marked(store: Store) -> None:
    await store.intake.keep(arrival("MSH|one"), event())
    other = await store.intake.keep(arrival("MSH|two"), event())
    assert (other.key, other.duplicate, other.control_id_reuse) == (2, False, True)
    assert ("control_id_reuse", "M2") in store.rows("SELECT action, subject FROM audit")


@pytest.mark.parametrize("changed", [{"sender": "OTHER|LAB"}, {"control_id": "C2"}])
async def test_the_ledger_is_by_sender_control_id_and_bytes(store: Store, changed: dict[str, str]) -> None:
    await store.intake.keep(arrival(), event())
    other = await store.intake.keep(arrival(**changed), event())  # type: ignore[arg-type]
    assert not other.duplicate
    assert not other.control_id_reuse


LONG = hashlib.shake_256(b"a key no index could hold").hexdigest(20_000)


async def test_a_key_longer_than_an_index_takes_is_told_apart_all_the_same(store: Store) -> None:
    one, other = arrival(control_id=LONG + "1", sender=LONG), arrival(control_id=LONG + "2", sender=LONG)
    keys = [(await store.intake.keep(each, event())).key for each in (one, other)]
    again = [await store.intake.keep(each, event()) for each in (one, other)]
    assert [(each.key, each.duplicate) for each in again] == [(key, True) for key in keys]
    assert len(set(keys)) == 2
    assert all(len(str(kept)) < 200 for row in store.rows("SELECT sender, control_id FROM journal") for kept in row)


async def test_two_at_once_are_one(store: Store) -> None:
    receipts = await asyncio.gather(*(store.intake.keep(arrival(), event()) for _caller in range(64)))
    assert len({one.key for one in receipts}) == 1
    assert sum(not one.duplicate for one in receipts) == 1


async def test_a_refused_message_is_quarantined_whole_and_never_worked_on(store: Store) -> None:
    receipt = await store.intake.quarantine(refused(), event("refused"))
    assert store.rows("SELECT raw, state, reason, answer, error_code FROM journal") == [
        (b"MSH|bad", "quarantined", "structure", "AE", "100")
    ]
    assert receipt.key == 1
    assert store.rows("SELECT count(*) FROM work") == [(0,)]


async def test_what_can_be_read_after_a_repair_is_taken_up_when_it_comes_again(store: Store) -> None:
    await store.intake.quarantine(refused("MSH|x", control_id="C1"), event())
    again = await store.intake.keep(arrival("MSH|x", control_id="C1"), event())
    assert again.duplicate
    assert store.rows("SELECT state, reason FROM journal") == [("kept", "reprocessed")]
    assert store.rows("SELECT message, state FROM work") == [(1, "kept")]
    found = counts(store.reader, NOON)
    assert (found.stored, found.quarantined, found.duplicate, found.received) == (1, 0, 1, 2)


async def test_an_oversize_frame_is_counted_apart(store: Store) -> None:
    await store.intake.quarantine(refused(reason=Reason.OVERSIZE), event())
    found = counts(store.reader, NOON)
    assert (found.oversize, found.quarantined, found.received) == (1, 0, 1)


STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "refuse", "oversize"]), st.integers(0, 3), st.integers(0, 2)), max_size=30
)


@settings(max_examples=25, deadline=None)
@given(steps=STEPS)
def test_received_is_stored_quarantined_duplicate_and_oversize(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    path: Path = tmp_path_factory.mktemp("equation") / "store.db"
    with opened(f"sqlite:///{path}") as store:
        asyncio.run(_arrive(store, steps))
        found = counts(store.reader, NOON)
        assert found.received == len(steps)
        assert found.received == found.stored + found.quarantined + found.duplicate + found.oversize
        stored = store.rows("SELECT count(*) FROM journal WHERE state <> 'quarantined'")
        assert stored == [(found.stored,)]
        left = store.rows("SELECT count(*) FROM journal WHERE state = 'quarantined'")
        assert left == [(found.quarantined + found.oversize,)]
        assert store.rows("SELECT coalesce(sum(duplicates), 0) FROM journal") == [(found.duplicate,)]


async def _arrive(store: Store, steps: list[tuple[str, int, int]]) -> None:
    for kind, number, text in steps:
        if kind == "keep":
            await store.intake.keep(arrival(f"MSH|{text}", control_id=f"C{number}"), event())
        else:
            reason = Reason.OVERSIZE if kind == "oversize" else Reason.STRUCTURE
            one = refused(f"MSH|{kind}{text}", control_id=f"C{number}", reason=reason)
            await store.intake.quarantine(msgspec.structs.replace(one, feed="other"), event())
