"""By which words a comment mentions what the vignettes say it must or must not (mentions.yaml)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from vignette_parts import FILE, Case

TABLE = Path(__file__).resolve().parent / "mentions.yaml"
ANYTHING = r"(?:[^.]|\.(?=\w))*"  # within a sentence: 1.5 does not end one
Words = list[str | list[str]]


@lru_cache
def table() -> dict[str, dict[str, dict[str, Words]]]:
    """The words by kind (must, must_not), concept and language."""
    kinds = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    return {kind: {row["concept"]: row for row in rows} for kind, rows in kinds.items()}


@lru_cache
def quoted() -> frozenset[str]:
    """The concepts that the vignettes quote: they are literal."""
    nodes = yaml.compose(FILE.read_text(encoding="utf-8"))
    return frozenset(node.value for node in _scalars(nodes) if node.style == '"')


def _scalars(node: Any) -> Iterator[yaml.ScalarNode]:
    """The entries of every comment_must_not_mention below a node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from value.value if key.value == "comment_must_not_mention" else _scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _scalars(one)


def mentioned(words: Words, text: str) -> list[str]:
    """Those of the words that stand in a text; of several together, all do."""
    found = []
    for one in words:
        parts = one if isinstance(one, list) else [one]
        if all(_stands(part, text) for part in parts):
            found.append(" + ".join(parts))
    return found


def _stands(words: str, text: str) -> bool:
    if words.isupper():
        return re.search(rf"\b{re.escape(words)}\b", text) is not None
    begins = r"(?<!\w)" if words[:1].isalnum() else ""
    return re.search(begins + ANYTHING.join(map(re.escape, words.split("*"))), text, re.IGNORECASE) is not None


def told(case: Case, kind: str) -> list[str]:
    return [str(concept) for concept in case["expected"].get(f"comment_{kind}_mention") or ()]


def in_words(kind: str, concept: str, language: str) -> Words:
    return table()[kind][concept][language]


def amiss(case: Case, text: str, language: str = "en") -> list[str]:
    """Concepts that a comment should mention and does not, and the other way round; what it must not, literally too."""
    lacking = [one for one in told(case, "must") if not mentioned(in_words("must", one, language), text)]
    there = [
        one
        for one in told(case, "must_not")
        if one.casefold() in text.casefold() or mentioned(in_words("must_not", one, language), text)
    ]
    return [*(f"does not mention {one}" for one in lacking), *(f"mentions {one}" for one in there)]
