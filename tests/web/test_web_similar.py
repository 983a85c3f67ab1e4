"""Similar cases: those that are done, with the same findings and the same states, of the person's sites; how each ended."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from web_parts import Bench
from worklist_parts import BLOT, CK, ELSEWHERE, FEED, Site, many, obx

from labbridge.model.beside import Alike
from labbridge.model.outcome import States
from labbridge.model.review import Decided
from labbridge.states import CaseState
from labbridge.store import beside
from labbridge.store.bench import StoreBench
from tests.summed import summed

EVERYWHERE = None


@pytest.fixture
def site(anywhere: Bench) -> Site:
    return Site(anywhere)


def alike(site: Site, key: int, feeds: tuple[str, ...] | None = EVERYWHERE) -> list[Alike]:
    store = StoreBench(site.bench.rows)
    case = store.case(key)
    assert case is not None
    return store.alike(case, feeds)


def written(site: Site, sql: str, *params: Any) -> None:
    site.writer.submit(lambda connection: connection.execute(sql, params)).result()
    site.writer.submit(summed).result()


async def test_a_case_that_is_done_is_like_one_with_the_same_flags_and_states(site: Site) -> None:
    for number in ("PT1", "PT2", "PT3"):
        await site.patient(number, obx(BLOT, "58"))
    await site.patient("PT4", obx(BLOT, "14"))
    await site.patient("PT5", obx(BLOT, "58"), obx(CK, "100"))
    assert alike(site, 1) == [], "none of them is done"
    written(site, "UPDATE cases SET state = 'closed' WHERE id IN (1, 2, 4, 5)")
    written(site, "UPDATE cases SET state = 'signed' WHERE id = 3")
    found = alike(site, 1)
    assert [(one.key, one.state) for one in found] == [(3, CaseState.SIGNED), (2, CaseState.CLOSED)]
    assert all(one.day.isoformat() == "2026-11-10" for one in found)
    assert [one.key for one in alike(site, 4)] == []


async def test_the_same_flags_with_other_states_are_not_alike(site: Site) -> None:
    for number in ("PT1", "PT2"):
        await site.patient(number, obx(BLOT, "58"))
    written(site, "UPDATE cases SET state = 'closed' WHERE id = 2")
    assert [one.key for one in alike(site, 1)] == [2]
    store = StoreBench(site.bench.rows)
    case = store.case(2)
    assert case is not None
    for name in States.__struct_fields__:
        other = msgspec.structs.replace(case.outcome.states, **{name: "SOMETHING"})
        outcome = msgspec.json.encode(msgspec.structs.replace(case.outcome, states=other))
        written(site, 'UPDATE drafts SET outcome = ? WHERE "case" = 2', outcome)
        assert alike(site, 1) == [], name


async def test_how_it_ended_is_what_people_decided_and_what_was_released(site: Site) -> None:
    browser = site.bench.signed_in()
    for number in ("PT1", "PT2", "PT3"):
        await site.patient(number, obx(BLOT, "58"))
    site.release("C2@1")
    assert (
        browser.post("/cases/C3/decide", {"version": "1", "kind": "refer", "text": "Dr No", "why": "x"}).status_code
        == 204
    )
    assert browser.post("/cases/C3/decide", {"version": "1", "kind": "no_action", "why": "x"}).status_code == 204
    written(site, "UPDATE cases SET state = 'closed' WHERE id = 3")
    third, second = alike(site, 1)
    assert (third.key, third.decided, third.classes) == (3, (Decided.REFER, Decided.NO_ACTION), ())
    assert (second.key, second.state, second.decided) == (2, CaseState.SIGNED, ())
    assert len(second.classes) == 1
    written(site, 'UPDATE comments SET void = 1 WHERE "case" = 2')
    assert alike(site, 1)[1].classes == (), "what was called back ended nothing"


async def test_the_newest_five_and_of_other_sites_none(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    for number in range(2, 10):
        await site.patient(f"PT{number}", obx(BLOT, "58"), feed=ELSEWHERE if number % 2 else FEED)
    written(site, "UPDATE cases SET state = 'closed' WHERE id > 1")
    assert [one.key for one in alike(site, 1)] == [9, 8, 7, 6, 5]
    assert [one.key for one in alike(site, 1, (FEED.name,))] == [8, 6, 4, 2]
    assert [one.key for one in alike(site, 1, (ELSEWHERE.name, FEED.name))] == [9, 8, 7, 6, 5]
    assert alike(site, 1, ()) == []


async def test_no_more_than_the_newest_of_the_same_flags_are_looked_at(site: Site) -> None:
    await site.patient("PT1", obx(BLOT, "58"))
    await site.patient("PT2", obx(BLOT, "58"))
    written(site, "UPDATE cases SET state = 'closed' WHERE id = 2")
    assert [one.key for one in alike(site, 1)] == [2]
    flags = site.bench.rows.execute("SELECT flags FROM cases WHERE id = 1").fetchone()[0]
    series = "WITH RECURSIVE n(g) AS (SELECT 3 UNION ALL SELECT g + 1 FROM n WHERE g < ?) "
    last = 2 + beside.LOOKED_AT
    written(
        site,
        "INSERT INTO cases(id, lane, feed, opened_day, version, state, opened, updated, flags) " + series
        + "SELECT g, 'p:X|' || g, 'myolis', '2026-11-10', 1, 'closed', '2026-11-13', '2026-11-13', ? FROM n",
        last, flags,
    )  # fmt: skip
    written(
        site,
        'INSERT INTO drafts("case", version, outcome, text, subject_at, knowledge, created) ' + series
        + "SELECT g, 1, ?, '', '', '', '' FROM n",
        last, b'{"states":{}}',
    )  # fmt: skip
    assert alike(site, 1) == []
    written(site, "UPDATE cases SET state = 'new' WHERE id = ?", last)
    assert [one.key for one in alike(site, 1)] == [2]


async def test_the_page_shows_them_as_links_and_says_how_they_ended(anywhere: Bench) -> None:
    site = Site(anywhere)
    for number in ("PT1", "PT2"):
        await site.patient(number, obx(BLOT, "58"))
    browser = anywhere.signed_in()
    assert 'id="past"' in browser.get("/cases/C1").text
    site.release("C2@1")
    anywhere.clock.forward(minutes=1)
    page = browser.get("/cases/C1").text
    card = page[page.index('id="past"') :]
    card = card[: card.index("</section>")]
    assert re.findall(r'<a href="(/cases/C\d+)">C2</a>', card) == ["/cases/C2"]
    assert re.search(r"<strong>signed</strong> · released C\d+", card)


async def test_a_person_of_another_site_is_shown_none_of_them(anywhere: Bench) -> None:
    site = Site(anywhere)
    await site.patient("PT1", obx(BLOT, "58"))
    await site.patient("PT2", obx(BLOT, "58"), feed=ELSEWHERE)
    written(site, "UPDATE cases SET state = 'closed' WHERE id = 2")
    everywhere = anywhere.signed_in("anna").get("/cases/C1").text
    here = anywhere.signed_in("bert", feeds=("myolis",)).get("/cases/C1").text
    assert "/cases/C2" in everywhere
    assert "/cases/C2" not in here


async def test_cases_without_number_are_many_and_the_answer_stays_small(bench: Bench) -> None:
    site = Site(bench)
    await site.patient("PT1", obx(BLOT, "58"))
    many(site, 400, open_one_in=7)
    assert len(alike(site, 1)) <= beside.SHOWN
