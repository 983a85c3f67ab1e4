"""Peers behind a load balancer: the header of the PROXY protocol, on real sockets and through a real HAProxy."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from feeds_listening import Listen, Listening, Sender, ended, message, quick

from labbridge.feeds.proxied import LONGEST_REST, LONGEST_TEXT, SIGNATURE, HeaderFault, peer_of
from labbridge.hl7.mllp import frame
from tests.conftest import missing

BEHIND = ("127.0.0.1",)
PEER, OTHER = "127.0.9.5", "127.0.9.6"


def text(source: str = PEER, family: str = "TCP4") -> bytes:
    return f"PROXY {family} {source} 127.0.0.1 40000 2575\r\n".encode()


def binary(source: str = PEER, command: int = 0x21, more: bytes = b"") -> bytes:
    found = ipaddress.ip_address(source)
    family = 0x11 if found.version == 4 else 0x21
    rest = found.packed * 2 + bytes((0x9C, 0x40, 0x0A, 0x0F)) + more
    return SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


async def read(raw: bytes, then: bytes = b"") -> tuple[str, bytes]:
    """The peer that a header names, and what is left on the socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(raw + then)
        theirs.shutdown(socket.SHUT_WR)
        peer = await peer_of(ours)
        return peer, await asyncio.get_running_loop().sock_recv(ours, 65536)


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (text(), PEER),
        (text("2001:db8::5", "TCP6"), "2001:db8::5"),
        (b"PROXY UNKNOWN\r\n", ""),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", ""),
        (binary(), PEER),
        (binary("2001:db8::5"), "2001:db8::5"),
        (binary(more=b"\x04\x00\x05hello"), PEER),
        (binary(command=0x20), ""),
        (SIGNATURE + b"\x20\x00\x00\x00", ""),
    ],
)
@pytest.mark.parametrize("then", [b"", b"\x0bMSH|", b"\x16\x03\x01"])
async def test_a_header_is_taken_off_and_nothing_behind_it(header: bytes, peer: str, then: bytes) -> None:
    assert await read(header, then) == (peer, then)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"PROXY",
        b"\x0bMSH|^~\\&|LAB|H|LB|H|20260101||ORU^R01|1|P|2.5.1\r\x1c\r",
        text()[:-1],
        text("127.0.9.500"),
        text("2001:db8::5"),
        text(PEER, "UDP4"),
        b"PROXY TCP4 127.0.9.5 127.0.0.1 40000\r\n",
        b"PROXY TCP4 " + b"1" * LONGEST_TEXT + b"\r\n",
        b"PROXY \xff\r\n",
        binary()[:-1],
        SIGNATURE[:-1] + b"X" + binary()[12:],
        binary(command=0x11),
        binary(command=0x22),
        SIGNATURE + b"\x21\x31\x00\x04abcd",  # a UNIX socket
        SIGNATURE + b"\x21\x11\x00\x04abcd",
        SIGNATURE + b"\x21\x11" + (LONGEST_REST + 1).to_bytes(2, "big") + bytes(LONGEST_REST + 1),
    ],
)
async def test_what_is_no_header_is_a_fault(header: bytes) -> None:
    with pytest.raises(HeaderFault):
        await read(header)


# ---------------------------------------------------------------- the listener


async def behind(there: Listening, header: bytes) -> Sender:
    sender = await there.connect()
    sender.write(header)
    return sender


@pytest.mark.parametrize("header", [text(), binary()], ids=["1", "2"])
async def test_the_peer_is_the_one_who_is_counted_and_listed(listen: Listen, header: bytes) -> None:
    there = await listen(peers=(PEER,), proxies=BEHIND)
    sender = await behind(there, header)
    assert await sender.ask("1") is not None
    assert there.server._slots._by_address == {PEER: 1}
    sender.close()
    await there.until(lambda: there.server.connections == 0)
    assert not there.server._slots._by_address
    assert there.server._slots.connections == 0


async def test_a_peer_who_is_not_listed_is_closed_before_it_is_read(listen: Listen) -> None:
    there = await listen(peers=(PEER,), proxies=BEHIND)
    sender = await behind(there, text(OTHER) + frame(message("1")))
    await ended(sender)
    assert there.server.refused == {"not_listed": 1}
    assert (there.keeper.begun, there.server.connections, there.server._slots.connections) == ([], 0, 0)


async def test_a_balancer_that_speaks_for_itself_is_a_peer_like_any(listen: Listen) -> None:
    there = await listen(proxies=BEHIND)
    assert await (await behind(there, b"PROXY UNKNOWN\r\n")).ask("1") is not None
    closed = await listen(peers=(PEER,), proxies=BEHIND)
    await ended(await behind(closed, binary(command=0x20)))
    assert (closed.server.refused, closed.server.closed) == ({}, {"balancer": 1})


