"""Small archives, and the study and the readers that go with them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from labbridge.analysis import importing
from labbridge.analysis.columns import Columns
from labbridge.analysis.study import About, Placed, Settings, Study, summary
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.sources import load
from tests.bench.archive_made import SITE

FEED = Feed(
    name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris", second_identifier="where_sent",
    cytoplasmic_reported_as="positive",
)  # fmt: skip
SETTINGS = Settings(feed=FEED, authority="LABA")
Cells = Mapping[str, str]
USUAL = {
    "patient": "P1", "birth_date": "1960-05-04", "sex": "F", "order": "O1", "collected": "2024-03-05 08:10",
    "received": "2024-03-05 11:00", "reported": "2024-03-05 15:30", "system": "L", "code": "S-CK", "name": "S-CK",
    "value": "120", "unit": "U/L", "reference_range": "26-170", "status": "F", "specimen": "SER",
}  # fmt: skip


@lru_cache(maxsize=1)
def normaliser() -> Normaliser:
    return Normaliser(load(str(SITE)))


def row(**cells: str) -> dict[str, str]:
    """A CK as a laboratory exports it, with what is named otherwise."""
    return {**USUAL, **cells}


def written(path: Path, rows: Iterable[Cells], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    """Rows as CSV, under the names of the first one."""
    rows = list(rows)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def study(folder: Path, settings: Settings = SETTINGS) -> Study:
    return Study.create(folder / "study", settings)


def taken(where: Study, *paths: Path, columns: Columns | None = None, rows: int = 1000) -> list[About]:
    """Import files; the pieces that were added."""
    told = importing.import_files(
        paths, where, columns or Columns(), normaliser(), rows=rows, told=lambda _name, _rows, _done: None
    )
    return list(told)


def held(where: Study, **how: Any) -> list[Placed]:
    """Every row of a study, those aside last."""
    return [one for bucket in range(65) for one in where.bucket(bucket, **how)]


def not_understood(where: Study) -> dict[tuple[str, str], int]:
    """Column and text of what was not understood, with how many rows."""
    found: dict[tuple[str, str], int] = {}
    for one in summary(where.pieces())["not_understood"]:
        key = (one["column"], one["text"])
        found[key] = found.get(key, 0) + one["rows"]
    return found
