"""TLS at the listener (reliability.md S-01, T-47): who is refused, by what name it is counted; new certificates."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shutil
import ssl
import warnings
from datetime import timedelta
from pathlib import Path

import pytest
from feeds_listening import Listen, Listening, Sender, message, quick
from tls_files import Authority, client_side, today

from labbridge import tls
from labbridge.config import FeedTlsSection
from labbridge.hl7.mllp import frame
from labbridge.observe import logs
from tests.conftest import missing


class Site:
    """An authority of clients, and a listener's section over its files."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.clients = Authority(folder, "ca"), Authority(folder, "client-ca")
        self.server = self.authority.issue("server")
        self.section = FeedTlsSection(
            certificate=str(self.server.certificate), key=str(self.server.key), client_ca=str(self.clients.file)
        )

    def context(self, **changed: object) -> ssl.SSLContext:
        return tls.listener("feeds.a.tls", self.section.model_copy(update=changed), today()).context


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("tls"))


async def refused(there: Listening, context: ssl.SSLContext | None, reason: str) -> None:
    """The connection comes to nothing for this reason: no answer, no message looked at, nothing of it left open."""
    others, begun = there.server.connections, len(there.keeper.begun)
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        sender = await there.connect(tls=context)
        assert await sender.ask("1") is None  # TLS 1.3 tells the client only at its first read
    await there.until(lambda: there.server.refused[reason] == 1)
    await there.until(lambda: there.server.connections == others)
    assert there.server.refused.total() == 1
    assert len(there.keeper.begun) == begun


async def test_a_known_client_is_answered(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context())
    sender = await there.connect(tls=client_side(site.authority, site.clients.issue("client")))
    assert await sender.ask("1") == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    sender.write(frame(message("2")) + frame(message("3")))
    assert [await sender.answer(), await sender.answer()] == [
        b"MSH|^~\\&|LB\rMSA|AA|2\r",
        b"MSH|^~\\&|LB\rMSA|AA|3\r",
    ]


async def test_without_client_ca_no_certificate_is_asked_for(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context(client_ca=""))
    sender = await there.connect(tls=client_side(site.authority))
    assert await sender.ask("1") is not None


async def test_no_certificate(listen: Listen, site: Site) -> None:
    await refused(await listen(tls=site.context()), client_side(site.authority), "handshake_no_certificate")


async def test_a_certificate_of_another_authority(listen: Listen, site: Site) -> None:
    stranger = client_side(site.authority, site.authority.issue("stranger"))
    await refused(await listen(tls=site.context()), stranger, "handshake_unknown_authority")


async def test_an_authority_of_the_same_name_is_another_one(listen: Listen, site: Site, tmp_path: Path) -> None:
    forged = Authority(tmp_path, "client-ca").issue("client")
    there = await listen(tls=site.context())
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert await (await there.connect(tls=client_side(site.authority, forged))).ask("1") is None
    await there.until(lambda: there.server.refused.total() == 1)
    assert set(there.server.refused) <= {"handshake_unknown_authority", "handshake_bad_certificate"}
    assert there.keeper.begun == []


async def test_an_expired_certificate(listen: Listen, site: Site) -> None:
    old = client_side(site.authority, site.clients.issue("old", ends=timedelta(minutes=-1)))
    await refused(await listen(tls=site.context()), old, "handshake_certificate_expired")


async def test_a_revoked_certificate(listen: Listen, site: Site) -> None:
    taken_back, good = site.clients.issue("taken-back"), site.clients.issue("good")
    there = await listen(tls=site.context(crl=str(site.clients.revoke(taken_back))))
    await refused(there, client_side(site.authority, taken_back), "handshake_certificate_revoked")
    assert await (await there.connect(tls=client_side(site.authority, good))).ask("1") is not None


async def test_a_certificate_for_servers_only_is_no_clients(listen: Listen, site: Site) -> None:
    from cryptography import x509

    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    server_only = client_side(site.authority, site.clients.issue("server-only", more=(usage,)))
    await refused(await listen(tls=site.context()), server_only, "handshake_wrong_purpose")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_an_old_version(listen: Listen, site: Site, version: ssl.TLSVersion) -> None:
    old = client_side(site.authority, site.clients.issue("client"))
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = version
    await refused(await listen(tls=site.context()), old, "handshake_old_version")


