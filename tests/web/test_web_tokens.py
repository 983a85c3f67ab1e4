"""Tokens of programs (S-16, S-18): which routes let them in, how they end, and that they are kept nowhere."""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from test_web_access import concrete
from web_parts import HERE, Bench

from labbridge.accounts import Accounts
from labbridge.errors import Refused
from labbridge.model.people import Role, Scope
from labbridge.web import visits
from labbridge.web.access import ROUTES, Route
from labbridge.web.application import application

CLOSED = [one for one in ROUTES if not one.open]


def told(request: Request) -> Response:
    return PlainTextResponse(f"{request.state.token.name}\n")


PROGRAMS = (
    *ROUTES,
    Route("GET", "/figures", told, scope=Scope.METRICS),
    Route("POST", "/figures", told, scope=Scope.METRICS),
)


def made(bench: Bench, scope: Scope = Scope.METRICS, days: int = 30, name: str = "grafana") -> str:
    """A token, by the command line's act."""
    secret = f"lb_{secrets.token_urlsafe(32)}"
    request = {"act": "token", "scope": scope.value, "days": days, "digest": visits.digest(secret).hex()}
    Accounts(bench.people, bench.clock).perform(name, "Ada Martin", request)
    return secret


def bearing(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def open_to_programs(anywhere: Bench) -> Bench:
    """A workbench with a route that lets a scope in: the pages have none."""
    anywhere.app = application(anywhere.parts, PROGRAMS)
    return anywhere


def named(one: Route) -> str:
    return f"{one.method} {one.path}"


def used(bench: Bench) -> str:
    return str(bench.rows.execute("SELECT used FROM tokens").fetchone()[0])


# ---------------------------------------------------------------- where they are let in


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("one", CLOSED, ids=named)
def test_no_page_lets_a_token_in_that_it_does_not_name(bench: Bench, one: Route, scope: Scope) -> None:
    assert one.scope is None
    path = concrete(one)
    answer = bench.browser().request(one.method, path, headers={"Origin": HERE, **bearing(made(bench, scope))})
    assert (answer.status_code, answer.text) == (403, "This token does not allow this\n")
    assert used(bench) == ""


def test_a_route_lets_in_the_scope_that_it_names(open_to_programs: Bench) -> None:
    browser = open_to_programs.browser()
    right, other = made(open_to_programs), made(open_to_programs, Scope.INGEST, name="analyser")
    for method in ("GET", "POST"):  # a program sends no page's token: nobody's browser sends its header for it
        answer = browser.request(method, "/figures", headers=bearing(right))
        assert (answer.status_code, answer.text) == (200, "grafana\n")
        assert browser.request(method, "/figures", headers=bearing(other)).status_code == 403


def test_a_program_is_no_person_and_a_person_no_program(open_to_programs: Bench) -> None:
    """Beside a token no cookie counts, so that nobody is two."""
    person = open_to_programs.signed_in("boss", Role.ADMIN)
    assert person.get("/people").status_code == 200
    assert person.get("/people", headers=bearing(made(open_to_programs))).status_code == 403
    assert person.get("/people", headers=bearing("lb_unknown")).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer",
        "Bearer ",
        "Bearer lb_",
        "Basic bGI6",
        "lb_{}",
        "Token {}",
        "Bearer {} x",
        "Bearer x{}",
        "Bearer \u00ff{}",
    ],
)
def test_what_is_no_token_opens_nothing(open_to_programs: Bench, authorization: str) -> None:
    secret = made(open_to_programs)
    header = authorization.format(secret.removeprefix("lb_") if "lb_{}" in authorization else secret)
    answer = open_to_programs.browser().get("/figures", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


# ---------------------------------------------------------------- how they end


def test_a_token_that_was_revoked_is_refused_from_then_on(open_to_programs: Bench) -> None:
    secret = made(open_to_programs)
    browser = open_to_programs.browser()
    assert browser.get("/figures", headers=bearing(secret)).status_code == 200
    Accounts(open_to_programs.people, open_to_programs.clock).perform("grafana", "Ada Martin", {"act": "revoke"})
    assert browser.get("/figures", headers=bearing(secret)).status_code == 401
    assert open_to_programs.audit("token revoked") == [("Ada Martin", "grafana", "")]


def test_a_token_ends_with_its_day(open_to_programs: Bench) -> None:
    secret = made(open_to_programs, days=1)
    open_to_programs.clock.forward(hours=23, minutes=59)
    assert open_to_programs.browser().get("/figures", headers=bearing(secret)).status_code == 200
    open_to_programs.clock.forward(minutes=1)
    assert open_to_programs.browser().get("/figures", headers=bearing(secret)).status_code == 401


@pytest.mark.parametrize("days", [0, 366, -1, None, "30"])
def test_no_token_lasts_longer_than_a_year(bench: Bench, days: Any) -> None:
    with pytest.raises(Refused, match="1 to 365 days"):
        made(bench, days=days)


def test_its_last_use_is_written_down_once_a_minute(open_to_programs: Bench) -> None:
    secret, browser = made(open_to_programs), open_to_programs.browser()
    first = open_to_programs.clock.now()
    for seconds in (0, 30, 29):
        open_to_programs.clock.forward(seconds=seconds)
        assert browser.get("/figures", headers=bearing(secret)).status_code == 200
        assert used(open_to_programs) == first.isoformat()
    open_to_programs.clock.forward(seconds=1)
    browser.get("/figures", headers=bearing(secret))
    assert used(open_to_programs) == (first + timedelta(minutes=1)).isoformat()


# ---------------------------------------------------------------- where they are


def test_the_store_holds_no_token(open_to_programs: Bench) -> None:
    secret = made(open_to_programs)
    open_to_programs.browser().get("/figures", headers=bearing(secret))
    row = open_to_programs.rows.execute("SELECT * FROM tokens").fetchone()
    assert row is not None
    assert secret not in repr(row)
    assert visits.digest(secret) in [bytes(one) for one in row if isinstance(one, (bytes, memoryview))]
    assert secret not in repr(
        open_to_programs.rows.execute("SELECT actor, action, subject, detail FROM audit").fetchall()
    )


# ---------------------------------------------------------------- who may do what, for who manages accounts


def test_whoever_manages_accounts_sees_what_programs_may_do(bench: Bench) -> None:
    made(bench, days=2)
    request = {"scope": "ingest system/Patient.r", "days": 30, "feed": "posted", "digest": visits.digest("x").hex()}
    accounts = Accounts(bench.people, bench.clock, feeds=("posted",), others=("myolis",))
    accounts.perform("lis", "Ada Martin", {"act": "token", **request})
    accounts.perform("old", "Ada Martin", {"act": "token", **request, "digest": visits.digest("y").hex()})
    accounts.perform("old", "Ada Martin", {"act": "revoke"})
    bench.clock.forward(days=3)
    page = bench.signed_in("boss", Role.ADMIN).get("/people").text
    table = page[page.index("<h2>Programs") : page.index('<div class="columns">')]
    rows = [re.sub(r"<[^>]+>|\s+", " ", one).split() for one in table.split("<tr>")[2:]]
    until = (bench.clock.now() + timedelta(days=27)).date().isoformat()
    ended = (bench.clock.now() - timedelta(days=1)).date().isoformat()
    assert rows == [
        ["grafana", "metrics", "–", "expired", ended, "never"],
        ["lis", "ingest", "system/Patient.r", "posted", "in", "force", until, "never"],
        ["old", "ingest", "system/Patient.r", "posted", "revoked", until, "never"],
    ]


def test_a_token_that_reads_every_feed_says_so(bench: Bench) -> None:
    accounts = Accounts(bench.people, bench.clock, feeds=("posted",), others=("myolis",))
    request = {"act": "token", "days": 30, "digest": visits.digest("x").hex(), "scope": "system/*.rs"}
    told = accounts.perform("reader", "Ada Martin", {**request, "feed": "*"})
    assert told.startswith("token reader for every feed valid until ")
    other = {**request, "digest": visits.digest("y").hex(), "feed": "posted myolis"}
    assert accounts.perform("second", "Ada Martin", other).startswith("token second for the feeds posted, myolis valid")
    assert [one.feeds for one in bench.people.tokens()] == [("*",), ("posted", "myolis")]
    assert bench.audit("token made")[0] == ("Ada Martin", "reader", "system/*.rs *")
