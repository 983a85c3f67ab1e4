"""The FHIR endpoint as the service has it: its guard of tokens, its readers in processes, its pipe to the one writer; only
the socket is left out."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import Pipe
from typing import Any

import httpx2
import msgspec

from labbridge.accounts import Accounts
from labbridge.feeds.fhir_http import FhirEndpoint, Parts
from labbridge.feeds.fhir_intake import RemoteIntake, serve_intake
from labbridge.feeds.fhir_readers import FhirReaders
from labbridge.feeds.fhir_reads import Reading
from labbridge.fhir.findings import Words
from labbridge.model.people import Scope
from labbridge.model.values import Coding
from labbridge.model.work import Feed
from labbridge.programs import Programs
from labbridge.store import opening
from labbridge.store.connection import Connection
from labbridge.store.journal import keep_all
from labbridge.store.people import StorePeople
from labbridge.store.resources import StoreResources
from labbridge.store.units import LocalUnits
from labbridge.store.writer import Writer
from labbridge.web.parts import Pool
from labbridge.web.visits import digest

FEED = Feed(
    name="ward",
    kind="fhir",
    sender="MYOLIS|LABA",
    timezone="Europe/Paris",
    authorities={"https://laba.example/mrn": "LABA"},
    local_systems=("https://laba.example/codes",),
)
OTHER = Feed(name="clinic", kind="fhir", sender="CLINIC|LABB", timezone="Europe/Paris")
HL7 = Feed(name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris")
FHIR = "application/fhir+json"
SITE = "http://labbridge.example"
READERS = FhirReaders({FEED.name: FEED, OTHER.name: OTHER}, 1)
"""One process for all tests of a worker: its models take seconds to load."""


WORDS = Words((Coding("8251-1", "Service comment", "LN"),), {}, "urn:uuid:0f0b4d0e-0000-5000-8000-000000000001")


def no_interpretation(_raw: bytes, _feed: Feed, _now: datetime) -> bytes:
    raise AssertionError("nothing is interpreted here")


class SetClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


class Site:
    """The endpoint on a store. `behind` counts what was left to the pages; `others` are feeds of another wire."""

    def __init__(self, url: str, others: tuple[Feed, ...] = ()) -> None:
        READERS._room = asyncio.Semaphore(1)  # each test has a loop of its own
        self._held = opening.held(url)
        self.writer = Writer(self._held.__enter__().writer())
        self.rows: Connection = opening.reader(url)
        self._url, self.clock, self.behind = url, SetClock(), 0
        self._others = {one.name: one for one in others}
        self._accounts = opening.reader(url)
        self.people = StorePeople(self._accounts, LocalUnits(self.writer))
        ours, theirs = Pipe()
        self.remote = theirs
        serve_intake(ours, lambda wanted: self.writer.submit(lambda connection: keep_all(connection, wanted)).result())
        feeds = {FEED.name: FEED, OTHER.name: OTHER}
        programs = Programs(Pool(lambda: self.people, 1), {**feeds, **self._others}, self.clock)
        self.parts = Parts(
            feeds,
            programs.admitted,
            READERS,
            RemoteIntake(theirs),
            self.clock,
            self._reading({**feeds, **self._others}),
        )
        self.app = FhirEndpoint(self.parts, self._behind)
        self.token = self.make_token()

    def _reading(self, feeds: dict[str, Feed]) -> Reading:
        self._readers: list[Connection] = []
        return Reading(
            feeds=feeds,
            held=Pool(self._resources, 1),
            noted=lambda events: self.people.noted(*events),
            words=WORDS,
            interpret=no_interpretation,
            clock=self.clock,
            software="0.0.0",
        )

    def _resources(self) -> StoreResources:
        self._readers.append(opening.reader(self._url))
        return StoreResources(self._readers[-1])

    async def _behind(self, scope: Any, receive: Any, send: Any) -> None:
        self.behind += 1
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def make_token(self, scope: str = Scope.INGEST, feed: str = FEED.name, days: int = 30, name: str = "lis") -> str:
        """A token, by the command line's act."""
        secret = f"lb_{secrets.token_urlsafe(32)}"
        request = {"act": "token", "scope": scope, "days": days, "feed": feed, "digest": digest(secret).hex()}
        Accounts(self.people, self.clock, feeds=(FEED.name, OTHER.name), others=tuple(self._others)).perform(
            name, "Ada Martin", request
        )
        return secret

    def with_parts(self, **changes: Any) -> None:
        self.app = FhirEndpoint(self.parts._replace(**changes), self._behind)

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": FHIR, **headers}
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url=SITE, headers=sent) as found:
            yield found

    async def post(self, body: Any, to: str = "/fhir", method: str = "POST", **headers: str) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client(**headers) as client:
            return await client.request(method, to, content=content)

    def kept(self) -> list[tuple[Any, ...]]:
        """State, kind and raw bytes of each message."""
        return list(self.rows.execute("SELECT state, message_type, raw FROM journal ORDER BY id").fetchall())

    def one(self, sql: str) -> Any:
        return self.rows.execute(sql).fetchone()[0]

    def close(self) -> None:
        self.remote.close()
        self.writer.close()
        self.rows.close()
        for one in self._readers:
            one.close()
        self._accounts.close()
        self._held.__exit__(None, None, None)


# ---------------------------------------------------------------- bodies

PATIENT = "urn:uuid:6f0c0b1e-0000-4000-8000-000000000001"


def patient(number: str = "PT1") -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "https://laba.example/mrn", "value": number}],
        "name": [{"family": "TEST", "given": ["SYNTHETIC"]}],
        "gender": "male",
        "birthDate": "1969-04-17",
    }


def observation(number: str = "F1", value: str = "58", code: str = "SRPB", **more: Any) -> dict[str, Any]:
    """A line blot's result; `value` as it is to be written."""
    return {
        "resourceType": "Observation",
        "identifier": [{"system": "https://laba.example/result", "value": number}],
        "status": "final",
        "code": {"coding": [{"system": "https://laba.example/codes", "code": code, "display": "Anti-SRP (line blot)"}]},
        "subject": {"reference": PATIENT},
        "effectiveDateTime": "2026-11-10T09:15:00+01:00",
        "issued": "2026-11-13T12:00:00+01:00",
        "valueQuantity": {"value": float(value), "unit": "intensity"},
        **more,
    }


def entry(resource: dict[str, Any], method: str = "POST", url: str = "", **more: str) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": method, "url": url or resource["resourceType"], **more}}


def bundle(*entries: dict[str, Any], kind: str = "transaction", **more: Any) -> dict[str, Any]:
    who = entry(patient(), ifNoneExist="identifier=https://laba.example/mrn|PT1") | {"fullUrl": PATIENT}
    return {"resourceType": "Bundle", "type": kind, "entry": [who, *entries], **more}


def plain(found: httpx2.Response) -> Any:
    return msgspec.json.decode(found.content)


def issue(found: httpx2.Response) -> dict[str, Any]:
    """The first issue of an OperationOutcome."""
    assert found.headers["content-type"].startswith(FHIR)
    told = plain(found)
    assert told["resourceType"] == "OperationOutcome"
    first: dict[str, Any] = told["issue"][0]
    return first


async def together(site: Site, bodies: list[bytes], to: str) -> list[httpx2.Response]:
    """All of them at once."""
    async with site.client() as client:
        return list(await asyncio.gather(*(client.post(to, content=one) for one in bodies)))
