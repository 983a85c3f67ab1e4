"""A case on one screen, and every key of it: what is needed to decide stands in sight, the list of keys says what the page
does, and a scanner's number is never taken for a row of keys."""

from __future__ import annotations

from typing import Any

import pytest
from browser_parts import SHOTS, Desk, settled, sign_in

CASES = [f"C{key}" for key in range(1, 9)]
THEMES = ("light", "dark", "darkroom")
NEEDED = (".case-head", ".why", ".desk-evidence", ".text")  # to decide; the toolbar stands below them
APART_MS = 80  # between two keys of a person
USABLE = """[...document.querySelectorAll('[data-key]')].filter((one) => !one.hidden && !one.disabled
  && !((one.dataset.opens ?? one.dataset.goes) && !document.getElementById(one.dataset.opens ?? one.dataset.goes)))
  .map((one) => one.dataset.key)"""


def box(page: Any, selector: str) -> dict[str, float]:
    found: dict[str, float] = page.evaluate(
        f"(() => {{ const one = document.querySelector('{selector}').getBoundingClientRect();"
        " return {top: one.top, bottom: one.bottom, left: one.left, right: one.right}; })()"
    )
    return found


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(APART_MS)


def themed(page: Any, desk: Desk, theme: str) -> None:
    page.goto(f"{desk.url}/account")
    page.select_option("#theme", theme)
    page.locator("form[hx-post='/account'] button").click()
    page.wait_for_selector(f"html[data-theme='{theme}']", state="attached")


# ---------------------------------------------------------------- in sight


@pytest.mark.parametrize("case", CASES)
def test_what_is_needed_to_decide_stands_in_sight(page: Any, desk: Desk, case: str) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/{case}")
    settled(page)
    toolbar = box(page, ".actions")
    assert toolbar["bottom"] <= 768
    for selector in NEEDED:
        found = box(page, selector)
        assert found["top"] >= 0, selector
        assert found["bottom"] <= toolbar["top"] + 1, selector
        assert found["right"] <= 1366, selector
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize(("width", "height"), [(390, 844), (683, 384), (1024, 768), (1366, 768)])
def test_every_part_can_be_reached_at_every_width(page: Any, desk: Desk, width: int, height: int) -> None:
    """683 x 384 is 1366 x 768 at 200 % zoom."""
    sign_in(page, desk, "anna")
    page.set_viewport_size({"width": width, "height": height})
    for case in ("C2", "C5"):
        page.goto(f"{desk.url}/cases/{case}")
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, case
        parts = page.evaluate(
            "[...document.querySelectorAll('.case-head, .desk > *, .below > *, .actions button')].filter((one) =>"
            " one.id !== 'explain-place').map((one) => [one.className, one.getBoundingClientRect().left,"
            " one.getBoundingClientRect().right])"
        )
        assert [one for one in parts if one[1] < 0 or one[2] > width] == []
        if width <= 820:
            lefts = page.evaluate("[...document.querySelectorAll('.desk > *')].map((one) => one.offsetLeft)")
            assert len(set(lefts)) == 1, "one column"


