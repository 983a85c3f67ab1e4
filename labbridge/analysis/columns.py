"""Which column of an export is what: a TOML file of the laboratory, or the standard names themselves.

authority = "LABA"          # who gave the patients' numbers, where no column says so
sender = "MYOLIS|LABA"      # whose local codes these are, where no column says so
encoding = "utf-8"          # of CSV
delimiter = ";"             # of CSV; found from the first line without
sheet = "Results"           # of Excel; the first without

[columns]
patient = "PAT_NR"          # standard name = name in the export

[times]
collected = "%d.%m.%Y %H:%M"    # of times that are not written 2026-11-13 09:15 or 20261113091500
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from labbridge.errors import Refused
from labbridge.rows.archive import COLUMNS, DAYS, TIMES

MEANS: dict[str, str] = {
    "patient": "the patient's number, as text with its leading zeros",
    "authority": "who gave it; `authority` of the description for all",
    "birth_date": "a day: 1960-05-04 or 19600504",
    "sex": "F or M (table 0001); anything else states nothing",
    "family_name": "only ever compared, never shown or reported",
    "order": "the laboratory's number of the order (filler); rows of one number are one order",
    "placer": "the number of who ordered",
    "specimen_id": "the number on the tube",
    "specimen": "what it is, as the laboratory calls it (SER, serum)",
    "collected": "when the specimen was taken; a day, or with a time: 2024-03-05 08:10, an offset counts",
    "received": "when the laboratory had it; without, `reported` stands for it, else `collected`",
    "reported": "when the result was given out",
    "system": "of `code`: LN for LOINC; empty is the laboratory's own",
    "code": "the test, as the laboratory's table or LOINC has it",
    "name": "what the test is called; it must not contradict the code",
    "value": "as it was reported: 58, <7, 1:320, Negative, AC-4",
    "unit": "as it was reported",
    "reference_range": "as it was reported: 26-170, <20",
    "flag": "as it was reported (table 0078)",
    "status": "F, C, P, X and so on (table 0085); empty is what the feed says of it",
    "method": "the method in the laboratory's words",
    "kit": "the kit or instrument; a kit that is known names its method",
    "lot": "the lot of the kit",
    "note": "a remark to the result",
    "laboratory": "who performed it",
    "sender": "whose local codes these are, APPLICATION or APPLICATION and FACILITY with a bar between",
}
"""What each standard column holds."""
NEEDED = (("patient",), ("collected",), ("value",), ("code", "name"))


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an export is read. `columns` and `times` by standard name."""

    columns: dict[str, str] = {}
    times: dict[str, str] = {}
    authority: str = ""
    sender: str = ""
    encoding: str = "utf-8"
    delimiter: str = ""
    sheet: str = ""


def read(path: Path | None) -> Columns:
    """The description of an export. Refused, with the place, where it cannot be used."""
    if path is None:
        return Columns()
    try:
        found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Columns)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as fault:
        raise Refused(f"{path}: this does not describe an export: {fault}") from fault
    for name in (*found.columns, *found.times):
        if name not in COLUMNS:
            raise Refused(f"{path}: {name} is no standard column; they are {', '.join(COLUMNS)}")
    wrong = [name for name in found.times if name not in (*TIMES, *DAYS)]
    if wrong:
        raise Refused(f"{path}: {wrong[0]} is no time; they are {', '.join((*TIMES, *DAYS))}")
    return found


def placed(heads: Sequence[str], columns: Columns, where: str) -> dict[str, str]:
    """The standard name of each column of an export that is read, by its own name. Refused where one that is described is
    not there, stands twice, or one that has to be there is missing."""
    twice = sorted({head for head in heads if heads.count(head) > 1})
    if twice:
        raise Refused(f"{where}: the column {twice[0]} stands there twice; rename one of them")
    found = {own: name for name, own in columns.columns.items()}
    lost = [own for own in found if own not in heads]
    if lost:
        raise Refused(f"{where}: there is no column {lost[0]}; the file has {', '.join(heads)}")
    named = set(columns.columns)
    by_name = {head: head.strip().casefold() for head in heads if head not in found}
    found.update({head: name for head, name in by_name.items() if name in COLUMNS and name not in named})
    if len(set(found.values())) < len(found):
        raise Refused(f"{where}: two columns are the same standard column; say which in a file for --columns")
    for names in NEEDED:
        if not set(names) & set(found.values()):
            text = f"{where}: no column is the {' or '.join(names)}; say which in a file for --columns"
            raise Refused(f"{text}; the file has {', '.join(heads)}")
    return found
