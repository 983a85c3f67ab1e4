"""Programs that send FHIR: a bearer token lets one in to its feed (reliability.md S-18)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from starlette.concurrency import run_in_threadpool

from labbridge.fhir.faults import Unfit, unfit
from labbridge.model.people import Scope, Token
from labbridge.ports import Clock
from labbridge.web.guard import USED_EVERY
from labbridge.web.visits import digest

BELIEVED = timedelta(seconds=0.5)  # a token that was revoked is refused within a second
MOST_BELIEVED = 1000


class People(Protocol):
    def token(self, digest: bytes) -> Token | None: ...

    def used(self, token: Token, now: datetime) -> None: ...


class Programs:
    """Whom a token is of. `feeds`: those that take FHIR. One that was just looked up is believed for half a second: a busy
    sender shows its token with each message."""

    def __init__(
        self, people: Callable[[], AbstractContextManager[People]], feeds: Sequence[str], clock: Clock
    ) -> None:
        self._people, self._feeds, self._clock = people, tuple(feeds), clock
        self._believed: dict[bytes, tuple[datetime, str]] = {}

    async def feed_of(self, authorization: str) -> str:
        """The feed that what comes with this header is of. Unfit where it is of none."""
        kind, _space, secret = authorization.partition(" ")
        if kind.casefold() != "bearer" or not secret.strip():
            raise unfit("login", "A bearer token is needed here")
        known, now = digest(secret.strip()), self._clock.now()
        since, feed = self._believed.get(known, (now, ""))
        if feed and timedelta(0) <= now - since < BELIEVED:
            return feed
        found = await run_in_threadpool(self._look_up, known, now)
        if len(self._believed) >= MOST_BELIEVED:
            self._believed.clear()
        self._believed[known] = (now, found)
        return found

    def _look_up(self, known: bytes, now: datetime) -> str:
        with self._people() as people:
            token = people.token(known)
            if token is None or token.over(now):
                raise _not_in_force()
            feed = token.feed or (self._feeds[0] if len(self._feeds) == 1 else "")
            if token.scope is not Scope.INGEST or feed not in self._feeds:
                raise unfit("forbidden", "This token does not allow this")
            if not token.used or now - datetime.fromisoformat(token.used) >= USED_EVERY:
                people.used(token, now)
        return feed


def _not_in_force() -> Unfit:
    return unfit("login", "This token is not in force")
