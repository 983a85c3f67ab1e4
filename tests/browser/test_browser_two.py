"""What takes two persons, in a real browser: the second reader, and the repair of a message. And what a screen that is not
up to date, a file and a role do."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from browser_parts import SAMPLES, SHOTS, Desk, settled, sign_in

ONE = SAMPLES / "01-concordant-srp"


def first_message(folder: Path = ONE) -> bytes:
    return sorted(folder.glob("*.hl7"))[0].read_bytes().replace(b"\n", b"\r")


def as_(page: Any, desk: Desk, login: str) -> None:
    page.context.clear_cookies()
    sign_in(page, desk, login)


def case_of(page: Any, desk: Desk, patient: str) -> str:
    """The case of a patient: which number it has hangs on which lane was quicker."""
    page.goto(f"{desk.url}/worklist?queue=all")
    return str(page.locator(f"tr:has-text('{patient}')").get_attribute("data-case"))


def signed(page: Any, title: str) -> None:
    page.keyboard.press("s")
    page.wait_for_selector("#sign[open]")
    page.wait_for_function("document.activeElement.closest('#sign') !== null")
    assert title in page.inner_text(".actions")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist*", timeout=60_000)


def test_the_second_reader_reads_unseen_and_signs(page: Any, two_desk: Desk) -> None:
    sign_in(page, two_desk, "anna")
    key = case_of(page, two_desk, "PT1001")
    page.goto(f"{two_desk.url}/cases/{key}")
    settled(page)
    signed(page, "Sign")
    assert two_desk.service.received_by_the_lis() == []
    as_(page, two_desk, "bert")
    page.goto(f"{two_desk.url}/worklist?queue=second_reader")
    assert "when it has been read" in page.inner_text("tbody")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{key}/reading")
    assert "Proposed comment" not in page.inner_text("main")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "reading-light-1366.png")
    page.keyboard.press("Tab")
    page.locator("input[value=CYTO_COMPAT]").press("Space")
    page.locator("#reading-why").press("Enter")
    page.wait_for_url(f"**/cases/{key}")
    settled(page)
    assert "second reading of HEp-2" in page.inner_text("main")
    signed(page, "Sign as second reader")
    page.goto(f"{two_desk.url}/readings")
    assert "anna" in page.inner_text("main")
    assert "bert" in page.inner_text("main")
    page.goto(f"{two_desk.url}/cases/{key}")
    assert "signed" in page.inner_text(".case-head")


def test_a_stale_screen_signs_nothing_and_shows_the_difference(page: Any, desk: Desk, tmp_path: Path) -> None:
    sign_in(page, desk, "anna")
    key = case_of(page, desk, "PT1002")
    page.goto(f"{desk.url}/cases/{key}")
    settled(page)
    changed = b"\r".join(
        line.replace(b"|58|", b"|6|").replace(b"|A|||F|", b"|N|||C|") if b"SRPB" in line else line
        for path in sorted((SAMPLES / "02-srp-hep2-negative").glob("*.hl7"))[-1:]
        for line in path.read_bytes().replace(b"|S2002|", b"|S2999|").split(b"\r")
    )
    (tmp_path / "changed.hl7").write_bytes(changed)
    desk.send(tmp_path / "changed.hl7")
    page.keyboard.press("s")
    page.wait_for_selector("#sign[open]")
    page.keyboard.press("Enter")
    page.wait_for_selector("main [role=alert]", timeout=60_000)
    assert "is at version" in page.inner_text("main [role=alert]")
    assert "What has changed since version" in page.inner_text("main")


def test_a_message_is_repaired_by_two_persons(page: Any, desk: Desk, tmp_path: Path) -> None:
    broken = first_message().replace(b"PT1001", b"PT7001").replace(b"|S1001|", b"|S7001|")
    broken = broken.replace(b"\rORC|", b"\rOBX|9|ST|STRAY^Stray^L|1|before any order||||||F\rORC|", 1)
    (tmp_path / "broken.hl7").write_bytes(broken)
    desk.send(tmp_path / "broken.hl7")
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/messages?state=quarantined")
    settled(page)
    page.locator("tbody a").first.click()
    page.wait_for_url("**/messages/M*")
    key = page.url.rpartition("/")[2]
    page.fill("#open-why", "to repair it")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.sides")
    page.screenshot(path=SHOTS / "bytes-light-1366.png")
    text = page.input_value("#edit-text")
    page.fill("#edit-text", "\n".join(line for line in text.split("\n") if "STRAY" not in line))
    page.fill("#edit-why", "a line that belongs to no order")
    page.locator("form[hx-post$='/edit'] button").click()
    page.wait_for_selector("text=waits for a second person")
    as_(page, desk, "bert")
    page.goto(f"{desk.url}/messages/{key}")
    page.fill("#open-why", "to read the repair")
    page.keyboard.press("Enter")
    page.wait_for_selector("table.differences")
    page.screenshot(path=SHOTS / "repair-light-1366.png")
    page.fill("#approve-why", "read and right")
    page.locator("form[hx-post$='/approve'] button").click()
    page.wait_for_selector("text=sent through by")
    desk.service.settled()
    page.goto(f"{desk.url}/messages/{key}")
    assert "processed" in page.inner_text(".case-head")


def test_the_worklist_is_exported_as_a_file(page: Any, desk: Desk) -> None:
    sign_in(page, desk, "anna")
    page.goto(f"{desk.url}/worklist?queue=all")
    with page.expect_download() as download:
        page.locator("a[href^='/worklist/export.csv']").click()
    path = download.value.path()
    rows = list(csv.reader(Path(path).read_text(encoding="utf-8-sig").splitlines()))
    assert len(rows) >= 9
    assert any(cell == "C1" for row in rows for cell in row)


@pytest.mark.parametrize(
    ("login", "path"),
    [
        ("vera", "/worklist/export.csv"), ("vera", "/messages"), ("vera", "/people"), ("vera", "/readings"),
        ("ada", "/worklist"), ("ada", "/cases/C1"), ("anna", "/people"),
    ],
)  # fmt: skip
def test_a_page_of_another_role_is_refused(page: Any, desk: Desk, login: str, path: str) -> None:
    sign_in(page, desk, login)
    assert page.context.request.get(f"{desk.url}{path}").status == 403
