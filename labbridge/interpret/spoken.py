"""Names, days, numbers and lists as the language of a comment writes them, from its word tables.

The tables `method` and `specimen` hold what the laboratory and our assays call things in English; a name that is not in
them stands as it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from labbridge.model.result import Result

Words = Mapping[str, Mapping[str, str]]


def method(result: Result | None, words: Words) -> str:
    """The name of a result's method; empty where none is known."""
    name = result.method.name if result is not None and result.method else ""
    return words.get("method", {}).get(name, name)


def specimen(text: str, words: Words) -> str:
    """A specimen as it was sent, in the words of this language where it has one."""
    return words.get("specimen", {}).get(text.casefold().replace("_", " "), text)


def day(one: date, words: Words) -> str:
    """A calendar day as readers of this language write it."""
    parts = {"year": f"{one.year:04}", "month": f"{one.month:02}", "day": f"{one.day:02}"}
    return fill(words["join"]["date"], parts)


def number(one: Decimal, words: Words) -> str:
    """A number as it is written in prose: without exponent, without trailing zeros."""
    whole = one.to_integral_value()
    text = f"{whole:f}" if one == whole else f"{one.normalize():f}"
    return text.replace(".", words["join"]["decimal"])


def join(parts: Iterable[str], words: Words, word: str = "and") -> str:
    """A list, its last part behind "and" or "or": `and_i` is that word before a part that begins with i."""
    listed = list(parts)
    if len(listed) < 2:
        return "".join(listed)
    glue = words["join"].get(f"{word}_{listed[-1][:1].casefold()}", words["join"][word])
    return words["join"]["comma"].join(listed[:-1]) + glue + listed[-1]


def fill(template: str, slots: Mapping[str, str]) -> str:
    """A word of a table with its slots filled."""
    for name, text in slots.items():
        template = template.replace(f"{{{name}}}", text)
    return template
