"""The eight demo scenarios decided from the keyboard in one run, which is recorded (.make/screenshots/day.zip, for
`playwright show-trace`): how many key presses a case takes, and that none takes a scroll."""

from __future__ import annotations

import statistics
from typing import Any

from browser_parts import PASSWORD, SHOTS, Desk, settled, sign_in

APART_MS = 80  # between two keys of a person: what comes faster is a scanner
MEDIAN, WORST = 6, 12


class Keys:
    """A keyboard that counts."""

    def __init__(self, page: Any) -> None:
        self._page, self.pressed = page, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)
            self._page.wait_for_timeout(APART_MS)
            self.pressed += 1

    def secret(self, text: str) -> None:
        """A password, which counts for nothing."""
        self._page.keyboard.type(text)


def decided(page: Any, keys: Keys) -> str:
    """The decision that the case is ready for: signed, else its retest advised, else set aside with a reason."""
    if page.locator("#sign").count():
        keys.press("s")
        page.wait_for_selector("#sign[open]")
        if page.locator("#sign-password").count():
            keys.secret(PASSWORD)
        keys.press("Enter")
        return "signed"
    if page.locator("#retest").count():
        keys.press("r", "Enter")
        return "retest"
    keys.press("n", *"known", "Enter")
    return "no action"


def test_the_eight_scenarios_are_decided_from_the_keyboard(page: Any, desk: Desk, capsys: Any) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.context.tracing.start(screenshots=True, snapshots=True)
    sign_in(page, desk, "anna")
    page.wait_for_url("**/worklist")
    cases = page.evaluate("[...document.querySelectorAll('[data-case]')].map((one) => one.dataset.case)")
    assert len(cases) == 8
    told = []
    for _time in cases:
        keys = Keys(page)
        settled(page)
        if page.evaluate("document.activeElement?.closest('[data-case]') === null"):
            keys.press("j")
        keys.press("Enter")
        page.wait_for_url("**/cases/C*")
        settled(page)
        case = page.url.rpartition("/")[2]
        assert page.evaluate("document.querySelector('.actions').getBoundingClientRect().bottom") <= 768, case
        how = decided(page, keys)
        page.wait_for_url("**/worklist*", timeout=60_000)
        assert page.evaluate("scrollY") == 0
        told.append((case, how, keys.pressed))
    page.context.tracing.stop(path=SHOTS / "day.zip")
    pressed = [count for _case, _how, count in told]
    with capsys.disabled():
        print("\nkey presses:", ", ".join(f"{case} {how} {count}" for case, how, count in told))
        print(f"median {statistics.median(pressed):g}, worst {max(pressed)}")
    assert sorted(case for case, _how, _count in told) == sorted(cases)
    assert statistics.median(pressed) <= MEDIAN
    assert max(pressed) <= WORST
