"""The ledger of retests at the workbench: what is open, what an order came to, who ends one, and what became of the rest."""

from __future__ import annotations

import re

import pytest
from web_parts import Bench

from labbridge.model.people import Role
from tests.story.story_parts import BLOT, CK, CLIA, ELISA, ELSEWHERE, LOST, Lis, obx, order, oru

LOW = oru("M1", order("F1", obx(BLOT, "8"), obx(CK, "100"), obx(CLIA, "2")))


async def sent(bench: Bench, answer: str) -> None:
    """One order for anti-SRP, sent and answered."""
    bench.lab.take_orders()
    await bench.lab.take(LOW)
    bench.lab.release("C1@1")
    await bench.lab.deliver(Lis("MSA|AA|$ID", answer))


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def test_an_open_retest_is_listed_with_its_case_and_what_it_is_for(bench: Bench) -> None:
    await bench.lab.take(LOW)
    page = bench.signed_in().get("/retests").text
    assert "R1" in page
    assert 'href="/cases/C1"' in page
    assert "anti-SRP: ELISA/CLIA or immunoprecipitation" in text(page)
    assert "PT1" not in page


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("MSA|AA|$ID", "message received, order not accepted yet"),
        ("OK", "order accepted"),
        ("UA", "order refused"),
        (LOST, "unknown: the laboratory may have the order"),
    ],
)
async def test_what_an_order_came_to_is_told_on_both_pages(bench: Bench, answer: str, said: str) -> None:
    await sent(bench, answer)
    browser = bench.signed_in()
    number = bench.lab.orders()[0][0]
    for path in ("/retests", "/cases/C1"):
        page = text(browser.get(path).text)
        assert said in page
        assert number in page
        assert ("order accepted" in page) == (answer == "OK")
    if answer == "UA":
        assert "No serum left" in page
    if answer == "OK":
        assert "their number F-77" in page


async def test_a_retest_is_ended_with_a_reason_and_that_is_on_record(bench: Bench) -> None:
    await bench.lab.take(LOW)
    browser = bench.signed_in("anna", Role.SCIENTIST)
    assert browser.post("/retests/R1/cancel", {"why": ""}).status_code == 422
    assert browser.post("/retests/R1/cancel", {"why": "no serum left"}).status_code == 200
    assert bench.audit("retest cancelled") == [("anna", "R1", "no serum left")]
    assert "A person cancelled it – Anna Test: no serum left" in text(browser.get("/cases/C1").text)
    assert 'hx-post="/retests/R1/cancel"' not in browser.get("/retests").text


async def test_what_the_lis_may_have_is_not_ended_here(bench: Bench) -> None:
    await sent(bench, LOST)
    browser = bench.signed_in()
    assert 'hx-post="/retests/R1/cancel"' not in browser.get("/retests").text
    answer = browser.post("/retests/R1/cancel", {"why": "no serum left"})
    assert (answer.status_code, "cancel it there" in answer.text) == (422, True)


async def test_a_viewer_ends_nothing(bench: Bench) -> None:
    await bench.lab.take(LOW)
    browser = bench.signed_in("vera", Role.VIEWER)
    assert 'hx-post="/retests/R1/cancel"' not in browser.get("/retests").text
    assert browser.post("/retests/R1/cancel", {"why": "no serum left"}).status_code == 403
    assert bench.audit("retest cancelled") == []


async def test_of_another_site_nothing_is_shown_counted_or_ended(bench: Bench) -> None:
    await bench.lab.take(LOW, oru("M2", order("F2", obx(ELISA, "50"))))
    browser = bench.signed_in("otto", Role.SCIENTIST, feeds=(ELSEWHERE.name,))
    page = browser.get("/retests").text
    assert ("R1" in page, "srp-" in page) == (False, False)
    assert browser.post("/retests/R2/cancel", {"why": "no serum left"}).status_code == 404
    assert "C1" not in page


async def test_what_became_of_retests_has_its_exact_interval_and_none_where_there_is_nothing(bench: Bench) -> None:
    await bench.lab.take(LOW, oru("M2", order("F2", obx(ELISA, "50"))))
    page = text(bench.signed_in().get("/retests").text)
    assert "100 % (2.5–100.0 %)" in page
    bodies = bench.signed_in().get("/retests").text.split("<tr>")
    row = next(one for one in bodies if "srp-low" in one and "data-head" in one)
    assert "%)" not in text(row).replace("(95 %)", "")


@pytest.mark.parametrize("key", ["R0", "R99", "X1", "R1x", "R" + "9" * 30])
async def test_another_key_is_none(bench: Bench, key: str) -> None:
    await bench.lab.take(LOW)
    assert bench.signed_in().post(f"/retests/{key}/cancel", {"why": "no serum left"}).status_code == 404
