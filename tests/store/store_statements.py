"""SQLite's scripts as statements that PostgreSQL understands."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from labbridge.store.dialect import ddl

BLOB = re.compile(r"\bX'([0-9A-F]*)'")


def translated(script: str) -> Iterator[str]:
    """Each statement of a script, without those that open and close its transaction."""
    text = ""
    for line in script.splitlines():
        if line.startswith("--"):
            continue
        text += line + "\n"
        if sqlite3.complete_statement(text):
            statement, text = text.strip().rstrip(";"), ""
            if statement not in ("BEGIN TRANSACTION", "COMMIT"):
                yield BLOB.sub(r"'\\x\1'", ddl(statement))
