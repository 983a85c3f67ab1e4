"""What people write to each other about a case stays in the laboratory: nothing of it leaves, is printed or exported."""

from __future__ import annotations

from typing import Any

import pytest
from story_parts import BLOT, ELSEWHERE, Lis, obx, order, oru
from test_web_decisions import sign
from web_parts import Bench, Browser

from labbridge.model.people import Role

SRP = oru("M1", order("F1", obx(BLOT, "58")))
CANARY = "Quince-Ferret"


def written(browser: Browser, text: str, key: str = "C1") -> Any:
    return browser.post(f"/cases/{key}/remark", {"version": "1", "text": text})


async def test_a_note_is_shown_with_name_and_time(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    answer = written(browser, "  Look at the strip again.\r\nTube 2 is in rack B.  ")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/cases/C1")
    row = anywhere.rows.execute('SELECT "case", person, name, text FROM remarks').fetchone()
    assert tuple(row) == (1, "anna", "Anna Test", "Look at the strip again.\nTube 2 is in rack B.")
    page = anywhere.signed_in("bert", Role.VIEWER).get("/cases/C1").text
    assert "Look at the strip again.\nTube 2 is in rack B." in page
    assert "stays in the laboratory" in page
    assert 'id="remark"' not in page, "who may not decide writes none"
    assert anywhere.audit("remarked") == [("anna", "C1", "")]


async def test_no_note_leaves_in_any_way(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    browser = anywhere.signed_in()
    assert written(browser, f"{CANARY} was here").status_code == 204
    assert sign(browser).status_code == 204
    anywhere.clock.forward(minutes=5)
    lis = Lis()
    assert await anywhere.lab.deliver(lis) == 1
    raws = [bytes(raw) for (raw,) in anywhere.rows.execute("SELECT raw FROM outbox").fetchall()]
    bodies = [bytes(body) for (body,) in anywhere.rows.execute("SELECT body FROM comments").fetchall()]
    assert raws
    assert bodies
    assert all(CANARY.encode() not in one for one in (*raws, *bodies, *lis.received))
    paths = ("export.csv?queue=all", "export.jsonl?queue=all", "columns.csv", "print?queue=all")
    for path in (*(f"/worklist/{one}" for one in paths), "/worklist?queue=all", "/status", "/outbox/D1"):
        answer = browser.get(path)
        assert (answer.status_code, CANARY in answer.text) == (200, False), path
    audit = anywhere.rows.execute("SELECT actor, action, subject, detail FROM audit").fetchall()
    assert not any(CANARY in word for row in audit for word in row)
    assert CANARY in browser.get("/cases/C1").text


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 1001, "a\x00b", "a\x1bb", "right\u202eleft"])
async def test_a_note_of_other_characters_is_refused(bench: Bench, text: str) -> None:
    await bench.lab.take(SRP)
    answer = written(bench.signed_in(), text)
    assert (answer.status_code, "A note has 1 to 1000 printable characters" in answer.text) == (422, True)
    assert bench.rows.execute("SELECT count(*) FROM remarks").fetchone() == (0,)


async def test_a_note_of_a_thousand_characters_is_kept(bench: Bench) -> None:
    await bench.lab.take(SRP)
    assert written(bench.signed_in(), "é" * 1000).status_code == 204


async def test_a_note_can_be_written_whatever_became_of_the_case(bench: Bench) -> None:
    await bench.lab.take(SRP)
    browser = bench.signed_in()
    sign(browser)
    await bench.lab.take(oru("M2", order("F2", obx(BLOT, "60"))))
    assert written(browser, "after it was signed").status_code == 204


async def test_another_sites_case_has_no_notes(bench: Bench) -> None:
    await bench.lab.take(SRP, feed=ELSEWHERE)
    assert written(bench.signed_in("carl", feeds=("myolis",)), "x").status_code == 404
    assert written(bench.signed_in("vera", Role.VIEWER), "x").status_code == 403
    assert bench.rows.execute("SELECT count(*) FROM remarks").fetchone() == (0,)


async def test_an_erased_patient_leaves_no_note_and_no_call(anywhere: Bench) -> None:
    await anywhere.lab.take(SRP)
    written(anywhere.signed_in(), "x")
    answer = anywhere.parts.act({"command": "erase", "keys": ["LABA|PT1"], "as": "Anna", "why": "asked for"})
    assert answer["ok"], answer
    for table in ("remarks", "calls"):
        assert anywhere.rows.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
