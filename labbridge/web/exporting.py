"""The worklist as a table for other programs: its columns, in cells that no spreadsheet takes for a
formula (review/cells.py; standards.md 4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

from labbridge.model.worklist import Listed
from labbridge.review.cells import Value, lines

UNREAD = "unread"
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
