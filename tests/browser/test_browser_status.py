"""The status page and the wordings in a real browser: what is drawn, what renews itself, and that everybody can read it."""

from __future__ import annotations

from typing import Any

import pytest
from browser_parts import Desk, settled, sign_in
from test_browser_desk import THEMES, _findings

FOLDED = "#figures details"


def test_the_charts_are_drawn_and_the_running_service_answers(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "vera")
    page.goto(f"{desk.url}/status")
    settled(page)
    plots = page.locator("[data-plot]").count()
    assert plots >= 2
    assert page.locator("[data-plot] canvas").count() == plots
    assert page.locator(".plot-keys").count() == plots
    shown = page.locator("main").inner_text()
    assert "the service runs since" in shown
    assert "does not answer" not in shown


def test_new_figures_leave_what_is_open_and_where_the_cursor_is(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "vera")
    page.goto(f"{desk.url}/status")
    settled(page)
    summary = page.locator(f"{FOLDED} summary").first
    summary.focus()
    page.keyboard.press("Enter")
    before = page.evaluate("document.activeElement.id")
    with page.expect_response("**/status/figures"):
        page.evaluate("window.old = document.querySelector('[data-plot]'); htmx.trigger('#figures', 'renew')")
    settled(page)
    page.wait_for_selector("[data-plot] canvas")
    assert page.evaluate("window.old.isConnected") is False
    assert page.evaluate("document.activeElement.id") == before != ""
    assert page.locator(f"{FOLDED}[open]").count() == 1


def test_a_page_that_nobody_looks_at_asks_for_nothing(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "vera")
    page.clock.install()
    page.goto(f"{desk.url}/status")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true})")
    page.clock.run_for(61_000)
    assert [one for one in asked if one.endswith("/status/figures")] == []
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'visible', configurable: true})")
    with page.expect_response("**/status/figures"):
        page.clock.run_for(31_000)


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_read_them_in_every_theme(page: Any, desk: Desk, axe: str, theme: str) -> None:
    assert _findings(page, desk, axe, theme, "anna", ("/status", "/wordings")) == []
