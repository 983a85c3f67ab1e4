"""A report on paper: one HTML file that needs no other one, or its table as CSV or Parquet."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pandas as pd

from labbridge.analysis.plots import Plot
from labbridge.errors import Refused
from labbridge.review import cells

SUFFIXES = (".html", ".csv", ".parquet")
SHOWN = 500  # rows of a table on a page; the files have them all


class Table(msgspec.Struct, frozen=True):
    """A table of a report and what it shows."""

    title: str
    frame: pd.DataFrame


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report: its name, what it is about, from which results, tables (the first is the one for programs) and plots.
    `names_patients`: whether a patient's number stands in it. `alarms`: of drift, whether there was one, by analyte,
    antigen, method and statistic."""

    name: str
    title: str
    about: tuple[str, ...]
    rests_on: str
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    names_patients: bool = False
    alarms: tuple[tuple[str, str, str, str, bool], ...] = ()


def write(report: Report, path: Path) -> None:
    """Write a report as what the end of the file's name says. Refused for another one. Nobody else may read the file."""
    if path.suffix not in SUFFIXES:
        raise Refused(f"{path}: a report is written as {', '.join(SUFFIXES)}")
    frame = report.tables[0].frame
    beside = path.with_name(f".{path.name}.part")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb") as file:
        if path.suffix == ".parquet":
            frame.to_parquet(file, index=False)
        else:
            file.write((html(report) if path.suffix == ".html" else csv(frame)).encode())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def csv(frame: pd.DataFrame) -> str:
    """A table as CSV that no spreadsheet calculates (review/cells.py)."""
    rows = (tuple(_value(value) for value in row) for row in frame.itertuples(index=False))
    return cells.lines([tuple(frame.columns), *rows])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as JSON has it: what is not there is null."""
    taken = ([_value(value) for value in row] for row in frame.itertuples(index=False))
    return [dict(zip(map(str, frame.columns), map(_said, row), strict=True)) for row in taken]


def _said(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _value(value: Any) -> Any:
    """A cell as Python has it; None for what pandas calls missing."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def html(report: Report) -> str:
    """The page."""
    tables = [(one.title, list(one.frame.columns), _rows(one.frame), len(one.frame)) for one in report.tables]
    return _environment().get_template("report.html").render(report=report, tables=tables, shown=SHOWN)


def _rows(frame: pd.DataFrame) -> list[list[str]]:
    return [[written(_value(value)) for value in row] for row in frame.head(SHOWN).itertuples(index=False)]


def written(value: object) -> str:
    """A cell for people: four digits of a fraction, times to the minute."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes")
    return str(value)


def text(report: Report) -> Iterable[tuple[str, list[str], list[list[str]]]]:
    """Each table for a terminal: title, heads, rows."""
    return ((one.title, list(map(str, one.frame.columns)), _rows(one.frame)) for one in report.tables)


def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("labbridge.analysis")
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
