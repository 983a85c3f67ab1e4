"""What a person writes of one item, put into the site's files: the text of a file changes where the record stands, and
nowhere else. Nothing is written here; what comes out is proven before it is."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from labbridge.errors import Refused
from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.knowledge.decisions import ENGLISH
from labbridge.knowledge.documents import Fault, Source, read_csv, read_yaml
from labbridge.knowledge.records import CODES, RECORDS, Passage, is_table, passages, records
from labbridge.model.changes import ItemEdit

LONGEST = 20_000  # characters of one record
OF_KIND = {kind: file for file, kind in RECORDS.items()}
NEW_RULES = "rules/site.yaml"
HEADER = ",".join(CODE_COLUMNS)
TABLE = "table:"
_TABLE_NAME = re.compile(r"[a-z0-9][a-z0-9 ._-]{0,60}")


def home(item: str, sources: Sequence[Source]) -> str:
    """The file of the site's folder in which this item stands or would stand. Refused for one that has no record."""
    found = records(sources).get(item)
    if found is not None:
        return found.file
    kind, _, name = item.partition(":")
    if kind == "code":
        table = name.partition(":")[0]
        if not _TABLE_NAME.fullmatch(table):
            raise Refused(f"{table!r} cannot be the name of a file of codes: write that file by hand")
        return f"{CODES}{table}.csv"
    if kind == "comment":
        language = name.partition(":")[0] if ":" in name else ENGLISH
        return f"comments/{language}.yaml"
    if kind == "rule":
        return NEW_RULES
    if kind not in OF_KIND:
        raise Refused(f"{item} has no record of its own: change its file in the site's folder")
    return OF_KIND[kind]


def tidy(text: str) -> str:
    """The text as it is put into a file: lines without blanks at their ends, and without empty ones around them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    tidied = "\n".join(line.rstrip() for line in lines).strip("\n")
    if len(tidied) > LONGEST or not tidied.replace("\n", "").isprintable():
        raise Refused(f"A record has at most {LONGEST} printable characters; write blanks where a tab stands")
    return tidied


def applied(sources: Sequence[Source], edits: Sequence[ItemEdit]) -> list[Source]:
    """The files with these edits in them. Refused, with the place, where an edit is not the one record it says it is."""
    found = list(sources)
    for edit in edits:
        at = next((n for n, one in enumerate(found) if one.site and one.name == edit.file), None)
        before = found[at] if at is not None else Source(edit.file, "", site=True)
        after = msgspec.structs.replace(before, text=_with(before, edit))
        if at is None:
            found.append(after)
        else:
            found[at] = after
    return [one for one in found if one.text or not one.site]


def _with(source: Source, edit: ItemEdit) -> str:
    if edit.text:
        check_record(edit)
    if is_table(edit.file):
        there = f"\n{edit.text}\n" in f"\n{source.text}\n"
        return source.text if there else _added(source, edit.text)
    mine = [one for one in passages(source) if one.key == edit.item]
    if mine:
        return _replaced(source, mine, edit.text)
    if not edit.text:
        raise Refused(f"{edit.item} is not in {edit.file} of the site: there is nothing to take out")
    return _added(source, edit.text)


def _replaced(source: Source, mine: Sequence[Passage], text: str) -> str:
    """In the place of the first of its passages; the others go."""
    lines = source.text.splitlines()
    for place, passage in reversed(list(enumerate(mine))):
        lines[passage.start : passage.end] = text.split("\n") if text and place == 0 else []
    kept = "\n".join(lines)
    return kept + "\n" if kept.strip() else ""


def _added(source: Source, text: str) -> str:
    head = source.text.rstrip("\n")
    if not head and source.name.startswith(CODES):
        head = HEADER
    return f"{head}\n{text}\n" if head else f"{text}\n"


def check_record(edit: ItemEdit) -> None:
    """Refused where the text is not exactly this item's record."""
    faults: list[Fault] = []
    coded = edit.file.startswith(CODES)
    source = Source(edit.file, f"{HEADER}\n{edit.text}" if coded else edit.text, site=True)
    rows = list(read_csv(source, CODE_COLUMNS, faults) if coded else read_yaml(source, faults))
    if faults:
        line = max(faults[0].line - coded, 1)
        raise Refused(f"Line {line}: {faults[0].message} {faults[0].repair}")
    if is_table(edit.file):
        if len(rows) != 1:
            raise Refused(f"One record is added to {edit.file}")
        return
    keys = {one.key for one in passages(source)}
    if keys != {edit.item}:
        others = ", ".join(sorted(keys - {edit.item})) or "no record"
        raise Refused(f"This is {others}; keep the id of {edit.item}, and write one record alone")
