"""The mapping desk's pages and those of changes: what came under a code, not whose it was; who may what; text as text."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hostile_parts import PAYLOADS, RUNS, structure
from test_web_hostile import escaped
from web_parts import CONFIG, SITE, Bench, Browser, benched
from worklist_parts import ELSEWHERE, Site, order, oru

from labbridge.changing import Changing
from labbridge.config import Config
from labbridge.knowledge.build import version
from labbridge.model.people import Role
from labbridge.proving import Prover, proven
from labbridge.repairing import Repairing
from labbridge.sources import ItemsOnDemand, read_all
from labbridge.suggest import SuggestionsOnDemand

HMGX = "NM|HMGX^Anti-HMGCR IgG (ELISA)^L|1|{}|U/mL^U/mL^L|0-20|A|||F"
CKX = "NM|CKX^Creatine kinase^L|1|{}|katals^katals^L|30-170|H|||F"
ONE = f"/codes/one?{urlencode({'feed': 'myolis', 'system': 'L', 'code': 'HMGX', 'label': ''})}"
SAID = {
    "feed": "myolis", "system": "L", "code": "HMGX", "label": "", "analyte": "HMGCR", "role": "result", "method": "elisa",
    "only_unit": "true", "source": "procedure 12", "why": "a new kit",
}  # fmt: skip


@pytest.fixture
def desk(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A workbench whose site folder may be changed; a reload takes what lies there, without the service's processes."""
    folder = tmp_path / "site"
    shutil.copytree(SITE, folder)
    monkeypatch.setattr(Prover, "prove", lambda _self, texts, before, items=(): proven(texts, before, items))
    config = Config.model_validate({**CONFIG.model_dump(), "knowledge": {"site": str(folder)}})
    lab = bench.lab

    async def reload(_name: str) -> dict[str, Any]:
        texts = read_all(str(folder))
        changing.taken(texts)
        return {"ok": True, "in_force": version(texts)}

    repairing = Repairing(config, lab.desk, bench.clock, bench.people)
    stores = (lab.desk.changes, lab.desk.unmapped, lab.desk.replays, bench.people)
    changing = Changing(str(folder), stores, repairing, bench.clock, reload)
    changing.taken(read_all(str(folder)))
    real = bench.parts.act

    def act(asked: dict[str, Any]) -> dict[str, Any]:
        if asked["command"] == "replay":
            return {"ok": False, "error": "A replay is running; wait for its end"}
        return asyncio.run(changing.perform(asked)) if asked["command"] == "change" else real(asked)

    bench.with_parts(act=act, suggestions=SuggestionsOnDemand(str(folder)), items=ItemsOnDemand(str(folder)))
    return bench


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def came(bench: Bench, *lines: str, number: str = "PT1", feed: Any = None) -> None:
    site = Site(bench)
    more = {"feed": feed} if feed else {}
    asyncio.run(site.patient(number, *lines, **more))


def author(bench: Bench, **more: Any) -> Browser:
    return bench.signed_in("nora", Role.AUTHOR, **more)


# ---------------------------------------------------------------- what came


def test_a_code_is_shown_with_samples_and_nobody_s_name(desk: Bench) -> None:
    came(desk, HMGX.format(88))
    browser = author(desk)
    listed = browser.get("/codes")
    assert listed.status_code == 200
    assert "HMGX" in listed.text
    assert "sure: hmgcr" in plain(listed.text)
    page = browser.get(ONE).text
    for shown in ("88", "U/mL", "0-20", "MYOLIS|LABA", "codes/myolis.csv"):
        assert shown in plain(page), shown
    assert not {"PT1", "SYNTHETIC", "1969"} & set(re.split(r"\W", page))
    assert desk.audit("viewed") == [("nora", "code", "M1")]


def test_prose_under_a_code_is_counted_not_shown(desk: Bench) -> None:
    came(desk, f"TX|HMGX^Anti-HMGCR IgG (ELISA)^L|1|Reported to Dr Marchand by telephone, {'x' * 60}|||A|||F")
    page = author(desk).get(ONE).text
    assert "Marchand" not in page
    assert "characters of text" in page


