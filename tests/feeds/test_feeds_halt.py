"""Reading pauses for want of room (reliability.md T-20): messages stay with their senders, connections stay open."""

from __future__ import annotations

import asyncio

from feeds_listening import Listen, message, quick

from labbridge.hl7.mllp import frame


async def test_nothing_is_read_and_nothing_is_closed(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    assert await sender.ask("1") is not None
    there.server.halt(True)
    sender.write(frame(message("2")))
    await asyncio.sleep(20 * there.server.limits.sweep_s)
    assert there.keeper.begun == [message("1")]
    assert there.server.connections == 1
    there.server.halt(False)
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|2\r"


async def test_a_connection_that_comes_meanwhile_is_taken_and_waits(listen: Listen) -> None:
    there = await listen()
    there.server.halt(True)
    sender = await there.connect()
    sender.write(frame(message("1")))
    await there.until(lambda: there.server.connections == 1)
    await asyncio.sleep(20 * there.server.limits.sweep_s)
    assert there.keeper.begun == []
    there.server.halt(False)
    assert await sender.answer() is not None


async def test_what_was_read_before_is_still_answered(listen: Listen) -> None:
    there = await listen()
    there.keeper.hold.clear()
    sender = await there.connect()
    sender.write(frame(message("1")))
    await there.until(lambda: there.keeper.begun)
    there.server.halt(True)
    there.keeper.hold.set()
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"


async def test_half_a_block_is_not_held_against_its_sender(listen: Listen) -> None:
    """Its deadline runs while we read, and not while we do not."""
    there = await listen(quick(frame_timeout_s=0.3))
    sender = await there.connect()
    block = frame(message("1"))
    sender.write(block[:20])
    await there.until(lambda: any(one._framer.in_frame for one in there.server._open))
    there.server.halt(True)
    sender.write(block[20:])
    await asyncio.sleep(0.5)
    assert there.server.closed == {}
    there.server.halt(False)
    assert await sender.answer() is not None


async def test_a_service_at_its_limit_helps_nobody_meanwhile(listen: Listen) -> None:
    there = await listen(quick(inflight_bytes=100_000, frame_bytes=2_000_000))
    big = frame(message("BIG", "z" * 1_000_000))
    senders = [await there.connect() for _ in range(2)]
    for sender in senders:
        sender.write(big[:-5])
    await there.until(lambda: there.server.inflight_bytes > 100_000)
    there.server.halt(True)
    await asyncio.sleep(20 * there.server.limits.sweep_s)
    assert there.server.inflight_bytes < len(big) + 600_000
    assert there.keeper.begun == []
    there.server.halt(False)
    for sender in senders:
        sender.write(big[-5:])
    for sender in senders:
        async with asyncio.timeout(20):
            assert await sender.answer() is not None


async def test_a_halted_listener_drains(listen: Listen) -> None:
    there = await listen(quick(drain_s=0.3))
    idle, half = await there.connect(), await there.connect()
    half.write(frame(message("1"))[:20])
    await there.until(lambda: any(one._framer.in_frame for one in there.server._open))
    there.server.halt(True)
    await there.server.drain()
    assert there.server.connections == 0
    assert [await idle.answer(), await half.answer()] == [None, None]
