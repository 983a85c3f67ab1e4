"""What htmx does with an answer: a 422 takes the place of the page, so it is a page; what is said beside it is none."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from jinja2 import Environment
from web_parts import Bench
from worklist_parts import BLOT, Site, obx

from labbridge.model.people import Role
from labbridge.web.access import ROUTES
from labbridge.web.rendering import FOLDER

ASKING = re.compile(r'<(?:form|button|span)[^>]*\bhx-(?:post|get)="([^"]*)"[^>]*>')
WRONG: tuple[dict[str, str], ...] = (
    {},
    {"number": "", "queue": "none", "text": "", "theme": "none", "password": "x", "new": "short", "login": "X", "name": ""},
    {"number": "9" * 300, "queue": "open", "feed": "nowhere", "text": "x" * 1001, "role": "scientist", "version": "1",
     "screen": "00", "kind": "no_action", "why": "", "days": "1", "login": "ok", "name": "Ok", "new": "x" * 300},
    {"version": "9", "kind": "hold", "days": "0", "screen": "zz", "number": "C1", "role": "none", "name": "x", "login": "y"},
)  # fmt: skip


def page(answer: Any) -> bool:
    return bool(answer.headers.get("content-type", "").startswith("text/html") and "<main" in answer.text)


async def test_whatever_a_form_holds_no_plain_text_takes_the_place_of_a_page(bench: Bench) -> None:
    await Site(bench).patient("PT1", obx(BLOT, "58"))
    browsers = [bench.signed_in("anna", Role.SENIOR), bench.signed_in("adam", Role.ADMIN)]
    bench.person("bert")
    seen = set()
    forms = [one for one in ROUTES if one.method == "POST" and not one.open and one.path != "/logout"]
    for route in forms:  # open are the sign-in, whose wrong tries slow down, and /token, which no page posts to
        path = route.path.replace("{case}", "C1").replace("{login}", "bert")
        for data in WRONG:
            for browser in browsers:
                answer = browser.post(path, data)
                seen.add(answer.status_code)
                assert answer.status_code != 422 or page(answer), (path, data)
                assert page(answer) or answer.status_code in (204, 400, 403, 404), (path, data, answer.status_code)
    assert {400, 403, 422} <= seen


async def test_a_page_that_asks_for_news_wrongly_is_told_beside_itself(bench: Bench) -> None:
    answer = bench.signed_in().get("/worklist/news?queue=nothing")
    assert (answer.status_code, answer.text) == (400, "There is no such queue\n")


def test_the_pages_swap_a_422_and_no_other_failure(bench: Bench) -> None:
    text = bench.browser().get("/login").text
    config = json.loads(unescape(re.search(r"name=\"htmx-config\" content='([^']*)'", text)[1]))  # type: ignore[index]
    rules = [(one["code"], one["swap"]) for one in config["responseHandling"]]
    assert rules == [("204", False), ("[23]..", True), ("422", True), ("...", False)]
    for code in ("400", "401", "403", "404", "500", "503"):
        assert next(swap for rule, swap in rules if re.fullmatch(rule, code)) is False


@pytest.mark.parametrize("path", sorted((FOLDER / "templates").glob("*.html")), ids=lambda path: path.name)
def test_a_form_that_may_get_a_page_back_puts_it_where_the_page_was(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    Environment(autoescape=True).parse(text)
    for form in re.finditer(r"<form[^>]*hx-post=\"([^\"]*)\"[^>]*>", text):
        target = re.search(r'hx-target="([^"]*)"', form[0])
        assert target, form[0]
        apart = {
            "/worklist/note": "#notes",
            "/login": "#lock",
        }  # the second is answered with no page (204), or an error
        assert target[1] == apart.get(form[1], "body"), form[0]
        assert 'hx-swap="none"' not in form[0]
