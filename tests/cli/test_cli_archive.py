"""`labbridge import`, `replay --archive` and `report` as they are entered, over one small archive and a live store."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from cli_run import run

from labbridge.states import Reason
from tests.bench import archive_made

ROWS = 1500
NAMES = ("concordance", "discordance", "drift", "turnaround", "comments")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a laboratory before go-live: its archive imported, replayed, and brought into its store."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "labbridge.toml").write_text(
        f'facility = "LABA"\n[store]\nurl = "sqlite:///{folder / "store.db"}"\nvolatile = true\n'
        '[feeds.myolis]\nlisten = "127.0.0.1:0"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\n'
        f'cytoplasmic_reported_as = "positive"\n[knowledge]\nsite = "{archive_made.SITE}"\n'
    )
    archive_made.write(folder / "a.csv", ROWS)
    done = labbridge(folder, "import", folder / "a.csv", "--study", folder / "study", "--history", "--format", "json")
    assert done.code == 0, done.err
    assert done.json["rows"] == ROWS
    assert done.json["history"]["kept"] > 500
    return folder


@pytest.fixture(scope="module")
def replayed(where: Path) -> Path:
    done = labbridge(where, "replay", "--archive", where / "study", "--out", where / "out", "--processes", "2")
    assert done.code == 0, done.err
    assert f"{ROWS} results" in done.out
    assert "nothing was written, and nothing sent" in done.out
    return where


def labbridge(folder: Path, *words: object):  # type: ignore[no-untyped-def]
    return run(*words, "--config", folder / "labbridge.toml")


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "store.db") as store:
        return store.execute(sql).fetchall()


def test_history_is_held_and_opens_nothing(where: Path) -> None:
    assert rows(where, "SELECT count(*) FROM cases") == [(0,)]
    assert rows(where, "SELECT count(*) FROM outbox") == [(0,)]
    assert rows(where, "SELECT count(*) FROM retests") == [(0,)]
    reasons = {reason for (reason,) in rows(where, "SELECT DISTINCT reason FROM work")}
    assert reasons <= {Reason.HISTORY.value, Reason.NOTHING_OF_OURS.value}
    held = rows(where, "SELECT count(*), sum(json_extract(body, '$.historical')) FROM results WHERE kind = 'result'")
    assert held[0][0] == held[0][1]
    assert int(str(held[0][0])) > 500


def test_history_is_not_brought_twice(where: Path) -> None:
    before = rows(where, "SELECT count(*) FROM results")
    done = labbridge(where, "import", "--study", where / "study", "--history", "--format", "json")
    assert done.json["history"]["kept"] == 0
    assert rows(where, "SELECT count(*) FROM results") == before


def test_a_message_of_history_can_be_looked_at(where: Path) -> None:
    done = labbridge(where, "show", "M1")
    assert done.code == 0, done.err
    assert "history" in done.out


def test_what_is_not_understood_is_told_by_column(where: Path, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(
        "patient,collected,code,value,unit\nP1,2024-03-05,S-CK,120,furlong\n,2024-03-05,S-CK,1,U/L\n"
    )
    done = labbridge(where, "import", tmp_path / "b.csv", "--study", tmp_path / "study")
    assert done.code == 1  # something needs a person
    assert "2 rows of 1 files, 1 of them without a patient or a time: kept aside" in done.out
    assert "furlong" in done.out
    assert "no table names this unit" in done.out


@pytest.mark.parametrize("name", NAMES)
def test_a_report_of_an_archive_as_a_page(replayed: Path, tmp_path: Path, name: str) -> None:
    done = labbridge(replayed, "report", name, "--replay", replayed / "out", "--out", tmp_path / "r.html")
    assert done.code == 0, done.err
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("name", [*NAMES, "retest-yield", "unmapped"])
def test_a_report_of_the_live_store_as_json(where: Path, name: str) -> None:
    done = labbridge(where, "report", name, "--format", "json")
    assert done.code == 0, done.err
    assert done.json["report"] == name


def test_reports_of_the_archive_and_of_the_history_in_the_store_agree(replayed: Path) -> None:
    for name in ("concordance", "turnaround"):
        one = labbridge(replayed, "report", name, "--format", "json").json["rows"]
        other = labbridge(replayed, "report", name, "--replay", replayed / "out", "--format", "json").json["rows"]
        assert one[: len(other)] == other  # the store knows stages of its own besides


def test_the_days_of_a_report(replayed: Path) -> None:
    words = ("report", "turnaround", "--replay", replayed / "out", "--format", "json")
    whole = labbridge(replayed, *words).json["rows"]
    part = labbridge(replayed, *words, "--from", "2022-01-01", "--to", "2022-12-31").json["rows"]
    assert 0 < sum(one["results"] for one in part) < sum(one["results"] for one in whole)


def test_the_codes_of_a_study(where: Path, tmp_path: Path) -> None:
    done = labbridge(where, "report", "unmapped", "--study", where / "study", "--out", tmp_path / "u.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "u.csv").read_text().startswith('"column","text","rows","why"')


def test_a_look_back_of_a_lot(replayed: Path) -> None:
    found = labbridge(replayed, "report", "look-back", "--replay", replayed / "out", "--lot", "D03", "--format", "json")
    assert {row["lot"] for row in found.json["rows"]} == {"D03"}
    assert labbridge(replayed, "report", "look-back", "--replay", replayed / "out").code == 1


def test_the_nightly_reconciliation(where: Path, tmp_path: Path) -> None:
    """History is no message of the LIS: nothing came, and what the LIS counted is missing."""
    (tmp_path / "lis.csv").write_text("feed,hour,count\nmyolis,2026-03-01 09:00,3\nmyolis,2026-03-01 10:00,0\n")
    done = labbridge(where, "report", "reconciliation", "--counts", tmp_path / "lis.csv", "--format", "json")
    assert done.json["rows"] == [
        {"feed": "myolis", "hour": "2026-03-01T08:00:00+00:00", "lis": 3, "received": 0, "missing": 3, "more": 0}
    ]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("report", "everything"), 2, "There is no report everything; there are concordance"),
        (("report", "reconciliation"), 1, "--counts FILE of the LIS"),
        (("report", "reconciliation", "--replay", "x"), 1, "about the live store"),
        (("report", "unmapped", "--replay", "x"), 1, "--study FOLDER"),
        (("report", "drift", "--study", "x"), 1, "labbridge replay --archive"),
        (("report", "drift", "--replay", "nowhere"), 1, "0 of 64 parts"),
        (("import", "--study", "x"), 2, "Name what to import"),
        (("import", "nowhere.csv", "--study", "x"), 2, "there is no such file"),
        (("import", "--history", "--study", "x", "--feed", "other"), 1, "There is no feed other; there are myolis"),
        (("replay", "--archive", "x"), 2, "--archive needs --out"),
        (("replay", "--out", "x"), 2, "name it with --archive"),
        (("replay", "--archive", "nowhere", "--out", "x"), 1, "there is no study here"),
    ],
)
def test_what_is_asked_wrongly_is_told(
    where: Path, words: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    done = labbridge(where, *words)
    assert done.code == code, done.err
    assert said in done.err


def test_without_pandas_it_says_what_to_install(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "pandas" else real(name, *more))
    done = labbridge(where, "report", "drift")
    assert done.code == 1
    assert "pandas: not installed; the archive needs it: pip install 'labbridge[analysis]'" in done.err


def test_the_service_needs_none_of_it() -> None:
    """Nothing that `labbridge serve` or `interpret` loads imports pandas."""
    import subprocess
    import sys

    code = (
        "import json, sys, labbridge.cli, labbridge.app, labbridge.offline;"
        "print(json.dumps([name for name in ('pandas', 'pyarrow', 'matplotlib', 'scipy') if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_every_command_of_the_how_to_is_one() -> None:
    """What docs/how-to/look-at-the-past.md enters names commands and options that there are."""
    root = Path(__file__).resolve().parents[2]
    reference = (root / "docs/reference/command-line.md").read_text()
    sections = {part.split()[0]: part for part in reference.split("\n## labbridge ")[1:]}
    page = (root / "docs/how-to/look-at-the-past.md").read_text().splitlines()
    lines = [line.split() for line in page if line.startswith("labbridge ")]
    assert len(lines) >= 8
    for _labbridge, command, *words in lines:
        for option in (word for word in words if word.startswith("--")):
            assert option in sections[command], f"{command} {option}"
