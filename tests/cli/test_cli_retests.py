"""`labbridge retests`: what is open, what it was worth, and what a person ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from labbridge.cli import app
from tests.story.story_parts import BLOT, CK, CLIA, ELISA, LOST, Laboratory, Lis, obx, order, oru

LOW = oru("M1", order("F1", obx(BLOT, "8"), obx(CK, "100"), obx(CLIA, "2")))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one order whose answer was lost, and one retest that was confirmed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "labbridge.toml").write_text(
        f'facility = "LABA"\n[store]\nurl = "sqlite:///{tmp_path / "store.db"}"\n'
        '[feeds.myolis]\nlisten = "127.0.0.1:2575"\n',
        encoding="utf-8",
    )
    asyncio.run(_filled(f"sqlite:///{tmp_path / 'store.db'}"))
    return tmp_path


async def _filled(url: str) -> None:
    lab = Laboratory(url)
    lab.take_orders()
    await lab.take(LOW)
    lab.release("C1@1")
    await lab.deliver(Lis("MSA|AA|$ID", LOST))
    second = LOW.replace(b"|M1|", b"|M2|").replace(b"PT1", b"PT2").replace(b"F1^", b"F2^")
    await lab.take(second, oru("M3", order("F3", obx(ELISA, "50")), patient="PT2"))
    lab.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["retests", *words])


def document(*words: str) -> Any:
    done = run(*words, "--format", "json")
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.usefixtures("here")
def test_what_is_open_is_listed_with_what_its_order_came_to() -> None:
    found = {one["key"]: one for one in document()["open"]}
    assert (found["R1"]["case"], found["R1"]["analyte"], found["R1"]["by"]) == ("C1", "SRP", "quant ip")
    assert found["R1"]["state"] == "ordered"
    assert found["R1"]["order"].endswith(" unknown")
    assert "no service code" in found["R2"]["said"]
    assert "PT1" not in run().output
    assert "R1" in run().output


@pytest.mark.usefixtures("here")
def test_the_yield_has_an_interval_where_something_was_closed_and_none_elsewhere() -> None:
    rows = {one["rule"]: one for one in document("--yield")["yield"]}
    closed = rows["srp-equivocal@1"]
    assert (closed["closed"], closed["confirmed"], closed["confirmed share"], closed["from"], closed["to"]) == (
        1,
        1,
        1.0,
        0.025,
        1.0,
    )
    nothing = next(one for one in rows.values() if not one["closed"])
    assert (nothing["confirmed share"], nothing["from"], nothing["to"]) == (None, None, None)
    assert "srp-equivocal@1" in run("--yield").output


@pytest.mark.usefixtures("here")
def test_a_person_ends_one_that_the_lis_does_not_have() -> None:
    done = run("R2", "--cancel", "--why", "no serum left", "--as", "Dr Anna")
    assert (done.exit_code, "R2 cancelled" in done.output) == (0, True)
    assert "R2" not in {one["key"] for one in document()["open"]}
    refused = run("R1", "--cancel", "--why", "no serum left", "--as", "Dr Anna")
    assert (refused.exit_code, "cancel it there" in refused.output) == (1, True)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", [("R1",), ("--cancel",)])
def test_a_half_given_command_is_told_how(words: tuple[str, ...]) -> None:
    assert run(*words).exit_code == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("X1", "--cancel", "--why", "no serum left", "--as", "Dr Anna"), "is no retest"),
        (("R99", "--cancel", "--why", "no serum left", "--as", "Dr Anna"), "There is no retest R99"),
        (("R2", "--cancel", "--why", "no serum left"), "name"),
        (("R2", "--cancel", "--as", "Dr Anna"), "reason"),
    ],
)
def test_what_cannot_be_ended_is_refused(words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 1
    assert said in done.output
