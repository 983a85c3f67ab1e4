"""A sign-in that ends while somebody types: the page stays with it, covered, until the same person is back (R30)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_parts import PASSWORD, Desk, settled, sign_in


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A window in which the answer 401 is no complaint: htmx writes it to the console."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    found = context.new_page()
    said: list[str] = []
    found.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    found.on("pageerror", lambda one: said.append(str(one)))
    yield found
    context.close()
    assert [one for one in said if "401" not in one] == []


def test_what_was_typed_outlives_the_sign_in(page: Any, desk: Desk, axe: str) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C3")
    page.keyboard.press("h")
    page.wait_for_selector("#hold[open]")
    page.fill("#hold-why", "waits for the clinic")
    page.context.clear_cookies()
    page.keyboard.press("Enter")
    page.wait_for_selector("#lock[open]")
    assert page.evaluate("document.activeElement.id") == "lock-password"
    ground = page.evaluate("getComputedStyle(document.getElementById('lock'), '::backdrop').backgroundColor")
    assert ground.startswith("rgb("), f"the page behind is covered whole, not {ground}"
    for _times in range(3):
        page.keyboard.press("Escape")
    page.wait_for_selector("#lock[open]")
    page.evaluate(f"(() => {{ {axe} }})()")
    told = page.evaluate("axe.run(document.getElementById('lock'), {resultTypes: ['violations']})")
    assert [one["id"] for one in told["violations"] if one["impact"] in ("serious", "critical")] == []
    page.fill("#lock-password", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#lock [role=alert]:has-text('do not belong together')")
    page.fill("#lock-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#lock", state="hidden")
    assert page.input_value("#hold-why") == "waits for the clinic"
    page.focus("#hold-why")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist")
    settled(page)
    page.goto(f"{desk.url}/cases/C3")
    assert "waits for the clinic" in page.inner_text("main")


def test_a_list_that_asks_for_news_is_covered_too(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist")
    page.context.clear_cookies()
    page.wait_for_selector("#lock[open]", timeout=90_000)
    page.fill("#lock-password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#lock", state="hidden")
    assert page.url == f"{desk.url}/worklist"