@pytest.mark.parametrize(("least", "spoken"), [("1.2", True), ("1.3", False)])
async def test_1_2_is_spoken_unless_1_3_is_wanted(listen: Listen, site: Site, least: str, spoken: bool) -> None:
    there = await listen(tls=site.context(minimum_version=least))
    older = client_side(site.authority, site.clients.issue("client"))
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    if spoken:
        assert await (await there.connect(tls=older)).ask("1") is not None
    else:
        await refused(there, older, "handshake_old_version")


async def test_1_3_is_preferred(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context())
    sender = await there.connect(tls=client_side(site.authority, site.clients.issue("client")))
    assert sender.writer.get_extra_info("ssl_object").version() == "TLSv1.3"


NAMES = [
    ("ward7", ["DNS:lis.lab.example"], ["lis.lab.example"], True),
    ("ward7", ["DNS:LIS.lab.example"], ["lis.LAB.example"], True),
    ("ward7", ["URI:urn:oid:1.2.3"], ["urn:oid:1.2.3"], True),
    ("ward7", ["DNS:a.example", "DNS:b.example"], ["x.example", "b.example"], True),
    ("ward7", [], ["ward7"], True),
    ("ward7", ["IP:10.0.0.1"], ["ward7"], True),
    ("ward7", ["DNS:other.example"], ["lis.lab.example"], False),
    ("ward7", ["DNS:other.example"], ["ward7"], False),  # the common name counts only where nothing better is there
    ("ward7", ["URI:urn:oid:1.2.34"], ["urn:oid:1.2.3"], False),
    ("ward7", ["URI:urn:Oid:1.2.3"], ["urn:oid:1.2.3"], False),
    ("ward7", ["DNS:*.lab.example"], ["lis.lab.example"], False),
    ("ward7", [], ["ward"], False),
]


@pytest.mark.parametrize(("common", "sans", "allowed", "taken"), NAMES)
async def test_the_names_a_certificate_may_carry(
    listen: Listen, site: Site, common: str, sans: list[str], allowed: list[str], taken: bool
) -> None:
    there = await listen(tls=site.context(), client_names=tuple(allowed))
    pair = site.clients.issue(common, [one.removeprefix("DNS:") for one in sans])
    if taken:
        assert await (await there.connect(tls=client_side(site.authority, pair))).ask("1") is not None
    else:
        await refused(there, client_side(site.authority, pair), "wrong_client_name")


async def test_what_a_wrong_name_sent_with_its_handshake_is_not_looked_at(listen: Listen, site: Site) -> None:
    """The message is in the same packet as the end of the handshake."""
    there = await listen(tls=site.context(), client_names=("lis.lab.example",))
    host, port = there.server.address
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    shown = client_side(site.authority, site.clients.issue("other"))
    shaken = shown.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    reader, writer = await asyncio.open_connection(host, port)
    done = False
    while not done:
        try:
            shaken.do_handshake()
            shaken.write(frame(message("1")))
            done = True
        except ssl.SSLWantReadError:
            pass
        writer.write(outgoing.read())
        if not done:
            incoming.write(await reader.read(65536))
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass
    writer.close()
    await there.until(lambda: there.server.refused["wrong_client_name"] == 1)
    await there.until(lambda: there.server.connections == 0)
    assert there.keeper.begun == []


async def test_a_wrong_name_is_logged_by_the_print_of_its_certificate(listen: Listen, site: Site) -> None:
    out = io.StringIO()
    logs.configure(json=True, stream=out)
    there = await listen(tls=site.context(), client_names=("lis.lab.example",), name="myolis")
    pair = site.clients.issue("NOTALLOWED", ["notallowed.example"])
    await refused(there, client_side(site.authority, pair), "wrong_client_name")
    from cryptography.hazmat.primitives import hashes

    (line,) = [json.loads(one) for one in out.getvalue().splitlines() if "client_refused" in one]
    assert line["fingerprint"] == pair.read.fingerprint(hashes.SHA256()).hex()
    assert (line["feed"], line["reason"]) == ("myolis", "wrong_client_name")
    assert "notallowed" not in out.getvalue().lower()


async def test_a_storm_of_strangers_is_counted_and_logged_once(listen: Listen, site: Site) -> None:
    out = io.StringIO()
    logs.configure(json=True, stream=out)
    there = await listen(tls=site.context())
    for number in range(20):
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            sender = await there.connect(tls=client_side(site.authority))
            await sender.answer()
        await there.until(lambda wanted=number + 1: there.server.refused["handshake_no_certificate"] == wanted)
    assert len([one for one in out.getvalue().splitlines() if "handshake_failed" in one]) == 1


