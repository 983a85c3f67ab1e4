"""Names of tables, views, procedures and columns as a configuration may give them (reliability.md S-06): what is in the
catalogue under one of these is asked for, quoted by the dialect; nothing else ever reaches a statement."""

from __future__ import annotations

import re

MOST_PARTS = 3  # catalogue, schema, name
_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}", re.ASCII)


def column(name: str) -> str:
    """The name of a column. ValueError, with the repair, for anything but a plain name."""
    if not _PART.fullmatch(name):
        raise ValueError("write the name of a column: letters, digits, _ and $, at most 63, no digit first")
    return name


def table(name: str) -> str:
    """The name of a table, view or procedure, with its schema where it has one. ValueError, with the repair."""
    parts = name.split(".")
    if len(parts) > MOST_PARTS or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(
            "write NAME, SCHEMA.NAME or CATALOGUE.SCHEMA.NAME, each of letters, digits, _ and $, no digit first"
        )
    return name
