"""The worklist by expected value: only the order differs, who may read unseen learns nothing, pages keep their place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing

import msgspec
import pytest
from messages_parts import text_of
from story_parts import SITE
from web_parts import Bench, Browser
from worklist_parts import BLOT, CK, CLIA, Site, obx

from labbridge.interpret import Interpreter
from labbridge.knowledge.documents import Source
from labbridge.model.people import Role
from labbridge.normalise import Normaliser
from labbridge.ordering import Ordering
from labbridge.review.ranking import Ranker
from labbridge.sources import packed, read_all, understood, version
from labbridge.store import opening
from tests.summed import summed

ON = "- {id: worklist_order, value: expected_value, tag: CONVENTION, source: the laboratory}\n"
BY_VALUE = [*read_all(SITE), Source("policy.yaml", ON, site=True)]
BY_TABLE = read_all(SITE)


@pytest.fixture
def site(anywhere: Bench) -> Site:
    return Site(anywhere)


@pytest.fixture
def ordering(anywhere: Bench, place: str) -> Iterator[Ordering]:
    """Beside a service that works by a site's choice."""
    knowledge = understood(BY_VALUE)
    anywhere.lab.reader = msgspec.structs.replace(
        anywhere.lab.reader, normalise=Normaliser(knowledge), interpret=Interpreter(knowledge)
    )
    with closing(opening.reader(place)) as reader:
        yield Ordering(reader, anywhere.lab.desk.ranks, BY_VALUE)


def kept(site: Site) -> None:
    """As a service does that has started by the site's choice."""
    site.bench.lab.desk.approvals.keep(version(BY_VALUE), packed(BY_VALUE), site.bench.clock.now())


def order(browser: Browser, query: str = "") -> list[str]:
    return re.findall(r'<tr data-case="(C\d+)"', browser.get(f"/worklist{query}").text)


async def filled(site: Site) -> None:
    """Five cases, C1 to C5 (of PT3 there is nothing to say): the table orders them so."""
    for number, lines in enumerate(
        (
            (obx(BLOT, "14"),),
            (obx(CLIA, "25"), obx(CK, "900")),
            (obx(BLOT, "58"), obx(CK, "12000")),
            (obx(BLOT, "3"), obx(CK, "100")),
            (obx(BLOT, "14"), obx(CK, "900")),
            (obx(BLOT, "58"),),
        ),
        1,
    ):
        await site.patient(f"PT{number}", *lines)


def ranks(site: Site) -> dict[str, int]:
    rows = site.bench.rows.execute("SELECT id, rank FROM cases ORDER BY id").fetchall()
    return {f"C{key}": int(rank) for key, rank in rows}


async def test_what_is_worth_most_comes_first_and_the_table_orders_the_rest(site: Site, ordering: Ordering) -> None:
    await filled(site)
    browser = site.bench.signed_in("anna", Role.SCIENTIST)
    before = order(browser)
    assert before == sorted(before)
    ordering.look()
    found = ranks(site)
    assert len(set(found.values())) > 2
    assert order(browser) == sorted(before, key=lambda key: (-found[key], int(key[1:])))
    assert order(browser) != before


async def test_nothing_but_the_order_differs(site: Site, ordering: Ordering) -> None:
    await filled(site)
    drafts = "SELECT outcome, text, subject_at, knowledge FROM drafts ORDER BY 1"
    cases = "SELECT id, version, state, severity, flags, analytes, updated FROM cases ORDER BY id"
    before = [site.bench.rows.execute(sql).fetchall() for sql in (drafts, cases)]
    audit = site.bench.rows.execute("SELECT count(*) FROM audit").fetchone()
    ordering.look()
    assert [site.bench.rows.execute(sql).fetchall() for sql in (drafts, cases)] == before
    assert site.bench.rows.execute("SELECT count(*) FROM audit").fetchone() == audit
    browser = site.bench.signed_in("anna", Role.SCIENTIST)
    assert sorted(order(browser)) == [f"C{number}" for number in sorted(int(key[1:]) for key in order(browser))]


async def test_a_new_version_is_ranked_anew_and_a_ranked_one_is_left_alone(site: Site, ordering: Ordering) -> None:
    await filled(site)
    ordering.look()
    before = ranks(site)
    assert ordering.look() is False
    await site.patient("PT6", obx(CK, "90"))
    ordering.look()
    assert {key: rank for key, rank in ranks(site).items() if rank != before[key]}.keys() <= {"C5"}
    versions = site.bench.rows.execute("SELECT version, ranked FROM cases ORDER BY id").fetchall()
    assert all(ranked.startswith(f"{version} sha256:") for version, ranked in versions)


