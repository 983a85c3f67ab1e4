"""`labbridge doctor` and `labbridge check` as functions: what is wrong with the knowledge, and what a machine lacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_run import SITE, config, run

from labbridge.checking import LOCK, check, examine
from labbridge.config import Config
from labbridge.config import load as load_config
from labbridge.sources import load, shipped
from labbridge.store.sqlite import open_writer, status

CODES = "system,code,name,unit,specimen,analyte,role,method,assay,status,source\n"


def settings(folder: Path, extra: str = "", site: Path = SITE) -> Config:
    return load_config(config(folder, extra, site))


def missing(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.startswith("ok       ")]


# ---------------------------------------------------------------- doctor


def test_on_a_sound_machine_every_line_is_ok_and_each_thing_has_one(tmp_path: Path) -> None:
    lines, sound = examine(settings(tmp_path))
    assert (sound, missing(lines)) == (True, [])
    for word in ("Python 3.", "SQLite ", "knowledge sha256:", "can be written", "MiB free", "1 feeds", "1 receivers"):
        assert sum(word in line for line in lines) == 1, word
    assert len(lines) == 7


def test_the_knowledge_is_named_by_the_version_in_force(tmp_path: Path) -> None:
    (line,) = [one for one in examine(settings(tmp_path))[0] if "knowledge" in one]
    assert load(str(SITE)).version.startswith(line.split()[-1])
    assert not load().version.startswith(line.split()[-1])


def test_an_old_sqlite_is_named_with_what_it_means(tmp_path: Path) -> None:
    (line,) = [one for one in examine(settings(tmp_path))[0] if "SQLite" in one]
    assert line == f"ok       {status().sentence}"
    assert "single-writer mode" in status((3, 40, 1)).sentence
    assert "single-writer" not in status((3, 51, 3)).sentence


def test_a_site_with_faults_is_missing_with_their_number_and_the_command_that_lists_them(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "codes").mkdir(parents=True)
    (site / "codes/lis.csv").write_text(f"{CODES}L,A,,,,SPR,result,,,SITE,us\nL,B,,,,SPR,result,,,SITE,us\n")
    lines, sound = examine(settings(tmp_path, site=site))
    assert not sound
    assert missing(lines) == ["missing  knowledge: 2 faults; run `labbridge check`"]


def test_a_site_folder_that_is_not_there_is_missing_too(tmp_path: Path) -> None:
    lines, sound = examine(settings(tmp_path, site=tmp_path / "nowhere"))
    assert (sound, missing(lines)) == (False, ["missing  knowledge: 1 fault; run `labbridge check`"])


@pytest.mark.parametrize("name", ["store.db", "deep/er/store.db"])
def test_the_folder_of_the_store_need_not_be_there_yet(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.toml"
    text = config(tmp_path).read_text(encoding="utf-8").replace("/store.db", f"/{name}")
    path.write_text(text, encoding="utf-8")
    lines, sound = examine(load_config(path))
    assert (sound, missing(lines)) == (True, [])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["labbridge.toml", "own.toml"]


def test_a_store_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    path = tmp_path / "own.toml"
    text = config(tmp_path).read_text(encoding="utf-8").replace("/store.db", "/taken/store.db")
    path.write_text(text, encoding="utf-8")
    lines, sound = examine(load_config(path))
    assert not sound
    (line,) = missing(lines)
    assert line == "missing  the store's folder can be written: change its owner, or [store] url"
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_store_that_is_there_is_left_alone(tmp_path: Path) -> None:
    open_writer(tmp_path / "store.db").close()
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert examine(settings(tmp_path))[1]
    after = {one.name: one.read_bytes() for one in tmp_path.iterdir() if one.name != "labbridge.toml"}
    assert after == before


def test_any_room_is_enough_where_no_mark_is_set(tmp_path: Path) -> None:
    lines, sound = examine(settings(tmp_path, "[limits]\ndisk_free_bytes = 0\n"))
    assert sound
    assert any(line.startswith("ok") and "MiB free" in line for line in lines)


def test_each_missing_thing_is_a_line_of_its_own_with_its_repair(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text(f'[store]\nurl = "sqlite:///{tmp_path / "s.db"}"\n', encoding="utf-8")
    lines, sound = examine(load_config(path))
    assert not sound
    assert missing(lines) == [
        "missing  0 feeds configured: add [feeds.NAME] to the configuration",
        "missing  0 receivers configured: add [receivers.NAME]",
    ]


# ---------------------------------------------------------------- check


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """The shipped folder, to be edited."""
    return Path(shutil.copytree(shipped(), tmp_path / "mappings"))


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_what_ships_is_summed_up_with_files_rules_and_version() -> None:
    faults, summary = check(None, "", write_lock=False)
    assert faults == []
    files, rules, version = summary.split(", ")
    assert int(files.split()[0]) > 30
    assert int(rules.split()[0]) > 10
    assert version == f"{load().version}: no fault"


def test_a_sites_files_count_and_change_the_version() -> None:
    faults, summary = check(None, str(SITE), write_lock=False)
    ours = check(None, "", write_lock=False)[1]
    assert faults == []
    assert int(summary.split()[0]) == int(ours.split()[0]) + len(list(SITE.rglob("*.csv")))
    assert summary.endswith(f"{load(str(SITE)).version}: no fault")
    assert summary.split(", ")[1] == ours.split(", ")[1]


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("codes/loinc.csv", "LN,33921-8", "LN,33921-9", "The check digit is wrong."),
        ("codes/loinc.csv", "LN,2157-6,,,,CK,", "LN,2157-6,,,,CPK,", "Analyte CPK is not known."),
        ("codes/mayo.csv", "tissue_iif", "tissue_if", "The method is not known."),
        ("codes/mayo.csv", "mayo-hmges", "mayo-hmgs", "The assay is not known."),
        ("codes/mayo.csv", "VERIFIED", "RECALLED", "Status RECALLED does not ship."),
        ("units.yaml", "factor: 0.06", "factor: 0", "A factor is above zero."),
        ("units.yaml", "nkat/L, nkat/l", "nkat/L, U/L", "stands twice."),
        (
            "assays/methods.yaml",
            "{category: POS_LOW, low: 11}",
            "{category: POS_LOW, low: 5}",
            "The bands do not rise.",
        ),
        ("assays/kits.yaml", "cut_off: 20.0", "cut_off: -20", "a cut-off is above zero."),
        ("specimens.csv", "csf,other,", "csf,liquor,", "'liquor' is no material."),
        ("phrases.csv", "poor_quality,gross haemolysis", "poorquality,gross haemolysis", "is not known."),
        ("qualifiers.csv", "NEG", "NEGATIVE", "'NEGATIVE' is no grade."),
    ],
)
def test_a_slip_in_a_table_is_found_with_its_line(
    mappings: Path, file: str, before: str, after: str, said: str
) -> None:
    line = (mappings / file).read_text(encoding="utf-8").split(before)[0].count("\n") + 1
    edit(mappings / file, before, after)
    faults, summary = check(mappings, "", write_lock=False)
    assert any((fault.file, said in fault.message) == (file, True) and abs(fault.line - line) < 9 for fault in faults)
    assert all(fault.repair for fault in faults)
    assert summary.endswith(": 1 fault" if len(faults) == 1 else f": {len(faults)} faults")


def test_a_folder_with_faults_gets_no_lock_written(mappings: Path) -> None:
    edit(mappings / "codes/loinc.csv", "LN,33921-8", "LN,33921-9")
    before = (mappings / LOCK).read_bytes()
    edit(mappings / "rules/ck.yaml", "version: 1", "version: 2")
    faults, _summary = check(mappings, "", write_lock=True)
    assert faults
    assert (mappings / LOCK).read_bytes() == before


def test_a_folder_that_cannot_be_read_is_one_fault_and_its_number(tmp_path: Path) -> None:
    faults, summary = check(tmp_path / "nowhere", "", write_lock=False)
    assert ([str(fault).endswith("Name the folder of the knowledge files.") for fault in faults], summary) == (
        [True],
        "1 fault",
    )
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes/lis.csv").write_bytes(b"system,code\nL,\xff\n")
    faults, _summary = check(None, str(tmp_path), write_lock=False)
    assert [str(fault) for fault in faults] == ["codes/lis.csv:2: This is not UTF-8. Save the file as UTF-8."]


def test_the_command_prints_each_fault_and_sums_up(mappings: Path) -> None:
    edit(mappings / "codes/loinc.csv", "LN,33921-8", "LN,33921-9")
    edit(mappings / "units.yaml", "factor: 0.06", "factor: -1")
    done = run("check", "--mappings", mappings)
    assert done.code == 1
    assert len(done.err.splitlines()) == 2
    assert done.out.rstrip().endswith(": 2 faults")
