"""Why a case says what it says: every rule that held with what it saw then, down to the segment and the source."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from messages_parts import text_of
from story_parts import SITE
from test_web_second import waiting
from web_parts import Bench
from worklist_parts import BLOT, CK, CLIA, ELSEWHERE, obx, order, oru

from labbridge.interpret.facts import REGISTRY
from labbridge.model.people import Role
from labbridge.model.reference import Rules
from labbridge.sources import RulesOnDemand, load, shipped
from labbridge.web.parts import Parts
from labbridge.web.views.as_sent import refs
from labbridge.web.views.explained import explained
from tests.summed import summed

SRP = oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "3400")))
PAGE = "/cases/C1/explain"


def parts_of(bench: Bench, **changes: Any) -> None:
    """The same workbench with other parts."""
    from labbridge.web.application import application

    bench.parts = Parts(**{**bench.parts._asdict(), **changes})
    bench.app = application(bench.parts)


def older(bench: Bench, change: Any) -> None:
    """The draft of C1 as an earlier knowledge would have written it."""
    case = bench.lab.case()
    body = msgspec.json.encode(change(case.outcome))
    bench.writer.submit(lambda c: c.execute('UPDATE drafts SET outcome = ? WHERE "case" = 1', (body,))).result()
    bench.writer.submit(summed).result()


async def test_every_rule_is_told_with_its_conditions_and_sources(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    page = anywhere.signed_in().get(PAGE).text
    said, outcome = text_of(page), anywhere.lab.case().outcome
    known = {one.name: one for one in load(SITE).decisions.rules}
    assert len(outcome.fired) >= 4
    for name in outcome.fired:
        rule = known[name]
        section = text_of(
            re.findall(rf'<section class="rule" id="rule-{name.replace("@", "-")}".*?</section>', page, re.S)[0]
        )
        assert rule.why in section
        assert "No laboratory director has signed this rule yet." in section
        for fact in rule.when:
            assert f"{' '.join(REGISTRY[fact].meaning.split())} {fact}" in section
            seen = outcome.facts[fact]
            assert f" { ({True: 'yes', False: 'no'}[seen] if isinstance(seen, bool) else seen) } " in section
        for gap in rule.known_gaps:
            assert gap in section
        for id in rule.citations:
            assert id in section
    assert (
        "Peculiar clinicopathological features of immune-mediated necrotizing myopathies. Curr Opin Rheumatol" in said
    )
    assert "It is the knowledge that is here now." in said
    assert "not met" not in said


async def test_results_as_they_were_sent_and_understood(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    page = anywhere.signed_in().get(PAGE).text
    row = text_of(re.findall(r'<tr id="result-M1-OBX-1">.*?</tr>', page, re.S)[0])
    assert "SRPB Anti-SRP (line blot) L" in row
    assert "58 intensity" in row
    assert "final" in row
    assert "line blot" in row
    assert '<a href="/cases/C1/evidence/M1/OBX/1">M1:OBX[1]</a>' in page
    assert '<a href="/messages/M1">' in page
    viewer = anywhere.signed_in("vera", Role.VIEWER).get(PAGE).text
    assert "/cases/C1/evidence/M1/OBX/1" in viewer
    assert "/messages/M1" not in viewer
    assert anywhere.audit("viewed")[0] == ("anna", "C1", "version 1, explanation")


async def test_the_case_leads_to_it_and_loads_it_when_it_is_opened(bench: Bench) -> None:
    await bench.lab.take(SRP)
    page = bench.signed_in().get("/cases/C1").text
    opened = re.findall(r'<details id="explain"[^>]*>', page)[0]
    assert 'hx-get="/cases/C1/explain" hx-trigger="toggle once"' in opened
    assert 'hx-select="#explained"' in opened
    assert 'href="/cases/C1/explain"' in page
    assert "Rules that held" not in page


# ---------------------------------------------------------------- versions


async def test_a_rule_version_that_is_not_here_is_said_and_not_replaced(bench: Bench) -> None:
    await bench.lab.take(SRP)
    text = {one.id: one.why for one in load(SITE).decisions.rules}["srp-strong"]

    def change(outcome: Any) -> Any:
        old = {"srp-strong@2": "srp-strong@1", "pair-srp-strong@2": "pair-gone@4"}
        flags = tuple(msgspec.structs.replace(one, rule=old.get(one.rule, one.rule)) for one in outcome.flags)
        fired = tuple(old.get(one, one) for one in outcome.fired)
        return msgspec.structs.replace(outcome, flags=flags, fired=fired, knowledge="sha256:older")

    older(bench, change)
    page = bench.signed_in().get(PAGE).text
    section = text_of(re.findall(r'<section class="rule" id="rule-srp-strong-1".*?</section>', page, re.S)[0])
    assert "This version of the rule is not in the knowledge here" in section
    assert "Here now is its version 2." in section
    assert text not in section
    assert "It has to be" not in section
    assert "MSA_POSITIVE" in section
    assert "M1:OBX[1]" in section
    assert "allenbach-benveniste" in section
    gone = text_of(re.findall(r'<section class="rule" id="rule-pair-gone-4".*?</section>', page, re.S)[0])
    assert "This version of the rule is not in the knowledge here" in gone
    assert "Here now is its version" not in gone
    assert "The knowledge here now is another one" in text_of(page)
    assert "sha256:older" in page


async def test_a_fact_that_was_not_kept_is_not_made_up(bench: Bench) -> None:
    await bench.lab.take(SRP)
    older(bench, lambda outcome: msgspec.structs.replace(outcome, facts={}))
    said = text_of(bench.signed_in().get(PAGE).text)
    assert "not kept with this version" in said
    assert "not met" not in said


async def test_without_knowledge_nothing_is_told_in_words(bench: Bench) -> None:
    await bench.lab.take(SRP)
    parts_of(bench, rules=lambda _version: None)
    answer = bench.signed_in().get(PAGE)
    assert answer.status_code == 200
    assert "The knowledge cannot be read here now" in answer.text
    assert "MSA_POSITIVE" in answer.text
    assert "No laboratory director" not in answer.text


def test_the_rules_are_read_once_and_again_when_the_files_change(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    rules = RulesOnDemand(str(folder))
    first = rules("")
    assert first is not None
    assert first.version == load(str(folder)).version
    assert rules(first.version) is first
    assert rules("sha256:other") is first
    text = (shipped() / "rules/g2-srp-strong.yaml").read_text(encoding="utf-8").split("- id:")[1]
    (folder / "rules").mkdir()
    (folder / "rules/own.yaml").write_text("- id:" + text.replace("version: 2", "version: 3"), encoding="utf-8")
    assert rules(first.version) is first
    second = rules("sha256:other")
    assert second is not None
    assert second.rules["srp-strong"].name == "srp-strong@3"
    (folder / "rules/own.yaml").write_text("- id: [", encoding="utf-8")
    assert rules("sha256:third") is None
    (folder / "rules/own.yaml").unlink()
    again = rules("sha256:other")
    assert again is not None
    assert again.version == first.version


async def test_every_class_of_the_comment_names_its_rules(bench: Bench) -> None:
    await bench.lab.take(SRP)
    outcome, rules = bench.lab.case().outcome, RulesOnDemand(SITE)(bench.lab.case().outcome.knowledge)
    assert outcome.comment is not None
    told = explained(outcome, rules, ())
    assert [one.name for one in told.comments] == [outcome.comment.comment_class, *outcome.comment.addendum_classes]
    assert all(one.rules for one in told.comments)
    asked = {retest.analyte for rule in told.rules for retest in rule.retests}
    assert asked == {one.analyte for one in outcome.retests}
    assert explained(outcome, Rules(version="other"), ()).comments[0].rules == ()


# ---------------------------------------------------------------- one segment


async def test_a_segment_as_it_came_and_decoded(anywhere: Bench) -> None:
    odd = SRP.replace(b"Anti-SRP (line blot)", "Anti-SRP \\T\\ <b>é</b>".encode())
    await anywhere.lab.take(odd)
    page = anywhere.signed_in().get("/cases/C1/evidence/M1/OBX/1").text
    assert "OBX|1|NM|SRPB^Anti-SRP \\T\\ &lt;b&gt;é&lt;/b&gt;^L|1|58|intensity^intensity^L|0-5|A|||F" in html.unescape(
        page
    ).replace("<b>", "&lt;b&gt;").replace("</b>", "&lt;/b&gt;")
    assert "<b>é" not in page
    assert "OBX[1]-3 .1 SRPB .2 Anti-SRP & <b>é</b> .3 L" in text_of(page)
    assert "TEST" not in page
    assert anywhere.audit("viewed") == [("anna", "C1", "version 1, M1:OBX[1]")]


@pytest.mark.parametrize(
    "path",
    [
        "M1/OBX/9",
        "M9/OBX/1",
        "M1/PID/1",
        "M1/OBR/1",
        "M1/obx/1",
        "M1/OBX/01",
        "M1/OBX/x",
        "1/OBX/1",
        "M1/OBX/3",
        "M2/OBX/1",
    ],
)
async def test_what_the_case_does_not_rest_on_is_not_there(bench: Bench, path: str) -> None:
    """OBX[3] is a sodium; M2 is of another patient."""
    from story_parts import SODIUM

    await bench.lab.take(oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "3400"), obx(SODIUM, "140"))))
    await bench.lab.take(oru("M2", order("F2", obx(BLOT, "58")), patient="PT2"))
    assert bench.signed_in().get(f"/cases/C1/evidence/{path}").status_code == 404
    assert bench.audit("viewed") == []


async def test_an_edit_in_force_counts(bench: Bench) -> None:
    await bench.lab.take(SRP)
    edited = SRP.replace(b"|58|", b"|61|")
    add = "INSERT INTO edits(message, version, raw, editor, why, made, approved_by) VALUES (1,2,?,'a','w',?,?)"
    moment = bench.clock.now().isoformat()
    bench.writer.submit(lambda c: c.execute(add, (edited, moment, ""))).result()
    browser = bench.signed_in()
    assert "|58|" in browser.get("/cases/C1/evidence/M1/OBX/1").text
    bench.writer.submit(lambda c: c.execute("UPDATE edits SET approved_by = 'b'")).result()
    assert "|61|" in browser.get("/cases/C1/evidence/M1/OBX/1").text
    assert "61 intensity" in text_of(browser.get(PAGE).text)


async def test_wiped_and_damaged_bytes(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    bench.writer.submit(lambda c: c.execute("UPDATE journal SET digest = ?", (b"x" * 32,))).result()
    assert "no longer the ones received" in browser.get("/cases/C1/evidence/M1/OBX/1").text
    assert "Its message is not here to be read." in browser.get(PAGE).text
    bench.writer.submit(lambda c: c.execute("UPDATE journal SET raw = ?", (b"",))).result()
    assert browser.get("/cases/C1/evidence/M1/OBX/1").status_code == 404
    assert "Its message is not here to be read." in browser.get(PAGE).text


async def test_another_site(bench: Bench) -> None:
    """A case of another site is not there; of a case that rests on another site's result, that result's bytes are not."""
    await bench.lab.take(SRP)
    await bench.lab.take(oru("M2", order("F2", obx(CLIA, "150"))), feed=ELSEWHERE)
    (case,) = bench.lab.cases()
    assert "M2:OBX[1]" in refs(case.outcome)
    other = bench.signed_in("bob", Role.SENIOR, feeds=("nowhere",))
    assert [other.get(path).status_code for path in (PAGE, "/cases/C1/evidence/M1/OBX/1")] == [404, 404]
    own = bench.signed_in("cleo", Role.SENIOR, feeds=("myolis",))
    page = own.get(PAGE).text
    assert "/cases/C1/evidence/M1/OBX/1" in page
    assert "/cases/C1/evidence/M2/OBX/1" not in page
    assert own.get("/cases/C1/evidence/M2/OBX/1").status_code == 404
    assert own.get("/cases/C1/evidence/M1/OBX/1").status_code == 200


async def test_nothing_of_a_case_is_shown_to_who_is_to_read_it_unseen(bench: Bench) -> None:
    _first, other = await waiting(bench)
    before = bench.audit("viewed")
    for path in ("explain", "evidence/M1/OBX/1", "preview", "attachments", "attachments/M1/1"):
        answer = other.get(f"/cases/C1/{path}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/cases/C1/reading"), path
    typed = other.post("/cases/C1/preview", {"version": "1", "text": "x"})
    assert (typed.status_code, typed.headers["hx-redirect"]) == (204, "/cases/C1/reading")
    assert bench.audit("viewed") == before


async def test_it_is_told_in_french(bench: Bench) -> None:
    await bench.lab.take(SRP)
    page = text_of(bench.signed_in(language="fr").get(PAGE).text)
    assert "Aucun biologiste responsable n'a encore signé cette règle." in page
