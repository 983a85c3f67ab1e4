"""Budgets (architecture.md): modules, functions, parameters, and how much test there is for the code."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "labbridge"
MODULE_LINES, FUNCTION_LINES, MEDIAN_LINES, PARAMETERS = 400, 40, 10, 5
TESTS_TO_CODE = 1.4

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts]


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def positional(function: Function) -> int:
    """Parameters that may be given by position; self and cls do not count."""
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def over_budget(folder: Path) -> list[str]:
    found = []
    for path in modules(folder):
        name = path.relative_to(folder)
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MODULE_LINES:
            found.append(f"{name}: {lines} lines")
        for function in functions(path):
            place = f"{name}:{function.lineno} {function.name}"
            if length(function) > FUNCTION_LINES:
                found.append(f"{place}: {length(function)} lines")
            if positional(function) > PARAMETERS and function.name != "__init__" and not _command(function):
                found.append(f"{place}: {positional(function)} parameters")
    return found


def _command(function: Function) -> bool:
    """A Typer command names its options as parameters."""
    return any(ast.unparse(one).startswith("app.command") for one in function.decorator_list)


def test_modules_functions_and_parameters_keep_their_size() -> None:
    assert over_budget(PACKAGE) == []


def test_the_median_function_is_short() -> None:
    lengths = [length(function) for path in modules(PACKAGE) for function in functions(path)]
    assert statistics.median(lengths) <= MEDIAN_LINES


def test_there_is_enough_test_for_the_code() -> None:
    code = sum(_written(path) for path in modules(PACKAGE))
    tests = sum(_written(path) for path in modules(ROOT / "tests"))
    assert tests / code >= TESTS_TO_CODE, f"{tests} lines of tests for {code} of code"


def _written(path: Path) -> int:
    return sum(bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n" * 401, "401 lines"),
        ("def f() -> None:\n" + "    x = 1\n" * 40, "f: 41 lines"),
        ("def f(a, b, c, d, e, g): ...\n", "f: 6 parameters"),
    ],
)
def test_a_planted_excess_is_found(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.py").write_text(text)
    assert any(message in one for one in over_budget(tmp_path))


def test_keyword_only_parameters_are_free(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def f(self, a, b, c, d, e, *, g, h): ...\n")
    assert over_budget(tmp_path) == []
