"""docs/how-to/validate-the-rules.md, done as it says: its files are written, its commands run in order, and what they print
is what stands there."""

from __future__ import annotations

import io
import re
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from cli_run import ROOT

from labbridge import cli
from labbridge.pack.files import read_pack

PAGE = ROOT / "docs/how-to/validate-the-rules.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COUNTED = re.compile(r"\d+ of \d+ active rules")


class File(NamedTuple):
    """A file that the page shows: its first line names it."""

    name: str
    text: str


class Command(NamedTuple):
    """A command, and what the page says it prints; `...` stands for any lines."""

    line: str
    printed: str


def steps(page: str) -> list[File | Command]:
    """The files and commands of a page, in its order."""
    found: list[File | Command] = []
    for kind, text in _BLOCK.findall(page):
        if kind:
            head, _newline, rest = text.partition("\n")
            found.append(File(head.removeprefix("# "), rest))
        else:
            for one in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _newline, printed = one.partition("\n")
                found.append(Command(line, printed))
    return found


def pattern(printed: str) -> str:
    """What is printed, as a pattern: the numbers of rules grow with the rules."""
    lines = (r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in printed.splitlines())
    return re.sub(_COUNTED, r"\\d+ of \\d+ active rules", "".join(lines).replace(r"\ ", " "))


def entered(line: str) -> tuple[int, str]:
    """The exit code of a command, and what it wrote to both outputs."""
    program, *words = shlex.split(line)
    assert program == "labbridge"
    out = io.StringIO()
    before, sys.argv = sys.argv, [program, *words]
    try:
        with redirect_stdout(out), redirect_stderr(out):
            cli.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.argv = before
    return code, out.getvalue()


def test_the_page_does_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab/site").mkdir(parents=True)
    codes = []
    for step in steps(PAGE.read_text(encoding="utf-8")):
        if isinstance(step, File):
            (tmp_path / step.name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / step.name).write_text(step.text, encoding="utf-8")
            continue
        code, printed = entered(step.line)
        assert re.fullmatch(pattern(step.printed), printed), f"$ {step.line}\n{printed}"
        codes.append(code)
    assert codes == [0, 0, 73, 1, 1]
    pack, _sha256 = read_pack(tmp_path / "lab/pack-2026-12.json")
    assert pack.difference is not None
    assert pack.difference.lost.rules == ("rule:srp-strong-hep2-negative-ck-high",), "as the page says"
    (changed,) = pack.difference.changed_rows
    assert {one.what for one in changed.changes} >= {"version", "sha256", "says"}
    assert (tmp_path / "lab/pack-2026-11.html").is_file()


def test_the_page_has_its_files_and_commands() -> None:
    found = steps(PAGE.read_text(encoding="utf-8"))
    assert [one.name for one in found if isinstance(one, File)] == [
        "labbridge.toml", "lab/cases.yaml", "lab/site/rules/ours.yaml",
    ]  # fmt: skip
    assert sum(isinstance(one, Command) for one in found) == 5


@pytest.mark.parametrize(
    ("told", "printed", "so"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\nb\n", "a\nc\n", False),
        ("a\n", "a\nb\n", False),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("...\nd\n", "d\n", True),
        ("x: 6 of 195 active rules held\n", "x: 7 of 201 active rules held\n", True),
        ("1 of 2 passed\n", "2 of 2 passed\n", False),
    ],
)
def test_what_a_page_prints_is_held_against_what_was_printed(told: str, printed: str, so: bool) -> None:
    assert bool(re.fullmatch(pattern(told), printed)) is so


def test_every_page_that_the_page_names_is_there() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in re.findall(r"`(docs/[\w/.-]+)`", text):
        assert (ROOT / name).is_file(), name
    for name in re.findall(r"`([\w-]+\.md)`", text):
        assert (PAGE.parent / name).is_file(), name
