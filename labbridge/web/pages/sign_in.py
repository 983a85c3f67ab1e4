"""Signing in and out, and a person's own account."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Form, Request
from starlette.responses import RedirectResponse, Response

from labbridge.errors import Refused
from labbridge.model.people import Person, Right, Session
from labbridge.model.work import AuditEvent
from labbridge.web import passwords, rendering, visits
from labbridge.web.parts import LOCAL, Parts
from labbridge.web.visits import Visit

WRONG = "Login and password do not belong together"
PLAIN = "This connection is not encrypted: sign in over HTTPS, or from the machine itself"
WAIT = "Too many sign-ins failed; wait {seconds} s and try again"


def alive() -> Response:
    return Response("ok\n", media_type="text/plain")


def first(request: Request) -> Response:
    visit: Visit = request.state.visit
    places = ((Right.SEE_CASES, "/worklist"), (Right.MANAGE_PEOPLE, "/people"))
    return RedirectResponse(next((path for right, path in places if visit.may(right)), "/account"), 303)


def form(request: Request) -> Response:
    return shown(request)


def shown(request: Request, said: str = "", status: int = 200, **more: object) -> Response:
    """The page to sign in, with what is to be said there."""
    hospital = request.app.state.parts.hospital is not None
    return rendering.page(
        request,
        "login.html",
        status=status,
        said=said,
        may_sign_in=safe(request),
        plain=PLAIN,
        hospital=hospital,
        **more,
    )


def waits(request: Request, left: float) -> Response:
    """Too many were tried: so many seconds have to pass."""
    seconds = int(left) + 1
    response = shown(request, WAIT, 429, seconds=seconds)
    response.headers["Retry-After"] = str(seconds)
    return response


def safe(request: Request) -> bool:
    """Whether a password may be sent over this connection: encrypted, or within this machine."""
    client = request.client.host if request.client else ""
    return request.url.scheme == "https" or (client in LOCAL and (request.url.hostname or "") in LOCAL)


def sign_in(request: Request, login: Annotated[str, Form()] = "", password: Annotated[str, Form()] = "") -> Response:
    parts: Parts = request.app.state.parts
    if not safe(request):
        return shown(request, PLAIN, 403)
    login = login.strip().lower()[:80]
    keys = (f"login {login}", f"address {request.client.host if request.client else ''}")
    left = parts.throttle.begun(*keys)
    if left > 0:
        return waits(request, left)
    now = parts.clock.now()
    with parts.people() as people:
        person = people.by_login(login)
    if not _is(person, password[: passwords.MOST + 1]) or person is None:
        with parts.people() as people:  # who asks need not be anybody: an unknown login is not written down
            name = person.login if person else "unknown"
            people.noted(AuditEvent(at=now, actor=name, action="sign-in failed", subject="workbench"))
        return shown(request, WRONG, 401)
    parts.throttle.succeeded(*keys)
    return _entered(request, parts, person, password, now)


def _is(person: Person | None, password: str) -> bool:
    """Takes as long for an account that is not there, or is closed."""
    right = passwords.matches(person.secret if person else "", password)
    return right and person is not None and not person.disabled


def _entered(request: Request, parts: Parts, person: Person, password: str, now: datetime) -> Response:
    secret, secure = visits.new_secret(), request.url.scheme == "https"
    session = Session(digest=visits.digest(secret), person=person, opened=now, seen=now, proven=now)
    with parts.people() as people:
        if passwords.outdated(person.secret):
            renewed = msgspec.structs.replace(person, secret=passwords.rehashed(password))
            people.change(renewed, AuditEvent(at=now, actor="labbridge", action="rehashed", subject=person.login))
        event = AuditEvent(at=now, actor=person.login, action="signed in", subject="workbench")
        people.open(session, event, now - parts.ages.idle, now - parts.ages.longest)
    response: Response = RedirectResponse("/", 303)
    if request.headers.get("hx-request"):  # over a page that stays: it goes on with the token of this sign-in
        response = Response(status_code=204, headers={"X-CSRF-Token": Visit(session, secret).csrf})
    response.headers["Set-Cookie"] = visits.set_cookie(secret, secure)
    return response


def sign_out(request: Request) -> Response:
    parts, visit = request.app.state.parts, request.state.visit
    event = AuditEvent(at=parts.clock.now(), actor=visit.person.login, action="signed out", subject="workbench")
    with parts.people() as people:
        people.close(visit.session, event)
    response = Response(status_code=204, headers={"HX-Redirect": "/login"})
    response.headers["Set-Cookie"] = visits.set_cookie("", request.url.scheme == "https")
    return response


# ---------------------------------------------------------------- a person's own account


def account(request: Request) -> Response:
    return _account(request)


def _account(request: Request, said: str = "", status: int = 200) -> Response:
    return rendering.page(
        request, "account.html", status=status, said=said, themes=rendering.THEMES, languages=rendering.LANGUAGES
    )


def prefer(request: Request, theme: Annotated[str, Form()] = "", language: Annotated[str, Form()] = "") -> Response:
    parts, visit = request.app.state.parts, request.state.visit
    if theme not in ("", *rendering.THEMES) or language not in ("", *rendering.LANGUAGES):
        return _account(request, "There is no such theme or language", 422)
    with parts.people() as people:
        people.prefers(visit.person, theme, language)
    return Response(status_code=204, headers={"HX-Redirect": "/account"})


def change_password(
    request: Request, password: Annotated[str, Form()] = "", new: Annotated[str, Form()] = ""
) -> Response:
    """Ends every sign-in of the account, this one too."""
    parts, visit = request.app.state.parts, request.state.visit
    person: Person = visit.person
    if parts.throttle.begun(f"login {person.login}") > 0 or not passwords.matches(person.secret, password):
        return _account(request, "The present password is another one", 422)
    try:
        changed = msgspec.structs.replace(person, secret=passwords.hashed(new, person.login, person.name))
    except Refused as refusal:
        return _account(request, str(refusal), 422)
    event = AuditEvent(at=parts.clock.now(), actor=person.login, action="password changed", subject=person.login)
    with parts.people() as people:
        people.change(changed, event)
    parts.throttle.succeeded(f"login {person.login}")
    return Response(status_code=204, headers={"HX-Redirect": "/login"})
