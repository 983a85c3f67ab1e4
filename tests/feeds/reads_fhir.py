"""Reading by FHIR, in tests: a program with its token, results in the store by both wires, and what holds of all that is
answered."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx2
from feeds_fhir import HL7, SITE, Site
from fhir.resources.R4B import get_fhir_model_class

from labbridge.hl7 import structure
from labbridge.model.work import Arrival, AuditEvent
from labbridge.store.journal import keep_all

EVERYTHING = "system/*.rs"
MRN = "https://laba.example/mrn"
RESULT = "https://laba.example/result"


def fits(body: dict[str, Any]) -> None:
    """Held against the models of fhir.resources (R4B), each resource of a Bundle by its own."""
    get_fhir_model_class(body["resourceType"]).model_validate(body)
    for entry in body.get("entry", ()):
        if "resource" in entry:
            fits(entry["resource"])


class Program:
    """A program that reads."""

    def __init__(self, site: Site, scope: str = EVERYTHING, feed: str = "ward", name: str = "reader") -> None:
        self.site, self.token = site, site.make_token(scope, feed=feed, name=name)

    async def ask(self, method: str, to: str, content: bytes = b"", **headers: str) -> httpx2.Response:
        sent = {"Authorization": f"Bearer {self.token}", "Accept": "application/fhir+json", **headers}
        transport = httpx2.ASGITransport(app=self.site.app)
        async with httpx2.AsyncClient(transport=transport, base_url=SITE) as client:
            found = await client.request(method, to, content=content, headers=sent)
        body = json.loads(found.content, parse_float=Decimal)
        if body.get("resourceType"):
            fits(body)
        if found.status_code >= 400:
            assert body["resourceType"] == "OperationOutcome", to
        return found

    async def get(self, to: str, **headers: str) -> Any:
        """The body of an answer that is 200."""
        found = await self.ask("GET", to, **headers)
        assert found.status_code == 200, found.text
        return json.loads(found.content, parse_float=Decimal)

    async def refused(self, to: str, method: str = "GET") -> tuple[int, str]:
        found = await self.ask(method, to)
        return found.status_code, found.json()["issue"][0]["diagnostics"]

    async def found(self, query: str) -> list[str]:
        """The ids of one page."""
        return ids(await self.get(f"/fhir/{query}"))

    async def pages(self, query: str) -> list[list[str]]:
        """The ids of all pages, each by the link of the one before."""
        found, to = [], f"/fhir/{query}"
        while to:
            page = await self.get(to)
            found.append(ids(page))
            to = link(page, "next")
        return found


def ids(page: dict[str, Any]) -> list[str]:
    return [one["resource"]["id"] for one in page.get("entry", ()) if one["search"]["mode"] == "match"]


def link(page: dict[str, Any], relation: str) -> str:
    return next((one["url"] for one in page["link"] if one["relation"] == relation), "")


def hl7(site: Site, text: str, *, reason: str = "drafted") -> int:
    """Keep a message of HL7 v2 as one that was processed; its key."""
    raw = text.replace("\n", "\r").encode()
    envelope = structure.read_structure(raw, HL7)
    arrival = Arrival(
        raw=raw,
        feed=HL7.name,
        peer="127.0.0.1",
        sender=envelope.sender,
        control_id=envelope.control_id,
        message_type=envelope.message_type,
        digest=envelope.digest,
        length=len(raw),
        lanes=envelope.lanes,
        received=site.clock.now(),
    )
    event = AuditEvent(at=site.clock.now(), actor=HL7.name, action="received", subject="")
    (receipt,) = site.writer.submit(lambda connection: keep_all(connection, [(arrival, event)])).result()
    done = "UPDATE work SET state = 'done', reason = ?, crc = NULL WHERE message = ?"
    site.writer.submit(lambda connection: connection.execute(done, (reason, receipt.key))).result()
    key: int = receipt.key
    return key


def message(*lines: str, order: str = "FL9", control: str = "S1", patient: str = "PT1", placer: str = "PL9") -> str:
    """An ORU with one order; `lines` are its OBX without their numbers."""
    head = [
        f"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261112160000+0100||ORU^R01^ORU_R01|{control}|P|2.5.1",
        f"PID|1||{patient}^^^LABA^MR||TEST^SYNTHETIC^^^^^L||19690417|M",
        f"ORC|RE|{placer}^MYOCLIN|{order}^MYOLIS",
        f"OBR|1|{placer}^MYOCLIN|{order}^MYOLIS|MYO^Myositis antibodies^L|||20261109083000+0100|||||||20261109083000+0100"
        "||||||||20261112160000+0100||LAB|F",
    ]
    return "\n".join((*head, *(f"OBX|{number}|{line}" for number, line in enumerate(lines, 1)), ""))
