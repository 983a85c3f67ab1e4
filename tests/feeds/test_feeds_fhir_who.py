"""Who may do what below /fhir: a token's scopes and feeds, held against what comes, before and after it is read."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from feeds_fhir import FEED, OTHER, Site, bundle, entry, issue, observation, patient

from labbridge.accounts import Accounts
from labbridge.errors import Refused
from labbridge.fhir.faults import Unfit
from labbridge.model.people import EVERY_FEED
from labbridge.observe import logs
from labbridge.programs import Programs
from labbridge.store.people import StorePeople
from labbridge.web.visits import digest

NOT_ALLOWED = "This token does not allow this"
BOTH = f"{FEED.name} {OTHER.name}"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    found = Site(f"sqlite:///{tmp_path / 'store.db'}")
    yield found
    found.close()


def refused(found: Any) -> tuple[int, str, Any]:
    told = issue(found)
    return found.status_code, told["diagnostics"], told.get("expression")


@pytest.mark.parametrize(
    ("scope", "method", "to", "body", "status"),
    [
        ("system/Observation.c", "POST", "/fhir/Observation", observation(), 201),
        ("system/Observation.write", "POST", "/fhir/Observation", observation(), 201),
        ("system/*.c", "POST", "/fhir/Patient", patient(), 201),
        ("system/Observation.c system/Patient.c", "POST", "/fhir", bundle(entry(observation())), 200),
        ("system/Observation.u", "PUT", "/fhir/Observation/a", observation() | {"id": "a"}, 201),
        ("system/Observation.rs", "POST", "/fhir/Observation", observation(), 403),
        ("system/Observation.ruds", "POST", "/fhir/Observation", observation(), 403),
        ("system/Observation.cd", "PUT", "/fhir/Observation/a", observation() | {"id": "a"}, 403),
        ("system/Patient.cu", "POST", "/fhir/Observation", observation(), 403),
        ("system/*.rs", "POST", "/fhir", bundle(entry(observation())), 403),
    ],
)
async def test_a_scope_lets_in_what_it_names_and_nothing_else(
    site: Site, scope: str, method: str, to: str, body: dict[str, Any], status: int
) -> None:
    site.token = site.make_token(scope, name="program")
    found = await site.post(body, to, method)
    assert found.status_code == status
    assert len(site.kept()) == (status < 400)
    if status == 403:
        assert refused(found)[1:] == (NOT_ALLOWED, None)


async def test_who_may_not_send_is_told_so_before_the_body_is_asked_for(site: Site) -> None:
    site.token = site.make_token("system/Observation.rs", name="reader")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {site.token}".encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/fhir",
        "headers": headers,
        "query_string": b"",
        "scheme": "http",
    }
    await site.app(scope, receive, send)
    assert sent[0]["status"] == 403


@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_a_bundle_with_one_resource_too_many_is_not_kept(site: Site, kind: str) -> None:
    site.token = site.make_token("system/Observation.cu", name="program")
    found = await site.post(bundle(entry(observation()), kind=kind))
    assert refused(found) == (
        403,
        "This token does not allow to write Patient; nothing was kept",
        ["Bundle.entry[0]"],
    )
    assert site.kept() == []
    assert site.one("SELECT COUNT(*) FROM audit WHERE action = 'received'") == 0


async def test_an_update_within_a_bundle_needs_the_letter_of_an_update(site: Site) -> None:
    site.token = site.make_token("system/*.c", name="program")
    updated = entry(observation() | {"id": "srp-1"}, "PUT", "Observation/srp-1")
    assert refused(await site.post(bundle(updated)))[2] == ["Bundle.entry[1]"]


async def test_what_is_written_with_a_token_of_every_feed_has_to_be_of_one(site: Site) -> None:
    """A site that took up a second FHIR feed: what a token of all feeds sends could be of either."""
    for feeds in (EVERY_FEED, BOTH):
        with pytest.raises(Refused, match="has to be of one FHIR feed"):
            site.make_token("system/Observation.cu", feed=feeds, name="program")
    site.token = site.make_token("system/Observation.rs", feed=EVERY_FEED, name="reader")
    site.writer.submit(
        lambda one: one.execute("UPDATE tokens SET scope = 'system/*.cruds' WHERE name = 'reader'")
    ).result()
    found = await site.post(observation(), "/fhir/Observation")
    assert refused(found)[:2] == (403, "What is sent has to be of one FHIR feed; this token is not of one alone")


@pytest.mark.parametrize(
    ("feed", "feeds"),
    [(FEED.name, [FEED.name]), (BOTH, [FEED.name, OTHER.name]), (EVERY_FEED, [FEED.name, OTHER.name])],
)
async def test_a_program_is_let_in_to_the_feeds_of_its_token(site: Site, feed: str, feeds: list[str]) -> None:
    secret = site.make_token("system/Observation.read system/Patient.r", feed=feed, name="reader")
    found = await site.parts.admitted(f"Bearer {secret}")
    assert (found.name, list(found.feeds)) == ("reader", feeds)
    assert found.scopes == {"system/Observation.rs", "system/Patient.r"}


@pytest.mark.parametrize(
    ("scope", "feed", "said"),
    [
        ("system/Observation.rs", "", "There are several feeds (ward, clinic); say which with --feed, * for all"),
        ("ingest", "", "There are several FHIR feeds (ward, clinic); say which with --feed"),
        ("system/Observation.rs", "nope", "There is no feed 'nope'; there are ward, clinic"),
        ("ingest", "nope", "There is no FHIR feed 'nope'; there are ward, clinic"),
        (
            "ingest launch",
            "ward",
            "There is no such scope. There are ingest, metrics, and those of SMART: Write system/",
        ),
        ("", "ward", "There is no such scope. There are ingest, metrics, and those of SMART: Name the scopes"),
        ("user/*.rs", "ward", "user/ is of a person who signs in"),
    ],
)
def test_a_token_that_could_not_be_used_as_it_is_asked_for_is_not_made(
    site: Site, scope: str, feed: str, said: str
) -> None:
    with pytest.raises(Refused) as caught:
        site.make_token(scope, feed=feed, name="program")
    assert said in str(caught.value)


# ---------------------------------------------------------------- what is nobody's (S-18, S-25)


class Counted:
    """The accounts, and how often a token was looked up there."""

    def __init__(self, site: Site) -> None:
        self.site, self.count = site, 0

    @contextmanager
    def __call__(self) -> Iterator[StorePeople]:
        self.count += 1
        yield self.site.people

    def programs(self) -> Programs:
        return Programs(self, {FEED.name: FEED, OTHER.name: OTHER}, self.site.clock)


def secret() -> str:
    return f"lb_{secrets.token_urlsafe(32)}"


async def unknown(programs: Programs, authorization: str) -> None:
    with pytest.raises(Unfit) as caught:
        await programs.admitted(authorization)
    assert (caught.value.status, caught.value.code) == (401, "login")


async def test_a_token_that_is_nobodys_costs_one_look_up_and_leaves_nothing(site: Site) -> None:
    out = io.StringIO()
    logs.configure(json=True, stream=out)
    counted = Counted(site)
    programs = counted.programs()
    shown = [secret() for _one in range(300)]
    for one in shown:
        await unknown(programs, f"Bearer {one}")
    assert counted.count == 300
    assert programs._believed == {}
    site.clock.forward(minutes=1)
    await unknown(programs, f"Bearer {secret()}")
    said = out.getvalue()
    lines = [json.loads(one) for one in said.splitlines() if "unknown_tokens" in one]
    assert [one["count"] for one in lines] == [1, 300]
    assert not any(one[3:] in said for one in shown)


@pytest.mark.parametrize(
    "authorization",
    ["Bearer nope", "Bearer lb_", f"Bearer lb_{'x' * 44}", f"Bearer lb_{'x' * 42}\u00e9", f"Bearer {'x' * 8000}"],
)
async def test_what_has_not_the_form_of_a_token_is_not_looked_up(site: Site, authorization: str) -> None:
    counted = Counted(site)
    await unknown(counted.programs(), authorization)
    assert counted.count == 0


async def test_a_token_is_believed_for_half_a_second_and_no_longer(site: Site) -> None:
    counted = Counted(site)
    programs = counted.programs()
    for _one in range(50):
        await programs.admitted(f"Bearer {site.token}")
    assert counted.count == 1
    Accounts(site.people, site.clock).perform("lis", "Ada Martin", {"act": "revoke"})
    site.clock.forward(seconds=0.49)
    await programs.admitted(f"Bearer {site.token}")
    site.clock.forward(seconds=0.01)
    await unknown(programs, f"Bearer {site.token}")


async def test_what_is_looked_for_tells_nothing_of_how_much_of_a_token_was_right(site: Site) -> None:
    """The store is asked for SHA-256 sums alone: that of a token with one other character is nothing like it."""
    asked: list[bytes] = []

    class Asked(Counted):
        @contextmanager
        def __call__(self) -> Iterator[StorePeople]:
            look_up = self.site.people.token
            with patch.object(self.site.people, "token", lambda found: asked.append(found) or look_up(found)):
                yield self.site.people

    programs = Asked(site).programs()
    last = "A" if site.token[-1] != "A" else "B"
    for shown in (site.token[:-1] + last, secret(), site.token):
        with suppress(Unfit):
            await programs.admitted(f"Bearer {shown}")
    near, far, right = asked
    assert right == digest(site.token)
    assert {len(near), len(far), len(right)} == {32}
    assert near[:4] != right[:4]
