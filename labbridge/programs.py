"""Programs that come to /fhir: a bearer token says who one is, for which feeds, and what it may do (reliability.md S-18)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from starlette.concurrency import run_in_threadpool

from labbridge.fhir import scopes
from labbridge.fhir.faults import Unfit, unfit
from labbridge.model.people import EVERY_FEED, Admitted, Scope, Token
from labbridge.model.work import Feed
from labbridge.ports import Clock
from labbridge.web.guard import USED_EVERY
from labbridge.web.visits import digest

BELIEVED = timedelta(seconds=0.5)  # a token that was revoked is refused within a second
MOST_BELIEVED = 1000


class People(Protocol):
    def token(self, digest: bytes) -> Token | None: ...

    def used(self, token: Token, now: datetime) -> None: ...


class Programs:
    """Whom a token is of. `feeds`: all there are, by name. One that was just looked up is believed for half a second: a busy
    sender shows its token with each message."""

    def __init__(
        self, people: Callable[[], AbstractContextManager[People]], feeds: Mapping[str, Feed], clock: Clock
    ) -> None:
        self._people, self._feeds, self._clock = people, feeds, clock
        self._believed: dict[bytes, tuple[datetime, Admitted]] = {}

    async def admitted(self, authorization: str) -> Admitted:
        """Who comes with this header. Unfit where it is nobody (401), and where the token is for nothing here (403)."""
        kind, _space, secret = authorization.partition(" ")
        if kind.casefold() != "bearer" or not secret.strip():
            raise unfit("login", "A bearer token is needed here")
        known, now = digest(secret.strip()), self._clock.now()
        since, believed = self._believed.get(known, (now, None))
        if believed is not None and timedelta(0) <= now - since < BELIEVED:
            return believed
        found = await run_in_threadpool(self._look_up, known, now)
        if len(self._believed) >= MOST_BELIEVED:
            self._believed.clear()
        self._believed[known] = (now, found)
        return found

    def _look_up(self, known: bytes, now: datetime) -> Admitted:
        with self._people() as people:
            token = people.token(known)
            if token is None or token.over(now):
                raise _not_in_force()
            found = Admitted(name=token.name, feeds=self._feeds_of(token), scopes=_allowed(token))
            if not found.feeds or not found.scopes:
                raise unfit("forbidden", "This token does not allow this")
            if not token.used or now - datetime.fromisoformat(token.used) >= USED_EVERY:
                people.used(token, now)
        return found

    def _feeds_of(self, token: Token) -> tuple[str, ...]:
        """Those of a token that are there; of one that names none, the only one that takes FHIR."""
        if EVERY_FEED in token.feeds:
            return tuple(self._feeds)
        taking = [name for name, feed in self._feeds.items() if feed.kind == "fhir"]
        named = token.feeds or (taking if len(taking) == 1 else ())
        return tuple(one for one in named if one in self._feeds)


def _allowed(token: Token) -> frozenset[str]:
    """The scopes of SMART that a token has."""
    sent = scopes.EVERYTHING_SENT if Scope.INGEST in token.scopes else ()
    return scopes.together((*token.scopes, *sent))


def _not_in_force() -> Unfit:
    return unfit("login", "This token is not in force")
