"""A third-party FHIR server as our receiver, behind a proxy that loses answers: one logical resource of each, whatever
happens. It answers a creation without a body and with a relative Location by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from fault_http import FaultProxy, proxied
from interop_parts import environment

from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver
from labbridge.delivery.http import HttpSettings
from labbridge.errors import Retry
from tests.fhir.fhir_letters import FORM, SIGNED, comment, order
from tests.service.service_parts import free_port, until

SCRIPT = Path(__file__).resolve().parent / "serve_asymmetrik_fhir.cjs"
BASE = "/4_0_0"
CORRECTED = msgspec.structs.replace(SIGNED, control_id="LB-0002")
REPORT = msgspec.structs.replace(FORM, mode="report")


class Peer(NamedTuple):
    port: int
    dump: int

    def kept(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.dump}/", timeout=5) as answer:
            return list(json.load(answer))

    def of(self, number: str) -> Counter[str]:
        """How many resources of each type bear our numbers that begin with this."""
        return Counter(
            one["resource"]["resourceType"] for one in self.kept() if _number(one["resource"]).startswith(number)
        )


def _number(resource: dict[str, Any]) -> str:
    found = resource.get("identifier") or [{"value": resource["meta"]["tag"][0]["code"]}]
    return str(found[0]["value"])


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    found = Peer(free_port(), free_port())
    command = ("node", str(SCRIPT), str(found.port), str(found.dump))
    with subprocess.Popen(
        command, env=environment(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            until(lambda: _listens(found))
            yield found
        finally:
            server.kill()


def _listens(peer: Peer) -> bool:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{peer.port}{BASE}/Observation?identifier=a%7Cb", timeout=2) as one,
    ):
        return bool(one.status == 200 and peer.kept() is not None)
    return False


@pytest.fixture
def proxy(peer: Peer) -> Iterator[FaultProxy]:
    with proxied(peer.port, BASE) as found:
        yield found


async def delivered(proxy: FaultProxy, raw: bytes, control_id: str) -> int:
    """As the outbox does it: the same bytes until they are taken. How many attempts it took."""
    to = FhirReceiver("ehr", Destination(proxy.base), HttpSettings(timeout_s=1.0))
    for attempt in range(1, 20):
        try:
            assert (await to.send(raw, control_id)).takes(control_id)
        except Retry:
            await asyncio.sleep(0.05)
        else:
            return attempt
    raise AssertionError("it was never delivered")


FAULTS = ("lost", "late", "bare", "409", "412", "500", "503")


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_logical_resource_of_each_through_faults(peer: Peer, proxy: FaultProxy, fault: str) -> None:
    key, about = f"LB{FAULTS.index(fault)}00", {"key": f"LB{FAULTS.index(fault)}00"}
    signed = msgspec.structs.replace(SIGNED, control_id=f"{key}-1")
    writes = ("POST Observation", "POST DetectedIssue", "POST Task", "POST Provenance", "GET Observation")
    proxy.faults = {what: [fault] for what in writes} | {"POST Observation": [fault, "", fault]}
    if fault in ("409", "412"):
        proxy.faults.pop("GET Observation")
    await delivered(proxy, comment(signed=signed, **about), signed.control_id)
    assert peer.of(key) == Counter(("Observation", "DetectedIssue", "Task", "Provenance"))
    assert not any(proxy.faults[what] for what in writes[1:4])
    proxy.faults = {"PUT Observation": [fault], "PUT Task": [fault], "POST Provenance": [fault]}
    corrected = msgspec.structs.replace(SIGNED, control_id=f"{key}-2")
    raw = comment("Corrected.", correction=True, flags=(), retests=(), signed=corrected, **about)
    await delivered(proxy, raw, corrected.control_id)
    assert peer.of(key) == Counter(("Observation", "DetectedIssue", "Task", "Provenance", "Provenance"))
    (written,) = (one for one in peer.kept() if _number(one["resource"]) == key and "valueString" in one["resource"])
    assert (written["resource"]["valueString"], written["resource"]["status"]) == ("Corrected.", "corrected")


@pytest.mark.parametrize("fault", ["lost", "late", "bare", "409", "412"])
async def test_an_order_and_a_report_are_one_each_too(peer: Peer, proxy: FaultProxy, fault: str) -> None:
    number = f"LBO-{fault}"
    proxy.faults = {"POST ServiceRequest": [fault], "POST DiagnosticReport": [fault]}
    await delivered(proxy, order(number=number), "LB-0001")
    assert peer.of(number) == Counter(("ServiceRequest",))
    await delivered(proxy, comment(form=REPORT, key=f"REP-{fault}"), "LB-0001")
    assert peer.of(f"REP-{fault}")["DiagnosticReport"] == 1
