"""A study store: no row twice and none lost, also where the import is killed; the same whatever the pieces."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from analysis_made import FEED, SETTINGS, held, normaliser, not_understood, row, study, taken, written

from labbridge.analysis import importing
from labbridge.analysis.columns import Columns
from labbridge.analysis.study import ASIDE, BUCKETS, Study, bucket_of, summary
from labbridge.errors import Refused
from tests.bench import archive_made

ROWS = 1000
KILLED = """
import sys
from pathlib import Path
sys.path[:0] = [{here!r}, {root!r}]
from analysis_made import SETTINGS, study, taken
print("begun", flush=True)
taken(study(Path({folder!r})), Path({file!r}), rows=100)
"""


def values(where: Study) -> list[tuple[str, str]]:
    return sorted((one.row.number, one.row.value) for one in held(where, repeated=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """The same archive, imported in one go."""
    folder = tmp_path_factory.mktemp("whole")
    archive_made.write(folder / "a.csv", ROWS)
    where = study(folder)
    taken(where, folder / "a.csv", rows=ROWS)
    return values(where)


def test_every_row_is_there_once(tmp_path: Path) -> None:
    where = study(tmp_path)
    archive_made.write(tmp_path / "a.csv", ROWS)
    pieces = taken(where, tmp_path / "a.csv", rows=300)
    assert [one.rows for one in pieces] == [300, 300, 300, 100]
    numbers = [number for number, _value in values(where)]
    assert len(numbers) == len(set(numbers)) == ROWS
    assert summary(where.pieces())["rows"] == ROWS


def test_the_size_of_the_pieces_changes_nothing(tmp_path: Path) -> None:
    archive_made.write(tmp_path / "a.csv", 120)
    found = []
    for size in (17, 120, 10_000):
        (tmp_path / str(size)).mkdir()
        where = study(tmp_path / str(size))
        taken(where, tmp_path / "a.csv", rows=size)
        found.append((values(where), not_understood(where)))
    assert found[0] == found[1] == found[2]


def test_the_same_file_is_not_taken_twice_whatever_it_is_called(tmp_path: Path) -> None:
    where = study(tmp_path)
    path = written(tmp_path / "a.csv", [row()])
    assert len(taken(where, path)) == 1
    path.rename(tmp_path / "b.csv")
    assert taken(where, tmp_path / "b.csv") == []
    assert len(held(where)) == 1


def test_a_row_of_two_files_counts_once(tmp_path: Path) -> None:
    where = study(tmp_path)
    taken(where, written(tmp_path / "a.csv", [row(), row(order="O2")]))
    taken(where, written(tmp_path / "b.csv", [row(order="O2"), row(order="O3"), row(order="O3")]))
    assert sorted(one.row.order for one in held(where)) == ["O1", "O2", "O3"]
    assert len(held(where, repeated=True)) == 5


@pytest.mark.parametrize("after_s", [0.0, 0.3, 0.9])
def test_an_import_that_is_killed_goes_on_where_it_was(
    tmp_path: Path, after_s: float, whole: list[tuple[str, str]]
) -> None:
    """SIGKILL at some moment of the work, a rest of a piece left beside: done again, it is as if nothing had been."""
    archive_made.write(tmp_path / "a.csv", ROWS)
    root = Path(__file__).resolve().parents[2]
    script = KILLED.format(
        here=str(root / "tests/analysis"), root=str(root), folder=str(tmp_path), file=str(tmp_path / "a.csv")
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)
    where = study(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in (where.folder / "rows").glob("*.parquet")}
    added = taken(where, tmp_path / "a.csv", rows=100)
    assert len(added) + len(before) == ROWS // 100
    assert all((where.folder / "rows" / name).stat().st_mtime_ns == at for name, at in before.items())
    assert values(where) == whole
    assert len(whole) == ROWS


@pytest.mark.parametrize("left", [(), ("study.part",), ("rows/",), ("study.part", "rows/")])
def test_a_study_whose_making_was_broken_off_is_made(tmp_path: Path, left: tuple[str, ...]) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for name in left:
        (folder / name).mkdir() if name.endswith("/") else (folder / name).write_bytes(b"{")
    Study.create(folder, SETTINGS)
    assert Study.open(folder).settings == SETTINGS


@pytest.mark.parametrize("there", ["notes.txt", "rows/0.parquet"])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, there: str) -> None:
    path = tmp_path / "study" / there
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    with pytest.raises(Refused, match="something else"):
        Study.create(tmp_path / "study", SETTINGS)
    assert [one for one in (tmp_path / "study").rglob("*") if one.is_file()] == [path]


def test_what_a_broken_off_piece_left_beside_counts_for_nothing(tmp_path: Path) -> None:
    where = study(tmp_path)
    path = written(tmp_path / "a.csv", [row()])
    taken(where, path)
    (part,) = (where.folder / "rows").iterdir()
    part.with_suffix(".part").write_bytes(part.read_bytes()[:100])
    part.unlink()
    assert held(where) == []
    taken(where, path)
    assert len(held(where)) == 1


def test_rows_of_a_patient_are_together_and_in_the_order_they_came(tmp_path: Path) -> None:
    where = study(tmp_path)
    later, sooner = row(received="2024-04-01 10:00", value="2", order="O2"), row(received="2024-03-01 10:00", value="1")
    taken(where, written(tmp_path / "a.csv", [later, row(patient="P2"), sooner]))
    found = [one.row.value for one in where.bucket(bucket_of("p:LABA|P1")) if one.row.patient == "P1"]
    assert found == ["1", "2"]


def test_without_patient_or_time_a_row_is_aside_and_kept(tmp_path: Path) -> None:
    where = study(tmp_path)
    timeless = {"collected": "soon", "received": "", "reported": ""}
    (about,) = taken(where, written(tmp_path / "a.csv", [row(patient=""), row(**timeless), row()]))
    assert about.aside == 2
    assert len(list(where.bucket(ASIDE))) == 2
    assert not_understood(where) == {("patient", ""): 1, ("collected", ""): 2}  # not a time, and no other one


def test_a_result_received_without_a_collection_is_as_old_as_its_receipt(tmp_path: Path) -> None:
    where = study(tmp_path)
    taken(where, written(tmp_path / "a.csv", [row(collected="")]))
    (one,) = where.bucket(bucket_of("p:LABA|P1"))
    assert one.moment == 1_709_632_800_000_000  # 2024-03-05 11:00 in Paris


def test_every_patient_has_a_bucket_and_patients_are_spread(tmp_path: Path) -> None:
    buckets = {bucket_of(f"p:LABA|S{number:08}") for number in range(2000)}
    assert buckets == set(range(BUCKETS))
    assert bucket_of("") == ASIDE


def test_a_study_that_is_read_otherwise_is_another_one(tmp_path: Path) -> None:
    where = study(tmp_path)
    other = msgspec.structs.replace(SETTINGS, feed=msgspec.structs.replace(FEED, timezone="UTC"))
    with pytest.raises(Refused, match="read with other settings"):
        Study.create(where.folder, other)
    assert Study.create(where.folder, SETTINGS).settings == SETTINGS


def test_folders_that_hold_no_study(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no study here"):
        Study.open(tmp_path)
    (tmp_path / "x").write_text("x")
    with pytest.raises(Refused, match="holds something else"):
        Study.create(tmp_path, SETTINGS)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(Refused, match="describes no study"):
        Study.open(tmp_path)
    (tmp_path / "study.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(SETTINGS, version=99)))
    with pytest.raises(Refused, match="version 99"):
        Study.open(tmp_path)


def test_the_folder_is_for_nobody_else(tmp_path: Path) -> None:
    where = study(tmp_path)
    assert (where.folder / "rows").stat().st_mode & 0o077 == 0


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    archive_made.write(tmp_path / "a.csv", 250)
    told: list[tuple[str, int, int]] = []
    found = importing.import_files(
        [tmp_path / "a.csv"], study(tmp_path), Columns(), normaliser(), rows=100, told=lambda *what: told.append(what)
    )
    assert len(list(found)) == 3
    assert [rows for _name, rows, _done in told] == [100, 200, 250, 250]
    assert told[-1][2] == (tmp_path / "a.csv").stat().st_size


# ---------------------------------------------------------------- HL7 v2

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_messages_of_a_folder_are_kept_whole(tmp_path: Path) -> None:
    where = study(tmp_path)
    pieces = taken(where, SAMPLES / "02-srp-hep2-negative", SAMPLES / "03-hmgcr-statin-hep2-negative")
    raws = {one.message for one in held(where)}
    assert sum(one.rows for one in pieces) == len(raws) > 2
    assert all(raw.startswith(b"MSH|") for raw in raws)
    assert {one.lane for one in held(where)} == {"p:LABA|PT1002", "p:LABA|PT1003"}


def test_a_message_that_cannot_be_read_is_kept_aside_and_told(tmp_path: Path) -> None:
    good = (SAMPLES / "02-srp-hep2-negative/1b-serology.hl7").read_bytes()
    (tmp_path / "a.hl7").write_bytes(good + b"\rMSH|^~\\&|X\rOBX|1\r")
    where = study(tmp_path)
    (about,) = taken(where, tmp_path / "a.hl7")
    assert (about.rows, about.unread, about.aside) == (2, 1, 1)
    assert not_understood(where)["message", ""] == 1
    assert taken(where, tmp_path / "a.hl7") == []


def test_a_file_without_a_message(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_text("hello")
    with pytest.raises(Refused, match="not an HL7 v2 file"):
        taken(study(tmp_path), tmp_path / "a.hl7")
