"""The worklist, on both stores, with cases that the real pipeline made: what is shown, found, counted, printed and left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
from web_parts import Bench, Browser, benched
from worklist_parts import BLOT, CK, NOON, Lis, Site, filled, many, obx, oru

from labbridge.model.people import Role
from labbridge.model.worklist import BY_NAME, QUEUES
from labbridge.states import CaseState
from labbridge.web.guard import HEADERS
from labbridge.web.views.clock import Age, age
from tests.summed import summed

XSS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{ 7*7 }}",
    "<svg/onload=alert(1)>",
)


@pytest.fixture
def bench_and_site(place: str) -> Iterator[tuple[Bench, Site]]:
    with benched(place) as bench:
        site = Site(bench)
        yield bench, site


@pytest.fixture
def site(bench_and_site: tuple[Bench, Site]) -> Site:
    return bench_and_site[1]


def shown(browser: Browser, query: str = "") -> list[str]:
    """The cases of a page, in order."""
    answer = browser.get(f"/worklist{query}")
    assert answer.status_code == 200, answer.text
    return re.findall(r'data-case="(C\d+)"', answer.text)


def counts(browser: Browser, query: str = "") -> dict[str, int]:
    text = browser.get(f"/worklist{query}").text
    found = re.findall(r'<a href="/worklist([^"]*)"[^>]*>[^<]*<span class="count">(\d+)</span>', text)
    return {(re.search(r"queue=(\w+)", path) or [0, "open"])[1]: int(count) for path, count in found}


# ---------------------------------------------------------------- what is shown


async def test_those_to_look_at_come_first_the_oldest_before_the_others(site: Site) -> None:
    await filled(site)
    site.release("C1@1")
    browser = site.bench.signed_in()
    assert shown(browser) == ["C2", "C3", "C4", "C5"]
    assert shown(browser, "?queue=all") == ["C2", "C3", "C4", "C5", "C1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?queue=new", ["C1", "C2", "C3", "C5"]),
        ("?queue=held", ["C4"]),
        ("?queue=signed", []),
        ("?queue=reopened", []),
        ("?feed=other", ["C3"]),
        ("?feed=nowhere", []),
        ("?severity=info", ["C1", "C2", "C3", "C4", "C5"]),
        ("?severity=major", ["C1", "C3", "C4"]),
        ("?severity=critical", ["C3"]),
        ("?flag=MSA_LOW_POS_UNCONFIRMED", ["C2", "C5"]),
        ("?flag=STATUS_UNKNOWN", ["C4"]),
        ("?flag=MSA_LOW_POS", []),
        ("?flag=MSA_LOW_POS_UNCONFIRME_", []),
        ("?analyte=CK", ["C1", "C5"]),
        ("?analyte=HMGCR&severity=minor&feed=myolis", ["C1", "C2", "C5"]),
        ("?since=2026-11-13", ["C1", "C2", "C3", "C4", "C5"]),
        ("?since=2026-11-14", []),
        ("?queue=all&rows=2", ["C1", "C2"]),
    ],
)
async def test_every_filter_chooses_its_cases(site: Site, query: str, expected: list[str]) -> None:
    await filled(site)
    assert shown(site.bench.signed_in(), query) == expected


@pytest.mark.parametrize(
    "query",
    ["queue=nothing", "severity=worse", "flag=%27%20OR%201%3D1", "flag=%25", "analyte=S%20R", "since=yesterday",
     "after=2-1", "after=0-x", "after=0-" + "9" * 19, "rows=0", "rows=201", "rows=-1", "rows=%C2%B2"],
)  # fmt: skip
async def test_a_filter_that_is_none_is_told_and_shows_nobody(site: Site, query: str) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    answer = site.bench.signed_in().get(f"/worklist?{query}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "PT1" not in answer.text
    assert site.bench.audit("viewed") == []


async def test_the_deliveries_are_queues_of_their_own(site: Site) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    site.release("C1@1")
    site.release("C5@1")
    assert shown(browser, "?queue=to_be_sent") == ["C1", "C5"]
    assert "waiting to be sent" in browser.get("/worklist?queue=to_be_sent").text
    assert counts(browser)["to_be_sent"] == 2
    await site.deliver(Lis("MSA|AR|$ID", "MSA|AA|$ID"))
    for _times in range(10):
        site.clock.forward(minutes=30)
        await site.deliver(Lis("MSA|AR|$ID"))
    browser = site.bench.signed_in()
    assert (shown(browser, "?queue=to_be_sent"), shown(browser, "?queue=sent")) == ([], [])
    assert shown(browser, "?queue=send_failed") == ["C1"]
    assert counts(browser)["send_failed"] == 1
    assert '<span class="delivery failed"> · send failed</span>' in browser.get("/worklist?queue=signed").text


async def test_the_tabs_count_their_queues_in_every_filter_of_one_feed(site: Site) -> None:
    await filled(site)
    site.release("C2@1")
    browser = site.bench.signed_in()
    whole = counts(browser)
    assert whole == {
        "open": 4, "new": 3, "reopened": 0, "held": 1, "held_by_a_person": 0, "referred": 0, "waiting_retest": 0,
        "second_reader": 0, "no_action": 0, "to_be_sent": 1, "sent": 0, "send_failed": 0, "independent_review": 0,
        "signed": 1, "closed": 0, "all": 5,
    }  # fmt: skip
    assert counts(browser, "?feed=other")["all"] == 1
    for queue, count in whole.items():
        assert len(shown(browser, f"?queue={queue}")) == count


DECIDED = (
    ("hold", {"why": "waits for serum", "days": "2"}, "held_by_a_person", "held by a person"),
    ("refer", {"why": "a second opinion", "text": "Dr Roux"}, "referred", "referred"),
    ("retest", {"text": "SRP quant"}, "waiting_retest", "waiting for a retest"),
    ("no_action", {"why": "known since 2019"}, "no_action", "decided without a comment"),
    ("reject", {"why": "the kit is out of date"}, "no_action", "decided without a comment"),
)


@pytest.mark.parametrize(("kind", "more", "queue", "words"), DECIDED)
async def test_what_a_person_set_aside_is_in_its_queue_and_not_looked_at(
    site: Site, kind: str, more: dict[str, str], queue: str, words: str
) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    assert browser.post("/cases/C2/decide", {"version": "1", "kind": kind, **more}).status_code == 204
    aside = {"held_by_a_person", "referred", "waiting_retest", "no_action"}
    assert {name: shown(browser, f"?queue={name}") for name in aside} == {
        name: ["C2"] if name == queue else [] for name in aside
    }
    assert shown(browser) == ["C1", "C3", "C4", "C5"]
    assert shown(browser, "?queue=new") == ["C1", "C3", "C5"]
    assert shown(browser, "?queue=all") == ["C1", "C2", "C3", "C4", "C5"]
    found = counts(browser)
    assert {name: found[name] for name in aside} == {name: int(name == queue) for name in aside}
    assert (found["open"], found["new"], found["all"]) == (4, 3, 5)
    assert f"new · {words}" in browser.get(f"/worklist?queue={queue}").text
    assert f"new · {words}" in browser.get("/worklist?queue=all").text
    assert counts(browser, "?feed=other")[queue] == 0


async def test_what_a_person_held_is_looked_at_again_when_its_time_is_over(site: Site) -> None:
    await filled(site)
    for case in ("C2", "C4"):
        held = {"version": "1", "kind": "hold", "why": "waits for serum", "days": "2"}
        assert site.bench.signed_in().post(f"/cases/{case}/decide", held).status_code == 204
    browser = site.bench.signed_in()
    assert shown(browser, "?queue=held_by_a_person") == ["C2", "C4"]
    assert shown(browser, "?queue=held") == []
    assert 'until <span class="number">2026-11-15 12:05' in browser.get("/worklist?queue=held_by_a_person").text
    site.clock.forward(days=2)
    browser = site.bench.signed_in()
    assert shown(browser, "?queue=held_by_a_person") == []
    assert shown(browser) == ["C1", "C2", "C3", "C4", "C5"]
    assert (counts(browser)["open"], counts(browser)["held_by_a_person"]) == (5, 0)
    assert "held by a person" not in browser.get("/worklist?queue=all").text


async def test_what_is_held_until_a_moment_of_another_zone_comes_back_then(site: Site) -> None:
    await filled(site)
    until = "2026-11-14T05:00:00+14:00"  # 15:00 of the day before in UTC
    request = {"command": "decide", "keys": ["C1@1"], "as": "Anna Test", "kind": "hold", "why": "waits", "until": until}
    answer = site.bench.parts.act(request)
    assert answer["ok"], answer
    assert shown(site.bench.signed_in(), "?queue=held_by_a_person") == ["C1"]
    site.clock.forward(hours=3, minutes=30)
    assert shown(site.bench.signed_in(), "?queue=held_by_a_person") == []


async def test_new_results_bring_a_case_back_whatever_was_done_with_it(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    decided = {"version": "1", "kind": "refer", "why": "x", "text": "Dr Roux"}
    assert site.bench.signed_in().post("/cases/C1/decide", decided).status_code == 204
    assert shown(site.bench.signed_in()) == []
    await site.patient("PT1", obx(CK, "7800"))
    browser = site.bench.signed_in()
    assert (shown(browser), shown(browser, "?queue=referred")) == (["C1"], [])
    assert (counts(browser)["open"], counts(browser)["referred"]) == (1, 0)


def test_the_tabs_stand_in_their_groups(bench: Bench) -> None:
    text = bench.signed_in().get("/worklist").text
    assert re.findall(r'role="group" aria-label="([^"]+)"', text) == [
        "To do", "Set aside by a person", "On its way", "Done and all",
    ]  # fmt: skip
    assert len(re.findall(r'class="count"', text)) == len(QUEUES)


async def test_a_finding_says_what_it_means_and_how_severe_it_is_without_its_colour(site: Site) -> None:
    await filled(site)
    text = unescape(site.bench.signed_in().get("/worklist?severity=critical").text)
    assert '<span aria-hidden="true">‼</span><span class="hidden">critical</span>' in text
    assert "CK above 10,000 U/L, first in 30 days" in text
    assert "style=" not in text
    assert "onclick" not in text


async def test_the_clock_runs_since_the_newest_result(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    site.clock.forward(hours=3, minutes=20)
    browser = site.bench.signed_in()
    assert "<strong>3 h</strong>" in browser.get("/worklist").text
    site.release("C1@1")
    assert "<strong>3 h</strong>" not in browser.get("/worklist?queue=all").text


async def test_a_case_whose_results_hold_it_waits_since_it_was_opened(site: Site) -> None:
    await site.patient("PT4", obx(BLOT, "58", "?"))
    site.clock.forward(days=2)
    text = site.bench.signed_in().get("/worklist?queue=held").text
    assert "<strong>2 d</strong>" in text
    assert "case opened; receipt of the result not known" in text


async def test_a_clock_that_is_wrong_is_not_shown_as_an_age(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    site.clock.forward(hours=-2)
    text = site.bench.signed_in().get("/worklist").text
    assert "is yet to come: a clock is wrong" in text


def test_an_age_is_coarse() -> None:
    now = NOON
    found = {
        seconds: age(now - timedelta(seconds=seconds), now) for seconds in (0, 59, 60, 3599, 3600, 86399, 86400, 9e5)
    }
    assert found == {
        0: Age(0, "min"), 59: Age(0, "min"), 60: Age(1, "min"), 3599: Age(59, "min"), 3600: Age(1, "h"),
        86399: Age(23, "h"), 86400: Age(1, "d"), 9e5: Age(10, "d"),
    }  # fmt: skip


async def test_who_else_has_a_case_open_is_shown_for_as_long_as_a_sign_in_lasts_unused(site: Site) -> None:
    await filled(site)
    bench, browser = site.bench, site.bench.signed_in("anna")
    other = bench.person("bert")
    own = bench.people.by_login("anna")
    assert own is not None
    rows = [(1, other.key), (1, own.key), (2, own.key)]
    at = bench.clock.now().isoformat()
    bench.writer.submit(
        lambda c: [c.execute('INSERT INTO opened("case", person, at) VALUES (?,?,?)', (*row, at)) for row in rows]
    ).result()
    assert re.findall(r"open at ([^<]+)<", browser.get("/worklist").text) == ["Bert Test"]
    bench.clock.forward(minutes=14)
    assert "open at" in browser.get("/worklist").text
    bench.clock.forward(minutes=2)
    assert "open at" not in browser.get("/worklist").text


async def test_an_empty_worklist_says_so(site: Site) -> None:
    text = site.bench.signed_in().get("/worklist").text
    assert "No case is here" in text
    assert '<table class="cases"' not in text
    assert site.bench.audit("viewed") == []


async def test_what_a_sender_wrote_shows_as_text(site: Site) -> None:
    """In the patient's number, on every page that shows it."""
    for payload in XSS:
        await site.patient(payload.replace("^", " "), obx(BLOT, "58"))
    browser = site.bench.signed_in()
    assert len(site.cases()) == len(XSS)
    for path in ("/worklist", "/worklist/print"):
        text = browser.get(path).text
        for payload in XSS:
            assert payload not in text or not set(payload) & set("<>\"'")
            assert payload in unescape(text)
        assert "49" not in re.findall(r"<td class=\"number\"[^>]*>(.*?)<", text)
    assert "script-src 'self'" in HEADERS["Content-Security-Policy"]