async def test_a_handshake_that_never_ends_is_cut(listen: Listen, site: Site) -> None:
    there = await listen(quick(handshake_s=0.1), tls=site.context())
    sender = await there.connect()
    async with asyncio.timeout(20):
        assert await sender.answer() is None
    await there.until(lambda: there.server.connections == 0)
    assert there.server.refused == {"handshake_timeout": 1}


async def test_half_a_handshake_is_cut(listen: Listen, site: Site) -> None:
    there = await listen(quick(handshake_s=0.1), tls=site.context())
    sender = await there.connect()
    sender.write(b"\x16\x03\x01\x02\x00\x01")
    async with asyncio.timeout(20):
        assert await sender.answer() is None
    await there.until(lambda: there.server.connections == 0)
    assert there.server.refused == {"handshake_timeout": 1}


async def test_plain_text_is_refused(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context())
    sender = await there.connect()
    sender.write(frame(message("1")))
    await there.until(lambda: there.server.refused["handshake_not_tls"] == 1)
    assert there.keeper.begun == []


async def test_an_unlisted_address_is_closed_before_a_byte_is_read(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context(), peers=("10.0.0.0/8",))
    await refused(there, client_side(site.authority, site.clients.issue("client")), "not_listed")


async def test_connections_drain(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context())
    sender = await there.connect(tls=client_side(site.authority, site.clients.issue("client")))
    assert await sender.ask("1") is not None
    await there.server.drain()
    assert await sender.answer() is None
    assert there.server.connections == 0


async def test_a_sender_that_never_reads_its_answers_is_closed(listen: Listen, site: Site) -> None:
    there = await listen(quick(write_stall_s=0.2, waiting_frames=4), tls=site.context())
    sender = await there.connect(tls=client_side(site.authority, site.clients.issue("client")))
    sender.writer.transport.pause_reading()  # type: ignore[attr-defined]

    async def pour() -> None:
        number = 0
        while True:
            number += 1
            sender.write(frame(message(f"{number}-{'x' * 4000}")))
            await sender.writer.drain()

    with contextlib.suppress(ConnectionError, ssl.SSLError):
        async with asyncio.timeout(20):
            await pour()
    await there.until(lambda: there.server.closed["write_stall"] == 1)


# ---------------------------------------------------------------- exchange


def serial(sender: Sender) -> int:
    return int(sender.writer.get_extra_info("peercert")["serialNumber"], 16)


async def test_new_connections_use_the_new_certificate_and_open_ones_stay(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context())
    mine = client_side(site.authority, site.clients.issue("client"))
    before = await there.connect(tls=mine)
    assert await before.ask("1") is not None
    renewed = site.authority.issue("renewed")
    there.server.tls = site.context(certificate=str(renewed.certificate), key=str(renewed.key))
    after = await there.connect(tls=mine)
    assert [await before.ask("2"), await after.ask("3")] != [None, None]
    assert (serial(before), serial(after)) == (site.server.read.serial_number, renewed.read.serial_number)


async def test_a_client_that_was_revoked_cannot_take_up_its_old_session(listen: Listen, site: Site) -> None:
    there = await listen(tls=site.context())
    pair = site.clients.issue("leaving")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client_side(site.authority, pair)
        context.maximum_version = version
        first = await there.connect(tls=context)
        assert await first.ask("1") is not None
        session = first.writer.get_extra_info("ssl_object").session
        assert session is None or not session.has_ticket
    there.server.tls = site.context(crl=str(site.clients.revoke(pair)))
    await refused(there, client_side(site.authority, pair), "handshake_certificate_revoked")


async def test_openssls_own_client_is_answered(listen: Listen, site: Site, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("openssl", "install the package openssl")
    there = await listen(tls=site.context())
    host, port = there.server.address
    pair = site.clients.issue("client")
    files = ("-CAfile", site.authority.file, "-cert", pair.certificate, "-key", pair.key)
    client = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-quiet", "-verify_return_error", "-connect", f"{host}:{port}", *map(str, files)),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(frame(message("1")))
    async with asyncio.timeout(20):
        assert await client.stdout.readuntil(b"\x1c\r") == frame(b"MSH|^~\\&|LB\rMSA|AA|1\r")
    client.kill()
    await client.communicate()


def test_the_listener_offers_nothing_below_1_2(site: Site) -> None:
    context = site.context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert {one["protocol"] for one in context.get_ciphers()} <= {"TLSv1.2", "TLSv1.3"}
    assert context.num_tickets == 0
