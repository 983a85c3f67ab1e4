"""A change tried on the stored past at the workbench: each case before and after, what people say of it, who sees whose."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from story_parts import ELSEWHERE, SITE
from web_parts import CONFIG, Bench
from worklist_parts import BLOT, CK, Site, obx

from labbridge.config import Config
from labbridge.model.people import Role
from labbridge.model.work import AuditEvent
from labbridge.sources import read_all
from labbridge.trying import Trying
from tests.summed import summed

CHANGE = "- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: us}\n"


class Desk:
    """A laboratory whose folder has a change that is not in force, and the service that replays it."""

    def __init__(self, bench: Bench, place: str, folder: Path) -> None:
        self.bench, self.folder, self.site = bench, folder, Site(bench)
        told = CONFIG.model_dump()
        told["store"]["url"], told["knowledge"]["site"] = place, str(folder)
        told["feeds"]["other"] = told["feeds"]["myolis"]
        self.trying = Trying(Config.model_validate(told), _stores(bench), bench.clock, read_all(SITE))
        real = bench.parts.act
        bench.with_parts(act=lambda asked: self.act(asked) if asked["command"] == "replay" else real(asked))

    def act(self, asked: dict[str, Any]) -> dict[str, Any]:
        """As the service does, waiting for its end."""

        async def both() -> dict[str, Any]:
            answer = await self.trying.perform(asked)
            if self.trying._task is not None:
                await self.trying._task
            return answer

        return asyncio.run(both())

    async def filled(self) -> None:
        """Of four patients two have a CK of five times its limit, one of them at the other site."""
        for number, (value, feed) in enumerate((("950", None), ("700", None), ("950", ELSEWHERE), ("7800", None)), 1):
            more = {"feed": feed} if feed else {}
            await self.site.patient(f"PT{number}", obx(BLOT, "58"), obx(CK, value), **more)


def _stores(bench: Bench) -> Any:
    desk = bench.lab.desk
    return desk.replays, desk.changes, desk.unmapped


@pytest.fixture
def desk(anywhere: Bench, place: str, tmp_path: Path) -> Desk:
    folder = tmp_path / "site"
    shutil.copytree(SITE, folder)
    (folder / "policy.yaml").write_text(CHANGE, encoding="utf-8")
    return Desk(anywhere, place, folder)


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


async def begun(desk: Desk) -> Any:
    await desk.filled()
    author = desk.bench.signed_in("anna", Role.AUTHOR)
    answer = await asyncio.to_thread(author.post, "/replays")
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/replays/R1")
    return author


async def test_the_cases_that_would_change_are_shown_before_and_after(desk: Desk) -> None:
    before = desk.bench.rows.execute("SELECT version, state, updated FROM cases ORDER BY id").fetchall()
    author = await begun(desk)
    assert before == []
    page = author.get("/replays/R1").text
    assert re.findall(r'<a href="/cases/(C\d)">', page) == ["C1", "C3"]
    assert '<span class="gone">− CK MOD</span>' in page
    assert '<span class="come">+ CK MILD</span>' in page
    told = plain(page)
    assert "4 patients, 8 results" in told
    assert "2 patients, 2 of 4 cases" in told
    assert "0 meant, 0 not meant, 2 open" in told
    assert "R1" in author.get("/replays").text
    assert [case.outcome.states.CK for case in desk.bench.lab.cases()] == ["MOD", "MILD", "MOD", "HIGH"]
    assert desk.bench.audit("viewed")[-1] == ("anna", "R1", "C1 C3")
    assert desk.bench.audit("replay")[0][:2] == ("anna", "knowledge")


async def test_people_say_of_each_case_whether_it_is_meant(desk: Desk) -> None:
    author = await begun(desk)
    assert author.post("/replays/R1/1", {"verdict": "accept"}).status_code == 200
    answer = author.post("/replays/R1/2", {"verdict": "narrow"})
    assert (answer.status_code, "reason" in answer.text) == (422, True)
    assert author.post("/replays/R1/2", {"verdict": "narrow", "why": "not for the ward"}).status_code == 200
    page = plain(author.get("/replays/R1").text)
    assert "1 meant, 1 not meant, 0 open" in page
    assert "not for the ward" in page
    assert author.post("/replays/R1/9", {"verdict": "accept"}).status_code == 404
    assert author.post("/replays/R7/1", {"verdict": "accept"}).status_code == 404
    assert desk.bench.audit("replay narrow") == [("anna", "R1/2", "not for the ward")]


async def test_a_person_sees_the_cases_of_their_sites(desk: Desk) -> None:
    await begun(desk)
    there = desk.bench.signed_in("otto", Role.APPROVER, feeds=("other",))
    page = there.get("/replays/R1").text
    assert re.findall(r'<a href="/cases/(C\d)">', page) == ["C3"]
    assert "PT1" not in page
    assert there.post("/replays/R1/1", {"verdict": "accept"}).status_code == 404
    assert there.post("/replays/R1/2", {"verdict": "accept"}).status_code == 200


async def test_a_viewer_looks_and_says_nothing(desk: Desk) -> None:
    await begun(desk)
    viewer = desk.bench.signed_in("vera", Role.VIEWER)
    assert "It is meant" not in viewer.get("/replays/R1").text
    assert viewer.post("/replays/R1/1", {"verdict": "accept"}).status_code == 403
    assert viewer.post("/replays").status_code == 403


async def test_what_is_in_force_is_not_tried_and_a_fault_is_told(desk: Desk) -> None:
    author = desk.bench.signed_in("anna", Role.AUTHOR)
    (desk.folder / "policy.yaml").write_text(CHANGE.replace("6", "six"), encoding="utf-8")
    answer = await asyncio.to_thread(author.post, "/replays")
    assert (answer.status_code, "policy.yaml:1" in answer.text) == (422, True)
    (desk.folder / "policy.yaml").unlink()
    answer = await asyncio.to_thread(author.post, "/replays")
    assert (answer.status_code, "there is nothing to compare" in answer.text) == (422, True)


async def test_one_runs_at_a_time_and_what_a_service_left_has_failed(desk: Desk) -> None:
    replays = desk.bench.lab.desk.replays
    await begun(desk)
    desk.bench.writer.submit(lambda c: c.execute("UPDATE replays SET state = 'running'")).result()
    author = desk.bench.signed_in("anna", Role.AUTHOR)
    answer = await asyncio.to_thread(author.post, "/replays")
    assert (answer.status_code, "A replay is running" in answer.text) == (422, True)
    replays.left()
    found = replays.one(1)
    assert found is not None
    assert (found.state.value, found.said) == ("failed", "The service ended before it was done")


async def test_a_patient_who_is_erased_is_in_no_replay(desk: Desk) -> None:
    author = await begun(desk)
    desk.bench.writer.submit(lambda c: c.execute("UPDATE cases SET state = 'closed'")).result()
    desk.bench.writer.submit(summed).result()
    event = AuditEvent(at=desk.bench.clock.now(), actor="a", action="erased", subject="patient")
    desk.bench.lab.desk.erase("p:LABA|PT1", event)
    page = author.get("/replays/R1").text
    assert "PT1" not in page
    assert re.findall(r'<a href="/cases/(C\d)">', page) == ["C3"]


@pytest.mark.parametrize("path", ["/replays/R9", "/replays/none", "/replays/R", "/replays/R1x"])
def test_there_is_no_such_replay(bench: Bench, path: str) -> None:
    assert bench.signed_in("anna", Role.AUTHOR).get(path).status_code == 404