async def test_what_stands_in_a_finding_shows_as_text(site: Site) -> None:
    """A flag that no mapping of ours names, with its analyte."""
    await site.patient("PT1", obx(BLOT, "58"))
    marked = b'"flags":[{"code":"<b>X</b>","severity":"major","rule":"r","analyte":"<i>Y</i>","evidence":["<u>Z</u>"]}]'
    (outcome,) = site.rows.execute('SELECT outcome FROM drafts WHERE "case" = 1').fetchone()
    changed = re.sub(rb'"flags":\[.*?\](?=,"retests")', lambda _found: marked, bytes(outcome))
    assert changed != bytes(outcome)
    site.writer.submit(lambda c: c.execute('UPDATE drafts SET outcome = ? WHERE "case" = 1', (changed,))).result()
    site.writer.submit(summed).result()
    text = site.bench.signed_in().get("/worklist").text
    assert "&lt;b&gt;X&lt;/b&gt;" in text
    assert not any(mark in text for mark in ("<b>", "<i>", "<u>"))


# ---------------------------------------------------------------- pages


async def test_pages_follow_each_other_without_a_gap_or_a_repetition(site: Site) -> None:
    for number in range(7):
        await site.patient(f"PT{number}", obx(BLOT, "58"))
    site.release("C2@1")
    site.release("C6@1")
    browser, seen, path = site.bench.signed_in(), list[str](), "?queue=all&rows=2"
    while path:
        seen += shown(browser, path)
        text = browser.get(f"/worklist{path}").text
        following = re.search(r'href="/worklist([^"]*)" rel="next"', text)
        path = unescape(following[1]) if following else ""
        assert ("First page" in text) is (len(seen) > 2)
    assert seen == ["C1", "C3", "C4", "C5", "C7", "C2", "C6"]


