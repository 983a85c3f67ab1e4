"""JSON Schemas of mappings/, printed from the types of their records. `--check` fails where one is old."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from labbridge.knowledge import probabilities
from labbridge.knowledge.combinations import FactRow
from labbridge.knowledge.decisions import CommentRow, FlagRow, RetestRow, Rule
from labbridge.knowledge.documents import READERS_FIELDS
from labbridge.knowledge.ordering import OrderRow
from labbridge.knowledge.pathway import Node
from labbridge.knowledge.prove import Record
from labbridge.knowledge.release import ReleaseRow

FOLDER = Path(__file__).resolve().parent.parent.parent / "mappings/schema"
KINDS: dict[str, Any] = {
    "rules": Rule,
    "flags": FlagRow,
    "retests": RetestRow,
    "comments": CommentRow,
    "pathway": Node,
    "facts": FactRow,
    "properties": Record,
    "release": ReleaseRow,
    "orders": OrderRow,
    "probabilities": probabilities.Record,
}
RECORDS = ("flags", "retests", "pathway", "facts", "properties", "release", "orders")


def schema(kind: str) -> dict[str, Any]:
    """A file of this kind: a list of its records."""
    found = msgspec.json.schema(list[KINDS[kind]])  # type: ignore[misc]
    for one in get_args(KINDS[kind]) or (KINDS[kind],):
        if kind in RECORDS:  # with the fields that are for their reader
            record = found["$defs"][one.__name__]
            record["properties"] |= {name: {} for name in READERS_FIELDS}
            record["required"].append("source")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"mappings: {kind}", **found}


def text(kind: str) -> str:
    return json.dumps(schema(kind), indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    old = []
    for kind in KINDS:
        path = FOLDER / f"{kind}.json"
        if "--check" in sys.argv:
            if not path.is_file() or path.read_text(encoding="utf-8") != text(kind):
                old.append(kind)
        else:
            path.write_text(text(kind), encoding="utf-8")
    if old:
        print(f"out of date: {', '.join(old)}; run python -m tests.checks.schemas")
    return bool(old)


if __name__ == "__main__":
    raise SystemExit(main())
