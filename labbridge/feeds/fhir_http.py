"""FHIR over HTTP (contract.md, HTTP): who comes is known before a byte of the body is read, and 200 or 201 is answered once
the body is on disk. What a body means is the story's business.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from labbridge import receiving_fhir
from labbridge.errors import StoreUnavailable
from labbridge.feeds.fhir_readers import Asked, Unread
from labbridge.feeds.fhir_reads import OPEN, Reading, Reads
from labbridge.fhir import routes, scopes
from labbridge.fhir.faults import Issue, Unfit, outcome, unfit
from labbridge.fhir.guard import LONGEST_BODY
from labbridge.fhir.routes import Route
from labbridge.model.people import Admitted
from labbridge.model.work import Arrival, AuditEvent, Feed, Receipt
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.receiving_fhir import TYPE, Answer, Posted, Wanted

BASE = "/fhir"
INTERPRET = "$interpret"
LEFT = f"{BASE}/.well-known/smart-configuration"  # a page, for who has no token yet
TYPES = ("application/fhir+json", "application/json", "text/json")
RATIO = 100  # a body may inflate to so many times its length
INFLIGHT_BYTES = 128 * 2**20
INFLIGHT = 256
CHUNK = 2**16
RETRY_AFTER_S = "1"

_log = logs.logger("feeds")


class Readers(Protocol):
    async def read(self, raw: bytes, asked: Asked) -> Posted: ...


class Intake(Protocol):
    async def keep(self, arrival: Arrival, audit: AuditEvent) -> Receipt: ...


class Parts(NamedTuple):
    """What the endpoint is given. `feeds`: those that take FHIR. `admitted`: who comes with an Authorization header; Unfit
    (401, 403) where it lets nobody in."""

    feeds: Mapping[str, Feed]
    admitted: Callable[[str], Awaitable[Admitted]]
    readers: Readers
    intake: Intake
    clock: Clock
    reading: Reading


class FhirEndpoint:
    """ASGI: takes what is below /fhir, and leaves everything else to the application behind it."""

    def __init__(self, parts: Parts, behind: ASGIApp) -> None:
        self._parts, self._behind, self._reads = parts, behind, Reads(parts.reading)
        self._bytes = self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        ours = path == BASE or path.startswith(f"{BASE}/")
        if scope["type"] != "http" or not ours or (path == LEFT and scope["method"] in ("GET", "HEAD")):
            await self._behind(scope, receive, send)
            return
        try:
            answer = await self._answer(Request(scope, receive))
        except Unfit as fault:
            answer = _refused(fault, str(scope.get("path", "")))
        except (StoreUnavailable, Unread):
            answer = _later("Nothing was kept; send it again in a moment")
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the wall of a request: what is raised here is a bug, told without its text
            answer = _failed(error)
        await _response(answer)(scope, receive, send)

    async def _answer(self, request: Request) -> Answer:
        path, base = (
            request.url.path.removeprefix(BASE).strip("/"),
            f"{request.url.scheme}://{request.url.netloc}{BASE}",
        )
        for one in routes.ROUTES:
            if one.does in OPEN and (one.method, one.path) == (request.method, path):
                return self._reads.opened(one, request, base)
        who = await self._parts.admitted(request.headers.get("authorization", ""))
        route, id = routes.find(request.method, path)
        if route.reads:
            return await self._reads.answer(route, id, request, who, base)
        if route.does == INTERPRET:
            return await self._interpreted(route, request, who)
        wanted = Wanted(route.type, id, route.does == "$process-message")
        _check_may_send(who, wanted)
        feed = self._feed(who)
        _check_type(request.headers.get("content-type", ""))
        raw = await self._body(request)
        try:
            return await self._take(raw, feed, request, wanted, who)
        finally:
            self._bytes -= len(raw)
            self._bodies -= 1

    def _feed(self, who: Admitted) -> Feed:
        """The feed that a body is of. Unfit where the token does not say."""
        found = [self._parts.feeds[name] for name in who.feeds if name in self._parts.feeds]
        if len(found) != 1:
            raise unfit("forbidden", "What is sent has to be of one FHIR feed; this token is not of one alone")
        return found[0]

    async def _interpreted(self, route: Route, request: Request, who: Admitted) -> Answer:
        if not scopes.may(who.scopes, route.type, route.letter):
            raise unfit("forbidden", f"This token has no scope system/{route.type}.{route.letter}")
        feed = self._feed(who)
        _check_type(request.headers.get("content-type", ""))
        raw = await self._body(request)
        try:
            return await self._reads.interpreted(raw, feed)
        finally:
            self._bytes -= len(raw)
            self._bodies -= 1

    async def _take(self, raw: bytes, feed: Feed, request: Request, wanted: Wanted, who: Admitted) -> Answer:
        address = request.client.host if request.client is not None else ""
        asked = Asked(feed.name, address, self._parts.clock.now(), wanted)
        posted = receiving_fhir.with_bytes(await self._parts.readers.read(raw, asked), raw)
        _check_may_write(who, posted)
        receipt = await self._parts.intake.keep(posted.arrival, receiving_fhir.event(posted))
        return receiving_fhir.answer(posted, receipt, f"{request.url.scheme}://{request.url.netloc}{BASE}")

    async def _body(self, request: Request) -> bytes:
        """All of the body, inflated; counted while it is in hand. Unfit where it is too long or compressed otherwise."""
        inflate = _inflating(request.headers.get("content-encoding", ""))
        if self._bodies >= INFLIGHT or self._bytes >= INFLIGHT_BYTES:
            raise unfit("transient", "Too much is in hand; send it again in a moment")
        self._bodies += 1
        parts: list[bytes] = []
        came = held = 0
        try:
            async for chunk in request.stream():
                came += len(chunk)
                part = inflate(chunk, max(RATIO * came, CHUNK) - held) if inflate else chunk
                held += len(part)
                self._bytes += len(part)
                parts.append(part)
                if held > LONGEST_BODY:
                    raise unfit("too-costly", f"The body is longer than {LONGEST_BODY} bytes")
        except BaseException:
            self._bytes -= held
            self._bodies -= 1
            raise
        return b"".join(parts)


def _check_may_send(who: Admitted, wanted: Wanted) -> None:
    """Unfit where nothing that comes here may be written; what a Bundle holds is known once it is read."""
    letters = "u" if wanted.id else "c" if wanted.kind else "cu"
    if not (scopes.may(who.scopes, wanted.kind, letters) if wanted.kind else scopes.may_any(who.scopes, letters)):
        raise unfit("forbidden", "This token does not allow this")


def _check_may_write(who: Admitted, posted: Posted) -> None:
    for one in posted.arrival.resources:
        if not scopes.may(who.scopes, one.kind, "u" if one.method == "PUT" else "c"):
            place = f"Bundle.entry[{one.entry}]" if one.entry >= 0 else ""
            raise unfit("forbidden", f"This token does not allow to write {one.kind}; nothing was kept", place)


def _check_type(sent: str) -> None:
    name, _semicolon, more = sent.partition(";")
    charset = more.partition("charset=")[2].strip().strip('"').casefold()
    if (name.strip().casefold() or TYPES[0]) not in TYPES or charset not in ("", "utf-8", "utf8"):
        raise unfit("not-supported", "JSON in UTF-8 is taken here (application/fhir+json)", status=415)


def _inflating(encoding: str) -> Callable[[bytes, int], bytes] | None:
    """What inflates the parts of a body: given one, and how much may become of it."""
    if encoding.casefold() in ("", "identity"):
        return None
    if encoding.casefold() != "gzip":
        raise unfit("not-supported", "Only gzip is inflated here", status=415)
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)

    def inflate(chunk: bytes, most: int) -> bytes:
        try:
            found = inflater.decompress(chunk, max(1, min(most, LONGEST_BODY) + 1))
        except zlib.error as fault:
            raise unfit("structure", "The body is no gzip") from fault
        if len(found) > most or inflater.unconsumed_tail:
            raise unfit(
                "too-costly", f"The body inflates to more than {RATIO} times its length, or {LONGEST_BODY} bytes"
            )
        return found

    return inflate


# ---------------------------------------------------------------- answers


def _refused(fault: Unfit, path: str) -> Answer:
    headers = {"WWW-Authenticate": "Bearer"} if fault.status == 401 else {}
    headers |= {"Retry-After": RETRY_AFTER_S} if fault.status in (429, 503) else {}
    headers |= {"Allow": ", ".join(routes.allowed(path.removeprefix(BASE).strip("/")))} if fault.status == 405 else {}
    return Answer(fault.status, outcome(fault.issues), headers)


def _later(text: str) -> Answer:
    return Answer(503, outcome([Issue("transient", text)]), {"Retry-After": RETRY_AFTER_S})


def _failed(error: Exception) -> Answer:
    incident = secrets.token_hex(6)
    _log.error("request_failed", error=type(error).__name__, place=logs.place(error), incident=incident)
    text = f"Something went wrong here; it is in the log as {incident}"
    return Answer(500, outcome([Issue("exception", text)]))


def _response(answer: Answer) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **answer.headers}
    kind = headers.pop("Content-Type", TYPE)
    return Response(answer.body, answer.status, headers, kind)
