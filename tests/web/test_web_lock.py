"""A sign-in that ends while somebody types (R30), and what says that a system is for tests."""

from __future__ import annotations

import msgspec
import pytest
from story_parts import BLOT, FEED, obx, order, oru
from web_parts import HERE, PASSWORD, Bench, Browser

from labbridge.model.people import Role
from labbridge.model.work import AuditEvent
from labbridge.web import visits


async def test_what_was_typed_is_sent_after_signing_in_again_over_the_page(anywhere: Bench) -> None:
    await anywhere.lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    browser = anywhere.signed_in()
    page = browser.get("/cases/C1").text
    assert '<dialog id="lock"' in page
    assert 'value="anna" autocomplete="username" readonly' in page
    typed = {"version": "1", "kind": "hold", "why": "waits for the clinic"}
    anywhere.clock.forward(minutes=16)
    ended = browser.post("/cases/C1/decide", typed, **{"HX-Request": "true"})
    assert ended.status_code == 401
    assert "hx-redirect" not in ended.headers
    given = {"login": "anna", "password": "wrong"}
    assert browser.post("/login", given, **{"HX-Request": "true"}).status_code == 401
    entered = browser.post("/login", {**given, "password": PASSWORD}, **{"HX-Request": "true"})
    assert (entered.status_code, entered.text) == (204, "")
    again = Browser(browser.client, entered.cookies[visits.COOKIE])
    assert entered.headers["x-csrf-token"] == again.csrf != browser.csrf
    assert browser.post("/cases/C1/decide", typed).status_code == 403, "the token of before counts no more"
    assert again.post("/cases/C1/decide", typed).status_code == 204
    assert anywhere.lab.case().disposition.value == "held"


def test_a_sign_in_by_a_form_leads_on_as_before(bench: Bench) -> None:
    bench.person()
    answer = bench.browser().post("/login", data={"login": "anna", "password": PASSWORD}, headers={"Origin": HERE})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "x-csrf-token" not in answer.headers


def test_who_has_no_password_signs_in_in_another_tab(bench: Bench) -> None:
    person = bench.person()
    linked = msgspec.structs.replace(person, secret="", subject="https://login.example|1")
    bench.people.change(linked, AuditEvent(at=bench.clock.now(), actor="test", action="linked", subject="anna"))
    page = bench.signed_in().get("/account").text
    assert 'href="/login/oidc" target="_blank" rel="noopener"' in page
    assert "lock-password" not in page
    assert 'data-login="anna"' in page


# ---------------------------------------------------------------- tests and trainings

BANNER = "Test system: nothing here is a patient&#39;s result"


@pytest.mark.parametrize(
    "path", ["/login", "/worklist", "/worklist/print", "/messages", "/outbox", "/account", "/readings"]
)
def test_every_page_of_a_test_says_so(bench: Bench, path: str) -> None:
    browser = bench.signed_in("one", Role.SENIOR)
    assert BANNER not in browser.get(path).text
    bench.with_parts(test=True)
    browser = bench.signed_in("one")
    assert BANNER in browser.get(path).text
    assert "Système de test" in browser.get(path, headers={"Accept-Language": "fr"}).text


@pytest.mark.parametrize(("processing_id", "said"), [("T", "Sent for training"), ("D", "Sent for debugging")])
async def test_a_feed_for_trials_makes_it_a_test_and_its_cases_say_so(
    bench: Bench, processing_id: str, said: str
) -> None:
    await bench.lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    bench.with_parts(feeds={FEED.name: msgspec.structs.replace(FEED, processing_id=processing_id)})
    browser = bench.signed_in("one", Role.SENIOR)
    assert BANNER in browser.get("/worklist").text
    assert said not in browser.get("/worklist").text
    for path in ("/cases/C1", "/messages/M1"):
        page = browser.get(path).text
        assert BANNER in page
        assert said in page
