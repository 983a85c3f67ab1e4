"""What stands before every page: the host that was asked for, the route's right, the sign-in, forged requests, and the
headers that each answer carries. A body is read by nobody before its sender is known (reliability.md S-14, S-16, S-25)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labbridge.errors import StoreUnavailable
from labbridge.observe import logs
from labbridge.web import visits
from labbridge.web.access import Route
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit

SAFE = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
STATIC = "/static/"
USED_EVERY = timedelta(minutes=1)
CACHED = "public, max-age=86400"

_log = logs.logger("web")


class Guard:
    """ASGI, around the application whose routes it knows."""

    def __init__(self, app: ASGIApp, site: FastAPI, parts: Parts, routes: Sequence[Route]) -> None:
        self._app, self._site, self.parts = app, site, parts
        self._by_path = {(one.method, one.path): one for one in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(send, kept=_is_static(scope))
        try:
            refused = await self._refused(scope)
            await (refused or self._app)(scope, receive, answering)
        except Exception as error:  # noqa: BLE001 - the wall of a request: what is raised here is a bug, and told without its text
            incident = secrets.token_hex(6)
            place = logs.place(error)
            _log.error("page_failed", error=type(error).__name__, place=place, incident=incident)
            if not answering.begun:
                text = f"Something went wrong here; it is in the log as {incident}. Nothing was changed by it.\n"
                await PlainTextResponse(text, 500)(scope, receive, answering)

    async def _refused(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further; None where it may."""
        headers = Headers(scope=scope)
        if not self.parts.known_host(urlsplit(f"//{headers.get('host', '')}").hostname or ""):
            return PlainTextResponse("This is not the address of this service; add it to [web] hosts\n", 421)
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        route = self._route(scope, method)
        if route is None:
            return None if _is_static(scope) else PlainTextResponse("There is no such page\n", 404)
        if route.open:
            return None if method in SAFE or _from_here(headers) else _forbidden()
        try:
            if "authorization" in headers:
                return await run_in_threadpool(self._program, scope, headers["authorization"], route)
            visit = await run_in_threadpool(self._visit, headers, scope["scheme"] == "https", route.polled)
        except StoreUnavailable:
            return PlainTextResponse("The store does not answer now; try again in a moment\n", 503)
        if visit is None:
            return _sign_in_first(headers, method)
        if method not in SAFE and not (_from_here(headers) and _csrf(headers, visit)):
            return _forbidden()
        if route.right is not None and not visit.may(route.right):
            return PlainTextResponse("Your role does not allow this\n", 403)
        scope["state"] = {**scope.get("state", {}), "visit": visit}
        return None

    def _route(self, scope: Scope, method: str) -> Route | None:
        """The route of a request; None where there is none, which is also so of a method that a path does not have."""
        for route in self._site.routes:
            if route.matches({**scope, "method": method})[0] is Match.FULL:
                return self._by_path.get((method, str(getattr(route, "path", ""))))
        return None

    def _program(self, scope: Scope, authorization: str, route: Route) -> Response | None:
        """A program comes with its token, and is nobody's browser: no cookie counts. It is looked up by its digest each
        time, so that one that was revoked is refused from then on."""
        kind, _space, secret = authorization.partition(" ")
        now = self.parts.clock.now()
        with self.parts.people() as people:
            token = people.token(visits.digest(secret.strip())) if kind.lower() == "bearer" else None
            if token is None or token.over(now):
                return PlainTextResponse("This token is not in force\n", 401, {"WWW-Authenticate": "Bearer"})
            if route.scope is None or route.scope.value not in token.scopes:
                return PlainTextResponse("This token does not allow this\n", 403)
            if not token.used or now - datetime.fromisoformat(token.used) >= USED_EVERY:
                people.used(token, now)
        scope["state"] = {**scope.get("state", {}), "token": token}
        return None

    def _visit(self, headers: Mapping[str, str], secure: bool, polled: bool) -> Visit | None:
        secret = visits.secret_of(headers, secure)
        if not secret:
            return None
        now = self.parts.clock.now()
        with self.parts.people() as people:
            session = people.session(visits.digest(secret))
            if session is None or self.parts.ages.over(session, now):
                return None
            if (
                not polled and (now - session.seen) * 10 >= self.parts.ages.idle
            ):  # not for each request: nobody waits for its commit
                people.seen(session, now)
        return Visit(session, secret)


def _is_static(scope: Scope) -> bool:
    return scope["method"] in SAFE and str(scope["path"]).startswith(STATIC)


def _from_here(headers: Mapping[str, str]) -> bool:
    """Whether a page of our own sent it: by Sec-Fetch-Site, which no page can set, and by Origin, which is `null` where a
    form of a page without referrer is sent."""
    site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
    if site and site != "same-origin":
        return False
    return origin in (("", "null") if site else ("",)) or urlsplit(origin).netloc == headers.get("host", "")


def _csrf(headers: Mapping[str, str], visit: Visit) -> bool:
    return secrets.compare_digest(headers.get("x-csrf-token", "").encode(), visit.csrf.encode())


def _forbidden() -> Response:
    return PlainTextResponse("This request did not come from a page of this service; load the page again\n", 403)


def _sign_in_first(headers: Mapping[str, str], method: str) -> Response:
    if headers.get("hx-request"):  # the page stays, with what was typed in it (workbench.js)
        return PlainTextResponse("Your sign-in has ended; sign in again\n", 401)
    if method in SAFE and "text/html" in headers.get("accept", ""):
        return RedirectResponse("/login", 303)
    return PlainTextResponse("Sign in first\n", 401)


class _Answering:
    """Puts the headers on an answer, and remembers that one has begun."""

    def __init__(self, send: Send, *, kept: bool) -> None:
        self._send, self._kept = send, kept
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)  # a page's own is stricter
            headers["Cache-Control"] = CACHED if self._kept and message["status"] == 200 else "no-store"
        await self._send(message)