def test_codes_of_other_sites_are_not_there(desk: Bench) -> None:
    came(desk, HMGX.format(88), feed=ELSEWHERE)
    came(desk, CKX.format(9), number="PT2")
    browser = author(desk, feeds=("myolis",))
    listed = browser.get("/codes").text
    assert "CKX" in listed
    assert "HMGX" not in listed
    assert browser.get(ONE.replace("feed=myolis", "feed=other")).status_code == 404
    assert browser.post("/codes/assign", {**SAID, "feed": "other"}).status_code == 404
    assert browser.get(ONE).status_code == 404, "it did not come by this feed"


def test_a_damaged_or_unreadable_message_gives_no_sample(desk: Bench) -> None:
    came(desk, HMGX.format(88))
    desk.writer.submit(lambda c: c.execute("UPDATE journal SET raw = CAST(replace(raw, '88', '99') AS BLOB)")).result()
    page = plain(author(desk).get(ONE).text)
    assert "99" not in page
    assert "can be read any more" in page


# ---------------------------------------------------------------- what a person says


def test_one_assigns_and_another_approves(desk: Bench) -> None:
    came(desk, HMGX.format(88))
    browser = author(desk)
    answer = browser.post("/codes/assign", SAID)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/changes/E1")
    page = browser.get("/changes/E1").text
    assert "+ L,HMGX,,U/mL,,HMGCR,result,elisa,,SITE,procedure 12" in page
    assert "/changes/E1/approve" not in page
    assert browser.post("/changes/E1/approve", {}).status_code == 403
    assert "E1" in browser.get("/codes").text
    other = desk.signed_in("otto", Role.APPROVER)
    done = other.post("/changes/E1/approve", {})
    assert done.status_code == 200, done.text
    assert "in force" in plain(done.text)
    assert desk.audit("change in force")[0][:2] == ("otto", "E1")
    assert "No code waits for a person." in other.get("/codes").text
    assert "Otto Test" in other.get("/changes").text


def test_what_a_unit_means_is_asked_where_a_table_has_it(desk: Bench) -> None:
    came(desk, CKX.format(9))
    browser = author(desk)
    page = browser.get(ONE.replace("HMGX", "CKX")).text
    assert 'value="CK|U/L|60"' in page
    said = {**SAID, "code": "CKX", "analyte": "CK", "method": "", "means": "CK|U/L|60"}
    assert browser.post("/codes/assign", said).status_code == 204
    shown = browser.get("/changes/E1").text
    assert "table:units.yaml" in shown
    assert "spellings: [&#34;katals&#34;]" in shown


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"role": ""}, "Choose the part"),
        ({"role": "context"}, "Choose the part"),
        ({"analyte": "NA"}, "Choose the analyte"),
        ({"method": "by eye"}, "Choose the method"),
        ({"assay": "none"}, "Choose the assay"),
        ({"means": "CK|U/L|7"}, "Choose the unit"),
        ({"means": "CK|U/L|x"}, "Choose the unit"),
        ({"role": "not_ours"}, "none of ours"),
        ({"source": " "}, "Say where this was read"),
        ({"source": "x" * 301}, "Say where this was read"),
        ({"why": ""}, "reason"),
    ],
)
def test_what_cannot_be_said_is_refused_and_the_form_stays(desk: Bench, wrong: dict[str, str], said: str) -> None:
    came(desk, HMGX.format(88))
    answer = author(desk).post("/codes/assign", {**SAID, **wrong})
    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="a new kit"' in answer.text or "why" in wrong


def test_only_authors_write_and_only_others_approve(desk: Bench) -> None:
    came(desk, HMGX.format(88))
    assert author(desk).post("/codes/assign", SAID).status_code == 204
    for role in (Role.VIEWER, Role.SCIENTIST, Role.AUDITOR):
        browser = desk.signed_in(role.value, role)
        assert browser.get("/changes/E1").status_code == 200
        for path in ("approve", "take", "again", "give-up", "try"):
            assert browser.post(f"/changes/E1/{path}", {"why": "no"}).status_code == 403, path
        assert browser.post("/codes/assign", SAID).status_code == 403
        assert browser.post("/changes", {"item": "policy:x", "text": "x"}).status_code == 403
        assert browser.get("/changes/E1/pack").status_code == 403
    assert desk.signed_in("otto", Role.APPROVER).post("/changes", {}).status_code in (403, 422)


