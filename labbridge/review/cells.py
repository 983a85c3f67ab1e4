"""Cells of a table for other programs, which no spreadsheet takes for a formula (reliability.md S-05)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

Value = str | int | float | Decimal | datetime | date | tuple[str, ...] | None
FORMULA = frozenset("=+-@−\t\r\n")
MARK = "'"
_INVISIBLE = frozenset("\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
_INSIDE = re.compile(r"(?<=[;\t\r\n])(?=\s*[=+\-@−＝＋－＠﹦﹢﹣﹫])")


def cell(value: Value) -> str:
    """A value as a cell. Numbers are numbers, also below zero; a text that a spreadsheet would calculate begins with an
    apostrophe, and has one where a line or a cell of it would."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, (int, float, Decimal, date)):
        return str(value)
    text = value if isinstance(value, str) else " ".join(value)
    text = _INSIDE.sub(MARK, text)
    return MARK + text if _calculates(text) else text


def _calculates(text: str) -> bool:
    """Whether a spreadsheet may take it for a formula, also behind blanks and signs that nobody sees."""
    shown = text[:1]
    if shown in FORMULA and shown:
        return True
    first = next((char for char in text if not char.isspace() and char not in _INVISIBLE), "")
    return bool(first) and unicodedata.normalize("NFKC", first) in FORMULA


def lines(rows: Iterable[Sequence[Value]], separator: str = ",") -> str:
    """Lines of CSV. Every cell is quoted: a program that expects another separator does not cut it in two."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()
