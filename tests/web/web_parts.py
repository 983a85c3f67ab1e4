"""The workbench on a real store, asked as a browser asks it, with a clock that is set."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from fastapi.testclient import TestClient

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.judging import JudgeProcess
from labbridge.model.people import Person, Role, Session
from labbridge.model.work import AuditEvent
from labbridge.ordering import RankingOnDemand
from labbridge.sources import ItemsOnDemand, RulesOnDemand, comment_code, meanings_of, read_all, reference_of
from labbridge.store import opening
from labbridge.store.approvals import StoreApprovals
from labbridge.store.bench import StoreBench
from labbridge.store.changes import StoreChanges
from labbridge.store.connection import Connection
from labbridge.store.deliveries import StoreDeliveries
from labbridge.store.messages import StoreMessages
from labbridge.store.people import StorePeople
from labbridge.store.replays import StoreReplays
from labbridge.store.shift import StoreShift
from labbridge.store.status import StoreStatus
from labbridge.store.units import LocalUnits
from labbridge.store.unmapped import StoreUnmapped
from labbridge.suggest import SuggestionsOnDemand
from labbridge.web import passwords, visits
from labbridge.web.application import application
from labbridge.web.parts import Parts, Pool
from labbridge.web.throttle import Throttle
from labbridge.web.visits import Ages
from tests.rows.rows_tables import SECTION as ROWS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "story"))
from fhir_parts import POSTED, SECTION
from story_parts import ASKING, ELSEWHERE, FEED, SITE, Laboratory

CONFIG = Config.model_validate(
    {
        "facility": "LABA",
        "feeds": {"myolis": {"timezone": "Europe/Paris"}, "posted": SECTION, "tables": ROWS},
        "receivers": {"lis": {"address": "127.0.0.1:9"}},
        "knowledge": {"site": SITE},
    }
)
TEXTS = read_all()
JUDGE = JudgeProcess()
"""One for all tests of a process."""
PASSWORD = "river lantern tuba 93"
SECRET = passwords.hashed(PASSWORD)
HERE = "http://127.0.0.1"
AGES = Ages(timedelta(minutes=15), timedelta(hours=10), timedelta(minutes=5))


class Bench:
    """A workbench in a laboratory: the pages, and the service that acts for them on the same store."""

    def __init__(self, url: str) -> None:
        self.lab = Laboratory(url)
        self.writer, self.clock = self.lab.writer, self.lab.clock
        self._url, self._readers = url, list[Connection]()
        self.rows = self._reader()
        self.people = StorePeople(self._reader(), LocalUnits(self.writer))
        self.parts = Parts(
            people=Pool(lambda: StorePeople(self._reader(), LocalUnits(self.writer)), 2),
            cases=Pool(lambda: StoreBench(self._reader()), 2),
            shift=Pool(lambda: StoreShift(self._reader(), LocalUnits(self.writer)), 1),
            messages=Pool(lambda: StoreMessages(self._reader()), 2),
            deliveries=Pool(lambda: StoreDeliveries(self._reader()), 2),
            replays=Pool(lambda: StoreReplays(self._reader()), 1),
            approvals=Pool(lambda: StoreApprovals(self._reader()), 1),
            changes=Pool(lambda: StoreChanges(self._reader()), 1),
            unmapped=Pool(lambda: StoreUnmapped(self._reader()), 1),
            suggestions=SuggestionsOnDemand(SITE),
            items=ItemsOnDemand(SITE),
            status=Pool(lambda: StoreStatus(self._reader()), 1),
            feeds={feed.name: feed for feed in (FEED, ELSEWHERE, ASKING, POSTED)},
            act=self._act,
            clock=self.clock,
            ages=AGES,
            throttle=Throttle(lambda: self.clock.now().timestamp()),
            rules=RulesOnDemand(SITE),
            ranking=RankingOnDemand(),
            undo_s=120.0,
            meanings=meanings_of(TEXTS),
            reference=reference_of(TEXTS),
        )
        self.app = application(self.parts)

    def with_parts(self, **changed: Any) -> None:
        """The same workbench with other parts."""
        self.parts = self.parts._replace(**changed)
        self.app = application(self.parts)

    def _reader(self) -> Connection:
        self._readers.append(opening.reader(self._url))
        return self._readers[-1]

    def _act(self, request: dict[str, Any]) -> dict[str, Any]:
        """As the control socket carries it: JSON there and back."""
        here = self.parts.reference.critical_owner == "labbridge"
        acts = Acts(CONFIG, comment_code(SITE), self.lab.desk, self.clock, self.people, called_here=here, judge=JUDGE)
        told = acts.perform(msgspec.json.decode(msgspec.json.encode(request), type=dict[str, Any]))
        return msgspec.json.decode(msgspec.json.encode(told), type=dict[str, Any])

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self.lab.close()

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
