"""The listener on real sockets: order, one answer each, every limit of reliability.md 3.1, T-40 to T-47, drain."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import Any

import pytest
from feeds_listening import Listen, Listening, ended, message, quick

from labbridge.hl7.mllp import frame

# ---------------------------------------------------------------- answers


async def test_one_answer_after_the_bytes_are_kept(listen: Listen) -> None:
    there = await listen()
    there.keeper.hold.clear()
    sender = await there.connect()
    sender.write(frame(message("1")))
    await there.until(lambda: there.keeper.begun)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sender.reader.read(1), 0.05)
    there.keeper.hold.set()
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    assert there.keeper.kept == [message("1")]


async def test_the_answer_is_one_block_in_the_wire_form(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(frame(message("1")))
    assert await sender.reader.readuntil(b"\x1c\r") == b"\x0bMSH|^~\\&|LB\rMSA|AA|1\r\x1c\r"


@pytest.mark.parametrize("piece", [1, 2, 7, 64, 10_000])
async def test_every_cut_of_the_stream_gives_the_same_answers(listen: Listen, piece: int) -> None:
    there = await listen()
    sender = await there.connect()
    wanted = [message(str(number)) for number in range(5)]
    stream = b"\r\n".join(frame(one) for one in wanted)
    for start in range(0, len(stream), piece):
        sender.write(stream[start : start + piece])
        await sender.writer.drain()
        await asyncio.sleep(0)
    answers = [await sender.answer() for _ in wanted]
    assert [answer.rsplit(b"|", 1)[1] for answer in answers if answer] == [b"%d\r" % number for number in range(5)]
    assert there.keeper.kept == wanted


async def test_order_holds_on_each_of_many_connections(listen: Listen) -> None:
    there = await listen()
    senders = [await there.connect() for _ in range(16)]
    for number in range(50):
        for place, sender in enumerate(senders):
            sender.write(frame(message(f"{place}-{number}")))
    for place, sender in enumerate(senders):
        for number in range(50):
            answer = await sender.answer()
            assert answer is not None
            assert answer.endswith(b"|%d-%d\r" % (place, number))
    assert len(there.keeper.kept) == 800
    assert there.server.last_message > 0


async def test_end_byte_without_cr_is_answered(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(frame(message("1"))[:-1])
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    sender.write(b"\r" + frame(message("2")))
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|2\r"


async def test_a_sender_that_half_closes_still_gets_its_answers(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(frame(message("1")) + frame(message("2"))[:-1])
    sender.writer.write_eof()
    assert [await sender.answer() for _ in range(3)] == [
        b"MSH|^~\\&|LB\rMSA|AA|1\r",
        b"MSH|^~\\&|LB\rMSA|AA|2\r",
        None,
    ]


async def test_half_a_message_at_the_end_is_not_kept(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(frame(message("1"))[:40])
    sender.writer.write_eof()
    await ended(sender)
    assert there.keeper.begun == []
    assert there.server.inflight_bytes == 0


async def test_a_reply_may_end_the_connection(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(frame(message("1", "CLOSE")) + frame(message("2")))
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    await ended(sender)
    assert len(there.keeper.begun) == 1


# ---------------------------------------------------------------- trouble on our side


async def test_a_store_that_cannot_commit_answers_nothing_and_closes(listen: Listen) -> None:
    there = await listen(quick(unavailable_close_s=0.1))
    there.keeper.unavailable = True
    sender = await there.connect()
    sender.write(frame(message("1")) + frame(message("2")))
    await ended(sender)
    assert there.keeper.kept == []
    assert len(there.keeper.begun) == 1  # nothing more is tried: the second stays with its sender too
    assert there.server.closed["store_unavailable"] == 1
    there.keeper.unavailable = False
    assert await (await there.connect()).ask("1") is not None


async def test_a_silent_connection_is_not_read_any_more(listen: Listen) -> None:
    there = await listen(quick(unavailable_close_s=60))
    there.keeper.unavailable = True
    sender = await there.connect()
    sender.write(frame(message("1")))
    await there.until(lambda: there.server.closed["store_unavailable"])
    there.keeper.unavailable = False
    sender.write(frame(message("2")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sender.reader.read(1), 0.1)
    assert len(there.keeper.begun) == 1
    assert await (await there.connect()).ask("3") is not None


@pytest.mark.parametrize("waits", [False, True], ids=["before it is known", "after"])
async def test_who_gives_up_on_a_store_that_is_away_holds_no_place(listen: Listen, waits: bool) -> None:
    """It comes again and again while the store is away: silent connections that stayed would fill its places."""
    there = await listen(quick(unavailable_close_s=60, connections_per_address=2))
    there.keeper.unavailable = True
    for time in range(1, 6):
        if not waits:
            there.keeper.hold.clear()
        sender = await there.connect()
        sender.write(frame(message("1")))
        await there.until(lambda so_far=time: len(there.keeper.begun) == so_far)  # type: ignore[misc]
        if waits:
            await there.until(lambda so_far=time: there.server.closed["store_unavailable"] == so_far)  # type: ignore[misc]
        sender.close()
        await asyncio.sleep(0.02)
        there.keeper.hold.set()
        await there.until(lambda: not there.server._slots.connections)
    there.keeper.unavailable = False
    assert await (await there.connect()).ask("2") is not None
    assert not there.server.refused


async def test_a_bug_costs_one_connection_and_its_text_is_not_logged(
    listen: Listen, capsys: pytest.CaptureFixture[str]
) -> None:
    there = await listen()
    good = await there.connect()
    there.keeper.broken = True
    bad = await there.connect()
    bad.write(frame(message("1")))
    await ended(bad)
    there.keeper.broken = False
    assert await good.ask("2") is not None
    assert there.server.closed["fault"] == 1
    printed = "".join(capsys.readouterr())
    assert "ValueError" in printed
    assert "SECRETNAME" not in printed


# ---------------------------------------------------------------- limits


async def test_oversize_is_refused_and_the_refusal_can_be_read(listen: Listen) -> None:
    there = await listen(quick(frame_bytes=200_000))
    sender = await there.connect()
    sender.write(b"\x0b" + message("BIG") + b"x" * 1_000_000)
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AR|BIG\r"
    await ended(sender)
    assert len(there.keeper.oversize[0].head) == 65536
    assert there.keeper.begun == []


async def test_the_refusal_survives_a_sender_that_goes_on_sending(listen: Listen) -> None:
    """A plain close with bytes unread would reset the connection, and take the answer with it."""
    there = await listen(quick(frame_bytes=100_000, linger_s=20.0))
    sender = await there.connect()
    sender.write(b"\x0b" + message("BIG") + b"x" * 200_000)
    await there.until(lambda: there.server.closed["refused"])
    for _ in range(50):
        sender.write(b"x" * 100_000)
        await sender.writer.drain()
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AR|BIG\r"


@pytest.mark.parametrize("extra", [-1, 0])
async def test_the_longest_message_is_taken(listen: Listen, extra: int) -> None:
    limit = 100_000
    there = await listen(quick(frame_bytes=limit))
    sender = await there.connect()
    raw = message("1")
    raw += b"x" * (limit + extra - len(raw))
    sender.write(frame(raw))
    assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    assert there.keeper.kept == [raw]


async def test_the_third_block_that_is_not_hl7_ends_the_connection(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    sender.write(b"".join(frame(b"HELLO%d" % number) for number in range(5)))
    await ended(sender)
    assert there.keeper.kept == [b"HELLO0", b"HELLO1", b"HELLO2"]
    assert there.server.closed["not_hl7"] == 1


async def test_junk_before_each_block_is_told_and_tolerated(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    for number in range(6):
        sender.write(b"JUNK" + frame(message(str(number))))
        assert await sender.answer() is not None
    assert [junk.head for junk in there.keeper.junk] == [b"JUNK"] * 6


async def test_who_speaks_something_else_and_then_waits_is_not_kept_for_a_day(listen: Listen) -> None:
    """TLS on a plain port, HTTP, a scanner: the bytes are kept, the connection is not."""
    there = await listen(quick(frame_timeout_s=0.2))
    stranger = await there.connect()
    stranger.write(b"\x16\x03\x01 a client hello")
    await ended(stranger)
    assert there.server.closed["not_hl7"] == 1
    assert len(there.keeper.junk) == 1


async def test_junk_alone_ends_the_connection(listen: Listen) -> None:
    there = await listen()
    sender = await there.connect()
    for number in range(3):
        sender.write(b"GET / HTTP/1.1")
        await there.until(lambda number=number: len(there.keeper.junk) > number)
    await ended(sender)
    assert there.server.closed["not_hl7"] == 1


async def test_an_unfinished_block_ends_after_its_time_and_dripping_does_not_help(listen: Listen) -> None:
    there = await listen(quick(frame_timeout_s=0.2))
    good, slow = await there.connect(), await there.connect()
    slow.write(b"\x0bMSH")
    async with asyncio.timeout(20):
        while not there.server.closed["frame_timeout"]:
            slow.write(b"x")
            assert await good.ask("1") is not None
            await asyncio.sleep(0.01)
    await ended(slow)
    assert there.server.inflight_bytes == 0


async def test_an_idle_connection_ends(listen: Listen) -> None:
    there = await listen(quick(idle_timeout_s=0.1))
    await ended(await there.connect())
    assert there.server.closed["idle"] == 1


async def _most_unread(there: Listening) -> int:
    """The most bytes of answers that ever waited for a peer, until the connection is cut."""
    most = 0
    while not there.server.closed["write_stall"]:
        most = max([most, *(one._transport.get_write_buffer_size() for one in there.server._open)])
        await asyncio.sleep(0.005)
    return most


async def test_a_peer_that_never_reads_its_answers_is_cut(listen: Listen) -> None:
    there = await listen(quick(write_stall_s=0.5))
    host, port = there.server.address
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    with sock:
        await loop.sock_connect(sock, (host, port))
        flood = frame(message("1" * 2000)) * 50
        watching = asyncio.create_task(_most_unread(there))
        async with asyncio.timeout(20):
            with contextlib.suppress(ConnectionError):
                while True:
                    await loop.sock_sendall(sock, flood)
    await there.until(lambda: there.server.closed["write_stall"])
    assert 0 < await watching < 200_000
    assert there.server.inflight_bytes == 0


async def test_one_address_may_hold_only_so_many(listen: Listen) -> None:
    there = await listen(quick(connections_per_address=2))
    first, second = await there.connect(), await there.connect()
    assert await first.ask("1") is not None
    assert await second.ask("2") is not None
    await ended(await there.connect())
    assert there.server.refused["over_address_cap"] == 1
    first.close()
    await there.until(lambda: there.server.connections == 1)
    assert await (await there.connect()).ask("3") is not None


async def test_the_total_cap_closes_the_newcomer_and_not_the_others(listen: Listen) -> None:
    there = await listen(quick(connections=1))
    first = await there.connect()
    assert await first.ask("1") is not None
    await ended(await there.connect())
    assert there.server.refused["over_cap"] == 1
    assert await first.ask("2") is not None


async def test_an_unlisted_peer_is_closed_before_it_is_read(listen: Listen) -> None:
    there = await listen(peers=("192.0.2.0/24",))
    sender = await there.connect()
    sender.write(frame(message("1")))
    await ended(sender)
    assert there.server.refused["not_listed"] == 1
    assert there.keeper.begun == []


async def test_reading_stops_when_too_many_blocks_wait(listen: Listen) -> None:
    there = await listen(quick(waiting_frames=4))
    there.keeper.hold.clear()
    sender = await there.connect()
    sender.write(frame(message("0")))
    await there.until(lambda: there.keeper.begun)
    count = 3000
    for number in range(1, count):
        sender.write(frame(message(str(number), "y" * 500)))
    await asyncio.sleep(0.1)
    assert there.server.inflight_bytes < 600_000 < count * 550
    there.keeper.hold.set()
    for number in range(count):
        answer = await sender.answer()
        assert answer is not None
        assert answer.endswith(b"|%d\r" % number)
    assert there.server.inflight_bytes == 0


async def test_large_senders_wait_for_room_and_a_small_one_is_served(listen: Listen) -> None:
    there = await listen(quick(inflight_bytes=400_000, frame_bytes=2_000_000))
    big = message("BIG", "z" * 1_000_000)
    large = [await there.connect() for _ in range(4)]
    for sender in large:
        sender.write(frame(big)[:-5])
    await there.until(lambda: there.server.inflight_bytes > 400_000)
    assert await (await there.connect()).ask("SMALL") is not None
    for sender in large:
        sender.write(frame(big)[-5:])
    for sender in large:
        async with asyncio.timeout(20):
            assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|BIG\r"
    assert there.keeper.kept.count(big) == 4
    await there.until(lambda: there.server.inflight_bytes == 0)


async def test_room_is_given_to_a_block_that_is_not_whole_yet(listen: Listen) -> None:
    """The oldest block is whole and waits for its handler: to help it would help nobody, and for ever."""
    there = await listen(quick(inflight_bytes=100_000, frame_bytes=2_000_000))
    big = message("BIG", "z" * 1_000_000)
    there.keeper.hold.clear()
    first = await there.connect()
    first.write(frame(big))
    await there.until(lambda: there.keeper.begun)
    others = [await there.connect() for _ in range(2)]
    for sender in others:
        sender.write(frame(big)[:-5])
    await there.until(lambda: there.server.inflight_bytes > len(big) + 100_000)
    await asyncio.sleep(20 * there.server.limits.sweep_s)
    there.keeper.hold.set()
    for sender in others:
        sender.write(frame(big)[-5:])
    for sender in (first, *others):
        async with asyncio.timeout(20):
            assert await sender.answer() == b"MSH|^~\\&|LB\rMSA|AA|BIG\r"


async def test_out_of_files_is_one_line_and_a_rest(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = await listen()
    real, failures = there.server._listening, 3

    class Full:
        def fileno(self) -> int:
            return real.fileno()

        def close(self) -> None:
            real.close()

        def accept(self) -> Any:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError(errno.EMFILE, "too many open files")
            return real.accept()

    monkeypatch.setattr(there.server, "_listening", Full())
    assert await (await there.connect()).ask("1") is not None
    assert there.server.refused["no_files"] == 3
    assert "".join(capsys.readouterr()).count("accept_paused") == 3
