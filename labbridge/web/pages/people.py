"""Accounts, for who manages them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Form, Request
from starlette.responses import Response

from labbridge.errors import Refused
from labbridge.model.people import Person, Role
from labbridge.model.work import AuditEvent
from labbridge.review import permissions
from labbridge.web import passwords, rendering
from labbridge.web.forms import AccountForm
from labbridge.web.parts import Parts


def everybody(request: Request) -> Response:
    return _listed(request)


def _listed(request: Request, said: str = "", status: int = 200) -> Response:
    parts: Parts = request.app.state.parts
    with parts.people() as people:
        found, tokens = people.everybody(), people.tokens()
    now = parts.clock.now()
    programs = [(one, "revoked" if one.revoked else "expired" if one.over(now) else "in force") for one in tokens]
    more = {"everybody": found, "programs": programs, "roles": list(Role)}
    return rendering.page(request, "people.html", status=status, said=said, **more)


def add(request: Request, form: Annotated[AccountForm, Form()]) -> Response:
    parts: Parts = request.app.state.parts
    try:
        roles = permissions.check_account(form.login, form.name, form.role)
        secret = passwords.hashed(form.password, form.login, form.name)
        person = Person(key=0, login=form.login, name=form.name.strip(), roles=roles, feeds=_feeds(form), secret=secret)
        with parts.people() as people:
            people.add(person, _event(request, "account made", form.login, form))
    except Refused as refusal:
        return _listed(request, str(refusal), 422)
    return _back()


def change(request: Request, login: str, form: Annotated[AccountForm, Form()]) -> Response:
    """Name, roles, sites, whether it is closed, and a new password where one is given."""
    parts: Parts = request.app.state.parts
    try:
        with parts.people() as people:
            person = people.by_login(login)
        if person is None:
            raise Refused("There is no such account")
        if form.closed and person.key == request.state.visit.person.key:
            raise Refused("Somebody else has to close your own account")
        event = _event(request, "account changed", login, form)
        with parts.people() as people:
            people.change(_changed(person, form, event.at), event)
    except Refused as refusal:
        return _listed(request, str(refusal), 422)
    return _back()


def _changed(person: Person, form: AccountForm, now: datetime) -> Person:
    return msgspec.structs.replace(
        person,
        name=form.name.strip(),
        roles=permissions.check_account(person.login, form.name, form.role),
        feeds=_feeds(form),
        secret=passwords.hashed(form.password, person.login, form.name) if form.password else person.secret,
        disabled=(person.disabled or now.isoformat()) if form.closed else "",
    )


def _feeds(form: AccountForm) -> tuple[str, ...]:
    return tuple(form.feeds.split())


def _event(request: Request, action: str, login: str, form: AccountForm) -> AuditEvent:
    now, actor = request.app.state.parts.clock.now(), request.state.visit.person.login
    detail = f"{' '.join(sorted(form.role))} for {form.feeds or 'no feed'}{', closed' if form.closed else ''}"
    return AuditEvent(at=now, actor=actor, action=action, subject=login, detail=detail)


def _back() -> Response:
    return Response(status_code=204, headers={"HX-Redirect": "/people"})