@pytest.mark.parametrize("shown", ["E2", "E", "E0", "e1", "1", "E1x", "E99999999999"])
def test_a_change_that_is_not_there_is_not_found(desk: Bench, shown: str) -> None:
    assert author(desk).get(f"/changes/{shown}").status_code == 404


def test_a_change_about_another_site_s_code_is_not_there(desk: Bench) -> None:
    came(desk, HMGX.format(88))
    assert author(desk).post("/codes/assign", SAID).status_code == 204
    other = desk.signed_in("otto", Role.APPROVER, feeds=("other",))
    assert other.get("/changes/E1").status_code == 404
    assert other.post("/changes/E1/approve", {}).status_code == 404
    assert "E1" not in other.get("/changes").text


def test_a_record_is_written_otherwise_under_its_next_version(desk: Bench) -> None:
    browser = author(desk)
    page = browser.get("/knowledge/rule:srp-strong").text
    assert "version: 3" in page.split("<textarea")[1]
    assert browser.get("/knowledge/words:en").text.count("<textarea") == 0
    text = "- {id: ck_mod_from, value: 5, unit: x upper limit, tag: CONVENTION, source: our validation}"
    told = {"item": "policy:ck_mod_from", "text": text, "why": "84 patients"}
    assert browser.post("/changes", told).headers["hx-redirect"] == "/changes/E1"
    refused = browser.post("/changes", {**told, "item": "policy:ck_high_above"})
    assert (refused.status_code, "This is policy:ck_mod_from" in refused.text) == (422, True)
    assert text in refused.text
    new = browser.post("/changes", {**told, "item": "kit:of-our-own"})
    assert (new.status_code, 'value="kit:of-our-own"' in new.text, text in new.text) == (422, True, True)
    assert browser.post("/changes/E1/give-up", {"why": "a slip"}).status_code == 200
    assert "given up" in plain(browser.get("/changes").text)
    assert "a slip" in browser.get("/changes/E1").text


def test_a_signature_wants_its_proof(desk: Bench) -> None:
    came(desk, HMGX.format(88))
    browser = author(desk)
    desk.clock.forward(minutes=6)
    answer = browser.post("/codes/assign", SAID)
    assert (answer.status_code, "password" in answer.text) == (422, True)
    assert desk.lab.desk.changes.open() == []


# ---------------------------------------------------------------- text is text


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with benched(f"sqlite:///{tmp_path_factory.mktemp('harmless') / 'store.db'}") as bench:
        yield pages(bench, [f"harmless words {n}".ljust(len(one), "x") for n, one in enumerate(PAYLOADS)])


def pages(bench: Bench, texts: list[str]) -> list[str]:
    """The list, and each code's own page, where senders name their codes so."""
    site = Site(bench)
    for number, text in enumerate(texts):
        x = escaped(text)
        line = f"ST|H{number}^Anti-HMGCR {x}^L|1|{x}|{x}^{x}^L|{x}|{x}|||F|||||||{x}^{x}^L"
        asyncio.run(site.lab.take(oru(f"H{number}", order(f"F{number}", line), patient=f"PT{number}")))
    browser = bench.signed_in("nora", Role.AUTHOR)
    ones = (f"/codes/one?feed=myolis&system=L&code=H{number}&label=" for number in range(len(texts)))
    found = [browser.get(path) for path in ("/codes", *ones)]
    assert {one.status_code for one in found} == {200}
    return [one.text for one in found]


def test_what_senders_write_is_text(bench: Bench, harmless: list[str]) -> None:
    found = pages(bench, list(PAYLOADS))
    for number, (one, other) in enumerate(zip(found, harmless, strict=True)):
        assert structure(one) == structure(other), number and PAYLOADS[number - 1]
    assert any(RUNS in one for one in found)
