"""A view that is written while it is read (T-50), the short way: `python -m tests.odbc --rows 1000000` is the long one."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pyodbc

from tests.odbc import lis, polled
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


def comes(database: Database, folder: Path, window_s: float) -> bool:
    """Whether a row is kept whose transaction was open while two others came and went, 2.5 s apart."""
    lis.create(database)
    service = polled.Listening(folder, extra=lis.section(database, window_s=window_s))
    service.configure(feeds=" ")
    insert = (
        "INSERT INTO results (changed, patient, code, value, unit, order_no, collected) VALUES"
        f" ({lis.NOW[database.name]}, 'P1', 'NA', '140', 'mmol/L', 'F1', '2026-11-10 09:15:00')"
    )
    try:
        service.start()
        with closing(pyodbc.connect(database.connection, autocommit=False)) as open_one:
            open_one.execute(insert)
            for count in (1, 2):
                database.execute(insert)
                assert lis.patient(lambda wanted=count: polled.count(service) == wanted, 30)  # type: ignore[misc]
                time.sleep(2.5)
            readings = polled.readings(service)
            open_one.commit()
        assert lis.patient(lambda: polled.readings(service) >= readings + 3, 30)
        return polled.count(service) == 3
    finally:
        service.close()


@on(*SERVERS)
def test_a_row_that_is_committed_after_the_window_is_missed_and_within_it_is_not(
    database: Database, tmp_path: Path
) -> None:
    """The control: what is said to be found is not found by itself."""
    assert not comes(database, tmp_path / "short", window_s=1.0)
    assert comes(database, tmp_path / "long", window_s=30.0)
