"""Where each record of the knowledge stands in its file, and how it is written there: a rule, a comment, a number of the
policy, a method, a kit, or the rows of one code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.knowledge.decisions import ENGLISH
from labbridge.knowledge.documents import READERS_FIELDS, Row, Source, read_csv, read_yaml
from labbridge.knowledge.ordering import FILE as ORDERS

RECORDS = {
    "policy.yaml": "policy",
    "release.yaml": "release",
    ORDERS: "order",
    "assays/methods.yaml": "method",
    "assays/kits.yaml": "kit",
    "assays/manufacturers.yaml": "manufacturer",
}
LOCKED = {"rules/": "rule", "comments/": "comment", "pathway.yaml": "pathway"}
CODES, PHRASES = "codes/", "comments/phrases.yaml"


class Record(msgspec.Struct, frozen=True):
    """Where a record stands, how it is written, and its fields without those that are for its reader."""

    file: str
    line: int
    text: str
    fields: Mapping[str, object]


class Passage(msgspec.Struct, frozen=True):
    """The lines of a file, counted from 0, that belong to a record: from `start` to before `end`."""

    key: str
    start: int
    end: int


def ordered(sources: Sequence[Source]) -> list[Source]:
    """Ours before a site's."""
    return sorted(sources, key=lambda one: (one.site, one.name))


def is_table(name: str) -> bool:
    """Whether a file is signed as a whole."""
    records = name in RECORDS or any(name.startswith(start) for start in (*LOCKED, CODES))
    return name == PHRASES or not records


def records(sources: Sequence[Source]) -> dict[str, Record]:
    """Records by key, a site's over ours; rows of one code go together."""
    found: dict[str, Record] = {}
    for source in ordered(sources):
        if source.name.startswith(CODES):
            found |= _codes(source)
        elif not is_table(source.name):
            found |= {key: _record(row, text) for row, text in _written(source) if (key := _key(row))}
    return found


def passages(source: Source) -> list[Passage]:
    """Every record of a file with the lines it takes, in the order of the file. Comments and blank lines before a record are
    none of the one above it."""
    if source.name.startswith(CODES):
        return [Passage(_code_key(source, row), row.line - 1, row.line) for row in _code_rows(source)]
    rows, lines = list(read_yaml(source, [])), source.text.splitlines()
    ends = [*(row.line - 1 for row in rows[1:]), len(lines)][: len(rows)]
    return [
        Passage(_key(row), row.line - 1, _last(lines, row.line - 1, end)) for row, end in zip(rows, ends, strict=True)
    ]


def _last(lines: Sequence[str], start: int, end: int) -> int:
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    return end


def _written(source: Source) -> Iterator[tuple[Row, str]]:
    """The records of a file, each as it is written there."""
    rows, lines = list(read_yaml(source, [])), source.text.splitlines()
    for row, passage in zip(rows, passages(source), strict=True):
        yield row, "\n".join(lines[passage.start : passage.end])


def _key(row: Row) -> str:
    """The key of a record; empty for words and style, which go together by language, and in a file of tables."""
    id = str(row.fields.get("id", ""))
    if row.file == ORDERS:
        return f"order:{row.fields.get('analyte', '')}:{row.fields.get('family', '')}"
    if row.file in RECORDS:
        return f"{RECORDS[row.file]}:{id}"
    if is_table(row.file) or id == "style" or "words" in row.fields:
        return ""
    kind = next(word for start, word in LOCKED.items() if row.file.startswith(start))
    language = row.file.removeprefix("comments/").removesuffix(".yaml")
    return f"{kind}:{language}:{id}" if kind == "comment" and language != ENGLISH else f"{kind}:{id}"


def _record(row: Row, text: str) -> Record:
    said = {name: value for name, value in row.fields.items() if name not in READERS_FIELDS}
    return Record(row.file, row.line, text, said)


# ---------------------------------------------------------------- codes


def _codes(source: Source) -> dict[str, Record]:
    lines = source.text.splitlines()
    found: dict[str, list[Row]] = {}
    for row in _code_rows(source):
        found.setdefault(_code_key(source, row), []).append(row)
    return {
        key: Record(
            rows[0].file,
            rows[0].line,
            "\n".join(lines[row.line - 1] for row in rows),
            {
                "rows": [
                    {name: row.fields[name] for name in CODE_COLUMNS if name not in ("status", "source")}
                    for row in rows
                ]
            },
        )
        for key, rows in found.items()
    }


def _code_rows(source: Source) -> list[Row]:
    return list(read_csv(source, CODE_COLUMNS, []))


def _code_key(source: Source, row: Row) -> str:
    table = source.name.removeprefix(CODES).removesuffix(".csv").casefold()
    return f"code:{table}:{row.fields['code'] or row.fields['name']}"
