"""The workbench on a real store, asked as a browser asks it, with a clock that is set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from fastapi.testclient import TestClient

from labbridge.model.people import Person, Role, Session
from labbridge.model.work import AuditEvent
from labbridge.sources import meanings
from labbridge.store import opening
from labbridge.store.bench import StoreBench
from labbridge.store.connection import Connection
from labbridge.store.people import StorePeople
from labbridge.store.shift import StoreShift
from labbridge.store.units import LocalUnits
from labbridge.store.writer import Writer
from labbridge.web import passwords, visits
from labbridge.web.application import application
from labbridge.web.parts import Parts, Pool
from labbridge.web.throttle import Throttle
from labbridge.web.visits import Ages

PASSWORD = "river lantern tuba 93"
SECRET = passwords.hashed(PASSWORD)
HERE = "http://127.0.0.1"
AGES = Ages(timedelta(minutes=15), timedelta(hours=10), timedelta(minutes=5))


class SetClock:
    """A clock that is set, for the pages and the throttle."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def forward(self, **amount: float) -> None:
        self.at += timedelta(**amount)


class Bench:
    """A workbench. `acts` are the requests that would have gone to the service."""

    def __init__(self, url: str) -> None:
        self._held = opening.held(url)
        self.writer = Writer(self._held.__enter__().writer())
        self._url, self._readers = url, list[Connection]()
        self.rows = self._reader()
        self.clock, self.acts = SetClock(), list[dict[str, Any]]()
        self.people = StorePeople(self._reader(), LocalUnits(self.writer))
        self.parts = Parts(
            people=Pool(lambda: StorePeople(self._reader(), LocalUnits(self.writer)), 2),
            cases=Pool(lambda: StoreBench(self._reader()), 2),
            shift=Pool(lambda: StoreShift(self._reader(), LocalUnits(self.writer)), 1),
            act=self._act,
            clock=self.clock,
            ages=AGES,
            throttle=Throttle(self.clock.seconds),
            meanings=meanings(),
        )
        self.app = application(self.parts)

    def _reader(self) -> Connection:
        self._readers.append(opening.reader(self._url))
        return self._readers[-1]

    def _act(self, request: dict[str, Any]) -> dict[str, Any]:
        self.acts.append(request)
        return {"ok": True, "done": []}

    def close(self) -> None:
        self.writer.close()
        for reader in self._readers:
            reader.close()
        self._held.__exit__(None, None, None)

    def browser(self, base: str = HERE, client: tuple[str, int] = ("127.0.0.1", 50_000)) -> TestClient:
        return TestClient(self.app, base_url=base, client=client, follow_redirects=False)

    def person(self, login: str = "anna", *roles: Role, feeds: tuple[str, ...] = ("*",), **more: Any) -> Person:
        """Somebody with an account."""
        made = Person(
            key=0, login=login, name=f"{login.title()} Test", roles=frozenset(roles or (Role.SCIENTIST,)),
            feeds=feeds, secret=SECRET, **more,
        )  # fmt: skip
        self.people.add(made, AuditEvent(at=self.clock.now(), actor="test", action="account made", subject=login))
        found = self.people.by_login(login)
        assert found is not None
        return found

    def signed_in(self, login: str = "anna", *roles: Role, **more: Any) -> Browser:
        """A browser in which somebody has signed in; the account is made where there is none."""
        person = self.people.by_login(login) or self.person(login, *roles, **more)
        secret, now = visits.new_secret(), self.clock.now()
        session = Session(digest=visits.digest(secret), person=person, opened=now, seen=now, proven=now)
        event = AuditEvent(at=now, actor=login, action="signed in", subject="workbench")
        self.people.open(session, event, now - AGES.idle, now - AGES.longest)
        return Browser(self.browser(), secret)

    def audit(self, action: str) -> list[tuple[str, str, str]]:
        """Actor, subject and detail of each line of an action."""
        asked = "SELECT actor, subject, detail FROM audit WHERE action = ? ORDER BY id"
        return [tuple(row) for row in self.rows.execute(asked, (action,)).fetchall()]


class Browser:
    """A client with a sign-in; it sends the token that stands in its pages."""

    def __init__(self, client: TestClient, secret: str) -> None:
        self.client, self.secret = client, secret
        self.client.cookies.set(visits.COOKIE, secret)

    @property
    def csrf(self) -> str:
        return visits.Visit(session=msgspec.UNSET, secret=self.secret).csrf  # type: ignore[arg-type]

    def get(self, path: str, **more: Any) -> Any:
        return self.client.get(path, **more)

    def post(self, path: str, data: dict[str, Any] | None = None, *, token: bool = True, **headers: str) -> Any:
        sent = {"Origin": HERE, "Sec-Fetch-Site": "same-origin", **headers}
        if token:
            sent["X-CSRF-Token"] = self.csrf
        return self.client.post(path, data=data or {}, headers=sent)


@contextmanager
def benched(url: str) -> Iterator[Bench]:
    found = Bench(url)
    try:
        yield found
    finally:
        found.close()
