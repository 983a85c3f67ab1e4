"""The comment as its receiver will show it: what the page says is what leaves, and looking at it writes nothing."""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec
import pytest
import web_parts
from messages_parts import text_of
from story_parts import CK, SITE, Lis, obx, order, oru
from test_web_decisions import decide, sign
from web_parts import Bench
from worklist_parts import BLOT, ELSEWHERE

from labbridge.acts import Acts
from labbridge.config import Config
from labbridge.fhir.read_back import read_back as fhir_read_back
from labbridge.hl7 import reader
from labbridge.judging import JudgeProcess
from labbridge.model.people import Role
from labbridge.sources import comment_code

SRP = oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "3400")))
NOTED = SRP.replace(b"|F\rOBX|2", b"|F\rNTE|1|L|Read twice \\T\\ compared\rOBX|2")
PAGE = "/cases/C1/preview"


@pytest.fixture
def receiving(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set how the receiver takes comments."""

    def change(**receiver: Any) -> None:
        told = {**web_parts.CONFIG.model_dump(mode="json", exclude_unset=True)}
        told["receivers"] = {"lis": {"address": "127.0.0.1:9", **receiver}}
        monkeypatch.setattr(web_parts, "CONFIG", Config.model_validate(told))

    return change


def shown(page: str) -> list[str]:
    """The lines of the preview."""
    (found,) = re.findall(r'<ol class="wrapped".*?</ol>', page, re.S)
    return [html.unescape(one) for one in re.findall(r"<li>(.*?)</li>", found, re.S)]


async def left(bench: Bench) -> reader.Message:
    """What is really sent once the case is signed."""
    assert sign(bench.signed_in()).status_code == 204
    bench.clock.forward(seconds=120)
    lis = Lis()
    assert await bench.lab.deliver(lis) == 1
    return reader.read(lis.received[0])


def tables(bench: Bench) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    if bench._url.startswith("sqlite"):
        named = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    else:
        named = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
    names = [str(name) for (name,) in bench.rows.execute(named).fetchall()]
    assert {"outbox", "tally", "cases", "audit", "decisions"} <= set(names)
    return {
        name: sorted(tuple(map(str, row)) for row in bench.rows.execute(f'SELECT * FROM "{name}"').fetchall())
        for name in names
    }


@pytest.mark.parametrize("raw", [SRP, NOTED])
@pytest.mark.parametrize("mode", ["obx", "nte", "report"])
@pytest.mark.parametrize("form", [{}, {"line_length": 40}, {"line_length": 60, "charset": "8859/1", "version": "2.4"}])
async def test_what_is_shown_is_what_leaves(
    bench: Bench, receiving: Any, raw: bytes, mode: str, form: dict[str, Any]
) -> None:
    receiving(comment_mode=mode, **form)
    await bench.lab.take(raw)
    browser = bench.signed_in()
    text = (
        "Anti-SRP 58 | cut-off 5 ^ CK 3400 U/L & rising ~ see C:\\LAB: the picture is that of a necrotising myopathy é"
    )
    assert decide(browser, "wording", text=text, why="clearer").status_code == 204
    page = browser.get(PAGE).text
    message = await left(bench)
    last = message.segments[-1]
    lines = message.decoded(last.field(3 if mode == "nte" else 5)).split("\n")
    assert shown(page) == lines
    assert " ".join(lines) == text
    assert (len(lines) > 1) is ("line_length" in form)
    said = text_of(page)
    (obr,) = message.all("OBR")
    assert f"order PF1 / {message.component(obr.field(3), 1)}" in said
    assert ("(below F1)" in said) is (mode == "report")
    if mode == "nte":
        assert "a note has no key (OBX-4) of its own" in said
    else:
        assert f"OBX-4 {last.field(4)}" in said
        assert "final (F)" in said
    assert "\\F\\ |" in said
    assert "\\T\\ &" in said
    assert "could not be released" not in said


@pytest.mark.parametrize("mode", ["observation", "report"])
async def test_what_a_fhir_server_will_show_is_what_leaves(bench: Bench, receiving: Any, mode: str) -> None:
    systems = {"LABA": "https://laba.example/mrn"}
    receiving(kind="fhir", address="https://fhir.laba.example/r4", systems=systems, comment_mode=mode)
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    text = 'Anti-SRP 58 <cut-off 5> & CK 3400 U/L: "the picture" é'
    assert decide(browser, "wording", text=text, why="clearer").status_code == 204
    page = browser.get(PAGE).text
    assert shown(page) == [text]
    said = text_of(page)
    assert ("Observation.valueString" if mode == "observation" else "DiagnosticReport.conclusion") in said
    assert "identifier LB1" in said
    assert "· final" in said
    assert "could not be released" not in said
    assert sign(bench.signed_in()).status_code == 204
    bench.clock.forward(seconds=120)
    lis = Lis()
    assert await bench.lab.deliver(lis) == 1
    assert shown(page) == list(fhir_read_back(lis.received[0]).lines)


async def test_a_patient_that_the_server_could_not_tell_is_said_before_anybody_signs(
    bench: Bench, receiving: Any
) -> None:
    receiving(kind="fhir", address="https://fhir.laba.example/r4")
    await bench.lab.take(SRP)
    page = text_of(bench.signed_in().get(PAGE).text)
    assert "no identifier system for the authority 'LABA'" in page


async def test_it_writes_nothing(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    before = tables(anywhere)
    act = {"command": "preview", "keys": ["C1@1"], "as": "Anna Test"}
    assert anywhere.parts.act(act)["ok"] is True
    assert anywhere.parts.act({**act, "text": "Other words"})["ok"] is True
    assert anywhere.parts.act({**act, "keys": ["C1@2"]})["ok"] is False
    assert tables(anywhere) == before
    browser.get(PAGE)
    browser.post(PAGE, {"version": "1", "text": "Other words"})
    after = tables(anywhere)
    assert {name for name in after if after[name] != before[name]} == {"audit", "seals"}
    assert anywhere.audit("viewed") == [("anna", "C1", "version 1, preview")] * 2


async def test_no_control_id_is_taken(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    for _time in range(3):
        assert browser.get(PAGE).status_code == 200
    message = await left(bench)
    assert message.msh.field(10).endswith("-1")


async def test_words_that_are_being_written(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    page = browser.post(PAGE, {"version": "1", "text": "  In other\nwords <b>  "}).text
    assert shown(page) == ["In other words <b>"]
    assert bench.lab.desk.wording(1, 1) == ""
    assert "In other words" not in browser.get(PAGE).text
    edit = browser.get("/cases/C1").text
    assert 'hx-post="/cases/C1/preview" hx-target="#edit-preview" hx-select="#preview-shown"' in edit
    assert 'data-opens="preview" data-key="p"' in edit


async def test_a_correction_is_called_one(bench: Bench) -> None:
    await bench.lab.take(SRP)
    await left(bench)
    browser = bench.signed_in()
    assert "It could not be released as it is: C1 is signed: there is nothing to release" in text_of(
        browser.get(PAGE).text
    )
    assert decide(browser, "correct", why="a word was wrong").status_code == 204
    assert "replaces what was sent (C)" in browser.get(PAGE).text


# ---------------------------------------------------------------- what release would refuse


async def test_a_character_that_the_receiver_lacks(bench: Bench, receiving: Any) -> None:
    receiving(charset="8859/1")
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    answer = browser.post(PAGE, {"version": "1", "text": "CK → 3400"})
    assert answer.status_code == 422
    assert decide(browser, "wording", text="CK → 3400", why="x").status_code == 204
    refused = "The receiver's character set 8859/1 has no U+2192"
    assert refused in text_of(answer.text)
    assert refused in text_of(browser.get(PAGE).text)
    assert refused in text_of(sign(browser).text)


@pytest.mark.parametrize(
    ("version", "text", "why"),
    [
        ("2", "x", "C1 is at version 1 now, not 2"),
        ("1", "", "A comment without words says nothing"),
        ("1", " \n ", "A comment without words says nothing"),
        ("1", "x" * 4001, "A comment has at most 4000 printable characters"),
        ("1", "a\u202eb", "A comment has at most 4000 printable characters"),
    ],
)
async def test_what_the_dialog_would_not_keep(bench: Bench, version: str, text: str, why: str) -> None:
    await bench.lab.take(SRP)
    answer = bench.signed_in().post(PAGE, {"version": version, "text": text})
    assert answer.status_code == 422
    assert why in text_of(answer.text)
    assert "<ol" not in answer.text


async def test_a_held_case_and_one_without_a_comment(bench: Bench) -> None:
    await bench.lab.take(oru("M1", order("F1", obx(BLOT, "58", "?"))))
    answer = bench.signed_in().get(PAGE)
    assert "C1 is on hold for" in text_of(answer.text)


async def test_too_many_for_one_specimen_is_said_before(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    told = web_parts.CONFIG.model_dump(mode="json", exclude_unset=True)
    monkeypatch.setattr(web_parts, "CONFIG", Config.model_validate({**told, "limits": {"comments_per_specimen": 1}}))
    await bench.lab.take(SRP)
    await left(bench)
    browser = bench.signed_in()
    assert decide(browser, "correct", why="a word was wrong").status_code == 204
    refused = "1 comments have left for this specimen within 24 hours"
    assert refused in text_of(browser.get(PAGE).text)
    assert refused in text_of(sign(browser).text)


async def test_what_the_judge_refuses_is_shown_beside_the_lines(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.lab.take(SRP)
    real = JudgeProcess.judge
    monkeypatch.setattr(
        JudgeProcess, "judge", lambda self, raw, text, version: [*real(self, raw, text, version), "OBX-5"]
    )
    page = bench.signed_in().get(PAGE)
    assert page.status_code == 200
    assert "The comment of C1 would not be a valid message for lis: OBX-5" in text_of(page.text)
    assert len(shown(page.text)) == 1


async def test_a_message_that_is_gone(bench: Bench) -> None:
    await bench.lab.take(SRP)
    bench.writer.submit(lambda c: c.execute("UPDATE journal SET raw = ?", (b"",))).result()
    answer = bench.signed_in().get(PAGE)
    assert answer.status_code == 422
    assert "it cannot be addressed" in answer.text


# ---------------------------------------------------------------- who


async def test_a_viewer_sees_the_kept_words_and_types_none(bench: Bench) -> None:
    await bench.lab.take(SRP)
    viewer = bench.signed_in("vera", Role.VIEWER)
    assert viewer.get(PAGE).status_code == 200
    assert viewer.post(PAGE, {"version": "1", "text": "x"}).status_code == 403


async def test_another_site(bench: Bench) -> None:
    await bench.lab.take(SRP, feed=ELSEWHERE)
    browser = bench.signed_in("bob", Role.SENIOR, feeds=("myolis",))
    assert browser.get(PAGE).status_code == 404
    assert browser.post(PAGE, {"version": "1", "text": "x"}).status_code == 404
    assert bench.audit("viewed") == []


def test_the_same_rules_for_a_service_without_a_receiver(bench: Bench) -> None:
    config = Config.model_validate({"facility": "LABA", "feeds": {"myolis": {}}})
    done = Acts(config, comment_code(SITE), bench.lab.desk, bench.clock).perform(
        {"command": "preview", "keys": ["C9@1"], "as": "Anna Test"}
    )
    assert msgspec.json.encode(done)
    assert done["done"][0]["error"] == "There is no case C9"
