"""A report as a file: by itself, the same bytes each time, and no spreadsheet calculates in it (S-05)."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from labbridge.analysis import drift, page, plots, reports
from labbridge.analysis.page import Report, Table
from labbridge.errors import Refused
from labbridge.model.retests import Yield

EVIL = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\uff1d1", " =1", "a\n=1", "<script>alert(1)</script>"]
YIELDS = (Yield(rule="srp@1", assay="blot", band="strong", confirmed=8, refuted=2),
          Yield(rule="srp@1", assay="blot", band="low", confirmed=1, refuted=9, open=3))  # fmt: skip


def made() -> Report:
    return reports.made("retest-yield", reports.Asked(rests_on="Of a test.", yields=YIELDS))


def of(values: list[object]) -> Report:
    frame = pd.DataFrame({"text": values})
    return Report(name="x", title="<X>", about=("<b>",), rests_on="y", tables=(Table("t", frame),))


def test_no_cell_of_a_csv_is_a_formula() -> None:
    rows = list(csv.reader(io.StringIO(page.csv(of(list(EVIL)).tables[0].frame))))
    for (cell,), text in zip(rows[1:], EVIL, strict=True):
        assert cell.replace("'", "") == text.replace("'", "")
        if not text.startswith("<"):
            assert "'" in cell
        assert cell[:1] not in "=+-@\t\uff1d"


def test_numbers_below_zero_stay_numbers_and_nothing_stays_empty() -> None:
    frame = pd.DataFrame({"a": [-1.5, None], "b": [-3, 4], "c": [date(2024, 3, 5), None]})
    assert list(csv.reader(io.StringIO(page.csv(frame)))) == [
        ["a", "b", "c"],
        ["-1.5", "-3", "2024-03-05"],
        ["", "4", ""],
    ]


def test_a_page_escapes_what_stands_in_a_table() -> None:
    text = page.html(of(list(EVIL)))
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "<title>&lt;X&gt;</title>" in text


class Needs(HTMLParser):
    """What of a page would be fetched from elsewhere, or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "img", "object"):
            self.found.append(tag)
        for name, value in attrs:
            fetched = name in ("src", "href", "xlink:href", "action") and not (value or "").startswith("#")
            self.found += [f"{name}={value}"] if fetched or name.startswith("on") else []


def test_a_page_needs_nothing_but_itself() -> None:
    text = page.html(made())
    needs = Needs()
    needs.feed(text)
    assert needs.found == []
    assert "<svg" in text
    assert "url(http" not in text
    assert "@import" not in text


def test_a_plot_is_the_same_bytes_each_time_and_says_what_it_shows() -> None:
    (one,), (again,) = made().plots, made().plots
    assert one.svg == again.svg
    root = ElementTree.fromstring(one.svg)
    assert root.attrib["role"] == "img"
    names = [child.tag.rpartition("}")[2] for child in root[:2]]
    assert names == ["title", "desc"]
    assert root[1].text == one.says
    assert not re.search(r"20\d\d-\d\d-\d\dT", one.svg)


def test_colours_are_told_apart_by_the_colour_blind() -> None:
    """The first four in grey differ in lightness from the ground by 3 to 1 at least (WCAG 1.4.11)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert len(set(plots.COLOURS)) == len(plots.COLOURS) == len(plots.MARKERS)
    assert all(1.05 / (luminance(one) + 0.05) >= 2.9 for one in plots.COLOURS[:4])


@pytest.mark.parametrize("suffix", [".html", ".csv", ".parquet"])
def test_a_file_is_for_nobody_else(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"report{suffix}"
    page.write(made(), target)
    assert target.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


def test_parquet_gives_the_table_back(tmp_path: Path) -> None:
    page.write(made(), tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "r.parquet"), made().tables[0].frame)


def test_a_name_that_says_no_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"a report is written as \.html, \.csv, \.parquet"):
        page.write(made(), tmp_path / "report.xls")


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / ".r.csv.part").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic link"):
        page.write(made(), tmp_path / "r.csv")
    assert (tmp_path / "victim").read_text() == "untouched"


def test_json_has_null_for_what_is_not_there() -> None:
    frame = pd.DataFrame({"a": [float("nan"), 1.5], "t": [pd.NaT, pd.Timestamp(datetime(2024, 3, 5, tzinfo=UTC))]})
    assert page.records(frame) == [{"a": None, "t": None}, {"a": 1.5, "t": "2024-03-05T00:00:00+00:00"}]


def test_the_yield_of_retests_is_that_of_the_ledger() -> None:
    table = made().tables[0].frame
    assert table["share"].tolist() == [0.8, 0.1]
    assert table["low"].round(4).tolist() == [0.4439, 0.0025]


@pytest.mark.parametrize("name", ["concordance", "discordance", "drift", "comments", "unmapped", "retest-yield"])
def test_a_report_of_nothing_says_so(name: str) -> None:
    columns = ["patient", "day", "received", "result", "analyte", "antigen", "assay", "category", "lot", "pattern"]
    empty = pd.DataFrame({one: pd.Series(dtype=str) for one in columns})
    codes = pd.DataFrame(columns=["text", "column", "rows"])
    limits = drift.Limits(baseline=0.25, least=50, odds=2, false_alarm=0.05)
    asked = reports.Asked(rests_on="Of nothing.", results=empty, codes=codes, limits=limits)
    found = reports.made(name, asked)
    assert "None." in page.html(found)


def test_a_look_back_names_patients_and_says_so() -> None:
    frame = pd.DataFrame(
        [
            {"patient": f"LABA|P{number}", "day": date(2024, 3, number), "analyte": "SRP", "antigen": "", "assay": "blot",
             "lot": lot, "category": "NEG", "pattern": "", "number": 1.0, "unit": "", "laboratory": "",
             "status": "final", "usable": number != 2}
            for number, lot in ((1, "A"), (2, "A B"), (3, "AB"), (4, "B"))
        ]
    )  # fmt: skip
    of_lot = reports.made("look-back", reports.Asked(rests_on="x", results=frame, lot="A"))
    assert of_lot.tables[0].frame["patient"].tolist() == ["LABA|P1", "LABA|P2"]
    since = reports.made("look-back", reports.Asked(rests_on="x", results=frame, since=date(2024, 3, 3)))
    assert since.tables[0].frame["patient"].tolist() == ["LABA|P3", "LABA|P4"]
    assert "Patients' numbers stand on this page" in page.html(of_lot)
