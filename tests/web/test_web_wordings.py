"""Edits flow back to who writes the rules: as a list, word by word, by rule, without anybody's name."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from story_parts import BLOT, CLIA, ELSEWHERE, obx, order, oru
from test_web_decisions import decide, sign
from test_web_second import two
from web_parts import Bench, Browser

from labbridge.model.people import Role
from labbridge.model.review import Decided
from labbridge.model.wordings import Drafted, Judged, Window
from labbridge.review import wordings
from labbridge.review.wordings import OfRule, Part
from labbridge.store import wordings as stored


async def taken(bench: Bench, number: int, *lines: str, **more: Any) -> None:
    await bench.lab.take(oru(f"M{number}", order(f"F{number}", *lines), patient=f"PT{number}"), **more)


async def decided(bench: Bench, browser: Browser) -> None:
    """C1 edited and signed, C2 signed as drafted, C3 rejected, C4 without action."""
    for number in range(1, 5):
        await taken(bench, number, obx(BLOT, "58"))
    draft = bench.lab.cases()[0].text
    assert decide(browser, "wording", text=f"{draft} Call us.", why="they ask").status_code == 204
    assert sign(browser).status_code == 204
    assert sign(browser, "C2").status_code == 204
    assert decide(browser, "reject", "C3", why="not for children").status_code == 204
    assert decide(browser, "no_action", "C4", why="known for years").status_code == 204


def row(page: str, rule: str) -> list[str]:
    found = re.search(rf">{re.escape(rule)}</a></th>(.*?)</tr>", page, re.S)
    assert found, rule
    return re.findall(r"<td[^>]*>(.*?)</td>", found[1])


async def test_what_became_of_drafts_is_listed_by_rule(anywhere: Bench) -> None:
    browser = anywhere.signed_in()
    await decided(anywhere, browser)
    rule = anywhere.lab.cases()[0].outcome.fired[0]
    page = anywhere.signed_in("otto", Role.AUTHOR).get("/wordings").text
    assert row(page, rule) == ["4", "1 of 4", "1 of 4", "1 of 4", "1 of 4"]
    assert re.findall(r'<a href="/cases/(C\d)">', page) == ["C4", "C3", "C1"]
    assert re.search(r'<ins><span class="sign-of">\+</span>Call us\.</ins>', page)
    assert "<del>" not in page
    for said in ("they ask", "not for children", "known for years"):
        assert said in page
    assert page.count("then signed") == 1
    assert "Anna" not in page
    assert "anna" not in page
    assert ("otto", "wordings", "C1 C3-C4") in anywhere.audit("viewed")


async def test_what_was_undone_was_not_signed(bench: Bench) -> None:
    browser = bench.signed_in()
    await decided(bench, browser)
    assert decide(browser, "undo", "C1").status_code == 204
    assert decide(browser, "undo", "C2").status_code == 204
    page = bench.signed_in("otto", Role.AUTHOR).get("/wordings").text
    assert "then signed" not in page
    assert row(page, bench.lab.cases()[0].outcome.fired[0])[4] == "0 of 3"


async def test_people_see_the_drafts_of_their_sites(bench: Bench) -> None:
    await taken(bench, 1, obx(BLOT, "58"), feed=ELSEWHERE)
    browser = bench.signed_in()
    decide(browser, "reject", why="elsewhere alone")
    sign(browser)
    for feeds in (("myolis",), ()):
        other = bench.signed_in(f"one{len(feeds)}", Role.SENIOR, feeds=feeds)
        page = other.get("/wordings").text
        assert "elsewhere alone" not in page
        assert "/cases/C1" not in page
        assert "elsewhere alone" not in other.get("/wordings/export.csv").text


async def test_who_is_to_read_a_case_unseen_does_not_read_it_here(bench: Bench) -> None:
    two(bench)
    await taken(bench, 1, obx(BLOT, "58"))
    browser = bench.signed_in("anna", Role.SENIOR)
    decide(browser, "wording", text="Other words here.", why="clearer")
    other = bench.signed_in("bert", Role.SENIOR)
    assert "Other words here." in re.sub("<[^>]+>", "", other.get("/wordings").text).replace("+", "")
    assert sign(browser).status_code == 204
    assert "/cases/C1" not in other.get("/wordings").text


async def test_the_filters_stand_in_the_address(bench: Bench) -> None:
    browser = bench.signed_in()
    await taken(bench, 1, obx(BLOT, "58"))
    await taken(bench, 2, obx(CLIA, "200"))
    decide(browser, "reject", "C1", why="first why")
    decide(browser, "reject", "C2", why="second why")
    first, second = (case.outcome for case in bench.lab.cases())
    assert first.comment is not None
    assert second.comment is not None
    only = next(rule for rule in first.fired if rule not in second.fired).partition("@")[0]
    for path in (f"rule={only}", f"class={first.comment.comment_class}"):
        page = browser.get(f"/wordings?{path}").text
        assert ("first why" in page, "second why" in page) == (True, False), path
    assert "first why" in browser.get("/wordings?since=2026-11-13").text
    assert "first why" not in browser.get("/wordings?since=2026-11-14").text


@pytest.mark.parametrize("path", ["since=x", "before=-1", "before=x", "rule=%3Cb%3E", "class=a%20b"])
def test_an_address_that_asks_for_nothing_is_told(bench: Bench, path: str) -> None:
    for page in ("/wordings", "/wordings/export.csv"):
        assert bench.signed_in().get(f"{page}?{path}").status_code == 400


async def test_the_table_calculates_nothing(bench: Bench) -> None:
    browser = bench.signed_in()
    await taken(bench, 1, obx(BLOT, "58"))
    decide(browser, "wording", text='=HYPERLINK("x")', why="+1+1")
    answer = browser.get("/wordings/export.csv")
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert len(rows[0]) == len(rows[1]) == 11
    assert (rows[1][8], rows[1][9], rows[2]) == ('\'=HYPERLINK("x")', "'+1+1", ["rows", "1"])
    assert "Anna" not in answer.text
    assert ("anna", "wordings", "C1") in bench.audit("exported")
    assert bench.signed_in("otto", Role.AUTHOR).get("/wordings/export.csv").status_code == 403


async def test_the_list_goes_on_behind_its_window(anywhere: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "AT_ONCE", 2)
    browser = anywhere.signed_in()
    await taken(anywhere, 1, obx(BLOT, "58"))
    for number in range(5):
        decide(browser, "reject", why=f"why {number}")
        decide(browser, "return")
    seen: list[str] = []
    path = "/wordings"
    while path:
        page = browser.get(path).text
        seen += re.findall(r"why \d", page)
        found = re.search(r'href="([^"]*)" rel="next"', page)
        path = found[1] if found else ""
    assert seen == [f"why {number}" for number in (4, 3, 2, 1, 0)]


async def test_words_of_people_run_nowhere(bench: Bench) -> None:
    browser = bench.signed_in()
    await taken(bench, 1, obx(BLOT, "58"))
    decide(browser, "wording", text="<script>alert(1)</script>", why="<img src=x onerror=alert(1)>")
    page = browser.get("/wordings").text
    assert "<script>alert" not in page
    assert "<img" not in page


# ---------------------------------------------------------------- counted and compared


@pytest.mark.parametrize(
    ("drafted", "worded", "found"),
    [
        ("a b c", "a b c", [Part("same", "a b c")]),
        ("a b c", "a x c", [Part("same", "a"), Part("deleted", "b"), Part("inserted", "x"), Part("same", "c")]),
        ("a b", "a", [Part("same", "a"), Part("deleted", "b")]),
        ("", "a", [Part("inserted", "a")]),
        ("x " * 601, "y", [Part("deleted", " ".join(["x"] * 601)), Part("inserted", "y")]),
    ],
)
def test_texts_are_compared_word_by_word(drafted: str, worded: str, found: list[Part]) -> None:
    assert wordings.differences(drafted, worded) == found


def test_a_version_counts_once_for_a_rule() -> None:
    draft = Drafted(case=1, version=1, rules=("R1@1", "R2@1"))
    one = Judged(key=1, draft=draft, kind=Decided.WORDING, at=None, why="", drafted="")  # type: ignore[arg-type]
    window = Window((one, one), (Drafted(case=2, version=1, rules=("R1@1",)),), 0)
    assert wordings.by_rule(window) == [OfRule("R1@1", 2, 1, 0, 0, 1), OfRule("R2@1", 1, 1, 0, 0, 0)]
    assert wordings.by_rule(Window((), (), 0)) == []
