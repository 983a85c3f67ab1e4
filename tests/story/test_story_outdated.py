"""No comment is sent for a superseded version, at whatever moment the correction comes (check C8)."""

from __future__ import annotations

import pytest
from corrections import STAGES, run
from story_parts import Laboratory

from labbridge.store import outbox


async def test_a_correction_at_every_stage_leaves_nothing_out_of_date(lab: Laboratory) -> None:
    found = await run(lab, 700, seed=7)
    assert found.violations == []
    assert set(STAGES) <= set(found.corrections)
    assert min(found.corrections[stage] for stage in STAGES) > 20
    assert found.arrived > 300


@pytest.mark.parametrize("left_out", ["version", "unread"])
async def test_the_run_notices_when_a_check_is_left_out(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch, left_out: str
) -> None:
    """The proof of the proof: without the version, or without a look at what is unread, it finds comments too old."""
    if left_out == "version":
        monkeypatch.setattr(outbox, "VERSION", outbox.VERSION.replace("SELECT c.version", "SELECT NULL"))
    else:
        monkeypatch.setattr(outbox, "UNREAD", "SELECT 1 WHERE ? = ''")
    found = await run(lab, 200, seed=7)
    assert found.violations
