"""A running service with feeds of both wires, and programs that read it by FHIR; every answer is held against R4B, and kept
for validators of others."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from fhir.resources.R4B import get_fhir_model_class

from tests.service.service_parts import SAMPLES, Service, free_port, sample, sender, until

FEEDS = (
    '[feeds.ward]\nkind = "fhir"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\nsettle_s = 0\nreceiver = "lis"\n'
    'authorities = { "https://laba.example/mrn" = "LABA" }\nlocal_systems = ["https://laba.example/codes"]\n'
)
FHIR = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


def fits(body: dict[str, Any]) -> None:
    """Held against the models of fhir.resources (R4B), each resource of a Bundle by its own."""
    get_fhir_model_class(body["resourceType"]).model_validate(body)
    for entry in body.get("entry", ()):
        if "resource" in entry:
            fits(entry["resource"])


class Site:
    """A service, and tokens by what they allow. `answers`: every body that came back."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.service = Service(folder, FEEDS, web=f"127.0.0.1:{self.port}")
        self.answers: list[bytes] = []
        self._tokens: dict[tuple[str, str], str] = {}

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/fhir"

    def start(self) -> None:
        self.service.start()
        until(self._there)

    def _there(self) -> bool:
        try:
            return self.ask("GET", "/fhir/metadata", token="none").status == 200
        except OSError:
            return False

    def token(self, scope: str = "system/*.cruds", feed: str = "*") -> str:
        if (scope, feed) not in self._tokens:
            name = f"program{len(self._tokens)}"
            made = self.service.run("user", "token", name, "--scope", scope, "--feed", feed, "--as", "Ada Martin")
            assert made.returncode == 0, made.stderr
            self._tokens[scope, feed] = made.stdout.strip()
        return self._tokens[scope, feed]

    def ask(self, method: str, to: str, raw: bytes = b"", *, token: str = "", kind: str = FHIR) -> Answer:
        headers = {"Authorization": f"Bearer {token or self.token()}", "Accept": FHIR}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)) as channel:
            channel.request(method, to, raw or None, {**headers, "Content-Type": kind} if raw else headers)
            found = channel.getresponse()
            content = found.read()
        body = json.loads(content, parse_float=Decimal)
        if body.get("resourceType"):
            fits(body)
            self.answers.append(content)
        return Answer(found.status, body, dict(found.getheaders()))

    def get(self, to: str) -> Any:
        found = self.ask("GET", f"/fhir/{to}")
        assert found.status == 200, found.body
        return found.body

    def found(self, query: str) -> list[dict[str, Any]]:
        """The resources of the first page."""
        entries = self.get(query).get("entry", ())
        return [one["resource"] for one in entries if one["search"]["mode"] == "match"]

    def send_hl7(self, names: Sequence[str]) -> None:
        with sender(self.service) as channel:
            for name in names:
                answer = channel.send(sample(name))
                assert answer is not None
                assert answer.code == "AA"
        self.service.settled()


def body_of(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()
