"""Accounts, for who manages them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import Form, Request
from starlette.responses import Response

from labbridge.errors import Refused
from labbridge.model.people import Person, Role
from labbridge.model.work import AuditEvent
from labbridge.review import permissions
from labbridge.web import passwords, rendering
from labbridge.web.parts import Parts


def everybody(request: Request) -> Response:
    return _listed(request)


def _listed(request: Request, said: str = "", status: int = 200) -> Response:
    parts: Parts = request.app.state.parts
    with parts.people() as people:
        found = people.everybody()
    return rendering.page(request, "people.html", status=status, said=said, everybody=found, roles=list(Role))


def add(
    request: Request,
    login: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    feeds: Annotated[str, Form()] = "",
    role: Annotated[list[str] | None, Form()] = None,
) -> Response:
    parts, visit = request.app.state.parts, request.state.visit
    try:
        roles = permissions.check_account(login, name, role or [])
        secret = passwords.hashed(password, login, name)
        person = Person(key=0, login=login, name=name.strip(), roles=roles, feeds=tuple(feeds.split()), secret=secret)
        detail = f"{' '.join(sorted(roles))} for {feeds or 'no feed'}"
        event = AuditEvent(
            at=parts.clock.now(), actor=visit.person.login, action="account made", subject=login, detail=detail
        )
        with parts.people() as people:
            people.add(person, event)
    except Refused as refusal:
        return _listed(request, str(refusal), 422)
    return Response(status_code=204, headers={"HX-Redirect": "/people"})


def change(
    request: Request,
    login: str,
    name: Annotated[str, Form()] = "",
    feeds: Annotated[str, Form()] = "",
    role: Annotated[list[str] | None, Form()] = None,
    closed: Annotated[bool, Form()] = False,
    password: Annotated[str, Form()] = "",
) -> Response:
    """Name, roles, sites, whether it is closed, and a new password where one is given."""
    parts, visit = request.app.state.parts, request.state.visit
    now = parts.clock.now()
    try:
        with parts.people() as people:
            person = people.by_login(login)
        if person is None:
            raise Refused(f"There is no account {login}")
        if closed and person.key == visit.person.key:
            raise Refused("Somebody else has to close your own account")
        roles = permissions.check_account(login, name, role or [])
        secret = passwords.hashed(password, login, name) if password else person.secret
        disabled = (person.disabled or now.isoformat()) if closed else ""
        changed = msgspec.structs.replace(
            person, name=name.strip(), roles=roles, feeds=tuple(feeds.split()), secret=secret, disabled=disabled
        )
        detail = f"{' '.join(sorted(roles))} for {feeds or 'no feed'}{', closed' if closed else ''}"
        event = AuditEvent(at=now, actor=visit.person.login, action="account changed", subject=login, detail=detail)
        with parts.people() as people:
            people.change(changed, event)
    except Refused as refusal:
        return _listed(request, str(refusal), 422)
    return Response(status_code=204, headers={"HX-Redirect": "/people"})
