"""The worklist as a table for other programs: its columns, and cells that no spreadsheet takes for a formula
(reliability.md S-05, standards.md 4.4)."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from labbridge.model.worklist import Listed

Value = str | int | Decimal | datetime | date | tuple[str, ...] | None
FORMULA = frozenset("=+-@−\t\r\n")
MARK = "'"
UNREAD = "unread"
_INVISIBLE = frozenset("\u00ad\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff")
_INSIDE = re.compile(r"(?<=[;\t\r\n])(?=\s*[=+\-@−＝＋－＠﹦﹢﹣﹫])")
ON_A_LINE = 1500  # characters of keys in one line of the audit


class Column(NamedTuple):
    """A column: its name, what kind of value it holds, what it means. `finds`: it tells what was found in the case."""

    name: str
    kind: str
    meaning: str
    take: Callable[[Listed], Value]
    finds: bool = False

    def value(self, one: Listed, *, unread: bool) -> Value:
        """`unread`: for somebody who may be the second reader of what waits for one."""
        return UNREAD if self.finds and unread and one.waits_for_reader else self.take(one)


COLUMNS = (
    Column("case", "text", "the key of the case", lambda one: f"C{one.key}"),
    Column("version", "number", "the version of its draft", lambda one: one.version),
    Column("state", "text", "where it stands", lambda one: one.state.value),
    Column(
        "delivery",
        "text",
        "what became of a comment on its way: waiting, sent (not acknowledged), failed; empty: none is on its way",
        lambda one: one.delivery.value if one.delivery else None,
    ),
    Column("feed", "text", "the feed it came by", lambda one: one.feed),
    Column(
        "authority",
        "text",
        "who gave the patient's number; empty: the patient was not named",
        lambda one: one.outcome.patient.authority if one.outcome.patient else None,
    ),
    Column(
        "patient",
        "text",
        "the patient's number with its leading zeros: import the column as text; empty: the patient was not named",
        lambda one: one.outcome.patient.id if one.outcome.patient else None,
    ),
    Column("opened", "moment", "when the case was opened", lambda one: one.opened),
    Column("updated", "moment", "when the case last changed", lambda one: one.updated),
    Column("newest", "moment", "receipt of the newest result; empty: not known", lambda one: one.newest),
    Column(
        "severity",
        "text",
        "the worst finding: info, minor, major, critical; empty: no finding",
        lambda one: one.severity.value if one.severity else None,
        finds=True,
    ),
    Column(
        "flags", "list", "the findings by code", lambda one: tuple(flag.code for flag in one.outcome.flags), finds=True
    ),
    Column("anti_srp", "text", "the state of anti-SRP", lambda one: one.outcome.states.SRP, finds=True),
    Column("anti_hmgcr", "text", "the state of anti-HMGCR", lambda one: one.outcome.states.HMGCR, finds=True),
    Column("hep2", "text", "the state of HEp-2", lambda one: one.outcome.states.HEP2, finds=True),
    Column("ck", "text", "the state of CK", lambda one: one.outcome.states.CK, finds=True),
    Column(
        "held", "list", "the analytes that hold it; empty: it is not held", lambda one: one.outcome.held, finds=True
    ),
    Column(
        "retests",
        "list",
        "the retests proposed, as analyte:method family",
        lambda one: tuple(f"{retest.analyte}:{'/'.join(retest.families)}" for retest in one.outcome.retests),
        finds=True,
    ),
    Column(
        "comment",
        "text",
        "the class of the drafted comment; empty: there is none",
        lambda one: one.outcome.comment.comment_class if one.outcome.comment else None,
        finds=True,
    ),
)
DICTIONARY = ("column", "kind", "meaning")
ABOUT = (
    ("(moment)", "", "ISO 8601 with its offset from UTC"),
    ("(list)", "", "words with a blank between them"),
    (UNREAD, "", "the case waits for a second reader, who may be you: what was found is shown when you have read it"),
    ("(text)", "", "begins with ' where a spreadsheet would take it for a formula"),
    ("rows", "number", "the last line: how many cases the file holds; without it the file is cut short"),
)


def cell(value: Value) -> str:
    """A value as a cell. Numbers are numbers, also below zero; a text that a spreadsheet would calculate begins with an
    apostrophe, and has one where a line or a cell of it would."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, (int, Decimal, date)):
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


def row(one: Listed, *, unread: bool = False) -> tuple[Value, ...]:
    """A case as a line of the table. `unread`: as in Column.value."""
    return tuple(column.value(one, unread=unread) for column in COLUMNS)


def record(one: Listed, *, unread: bool = False) -> dict[str, object]:
    """A case as JSON has it: lists as lists, what is not there as null, texts as they are. `unread`: as in Column.value."""
    taken = {column.name: column.value(one, unread=unread) for column in COLUMNS}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in taken.items()}


def dictionary() -> str:
    """What each column means, as a table."""
    return lines([DICTIONARY, *((one.name, one.kind, one.meaning) for one in COLUMNS), *ABOUT])


def told(keys: Sequence[int]) -> list[str]:
    """All keys for the audit, neighbours as C3-C9, in lines that are not too long."""
    found: list[str] = []
    for part in _stretches(sorted(keys)):
        if found and len(found[-1]) + len(part) < ON_A_LINE:
            found[-1] += f" {part}"
        else:
            found.append(part)
    return found


def _stretches(keys: Sequence[int]) -> list[str]:
    found: list[list[int]] = []
    for key in keys:
        if found and key == found[-1][-1] + 1:
            found[-1][1:] = [key]
        else:
            found.append([key])
    return ["-".join(f"C{key}" for key in one) for one in found]
