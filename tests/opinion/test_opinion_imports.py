"""The second opinion is worth something only while it shares nothing with the engine."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
EVALUATOR = sorted(path for path in HERE.glob("opinion*.py") if path.stem != "opinion_cases")
FOREIGN = ("labbridge", "mappings", "yaml", "msgspec")
READING = {"open", "read_text", "read_bytes", "import_module", "__import__", "exec", "eval", "files"}


def imported(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "." * node.level).partition(".")[0])
    return found


def called(tree: ast.AST) -> set[str]:
    functions = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {f.id if isinstance(f, ast.Name) else f.attr for f in functions if isinstance(f, ast.Name | ast.Attribute)}


def test_the_evaluator_is_found() -> None:
    assert {"opinion.py", "opinion_core.py", "opinion_state.py"} <= {path.name for path in EVALUATOR}


@pytest.mark.parametrize("path", EVALUATOR, ids=lambda path: path.name)
def test_a_module_imports_nothing_of_the_engine_and_reads_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {other.stem for other in EVALUATOR}
    standard = {"__future__", "collections", "dataclasses", "datetime", "fractions", "itertools", "re", "typing"}
    assert imported(tree) <= own | standard
    assert not called(tree) & READING
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert not [text for text in strings if any(text.startswith(f"{name}/") for name in FOREIGN)]
