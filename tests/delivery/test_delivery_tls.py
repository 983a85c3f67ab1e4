"""Delivery over TLS: the receiver is verified, always; what ends a handshake or a connection is no answer."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from adversary import Adversary, ack, block
from tls_files import Authority, server_side, today

from labbridge import tls
from labbridge.config import ReceiverTlsSection
from labbridge.delivery.channel import TlsChannel
from labbridge.delivery.mllp import MllpReceiver, ReceiverSettings
from labbridge.errors import Retry
from labbridge.hl7.ack import positive
from tests.conftest import missing


def message(control_id: str) -> bytes:
    return f"MSH|^~\\&|LB|H|LIS|H|20260101||ORU^R01|{control_id}|P|2.5.1\rOBX|1|TX|C||text\r".encode()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def ours(authority: Authority, **changed: object) -> ssl.SSLContext:
    section = ReceiverTlsSection(ca=str(authority.file)).model_copy(update=changed)
    return tls.client("receivers.lis.tls", section, today()).context


@asynccontextmanager
async def lis(context: ssl.SSLContext, *modes: str) -> AsyncIterator[Adversary]:
    found = Adversary(*(modes or ("plain",)))
    found.tls = (context, context)
    async with found:
        yield found


@asynccontextmanager
async def line(port: int, context: ssl.SSLContext | None, **changed: object) -> AsyncIterator[MllpReceiver]:
    settings = {"host": "127.0.0.1", "port": port, "timeout_s": 20.0, "end_grace_s": 0.05} | changed
    receiver = MllpReceiver("lis", ReceiverSettings(**settings), tls=context)  # type: ignore[arg-type]
    try:
        yield receiver
    finally:
        receiver.close()


async def refused(receiver: MllpReceiver, why: str) -> None:
    """Nothing is delivered, and the reason is told."""
    with pytest.raises(Retry, match=why):
        await receiver.send(message("LB1"), "LB1")
    assert not receiver.connected


async def test_a_receiver_of_the_named_authority_is_delivered_to(authority: Authority) -> None:
    async with lis(server_side(authority.issue("lis"))) as there, line(there.port, ours(authority)) as receiver:
        for number in range(5):
            assert positive(await receiver.send(message(f"LB{number}"), f"LB{number}"), f"LB{number}")
        assert there.connections == 1
        assert there.raw[0] == message("LB0")


async def test_a_receiver_may_be_its_own_authority(authority: Authority) -> None:
    pair = authority.issue("lis")
    context = ours(authority, ca=str(pair.certificate))
    async with lis(server_side(pair)) as there, line(there.port, context) as receiver:
        assert positive(await receiver.send(message("LB1"), "LB1"), "LB1")


@pytest.mark.parametrize(
    ("sans", "server_name", "taken"),
    [
        (["lis.lab.example"], "lis.lab.example", True),
        (["*.lab.example"], "lis.lab.example", True),
        (["IP:127.0.0.1"], "", True),
        (["lis.lab.example"], "", False),
        (["lis.lab.example"], "other.lab.example", False),
        (["IP:127.0.0.2"], "", False),
    ],
)
async def test_the_name_in_the_certificate(
    authority: Authority, sans: list[str], server_name: str, taken: bool
) -> None:
    context = server_side(authority.issue("some", sans))
    async with lis(context) as there, line(there.port, ours(authority), server_name=server_name) as receiver:
        if taken:
            assert positive(await receiver.send(message("LB1"), "LB1"), "LB1")
        else:
            await refused(receiver, "TLS: the certificate is for another name")
            assert there.raw == []


async def test_an_expired_certificate(authority: Authority) -> None:
    context = server_side(authority.issue("lis", ends=timedelta(minutes=-1)))
    async with lis(context) as there, line(there.port, ours(authority)) as receiver:
        await refused(receiver, "TLS: the certificate has expired")
        assert there.raw == []


async def test_a_certificate_of_another_authority(authority: Authority, tmp_path: Path) -> None:
    context = server_side(Authority(tmp_path, "other").issue("lis"))
    async with lis(context) as there, line(there.port, ours(authority)) as receiver:
        await refused(receiver, "TLS: the certificate is not signed by a known authority")
        assert there.raw == []


async def test_the_systems_authorities_do_not_know_ours(authority: Authority) -> None:
    async with lis(server_side(authority.issue("lis"))) as there, line(there.port, ours(authority, ca="")) as receiver:
        await refused(receiver, "TLS: the certificate is not signed by a known authority")


async def test_a_receiver_that_speaks_only_old_versions(authority: Authority) -> None:
    context = server_side(authority.issue("lis"))
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with lis(context) as there, line(there.port, ours(authority)) as receiver:
        await refused(receiver, "TLS: (no common version|the other side ended)")
        assert there.raw == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "other", "ours"])
async def test_a_receiver_that_demands_a_certificate(
    authority: Authority, tmp_path: Path, version: ssl.TLSVersion, shown: str
) -> None:
    context = server_side(authority.issue("lis"), clients=authority)
    context.maximum_version = version
    known = authority.issue("labbridge"), Authority(tmp_path, "other").issue("stranger")
    pair = {"none": None, "ours": known[0], "other": known[1]}[shown]
    files = {"certificate": str(pair.certificate), "key": str(pair.key)} if pair else {}
    async with lis(context) as there, line(there.port, ours(authority, **files)) as receiver:
        if shown == "ours":
            assert positive(await receiver.send(message("LB1"), "LB1"), "LB1")
        else:
            await refused(receiver, "No acknowledgement")
            assert there.raw == []


async def test_a_plain_receiver_is_no_tls_receiver(authority: Authority) -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(block(ack(b"LB1")))
        await writer.drain()
        await reader.read()
        writer.close()

    async with serving(hangs_up) as port, line(port, ours(authority)) as receiver:
        await refused(receiver, "TLS: the other side does not speak TLS")


async def test_a_handshake_that_never_ends(authority: Authority) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with serving(silent) as port, line(port, ours(authority), connect_s=0.2) as receiver:
        await refused(receiver, "No acknowledgement \\(TimeoutError\\)")


async def test_a_receiver_that_leaves_in_the_handshake(authority: Authority) -> None:
    async def leaves(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    async with serving(leaves) as port, line(port, ours(authority)) as receiver:
        await refused(receiver, "No acknowledgement")


async def test_a_receiver_that_shakes_hands_and_ends(authority: Authority) -> None:
    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with serving(ends, server_side(authority.issue("lis"))) as port, line(port, ours(authority)) as receiver:
        await refused(receiver, "No acknowledgement")
        await refused(receiver, "No acknowledgement")
        assert receiver.failures == 2


@pytest.mark.parametrize("mode", ["close", "rst", "halfClose", "unframedClose"])
async def test_the_end_of_tls_is_no_answer(authority: Authority, mode: str) -> None:
    """`close` is a close_notify where the answer should stand."""
    async with (
        lis(server_side(authority.issue("lis")), mode, "plain") as there,
        line(there.port, ours(authority)) as to,
    ):
        await refused(to, "answer|acknowledgement")
        assert positive(await to.send(message("LB2"), "LB2"), "LB2")
        assert there.connections == 2


async def test_what_came_after_the_answer_is_found_before_the_next_message(authority: Authority) -> None:
    """A second answer arrives encrypted while nobody reads; the end of TLS too."""
    for mode in ("twiceLater", "closeaftersend"):
        context = server_side(authority.issue("lis"))
        async with lis(context, mode, "AE") as there, line(there.port, ours(authority)) as receiver:
            assert positive(await receiver.send(message("LB1"), "LB1"), "LB1")
            channel = receiver._channel
            if channel is not None:
                async with asyncio.timeout(20):
                    while channel.quiet():
                        await asyncio.sleep(0.005)
            answer = await receiver.send(message("LB1"), "LB1")
            assert (answer.code, there.connections) == ("AE", 2)


async def test_what_tls_says_for_itself_closes_no_connection(authority: Authority) -> None:
    """OpenSSL's own server changes keys between two messages: something waits on the socket, and it is no late answer."""
    if shutil.which("openssl") is None:
        missing("openssl", "install the package openssl")
    pair = authority.issue("lis")
    server = await asyncio.create_subprocess_exec(
        *("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(pair.certificate), "-key", str(pair.key)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None

    async def heard(mark: bytes) -> bytes:
        async with asyncio.timeout(20):
            return await server.stdout.readuntil(mark)

    try:
        port = int((await heard(b"ACCEPT ") + await heard(b"\n")).rsplit(b":", 1)[1])
        async with line(port, ours(authority)) as receiver:
            for control_id in ("LB1", "LB2", "LB3"):
                sending = asyncio.create_task(receiver.send(message(control_id), control_id))
                await heard(b"\x1c")
                server.stdin.write(block(ack(control_id.encode())))
                assert positive(await sending, control_id)
                channel = receiver._channel
                server.stdin.write(b"K\n")
                assert isinstance(channel, TlsChannel)
                async with asyncio.timeout(20):
                    while not _waiting(channel):
                        await asyncio.sleep(0.005)
                assert channel.quiet()
            assert receiver._channel is channel
    finally:
        server.kill()
        await server.wait()


def _waiting(channel: TlsChannel) -> bytes:
    with contextlib.suppress(BlockingIOError):
        return channel._sock.recv(1, socket.MSG_PEEK)
    return b""


async def test_a_renewed_certificate_is_shown_at_the_next_connection(authority: Authority) -> None:
    shown: list[str] = []

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown.append(writer.get_extra_info("peercert")["subject"][0][0][1])
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                raw = await reader.readuntil(b"\x1c\r")
                writer.write(block(ack(raw.split(b"|")[9])))
        writer.close()

    old, new = authority.issue("old"), authority.issue("new")
    first, second = (ours(authority, certificate=str(one.certificate), key=str(one.key)) for one in (old, new))
    context = server_side(authority.issue("lis"), clients=authority)
    async with serving(answers, context) as port, line(port, first) as receiver:
        assert positive(await receiver.send(message("LB1"), "LB1"), "LB1")
        receiver.tls = second
        assert positive(await receiver.send(message("LB2"), "LB2"), "LB2")
        assert shown == ["old"]
        receiver.close()
        assert positive(await receiver.send(message("LB3"), "LB3"), "LB3")
        assert shown == ["old", "new"]


async def test_verification_cannot_be_turned_off() -> None:
    assert set(ReceiverTlsSection.model_fields) == {"ca", "certificate", "key", "server_name", "minimum_version"}
    context = tls.client("receivers.lis.tls", ReceiverTlsSection(), today()).context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)
