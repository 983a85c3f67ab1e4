"""What people sign: each rule, comment, policy number, method, kit, code, service and table of the knowledge, by the hash of
what it says. A site's row that says the same as ours is ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from labbridge.knowledge.build import build
from labbridge.knowledge.codes import CODE_COLUMNS
from labbridge.knowledge.decisions import ENGLISH, Decisions
from labbridge.knowledge.documents import READERS_FIELDS, Row, Source, read_csv, read_yaml
from labbridge.knowledge.lock import entries
from labbridge.knowledge.ordering import FILE as ORDERS
from labbridge.model.items import KINDS, Item

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


class _Record(msgspec.Struct, frozen=True):
    """Where a record stands, how it is written, and its fields without those that are for its reader."""

    file: str
    line: int
    text: str
    fields: Mapping[str, object]


def items(sources: Sequence[Source]) -> dict[str, Item]:
    """Everything in these files that is signed, by key; ours with a site's over it. The files have no fault."""
    records = _records(sources)
    shipped = _hashes([one for one in sources if not one.site])
    found = {}
    for key, (sha256, version) in _hashes(sources).items():
        at = records.get(key) or _whole(key, sources)
        found[key] = Item(
            key=key,
            sha256=sha256,
            version=version,
            site=shipped.get(key, ("", 0))[0] != sha256,
            file=at.file,
            line=at.line,
            text=at.text,
        )
    return dict(sorted(found.items(), key=lambda one: (KINDS.index(one[1].kind), one[0])))


def _hashes(sources: Sequence[Source]) -> dict[str, tuple[str, int]]:
    """Hash and version of every item, by key."""
    decisions = build(sources)[0].decisions
    found = {name: (entry.sha256, entry.version) for name, entry in entries(decisions).items() if not entry.retired}
    for key, record in _records(sources).items():
        if key.partition(":")[0] not in LOCKED.values():
            found[key] = (_digest(record.fields), 0)
    for language in (ENGLISH, *decisions.translations):
        found[f"words:{language}"] = (_digest(_spoken(decisions, language)), 0)
    for name in {one.name for one in sources if _is_table(one.name)}:
        found[f"table:{name}"] = (_digest([one.text for one in _ordered(sources) if one.name == name]), 0)
    return found


def _spoken(decisions: Decisions, language: str) -> list[object]:
    return [decisions.words_in(language), decisions.style_in(language)]


def _digest(what: object) -> str:
    return hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest()


def _ordered(sources: Sequence[Source]) -> list[Source]:
    return sorted(sources, key=lambda one: (one.site, one.name))


def _is_table(name: str) -> bool:
    records = name in RECORDS or any(name.startswith(start) for start in (*LOCKED, CODES))
    return name == PHRASES or not records


# ---------------------------------------------------------------- where they stand


def _records(sources: Sequence[Source]) -> dict[str, _Record]:
    """Records by key, a site's over ours; rows of one code go together."""
    found: dict[str, _Record] = {}
    for source in _ordered(sources):
        if source.name.startswith(CODES):
            found |= _codes(source)
        elif not _is_table(source.name):
            found |= {key: _record(row, text) for row, text in _passages(source) if (key := _key(row))}
    return found


def _key(row: Row) -> str:
    """The key of a record; empty for words and style, which go together by language."""
    id = str(row.fields.get("id", ""))
    if row.file == ORDERS:
        return f"order:{row.fields['analyte']}:{row.fields['family']}"
    if row.file in RECORDS:
        return f"{RECORDS[row.file]}:{id}"
    if id == "style" or "words" in row.fields:
        return ""
    kind = next(word for start, word in LOCKED.items() if row.file.startswith(start))
    language = row.file.removeprefix("comments/").removesuffix(".yaml")
    return f"{kind}:{language}:{id}" if kind == "comment" and language != ENGLISH else f"{kind}:{id}"


def _passages(source: Source) -> Iterator[tuple[Row, str]]:
    """The records of a file, each as it is written there."""
    rows = list(read_yaml(source, []))
    lines = source.text.splitlines()
    ends = [row.line - 1 for row in rows[1:]] + [len(lines)]
    for row, end in zip(rows, ends, strict=True):
        yield row, "\n".join(lines[row.line - 1 : end]).rstrip()


def _record(row: Row, text: str) -> _Record:
    said = {name: value for name, value in row.fields.items() if name not in READERS_FIELDS}
    return _Record(row.file, row.line, text, said)


def _codes(source: Source) -> dict[str, _Record]:
    table = source.name.removeprefix(CODES).removesuffix(".csv").casefold()
    lines = source.text.splitlines()
    found: dict[str, list[Row]] = {}
    for row in read_csv(source, CODE_COLUMNS, []):
        found.setdefault(f"code:{table}:{row.fields['code'] or row.fields['name']}", []).append(row)
    return {
        key: _Record(
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


def _whole(key: str, sources: Sequence[Source]) -> _Record:
    """A table or the words of a language: the file, without its text."""
    kind, _, name = key.partition(":")
    return _Record(name if kind == "table" else f"comments/{name}.yaml", 1, "", {})
