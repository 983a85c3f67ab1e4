"""The edits of `make mutate`: each changes one thing, and never what only people read."""

from __future__ import annotations

import ast

import pytest

from tests.mutate.edits import edits


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a in b", {"x = a not in b"}),
        ("x = a + b", {"x = a - b"}),
        ("x = a and b", {"x = a or b"}),
        ("x = 3", {"x = 4"}),
        ("x = True", {"x = False"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("x = a if b else c", {"x = a if not b else c"}),
    ],
)
def test_each_kind_of_edit(source: str, expected: set[str]) -> None:
    assert {edit.source for edit in edits(source)} == expected


@pytest.mark.parametrize(
    "source", ['"""Text."""', "def f(a: int = None) -> int:\n    '''Text.'''", "import a", "x: int", "assert a == 1"]
)
def test_what_only_people_read_is_left(source: str) -> None:
    assert list(edits(source)) == []


def test_every_edit_is_a_module_and_differs() -> None:
    source = "def f(a, b):\n    if a == 1 and b < 2:\n        return a + 1\n    return b\n"
    found = list(edits(source))
    assert len(found) == len({edit.source for edit in found}) >= 8
    for edit in found:
        ast.parse(edit.source)
        assert edit.source != ast.unparse(ast.parse(source))
