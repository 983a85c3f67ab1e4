"""Whom the identity provider's claims mean: the account, made at the first sign-in, and what it may now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from labbridge.errors import Refused
from labbridge.model.people import Person, Role
from labbridge.model.provider import Provider
from labbridge.model.work import AuditEvent
from labbridge.review import permissions
from labbridge.web.parts import People

NO_ROLE = "Your hospital account has no role at this workbench; who manages its groups can give one"
CLOSED = "Your account at this workbench is closed; an administrator can open it"


def identified(people: People, provider: Provider, claims: Mapping[str, Any], now: datetime) -> Person:
    """The account of who signed in, with the roles and sites of today. Refused where there is none to be had."""
    subject = f"{provider.issuer}|{claims['sub']}"
    found = people.by_subject(subject)
    if found is None:
        return _made(people, provider, claims, subject, now)
    if found.disabled:
        raise Refused(CLOSED)
    return _refreshed(people, provider, claims, found, now)


def _made(people: People, provider: Provider, claims: Mapping[str, Any], subject: str, now: datetime) -> Person:
    roles = _roles(provider, claims)
    if not roles:
        raise Refused(NO_ROLE)
    login = str(claims.get(provider.login_claim, "")).partition("@")[0].strip().lower()
    name = str(claims.get(provider.name_claim) or login).strip()
    permissions.check_account(login, name, roles)
    if people.by_login(login) is not None:
        raise Refused(
            f"There is an account {login} here already: an administrator has to link it with your hospital account"
        )
    person = Person(key=0, login=login, name=name, roles=roles, feeds=_feeds(provider, claims), subject=subject)
    people.add(person, _event(now, "account made", login, roles))
    made = people.by_subject(subject)
    assert made is not None
    return made


def _refreshed(people: People, provider: Provider, claims: Mapping[str, Any], found: Person, now: datetime) -> Person:
    """A change ends every sign-in that was opened with what was before; roles that were taken away are taken away here."""
    roles = _roles(provider, claims) if provider.roles else found.roles
    feeds = _feeds(provider, claims) if provider.feeds_claim else found.feeds
    name = str(claims.get(provider.name_claim) or found.name).strip()
    if roles:
        permissions.check_account(found.login, name, roles)
    changed = msgspec.structs.replace(found, roles=roles, feeds=feeds, name=name if roles else found.name)
    if changed != found:
        people.change(changed, _event(now, "account changed", found.login, roles))
    if not roles:
        raise Refused(NO_ROLE)
    return changed


def _roles(provider: Provider, claims: Mapping[str, Any]) -> frozenset[Role]:
    return frozenset(
        Role(provider.roles[one]) for one in _values(claims, provider.roles_claim) if one in provider.roles
    )


def _feeds(provider: Provider, claims: Mapping[str, Any]) -> tuple[str, ...]:
    if not provider.feeds_claim:
        return ()
    named = [provider.feeds[one] for one in _values(claims, provider.feeds_claim) if one in provider.feeds]
    return tuple(sorted({feed for one in named for feed in one.split()}))


def _values(claims: Mapping[str, Any], path: str) -> list[str]:
    """A claim's values: of the whole name where there is one (names may be URLs), else by its path."""
    found: Any = claims.get(path)
    if found is None:
        found = claims
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return [one for one in values if isinstance(one, str)]


def _event(now: datetime, action: str, login: str, roles: Iterable[Role]) -> AuditEvent:
    detail = f"by the identity provider: {' '.join(sorted(roles)) or 'no role'}"
    return AuditEvent(at=now, actor="labbridge", action=action, subject=login, detail=detail)
