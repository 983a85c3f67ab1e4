"""The walls of the house (architecture.md, Import direction): who may import whom. Every offender is named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "labbridge"
WORDS = {"model", "states", "errors", "notes", "times"}
PURE = {"hl7", "fhir", "rows", "normalise", "interpret", "review"}
EDGES = {"feeds", "delivery", "odbc", "observe", "store", "web"}
STORY = {
    *(
        "receiving_fhir",
        "receiving_rows",
        "serving_fhir",
        "serving_units",
        "serving_cases",
        "pipeline",
        "ports",
        "counting",
        "receiving",
        "drafting",
        "identifying",
        "composing",
        "answering",
        "advising",
        "requesting",
    )
}

MAY_IMPORT: dict[str, set[str]] = {
    "model": {"model", "states"},
    "states": {"model"},
    "errors": {"model", "states"},
    "notes": {"model"},
    "times": {"model"},
    "knowledge": WORDS | {"knowledge"},
    "hl7": WORDS | {"hl7"},
    "fhir": WORDS | {"fhir"},
    "rows": WORDS | {"rows"},
    "normalise": WORDS | {"knowledge", "normalise"},
    "interpret": WORDS | {"knowledge", "interpret"},
    "review": WORDS | {"knowledge", "review"},
    "pack": WORDS | {"knowledge", "interpret", "review", "pack"},
    "ports": WORDS | {"hl7"},
    "counting": WORDS | {"interpret"},
    "receiving": WORDS | {"hl7"},
    "receiving_fhir": WORDS | {"fhir"},
    "receiving_rows": WORDS | {"rows"},
    "reading": WORDS | {"hl7", "fhir", "rows"},
    "serving_units": WORDS | {"fhir", "reading"},
    "serving_cases": WORDS | {"fhir"},
    "serving_fhir": WORDS | {"fhir", "serving_units", "serving_cases"},
    "identifying": WORDS | {"hl7", "review", "ports"},
    "advising": WORDS | {"interpret", "review"},
    "answering": WORDS | {"fhir", "reading"},
    "requesting": WORDS | {"hl7", "fhir", "ports", "reading", "answering"},
    "drafting": WORDS | PURE | {"ports", "counting", "reading", "identifying", "advising", "requesting"},
    "composing": WORDS | {"hl7", "fhir", "rows", "review", "ports", "counting", "reading", "answering", "requesting"},
    "pipeline": WORDS | PURE | {"ports", "counting", "receiving", "reading", "drafting", "composing", "requesting"},
    "store": WORDS | STORY | {"store", "observe"},
    "odbc": WORDS | {"odbc", "observe"},
    "feeds": WORDS | STORY | {"hl7", "fhir", "rows", "feeds", "odbc", "observe"},
    "delivery": WORDS | STORY | {"hl7", "fhir", "rows", "delivery", "odbc", "observe"},
    "observe": WORDS | {"observe"},
    "analysis": WORDS
    | {"knowledge", "rows", "hl7", "normalise", "interpret", "review", "observe", "analysis", "wires"},
    "web": WORDS | {"ports", "reading", "hl7", "fhir", "interpret", "review", "web", "observe"},
}
WIRING = {
    "app",
    "cli",
    "cli_archive",
    "cli_init",
    "cli_knowledge",
    "cli_parts",
    "cli_store",
    "cli_user",
    "acts",
    "processing",
    "reloading",
    "proving",
    "changing",
    "site_files",
    "supervising",
    "offline",
    "wires",
    "validating",
    "show",
    "signatures",
    "explanation",
    "keeping",
    "anchoring",
    "archived",
    "automatic",
    "importing",
    "reporting",
    "ordering",
    "past",
    "replaying",
    "retesting",
    "retested",
    "setting_up",
    "reproducing",
    "trying",
    "wholeness",
    "beside",
    "delivering",
    "membership",
    "suspended",
    "suspending",
    "checking",
    "client",
    "control",
    "config",
    "config_oidc",
    "config_start",
    "config_text",
    "config_urls",
    "config_wires",
    "sources",
    "mappings",
    "suggest",
    "tls",
    "certificates",
    "gate",
    "room",
    "sections",
    "workbench",
    "stopped",
    "accounts",
    "approving",
    "deciding",
    "judging",
    "interpreting",
    "children",
    "calling",
    "previewing",
    "programs",
    "receivers",
    "repairing",
    "feed_settings",
    "smart_settings",
    "config_smart",
    "memory",
    "config_odbc",
    "odbc_settings",
    "listening",
    "polling",
    "cli_odbc",
    "config_heartbeat",
    "heartbeat",
    "support",
    "telling",
    "odbc_testing",
}
FORBIDDEN = set("asyncio socket ssl sqlite3 sqlalchemy os pathlib time random httpx pyodbc".split())
PURE_PARTS = PURE | WORDS | STORY | {"knowledge"}


def parts(package: Path) -> Iterator[tuple[str, Path]]:
    """Each module of the package with the part of the house it belongs to."""
    for path in sorted(package.rglob("*.py")):
        relative = path.relative_to(package)
        if relative.name != "__init__.py" or len(relative.parts) > 1:
            yield relative.parts[0].removesuffix(".py"), path


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Every module a file imports, absolute, with its line; also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def offenders(package: Path) -> list[str]:
    """What the walls forbid."""
    found = []
    for part, path in parts(package):
        for line, module in imported(path):
            names = module.split(".")
            place = f"{path.relative_to(package)}:{line}"
            if names[0] == "labbridge" and len(names) > 1 and part in MAY_IMPORT:
                other = names[1]
                if other not in MAY_IMPORT[part] and not other.startswith("__"):
                    found.append(f"{place}: {part} imports {other}")
            if part in PURE_PARTS and names[0] in FORBIDDEN:
                found.append(f"{place}: {part} is pure and imports {names[0]}")
    return found


def test_nobody_reaches_over_a_wall() -> None:
    assert offenders(PACKAGE) == []


def test_every_part_has_its_place() -> None:
    known = set(MAY_IMPORT) | WIRING
    assert {part for part, _path in parts(PACKAGE)} - known == set()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("hl7/x.py", "from labbridge.normalise import Normaliser", "hl7 imports normalise"),
        ("interpret/x.py", "import time", "interpret is pure and imports time"),
        ("store/x.py", "from labbridge.feeds import mllp", "store imports feeds"),
        ("pipeline.py", "def f() -> None:\n    import os", "pipeline is pure and imports os"),
        ("model/x.py", "from labbridge.knowledge import policy", "model imports knowledge"),
    ],
)
def test_a_planted_offence_is_found(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert any(message in one for one in offenders(tmp_path))


def test_there_is_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for _part, path in parts(PACKAGE)}
    for _part, path in parts(PACKAGE):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        top = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        wanted = {_target(f"{node.module}.{alias.name}", modules) for node in top for alias in node.names}
        graph[name] = wanted - {name, ""}
    assert _cycle(graph) == []


def _target(name: str, modules: set[str]) -> str:
    """The module an imported name stands for: itself, its package, or the module it is taken from."""
    for one in (name, name.rpartition(".")[0]):
        if one in modules or f"{one}.__init__" in modules:
            return one
    return ""


def _target(name: str, modules: set[str]) -> str:
    """The module an imported name stands for: itself, its package, or the module it is taken from."""
    for one in (name, name.rpartition(".")[0]):
        if one in modules or f"{one}.__init__" in modules:
            return one
    return ""


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_a_planted_cycle_is_found() -> None:
    assert _cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]


def test_nothing_in_the_tree_names_a_place_of_this_machine() -> None:
    root = PACKAGE.parent
    marks = ("/" + "work/", "/" + "root/", "/" + "home/")
    for folder in ("labbridge", "tests", "samples", "mappings", "docs", "deploy"):
        for path in (root / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".yaml", ".csv", ".toml", ".json", ".hl7"):
                text = path.read_text(encoding="utf-8", errors="replace")
                assert not any(mark in text for mark in marks), path