async def test_a_case_that_is_signed_between_two_pages_moves_no_other(site: Site) -> None:
    for number in range(5):
        await site.patient(f"PT{number}", obx(BLOT, "58"))
    browser = site.bench.signed_in()
    assert shown(browser, "?rows=2") == ["C1", "C2"]
    site.release("C1@1")
    assert shown(browser, "?rows=2&after=0-2") == ["C3", "C4"]


# ---------------------------------------------------------------- what is new


async def test_the_page_tells_how_many_came_and_stays_as_it_is(site: Site) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    path = unescape(re.search(r'hx-get="(/worklist/news[^"]*)"', browser.get("/worklist?severity=major").text)[1])  # type: ignore[index]
    assert browser.get(path).text.strip() == ""
    for number in range(7):
        await site.patient(f"NEW{number}", obx(BLOT, "58"))
    await site.patient("LOW", obx(BLOT, "14"))
    text = browser.get(path).text
    assert "7 new or changed" in text
    assert 'href="/worklist?severity=major"' in text
    assert "NEW" not in text


async def test_a_case_that_changed_counts_as_news(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "14"))
    browser = site.bench.signed_in()
    path = unescape(re.search(r'hx-get="(/worklist/news[^"]*)"', browser.get("/worklist").text)[1])  # type: ignore[index]
    await site.patient("PT1", obx(CK, "7800"))
    assert site.case().version == 2
    assert "1 new or changed" in browser.get(path).text


