"""What reports are made from, read off a store that lived: results, cases, stages and counts, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from story_parts import BLOT, CK, CLIA, Laboratory, Lis, obx, order, oru

from labbridge.store import reported

DAY = date(2026, 11, 13)


@pytest.fixture(params=["sqlite", "postgres"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laboratory]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    with closing(Laboratory(url)) as found:
        yield found


async def lived(lab: Laboratory) -> None:
    """Two patients, one of them with a comment that left and was acknowledged."""
    await lab.take(
        oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "7800"))),
        oru(
            "M2",
            order("F2", obx(CLIA, "90"), obx("NM|SODIUM^Sodium^L|1|{value}|mmol/L|||||{status}", "140")),
            patient="PT2",
        ),
    )
    case = lab.cases()[0]
    lab.clock.forward(hours=2)
    lab.release(f"C{case.key}@{case.version}")
    lab.clock.forward(minutes=3)
    assert await lab.deliver(Lis()) == 1


async def test_results_patient_by_patient(lab: Laboratory) -> None:
    await lived(lab)
    found = {
        one.lane: (sorted(result.analyte.value for _feed, result in one.results), one.damaged)
        for one in reported.results(lab.rows)
    }
    assert found == {"p:LABA|PT1": (["CK", "SRP"], 0), "p:LABA|PT2": (["HMGCR"], 0)}


async def test_a_damaged_result_is_left_out_and_counted(lab: Laboratory) -> None:
    await lived(lab)
    lab.damaged_on_purpose = True
    lab.writer.submit(lambda rows: rows.execute("UPDATE results SET collected = '2020-01-01' WHERE id = 1")).result()
    found = {one.lane: (len(one.results), one.damaged) for one in reported.results(lab.rows)}
    assert found == {"p:LABA|PT1": (1, 1), "p:LABA|PT2": (1, 0)}


async def test_cases_between_two_days(lab: Laboratory) -> None:
    await lived(lab)
    opened = date(2026, 11, 10)
    found = list(reported.cases(lab.rows, opened, opened))
    assert [(day, feed) for day, feed, _outcome in found] == [("2026-11-10", "myolis")] * 2
    assert all(outcome.comment is not None for _day, _feed, outcome in found)
    assert list(reported.cases(lab.rows, None, date(2026, 11, 9))) == []
    assert list(reported.cases(lab.rows, date(2026, 11, 11), None)) == []


async def test_stages_from_receipt_to_acknowledgement(lab: Laboratory) -> None:
    await lived(lab)
    found = list(reported.stages(lab.rows, DAY, DAY))
    names = [name for name, _began, _ended in found]
    assert names == ["received to drafted"] * 2 + ["drafted to released", "released to acknowledged"]
    assert all(began <= ended for _name, began, ended in found)
    _name, began, ended = found[2]
    assert (began[11:16], ended[11:16]) == ("12:00", "14:02")
    assert list(reported.stages(lab.rows, None, date(2026, 11, 12))) == []


async def test_messages_by_feed_and_hour(lab: Laboratory) -> None:
    await lived(lab)
    lab.clock.forward(hours=3)
    raw = oru("M3", order("F3", obx(CK, "100")), patient="PT3")
    await lab.receive(raw, raw)  # sent twice, counted once
    await lab.receive(b"MSH|^~\\&|X\r")  # refused, and it came all the same
    assert reported.received(lab.rows, None, None) == [("myolis", "2026-11-13T12", 2), ("myolis", "2026-11-13T17", 2)]
    assert reported.received(lab.rows, date(2026, 11, 14), None) == []


async def test_codes_that_no_table_names(lab: Laboratory) -> None:
    await lived(lab)
    (row,) = reported.unmapped(lab.rows)
    assert (row[0], row[2], row[4], row[7]) == ("myolis", "SODIUM", "Sodium", 1)
