"""`labbridge replay`: 1,000 patients, a change that touches 137 of them, and what is printed of it; nothing is written."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from contextlib import closing
from pathlib import Path

import pytest
from cli_run import config, run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "story"))
from story_parts import BLOT, CK, SITE, Laboratory, obx, order, oru

PATIENTS, TOUCHED = 1000, 137
CHANGE = "- {id: ck_mod_from, value: 6, unit: x upper limit, tag: CONVENTION, source: us}\n"


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A laboratory whose store holds 137 patients with a CK of five times its limit, among others with less and more."""
    folder = tmp_path_factory.mktemp("replay")

    async def fill() -> None:
        with closing(Laboratory(f"sqlite:///{folder / 'store.db'}")) as lab:
            for number in range(PATIENTS):
                value = "950" if number < TOUCHED else ("700", "7800", "120")[number % 3]
                raw = oru(f"M{number}", order(f"F{number}", obx(BLOT, "58"), obx(CK, value)), patient=f"PT{number}")
                await lab.receive(raw)
            lab.process()

    asyncio.run(fill())
    return config(folder, site=Path(SITE))


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The site's folder with one number changed."""
    import shutil

    folder = tmp_path / "site"
    shutil.copytree(SITE, folder)
    (folder / "policy.yaml").write_text(CHANGE, encoding="utf-8")
    return folder


def digest(where: Path) -> str:
    return hashlib.sha256((where.parent / "store.db").read_bytes()).hexdigest()


def test_a_change_that_touches_137_patients_touches_just_these(where: Path, other: Path) -> None:
    before = digest(where)
    done = run("replay", "--site", other, "--config", where, "--format", "json", "--processes", "2")
    assert done.code == 0, done.err
    *cases, last = done.lines
    found = last["sum"]
    assert len(cases) == TOUCHED
    assert {one["patient"] for one in cases} == {f"LABA|PT{number}" for number in range(TOUCHED)}
    assert {one["case"] for one in cases} == {f"C{number + 1}" for number in range(TOUCHED)}
    assert (found["patients"], found["patients_changed"], found["cases_changed"]) == (PATIENTS, TOUCHED, TOUCHED)
    assert (found["messages"], found["results"], found["parked"]) == (PATIENTS, 2 * PATIENTS, 0)
    assert found["parts"]["states"] == TOUCHED
    assert found["before"] != found["after"]
    assert cases[0]["before"]["states"]["CK"] == "MOD"
    assert cases[0]["after"]["states"]["CK"] == "MILD"
    assert cases[0]["before"]["text"] != cases[0]["after"]["text"] or "comment" not in cases[0]["changed"]
    assert digest(where) == before


def test_it_is_printed_for_people(where: Path, other: Path) -> None:
    done = run("replay", "--site", other, "--config", where, "--processes", "1")
    assert done.code == 0
    assert "C1  LABA|PT0  changes: states" in done.out
    assert f"{TOUCHED} patients and {TOUCHED} of {PATIENTS} cases would change" in done.out
    assert "results a second" in done.out
    assert done.out.endswith("nothing was written, and nothing sent\n")


def test_the_same_knowledge_changes_nothing(where: Path) -> None:
    done = run("replay", "--config", where, "--format", "json")
    (last,) = done.lines
    assert last["sum"]["patients_changed"] == 0


def test_since_a_day_on_which_nothing_came_there_is_nobody(where: Path) -> None:
    (last,) = run("replay", "--since", "2031-01-01", "--config", where, "--format", "json").lines
    assert last["sum"]["patients"] == 0


def test_a_folder_with_a_fault_is_told_with_its_place(where: Path, other: Path) -> None:
    (other / "policy.yaml").write_text(CHANGE.replace("6", "six"), encoding="utf-8")
    done = run("replay", "--site", other, "--config", where)
    assert (done.code, "policy.yaml:1" in done.err) == (78, True)
