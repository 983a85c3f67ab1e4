"""The pages on which people sign what the machine says: for the content they saw, in two persons."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from web_parts import PASSWORD, Bench, Browser

from labbridge.acts import Acts
from labbridge.knowledge.build import version
from labbridge.model.people import Role
from labbridge.sources import ItemsOnDemand, packed, read_all

OWN = "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: our own decision}\n"
KEY = "policy:ck_mod_from"


@pytest.fixture
def site(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site that decided one number otherwise."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "policy.yaml").write_text(OWN, encoding="utf-8")
    items = ItemsOnDemand(str(folder))
    bench.with_parts(items=items)

    def made(acts: Acts, items: ItemsOnDemand = items) -> None:
        acts.approving._items = items

    real = Acts.__init__

    def init(acts: Acts, *args: object, **more: object) -> None:
        real(acts, *args, **more)  # type: ignore[arg-type]
        made(acts)

    monkeypatch.setattr(Acts, "__init__", init)
    return folder


def shown(browser: Browser, key: str = KEY) -> str:
    found = re.search(r'name="chosen" value="([^"]+)"', browser.get(f"/knowledge/{key}").text)
    assert found is not None
    return found[1]


def sign(browser: Browser, act: str, *chosen: str, why: str = "validated on 40 sera", password: str = PASSWORD):  # type: ignore[no-untyped-def]
    return browser.post("/knowledge/sign", {"act": act, "chosen": list(chosen), "why": why, "password": password})


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_what_the_site_wrote_comes_first_and_everything_can_be_looked_at(bench: Bench, site: Path) -> None:
    author = bench.signed_in("anna", Role.AUTHOR)
    page = author.get("/knowledge").text
    assert re.findall(r'href="/knowledge/[^"]+">([^<]+)<', page) == [KEY]
    rules = author.get("/knowledge?kind=rule").text
    assert rules.count('name="chosen"') > 150
    every = author.get("/knowledge?kind=every&standing=approved").text
    assert "Nothing is here." in every


def test_one_writes_and_another_approves(bench: Bench, site: Path) -> None:
    author, approver = bench.signed_in("anna", Role.AUTHOR), bench.signed_in("bert", Role.APPROVER)
    page = author.get(f"/knowledge/{KEY}").text
    assert "our own decision" in page
    assert "Nobody has signed it here." in page
    assert sign(author, "put_forward", shown(author)).status_code == 200
    page = plain(approver.get(f"/knowledge/{KEY}").text)
    assert "put forward Anna Test" in page
    assert "validated on 40 sera" in page
    answer = sign(approver, "approve", shown(approver))
    assert answer.status_code == 200
    assert "approved Bert Test" in plain(answer.text)
    assert bench.audit("approved")[0][:2] == ("bert", KEY)
    assert "Bert Test" in approver.get("/knowledge?standing=approved").text


def test_who_has_both_roles_does_not_approve_what_they_wrote(bench: Bench, site: Path) -> None:
    both = bench.signed_in("anna", Role.AUTHOR, Role.APPROVER)
    sign(both, "put_forward", shown(both))
    answer = sign(both, "approve", shown(both))
    assert (answer.status_code, "another person approves it" in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("role", "act"),
    [
        (Role.AUTHOR, "approve"),
        (Role.APPROVER, "put_forward"),
        (Role.SENIOR, "approve"),
        (Role.AUTHOR, "withdraw"),
    ],
)
def test_each_act_asks_for_its_role(bench: Bench, site: Path, role: Role, act: str) -> None:
    browser = bench.signed_in("anna", role)
    assert sign(browser, act, f"{KEY}@{'0' * 12}").status_code == 403
    assert bench.rows.execute("SELECT count(*) FROM approvals").fetchone() == (0,)


def test_a_content_that_changed_since_it_was_on_the_screen_is_not_signed(bench: Bench, site: Path) -> None:
    author = bench.signed_in("anna", Role.AUTHOR)
    before = shown(author)
    (site / "policy.yaml").write_text(OWN.replace("value: 5", "value: 6"), encoding="utf-8")
    answer = sign(author, "put_forward", before)
    assert (answer.status_code, "is not as it was read" in answer.text) == (422, True)
    assert shown(author) != before


def test_the_difference_from_what_was_approved_last_is_shown(bench: Bench, site: Path) -> None:
    author, approver = bench.signed_in("anna", Role.AUTHOR), bench.signed_in("bert", Role.APPROVER)
    sign(author, "put_forward", shown(author))
    sign(approver, "approve", shown(approver))
    (site / "policy.yaml").write_text(OWN.replace("value: 5", "value: 6"), encoding="utf-8")
    page = approver.get(f"/knowledge/{KEY}").text
    assert re.search(r'<span class="gone">− .*value: 5', page)
    assert re.search(r'<span class="come">\+ .*value: 6', page)
    assert "○" not in page  # the shape is the style's
    assert "not signed" in plain(page)


def test_a_signature_asks_for_the_password_once_the_last_one_is_old(bench: Bench, site: Path) -> None:
    author = bench.signed_in("anna", Role.AUTHOR)
    bench.clock.forward(minutes=6)
    assert 'type="password"' in author.get(f"/knowledge/{KEY}").text
    assert sign(author, "put_forward", shown(author), password="wrong").status_code == 422
    assert bench.rows.execute("SELECT count(*) FROM approvals").fetchone() == (0,)
    assert sign(author, "put_forward", shown(author)).status_code == 200


def test_many_are_approved_at_once_each_for_what_it_says(bench: Bench, site: Path) -> None:
    approver = bench.signed_in("bert", Role.APPROVER)
    chosen = re.findall(r'name="chosen" value="([^"]+)"', approver.get("/knowledge?kind=kit").text)
    assert len(chosen) > 10
    assert sign(approver, "approve", *chosen).status_code == 200
    assert f"{len(chosen)}/{len(chosen)}" in approver.get("/knowledge?kind=kit").text
    assert sign(approver, "approve").status_code == 422


def test_an_approval_is_taken_back_with_a_reason(bench: Bench, site: Path) -> None:
    approver = bench.signed_in("bert", Role.APPROVER)
    kit = "kit:euroline-16"
    sign(approver, "approve", shown(approver, kit))
    assert sign(approver, "withdraw", shown(approver, kit), why="").status_code == 422
    answer = sign(approver, "withdraw", shown(approver, kit), why="lot 7 fails")
    assert "taken back bert" in plain(answer.text)
    assert "lot 7 fails" in answer.text


def test_what_is_not_in_force_yet_is_said(bench: Bench, site: Path) -> None:
    approver = bench.signed_in("bert", Role.APPROVER)
    assert "in force" not in approver.get("/knowledge").text  # a service that does not say what it works by
    shipped = read_all()
    bench.writer.submit(
        lambda c: c.execute("INSERT INTO knowledge VALUES (?, ?, '')", (version(shipped), packed(shipped)))
    ).result()
    real = bench.parts.act
    told = {"ok": True, "in_force": version(shipped)}
    bench.with_parts(act=lambda asked: told if asked["command"] == "knowledge" else real(asked))
    page = bench.signed_in("bert", Role.APPROVER).get("/knowledge").text
    assert "On the disk, not in force yet" in page
    assert "Prove it and take it into force" in page
    assert "Prove it" not in bench.signed_in("anna", Role.AUTHOR).get("/knowledge").text


def test_a_folder_with_a_fault_is_told_and_nothing_is_signed(bench: Bench, site: Path) -> None:
    author = bench.signed_in("anna", Role.AUTHOR)
    before = shown(author)
    (site / "policy.yaml").write_text(OWN.replace("value: 5", "value: many"), encoding="utf-8")
    page = author.get("/knowledge")
    assert (page.status_code, "policy.yaml:1" in page.text) == (422, True)
    assert author.get(f"/knowledge/{KEY}").status_code == 422
    assert sign(author, "put_forward", before).status_code == 422


def test_there_is_no_item_of_another_name(bench: Bench, site: Path) -> None:
    assert bench.signed_in("anna", Role.AUTHOR).get("/knowledge/rule:none/at/all").status_code == 404
