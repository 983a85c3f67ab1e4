"""Two persons under what the machine says, held by the database and for the content that was read (S-17)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from labbridge.approving import Approving, signer_of
from labbridge.model.approvals import AS_SHIPPED, Standing
from labbridge.model.items import Item
from labbridge.model.people import Person, Role
from labbridge.model.work import AuditEvent
from labbridge.review import approvals
from labbridge.store import opening
from labbridge.store.approvals import StoreApprovals
from labbridge.store.connection import Connection
from labbridge.store.people import StorePeople
from labbridge.store.units import LocalUnits
from labbridge.store.writer import Writer

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def item(key: str, content: str = "a", *, site: bool = True) -> Item:
    return Item(key=key, sha256=content * 64, version=3, site=site, file="rules/x.yaml", text=f"- id: {key} {content}")


class SetClock:
    def now(self) -> datetime:
        return NOW


class Office:
    """A store, its accounts, and whoever signs at it."""

    def __init__(self, url: str) -> None:
        self._held = opening.held(url)
        self.writer = Writer(self._held.__enter__().writer())
        self.reader: Connection = opening.reader(url)
        self.people = StorePeople(self.reader, LocalUnits(self.writer))
        self.store = StoreApprovals(self.reader, self.writer)
        self.items = {one.key: one for one in (item("rule:own"), item("rule:other"), item("comment:C01", site=False))}
        self.approving = Approving(lambda: self.items, self.store, self.people, SetClock())

    def close(self) -> None:
        self.writer.close()
        self.reader.close()
        self._held.__exit__(None, None, None)

    def account(self, login: str, *roles: Role, **more: str) -> None:
        made = Person(key=0, login=login, name=login.title(), roles=frozenset(roles), feeds=("*",), secret="x", **more)
        self.people.add(made, AuditEvent(at=NOW, actor="test", action="account made", subject=login))

    def sign(self, who: str, act: str, *keys: str, why: str = "because", person: bool = False) -> list[str]:
        """What each item was refused for; empty where it was signed."""
        asked = {"act": act, "why": why, **({"person": who} if person else {})}
        return [one.get("error", "") for one in self.approving.perform(list(keys), who, asked)]

    def standing(self, key: str) -> Standing:
        return approvals.standing(self.items[key], approvals.in_force(self.store.all()))


@pytest.fixture(params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    with closing(Office(url)) as found:
        yield found


def test_one_puts_forward_and_another_approves(office: Office) -> None:
    assert office.standing("rule:own") is Standing.UNSIGNED
    assert office.sign("anna", "put_forward", "rule:own") == [""]
    assert office.standing("rule:own") is Standing.PUT_FORWARD
    assert "another person" in office.sign("anna", "approve", "rule:own")[0]
    assert office.sign("bert", "approve", "rule:own") == [""]
    assert office.standing("rule:own") is Standing.APPROVED
    (kept,) = office.store.of_item("rule:own")
    assert (kept.author, kept.approver, kept.approved, kept.sha256) == ("anna", "bert", NOW, "a" * 64)
    assert (kept.text, kept.why, kept.meaning) == (
        "- id: rule:own a",
        "because",
        "read and approved for use at this site",
    )
    lines = office.reader.execute("SELECT actor, action, subject, detail FROM audit ORDER BY id").fetchall()
    assert [tuple(one) for one in lines] == [
        ("anna", "put forward", "rule:own", "a" * 64),
        ("bert", "approved", "rule:own", "a" * 64),
    ]


def test_what_nobody_here_wrote_is_approved_by_one_person(office: Office) -> None:
    assert "as shipped" in office.sign("anna", "put_forward", "comment:C01")[0]
    assert office.sign("anna", "approve", "comment:C01") == [""]
    assert office.store.of_item("comment:C01")[0].author == AS_SHIPPED
    assert "is approved by anna" in office.sign("bert", "approve", "comment:C01")[0]


def test_what_a_site_wrote_is_put_forward_first(office: Office) -> None:
    assert "Nobody has put" in office.sign("bert", "approve", "rule:own")[0]
    assert office.standing("rule:own") is Standing.UNSIGNED


def test_another_content_is_not_signed(office: Office) -> None:
    office.sign("anna", "put_forward", "rule:own")
    office.sign("bert", "approve", "rule:own")
    office.items["rule:own"] = item("rule:own", "b")
    assert office.standing("rule:own") is Standing.UNSIGNED
    assert "is not as it was read" in office.sign("bert", "approve", f"rule:own@{'a' * 12}")[0]
    assert "Nobody has put" in office.sign("bert", "approve", f"rule:own@{'b' * 12}")[0]
    office.items["rule:own"] = item("rule:own")  # and what was approved once stays so when it comes back
    assert office.standing("rule:own") is Standing.APPROVED


def test_a_hash_that_says_too_little_is_refused(office: Office) -> None:
    assert "is not as it was read" in office.sign("anna", "put_forward", "rule:own@aaa")[0]


def test_an_approval_is_taken_back_and_given_anew(office: Office) -> None:
    assert "nothing to take back" in office.sign("anna", "withdraw", "rule:own")[0]
    office.sign("anna", "put_forward", "rule:own")
    office.sign("bert", "approve", "rule:own")
    assert "reason is missing" in office.sign("cora", "withdraw", "rule:own", why="")[0]
    assert office.sign("cora", "withdraw", "rule:own", why="kit changed") == [""]
    assert office.standing("rule:own") is Standing.UNSIGNED
    assert office.sign("anna", "put_forward", "rule:own") == [""]
    assert office.sign("bert", "approve", "rule:own") == [""]
    first, second = office.store.of_item("rule:own")
    assert (first.withdrawn, first.withdrawn_by, first.withdrawn_why) == (NOW, "cora", "kit changed")
    assert second.withdrawn is None


def test_a_pattern_signs_what_it_names_and_tells_of_each(office: Office) -> None:
    office.sign("anna", "put_forward", "rule:*")
    assert office.sign("anna", "approve", "*") == [
        "You put rule:own@aaaaaaaaaaaa forward: another person approves it",
        "You put rule:other@aaaaaaaaaaaa forward: another person approves it",
        "",
    ]
    assert "no item is called so" in office.sign("bert", "approve", "nothing:*")[0]
    assert (
        office.sign("bert", "approve", "rule:own", "rule:gone")
        == ["rule:gone: no item is called so; `labbridge sign` lists them"] * 2
    )
    assert office.standing("rule:own") is Standing.PUT_FORWARD


def test_where_there_are_accounts_roles_decide(office: Office) -> None:
    office.account("anna", Role.AUTHOR, Role.APPROVER)
    office.account("bert", Role.APPROVER)
    office.account("cora", Role.SENIOR)
    assert "needs the role author" in office.sign("bert", "put_forward", "rule:own", person=True)[0]
    assert "no open account" in office.sign("somebody", "put_forward", "rule:own")[0]
    assert office.sign("Anna", "put_forward", "rule:own") == [""]  # by the name, on the command line
    assert "another person" in office.sign("anna", "approve", "rule:own", person=True)[0]  # by the login, in a window
    assert "needs the role approver" in office.sign("cora", "approve", "rule:own", person=True)[0]
    assert office.sign("bert", "approve", "rule:own", person=True) == [""]


def test_a_role_that_was_taken_away_meanwhile_signs_nothing(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.account("anna", Role.AUTHOR)
    office.account("bert", Role.APPROVER)
    office.sign("anna", "put_forward", "rule:own", person=True)
    signer = signer_of(office.people, "bert", "bert")  # the page was made while he still had it
    office.writer.submit(lambda c: c.execute("UPDATE people SET roles = 'viewer' WHERE login = 'bert'")).result()
    monkeypatch.setattr("labbridge.approving.signer_of", lambda _people, _name, _login: signer)
    assert "needs the role approver" in office.sign("bert", "approve", "rule:own", person=True)[0]
    assert office.standing("rule:own") is Standing.PUT_FORWARD


@pytest.mark.parametrize("kind", ["rule:own", "comment:own", "kit:own", "code:lis:own"])
def test_of_a_thousand_tries_at_once_none_gets_past_the_second_person(office: Office, kind: str) -> None:
    """The same person in many windows and at the command line, some with the content of before."""
    office.items = {kind: item(kind)}
    office.account("anna", Role.AUTHOR, Role.APPROVER)
    with ThreadPoolExecutor(16) as pool:
        put = list(pool.map(lambda _n: office.sign("anna", "put_forward", kind, person=True)[0], range(50)))
        tried = list(pool.map(partial(tries, office, kind), range(1000)))
    assert put.count("") == 1
    assert not any(signed == "" for signed in tried)
    assert office.standing(kind) is Standing.PUT_FORWARD
    office.account("bert", Role.APPROVER)
    with ThreadPoolExecutor(16) as pool:
        second = list(pool.map(lambda _n: office.sign("bert", "approve", kind, person=True)[0], range(50)))
    assert second.count("") == 1
    assert len(office.store.of_item(kind)) == 1


def tries(office: Office, kind: str, number: int) -> str:
    shown = (kind, f"{kind}@{'a' * 12}", f"{kind}@{'b' * 12}", kind.partition(":")[0] + ":*")[number % 4]
    return office.sign("anna" if number % 2 else "Anna", "approve", shown, person=bool(number % 2))[0]


def test_the_database_itself_wants_two(office: Office) -> None:
    columns = "item, sha256, version, author, author_name, put_forward, approver"
    alone = f"INSERT INTO approvals({columns}) VALUES ('x', 'y', 0, 'a', 'A', 't', 'a')"
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda _n: office.writer.submit(lambda c: c.execute(alone)).exception(), range(200)))
    assert all("CHECK" in str(one).upper() for one in written)
    assert office.reader.execute("SELECT count(*) FROM approvals").fetchone() == (0,)


def test_a_knowledge_is_kept_once_and_found_again(office: Office) -> None:
    assert office.store.knowledge("sha256:1") is None
    office.store.keep("sha256:1", b"texts", NOW)
    office.store.keep("sha256:1", b"others", NOW)
    assert office.store.knowledge("sha256:1") == b"texts"
