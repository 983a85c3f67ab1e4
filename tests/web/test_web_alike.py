"""Several cases under one signature: like with like, each listed and each kept for itself, and never where an antibody is
positive (standards.md 4.3)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from story_parts import BLOT, CK, CLIA, obx, order, oru
from test_web_decisions import decide
from web_parts import PASSWORD, Bench, Browser

from labbridge.model.people import Role
from labbridge.model.review import Disposition
from labbridge.states import CaseState

NEGATIVE = (obx(BLOT, "1"), obx(CLIA, "3"), obx(CK, "6000"))


async def alike(bench: Bench, count: int, *lines: str) -> None:
    for number in range(count):
        chosen = lines or NEGATIVE
        await bench.lab.take(oru(f"M{number}", order(f"F{number}", *chosen), patient=f"PT{number}"))


def chosen(page: str) -> list[str]:
    return re.findall(r'name="chosen" value="([^"]+)"', page)


def sign(browser: Browser, these: list[str], case: str = "C1", password: str = PASSWORD) -> Any:
    return browser.post(f"/cases/{case}/alike", {"chosen": these, "password": password})


async def test_those_that_are_alike_are_signed_at_once_and_each_for_itself(anywhere: Bench) -> None:
    await alike(anywhere, 4)
    browser = anywhere.signed_in()
    page = browser.get("/cases/C1/alike").text
    assert [one.partition(":")[0] for one in chosen(page)] == ["C1@1", "C2@1", "C3@1", "C4@1"]
    assert all(f"PT{number}" in page for number in range(4))
    assert [subject for _who, subject, _what in anywhere.audit("viewed")] == ["worklist"]
    answer = sign(browser, chosen(page)[:3])
    assert answer.status_code == 200
    assert answer.text.count("signed <span") == 3
    assert [case.state for case in anywhere.lab.cases()] == [CaseState.SIGNED] * 3 + [CaseState.NEW]
    rows = anywhere.rows.execute(
        'SELECT "case", person, meaning, length(screen) FROM signatures ORDER BY id'
    ).fetchall()
    assert [tuple(row) for row in rows] == [(key, "anna", "reviewed and released", 32) for key in (1, 2, 3)]


async def test_a_positive_antibody_is_never_signed_with_others(bench: Bench) -> None:
    await alike(bench, 2, obx(BLOT, "58"))
    browser = bench.signed_in()
    assert 'href="/cases/C1/alike"' not in browser.get("/cases/C1").text
    page = browser.get("/cases/C1/alike").text
    assert "An antibody is positive or not settled" in page
    assert chosen(page) == []
    answer = sign(browser, ["C1@1:" + "00" * 32, "C2@1:" + "00" * 32])
    assert (answer.status_code, "An antibody is positive or not settled" in answer.text) == (422, True)
    assert bench.lab.deliveries() == []


async def test_what_is_not_alike_is_not_offered_and_not_signed(bench: Bench) -> None:
    await alike(bench, 2)
    await bench.lab.take(oru("M8", order("F8", obx(BLOT, "1"), obx(CK, "6000")), patient="PT8"))
    browser = bench.signed_in()
    these = chosen(browser.get("/cases/C1/alike").text)
    assert len(these) == 2
    answer = sign(browser, [*these, "C3@1:" + "00" * 32])
    assert (answer.status_code, "C3 is not like C1" in answer.text) == (422, True)
    assert bench.lab.deliveries() == []


async def test_changed_words_are_signed_alone(bench: Bench) -> None:
    await alike(bench, 3)
    browser = bench.signed_in()
    these = chosen(browser.get("/cases/C1/alike").text)
    decide(browser, "wording", "C2", text="Other words.", why="clearer")
    assert len(chosen(browser.get("/cases/C1/alike").text)) == 2
    answer = sign(browser, these)
    assert (answer.status_code, "C2 is signed by itself" in answer.text) == (422, True)


async def test_where_one_has_become_positive_meanwhile_none_is_signed(anywhere: Bench) -> None:
    await alike(anywhere, 3)
    browser = anywhere.signed_in()
    these = chosen(browser.get("/cases/C1/alike").text)
    await anywhere.lab.take(oru("M9", order("F9", obx(BLOT, "58")), patient="PT1"))
    answer = sign(browser, these)
    assert (answer.status_code, "C2 is signed by itself: An antibody is positive or not settled" in answer.text) == (
        422,
        True,
    )
    assert [one.partition(":")[0] for one in chosen(answer.text)] == ["C1@1", "C3@1"]
    assert anywhere.lab.deliveries() == []


async def test_one_whose_screen_is_another_is_left_and_said(bench: Bench) -> None:
    await alike(bench, 3)
    browser = bench.signed_in()
    first, second, third = chosen(browser.get("/cases/C1/alike").text)
    answer = sign(browser, [first, second[:-2] + "00", third])
    assert answer.status_code == 200
    assert "C2 is not as it was on the screen" in answer.text
    assert [case.state for case in bench.lab.cases()] == [CaseState.SIGNED, CaseState.NEW, CaseState.SIGNED]


async def test_twenty_five_at_most(bench: Bench) -> None:
    await alike(bench, 27)
    browser = bench.signed_in()
    these = chosen(browser.get("/cases/C1/alike").text)
    assert len(these) == 25
    answer = sign(browser, [*these, "C26@1:" + "00" * 32])
    assert (answer.status_code, "2 to 25 cases" in answer.text) == (422, True)
    assert bench.lab.deliveries() == []


async def test_a_single_one_is_no_several(bench: Bench) -> None:
    await alike(bench, 1)
    browser = bench.signed_in()
    assert "No other open case is like it" in browser.get("/cases/C1/alike").text
    assert sign(browser, ["C1@1:" + "00" * 32]).status_code == 422


@pytest.mark.parametrize("these", [[], ["nonsense"], ["C1@1"], ["C1:zz", "C2:zz"], ["C999@1:00", "C998@1:00"]])
async def test_nonsense_signs_nothing(bench: Bench, these: list[str]) -> None:
    await alike(bench, 2)
    assert sign(bench.signed_in(), these).status_code in (404, 422)
    assert bench.lab.deliveries() == []


async def test_the_password_is_asked_and_another_site_is_not_there(bench: Bench) -> None:
    await alike(bench, 2)
    browser = bench.signed_in()
    these = chosen(browser.get("/cases/C1/alike").text)
    bench.clock.forward(minutes=6)
    assert 'id="alike-password"' in browser.get("/cases/C1/alike").text
    assert "nothing was signed" in sign(browser, these, password="guess").text
    stranger = bench.signed_in("otto", Role.SENIOR, feeds=("elsewhere",))
    assert stranger.get("/cases/C1/alike").status_code == 404
    assert sign(stranger, these).status_code == 404
    assert bench.lab.deliveries() == []
    assert all(case.disposition is Disposition.NONE for case in bench.lab.cases())
