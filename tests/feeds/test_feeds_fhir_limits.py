"""What stands before a FHIR body is read (reliability.md 3.1, S-18, S-25): who comes, in what, and how much of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from feeds_fhir import FEED, OTHER, Site, bundle, entry, issue, observation, plain

from labbridge.accounts import Accounts
from labbridge.fhir.guard import LONGEST_BODY
from labbridge.model.people import Scope

DEEP = b'{"resourceType":"Observation","x":' + b"[" * 70 + b"]" * 70 + b"}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(f"sqlite:///{tmp_path / 'store.db'}")
    yield found
    found.close()


@pytest.mark.parametrize("authorization", ["", "Bearer ", "Bearer nope", "Basic bGliOmxpYg==", "Bearer\tx", "lb_"])
async def test_whoever_has_no_token_is_told_so_before_a_byte_of_the_body_is_read(
    site: Site, authorization: str
) -> None:
    asked = 0

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"x" * 10_000_000, "more_body": False}

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", authorization.encode()), (b"content-type", b"application/fhir+json")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/fhir",
        "headers": headers,
        "query_string": b"",
        "scheme": "http",
    }
    await site.app(scope, receive, send)
    assert (sent[0]["status"], asked) == (401, 0)
    assert (b"www-authenticate", b"Bearer") in sent[0]["headers"]
    assert site.kept() == []


async def test_a_token_of_another_kind_lets_nobody_in(site: Site) -> None:
    site.token = site.make_token(Scope.METRICS, name="grafana")
    found = await site.post(observation(), "/fhir/Observation")
    assert (found.status_code, issue(found)["code"]) == (403, "forbidden")


async def test_a_token_is_in_force_until_it_ends_or_is_revoked(site: Site) -> None:
    assert (await site.post(observation("F1"), "/fhir/Observation")).status_code == 201
    Accounts(site.people, site.clock).perform("lis", "Ada Martin", {"act": "revoke"})
    site.clock.forward(seconds=1)
    assert (await site.post(observation("F2"), "/fhir/Observation")).status_code == 401
    site.token = site.make_token(days=1, name="other")
    assert (await site.post(observation("F2"), "/fhir/Observation")).status_code == 201
    site.clock.forward(days=1)
    assert (await site.post(observation("F3"), "/fhir/Observation")).status_code == 401


async def test_what_comes_with_a_token_is_of_its_feed(site: Site) -> None:
    await site.post(observation(), "/fhir/Observation")
    site.token = site.make_token(feed=OTHER.name, name="clinic")
    await site.post(observation(), "/fhir/Observation")
    rows = site.rows.execute("SELECT feed, sender, lanes FROM journal ORDER BY id").fetchall()
    assert [(feed, sender) for feed, sender, _lanes in rows] == [(FEED.name, FEED.sender), (OTHER.name, OTHER.sender)]


async def test_a_token_is_kept_nowhere(site: Site) -> None:
    await site.post(observation(), "/fhir/Observation")
    tables = [name for (name,) in site.rows.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()]
    everything = str([site.rows.execute(f"SELECT * FROM {name}").fetchall() for name in tables])
    assert site.token not in everything
    assert site.token.removeprefix("lb_") not in everything
    assert site.one("SELECT used FROM tokens") == site.clock.now().isoformat()


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/fhir+json", 201),
        ("application/json", 201),
        ("Application/FHIR+JSON; charset=UTF-8", 201),
        ("", 201),
        ("application/fhir+xml", 415),
        ("text/xml", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/fhir+json; charset=latin-1", 415),
    ],
)
async def test_json_in_utf_8_is_taken_and_nothing_else(site: Site, kind: str, status: int) -> None:
    found = await site.post(observation(), "/fhir/Observation", **{"Content-Type": kind})
    assert found.status_code == status
    if status == 415:
        assert issue(found)["code"] == "not-supported"
        assert site.kept() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/fhir/Task", 404),
        ("POST", "/fhir/Observation/1/_history", 404),
        ("POST", "/fhir/nope/..%2f", 404),
        ("DELETE", "/fhir/Observation", 405),
        ("POST", "/fhir/Observation/srp-1", 405),
        ("PATCH", "/fhir", 405),
    ],
)
async def test_an_address_that_takes_nothing_says_so(site: Site, method: str, path: str, status: int) -> None:
    found = await site.post(observation(), path, method)
    assert found.status_code == status
    assert issue(found)["severity"] == "error"


async def test_what_is_not_below_fhir_is_the_pages(site: Site) -> None:
    await site.post(observation(), "/fhirs")
    await site.post(observation(), "/")
    assert site.behind == 2


@pytest.mark.parametrize(
    ("raw", "status", "code", "expression"),
    [
        (b"", 400, "structure", None),
        (b"[]", 400, "structure", None),
        (b"{", 400, "structure", None),
        (b"\xff\xfe{}", 400, "structure", None),
        (DEEP, 400, "structure", True),
        (b"[" * 100_000, 400, "structure", None),
        (b'{"resourceType":"Observation","status":"final","status":"final"}', 400, "invalid", "status"),
        (b'{"resourceType":"Observation","code":{"text":"a","text":"b"}}', 400, "invalid", "Observation.code.text"),
        (b'{"resourceType":"Observation","valueInteger":NaN}', 400, "invalid", "Observation.valueInteger"),
        (
            b'{"resourceType":"Observation","valueInteger":' + b"1" * 65 + b"}",
            400,
            "invalid",
            "Observation.valueInteger",
        ),
        (b'{"resourceType":"Nope"}', 400, "invalid", "resourceType"),
        (b'{"resourceType":"Observation","status":"final"}', 422, "processing", "Observation.code"),
        (b'{"resourceType":"Observation","status":"final","code":{},"x":1}', 422, "processing", "Observation.x"),
    ],
)
async def test_what_is_no_resource_is_refused_at_its_place_and_kept(
    site: Site, raw: bytes, status: int, code: str, expression: str | bool | None
) -> None:
    found = await site.post(raw, "/fhir/Observation")
    told = issue(found)
    assert (found.status_code, told["code"]) == (status, code), told
    if expression is True:
        assert told["expression"]
    else:
        assert told.get("expression") == ([expression] if expression else None)
    assert site.kept() == [("quarantined", "FHIR", raw)]


async def test_a_body_that_is_too_long_is_not_read_to_its_end(site: Site) -> None:
    found = await site.post(b" " * (LONGEST_BODY + 1))
    assert (found.status_code, issue(found)["code"]) == (413, "too-costly")
    assert site.kept() == []


async def test_gzip_is_inflated_as_far_as_a_body_may_go(site: Site) -> None:
    raw = json.dumps(bundle(entry(observation()))).encode()
    assert (await site.post(gzip.compress(raw), **{"Content-Encoding": "gzip"})).status_code == 200
    assert site.kept()[0][2] == raw
    bomb = gzip.compress(b" " * (200 * 2**20), 9)
    found = await site.post(bomb, **{"Content-Encoding": "gzip"})
    assert (found.status_code, issue(found)["code"]) == (413, "too-costly")
    assert (await site.post(raw, **{"Content-Encoding": "gzip"})).status_code == 400
    assert (await site.post(raw, **{"Content-Encoding": "br"})).status_code == 415


async def test_an_id_that_is_not_that_of_the_address_is_refused(site: Site) -> None:
    found = await site.post(observation() | {"id": "a"}, "/fhir/Observation/b", "PUT")
    assert (found.status_code, issue(found)["expression"]) == (400, ["Observation.id"])


async def test_no_answer_quotes_what_a_patient_might_be_known_by(site: Site) -> None:
    canary = "CANARY7391"
    body = observation() | {"status": canary, canary: 1, "issued": canary, "valueQuantity": {"value": canary}}
    for found in (
        await site.post(body, "/fhir/Observation"),
        await site.post(body | {"resourceType": canary}, "/fhir/Observation"),
        await site.post(json.dumps(body).encode().replace(b"final", canary.encode())[:-3], "/fhir/Observation"),
    ):
        assert found.status_code >= 400
        assert canary.encode() not in found.content.replace(b"Observation." + canary.encode(), b"")
        assert plain(found)["issue"]
