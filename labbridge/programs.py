"""Programs that come to /fhir: a bearer token says who one is, for which feeds, and what it may do (reliability.md S-18).

A token is found by its SHA-256. How long that takes tells of the digest and of no character of the token: the store compares
nothing that a sender could come closer to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from starlette.concurrency import run_in_threadpool

from labbridge.fhir import scopes
from labbridge.fhir.faults import Unfit, unfit
from labbridge.model.people import EVERY_FEED, Admitted, Scope, Token
from labbridge.model.smart import Client, Grant
from labbridge.model.work import Feed
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.web.guard import USED_EVERY
from labbridge.web.visits import digest

BELIEVED = timedelta(seconds=0.5)  # a token that was revoked is refused within a second
MOST_BELIEVED = 1000
TOLD_EVERY = timedelta(minutes=1)
_SHAPE = re.compile(r"lb_[A-Za-z0-9_-]{43}")  # 256 bits (token_urlsafe)

_log = logs.logger("web")


class People(Protocol):
    def token(self, digest: bytes) -> Token | None: ...

    def used(self, token: Token, now: datetime) -> None: ...


class Grants(Protocol):
    def grant(self, digest: bytes) -> Grant | None: ...


class Smart(Protocol):
    """Clients that prove themselves, and what they were given (web/authorizing.py)."""

    @property
    def clients(self) -> Mapping[str, Client]: ...

    @property
    def grants(self) -> Callable[[], AbstractContextManager[Grants]]: ...


class Programs:
    """Whom a token is of. `feeds`: all there are, by name. One that was just looked up is believed for half a second: a busy
    sender shows its token with each message. One that is nobody's costs two look-ups by key, and nothing of it is kept; one
    that has not the form of ours costs none."""

    def __init__(
        self,
        people: Callable[[], AbstractContextManager[People]],
        feeds: Mapping[str, Feed],
        clock: Clock,
        smart: Smart | None = None,
    ) -> None:
        self._people, self._feeds, self._clock, self._smart = people, feeds, clock, smart
        self._clients: Mapping[str, Client] = smart.clients if smart is not None else MappingProxyType({})
        self._believed: dict[bytes, tuple[datetime, Admitted]] = {}
        self._unknown, self._told = 0, datetime.min.replace(tzinfo=clock.now().tzinfo)

    async def admitted(self, authorization: str) -> Admitted:
        """Who comes with this header. Unfit where it is nobody (401), and where the token is for nothing here (403)."""
        kind, _space, secret = authorization.partition(" ")
        secret = secret.strip()
        if kind.casefold() != "bearer" or not secret:
            raise unfit("login", "A bearer token is needed here")
        if not _SHAPE.fullmatch(secret):
            raise self._not_in_force()
        known, now = digest(secret), self._clock.now()
        since, believed = self._believed.get(known, (now, None))
        if believed is not None and timedelta(0) <= now - since < BELIEVED:
            return believed
        found = await run_in_threadpool(self._look_up, known, now)
        if found is None:
            raise self._not_in_force()
        if not found.feeds or not found.scopes:
            raise unfit("forbidden", "This token does not allow this")
        if len(self._believed) >= MOST_BELIEVED:
            self._believed.clear()
        self._believed[known] = (now, found)
        return found

    def _look_up(self, known: bytes, now: datetime) -> Admitted | None:
        with self._people() as people:
            token = people.token(known)
            if token is None:
                return self._of_client(known, now)
            if token.over(now):
                return None
            found = Admitted(name=token.name, feeds=self._feeds_of(token.feeds), scopes=_allowed(token))
            used = found.feeds and found.scopes
            if used and (not token.used or now - datetime.fromisoformat(token.used) >= USED_EVERY):
                people.used(token, now)
        return found

    def _of_client(self, known: bytes, now: datetime) -> Admitted | None:
        """Whom a token was given to for an assertion, as the client is registered now."""
        if self._smart is None or not self._clients:
            return None
        with self._smart.grants() as grants:
            grant = grants.grant(known)
        client = self._clients.get(grant.client) if grant is not None else None
        if grant is None or client is None or now >= grant.expires:
            return None
        allowed = scopes.narrowed(grant.scopes, client.scopes)
        return Admitted(name=client.name, feeds=self._feeds_of(client.feeds), scopes=allowed)

    def _feeds_of(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """Those that are there; where none is named, the only one that takes FHIR."""
        if EVERY_FEED in named:
            return tuple(self._feeds)
        taking = [name for name, feed in self._feeds.items() if feed.kind == "fhir"]
        named = named or (tuple(taking) if len(taking) == 1 else ())
        return tuple(one for one in named if one in self._feeds)

    def _not_in_force(self) -> Unfit:
        """The refusal of a token that is nobody's; how many there were stands in the log once a minute."""
        self._unknown += 1
        now = self._clock.now()
        if now - self._told >= TOLD_EVERY:
            _log.warning("unknown_tokens", count=self._unknown)
            self._unknown, self._told = 0, now
        return unfit("login", "This token is not in force")


def _allowed(token: Token) -> frozenset[str]:
    """The scopes of SMART that a token has."""
    sent = scopes.EVERYTHING_SENT if Scope.INGEST in token.scopes else ()
    return scopes.together((*token.scopes, *sent))
