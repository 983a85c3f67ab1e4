"""Third-party senders to our listener: python-hl7's blocking and asyncio clients; and TLS with client certificates."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import hl7
import msgspec
import pytest
from feeds_listening import QUICK, Listen, message
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection

from labbridge.hl7.mllp import frame


async def test_python_hl7_blocking_client(listen: Listen) -> None:
    there = await listen()
    host, port = there.server.address

    def talk() -> list[str]:
        with MLLPClient(host, port) as client:
            answers = [client.send_message(message(str(number))) for number in range(3)]
        return [str(hl7.parse(answer.strip(b"\x0b\x1c\r").decode()).segment("MSA")) for answer in answers]

    assert await asyncio.to_thread(talk) == ["MSA|AA|0", "MSA|AA|1", "MSA|AA|2"]


async def test_python_hl7_asyncio_client(listen: Listen) -> None:
    there = await listen()
    host, port = there.server.address
    reader, writer = await open_hl7_connection(host, port, encoding="utf-8")
    for number in range(3):
        writer.writemessage(hl7.parse(message(str(number)).decode()))
        await writer.drain()
        answer = await reader.readmessage()
        assert [str(answer.segment("MSA")[field]) for field in (1, 2)] == ["AA", str(number)]
    writer.close()
    await writer.wait_closed()


async def test_mllp_send_of_python_hl7(listen: Listen, tmp_path: Path) -> None:
    there = await listen()
    host, port = there.server.address
    file = tmp_path / "one.hl7"
    file.write_bytes(message("1"))
    sender = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from hl7.client import mllp_send; sys.exit(mllp_send())"),
        *("--loose", "-f", str(file), "-p", str(port), host),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await sender.communicate()
    assert b"MSA|AA|1" in printed
    assert [raw.rstrip() for raw in there.keeper.kept] == [message("1").rstrip()]


# ---------------------------------------------------------------- TLS


NEW_KEY = ("-newkey", "rsa:2048", "-nodes")


def _openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small authority, a server and a client certificate, and a stranger's."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is missing: install the package openssl")
    folder = tmp_path_factory.mktemp("tls")
    for authority in ("ca", "stranger-ca"):
        made = ("-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        extension = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        _openssl("req", "-x509", *NEW_KEY, "-subj", f"/CN={authority}", "-days", "2", *extension, *made, cwd=folder)
    for name, authority in (("server", "ca"), ("client", "ca"), ("stranger", "stranger-ca")):
        made = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        extension = ("-addext", "subjectAltName=IP:127.0.0.1")
        _openssl("req", *NEW_KEY, "-subj", f"/CN={name}", *extension, *made, cwd=folder)
        signer = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key", "-copy_extensions", "copy")
        _openssl("x509", "-req", "-in", f"{name}.csr", *signer, "-days", "2", "-out", f"{name}.pem", cwd=folder)
    return folder


def _server_context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _client_context(folder: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if name:
        context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


async def test_tls_with_a_known_client(listen: Listen, certificates: Path) -> None:
    there = await listen(tls=_server_context(certificates))
    sender = await there.connect(tls=_client_context(certificates, "client"))
    assert await sender.ask("1") == b"MSH|^~\\&|LB\rMSA|AA|1\r"
    sender.write(frame(message("2")) + frame(message("3")))
    assert [await sender.answer(), await sender.answer()] == [
        b"MSH|^~\\&|LB\rMSA|AA|2\r",
        b"MSH|^~\\&|LB\rMSA|AA|3\r",
    ]


@pytest.mark.parametrize("name", ["", "stranger"])
async def test_tls_without_a_known_client_is_refused(listen: Listen, certificates: Path, name: str) -> None:
    there = await listen(tls=_server_context(certificates))
    try:
        sender = await there.connect(tls=_client_context(certificates, name))
        assert await sender.ask("1") is None  # TLS 1.3 tells the client only at its first read
    except (ssl.SSLError, ConnectionError):
        pass
    await there.until(lambda: there.server.refused["handshake"] == 1)
    await there.until(lambda: there.server.connections == 0)
    assert there.keeper.begun == []


async def test_a_handshake_that_never_ends_is_cut(listen: Listen, certificates: Path) -> None:
    limits = msgspec.structs.replace(QUICK, handshake_s=0.1)
    there = await listen(limits, tls=_server_context(certificates))
    sender = await there.connect()
    async with asyncio.timeout(20):
        assert await sender.answer() is None
    await there.until(lambda: there.server.connections == 0)
    assert there.server.refused["handshake"] == 1


async def test_plain_text_on_a_tls_listener_is_refused(listen: Listen, certificates: Path) -> None:
    there = await listen(tls=_server_context(certificates))
    sender = await there.connect()
    sender.write(frame(message("1")))
    await there.until(lambda: there.server.refused["handshake"] == 1)
    assert there.keeper.begun == []


async def test_tls_connections_drain(listen: Listen, certificates: Path) -> None:
    there = await listen(tls=_server_context(certificates))
    sender = await there.connect(tls=_client_context(certificates, "client"))
    assert await sender.ask("1") is not None
    await there.server.drain()
    assert await sender.answer() is None
    assert there.server.connections == 0