async def test_a_site_that_goes_back_to_the_table_has_its_order(site: Site, ordering: Ordering) -> None:
    await filled(site)
    ordering.look()
    ordering.taken(BY_TABLE)
    ordering.look()
    assert set(ranks(site).values()) == {0}
    browser = site.bench.signed_in("anna", Role.SCIENTIST)
    assert order(browser) == sorted(order(browser))


async def test_every_case_is_on_one_page_and_once(site: Site, ordering: Ordering) -> None:
    await filled(site)
    ordering.look()
    browser = site.bench.signed_in("anna", Role.SCIENTIST)
    whole, query, seen = order(browser), "?rows=1", list[str]()
    while query:
        page = browser.get(f"/worklist{query}").text
        seen += re.findall(r'<tr data-case="(C\d+)"', page)
        following = re.search(r'href="/worklist(\?[^"]+)" rel="next"', page)
        query = following[1].replace("&amp;", "&") if following else ""
    assert seen == whole


@pytest.mark.parametrize("after", ["0-1-x", "0-1-2-3", "2-1-2", "0", "0--1"])
async def test_a_place_that_is_none_is_told(site: Site, after: str) -> None:
    assert site.bench.signed_in("anna", Role.SCIENTIST).get(f"/worklist?after={after}").status_code == 422


@pytest.mark.parametrize("queue", ["second_reader", "all", "held_by_a_person", "send_failed"])
async def test_where_a_case_may_have_to_be_read_unseen_the_table_orders(
    site: Site, ordering: Ordering, queue: str
) -> None:
    await filled(site)
    everything = "UPDATE cases SET disposition = 'second_reader', disposition_version = version WHERE id > 1"
    site.bench.writer.submit(lambda connection: connection.execute(everything)).result()
    site.bench.writer.submit(summed).result()
    ordering.look()
    found = order(site.bench.signed_in("bert", Role.SENIOR), f"?queue={queue}")
    assert found == sorted(found)


async def test_a_scientist_reads_why_a_case_stands_where_it_does(site: Site, ordering: Ordering) -> None:
    await filled(site)
    kept(site)
    ordering.look()
    browser = site.bench.signed_in("anna", Role.SCIENTIST)
    ranker, known = Ranker(understood(BY_VALUE)), 0
    outcomes = {f"C{case.key}": case.outcome for case in site.bench.lab.cases()}
    for key, rank in ranks(site).items():
        said = text_of(browser.get(f"/cases/{key}/explain").text)
        assert "Place on the worklist" in said
        assert (f"Rank {rank} ." in said) == (rank > 0), key
        assert ("keeps the place that the table gives it" in said) == (rank == 0), key
        for one in ranker(outcomes[key]).retests:
            assert all(sentence in said for sentence in one.says)
            known += len(one.figures)
            for figure in one.figures:
                assert f"{figure.means} {figure.id} {figure.default} {figure.unit}" in said
                assert figure.source in said
                assert f"{figure.tag} · validate locally" in said or figure.reviewed
    assert known > 8


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.AUTHOR])
async def test_no_probability_is_shown_to_who_does_not_work_at_the_list(
    site: Site, ordering: Ordering, role: Role
) -> None:
    await filled(site)
    kept(site)
    ordering.look()
    said = text_of(site.bench.signed_in("vera", role).get("/cases/C1/explain").text)
    assert "Rules that held" in said
    assert "probability" not in said
    assert "Place on the worklist" not in said


async def test_where_the_table_orders_or_a_newer_version_waits_for_its_rank_nothing_is_said_of_a_place(
    site: Site, ordering: Ordering
) -> None:
    await filled(site)
    kept(site)
    browser = site.bench.signed_in("anna", Role.SCIENTIST)
    assert "Place on the worklist" not in browser.get("/cases/C1/explain").text
    ordering.look()
    assert "Place on the worklist" in browser.get("/cases/C1/explain").text
    site.bench.writer.submit(lambda c: c.execute("UPDATE cases SET ranked = '9 ' || ranked WHERE id = 1")).result()
    site.bench.writer.submit(summed).result()
    assert "Place on the worklist" not in browser.get("/cases/C1/explain").text
    ordering.taken(BY_TABLE)
    ordering.look()
    assert "Place on the worklist" not in browser.get("/cases/C2/explain").text
