"""What people sign of the knowledge: one rule, comment, number, kit, code or table, by the hash of what it says."""

from __future__ import annotations

import msgspec

KINDS = (
    *("rule", "comment", "words", "release", "order", "policy", "method", "kit", "manufacturer", "code", "pathway"),
    "table",
)
"""Kinds of items in the order in which people look at them. `words`: the words and the style that comments of a language
are made with; `table`: a whole file of those that hold no records of their own here."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One of what is signed. `key` is kind and id (`rule:srp-strong`, `comment:fr:C01`, `code:loinc:41762-6`), `sha256` the
    hash of what it says and does, `version` its own (0: it has none), `site`: it is not as shipped. `file` and `line` say
    where it stands, `text` how it is written there."""

    key: str
    sha256: str
    version: int = 0
    site: bool = False
    file: str
    line: int = 1
    text: str = ""

    @property
    def kind(self) -> str:
        return self.key.partition(":")[0]

    @property
    def shown(self) -> str:
        """The item with as much of its hash as tells what was read: `rule:srp-strong@4f0c9a2b71de`."""
        return f"{self.key}@{self.sha256[:12]}"
