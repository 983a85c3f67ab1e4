"""Delivery to a FHIR server over TLS: by address, and yet verified under its name."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from fhir_server import FhirServer, serving
from tls_files import Authority, server_side, today

from labbridge import tls
from labbridge.config import ReceiverTlsSection
from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver
from labbridge.delivery.http import HttpSettings
from labbridge.errors import Retry
from tests.fhir.fhir_letters import comment

NAME = "fhir.hospital.example"


async def here(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[FhirServer]:
    with serving(tls=server_side(authority.issue(NAME, (NAME,)))) as found:
        yield found


def to(server: FhirServer, context: ssl.SSLContext | None, name: str = NAME, server_name: str = "") -> FhirReceiver:
    destination = Destination(f"https://{name}:{server.port}/r4", ("127.0.0.0/8",), here)
    found = FhirReceiver("ehr", destination, HttpSettings(timeout_s=2.0, server_name=server_name))
    found.tls = context
    return found


def ours(authority: Authority) -> ssl.SSLContext:
    return tls.client("receivers.ehr.tls", ReceiverTlsSection(ca=str(authority.file)), today()).context


async def test_a_server_of_the_named_authority_is_written_to_under_its_name(
    server: FhirServer, authority: Authority
) -> None:
    assert (await to(server, ours(authority)).send(comment(), "LB-0001")).takes("LB-0001")
    assert {one.headers["host"] for one in server.asked} == {f"{NAME}:{server.port}"}


async def test_a_server_under_another_name_is_not(server: FhirServer, authority: Authority) -> None:
    with pytest.raises(Retry, match="for another name"):
        await to(server, ours(authority), "other.hospital.example").send(comment(), "LB-0001")
    assert server.asked == []
    named = to(server, ours(authority), "other.hospital.example", server_name=NAME)
    assert (await named.send(comment(), "LB-0001")).takes("LB-0001")


async def test_a_server_of_an_unknown_authority_is_not(server: FhirServer, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "stranger")
    for context in (ours(stranger), None):  # None: the authorities of the system
        with pytest.raises(Retry, match="not signed by a known authority"):
            await to(server, context).send(comment(), "LB-0001")
    assert server.asked == []
