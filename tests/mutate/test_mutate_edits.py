"""The edits of `make mutate`: each changes one thing, and never what only people read."""

from __future__ import annotations

import ast

import pytest

from tests.mutate.edits import edit, edits, places


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
    "source",
    [
        '"""Text."""',
        "def f(a: int = None) -> int:\n    '''Text.'''",
        "import a",
        "x: int",
        "assert a == 1",
        "def f():\n    return None",
        "def f():\n    return",
    ],
)
def test_what_only_people_read_is_left(source: str) -> None:
    assert list(edits(source)) == []


def test_every_edit_is_a_module_and_differs() -> None:
    source = "def f(a, b):\n    if a == 1 and b < 2:\n        return a + 1\n    return b\n"
    found = list(edits(source))
    assert len(found) == len({one.source for one in found}) >= 8
    for one in found:
        ast.parse(one.source)
        assert one.source != ast.unparse(ast.parse(source))


def test_an_edit_knows_the_function_it_is_in() -> None:
    source = "x = 1\n\n@once\ndef f(a):\n    def g(b):\n        return b\n    return g(a) + 2\n"
    found = {(one.line, one.function) for one in edits(source)}
    assert found == {(1, 0), (6, 5), (7, 3)}


def test_edits_by_place_are_those_of_all() -> None:
    source = "def f(a, b):\n    if a == 1 and b < 2:\n        return a + 1\n    return b\n"
    assert [edit(source, place) for place in range(places(source))] == list(edits(source))
