"""A case that is no longer what was written on the disk: it is seen to be so, and nothing is done with it."""

from __future__ import annotations

from typing import Any

import pytest
from story_parts import BLOT, obx, order, oru
from test_web_decisions import decide
from web_parts import PASSWORD, Bench

from labbridge.store.lookover import LookOver

ROTTEN = {
    "its outcome": "UPDATE drafts SET outcome = substr(outcome, 2)",
    "its text": "UPDATE drafts SET text = 'Nothing to worry about.'",
    "its state": "UPDATE cases SET state = 'nex'",
    "its day": "UPDATE cases SET opened_day = '2026-11-1p'",
    "when it changed": "UPDATE cases SET updated = '2O26'",
    "what was done with it": "UPDATE cases SET disposition = 'dome', disposition_version = 1",
    "its draft is gone": "DELETE FROM drafts",
}


@pytest.mark.parametrize("what", ROTTEN)
async def test_a_damaged_case_is_shown_as_one_and_cannot_be_signed(anywhere: Bench, what: str) -> None:
    anywhere.lab.damaged_on_purpose = True
    await anywhere.lab.take(oru("M1", order("F1", obx(BLOT, "58"))))
    browser = anywhere.signed_in()
    whole = browser.get("/cases/C1").text
    text = anywhere.lab.case().text
    assert "damaged on the disk" not in browser.get("/worklist").text
    assert text[:20] in whole
    anywhere.writer.submit(lambda c: c.execute(ROTTEN[what])).result()
    page = browser.get("/cases/C1").text
    assert "This case is no longer what was written on the disk" in page
    assert text[:20] not in page
    assert "Nothing to worry about." not in page
    assert browser.get("/worklist").status_code == 200
    if what == "its state":  # in no queue, until the rows were looked over
        LookOver(anywhere.rows, anywhere.rows, anywhere.writer).look(anywhere.clock.now())
    assert "damaged on the disk" in browser.get("/worklist?queue=all").text
    answer: Any = browser.post("/cases/C1/sign", {"version": 1, "screen": "00" * 32, "password": PASSWORD})
    assert (answer.status_code, "no longer what was written on the disk" in answer.text) == (422, True)
    assert decide(browser, "no_action", why="x").status_code == 422
    assert anywhere.rows.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    assert anywhere.rows.execute("SELECT count(*) FROM decisions").fetchone() == (0,)
    for path in ("/cases/C1/explain", "/wordings", "/status"):
        assert browser.get(path).status_code < 500, path
