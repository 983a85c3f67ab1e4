"""A critical finding is signed once somebody was told of it by telephone, where the site has the calls recorded here."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from story_parts import BLOT, CK, CLIA, ELSEWHERE, obx, order, oru
from test_web_decisions import field, sign
from web_parts import TEXTS, Bench, Browser, benched

from labbridge.knowledge.documents import Source
from labbridge.model.people import Role
from labbridge.sources import called_here, read_all, reference_of
from labbridge.states import CaseState
from labbridge.web.application import application

CRITICAL = oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "12000")))


def here(bench: Bench) -> None:
    """A site at which the calls are recorded here."""
    reference = msgspec.structs.replace(bench.parts.reference, critical_owner="labbridge")
    bench.parts = bench.parts._replace(reference=reference)
    bench.app = application(bench.parts)


def called(browser: Browser, key: str = "C1", version: str = "1", **more: str) -> Any:
    given = {"version": version, "told": "Dr Test, ward 3", "minutes": "0", "read_back": "true", **more}
    return browser.post(f"/cases/{key}/call", given)


def kept(bench: Bench) -> list[tuple[Any, ...]]:
    asked = 'SELECT "case", version, person, name, at, told, read_back, note FROM calls ORDER BY id'
    return [tuple(row) for row in bench.rows.execute(asked).fetchall()]


async def test_nothing_critical_is_signed_before_somebody_was_told(anywhere: Bench) -> None:
    here(anywhere)
    await anywhere.lab.take(CRITICAL)
    assert "CK_EXTREME" in {flag.code for flag in anywhere.lab.case().outcome.flags if flag.severity == "critical"}
    browser = anywhere.signed_in()
    page = browser.get("/cases/C1").text
    assert "nothing can be signed before" in page
    assert 'data-opens="call" data-key="t"' in page
    answer = sign(browser)
    assert (answer.status_code, "record the telephone call before you sign" in answer.text) == (422, True)
    assert anywhere.lab.deliveries() == []
    anywhere.clock.forward(minutes=14)
    answer = called(browser, minutes="12", note="will act at once")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/cases/C1")
    at = (anywhere.clock.now() - timedelta(minutes=12)).isoformat()
    assert kept(anywhere) == [(1, 1, "anna", "Anna Test", at, "Dr Test, ward 3", 1, "will act at once")]
    assert anywhere.audit("called") == [("anna", "C1@1", "read back")]
    page = browser.get("/cases/C1").text
    assert "nothing can be signed before" not in page
    assert re.search(r"told Dr Test, ward 3,\s+read back – will act at once", page)
    assert sign(browser).status_code == 204
    assert anywhere.lab.case().state is CaseState.SIGNED


async def test_a_call_about_an_earlier_result_tells_nothing_of_a_new_one(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(CRITICAL)
    browser = bench.signed_in()
    assert called(browser).status_code == 204
    await bench.lab.take(oru("M2", order("F1", obx(BLOT, "58"), obx(CK, "19000", "C"))))
    assert bench.lab.case().version == 2
    assert "record the telephone call" in sign(browser).text
    assert called(browser, version="2").status_code == 204
    assert sign(browser).status_code == 204


async def test_a_call_holds_for_a_later_version_with_the_same_critical_result(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(CRITICAL)
    browser = bench.signed_in()
    assert called(browser).status_code == 204
    await bench.lab.take(oru("M2", order("F2", obx(CLIA, "25"))))
    assert bench.lab.case().version == 2
    assert sign(browser).status_code == 204


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"told": "  "}, "Say who was told"),
        ({"told": "x" * 201}, "Say who was told"),
        ({"told": "a\x07b"}, "Say who was told"),
        ({"note": "x" * 501}, "A note of a call has at most"),
        ({"minutes": "60"}, "The call was before the newest result came"),
        ({"version": "7"}, "is at version 1 now, not 7"),
    ],
)
async def test_a_call_that_tells_nothing_is_refused(bench: Bench, given: dict[str, str], said: str) -> None:
    here(bench)
    await bench.lab.take(CRITICAL)
    answer = called(bench.signed_in(), **given)
    assert (answer.status_code, said in answer.text.replace("&#39;", "'")) == (422, True)
    assert (kept(bench), bench.audit("called")) == ([], [])


async def test_a_call_yet_to_come_is_refused_by_the_service(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(CRITICAL)
    later = bench.clock.now().replace(year=2027).isoformat()
    answer = bench.parts.act({"command": "call", "keys": ["C1@1"], "as": "Anna Test", "told": "Dr", "at": later})
    assert "yet to come" in answer["done"][0]["error"]
    assert called(bench.signed_in(), minutes="-5").status_code == 400


async def test_where_nothing_is_critical_there_is_no_call(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    browser = bench.signed_in()
    assert "Telephone call" not in browser.get("/cases/C1").text
    assert "has no critical finding" in called(browser).text
    assert sign(browser).status_code == 204


async def test_where_the_call_is_the_lis_nothing_is_asked(bench: Bench) -> None:
    assert bench.parts.reference.critical_owner == "lis"
    await bench.lab.take(CRITICAL)
    browser = bench.signed_in()
    page = browser.get("/cases/C1").text.replace("&#39;", "'")
    assert "The telephone call of critical results is the LIS's here (site policy)" in page
    assert 'id="call"' not in page
    assert "is the LIS's here" in called(browser).text.replace("&#39;", "'")
    assert sign(browser).status_code == 204


async def test_the_command_line_signs_as_before(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(CRITICAL)
    assert bench.parts.act({"command": "release", "keys": ["C1@1"], "as": "Anna Test"})["ok"]


async def test_a_stale_screen_is_told_of_before_a_missing_call(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(CRITICAL)
    browser = bench.signed_in()
    page = browser.get("/cases/C1").text
    await bench.lab.take(oru("M2", order("F1", obx(BLOT, "58"), obx(CK, "19000", "C"))))
    answer = sign(browser, page=page)
    assert "is at version 2 now, not 1" in answer.text
    assert field(answer.text, "version") == "2"


async def test_another_sites_case_and_another_role_have_no_call(bench: Bench) -> None:
    here(bench)
    await bench.lab.take(CRITICAL, feed=ELSEWHERE)
    assert called(bench.signed_in("carl", feeds=("myolis",))).status_code == 404
    reader = bench.signed_in("vera", Role.VIEWER)
    assert 'id="call"' not in reader.get("/cases/C1").text
    assert called(reader).status_code == 403
    assert kept(bench) == []


async def test_a_call_keeps_the_words_of_its_writer_and_runs_none_of_them(tmp_path: Path) -> None:
    with benched(f"sqlite:///{tmp_path / 'store.db'}") as bench:
        here(bench)
        await bench.lab.take(CRITICAL)
        browser = bench.signed_in(language="fr")
        called(browser, told="<script>alert(1)</script>")
        page = browser.get("/cases/C1").text
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)" in page
        assert "a prévenu" in page


def test_the_policy_says_whose_the_call_is() -> None:
    assert called_here(TEXTS) is False
    policy = next(one for one in read_all() if one.name == "policy.yaml")
    changed = policy.text.replace("id: critical_owner, value: lis", "id: critical_owner, value: labbridge")
    assert changed != policy.text
    texts = [Source(one.name, changed if one.name == "policy.yaml" else one.text) for one in TEXTS]
    assert called_here(texts) is True
    assert reference_of(texts).critical_owner == "labbridge"
