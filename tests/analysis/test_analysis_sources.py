"""Files of every kind come to the same rows; what cannot be read is refused with its place, nothing is unpacked blindly."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from analysis_made import USUAL, held, not_understood, row, study, taken, written

from labbridge.analysis import sources
from labbridge.analysis.columns import Columns, read
from labbridge.errors import Refused

TWO = [row(), row(patient="P2", order="O2", value="7800")]


def rows_of(tmp_path: Path, path: Path, columns: Columns | None = None) -> list[tuple[str, str, str, str]]:
    where = study(tmp_path)
    taken(where, path, columns=columns)
    return sorted((one.lane, one.row.value, one.row.collected, one.row.unit) for one in held(where))


EXPECTED = [("p:LABA|P1", "120", "2024-03-05 08:10", "U/L"), ("p:LABA|P2", "7800", "2024-03-05 08:10", "U/L")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_by_the_delimiter_of_its_first_line(tmp_path: Path, delimiter: str) -> None:
    assert rows_of(tmp_path, written(tmp_path / "a.csv", TWO, delimiter)) == EXPECTED


@pytest.mark.parametrize(("encoding", "stated"), [("utf-8-sig", "utf-8"), ("cp1252", "cp1252"), ("utf-16", "utf-16")])
def test_csv_in_the_encoding_that_is_stated(tmp_path: Path, encoding: str, stated: str) -> None:
    where = study(tmp_path)
    path = written(tmp_path / "a.csv", [row(name="CK µ-Einheit ö")], encoding=encoding)
    taken(where, path, columns=Columns(encoding=stated))
    assert [one.row.name for one in held(where)] == ["CK µ-Einheit ö"]


def test_bytes_of_another_encoding_are_refused_with_their_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", [row(name="ö")], encoding="cp1252")
    with pytest.raises(Refused, match=r"a\.csv: byte \d+ is not utf-8; say which encoding"):
        taken(study(tmp_path), path)
    with pytest.raises(Refused, match="klingon is no encoding"):
        taken(study(tmp_path), path, columns=Columns(encoding="klingon"))


def test_a_cell_that_says_na_or_null_is_that_text(tmp_path: Path) -> None:
    where = study(tmp_path)
    taken(
        where,
        written(tmp_path / "a.csv", [row(value=text, order=text) for text in ("NA", "null", "", "nan", "0", "-0")]),
    )
    assert sorted(one.row.value for one in held(where)) == ["", "-0", "0", "NA", "nan", "null"]


def test_quotes_line_ends_and_delimiters_within_a_cell_stay(tmp_path: Path) -> None:
    where = study(tmp_path)
    taken(where, written(tmp_path / "a.csv", [row(note='said "weak", then;\nnothing')]))
    assert [one.row.note for one in held(where)] == ['said "weak", then;\nnothing']


@pytest.mark.parametrize(
    ("line", "cells"), [("P3,1960-01-01,F,O3,2024-03-05", 5), ("x" + ",y" * 40, 41), ('"a\nb",c', 2)]
)
def test_a_row_with_other_cells_than_heads_is_refused_before_anything_is_imported(
    tmp_path: Path, line: str, cells: int
) -> None:
    """A cell too many or too few, and all that follows stands under the wrong head."""
    path = written(tmp_path / "a.csv", [*TWO, *TWO])
    path.write_text(path.read_text() + line + "\n")
    where = study(tmp_path)
    with pytest.raises(Refused, match=rf"a\.csv:[67]: {cells} cells under 15 heads; mend the line"):
        taken(where, path, rows=1)
    assert held(where) == []


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", TWO)
    path.write_text(path.read_text() + "\n\n")
    assert rows_of(tmp_path, path) == EXPECTED


# ---------------------------------------------------------------- Excel


def workbook(path: Path, rows: list[list[object]], sheet: str = "Results") -> Path:
    book = openpyxl.Workbook()
    book.active.title = sheet
    for cells in rows:
        book.active.append(cells)
    book.save(path)
    return path


HEADS = ["patient", "collected", "code", "value", "unit", "birth_date", "status"]


def test_excel_as_the_same_texts(tmp_path: Path) -> None:
    moment = datetime(2024, 3, 5, 8, 10)
    path = workbook(
        tmp_path / "a.xlsx",
        [
            HEADS,
            ["P1", moment, "S-CK", 120, "U/L", date(1960, 5, 4), "F"],
            ["007", moment, "S-CK", 12.5, "U/L", None, "F"],
        ],
    )
    where = study(tmp_path)
    taken(where, path)
    found = sorted((one.row.patient, one.row.collected, one.row.value, one.row.birth_date) for one in held(where))
    assert found == [("007", "2024-03-05 08:10:00", "12.5", ""), ("P1", "2024-03-05 08:10:00", "120", "1960-05-04")]
    assert not_understood(where) == {}


def test_a_formula_of_a_workbook_is_never_calculated(tmp_path: Path) -> None:
    where = study(tmp_path)
    path = workbook(tmp_path / "a.xlsx", [HEADS, ["P1", "2024-03-05", "S-CK", "=1+1", "U/L", "", "F"]])
    taken(where, path)
    assert [one.row.value for one in held(where)] == [""]  # no value was kept with it, and none is worked out


def test_the_sheet_that_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", [HEADS, ["P1", "2024-03-05", "S-CK", "120", "U/L", "", "F"]])
    with pytest.raises(Refused, match="there is no sheet Old; there are Results"):
        taken(study(tmp_path), path, columns=Columns(sheet="Old"))


def bomb(path: Path, members: int, length: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(members):
            packed.writestr(f"xl/worksheets/sheet{number}.xml", b"\0" * length)
    return path


@pytest.mark.parametrize(("members", "length"), [(1, 300 * 2**20), (10_001, 1)])
def test_a_workbook_that_would_unpack_to_too_much_is_not_opened(tmp_path: Path, members: int, length: int) -> None:
    path = bomb(tmp_path / "42.xlsx", members, length)
    with pytest.raises(Refused, match="it would unpack to"):
        taken(study(tmp_path), path)


def test_what_is_no_workbook_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(Refused, match="no workbook of Excel"):
        taken(study(tmp_path), path)
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("hello.txt", "hello")
    with pytest.raises(Refused, match="no workbook of Excel"):
        taken(study(tmp_path), path)


# ---------------------------------------------------------------- Parquet


def test_parquet_with_types_as_the_same_texts(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "patient": ["P1", "P2"],
            "collected": [pd.Timestamp("2024-03-05 08:10"), pd.Timestamp("2024-03-06")],
            "code": ["S-CK", "S-CK"],
            "value": [Decimal("12.30"), None],
            "unit": ["U/L", None],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    where = study(tmp_path)
    taken(where, tmp_path / "a.parquet")
    found = sorted((one.row.patient, one.row.collected, one.row.value, one.row.unit) for one in held(where))
    assert found == [("P1", "2024-03-05 08:10:00", "12.30", "U/L"), ("P2", "2024-03-06", "", "")]


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(Refused, match="cannot be read as Parquet"):
        taken(study(tmp_path), tmp_path / "a.parquet")


# ---------------------------------------------------------------- columns


def test_columns_by_a_description(tmp_path: Path) -> None:
    described = tmp_path / "columns.toml"
    described.write_text(
        'authority = "HOSP"\nsender = "MYOLIS|LABA"\ndelimiter = ";"\n[columns]\npatient = "PAT"\ncollected = "ENTNAHME"\n'
        'code = "TEST"\nvalue = "WERT"\n[times]\ncollected = "%d.%m.%Y %H:%M"\n'
    )
    rows = [{"PAT": "1", "ENTNAHME": "05.03.2024 08:10", "TEST": "S-CK", "WERT": "120", "PRIVATE": "x", "unit": "U/L"}]
    where = study(tmp_path)
    taken(where, written(tmp_path / "a.csv", rows, ";"), columns=read(described))
    (one,) = held(where)
    assert (one.lane, one.row.collected, one.row.sender, one.row.unit) == (
        "p:HOSP|1", "2024-03-05 08:10:00", "MYOLIS|LABA", "U/L",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns]\npatent = 'A'\n", "patent is no standard column"),
        ("[times]\nvalue = '%d'\n", "value is no time"),
        ("colums = 1\n", "does not describe an export"),
        ("[columns\n", "does not describe an export"),
    ],
)
def test_a_description_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(Refused, match=said):
        read(tmp_path / "c.toml")


@pytest.mark.parametrize("lacking", ["patient", "collected", "value"])
def test_a_column_that_has_to_be_there(tmp_path: Path, lacking: str) -> None:
    rows = [{name: text for name, text in USUAL.items() if name != lacking}]
    with pytest.raises(Refused, match=f"no column is the {lacking}; say which"):
        taken(study(tmp_path), written(tmp_path / "a.csv", rows))


def test_a_described_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no column WERT; the file has patient"):
        taken(study(tmp_path), written(tmp_path / "a.csv", TWO), columns=Columns(columns={"value": "WERT"}))


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("patient,collected,code,value,value\nP1,2024-03-05,S-CK,1,2\n")
    with pytest.raises(Refused, match="the column value stands there twice"):
        taken(study(tmp_path), path)
    path.write_text("patient,collected,code,value,VALUE\nP1,2024-03-05,S-CK,1,2\n")
    with pytest.raises(Refused, match="two columns are the same standard column"):
        taken(study(tmp_path), path)


# ---------------------------------------------------------------- paths (S-08)


def test_a_link_that_leads_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    outside = written(tmp_path / "outside.csv", TWO)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").symlink_to(outside)
    with pytest.raises(Refused, match="leads out of the folder"):
        sources.files([folder])


def test_a_folder_of_links_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    written(tmp_path / "secret/x.csv", TWO)
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").symlink_to(tmp_path / "secret" / "x.csv")
    with pytest.raises(Refused, match="leads out"):
        sources.files([folder])


def test_only_known_kinds_of_a_folder_and_no_hidden_ones(tmp_path: Path) -> None:
    written(tmp_path / "b.csv", TWO)
    written(tmp_path / ".c.csv", TWO)
    (tmp_path / "readme.md").write_text("x")
    assert [one.path.name for one in sources.files([tmp_path])] == ["b.csv"]
    with pytest.raises(Refused, match=r"readme\.md: files of this kind are not read"):
        sources.files([tmp_path / "readme.md"])


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no file to import"):
        sources.files([tmp_path])


@pytest.mark.parametrize("name", ["..\\..\\x.csv", "%2e%2e%2fx.csv", "a;b$(c).csv", "CON.csv", "ünï.csv"])
def test_the_name_of_a_file_makes_no_name_of_ours(tmp_path: Path, name: str) -> None:
    where = study(tmp_path)
    taken(where, written(tmp_path / name, TWO))
    (part,) = (where.folder / "rows").iterdir()
    assert part.name.removesuffix("-00000.parquet").isalnum()
    assert sorted(path.name for path in where.folder.iterdir()) == ["rows", "study.json"]
