"""GET below /fhir, and searches: what a program may see is read, written down in the audit, and then shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from labbridge.feeds import fhir_cursor
from labbridge.fhir import audits, capability, scopes, searching
from labbridge.fhir.faults import outcome_of, unfit
from labbridge.fhir.findings import Words
from labbridge.fhir.routes import CURSOR, Route
from labbridge.model.people import Admitted
from labbridge.model.served import Resources
from labbridge.model.work import AuditEvent, Feed
from labbridge.ports import Clock
from labbridge.receiving_fhir import Answer
from labbridge.serving_fhir import Page, Position, Serving

FORM = "application/x-www-form-urlencoded"
JSON = ("application/fhir+json", "application/json", "text/json", "application/*", "*/*")
OPEN = ("capabilities", "openapi")

_encode = msgspec.json.Encoder(decimal_format="number").encode


class Reading(NamedTuple):
    """What reading needs. `feeds`: how the messages of all feeds are read; `held`: a connection to the store; `noted`:
    writes lines of the audit (StoreUnavailable where it cannot); `interpret`: what is found in a body; `token_url`: where
    programs get tokens, where they do."""

    feeds: Mapping[str, Feed]
    held: Callable[[], AbstractContextManager[Resources]]
    noted: Callable[[Sequence[AuditEvent]], None]
    words: Words
    interpret: Callable[[bytes, Feed, datetime], bytes]
    clock: Clock
    software: str
    token_url: str = ""


class Reads:
    """Answers the routes that read."""

    def __init__(self, parts: Reading) -> None:
        self._parts = parts

    def opened(self, route: Route, request: Request, base: str) -> Answer:
        """What everybody may ask for."""
        _check_accepts(request)
        if route.does == "capabilities":
            searching.check_alone(route, searching.pairs(request.url.query))
            statement = capability.statement(base, self._parts.software, self._parts.token_url)
            return Answer(200, _encode(statement))
        return Answer(
            200, _encode(capability.openapi(base, self._parts.software)), {"Content-Type": "application/json"}
        )

    async def answer(self, route: Route, id: str, request: Request, who: Admitted, base: str) -> Answer:
        """Unfit where there is nothing for this program."""
        if not scopes.may(who.scopes, route.type, route.letter):
            raise unfit("forbidden", f"This token has no scope system/{route.type}.{route.letter}")
        _check_accepts(request)
        if route.does == "read":
            searching.check_alone(route, searching.pairs(request.url.query))
            return await run_in_threadpool(self._read, route.type, id, who)
        sent = searching.pairs(request.url.query)
        if request.method == "POST":
            sent += searching.pairs(await _form(request))
        return await run_in_threadpool(self._search, route, sent, request, who, base)

    async def interpreted(self, raw: bytes, feed: Feed) -> Answer:
        """$interpret, of which nothing is kept."""
        body = await run_in_threadpool(self._parts.interpret, raw, feed, self._parts.clock.now())
        return Answer(200, body)

    # ---- in a thread

    def _read(self, kind: str, id: str, who: Admitted) -> Answer:
        with self._parts.held() as held:
            found = self._serving(held, who).read(kind, id)
        subject = found.get("subject", found.get("patient", {})).get("reference", "")
        subject = f"Patient/{id}" if kind == "Patient" else subject
        whose = [subject] if subject.startswith("Patient/P") else []
        self._note(who, audits.READ, whose, f"{kind}/{id}")
        meta = found.get("meta", {})
        return Answer(200, _encode(found), {"ETag": f'W/"{meta["versionId"]}"'} if "versionId" in meta else {})

    def _search(self, route: Route, sent: list[tuple[str, str]], request: Request, who: Admitted, base: str) -> Answer:
        authorization = request.headers.get("authorization", "")
        asked, position = _from(route, sent, authorization)
        query = searching.understood(route, asked, base)
        with self._parts.held() as held:
            page = self._serving(held, who).search(query, position)
        names = ",".join(sorted({name for name, _value in asked}))
        self._note(who, audits.SEARCHED, sorted(page.patients), f"{route.type}?{names}: {len(page.resources)}")
        links = [("self", _self_link(route, asked, position, request, base))]
        if page.next is not None:
            cursor = fhir_cursor.written(authorization, route.type, asked, page.next)
            links.append(("next", f"{base}/{route.type}?{CURSOR}={cursor}"))
        whole = position is None and page.next is None
        return Answer(200, _encode(_bundle(page, links, base, self._parts.clock.now(), whole=whole)))

    def _serving(self, held: Resources, who: Admitted) -> Serving:
        return Serving(held, self._parts.feeds, who.feeds, self._parts.words)

    def _note(self, who: Admitted, action: str, patients: Sequence[str], detail: str) -> None:
        """Whoever sees a patient is written down, before it is shown: a line for each, or one for none."""
        now = self._parts.clock.now()
        self._parts.noted(
            [
                AuditEvent(at=now, actor=who.name, action=action, subject=one, detail=detail)
                for one in patients or [detail.partition("?")[0].partition(":")[0]]
            ]
        )


def _from(
    route: Route, sent: list[tuple[str, str]], authorization: str
) -> tuple[list[tuple[str, str]], Position | None]:
    """The search of a request, and where it goes on: a cursor holds both."""
    cursors = [value for name, value in sent if name == CURSOR]
    if not cursors:
        return sent, None
    if len(sent) > 1:
        raise searching.unfit("invalid", "cursor stands alone: it holds the search of its first page", CURSOR)
    marked = fhir_cursor.read(authorization, route.type, cursors[0])
    return marked.pairs, marked.position


def _self_link(
    route: Route, asked: Sequence[tuple[str, str]], position: Position | None, request: Request, base: str
) -> str:
    """The search as it was understood. One that was sent as a form keeps out of addresses, and so does a later page."""
    if request.method == "POST" or position is not None:
        return (
            f"{base}/{route.type}/_search" if request.method == "POST" else f"{base}/{route.type}?{request.url.query}"
        )
    query = "&".join(f"{quote(name)}={quote(value, safe='|,/:-.')}" for name, value in asked)
    return f"{base}/{route.type}" + (f"?{query}" if query else "")


def _bundle(page: Page, links: Sequence[tuple[str, str]], base: str, now: datetime, *, whole: bool) -> dict[str, Any]:
    entries: list[dict[str, Any]] = [
        {"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one, "search": {"mode": "match"}}
        for one in page.resources
    ]
    if page.told:
        entries.append({"resource": outcome_of(page.told), "search": {"mode": "outcome"}})
    found: dict[str, Any] = {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": now.isoformat(timespec="milliseconds")},
        "type": "searchset",
        "link": [{"relation": relation, "url": url} for relation, url in links],
    }
    if whole:
        found["total"] = len(page.resources)
    return found | ({"entry": entries} if entries else {})


async def _form(request: Request) -> str:
    """The form of a POST to _search. Unfit where it is another thing, or too long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > searching.LONGEST:
            raise searching.unfit("too-costly", f"The search is longer than {searching.LONGEST} characters", status=413)
    if kind not in ("", FORM) or (found and not kind):
        raise searching.unfit("not-supported", f"A search is sent as {FORM}", status=415)
    try:
        return found.decode("ascii")
    except UnicodeDecodeError as fault:
        raise searching.unfit("invalid", "A form is ASCII; write other characters as %C3%A9") from fault


def _check_accepts(request: Request) -> None:
    """Unfit (406) where another form than JSON is wanted alone."""
    accepted = request.headers.get("accept", "")
    wanted = [one.partition(";")[0].strip().casefold() for one in accepted.split(",") if one.strip()]
    if wanted and not any(one in JSON or "json" in one for one in wanted):
        raise unfit("not-supported", "Answers are JSON (application/fhir+json) alone", status=406)