@pytest.mark.parametrize("theme", THEMES)
def test_the_cases_are_kept_as_pictures(page: Any, desk: Desk, theme: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    sign_in(page, desk, "anna")
    themed(page, desk, theme)
    for width, height in ((1366, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for case in ("C2", "C4", "C5", "C8"):
            page.goto(f"{desk.url}/cases/{case}")
            settled(page)
            page.screenshot(path=SHOTS / f"case-{case}-{theme}-{width}.png", full_page=width == 390)
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(f"{desk.url}/cases/C2")
    press(page, "g")
    page.locator("#pathway").screenshot(path=SHOTS / f"pathway-{theme}.png")
    press(page, "?")
    page.screenshot(path=SHOTS / f"keys-{theme}.png")


# ---------------------------------------------------------------- the keys


@pytest.mark.parametrize("path", ["/worklist", "/cases/C2", "/account"])
def test_the_dialog_lists_exactly_the_keys_of_its_page(page: Any, desk: Desk, path: str) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}{path}")
    settled(page)
    expected = page.evaluate(USABLE)
    press(page, "?")
    page.wait_for_selector("#keys[open]")
    rows = page.evaluate(
        "[...document.querySelectorAll('#keys tbody tr')].map((one) => [[...one.querySelectorAll('kbd')].map((key) =>"
        " key.textContent).join(' '), one.querySelector('td').textContent.trim()])"
    )
    assert [keys for keys, _name in rows] == expected
    assert all(name for _keys, name in rows)
    single = [key for keys, _name in rows for key in keys.split(" ")]
    assert len(single) == len(set(single)), "no key has two meanings"
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys", state="hidden")
    assert page.url == f"{desk.url}{path}", "the key that closes the dialog does nothing else"


def test_from_case_to_case_and_back_to_the_place(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist?severity=minor")
    listed = page.evaluate("[...document.querySelectorAll('[data-case]')].map((one) => one.dataset.case)")
    assert len(listed) >= 3
    press(page, "j", "j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{listed[1]}")
    press(page, "j")
    page.wait_for_url(f"**/cases/{listed[2]}")
    press(page, "k")
    page.wait_for_url(f"**/cases/{listed[1]}")
    press(page, "k")
    page.wait_for_url(f"**/cases/{listed[0]}")
    assert page.locator("[data-step='-1']").is_hidden(), "nothing comes before the first"
    press(page, "q")
    page.wait_for_url("**/worklist?severity=minor")
    page.wait_for_function(f"document.activeElement?.textContent === '{listed[0]}'")


def test_escape_leads_back_and_closes_a_dialog_first(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C2")
    press(page, "h")
    page.wait_for_selector("#hold[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#hold", state="hidden")
    assert page.url.endswith("/cases/C2")
    press(page, "Escape")
    page.wait_for_url("**/worklist")


def test_a_field_of_a_closed_dialog_keeps_no_keys(page: Any, desk: Desk) -> None:
    """Pressed before the page is drawn anew, when the browser still hands every key to the field."""
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C2")
    press(page, "h")
    page.wait_for_selector("#hold[open]")
    field = page.evaluate(
        "(() => { document.getElementById('hold').close(); const field = document.activeElement;"
        " field.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true, cancelable: true}));"
        " return field.tagName; })()"
    )
    assert field in ("INPUT", "TEXTAREA")
    page.wait_for_url("**/worklist")


def test_the_search_is_reached_from_a_case(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C2")
    press(page, "/")
    page.wait_for_url("**/worklist#number")
    page.wait_for_function("document.activeElement?.id === 'number'")


def test_the_original_text_and_the_pathway_open_and_close(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist?queue=all")
    case = page.locator("tr:has-text('PT1002')").get_attribute("data-case")
    page.goto(f"{desk.url}/cases/{case}")
    sent = page.locator(".matrix .as-sent")
    assert sent.count() >= 4
    assert not sent.first.is_visible()
    press(page, "o")
    assert all(sent.nth(number).is_visible() for number in range(sent.count()))
    press(page, "o")
    assert not sent.first.is_visible()
    press(page, "g")
    assert page.locator("#pathway svg").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    press(page, "g")
    assert not page.locator("#pathway svg").is_visible()


def test_a_reason_leads_to_the_cell_it_rests_on(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/cases/C2")
    link = page.locator(".basis a").first
    name = link.get_attribute("href")
    link.click()
    assert page.locator(f"{name}:target").count() == 1
    assert "◆" in page.inner_text(name)


def test_what_a_scanner_types_on_a_case_is_searched_for_and_decides_nothing(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist?queue=all")
    case = page.locator("tr:has-text('PT1003')").get_attribute("data-case")
    page.goto(f"{desk.url}/cases/{'C2' if case != 'C2' else 'C1'}")
    settled(page)
    page.evaluate(  # as fast as a scanner, whatever the machine does meanwhile
        "for (const key of [...'PT1003', 'Enter']) document.body.dispatchEvent("
        "new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}))"
    )
    page.wait_for_url(f"**/cases/{case}")
    assert page.locator("dialog[open]").count() == 0


def test_a_key_in_a_field_is_a_letter(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist")
    page.focus("#number")
    press(page, "j", "?", "k")
    assert page.input_value("#number") == "j?k"
    assert page.locator("dialog[open]").count() == 0


def test_after_a_decision_the_list_is_the_one_the_person_came_from(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist?severity=minor")
    listed = page.evaluate("[...document.querySelectorAll('[data-case]')].map((one) => one.dataset.case)")
    page.goto(f"{desk.url}/cases/{listed[0]}")
    press(page, "h")
    page.fill("#hold-why", "waits for the clinic")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist?severity=minor")
    page.wait_for_function(f"document.activeElement?.textContent === '{listed[1]}'")
