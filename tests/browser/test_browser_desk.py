"""A scientist's day in a real browser: by keyboard alone, in three themes, readable by everybody."""

from __future__ import annotations

from typing import Any

import pytest
from browser_parts import SHOTS, Desk, settled, sign_in

THEMES = ("light", "dark", "darkroom")
WORST = ("serious", "critical")
OTHERS = (
    "/cases/C4/alike", "/cases/C4/explain", "/cases/C4/preview", "/cases/C4/attachments", "/messages", "/messages/M1",
    "/outbox", "/readings", "/worklist/print", "/status", "/wordings",
)  # fmt: skip


def test_a_case_is_signed_by_keyboard_and_undone(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.wait_for_url("**/worklist")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/C*")
    key = page.url.rpartition("/")[2]
    height = page.evaluate("document.querySelector('.actions').getBoundingClientRect().bottom")
    assert height <= 768, "no decision needs a scroll"
    page.keyboard.press("s")
    page.wait_for_selector("#sign[open]")
    page.keyboard.press("Enter")  # the password was given a moment ago
    page.wait_for_url("**/worklist", timeout=30_000)
    assert key not in page.inner_text("tbody")
    page.goto(f"{desk.url}/cases/{key}")
    assert "reviewed and released" in page.inner_text("main")
    page.keyboard.press("u")
    page.wait_for_selector("#undo[open]")
    page.locator("#undo button[type=submit]").press("Enter")
    page.wait_for_selector(".case-head:has-text('new')", timeout=15_000)
    assert desk.service.received_by_the_lis() == []


def test_what_is_refused_is_said_beside_the_case(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C2")
    page.keyboard.press("h")
    page.wait_for_selector("#hold[open]")
    page.fill("#hold-why", "waits\u0007for the clinic")
    page.locator("#hold button[type=submit]").click()
    page.wait_for_selector("main [role=alert]")
    assert "printable" in page.inner_text("main [role=alert]")


def test_a_hold_takes_the_case_from_the_list_and_says_until_when(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C3")
    page.keyboard.press("h")
    page.fill("#hold-why", "waits for the clinic")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist")
    assert "C3" not in page.inner_text("tbody")
    page.goto(f"{desk.url}/cases/C3")
    assert "until" in page.inner_text(".case-head")


def test_a_viewer_sees_and_decides_nothing(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "vera")
    page.goto(f"{desk.url}/cases/C2")
    assert page.locator(".actions").count() == 0
    page.keyboard.press("s")
    assert page.locator("dialog[open]").count() == 0


def test_who_manages_accounts_sees_no_patient(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "ada")
    page.wait_for_url("**/people")
    assert page.goto(f"{desk.url}/cases/C2").status == 403


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_is_readable_in_every_theme(page: Any, desk: Desk, axe: str, theme: str) -> None:
    """No finding of axe-core of impact serious or critical. Each page is kept as a picture, also at phone width."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    found = _findings(page, desk, axe, theme, "anna", ("/worklist", "/cases/C4", "/account", *OTHERS))
    found += _findings(page, desk, axe, theme, "ada", ("/people",))
    assert found == []


def _findings(page: Any, desk: Desk, axe: str, theme: str, login: str, paths: tuple[str, ...]) -> list[str]:
    sign_in(page, desk, login)
    page.goto(f"{desk.url}/account")
    page.select_option("#theme", theme)
    page.locator("form[hx-post='/account'] button").click()
    page.wait_for_selector(f"html[data-theme='{theme}']", state="attached")
    found = []
    for path in paths:
        for width, height in ((1366, 768), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{desk.url}{path}")
            settled(page)
            page.screenshot(path=SHOTS / f"{path.strip('/').replace('/', '-')}-{theme}-{width}.png")
            wide = page.evaluate("document.documentElement.scrollWidth")
            found += [f"{path} is {wide} wide at {width}"] if wide > width and path != "/worklist/print" else []
        page.evaluate(f"(() => {{ {axe} }})()")
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [
            f"{path}: {one['id']}: {one['nodes'][0]['html'][:120]}"
            for one in told["violations"]
            if one["impact"] in WORST
        ]
    page.set_viewport_size({"width": 1366, "height": 768})
    page.context.clear_cookies()
    return found
