"""The running of chosen tests: which tests enter a function, and that a wrong edit alone makes them fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutate import running
from tests.mutate.__main__ import likeliest, put
from tests.mutate.edits import edits

MODULE = "def one(a):\n    return a + 1\n\n\ndef two(a):\n    return one(a) * 2\n\n\nLIMIT = 3\n"
OWN = "from labbridge.hl7.sums import one\n\n\ndef test_one():\n    assert one(1) == 2\n"
OTHER = "from labbridge.hl7 import sums\n\n\ndef test_two():\n    assert sums.two(1) == sums.LIMIT + 1\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "labbridge/__init__.py": "",
        "labbridge/hl7/__init__.py": "",
        "labbridge/hl7/sums.py": MODULE,
        "tests/hl7/test_hl7_sums.py": OWN,
        "tests/hl7/test_hl7_others.py": OTHER,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_each_edit_is_caught_by_the_tests_that_enter_its_function(tree: Path) -> None:
    entered = running.entered(tree, "labbridge/hl7", ["tests/hl7"])
    own, other = "tests/hl7/test_hl7_sums.py::test_one", "tests/hl7/test_hl7_others.py::test_two"
    assert {key: set(tests) for key, tests in entered.items()} == {
        "labbridge/hl7/sums.py:1": {own, other},
        "labbridge/hl7/sums.py:5": {other},
    }
    path = Path("labbridge/hl7/sums.py")
    chosen = {one.function: likeliest(path, one, entered) for one in edits(MODULE)}
    assert chosen == {1: ([own], [other]), 5: ([], [other]), 0: ([own], [other])}
    assert not running.fails(tree, [own, other], 30)
    for number, one in enumerate(edits(MODULE)):
        put(tree / path, one.source)
        caught = any(some and running.fails(tree, some, 30) for some in chosen[one.function])
        assert caught, f"edit {number}: {one.what}"
    put(tree / path, MODULE)
    assert not running.fails(tree, [own, other], 30)


def test_tests_that_do_not_end_count_as_failed_and_leave_nothing_running(tree: Path) -> None:
    path = tree / "labbridge/hl7/sums.py"
    put(path, "def one(a):\n    while True:\n        pass\n")
    assert running.fails(tree, ["tests/hl7/test_hl7_sums.py::test_one"], 2)


def test_nothing_is_told_by_tests_that_fail_before_an_edit(tree: Path) -> None:
    put(tree / "labbridge/hl7/sums.py", MODULE.replace("+ 1", "+ 5"))
    with pytest.raises(SystemExit, match="before anything is edited"):
        running.entered(tree, "labbridge/hl7", ["tests/hl7"])
