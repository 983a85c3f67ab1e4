"""Rows of a table on the workbench: the evidence down to the row, the bytes opened, a row in quarantine repaired and sent
through, and a comment that leaves as a row."""

from __future__ import annotations

import json
import re

import pytest
from messages_parts import approval, edited_text, opened, repair, senior, text_of
from rows_parts import CK, TABLES, keep_rows, row, take_rows
from web_parts import Bench

PLACE = "View.rows%5B0%5D"


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """A workbench that knows the feed of the table."""
    bench.with_parts(feeds={**bench.parts.feeds, "tables": TABLES})
    return bench


def marked(page: str) -> list[str]:
    return [text_of(one) for one in re.findall(r'<mark class="fault">(.*?)</mark>', page, re.S)]


async def test_the_explanation_names_what_the_row_said_and_leads_to_it(bench: Bench) -> None:
    take_rows(bench.lab, row(), row(**CK))
    page = bench.signed_in().get("/cases/C1/explain").text
    assert "SRPB Anti-SRP (line blot) L" in text_of(page)
    assert "58 intensity" in text_of(page)
    assert f"/cases/C1/evidence/M1/{PLACE}" in page


async def test_the_evidence_is_the_row_as_it_was_read(bench: Bench) -> None:
    take_rows(bench.lab, row(), row(**CK))
    page = bench.signed_in().get(f"/cases/C1/evidence/M1/{PLACE}").text
    assert '"result": "58"' in text_of(page)
    assert '"unit": "intensity"' in text_of(page)
    assert "results_v" not in text_of(page)
    assert bench.signed_in().get("/cases/C1/evidence/M2/View.rows%5B7%5D").status_code == 404


async def test_a_row_in_quarantine_is_opened_with_its_column_marked_repaired_and_sent_through(bench: Bench) -> None:
    assert keep_rows(bench.lab, row(test=None, test_name=None)) == 1
    browser = senior(bench)
    page = opened(browser)
    assert marked(page) == ['here: "test": null,']
    assert "The row names no test View.rows[0].test" in text_of(page)
    assert json.loads(edited_text(page))["rows"][0]["pat_no"] == "PT1"
    assert repair(browser, lambda text: text.replace('"test": null', '"test": "SRPB"')).status_code == 204
    second = senior(bench, "bert")
    assert "SRPB" in text_of(opened(second).split("How the edit reads")[1])
    assert second.post("/messages/M1/approve", approval(second)).status_code == 204
    bench.lab.process()
    assert bench.lab.states() == [("done", "drafted")]


async def test_the_bytes_of_a_row_are_opened_with_how_they_read(bench: Bench) -> None:
    take_rows(bench.lab, row())
    page = opened(senior(bench))
    assert '"changed": {' in text_of(page)
    assert "How it reads" in page
    assert "Patients" in text_of(page)
