"""What of an export is not understood is told by column, with why, how often, and no patient's data."""

from __future__ import annotations

from pathlib import Path

import pytest
from analysis_made import not_understood, row, study, taken, written

from labbridge.analysis.study import summary

BLOT = {"code": "SRPB", "name": "Anti-SRP (line blot)", "value": "58", "unit": "intensity", "reference_range": "0-5"}


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ({"code": "NEVERSEEN", "name": "Sodium", "unit": "mmol/L", "value": "140"}, {("code", "NEVERSEEN")}),
        ({"code": "CKX"}, {("code", "CKX")}),
        ({"unit": "mg/dl"}, {("unit", "mg/dl")}),
        ({"value": "haemolytic"}, {("value", "")}),
        ({"value": "1,200"}, {("value", "")}),
        ({"status": "Q"}, {("status", "Q")}),
        ({"flag": "??"}, {("flag", "??")}),
        ({"reference_range": "see below"}, {("reference_range", "")}),
        ({"collected": "05.03.2024"}, {("collected", "")}),
        ({"received": "yesterday"}, {("received", "")}),
        ({"reported": "2024-13-01"}, {("reported", "")}),
        ({"birth_date": "4/5/60"}, {("birth_date", "")}),
        ({}, set()),
        (BLOT, set()),
        ({**BLOT, "code": "SRPX"}, {("code", "SRPX")}),
    ],
)
def test_each_column_by_its_fault(tmp_path: Path, cells: dict[str, str], told: set[tuple[str, str]]) -> None:
    where = study(tmp_path)
    taken(where, written(tmp_path / "a.csv", [row(**cells)]))
    assert told <= set(not_understood(where))
    if not told:
        assert not_understood(where) == {}


def test_every_row_is_counted_also_where_the_text_repeats(tmp_path: Path) -> None:
    where = study(tmp_path)
    rows = [row(patient=f"P{number}", order=f"O{number}", value="haemolytic") for number in range(250)]
    taken(where, written(tmp_path / "a.csv", rows), rows=100)
    assert not_understood(where)["value", ""] == 250


def test_no_value_name_or_number_of_a_patient_is_told(tmp_path: Path) -> None:
    where = study(tmp_path)
    secret = {"patient": "SECRET1", "family_name": "SECRET2", "birth_date": "SECRET3", "value": "SECRET4", "note": "SECRET5",
              "collected": "SECRET6", "reference_range": "SECRET7", "order": "SECRET8"}  # fmt: skip
    taken(where, written(tmp_path / "a.csv", [row(**secret)]))
    found = summary(where.pieces())["not_understood"]
    assert found
    assert "SECRET" not in str(found)


def test_a_long_code_is_cut(tmp_path: Path) -> None:
    where = study(tmp_path)
    taken(where, written(tmp_path / "a.csv", [row(code="X" * 500)]))
    assert {len(text) for column, text in not_understood(where) if column == "code"} == {80}
