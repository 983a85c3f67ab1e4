"""`labbridge suspend` and `resume` on the store of a stopped service: what is printed, refused, and kept in the audit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cli_run import config, run

from labbridge.store.sqlite import open_writer


@pytest.fixture
def where(tmp_path: Path) -> Path:
    found = config(tmp_path)
    open_writer(tmp_path / "store.db").close()
    return found


def fill(where: Path, reviewed: int, agreed: int) -> None:
    """So many drafts of C07 that persons decided."""
    with sqlite3.connect(where.parent / "store.db") as store:
        rows = [(number, 1, "myolis", "C07", int(number <= agreed), "t") for number in range(1, reviewed + 1)]
        store.executemany("INSERT INTO judgements VALUES (?,?,?,?,?,?)", rows)


def test_nothing_is_suspended_and_nothing_is_on_record(where: Path) -> None:
    done = run("suspend", "--config", where)
    assert (done.code, done.out) == (0, "nothing is suspended\n\nno draft was decided by a person yet\n")


def test_the_record_says_how_sure_the_share_is(where: Path) -> None:
    fill(where, 200, 198)
    done = run("suspend", "--config", where)
    assert "myolis  C07      200                 198         99.0%  96.4%" in done.out
    (record,) = run("suspend", "--config", where, "--format", "json").json["record"]
    assert (record["decided by persons"], record["as drafted"], record["at least (95 %)"]) == (200, 198, "96.4%")


def test_it_is_suspended_in_part_listed_and_lifted(where: Path) -> None:
    done = run(
        "suspend", "--feed", "myolis", "--analyte", "CK", "--why", "haemolysis", "--as", "Cora", "--config", where
    )
    assert (done.code, "S1: feed myolis analyte CK is released by persons alone" in done.out) == (0, True)
    (listed,) = run("suspend", "--config", where, "--format", "json").json["suspended"]
    assert (listed["key"], listed["feed"], listed["analyte"], listed["rule"], listed["by"]) == (
        "S1",
        "myolis",
        "CK",
        "",
        "Cora",
    )
    assert "haemolysis" in run("suspend", "--config", where).out
    assert run("resume", "S1", "--as", "Dora", "--config", where).code == 0
    assert run("suspend", "--config", where, "--format", "json").json["suspended"] == []
    with sqlite3.connect(where.parent / "store.db") as store:
        told = store.execute("SELECT actor, action, detail FROM audit ORDER BY id").fetchall()
    assert told == [("Cora", "suspended", "feed myolis analyte CK: haemolysis"), ("Dora", "resumed", "S1")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("suspend", "--as", "Cora"), "reason"),
        (("suspend", "--as", "Cora", "--why", "x", "--analyte", "GLUCOSE"), "There is no analyte GLUCOSE"),
        (("resume", "--as", "Cora"), "Nothing is suspended"),
        (("resume", "S9", "--as", "Cora"), "There is no suspension S9"),
        (("resume", "nine", "--as", "Cora"), "is no suspension"),
    ],
)
def test_what_is_refused_says_why(where: Path, words: tuple[str, ...], said: str) -> None:
    done = run(*words, "--config", where)
    assert (done.code, said in done.out) == (1, True)
