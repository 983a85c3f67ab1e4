"""FHIR by real sockets into the whole service: every file of others is answered, and a scenario comes back as a comment."""

from __future__ import annotations

import csv
import http.client
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from service_parts import Service, free_port, until

from labbridge.fhir.structure import ALONE, BUNDLES

FEED = (
    '[feeds.ward]\nkind = "fhir"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\nsettle_s = 0\nreceiver = "lis"\n'
    'authorities = { "https://laba.example/mrn" = "LABA" }\nlocal_systems = ["https://laba.example/codes"]\n'
    '[feeds.world]\nkind = "fhir"\nreceiver = "lis"\n'
)
FHIR = {"Content-Type": "application/fhir+json"}
XML = {"Content-Type": "application/fhir+xml"}
WRITES = ("POST", "PUT")


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Ward:
    """A sender of FHIR beside a running service."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self.port = service, port
        self._tokens: dict[str, str] = {}

    def token(self, feed: str) -> str:
        if feed not in self._tokens:
            words = ("user", "token", feed, "--scope", "ingest", "--feed", feed, "--as", "Ada Martin")
            made = self.service.run(*words)
            assert made.returncode == 0, made.stderr
            self._tokens[feed] = made.stdout.strip()
        return self._tokens[feed]

    def send(self, to: str, raw: bytes, headers: dict[str, str] = FHIR, feed: str = "ward") -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as channel:
            channel.request("POST", to, raw, {"Authorization": f"Bearer {self.token(feed)}", **headers})
            found = channel.getresponse()
            body = found.read()
        return Answer(found.status, json.loads(body) if body else None, dict(found.getheaders()))


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    port = free_port()
    service = Service(tmp_path_factory.mktemp("fhir"), FEED, web=f"127.0.0.1:{port}")
    try:
        service.start()
        until(lambda: _answers(port))
        yield Ward(service, port)
    finally:
        service.close()


def _answers(port: int) -> bool:
    try:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as channel:
            channel.request("POST", "/fhir", b"")
            return channel.getresponse().status == 401
    except OSError:
        return False


def address(raw: bytes) -> str:
    """Where a sender would send a file."""
    try:
        kind = json.loads(raw.decode("utf-8-sig")).get("resourceType", "")
    except (ValueError, AttributeError):
        return "/fhir"
    return f"/fhir/{kind}" if kind in ALONE else "/fhir"


def taken_type(raw: bytes) -> bool:
    """Whether a file is of a type that is taken: alone, or a Bundle whose entries ask for nothing but POST and PUT."""
    body = json.loads(raw.decode("utf-8-sig"))
    if body.get("resourceType") != "Bundle":
        return body.get("resourceType") in ALONE
    asked = {entry["request"].get("method") for entry in body.get("entry", ()) if "request" in entry}
    return body.get("type") in BUNDLES and asked <= set(WRITES)


def test_every_file_of_others_is_taken_or_told_why_not(ward: Ward, corpus: Path) -> None:
    with (corpus / "ORACLE_fhir.csv").open(encoding="utf-8", newline="") as file:
        oracle = {row["file"]: row for row in csv.DictReader(file)}
    seen: Counter[int] = Counter()
    files = sorted(path for path in (corpus / "fhir").rglob("*") if path.is_file())
    for path in files:
        raw, name = path.read_bytes(), str(path.relative_to(corpus))
        xml = path.suffix == ".xml"
        found = ward.send("/fhir" if xml else address(raw), raw, XML if xml else FHIR, "world")
        seen[found.status] += 1
        assert found.status < 500, name
        if xml:
            assert found.status == 415, name
        elif found.status >= 400:
            (first, *_more) = found.body["issue"]
            assert found.body["resourceType"] == "OperationOutcome", name
            assert first.get("expression") or found.status == 400, name
        row = oracle.get(name, {})
        if {row.get(one) for one in ("medplum", "npm_fhir", "fhir_resources_R4B")} == {"VALID"} and taken_type(raw):
            assert found.status in (200, 201), name
    assert len(files) > 150
    counts = ward.service.settled()
    assert (
        sum(seen[status] for status in seen if status != 415)
        == counts["stored"] + counts["quarantined"] + counts["duplicate"]
    )
    assert ward.service.log().count('"level": "error"') == 0


def test_nobody_without_a_token_makes_the_service_read_or_keep_anything(ward: Ward) -> None:
    before = ward.service.counts()["received"]
    with closing(http.client.HTTPConnection("127.0.0.1", ward.port, timeout=30)) as channel:
        channel.putrequest("POST", "/fhir")
        channel.putheader("Content-Type", "application/fhir+json")
        channel.putheader("Content-Length", str(10_000_000))
        channel.endheaders(b"{")  # nothing else is sent: the answer must not wait for it
        assert channel.getresponse().status == 401
    assert ward.service.counts()["received"] == before
