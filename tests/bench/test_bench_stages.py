"""The stages are told apart, and a message takes no more statements than it needs."""

from __future__ import annotations

import time
from pathlib import Path

from labbridge import processing
from tests.bench import parts, stages


def test_a_stage_within_another_is_counted_once() -> None:
    watch = stages.Watch()
    with watch.of("outer"), watch.of("inner"):
        begun = time.thread_time()
        while time.thread_time() - begun < 0.02:
            pass
    assert watch.spent["inner"] >= 0.02 > watch.spent["outer"]


def test_every_stage_is_met_and_a_message_takes_few_statements(tmp_path: Path) -> None:
    settings = processing.Settings("", str(parts.SITE), (stages.FEED,), "labbridge", False)
    found = stages.measured(tmp_path / "one.db", processing.reader_of(settings), 128)
    table = stages.table([found])
    for stage in (*stages.RECEIVING, *stages.WRITING, "read", "normalise", "history", "rules and comment", "save"):
        assert found.cost[stage] > 0, stage
        assert f"\n  {stage} " in table
    assert found.read <= stages.MOST_READ
    assert found.written <= stages.MOST_WRITTEN
