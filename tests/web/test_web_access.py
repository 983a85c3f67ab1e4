"""Who gets to which page: every route of the application, every role (S-14, S-16, S-25, S-28)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from web_parts import HERE, Bench

from labbridge.model.people import Right, Role
from labbridge.review import permissions
from labbridge.web.access import ROUTES, Route
from labbridge.web.application import site

CLOSED = [one for one in ROUTES if not one.open]
UNSAFE = [one for one in ROUTES if one.method == "POST"]
MATRIX = {
    Right.SEE_CASES: {Role.VIEWER, Role.SCIENTIST, Role.SENIOR, Role.AUTHOR, Role.APPROVER, Role.AUDITOR},
    Right.DECIDE: {Role.SCIENTIST, Role.SENIOR},
    Right.SIGN: {Role.SCIENTIST, Role.SENIOR},
    Right.SECOND_READ: {Role.SENIOR},
    Right.EXPORT: {Role.SCIENTIST, Role.SENIOR, Role.AUDITOR},
    Right.SEE_MESSAGES: {Role.SCIENTIST, Role.SENIOR, Role.INTEGRATOR, Role.AUDITOR},
    Right.OPEN_RAW: {Role.SENIOR, Role.INTEGRATOR},
    Right.REPAIR: {Role.SENIOR, Role.INTEGRATOR},
    Right.SEE_STATUS: set(Role),
    Right.MANAGE_PEOPLE: {Role.ADMIN},
    Right.SUSPEND: {Role.SCIENTIST, Role.SENIOR, Role.APPROVER, Role.INTEGRATOR},
    Right.RESUME: {Role.APPROVER},
    Right.SEE_KNOWLEDGE: {Role.VIEWER, Role.SCIENTIST, Role.SENIOR, Role.AUTHOR, Role.APPROVER, Role.AUDITOR},
    Right.AUTHOR_KNOWLEDGE: {Role.AUTHOR},
    Right.APPROVE_KNOWLEDGE: {Role.APPROVER},
    Right.TRY_KNOWLEDGE: {Role.AUTHOR, Role.APPROVER},
    None: set(Role),
}
"""By right, the roles that have it: written down here a second time, so that a change of one alone is noticed."""


def named(one: Route) -> str:
    return f"{one.method} {one.path}"


def concrete(one: Route) -> str:
    return (
        one.path.replace("{case}", "C1")
        .replace("{login}", "nobody")
        .replace("{item:path}", "rule:srp-strong")
        .replace("{replay}", "R1")
        .replace("{message}", "M1")
        .replace("{delivery}", "D1")
        .replace("{name}", "OBX")
        .replace("{number}", "1")
    )


def test_every_route_of_the_application_is_listed_and_every_listed_one_is_there(bench: Bench) -> None:
    found = {(method, route.path) for route in site(bench.parts).routes for method in getattr(route, "methods", [])}
    assert found == {(one.method, one.path) for one in ROUTES}
    assert {one.right for one in CLOSED} <= set(MATRIX)
    provider = {"GET /login/oidc", "GET /login/oidc/callback"}
    known = ("/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration", "/.well-known/jwks.json")
    smart = {"POST /token", *(f"GET {one}" for one in known)}
    assert {named(one) for one in ROUTES if one.open} == {"GET /livez", "GET /login", "POST /login", *provider, *smart}


@pytest.mark.parametrize("one", CLOSED, ids=named)
def test_without_a_sign_in_there_is_nothing(bench: Bench, one: Route) -> None:
    answer = bench.browser().request(one.method, concrete(one), headers={"Origin": HERE})
    assert (answer.status_code, answer.text) == (401, "Sign in first\n")
    reader = bench.browser().request(one.method, concrete(one), headers={"Accept": "text/html"})
    assert (reader.status_code, reader.headers.get("location")) == (
        (303, "/login") if one.method == "GET" else (401, None)
    )


@pytest.mark.parametrize("role", list(Role))
def test_each_role_gets_to_its_own_pages_and_to_no_other(bench: Bench, role: Role) -> None:
    browser = bench.signed_in("one", role)
    for one in CLOSED:
        if one.path == "/logout":
            continue
        answer = browser.get(concrete(one)) if one.method == "GET" else browser.post(concrete(one))
        refused = answer.status_code == 403
        assert refused is (role not in MATRIX[one.right]), f"{named(one)}: {answer.status_code}"
        assert answer.status_code in (200, 204, 303, 400, 404, 422) or refused


@pytest.mark.parametrize("one", [one for one in UNSAFE if not one.open], ids=named)
def test_a_change_needs_the_token_of_the_page_and_the_page_of_this_site(bench: Bench, one: Route) -> None:
    browser = bench.signed_in("one", Role.ADMIN)
    assert browser.post(concrete(one), token=False).status_code == 403
    assert (
        browser.client.post(concrete(one), headers={"Origin": "null", "X-CSRF-Token": browser.csrf}).status_code == 403
    )
    for odd in ({"Origin": "http://127.0.0.1.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}):
        assert browser.post(concrete(one), **odd).status_code == 403
    assert browser.client.post(concrete(one), headers={"X-CSRF-Token": "0" * 64}).status_code == 403
    assert bench.audit("account made") == [("test", "one", "")]


def test_a_token_of_another_sign_in_is_none(bench: Bench) -> None:
    first, second = bench.signed_in(), bench.signed_in()
    assert first.client.post("/account", headers={"X-CSRF-Token": second.csrf}).status_code == 403


def test_a_sign_in_from_a_page_elsewhere_is_refused(bench: Bench) -> None:
    bench.person()
    answer = bench.browser().post("/login", data={"login": "anna"}, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "path", ["/docs", "/redoc", "/openapi.json", "/cases", "/worklist/", "/static/../app.py", "/nothing"]
)
def test_what_is_not_listed_is_not_there(bench: Bench, path: str) -> None:
    assert bench.signed_in("one", Role.ADMIN).get(path).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_not_there(bench: Bench, method: str) -> None:
    browser = bench.signed_in("one", Role.ADMIN)
    assert browser.client.request(method, "/people", headers={"X-CSRF-Token": browser.csrf}).status_code == 404


def test_a_body_of_somebody_unknown_is_not_read(bench: Bench) -> None:
    """Ten megabytes without a sign-in: refused before a byte of it is taken."""
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": "/people", "raw_path": b"/people", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"content-length", b"10485760")], "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(bench.app(scope, receive, send))
    assert sent[0]["status"] == 401


def test_a_longer_body_than_any_form_is_refused(bench: Bench) -> None:
    browser = bench.signed_in("one", Role.ADMIN)
    assert browser.post("/people", {"login": "x" * 2**21}).status_code == 413


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80"])
def test_another_name_for_this_address_is_refused(bench: Bench, host: str) -> None:
    """A page elsewhere whose name was made to lead here (DNS rebinding) gets nothing."""
    assert bench.browser().get("/login", headers={"Host": host}).status_code == 421


def test_every_answer_carries_its_headers(bench: Bench) -> None:
    browser = bench.signed_in()
    for path in ("/worklist", "/nothing", "/static/workbench.css", "/login"):
        headers = browser.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert browser.get("/worklist").headers["cache-control"] == "no-store"
    assert "max-age" in browser.get("/static/workbench.css").headers["cache-control"]


def test_nobody_who_manages_accounts_signs() -> None:
    assert not permissions.RIGHTS[Role.ADMIN] & {Right.SIGN, Right.DECIDE, Right.SEE_CASES, Right.SECOND_READ}
    assert set(permissions.RIGHTS) == set(Role)
