"""A rule that is retired moves to rules/retired/, keeps its id, and is frozen by its hash."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from labbridge.checking import check
from labbridge.interpret import Interpreter
from labbridge.knowledge.build import build
from labbridge.knowledge.lock import FILE as LOCK
from labbridge.knowledge.lock import check_lock, entries, written
from labbridge.sources import load, read_folder, shipped

RULE = "ck-limit-assumed"
FILE = "rules/ck.yaml"


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """The shipped folder, of which this test may change what it likes; its lock holds what lies there."""
    folder = tmp_path / "mappings"
    shutil.copytree(shipped(), folder)
    (folder / LOCK).write_text("{}", encoding="utf-8")
    said(folder, write=True)
    return folder


def said(folder: Path, *, write: bool = False) -> list[str]:
    """The faults of the files and of their lock, as `labbridge check` finds them before it proves anything."""
    knowledge, faults = build(read_folder(folder))
    found, lock = entries(knowledge.decisions), folder / LOCK
    if write and not faults:
        lock.write_text(written(found, lock.read_text(encoding="utf-8")), encoding="utf-8")
    return [str(fault) for fault in (*faults, *check_lock(found, lock.read_text(encoding="utf-8")))]


def retire(folder: Path, to: str = "rules/retired/ck.yaml") -> Path:
    """Take the rule out of its file, as its last version, into another."""
    path = folder / FILE
    before, mark, rest = path.read_text(encoding="utf-8").partition(f"- id: {RULE}\n")
    rule, next_mark, after = rest.partition("\n- id: ")
    path.write_text(before + next_mark.lstrip("\n") + after, encoding="utf-8")
    retired = f"{mark}{rule}\n".replace("version: 1", "version: 2").replace("status: active", "status: retired")
    target = folder / to
    target.parent.mkdir(exist_ok=True)
    target.write_text(retired, encoding="utf-8")
    return target


def test_a_retired_rule_is_kept_and_speaks_no_more(mappings: Path) -> None:
    retire(mappings)
    assert said(mappings) == [f"{LOCK}:1: rule:{RULE} has a new version. Run `labbridge check --write-lock`."]
    assert said(mappings, write=True) == []
    assert said(mappings) == []
    knowledge = load(folder=mappings)
    assert next(rule.status for rule in knowledge.decisions.rules if rule.id == RULE) == "retired"
    assert '"retired": true' in (mappings / LOCK).read_text(encoding="utf-8")
    Interpreter(knowledge)
    assert check(folder=mappings, site="", write_lock=False)[0] == []


@pytest.mark.parametrize("place", ["rules/old.yaml"])
def test_a_retired_rule_stands_in_the_folder_of_the_retired(mappings: Path, place: str) -> None:
    retire(mappings, place)
    repair = "Keep the retired rules, and no others, in rules/retired/."
    assert f"{place}:1: Rule {RULE} is retired, and does not belong here. {repair}" in said(mappings)


@pytest.mark.parametrize("status", ["active", "review", "draft"])
def test_no_other_rule_stands_there(mappings: Path, status: str) -> None:
    path = retire(mappings)
    path.write_text(path.read_text(encoding="utf-8").replace("status: retired", f"status: {status}"), encoding="utf-8")
    assert any(f"Rule {RULE} is {status}, and does not belong here." in one for one in said(mappings))


@pytest.mark.parametrize(
    ("before", "after"),
    [("no usable limit", "no limit of use"), ("version: 2", "version: 3"), ("status: retired", "status: active")],
)
def test_it_is_frozen_whatever_its_version(mappings: Path, before: str, after: str) -> None:
    path = retire(mappings)
    said(mappings, write=True)
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after).replace("version: 2", "version: 9"), encoding="utf-8")
    frozen = f"rule:{RULE} is retired, and was changed."
    assert any(frozen in one for one in said(mappings))
    assert any(frozen in one for one in said(mappings, write=True))
    assert any(frozen in one for one in said(mappings))  # writing does not thaw it


def test_its_id_cannot_be_used_again(mappings: Path) -> None:
    retire(mappings)
    said(mappings, write=True)
    path = mappings / FILE
    again = f"- {{id: {RULE}, version: 3, status: active, why: x, when: {{ck: HIGH}}, then: {{}}}}\n"
    path.write_text(path.read_text(encoding="utf-8") + again, encoding="utf-8")
    assert any(f"Rule {RULE} stands twice." in one for one in said(mappings))
