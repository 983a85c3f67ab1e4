"""Signing in by the hospital's identity provider, and proving there again who one is, before a signature.

The answer comes as a navigation from elsewhere, with which no browser sends the cookie of the sign-in (SameSite=Strict).
So a sign-in that is begun gets a cookie of its own, which lives ten minutes and is sent (SameSite=Lax). The store knows it
by a digest of its state and that cookie together: an answer that another browser was sent for finds nothing. For the same
reason the answer is no redirect but a page that goes on by itself: a redirect would still be a navigation from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from labbridge.errors import Refused
from labbridge.model.people import Person, Session
from labbridge.model.provider import Begun
from labbridge.model.work import AuditEvent
from labbridge.web import rendering, visits
from labbridge.web.identified import identified
from labbridge.web.pages import sign_in
from labbridge.web.parts import Parts
from labbridge.web.proof import Asked, NotProven, asked
from labbridge.web.visits import Visit

CALLBACK = "/login/oidc/callback"
WITHIN = timedelta(minutes=10)
LONG_AGO = 86_400.0
_PLACE = re.compile(r"C[0-9]{1,18}(/alike)?")

NONE_HERE = "This workbench knows no hospital account service"
NOT_BEGUN = "This sign-in was not begun in this browser, or more than ten minutes ago: begin again"
NOT_HELD = (
    "The hospital account service gave no answer that proves who you are; nobody was signed in, and the audit says why"
)
REFUSED = "The hospital account service did not sign you in"
ENDED = "Your sign-in has ended meanwhile; sign in again"
ANOTHER = "The hospital account service knows you as somebody else than who is signed in here"


def begin(request: Request) -> Response:
    return _sent(request, "")


def again(request: Request, case: str = "") -> Response:
    """Before a signature: the browser comes back to the case."""
    visit: Visit = request.state.visit
    place = case if _PLACE.fullmatch(case) else ""
    return _sent(request, f"{visit.session.digest.hex()}.{place}")


def _sent(request: Request, proves: str) -> Response:
    """To the provider. `proves`: the sign-in that is to be proven and the case it is for, empty for a new one."""
    parts: Parts = request.app.state.parts
    if (refused := _not_now(request, "begins")) is not None:
        return refused
    assert parts.hospital is not None
    kept, now = f"{visits.new_secret()}.{proves}", parts.clock.now()
    begun = asked(_back(request), again=bool(proves))
    try:
        address = parts.hospital.address(begun)
    except NotProven as fault:
        return _failed(request, NOT_HELD, str(fault), 502)
    digest = visits.digest(f"{begun.state}.{kept}")
    row = Begun(digest=digest, nonce=begun.nonce, verifier=begun.verifier, made=now.isoformat())
    with parts.people() as people:
        people.begin(row, now - WITHIN)
    response = RedirectResponse(address, 303)
    response.headers["Set-Cookie"] = visits.set_begun(kept, request.url.scheme == "https", int(WITHIN.total_seconds()))
    return response


def _not_now(request: Request, what: str) -> Response | None:
    parts: Parts = request.app.state.parts
    if parts.hospital is None:
        return sign_in.shown(request, NONE_HERE, 404)
    if not sign_in.safe(request):
        return sign_in.shown(request, sign_in.PLAIN, 403)
    left = parts.throttle.begun(_throttled(request, what))
    return sign_in.waits(request, left) if left > 0 else None


def _throttled(request: Request, what: str) -> str:
    return f"{what} {request.client.host if request.client else ''}"


def _back(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{CALLBACK}"


# ---------------------------------------------------------------- coming back


def back(
    request: Request, state: str = "", code: str = "", iss: str | None = None, error: str | None = None
) -> Response:
    """The provider's answer. Whatever it is, it is good for once."""
    parts: Parts = request.app.state.parts
    if (refused := _not_now(request, "comes back")) is not None:
        return refused
    assert parts.hospital is not None
    now, kept = parts.clock.now(), visits.begun_of(request.headers, request.url.scheme == "https")
    with parts.people() as people:
        begun = people.begun(visits.digest(f"{state}.{kept}")) if kept and state else None
    made = datetime.fromisoformat(begun.made) if begun else now
    if begun is None or not timedelta() <= now - made < WITHIN:
        return _failed(request, NOT_BEGUN, "an answer to nothing that was begun here", 400)
    if error is not None or not code:
        return _failed(request, REFUSED, "it signed nobody in", 403, begun)
    proves = kept.partition(".")[2]
    expected = Asked(state, begun.nonce, begun.verifier, _back(request), again=bool(proves))
    try:
        claims = parts.hospital.claims(expected, code, iss, made, now)
        return _entered(request, begun, claims, proves, now)
    except NotProven as fault:
        return _failed(request, NOT_HELD, str(fault), 403, begun)
    except Refused as refusal:
        return _failed(request, str(refusal), "the account may not sign in", 403, begun)


def _entered(request: Request, begun: Begun, claims: Mapping[str, Any], proves: str, now: datetime) -> Response:
    parts: Parts = request.app.state.parts
    assert parts.hospital is not None
    shown, _dot, place = proves.partition(".")
    instead = bytes.fromhex(shown)
    with parts.people() as people:
        before = people.session(instead) if instead else None
    if instead and (before is None or parts.ages.over(before, now)):
        raise Refused(ENDED)
    if before and before.person.subject != f"{parts.hospital.provider.issuer}|{claims['sub']}":
        raise Refused(ANOTHER)
    secret, secure = visits.new_secret(), request.url.scheme == "https"
    with parts.people() as people:
        person = identified(people, parts.hospital.provider, claims, now)
        session = _session(secret, person, now, now if proves else _proven(claims, now))
        action, detail = "proven again" if proves else "signed in", "by the identity provider"
        event = AuditEvent(at=now, actor=person.login, action=action, subject="workbench", detail=detail)
        people.arrived(begun, session, event, instead=instead)
    for one in ("begins", "comes back"):
        parts.throttle.succeeded(_throttled(request, one))
    response = rendering.page(request, "hospital.html", to=f"/cases/{place}" if place else "/")
    response.headers.append("Set-Cookie", visits.set_cookie(secret, secure))
    response.headers.append("Set-Cookie", visits.set_begun("", secure, 0))
    return response


def _session(secret: str, person: Person, now: datetime, proven: datetime) -> Session:
    return Session(digest=visits.digest(secret), person=person, opened=now, seen=now, proven=proven)


def _proven(claims: Mapping[str, Any], now: datetime) -> datetime:
    """When the password was last given: long ago where the provider does not say, for its own sign-in may be of the
    morning."""
    said = claims.get("auth_time")
    age = now.timestamp() - said if isinstance(said, (int, float)) else LONG_AGO
    return now - timedelta(seconds=min(max(age, 0.0), LONG_AGO))


def _failed(request: Request, said: str, why: str, status: int, begun: Begun | None = None) -> Response:
    parts: Parts = request.app.state.parts
    detail = f"identity provider: {why}"
    event = AuditEvent(
        at=parts.clock.now(), actor="unknown", action="sign-in failed", subject="workbench", detail=detail
    )
    with parts.people() as people:
        if begun is not None:
            people.given_up(begun, event)
        else:
            people.noted(event)
    response = sign_in.shown(request, said, status)
    response.headers.append("Set-Cookie", visits.set_begun("", request.url.scheme == "https", 0))
    return response
