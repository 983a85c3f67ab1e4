"""Two texts side by side in one column: what stayed, what went, what came."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import ndiff
from typing import Literal, NamedTuple


class Line(NamedTuple):
    """A line of a text, and whether it stayed, went or came."""

    sort: Literal["same", "gone", "come"]
    text: str


SORTS: dict[str, Literal["same", "gone", "come"]] = {"  ": "same", "- ": "gone", "+ ": "come"}


def lines(before: str, after: str) -> list[Line]:
    """Every line of both; nothing where they are the same."""
    return [] if before == after else list(_lines(before, after))


def _lines(before: str, after: str) -> Iterator[Line]:
    for line in ndiff(before.splitlines(), after.splitlines()):
        if line[:2] in SORTS:  # the rest only points at characters of the line above
            yield Line(SORTS[line[:2]], line[2:])
