"""Access tokens for SMART clients: what is asked for, whether it may be had, what is kept of it (RFC 6749, 4.4 and 5)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from labbridge.fhir import scopes
from labbridge.fhir.scopes import NoScope
from labbridge.model.smart import Assertion, Client, Grant
from labbridge.model.work import AuditEvent
from labbridge.web import assertions
from labbridge.web.assertions import BadKeys, NotAClient
from labbridge.web.throttle import Throttle
from labbridge.web.visits import digest

GRANT_TYPE = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 16 * 1024  # bytes; an assertion of an RSA key of 8192 bits is 2 KB
MOST_FIELDS = 16
A_SECOND = 200  # assertions looked at, of all addresses; each costs a millisecond, and no password is guessed by them
VALID = timedelta(minutes=5)
METHODS, WAYS = ["private_key_jwt"], ["client-confidential-asymmetric", "permission-v1", "permission-v2"]
NOBODY_HERE = "No client is registered here: [fhir.clients.NAME] registers one"
STATUS = {"invalid_client": 401, "temporarily_unavailable": 429, "server_error": 503}


class Grants(Protocol):
    def give(self, grant: Grant, digest: bytes, shown: Assertion, audit: AuditEvent) -> bool: ...


class Smart(NamedTuple):
    """SMART as it is configured. `token_url`: our own, as clients know it; empty where no client is registered. `grants`:
    where what is given is kept. `published`: our own public keys, as JWK, of what we are a client to."""

    clients: Mapping[str, Client]
    token_url: str
    grants: Callable[[], AbstractContextManager[Grants]]
    throttle: Throttle
    published: tuple[Mapping[str, Any], ...] = ()


class NotGiven(Exception):
    """No token is given. `code` is of RFC 6749, 5.2; `reason` a word for our own log; the text is for who asked."""

    def __init__(self, code: str, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.code, self.reason = code, reason or code

    @property
    def status(self) -> int:
        return STATUS.get(self.code, 400)


def configuration(smart: Smart) -> dict[str, Any]:
    """The document of /.well-known/smart-configuration."""
    return {
        "token_endpoint": smart.token_url,
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": list(assertions.ALGORITHMS),
        "grant_types_supported": [GRANT_TYPE],
        "scopes_supported": sorted(scopes.together(one for client in smart.clients.values() for one in client.scopes)),
        "capabilities": WAYS,
    }


def fields_of(raw: bytes) -> Mapping[str, str]:
    """The fields of a form. NotGiven for what is none, and for one that stands twice (RFC 6749, 3.2)."""
    try:
        found = parse_qsl(raw.decode("ascii"), strict_parsing=bool(raw), max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise NotGiven("invalid_request", f"The body has to be {FORM}") from None
    if len(dict(found)) < len(found):
        raise NotGiven("invalid_request", "A parameter stands twice")
    return MappingProxyType(dict(found))


def given(smart: Smart, form: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The answer with an access token, once what it is given for is committed. NotGiven where there is none to be had."""
    _check_form(form)
    client, shown = _proven(smart, form, now)
    granted = _granted(form.get("scope", ""), client)
    secret = f"lb_{secrets.token_urlsafe(32)}"
    grant = Grant(client=client.name, scopes=granted, expires=now + VALID)
    scope = " ".join(sorted(granted))
    event = AuditEvent(at=now, actor=client.name, action="token given", subject="smart", detail=scope)
    with smart.grants() as grants:
        if not grants.give(grant, digest(secret), shown, event):
            raise NotGiven("invalid_client", "The assertion was used already", "used_again")
    return {"access_token": secret, "token_type": "bearer", "expires_in": VALID.seconds, "scope": scope}


def _check_form(form: Mapping[str, str]) -> None:
    if not form.get("grant_type"):
        raise NotGiven("invalid_request", "grant_type is missing")
    if form["grant_type"] != GRANT_TYPE:
        raise NotGiven("unsupported_grant_type", f"grant_type has to be {GRANT_TYPE}")
    if not form.get("client_assertion"):
        raise NotGiven("invalid_client", "client_assertion is missing")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise NotGiven("invalid_client", f"client_assertion_type has to be {ASSERTION_TYPE}")


def _proven(smart: Smart, form: Mapping[str, str], now: datetime) -> tuple[Client, Assertion]:
    try:
        client, shown = assertions.proven(form["client_assertion"], smart.clients, smart.token_url, now)
    except NotAClient as fault:
        raise NotGiven("invalid_client", str(fault), fault.reason) from None
    except BadKeys:
        raise NotGiven("server_error", "The keys of this client cannot be read now", "keys_unreadable") from None
    if form.get("client_id", client.name) != client.name:
        raise NotGiven("invalid_client", "client_id is not that of the assertion", "other_client_id")
    return client, shown


def _granted(asked: str, client: Client) -> frozenset[str]:
    try:
        found = scopes.narrowed(scopes.read_scopes(asked), client.scopes)
    except NoScope as fault:
        raise NotGiven("invalid_scope", str(fault)) from None
    if not found:
        raise NotGiven("invalid_scope", "Nothing of this is allowed to this client")
    return found