async def test_news_begin_from_nothing_too(site: Site) -> None:
    browser = site.bench.signed_in()
    path = unescape(re.search(r'hx-get="(/worklist/news[^"]*)"', browser.get("/worklist").text)[1])  # type: ignore[index]
    assert browser.get(path).text.strip() == ""
    await site.patient("PT1", obx(BLOT, "58"))
    assert "1 new or changed" in browser.get(path).text


async def test_a_page_that_asks_for_news_by_itself_keeps_no_sign_in_alive(site: Site) -> None:
    browser = site.bench.signed_in()
    for _times in range(44):
        assert browser.get("/worklist/news?seen=-").status_code == 200
        site.bench.clock.forward(seconds=20)
    site.bench.clock.forward(seconds=20)
    answer = browser.get("/worklist/news?seen=-", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert "hx-redirect" not in answer.headers, "the page stays: what was typed in it is not lost"


# ---------------------------------------------------------------- search


@pytest.mark.parametrize("number", ["C1", "c1", "PT1", " PT1 ", "FILLER1", "PFILLER1"])
async def test_one_case_is_opened_by_its_key_or_a_scanned_number(site: Site, number: str) -> None:
    await site.patient("PT1", obx(BLOT, "58"), filler="FILLER1")
    await site.patient("PT2", obx(BLOT, "58"))
    answer = site.bench.signed_in().post("/worklist/find", {"number": number})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/cases/C1")


async def test_a_specimen_is_found_by_its_number(site: Site) -> None:
    raw = oru("S1", "OBR|1|PS1^MYOCLIN|FS1^MYOLIS|MYO^Myositis^L|||20261110091500+0100\rOBX|1|" + obx(BLOT, "58"))
    await site.take(raw + b"SPM|1|^0012345678&MYOLIS||119364003^Serum^SCT\r")
    browser = site.bench.signed_in()
    assert browser.post("/worklist/find", {"number": "0012345678"}).headers["hx-redirect"] == "/cases/C1"
    assert browser.post("/worklist/find", {"number": "12345678"}).status_code == 404


@pytest.mark.parametrize(
    "number", ["PT", "PT1%", "T1", "pt1", "C99", "C", "C0", "C1x", "' OR 1=1 --", "_" * 3, "C" + "9" * 30]
)
async def test_what_is_not_there_exactly_is_not_found(site: Site, number: str) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    answer = site.bench.signed_in().post("/worklist/find", {"number": number})
    assert (answer.status_code, answer.text) == (404, "No case is held here under this number\n")


@pytest.mark.parametrize("number", ["", "   ", "9" * 201])
async def test_an_empty_search_finds_nobody(site: Site, number: str) -> None:
    assert site.bench.signed_in().post("/worklist/find", {"number": number}).status_code == 400


async def test_several_cases_of_a_number_are_listed_in_the_answer(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    site.sent += 1
    old = oru("OLD", "OBR|1|P9^M|F9^M|MYO^Myositis^L|||20260110091500+0100\rOBX|1|" + obx(BLOT, "58"), patient="PT1")
    await site.take(old)
    assert len(site.cases()) == 2
    answer = site.bench.signed_in().post("/worklist/find", {"number": "PT1"})
    assert answer.status_code == 200
    assert re.findall(r'data-case="(C\d+)"', answer.text) == ["C1", "C2"]
    assert "Several cases have this number" in answer.text


async def test_a_merged_patient_is_found_by_either_number(site: Site) -> None:
    await site.patient("OLD", obx(BLOT, "58"))
    msh = "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113121000+0000||ADT^A40|A1|P|2.5.1||||||UNICODE UTF-8"
    pid = "PID|1||NEW^^^LABA^MR||TEST^SYNTHETIC||19690417|M\rMRG|OLD^^^LABA^MR"
    await site.take(f"{msh}\rEVN||20261113121000+0000\r{pid}\r".encode())
    browser = site.bench.signed_in()
    for number in ("OLD", "NEW"):
        assert browser.post("/worklist/find", {"number": number}).headers.get("hx-redirect") == "/cases/C1", number


async def test_a_search_leaves_no_number_behind(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    browser = site.bench.signed_in()
    before = site.rows.execute("SELECT count(*) FROM audit").fetchone()[0]
    browser.post("/worklist/find", {"number": "PT1"})
    browser.post("/worklist/find", {"number": "PT77"})
    lines = site.rows.execute("SELECT subject, detail FROM audit WHERE id > ?", (before,)).fetchall()
    assert not any("PT" in part for line in lines for part in line)


async def test_an_erased_patient_is_found_no_more(site: Site) -> None:
    from labbridge.model.work import AuditEvent

    await site.patient("PT1", obx(BLOT, "58"), filler="FILLER1")
    event = AuditEvent(at=site.clock.now(), actor="test", action="erased", subject="C1")
    site.desk.erase("p:LABA|PT1", event)
    browser = site.bench.signed_in()
    for number in ("PT1", "FILLER1", "C1"):
        assert browser.post("/worklist/find", {"number": number}).status_code == 404
    assert site.rows.execute("SELECT count(*) FROM numbers").fetchone() == (0,)


# ---------------------------------------------------------------- sites


async def test_what_came_to_other_sites_is_nowhere(site: Site) -> None:
    await filled(site)
    site.release("C3@1")
    bench = site.bench
    browser = bench.signed_in("anna", feeds=("myolis",))
    nobody = bench.signed_in("nobody", feeds=())
    assert shown(browser, "?queue=all") == ["C1", "C2", "C4", "C5"]
    assert shown(browser, "?queue=all&feed=other") == []
    assert counts(browser)["all"] == 4
    assert counts(browser)["to_be_sent"] == 0
    assert shown(browser, "?queue=to_be_sent") == []
    assert "4 new" in browser.get("/worklist/news?queue=all&seen=-").text
    assert re.findall(r'<option value="(other|myolis)"', browser.get("/worklist?queue=all").text) == ["myolis"] * 2
    for number in ("C3", "PT3", "F3", "PF3"):
        assert browser.post("/worklist/find", {"number": number}).status_code == 404
    for path in ("/worklist/export.csv?queue=all", "/worklist/export.jsonl?queue=all", "/worklist/print?queue=all"):
        text = browser.get(path).text
        assert "PT1" in text
        assert "PT3" not in text
    assert shown(nobody, "?queue=all") == []
    assert counts(nobody)["all"] == 0
    assert nobody.get("/worklist/news?queue=all&seen=-").text.strip() == ""
    assert nobody.post("/worklist/find", {"number": "PT1"}).status_code == 404
    assert "PT" not in nobody.get("/worklist/export.csv?queue=all").text


# ---------------------------------------------------------------- print


async def test_the_print_is_by_bench_and_says_when_and_by_whom(site: Site) -> None:
    await filled(site)
    text = site.bench.signed_in().get("/worklist/print").text
    assert re.findall(r"<h2>Bench: ([^<]+)</h2>", text) == [
        "enzymatic",
        "hep2_iif",
        "ip",
        "quant",
        "no retest proposed",
    ]
    quant = text.split("Bench: quant")[1].split("</section>")[0]
    assert re.findall(r"(C\d)@1", quant) == ["C1", "C2", "C3", "C5"]
    assert re.search("anti-SRP: ELISA/CLIA or immunoprecipitation · (urgent|routine)", quant)
    assert "printed at 2026-11-13T12:05+00:00 · by Anna Test" in text
    assert "@page" in site.bench.signed_in().get("/static/print.css").text
    assert site.bench.audit("printed") == [("anna", "worklist", "C1 C2 C3 C4 C5")]


async def test_a_print_that_holds_not_all_says_so(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    many(site, 450)
    browser, path, seen = site.bench.signed_in(), "?queue=all", list[str]()
    while path:
        text = browser.get(f"/worklist/print{path}").text
        seen += dict.fromkeys(re.findall(r"(C\d+)@1", text))
        more = re.search(r'href="/worklist/print([^"]*)">Next print', text)
        assert (more is None) is (len(seen) == 450)
        path = unescape(more[1]) if more else ""
    assert len(set(seen)) == len(seen) == 450


# ---------------------------------------------------------------- shift notes


async def test_a_note_is_left_at_its_queue_and_read_by_who_comes_next(site: Site) -> None:
    bench = site.bench
    anna, bert = bench.signed_in("anna"), bench.signed_in("bert", feeds=("myolis",))
    hostile = "C12 waits for serum\n<script>alert(1)</script> & {{ 7*7 }}"
    answer = anna.post("/worklist/note", {"queue": "held", "feed": "myolis", "text": hostile})
    assert answer.status_code == 200
    for text in (answer.text, bert.get("/worklist?queue=held").text):
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; {{ 7*7 }}" in text
        assert "Anna Test" in text
        assert "2026-11-13 12:00" in text
    assert "waits for serum" not in bert.get("/worklist").text
    assert bench.audit("shift note") == [("anna", "worklist", "held myolis")]


async def test_a_note_is_for_one_of_the_writers_sites_or_from_who_has_all_for_all(site: Site) -> None:
    bench = site.bench
    chief = bench.signed_in("chief", Role.SENIOR)
    one, other = bench.signed_in("one", feeds=("myolis",)), bench.signed_in("two", feeds=("other",))
    assert one.post("/worklist/note", {"queue": "open", "feed": "other", "text": "x"}).status_code == 400
    assert one.post("/worklist/note", {"queue": "open", "feed": "", "text": "x"}).status_code == 400
    assert one.post("/worklist/note", {"queue": "open", "feed": "*", "text": "x"}).status_code == 400
    assert one.post("/worklist/note", {"queue": "open", "feed": "myolis", "text": "of myolis alone"}).status_code == 200
    assert chief.post("/worklist/note", {"queue": "open", "feed": "", "text": "for everybody"}).status_code == 200
    for browser, seen in ((one, True), (other, False), (chief, True)):
        text = browser.get("/worklist").text
        assert ("of myolis alone" in text) is seen
        assert "for everybody" in text


@pytest.mark.parametrize(
    "data",
    [{"queue": "none", "text": "x"}, {"queue": "open", "text": "  "}, {"queue": "open", "text": "x" * 1001}, {},
     {"queue": "open", "text": "a\0b"}],
)  # fmt: skip
async def test_what_is_no_note_is_not_kept(site: Site, data: dict[str, str]) -> None:
    assert site.bench.signed_in().post("/worklist/note", data).status_code == 400
    assert site.rows.execute("SELECT count(*) FROM shift_notes").fetchone() == (0,)
    assert site.bench.audit("shift note") == []


async def test_a_viewer_reads_notes_and_leaves_none(site: Site) -> None:
    viewer = site.bench.signed_in("vera", Role.VIEWER)
    assert viewer.post("/worklist/note", {"queue": "open", "feed": "", "text": "x"}).status_code == 403
    text = viewer.get("/worklist").text
    assert "Shift notes" in text
    assert "Leave the note" not in text
    assert "export.csv" not in text


async def test_old_notes_go_with_old_bytes(site: Site) -> None:
    from labbridge.model.work import AuditEvent

    anna = site.bench.signed_in()
    anna.post("/worklist/note", {"queue": "open", "text": "of yesterday"})
    site.clock.forward(days=1)
    anna = site.bench.signed_in()
    anna.post("/worklist/note", {"queue": "open", "text": "of today"})
    event = AuditEvent(at=site.clock.now(), actor="test", action="expired", subject="store")
    site.desk.expire(site.clock.now() - timedelta(hours=1), event)
    text = anna.get("/worklist").text
    assert "of today" in text
    assert "of yesterday" not in text


# ---------------------------------------------------------------- audit, words, store


async def test_who_sees_patients_is_written_down_case_by_case(site: Site) -> None:
    await filled(site)
    site.bench.signed_in().get("/worklist?severity=major")
    assert site.bench.audit("viewed") == [("anna", "worklist", "C1 C3 C4")]


async def test_no_address_of_a_page_holds_a_number_of_a_patient(site: Site) -> None:
    await filled(site)
    browser = site.bench.signed_in()
    for path in ("/worklist?queue=all", "/worklist/print"):
        addresses = re.findall(r'(?:href|action|hx-get|hx-post)="([^"]*)"', browser.get(path).text)
        assert len(addresses) > 5
        assert not any(re.search(r"PT\d|LABA|F\d", one) for one in addresses)


async def test_the_worklist_is_shown_in_french(site: Site) -> None:
    await filled(site)
    text = unescape(site.bench.signed_in().get("/worklist", headers={"Accept-Language": "fr-FR,fr"}).text)
    assert "Liste de travail" in text
    assert "un anticorps est fortement positif ou confirmé" in text


def test_every_state_of_a_case_is_in_a_queue_beside_all() -> None:
    for state in CaseState:
        assert any(state in one.states for one in QUEUES if one.name != "all")
    assert set(BY_NAME["all"].states) == set(CaseState)
