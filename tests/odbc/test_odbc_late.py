"""A view that is written while it is read (T-50), the short way: `python -m tests.odbc --rows 1000000` is the long one."""

from __future__ import annotations

from pathlib import Path

from tests.odbc import polled
from tests.odbc.servers import SERVERS, Database, on


@on(*SERVERS)
def test_every_committed_row_is_kept_once_by_a_poller_that_is_killed(database: Database, tmp_path: Path) -> None:
    plan = polled.Plan(there=12_000, written=8_000, kills=3)
    found = polled.run(database, tmp_path, plan)
    assert found.whole, found
    assert (found.missed, found.twice, found.invented) == (0, 0, 0)
    assert found.rows <= found.kept <= found.rows + found.corrected
    assert found.kills >= 1
    assert found.rolled_back > 0


@on("PostgreSQL")
def test_a_window_that_is_too_short_is_found_out(database: Database, tmp_path: Path) -> None:
    """The control: rows that are committed after the window are missed, and the judge sees it."""
    plan = polled.Plan(there=100, written=1500, latest_s=6.0, window_s=1.0, kills=0, settle_s=4)
    found = polled.run(database, tmp_path, plan)
    assert found.missed > 0
    assert found.twice == found.invented == 0
    assert found.notes == ["the last row did not come"]
    assert not found.whole
