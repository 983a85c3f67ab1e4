"""Results as a replay's tables have them: the version that stands, what it says, and whether it can be used."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from analysis_made import FEED, normaliser, row

from labbridge.analysis import replayed
from labbridge.model.result import Result
from labbridge.rows import archive
from labbridge.rows.archive import Row
from labbridge.sources import load

BLOT = {"code": "SRPB", "name": "Anti-SRP (line blot)", "value": "58", "unit": "intensity", "reference_range": "0-5",
        "kit": "EUROLINE", "lot": "D01"}  # fmt: skip
HEP2 = {"code": "ANAP", "name": "ANA HEp-2 IIF, pattern", "value": "AC-19", "unit": "", "reference_range": ""}


def results(*changes: dict[str, str]) -> list[Result]:
    """Each row as a message of its own, a day after the one before."""
    found: list[Result] = []
    for number, change in enumerate(changes, 1):
        one = Row(number=f"a.{number}", **row(**change))
        moment = datetime(2024, 3, 5 + number, 12, tzinfo=UTC)
        read, _notes = normaliser()(archive.report([one], FEED, "LABA"), FEED, moment, f"M{number}")
        found += read.results
    return found


def lines(*changes: dict[str, str]) -> list[dict[str, object]]:
    standing = replayed.standing(results(*changes), load().policy)
    return [replayed.line(one, "LABA|P1", "myolis", usable=usable) for one, usable in standing]


def test_a_ck_with_its_multiple_of_the_limit() -> None:
    (one,) = lines({"value": "1700"})
    assert (one["analyte"], one["number"], one["unit"], one["fold"], one["usable"]) == ("CK", 1700.0, "U/L", 10.0, True)
    assert (one["category"], one["day"]) == ("", date(2024, 3, 5))


def test_a_ck_in_another_unit_is_the_same_multiple() -> None:
    (one,) = lines({"value": "28", "unit": "ukat/L", "reference_range": "0.4-2.8"})
    assert one["fold"] == pytest.approx(10.0)
    assert one["number"] == 1680.0


def test_a_ck_without_a_limit_of_its_laboratory_has_no_multiple() -> None:
    (one,) = lines({"value": "1700", "reference_range": ""})
    assert one["fold"] is None


def test_an_antibody_with_kit_lot_and_category() -> None:
    (one,) = lines(BLOT)
    found = (one["analyte"], one["assay"], one["family"], one["lot"], one["category"], one["number"])
    assert found == ("SRP", "euroline-16", "blot", "D01", "POS_STRONG", 58.0)


def test_a_comparator_stays_beside_its_number() -> None:
    (one,) = lines({**BLOT, "value": "<5"})
    assert (one["number"], one["comparator"], one["category"]) == (5.0, "<", "NEG")


def test_a_pattern() -> None:
    (one,) = lines(HEP2)
    assert (one["analyte"], one["pattern"], one["category"]) == ("ANA_HEP2", "CYTO_COMPAT", "")


def test_the_corrected_version_stands_alone() -> None:
    (one,) = lines(BLOT, {**BLOT, "value": "3", "status": "C"})
    assert (one["number"], one["category"], one["status"], one["result"]) == (3.0, "NEG", "corrected", "M2:row[a.2]")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "?"}, "unknown"),
        ({"unit": "furlong"}, "final"),
        ({"value": "haemolytic"}, "final"),
        ({"status": "P"}, "pending"),
    ],
)
def test_what_cannot_be_used_is_there_and_says_so(change: dict[str, str], status: str) -> None:
    (one,) = lines(change)
    assert (one["usable"], one["status"]) == (False, status)


def test_of_what_cannot_be_used_the_newest_version() -> None:
    (one,) = lines({"unit": "furlong"}, {"unit": "mile", "status": "C"})
    assert one["result"] == "M2:row[a.2]"


def test_of_nobody_there_is_nothing() -> None:
    assert lines() == []


def test_a_table_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    replayed.write(tmp_path, "results-00", lines(BLOT), replayed.RESULTS, b"about")
    assert [path.name for path in tmp_path.iterdir()] == ["results-00.parquet"]
    assert replayed.about(tmp_path, "results-00") == b"about"
    assert replayed.about(tmp_path, "results-01") == b""
    (table,) = replayed.tables(tmp_path, "results", ["category"])
    assert table.to_pylist() == [{"category": "POS_STRONG"}]
