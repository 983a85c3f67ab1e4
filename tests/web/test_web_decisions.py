"""Deciding a case at the workbench: what is signed is what was shown, what is undone has not left, and a stale screen
changes nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from story_parts import BLOT, CK, CLIA, Lis, obx, order, oru
from web_parts import PASSWORD, Bench, Browser

from labbridge.model.people import Role
from labbridge.model.review import Disposition
from labbridge.states import CaseState

SRP = oru("M1", order("F1", obx(BLOT, "58")))


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name}"
    return found[1]


def sign(browser: Browser, key: str = "C1", page: str = "", **changed: str) -> Any:
    shown = page or browser.get(f"/cases/{key}").text
    given = {"version": field(shown, "version"), "screen": field(shown, "screen"), "password": PASSWORD, **changed}
    return browser.post(f"/cases/{key}/sign", given)


def decide(browser: Browser, kind: str, key: str = "C1", **more: str) -> Any:
    return browser.post(f"/cases/{key}/decide", {"version": "1", "kind": kind, **more})


async def test_a_case_is_signed_and_leaves_when_its_time_to_undo_is_over(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    answer = sign(anywhere.signed_in())
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/worklist")
    lis = Lis()
    assert await anywhere.lab.deliver(lis) == 0
    anywhere.clock.forward(seconds=119)
    assert await anywhere.lab.deliver(lis) == 0
    anywhere.clock.forward(seconds=1)
    assert await anywhere.lab.deliver(lis) == 1
    assert "Anna Test" in lis.received[0].decode().replace("^", " ")
    row = anywhere.rows.execute(
        'SELECT "case", version, person, name, meaning, length(screen) FROM signatures'
    ).fetchone()
    assert tuple(row) == (1, 1, "anna", "Anna Test", "reviewed and released", 32)


async def test_undone_before_it_left_nothing_leaves(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    sign(browser)
    anywhere.clock.forward(seconds=100)
    assert decide(browser, "undo").status_code == 204
    anywhere.clock.forward(hours=1)
    lis = Lis()
    assert await anywhere.lab.deliver(lis) == 0
    assert (lis.received, anywhere.lab.case().state) == ([], CaseState.NEW)
    assert sign(anywhere.signed_in()).status_code == 204
    anywhere.clock.forward(seconds=120)
    assert await anywhere.lab.deliver(lis) == 1
    assert lis.comments()[0][11] == "F"  # the LIS never saw the first


async def test_what_has_left_is_not_undone_but_corrected(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    sign(browser)
    refused = decide(browser, "correct", why="too early")
    assert "has not left yet: undo it instead" in refused.text
    anywhere.clock.forward(seconds=120)
    lis = Lis()
    await anywhere.lab.deliver(lis)
    assert "correct it instead" in decide(browser, "undo").text
    assert decide(browser, "correct", why="a word was wrong").status_code == 204
    assert anywhere.lab.case().state is CaseState.REOPENED
    assert decide(browser, "wording", text="Another wording.", why="a word was wrong").status_code == 204
    assert sign(browser).status_code == 204
    anywhere.clock.forward(seconds=120)
    await anywhere.lab.deliver(lis)
    assert [fields[11] for fields in lis.comments()] == ["F", "C"]
    assert "Another wording." in lis.comments()[1][5]


async def test_the_words_of_a_person_leave_and_the_draft_stays(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    drafted = anywhere.lab.case().text
    assert (
        decide(browser, "wording", text="Anti-SRP  was found;\n see the note | here.", why="shorter").status_code == 204
    )
    page = browser.get("/cases/C1").text
    assert "Anti-SRP was found; see the note | here." in page
    sign(browser, page=page)
    anywhere.clock.forward(seconds=120)
    lis = Lis()
    await anywhere.lab.deliver(lis)
    assert lis.comments()[0][5] == "Anti-SRP was found; see the note \\F\\ here."
    assert anywhere.lab.case().text == drafted
    assert anywhere.audit("wording") == [("anna", "C1@1", "shorter")]


async def test_words_of_an_earlier_version_are_not_sent_with_a_later_one(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    decide(browser, "wording", text="Words for the first version.", why="clearer")
    await bench.lab.take(oru("M2", order("F2", obx(CK, "6000"))))
    page = browser.get("/cases/C1").text
    assert "Words for the first version." not in page
    sign(browser, page=page)
    bench.clock.forward(seconds=120)
    lis = Lis()
    await bench.lab.deliver(lis)
    assert lis.comments()[0][5] == bench.lab.case().text


# ---------------------------------------------------------------- a stale screen


async def test_a_stale_screen_signs_nothing_and_shows_what_changed(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    before = browser.get("/cases/C1").text
    await anywhere.lab.take(oru("M2", order("F2", obx(CK, "6000"))))
    answer = sign(browser, page=before)
    assert answer.status_code == 422
    assert "C1 is at version 2 now, not 1" in answer.text
    assert "What has changed since version" in answer.text
    assert anywhere.lab.deliveries() == []


async def test_a_stale_decision_changes_nothing(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    await bench.lab.take(oru("M2", order("F2", obx(CK, "6000"))))
    for kind, more in (("hold", {"why": "waits", "days": "2"}), ("no_action", {"why": "known"})):
        answer = decide(browser, kind, **more)
        assert (answer.status_code, "read it again" in answer.text) == (422, True)
    assert bench.lab.case().disposition is Disposition.NONE
    assert bench.rows.execute("SELECT count(*) FROM decisions").fetchone() == (0,)


async def test_words_that_came_between_are_not_signed_unseen(bench: Bench) -> None:
    """Another person edits the text while this one reads the draft: the signature is for what was on the screen."""
    await bench.lab.take(SRP)
    first, second = bench.signed_in(), bench.signed_in("bert")
    page = first.get("/cases/C1").text
    decide(second, "wording", text="Something else.", why="clearer")
    answer = sign(first, page=page)
    assert answer.status_code == 422
    assert "is not as it was on the screen" in answer.text
    assert bench.lab.deliveries() == []


async def test_of_two_who_sign_at_once_one_does(bench: Bench) -> None:
    await bench.lab.take(SRP)
    first, second = bench.signed_in(), bench.signed_in("bert")
    pages = [one.get("/cases/C1").text for one in (first, second)]
    codes = [sign(one, page=page).status_code for one, page in zip((first, second), pages, strict=True)]
    assert codes == [204, 422]
    assert len(bench.lab.deliveries()) == 1


# ---------------------------------------------------------------- the other decisions


@pytest.mark.parametrize(
    ("kind", "more", "disposition"),
    [
        ("hold", {"why": "waits for the clinic", "days": "3"}, Disposition.HELD),
        ("refer", {"why": "unusual", "text": "Dr Roux"}, Disposition.REFERRED),
        ("retest", {"text": "SRP quant"}, Disposition.WAITING_RETEST),
        ("no_action", {"why": "known since 2019"}, Disposition.DONE),
        ("reject", {"why": "the kit is out of date"}, Disposition.DONE),
    ],
)
async def test_each_decision_puts_the_case_where_it_waits(
    anywhere: Bench, kind: str, more: dict[str, str], disposition: Disposition
) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    answer = decide(browser, kind, **more)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/worklist")
    case = anywhere.lab.case()
    assert (case.disposition, case.state) == (disposition, CaseState.NEW)
    told = anywhere.rows.execute("SELECT kind, person, name, why, text FROM decisions").fetchone()
    assert tuple(told) == (kind, "anna", "Anna Test", more.get("why", ""), more.get("text", ""))
    assert [actor for actor, _subject, _detail in anywhere.audit(kind)] == ["anna"]
    await anywhere.lab.take(oru("M2", order("F2", obx(CK, "6000"))))
    assert anywhere.lab.case().disposition is Disposition.NONE  # new results: it is read again


async def test_a_case_set_aside_is_taken_back(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    assert 'data-opens="return"' not in browser.get("/cases/C1").text
    decide(browser, "refer", why="unusual", text="Dr Roux")
    assert 'data-opens="return"' in browser.get("/cases/C1").text
    assert decide(browser, "return").status_code == 204
    assert anywhere.lab.case().disposition is Disposition.NONE


async def test_a_held_case_comes_back(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    decide(browser, "hold", why="waits", days="2")
    assert "held" in browser.get("/cases/C1").text
    bench.clock.forward(days=2)
    page = bench.signed_in().get("/cases/C1").text
    assert "<strong>new</strong>" in page
    assert " · held" not in page


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("hold", {"days": "2"}), ("hold", {"why": "x", "days": "91"}), ("refer", {"why": "x"}), ("refer", {"text": "x"}),
        ("retest", {}), ("no_action", {}), ("reject", {"why": "   "}), ("wording", {"text": "x"}),
        ("wording", {"why": "x", "text": " \n"}), ("wording", {"why": "x", "text": "a\x07b"}),
        ("wording", {"why": "x", "text": "x" * 4001}), ("undo", {}), ("correct", {"why": "x"}), ("sign", {}), ("", {}),
        ("no_action", {"why": "x" * 501}), ("no_action", {"why": "x\x00"}),
    ],
)  # fmt: skip
async def test_what_is_not_complete_or_not_possible_changes_nothing(
    bench: Bench, kind: str, more: dict[str, str]
) -> None:
    await bench.lab.take(SRP)
    assert decide(bench.signed_in(), kind, **more).status_code in (400, 422)
    assert bench.rows.execute("SELECT count(*) FROM decisions").fetchone() == (0,)
    assert bench.lab.case().disposition is Disposition.NONE


async def test_a_decision_is_none_of_a_viewer(bench: Bench) -> None:
    await bench.lab.take(SRP)
    viewer = bench.signed_in("vera", Role.VIEWER)
    page = viewer.get("/cases/C1").text
    assert 'data-opens="sign"' not in page
    assert [decide(viewer, "no_action", why="x").status_code, sign(viewer, page=SHOWN).status_code] == [403, 403]


SHOWN = '<input name="version" value="1"><input name="screen" value="00">'


# ---------------------------------------------------------------- the signature


async def test_without_the_password_nothing_is_signed(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    bench.clock.forward(minutes=6)
    for password in ("", "another one"):
        answer = sign(browser, password=password)
        assert (answer.status_code, "nothing was signed" in answer.text) == (422, True)
    assert bench.lab.deliveries() == []
    assert sign(browser).status_code == 204


async def test_shortly_after_the_password_was_given_it_is_not_asked_again(bench: Bench) -> None:
    await bench.lab.take(SRP, oru("M2", order("F2", obx(CLIA, "90")), patient="PT2"))
    browser = bench.signed_in()
    bench.clock.forward(minutes=6)
    assert 'id="sign-password"' in browser.get("/cases/C1").text
    assert sign(browser).status_code == 204
    page = browser.get("/cases/C2").text
    assert 'id="sign-password"' not in page
    assert sign(browser, "C2", page, password="").status_code == 204


async def test_guesses_of_the_password_are_slowed_down(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    bench.clock.forward(minutes=6)
    for _times in range(5):
        sign(browser, password="guess")
    assert sign(browser).status_code == 422
    assert bench.lab.deliveries() == []


@pytest.mark.parametrize("screen", ["", "zz", "00" * 32])
async def test_a_signature_for_no_screen_is_none(bench: Bench, screen: str) -> None:
    await bench.lab.take(SRP)
    assert sign(bench.signed_in(), screen=screen).status_code in (400, 422)
    assert bench.lab.deliveries() == []


# ---------------------------------------------------------------- other sites


async def test_a_case_of_another_site_is_not_there(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    stranger = anywhere.signed_in("otto", Role.SENIOR, feeds=("elsewhere",))
    assert stranger.get("/cases/C1").status_code == 404
    assert 'data-case="' not in stranger.get("/worklist").text
    assert decide(stranger, "no_action", why="x").status_code == 404
    assert (
        stranger.post("/cases/C1/sign", {"version": "1", "screen": "00" * 32, "password": PASSWORD}).status_code == 404
    )
    assert anywhere.audit("viewed") == []


@pytest.mark.parametrize("key", ["C2", "1", "M1", "C", "C0x1", "C" + "9" * 30, "C１", "C1@1"])
async def test_what_is_no_case_is_not_there(bench: Bench, key: str) -> None:
    await bench.lab.take(SRP)
    assert bench.signed_in().get(f"/cases/{key}").status_code == 404


async def test_each_view_of_a_patient_is_written_down(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    browser.get("/worklist")
    browser.get("/cases/C1")
    assert anywhere.audit("viewed") == [("anna", "worklist", "C1"), ("anna", "C1", "version 1")]
