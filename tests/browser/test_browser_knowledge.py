"""A director signs a changed number and lets a rule release comments, in a real browser and without a restart."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_parts import SAMPLES, Desk, settled, sign_in, until
from conftest import opened
from test_browser_desk import THEMES, _findings

OWN = "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: our validation}\n"


@pytest.fixture(scope="module")
def site_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A laboratory with a site folder that a person edits."""
    folder = tmp_path_factory.mktemp("knowledge")
    shutil.copytree(SAMPLES / "site", folder / "site")
    with opened(folder, folder / "site") as found:
        (folder / "site/policy.yaml").write_text(OWN, encoding="utf-8")
        yield found


def as_(page: Any, desk: Desk, login: str) -> None:
    page.context.clear_cookies()
    sign_in(page, desk, login)


def acted(page: Any, act: str) -> None:
    with page.expect_response("**/knowledge/sign") as answer:
        page.click(f"button[value={act}]")
    assert answer.value.status == 200
    settled(page)


def tried(page: Any) -> None:
    """What is on the disk and not in force, gone through over the stored past: R1."""
    page.click("text=What would it change in the stored past?")
    page.wait_for_url("**/replays/R1")
    until(lambda: page.reload() and "Looked at" in page.inner_text("main"))


def test_a_number_is_put_forward_approved_and_taken_into_force(page: Any, site_desk: Desk) -> None:
    before = site_desk.service.json("sign")
    sign_in(page, site_desk, "nora")
    page.goto(f"{site_desk.url}/knowledge")
    settled(page)
    assert "On the disk, not in force yet" in page.inner_text(".notice")
    page.click("text=policy:ck_mod_from")
    page.wait_for_url("**/knowledge/policy*")
    assert "our validation" in page.inner_text("pre")
    page.fill("#why", "84 patients in March")
    acted(page, "put_forward")
    assert page.locator("button[value=approve]").count() == 0
    page.goto(f"{site_desk.url}/knowledge")
    tried(page)
    assert "8 patients" in page.inner_text(".facts")
    as_(page, site_desk, "otto")
    page.goto(f"{site_desk.url}/knowledge/policy:ck_mod_from")
    assert "84 patients in March" in page.inner_text("main")
    acted(page, "approve")
    assert "approved" in page.inner_text(".facts")
    page.goto(f"{site_desk.url}/knowledge")
    settled(page)
    with page.expect_response("**/knowledge/reload", timeout=60_000):
        page.click("text=Prove it and take it into force")
    settled(page)
    assert "What lies on the disk is in force." in page.inner_text("main")
    after = site_desk.service.json("sign")
    assert len(after) == len(before) != 0
    assert [one["approver"] for one in after if one["item"].startswith("policy:ck_mod_from@")] == ["Otto Test"]


def test_many_are_approved_from_the_list(page: Any, site_desk: Desk) -> None:
    as_(page, site_desk, "otto")
    page.goto(f"{site_desk.url}/knowledge?kind=kit")
    for box in page.locator("input[name=chosen]").all():
        box.check()
    acted(page, "approve")
    count = page.locator("a[aria-current=page] .count").inner_text()
    done, every = count.split("/")
    assert done == every != "0"


def test_it_is_stopped_with_one_form(page: Any, site_desk: Desk) -> None:
    as_(page, site_desk, "anna")
    page.goto(f"{site_desk.url}/release")
    page.fill("#suspend-why", "control is out")
    page.click("text=Stop release by rule")
    page.wait_for_selector("text=S1")
    assert "control is out" in page.inner_text("table")
    assert site_desk.service.json("suspend")["suspended"][0]["by"] == "anna"
    as_(page, site_desk, "otto")
    page.goto(f"{site_desk.url}/release")
    page.check("input[name=key]")
    page.click("text=Lift what is chosen")
    page.wait_for_selector("text=Nothing is suspended.")


@pytest.mark.parametrize("theme", THEMES)
def test_its_pages_are_readable_in_every_theme(page: Any, site_desk: Desk, axe: str, theme: str) -> None:
    as_(page, site_desk, "nora")
    if page.context.request.get(f"{site_desk.url}/replays/R1").status == 404:  # these tests may run in any order
        page.goto(f"{site_desk.url}/knowledge")
        settled(page)
        tried(page)
    paths = ("/knowledge", "/knowledge?kind=rule", "/knowledge/rule:srp-strong", "/release", "/replays", "/replays/R1")
    assert _findings(page, site_desk, axe, theme, "otto", paths) == []


def test_a_fault_in_the_folder_is_told_with_its_place(page: Any, site_desk: Desk) -> None:
    folder = Path(site_desk.service.folder) / "site"
    (folder / "policy.yaml").write_text(OWN.replace("value: 5", "value: five"), encoding="utf-8")
    try:
        sign_in(page, site_desk, "nora")
        page.goto(f"{site_desk.url}/knowledge")
        assert "policy.yaml:1" in page.inner_text("[role=alert]")
    finally:
        (folder / "policy.yaml").write_text(OWN, encoding="utf-8")
