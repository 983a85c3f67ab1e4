"""Slots of a service (reliability.md T-41): caps over all listeners together, and some kept for senders that are known."""

from __future__ import annotations

import asyncio
import socket

from feeds_listening import Listen, Listening, Sender, ended, message, quick

from labbridge.feeds.limits import Limits
from labbridge.feeds.slots import KEPT_FOR_KNOWN, REMEMBERED, Slots
from labbridge.hl7.mllp import frame

SIXTEEN = Limits(connections=16, connections_per_address=4)


def filled(slots: Slots, count: int) -> None:
    for number in range(count):
        slots.take(f"10.9.{number // 4}.1")


def test_strangers_leave_an_eighth_to_known_peers() -> None:
    slots = Slots(SIXTEEN)
    filled(slots, 13)
    assert slots.objection("10.0.0.1", False) == ""
    slots.take("10.0.0.1")
    assert slots.connections == 16 - 16 // KEPT_FOR_KNOWN
    assert slots.objection("10.0.0.2", False) == "over_cap"
    assert slots.objection("10.0.0.2", True) == ""
    slots.delivered("10.0.0.3")
    assert slots.objection("10.0.0.3", False) == ""


def test_known_peers_end_at_the_cap_too() -> None:
    slots = Slots(SIXTEEN)
    filled(slots, 16)
    slots.delivered("10.0.0.3")
    assert slots.objection("10.0.0.3", True) == "over_cap"
    slots.leave("10.9.0.1")
    assert slots.objection("10.0.0.3", True) == ""


def test_an_address_has_its_own_cap_however_well_it_is_known() -> None:
    slots = Slots(SIXTEEN)
    slots.delivered("10.0.0.1")
    for _ in range(4):
        slots.take("10.0.0.1")
    assert slots.objection("10.0.0.1", True) == "over_address_cap"
    slots.leave("10.0.0.1")
    assert slots.objection("10.0.0.1", True) == ""


def test_what_left_leaves_nothing_behind() -> None:
    slots = Slots(SIXTEEN)
    filled(slots, 8)
    for number in range(8):
        slots.leave(f"10.9.{number // 4}.1")
    assert (slots.connections, len(slots._by_address)) == (0, 0)


def test_the_newest_senders_are_remembered() -> None:
    slots = Slots(Limits(connections=1))
    for number in range(REMEMBERED + 10):
        slots.delivered(f"a{number}")
        slots.delivered("a0")
    assert len(slots._known) == REMEMBERED
    assert "a0" in slots._known
    assert "a1" not in slots._known


# ---------------------------------------------------------------- on real sockets


async def from_address(there: Listening, address: str) -> Sender:
    """A connection from one of this machine's loopback addresses."""
    host, port = there.server.address
    channel = socket.socket()
    channel.bind((address, 0))
    channel.setblocking(False)
    await asyncio.get_running_loop().sock_connect(channel, (host, port))
    sender = Sender(*await asyncio.open_connection(sock=channel))
    there._senders.append(sender)
    return sender


async def test_two_listeners_share_one_cap(listen: Listen) -> None:
    slots = Slots(quick(connections=16))
    one = await listen(quick(connections=16), slots=slots)
    other = await listen(quick(connections=16), slots=slots)
    for number in range(14):
        await (one if number % 2 else other).connect()
    await one.until(lambda: slots.connections == 14)
    await ended(await other.connect())
    assert other.server.refused == {"over_cap": 1}
    assert (one.server.connections, other.server.connections) == (7, 7)


async def test_a_sender_that_delivered_before_comes_back_although_strangers_hold_the_rest(listen: Listen) -> None:
    there = await listen(quick(connections=16, connections_per_address=16))
    known = await from_address(there, "127.0.0.2")
    assert await known.ask("1") is not None
    known.close()
    await there.until(lambda: there.server.connections == 0)
    for _ in range(14):
        await there.connect()
    await there.until(lambda: there.server.connections == 14)
    await ended(await there.connect())
    again = await from_address(there, "127.0.0.2")
    assert await again.ask("2") is not None
    assert there.server.refused == {"over_cap": 1}


async def test_what_is_no_message_makes_nobody_known(listen: Listen) -> None:
    there = await listen(quick(connections=16, connections_per_address=16))
    stranger = await from_address(there, "127.0.0.3")
    stranger.write(frame(b"not hl7"))
    await there.until(lambda: there.keeper.kept)
    stranger.close()
    await there.until(lambda: there.server.connections == 0)
    for _ in range(14):
        await there.connect()
    await there.until(lambda: there.server.connections == 14)
    await ended(await from_address(there, "127.0.0.3"))


async def test_the_listed_peers_of_a_feed_have_the_kept_slots(listen: Listen) -> None:
    slots = Slots(quick(connections=16, connections_per_address=16))
    open_to_all = await listen(quick(connections_per_address=16), slots=slots)
    closed = await listen(quick(connections_per_address=16), slots=slots, peers=("127.0.0.0/8",))
    for _ in range(14):
        await open_to_all.connect()
    await closed.until(lambda: slots.connections == 14)
    assert await (await closed.connect()).ask("1") is not None
    await ended(await from_address(open_to_all, "127.0.0.9"))


async def test_bytes_in_hand_are_counted_over_all_listeners(listen: Listen) -> None:
    slots = Slots(quick(inflight_bytes=2**20))
    one, other = await listen(slots=slots), await listen(slots=slots)
    for there in (one, other):
        there.keeper.hold.clear()
        (await there.connect()).write(frame(message("1", "x" * 100_000)))
    await one.until(lambda: one.keeper.begun and other.keeper.begun)
    assert one.server.inflight_bytes == other.server.inflight_bytes > 200_000
    for there in (one, other):
        there.keeper.hold.set()
    await one.until(lambda: slots.inflight_bytes == 0)
