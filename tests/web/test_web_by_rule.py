"""The pages of release by rule: the record, the switch, what a person reads afterwards, and why a case stayed a person's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from by_rule_parts import POLICY, Office, negative
from web_parts import Bench

from labbridge.model.people import Role
from labbridge.states import CaseState


@pytest.fixture
def office(bench: Bench, tmp_path: Path) -> Office:
    made = Office(bench.lab, tmp_path / "store.db.suspend")
    made.knows(policy=POLICY.replace("release_sample, value: 0", "release_sample, value: 100"))
    return made


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def test_what_a_rule_released_is_read_afterwards_from_a_queue(bench: Bench, office: Office) -> None:
    await office.reviewed()
    await bench.lab.take(negative(2), negative(3))
    assert office.look() == 2
    reader = bench.signed_in("anna", Role.SCIENTIST)
    page = reader.get("/worklist?queue=independent_review").text
    assert re.findall(r'<tr data-case="(C\d)"', page) == ["C2", "C3"]
    assert re.search(r'independent_review" aria-current="page">[^<]+<span class="count">2<', page)
    case = reader.get("/cases/C2").text
    assert "both-negative@1" in case
    assert "I would have released it as it is" in case
    assert reader.post("/cases/C2/review", {"version": "1", "agrees": "true"}).status_code == 204
    assert "Anna Test: agrees" in plain(reader.get("/cases/C2").text)
    assert re.findall(r'<tr data-case="(C\d)"', reader.get("/worklist?queue=independent_review").text) == ["C3"]


async def test_who_disagrees_says_why_and_stops_the_rule(bench: Bench, office: Office) -> None:
    await office.reviewed()
    await bench.lab.take(negative(2))
    office.look()
    reader = bench.signed_in("anna", Role.SCIENTIST)
    answer = reader.post("/cases/C2/review", {"version": "1", "agrees": "false"})
    assert (answer.status_code, "reason" in answer.text) == (422, True)
    assert reader.post("/cases/C2/review", {"version": "1", "agrees": "false", "why": "lot 7"}).status_code == 204
    assert "lot 7" in reader.get("/cases/C2").text
    page = plain(reader.get("/release").text)
    assert "independent review of C2@1 disagrees" in page
    await bench.lab.take(negative(3))
    assert office.look() == 0


async def test_a_case_says_why_no_rule_released_it(bench: Bench, office: Office) -> None:
    await bench.lab.take(negative(2))
    assert office.look() == 0
    page = bench.signed_in("anna", Role.SCIENTIST).get("/cases/C1").text
    assert "Not released by rule" in page
    assert "Too few such comments were decided by persons" in page
    french = bench.signed_in("zoe", Role.SCIENTIST, language="fr").get("/cases/C1").text
    assert "Trop peu de tels commentaires" in french


async def test_one_stops_it_and_an_approver_lets_it_go_on(bench: Bench, office: Office) -> None:
    await office.reviewed()
    scientist, approver = bench.signed_in("anna", Role.SCIENTIST), bench.signed_in("bert", Role.APPROVER)
    page = scientist.get("/release").text
    assert "Nothing is suspended." in page
    assert "C07" in page
    assert scientist.post("/release/suspend", {"why": ""}).status_code == 422
    assert scientist.post("/release/suspend", {"feed": "myolis", "why": "control is out"}).status_code == 200
    await bench.lab.take(negative(2))
    assert office.look() == 0
    assert scientist.post("/release/resume", {"key": "S1"}).status_code == 403
    assert approver.post("/release/resume", {}).status_code == 422
    assert approver.post("/release/resume", {"key": "S1"}).status_code == 200
    assert approver.post("/release/resume", {"key": "S1"}).status_code == 422
    await bench.lab.take(negative(3))
    assert office.look() == 1
    assert bench.audit("suspended")[0][0] == "anna"
    assert bench.audit("resumed") == [("bert", "release by rule", "S1")]


async def test_the_record_of_a_site_is_that_sites(bench: Bench, office: Office) -> None:
    await office.reviewed(3, 1)
    here = plain(bench.signed_in("anna", Role.SCIENTIST, feeds=("myolis",)).get("/release").text)
    assert "C07 4 3 (75.0 %) 19.4 %" in here
    other = plain(bench.signed_in("bert", Role.SCIENTIST, feeds=("other",)).get("/release").text)
    assert "C07" not in other


async def test_what_is_released_by_rule_cannot_be_undone_but_corrected(bench: Bench, office: Office) -> None:
    await office.reviewed()
    await bench.lab.take(negative(2))
    office.look()
    assert bench.lab.cases()[1].state is CaseState.SIGNED
    assert "Correct" in bench.signed_in("anna", Role.SCIENTIST).get("/cases/C2").text
