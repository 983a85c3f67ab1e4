"""A stop: nothing new, everything in hand answered, and an end although a peer never finishes (T-64)."""

from __future__ import annotations

import asyncio

import pytest
from feeds_listening import Listen, Sender, ended, message, quick

from labbridge.hl7.mllp import frame


async def test_drain_answers_what_is_in_hand_and_takes_nothing_new(listen: Listen) -> None:
    there = await listen()
    there.keeper.hold.clear()
    busy, idle = await there.connect(), await there.connect()
    busy.write(frame(message("1")) + frame(message("2")))
    await there.until(lambda: there.keeper.begun)
    await there.until(lambda: there.server.connections == 2)
    draining = asyncio.create_task(there.server.drain())
    await ended(idle)
    with pytest.raises(ConnectionError):
        await there.connect()
    there.keeper.hold.set()
    assert await busy.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    assert await busy.answer() == b"MSH|^~\\&|LB\rMSA|AA|2\r"
    await ended(busy)
    await draining
    assert there.keeper.kept == [message("1"), message("2")]


async def test_drain_lets_the_block_that_is_coming_in_finish(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(frame(message("1"))[:30])
    await there.until(lambda: there.server.inflight_bytes)
    draining = asyncio.create_task(there.server.drain())
    await asyncio.sleep(0.05)
    sender.write(frame(message("1"))[30:])
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    await ended(sender)
    await draining


async def test_drain_ends_although_a_peer_never_finishes(listen: Listen) -> None:
    there = await listen(quick(drain_s=0.1))
    sender = await there.connect()
    sender.write(b"\x0bMSH")
    await there.until(lambda: there.server.inflight_bytes)
    async with asyncio.timeout(20):
        await there.server.drain()
    await ended(sender)
    assert there.server.connections == 0


async def test_under_load_a_drain_loses_nothing_that_was_answered(listen: Listen) -> None:
    there = await listen()
    answered: list[bytes] = []

    async def load(sender: Sender, place: int) -> None:
        number = 0
        while await sender.ask(f"{place}-{number}") is not None:
            answered.append(message(f"{place}-{number}"))
            number += 1

    tasks = [asyncio.create_task(load(await there.connect(), place)) for place in range(8)]
    await there.until(lambda: len(answered) > 200)
    await there.server.drain()
    await asyncio.gather(*tasks)
    assert set(answered) <= set(there.keeper.kept)
    assert len(there.keeper.kept) == len(set(there.keeper.kept))


async def test_a_port_in_use_is_told(listen: Listen) -> None:
    there, other = await listen(), await listen()
    await other.server.close()
    with pytest.raises(OSError, match="in use"):
        await other.server.start(*there.server.address)
