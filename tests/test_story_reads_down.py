"""pipeline.py is read from top to bottom: callers stand above what they call, and nothing else is in between."""

from __future__ import annotations

import ast
from pathlib import Path

STORY = Path(__file__).resolve().parent.parent / "labbridge/pipeline.py"
LONGEST, DOWNWARDS = 350, 0.9
ALLOWED = {
    "counting",
        "composing", "drafting", "errors", "hl7", "interpret", "model", "normalise", "notes", "ports", "reading",
    "receiving", "review", "states",
}  # fmt: skip


def calls(text: str) -> list[tuple[str, str, bool]]:
    """Every call between two functions of the file: caller, callee, and whether it points down."""
    tree = ast.parse(text)
    defined = {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in defined:
                    found.append((node.name, inner.func.id, defined[inner.func.id] > node.lineno))
    return found


def test_the_story_reads_down() -> None:
    found = calls(STORY.read_text(encoding="utf-8"))
    upwards = [f"{caller} -> {callee}" for caller, callee, down in found if not down]
    assert len(found) > 15
    assert 1 - len(upwards) / len(found) >= DOWNWARDS, upwards


def test_the_story_is_short() -> None:
    assert len(STORY.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_the_story_needs_only_the_core_and_ports() -> None:
    tree = ast.parse(STORY.read_text(encoding="utf-8"))
    imported = {
        node.module.split(".")[1] if node.module.count(".") else node.names[0].name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("labbridge")
    }
    assert imported <= ALLOWED


def test_the_four_chapters_come_in_order() -> None:
    tree = ast.parse(STORY.read_text(encoding="utf-8"))
    lines = {node.name: node.lineno for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    chapters = ["receive", "run_once", "process", "release", "deliver", "set_state"]
    assert sorted(chapters, key=lines.__getitem__) == chapters


def test_a_call_upwards_is_seen() -> None:
    assert calls("def a(): ...\ndef b(): a()\n") == [("b", "a", False)]