async def test_who_comes_without_a_header_is_closed(listen: Listen) -> None:
    there = await listen(proxies=BEHIND)
    sender = await behind(there, frame(message("1")))
    await ended(sender)
    assert there.server.refused == {"proxy_header": 1}
    assert there.keeper.begun == []


async def test_a_header_that_does_not_come_is_not_waited_for(listen: Listen) -> None:
    there = await listen(quick(handshake_s=0.1), proxies=BEHIND)
    await ended(await behind(there, b"PROXY TCP4 127"))
    assert there.server.refused == {"proxy_header": 1}
    await there.until(lambda: there.server.connections == 0)


async def test_who_is_no_balancer_says_no_header(listen: Listen) -> None:
    there = await listen(proxies=("192.0.2.1",))
    assert await (await there.connect()).ask("1") is not None
    liar = await behind(there, text(PEER) + frame(message("2")))
    await there.until(lambda: there.keeper.junk)
    liar.close()
    assert there.server._slots._by_address.keys() <= {"127.0.0.1"}


async def test_the_caps_are_of_the_peers_and_not_of_their_balancer(listen: Listen) -> None:
    there = await listen(quick(connections_per_address=2), proxies=BEHIND)
    peers = [f"127.0.9.{number // 2}" for number in range(8)]
    for number, peer in enumerate(peers):
        assert await (await behind(there, text(peer))).ask(str(number)) is not None
    await ended(await behind(there, text(peers[0])))
    assert there.server.refused == {"over_address_cap": 1}
    assert there.server.connections == there.server._slots.connections == len(peers)


async def test_strangers_behind_a_balancer_leave_slots_to_known_peers(listen: Listen) -> None:
    there = await listen(quick(connections=16), proxies=BEHIND)
    for number in range(14):
        there.server._slots.take(f"10.0.0.{number}")
    await ended(await behind(there, text()))
    assert there.server.refused == {"over_cap": 1}
    there.server._slots.delivered(PEER)
    assert await (await behind(there, text())).ask("1") is not None


async def test_a_header_in_pieces_is_waited_for_and_drained_with_the_rest(listen: Listen) -> None:
    there = await listen(proxies=BEHIND)
    sender = await there.connect()
    for byte in text():
        sender.write(bytes((byte,)))
        await sender.writer.drain()
        await asyncio.sleep(0.001)
    assert await sender.ask("1") is not None
    waiting = await behind(there, b"PROXY ")
    await there.until(lambda: there.server.connections == 2)
    await there.server.close()
    await ended(waiting)
    assert (there.server.connections, there.server._slots.connections) == (0, 0)


# ---------------------------------------------------------------- HAProxy

CONFIG = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen results
    bind 127.0.0.1:{front}
    server labbridge 127.0.0.1:{back} {option} check inter 200ms
"""


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[object]:
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        missing("HAProxy", "apt-get install haproxy")
    running: list[subprocess.Popen[bytes]] = []

    def begin(back: int, option: str) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            front = int(probe.getsockname()[1])
        config = tmp_path / "haproxy.cfg"
        config.write_text(CONFIG.format(front=front, back=back, option=option))
        running.append(subprocess.Popen([str(program), "-db", "-f", str(config)], stderr=subprocess.DEVNULL))
        return front

    yield begin
    for one in running:
        one.kill()
        one.wait(10)


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
async def test_a_sender_behind_haproxy_is_known_by_its_own_address(
    listen: Listen, haproxy: object, option: str
) -> None:
    there = await listen(peers=(PEER,), proxies=BEHIND)
    front = haproxy(there.server.address[1], option)  # type: ignore[operator]
    there.server.address = ("127.0.0.1", front)

    async def through(source: str) -> Sender:
        for _attempt in range(200):
            try:
                there._senders.append(
                    Sender(*await asyncio.open_connection("127.0.0.1", front, local_addr=(source, 0)))
                )
                return there._senders[-1]
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
        raise AssertionError("HAProxy does not listen")

    sender = await through(PEER)
    assert await sender.ask("1") == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    assert there.server._slots._by_address[PEER] == 1
    stranger = await through(OTHER)
    await ended(stranger)
    await there.until(lambda: there.server.refused["not_listed"] >= 1)
    await there.until(lambda: there.server.closed["balancer"] >= 3)  # it looks whether we are here
    assert there.server.refused == {"not_listed": 1}
