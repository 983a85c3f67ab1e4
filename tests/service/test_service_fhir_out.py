"""The whole service with a FHIR server as its receiver: results come over MLLP and over FHIR, their comments are written to
that server, corrected there, and survive a service that is killed while it waits for an answer."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from service_parts import SAMPLES, Service, free_port, sample, sender, until
from test_service_fhir import Ward, _answers
from test_service_story import waiting

from tests.delivery.fhir_server import FhirServer, serving

FEED = (
    '[feeds.ward]\nkind = "fhir"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\nsettle_s = 0\n'
    'authorities = { "https://laba.example/mrn" = "LABA" }\nlocal_systems = ["https://laba.example/codes"]\n'
)
SYSTEMS = '{ LABA = "https://laba.example/mrn", MYOLIS = "https://laba.example/filler" }'
TOKEN = "a-token-of-the-ehr"


@pytest.fixture(scope="module")
def server() -> Iterator[FhirServer]:
    with serving() as found:
        found.token = TOKEN
        yield found


@pytest.fixture(scope="module")
def ward(server: FhirServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """A service that answers over FHIR, and a sender of FHIR beside it."""
    folder, port = tmp_path_factory.mktemp("out"), free_port()
    token = folder / "token"
    token.write_text(f"{TOKEN}\n", encoding="ascii")
    token.chmod(0o600)
    service = Service(folder, FEED, web=f"127.0.0.1:{port}")
    mllp = f'address = "127.0.0.1:{service.lis}"\n'
    ehr = f'kind = "fhir"\naddress = "{server.base}"\nsystems = {SYSTEMS}\ntoken_file = "{token}"\ntimeout_s = 2.0\n'
    text = service.config.read_text(encoding="utf-8")
    assert mllp in text
    service.config.write_text(text.replace(mllp, ehr), encoding="utf-8")
    try:
        service.start(stub=False)
        until(lambda: _answers(port))
        yield Ward(service, port)
    finally:
        service.close()


def released(service: Service, *shown: str) -> list[str]:
    answer = service.json("release", *shown, "--as", "Alex Smith")
    assert answer["ok"], answer
    return [one["result"] for one in answer["done"]]


def comments(server: FhirServer, patient: str = "") -> list[dict[str, Any]]:
    found = server.of("Observation")
    return [one for one in found if patient in ("", one["subject"]["identifier"]["value"])]


def waits(service: Service, count: int) -> list[dict[str, Any]]:
    """The cases that wait for a person, once there are so many."""
    return list(until(lambda: found if len(found := waiting(service)) == count else None))


def test_results_of_both_wires_are_answered_corrected_and_there_once(ward: Ward, server: FhirServer) -> None:
    service, folder = ward.service, SAMPLES / "08-corrected-after-comment"
    with sender(service) as line:
        for name in ("1a-ck.hl7", "1b-serology.hl7"):
            answer = line.send(sample(f"02-srp-hep2-negative/{name}"))
            assert answer is not None
            assert answer.code == "AA"
    for name in ("1a-serology", "1b-ck"):
        assert ward.send("/fhir", (folder / f"{name}.json").read_bytes()).status in (200, 201)
    service.settled()
    cases = {one["outcome"]["patient"]["id"]: one for one in waits(service, 2)}
    released(service, *(one["shown"] for one in cases.values()))
    until(lambda: len(server.of("Provenance")) == 2)
    for patient, case in cases.items():
        (found,) = comments(server, patient)
        assert (found["valueString"], found["status"]) == (case["text"], "final")

    assert ward.send("/fhir", (folder / "2a-correction.json").read_bytes()).status in (200, 201)
    (reopened,) = waits(service, 1)
    patient = reopened["outcome"]["patient"]["id"]
    (before,) = comments(server, patient)
    server.fails("PUT Observation", "silent after")
    (key,) = released(service, reopened["shown"])
    until(lambda: not server.faults["PUT Observation"])
    service.stop(signal.SIGKILL)  # it waits for an answer that never comes
    service.start(stub=False)
    until(lambda: len(server.of("Provenance")) == 3)
    until(lambda: service.json("show", key)["state"] == "acknowledged")
    (after,) = comments(server, patient)
    assert (after["id"], after["status"], after["valueString"]) == (before["id"], "corrected", reopened["text"])
    assert len(comments(server)) == 2
    assert TOKEN not in service.log()
    assert TOKEN.encode() not in (service.folder / "store.db").read_bytes()
    assert service.log().count('"level": "error"') == 0
