"""`labbridge validate --pack`: what is kept, what is refused and with which code, and that a run repeats its bytes."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cli_run import ROOT, SITE, config, run

from labbridge import __version__, validating
from labbridge.config import load as load_config
from labbridge.errors import CannotCreate, CaseFileError
from labbridge.pack.files import read_pack
from labbridge.pack.form import Pack
from labbridge.sources import load
from labbridge.validating import Wanted, validate_packed

NOW = datetime(2026, 11, 26, 14, 5, 9, tzinfo=UTC)
CASES = """\
vignettes:
- id: T-1
  title: strong anti-SRP
  patient: {sex: F, age_years: 52}
  evaluate_at: 2026-02-06
  results:
  - {filler: S1, analyte: SRP, value: "58", method: line_blot, specimen: serum, status: F, collected: "2026-02-02",
     received: 2026-02-04}
  expected: {hold: false}
- id: T-2
  evaluate_at: "2026-02-06"
"""
FAILING = CASES.replace("{hold: false}", "{hold: true, states: {SRP: NEG}}")


def cases(folder: Path, text: str = CASES, name: str = "cases.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def packed(folder: Path, *words: object, text: str = CASES, name: str = "pack") -> Any:
    return run("validate", cases(folder, text), "--pack", folder / name, "--config", config(folder), *words)


def kept(path: Path) -> Pack:
    return read_pack(path)[0]


# ---------------------------------------------------------------- what is kept


def test_both_files_are_kept_and_the_cases_are_told_as_without(tmp_path: Path) -> None:
    plain = run("validate", cases(tmp_path), "--config", config(tmp_path))
    done = packed(tmp_path, "--tester", "A. Smith")
    assert (done.code, done.err) == (0, "")
    last = done.out.splitlines()[-1]
    assert done.out == f"{plain.out}{last}\n"
    assert last.startswith(f"{tmp_path}/pack.html, {tmp_path}/pack.json: 1 of 1 passed; 1 expect nothing; ")
    assert last.endswith(" active rules held in some case")
    assert {one.name for one in tmp_path.iterdir()} >= {"pack.html", "pack.json"}


def test_the_pack_says_what_was_tested_by_whom_and_when(tmp_path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    packed(tmp_path, "--tester", " A.\n Smith ")
    found = kept(tmp_path / "pack.json")
    assert (found.tester, found.software, found.language) == ("A. Smith", __version__, "en")
    assert found.knowledge == load(str(SITE)).version
    assert before <= datetime.fromisoformat(found.at) <= datetime.now(UTC)
    (file,) = found.files
    content = (tmp_path / "cases.yaml").read_bytes()
    assert (file.name, file.sha256, file.cases) == (f"{tmp_path}/cases.yaml", hashlib.sha256(content).hexdigest(), 2)
    assert {(one.at, one.tester, one.file) for one in found.cases} == {(found.at, "A. Smith", file.name)}
    assert found.difference is None


def test_the_page_names_the_bytes_of_the_document(tmp_path: Path) -> None:
    packed(tmp_path)
    sha256 = hashlib.sha256((tmp_path / "pack.json").read_bytes()).hexdigest()
    assert sha256 in (tmp_path / "pack.html").read_text(encoding="utf-8")


def test_without_a_tester_it_is_the_accounts_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path, name="own")
    assert kept(tmp_path / "own.json").tester == getpass.getuser()
    monkeypatch.setattr(getpass, "getuser", nameless)
    done = packed(tmp_path, name="none")
    assert (done.code, done.out) == (73, "")
    assert done.err == "This account has no name; say who tests with --tester NAME\n"
    assert not (tmp_path / "none.json").exists()
    assert packed(tmp_path, "--tester", "A. Smith", name="told").code == 0


def nameless() -> str:
    raise KeyError("getpwuid(): uid not found: 12345")


def test_the_outcomes_are_those_of_the_json_of_validate(tmp_path: Path) -> None:
    done = packed(tmp_path, "--format", "json", text=FAILING)
    assert (done.code, done.err) == (1, "")
    listed = done.json["cases"]
    assert [(one.id, one.passed, list(one.failures)) for one in kept(tmp_path / "pack.json").cases] == [
        (one["id"], one["passed"], one["failures"]) for one in listed
    ]
    assert [one.outcome for one in kept(tmp_path / "pack.json").cases] == [one["outcome"] for one in listed]


def test_a_case_is_kept_as_given_and_apart_from_what_it_expects(tmp_path: Path) -> None:
    packed(tmp_path)
    first, second = kept(tmp_path / "pack.json").cases
    assert list(first.given) == ["id", "title", "patient", "evaluate_at", "results"]
    assert first.given["evaluate_at"] == "2026-02-06"
    assert first.given["results"][0]["received"] == "2026-02-04"
    assert (first.expected, second.expected, second.passed) == ({"hold": False}, None, None)


@pytest.mark.parametrize(("text", "code"), [(CASES, 0), (FAILING, 1), ("vignettes: []\n", 0)])
def test_the_exit_code_is_that_of_validate_and_the_pack_is_kept_either_way(
    tmp_path: Path, text: str, code: int
) -> None:
    assert packed(tmp_path, text=text).code == code
    assert run("validate", cases(tmp_path, text), "--config", config(tmp_path)).code == code
    assert (tmp_path / "pack.html").is_file()


def test_several_files_are_one_pack(tmp_path: Path) -> None:
    other = cases(tmp_path, CASES.replace("T-", "U-"), "more.yaml")
    assert packed(tmp_path, other).code == 0
    found = kept(tmp_path / "pack.json")
    assert [one.cases for one in found.files] == [2, 2]
    assert [(one.id, Path(one.file).name) for one in found.cases] == [
        ("T-1", "cases.yaml"), ("T-2", "cases.yaml"), ("U-1", "more.yaml"), ("U-2", "more.yaml"),
    ]  # fmt: skip


def test_a_site_s_rows_and_its_receivers_language_are_those_of_the_pack(tmp_path: Path) -> None:
    rules = tmp_path / "site/rules"
    rules.mkdir(parents=True)
    (rules / "ours.yaml").write_text(
        "- {id: ours, version: 1, status: active, why: we want it, about: CK, when: {ck: UNKNOWN},"
        " then: {flags: [{CK_MISSING: minor}]}, citations: [picard-2016], reviewed: [A. Smith]}\n"
    )
    path = config(tmp_path, site=tmp_path / "site")
    path.write_text(path.read_text().replace('address = "127.0.0.1:9"', 'address = "127.0.0.1:9"\nlanguage = "fr"'))
    run("validate", cases(tmp_path), "--pack", tmp_path / "pack", "--config", path)
    found = kept(tmp_path / "pack.json")
    (ours,) = [one for one in found.rows if one.id == "rule:ours"]
    assert (ours.version, ours.reviewed, ours.why) == (1, ("A. Smith",), "we want it")
    (covered,) = [one for one in found.coverage.rules if one.id == "rule:ours"]
    assert "T-1" in covered.fired
    assert found.language == "fr"
    assert found.knowledge == load(str(tmp_path / "site")).version


def test_sources_are_named_in_full(tmp_path: Path) -> None:
    packed(tmp_path)
    found = kept(tmp_path / "pack.json")
    cited = {id for row in found.rows for id in row.citations}
    assert {one.id for one in found.sources} == cited != set()
    assert all(one.text for one in found.sources)


# ---------------------------------------------------------------- the same bytes

ONCE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from labbridge.config import load
from labbridge.validating import Wanted, validate_packed
cases, file, config, before = map(Path, sys.argv[1:])
wanted = Wanted(file, datetime(2026, 11, 26, 14, 5, 9, tzinfo=UTC), "A. Smith", before)
validate_packed([cases], load(config), wanted)
"""


def test_the_same_run_gives_the_same_bytes_whatever_the_order_of_sets(tmp_path: Path) -> None:
    packed(tmp_path, text=FAILING, name="before")
    path, where = cases(tmp_path), config(tmp_path)
    found = []
    for seed in ("0", "1", "4711"):
        file = tmp_path / f"pack{seed}"
        words = [sys.executable, "-c", ONCE, path, file, where, tmp_path / "before.json"]
        subprocess.run(list(map(str, words)), env={**os.environ, "PYTHONHASHSEED": seed}, check=True, timeout=120)
        found.append([Path(f"{file}{suffix}").read_bytes() for suffix in (".html", ".json")])
    assert found[0] == found[1] == found[2]


def test_another_moment_changes_the_dates_alone(tmp_path: Path) -> None:
    path, settings = cases(tmp_path), load_config(config(tmp_path))
    texts = []
    for name, now in (("one", NOW), ("other", NOW.replace(year=2027))):
        validate_packed([path], settings, Wanted(tmp_path / name, now, "A. Smith"))
        texts.append((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert texts[0] != texts[1]
    assert texts[0].replace("2026-11-26T14:05:09", "2027-11-26T14:05:09") == texts[1]


# ---------------------------------------------------------------- against an earlier pack


def test_an_earlier_pack_is_held_against_and_named_by_its_bytes(tmp_path: Path) -> None:
    packed(tmp_path, text=FAILING, name="before")
    done = packed(tmp_path, "--before", tmp_path / "before.json", name="after")
    assert done.code == 0
    found = kept(tmp_path / "after.json").difference
    assert found is not None
    assert found.before.sha256 == hashlib.sha256((tmp_path / "before.json").read_bytes()).hexdigest()
    (only,) = found.changed_cases
    assert {one.what: (one.before, one.after) for one in only.changes} == {
        "expected": ("hold: yes; states: SRP: NEG", "hold: no"),
        "passed": ("failed", "passed"),
    }
    assert (found.changed_rows, found.new_rows, found.gone_rows) == ((), (), ())


def test_a_pack_that_was_held_against_another_can_be_held_against_too(tmp_path: Path) -> None:
    for name, before in (("one", None), ("two", "one"), ("three", "two")):
        words = ["--before", tmp_path / f"{before}.json"] if before else []
        assert packed(tmp_path, *words, name=name).code == 0
    found = kept(tmp_path / "three.json").difference
    assert found is not None
    assert found.changed_cases == ()


def test_a_rule_that_changed_on_the_disk_shows_in_the_next_pack(tmp_path: Path) -> None:
    rules = tmp_path / "site/rules"
    rules.mkdir(parents=True)
    where, path = config(tmp_path, site=tmp_path / "site"), cases(tmp_path)
    text = (
        "- {id: ours, version: 1, status: active, why: we want it, about: CK, when: {ck: UNKNOWN},"
        " then: {flags: [{CK_MISSING: minor}]}, citations: [picard-2016]}\n"
    )
    (rules / "ours.yaml").write_text(text)
    assert run("validate", path, "--pack", tmp_path / "one", "--config", where).code == 0
    (rules / "ours.yaml").write_text(text.replace("version: 1", "version: 2").replace("ck: UNKNOWN", "ck: HIGH"))
    words = ("--pack", tmp_path / "two", "--before", tmp_path / "one.json", "--config", where)
    assert run("validate", path, *words).code == 0
    found = kept(tmp_path / "two.json").difference
    assert found is not None
    (only,) = found.changed_rows
    assert only.id == "rule:ours"
    assert [one.what for one in only.changes] == ["version", "sha256", "says"]
    assert found.lost.rules == ("rule:ours",)
    assert found.before.knowledge != kept(tmp_path / "two.json").knowledge


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("named", ["pack", "pack.html", "pack.json"])
@pytest.mark.parametrize("taken", ["pack.html", "pack.json"])
def test_a_filed_pack_is_never_written_over(tmp_path: Path, named: str, taken: str) -> None:
    (tmp_path / taken).write_text("signed")
    done = packed(tmp_path, name=named)
    assert (done.code, done.out) == (73, "")
    assert done.err == f"{tmp_path / taken} is there already; name another file, a filed pack is never overwritten\n"
    assert (tmp_path / taken).read_text() == "signed"
    assert sorted(one.name for one in tmp_path.glob("pack*")) == [taken]


def test_a_folder_that_is_not_there_is_said_before_any_case_is_run(tmp_path: Path) -> None:
    done = packed(tmp_path, text="no cases", name="away/pack")
    assert (done.code, done.out) == (73, "")
    assert done.err == f"{tmp_path}/away: there is no such folder; make it, or name a file elsewhere\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("vignettes: [", ["cases.yaml:", "this is not YAML", "mend the syntax"]),
        ("vignettes:\n- {id: A, evaluate_at: 2026-13-45}\n", ["cases.yaml: a value cannot be read", "mend it"]),
        (f"vignettes: {'[' * 3000}", ["cases.yaml: it is nested too deep"]),
        (CASES.replace("T-2", "T-1"), ["case T-1 cannot be read (another case has this id); mend it"]),
        (CASES.replace("2026-02-02", "never"), ["case T-1 cannot be read"]),
        ('vignettes:\n- {id: "A\\nB", evaluate_at: 2026-02-06, note: "\\ud800"}\n', ["case A B", "half a character"]),
        (f"vignettes:\n- {{id: A, evaluate_at: 2026-02-06, x: [{'1, ' * 10_001}]}}\n", ["more than 10000 values"]),
        ("vignettes:\n- &a {id: A, evaluate_at: 2026-02-06, more: *a}\n", ["case A cannot be read"]),
    ],
    ids="syntax no-day deep twice no-date half-a-character too-much itself".split(),
)
def test_a_case_file_that_cannot_be_used_leaves_no_pack(tmp_path: Path, text: str, words: list[str]) -> None:
    done = packed(tmp_path, text=text)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{tmp_path}/cases.yaml:")
    assert done.err.count("\n") == 1
    assert all(word in done.err for word in words), done.err
    assert list(tmp_path.glob("pack*")) == []


def test_one_id_in_two_files_is_refused_since_packs_are_compared_by_it(tmp_path: Path) -> None:
    path, other = cases(tmp_path), cases(tmp_path, name="other.yaml")
    with pytest.raises(CaseFileError, match=r"other\.yaml: case T-1 .*another case has this id"):
        validate_packed([path, other], load_config(config(tmp_path)), Wanted(tmp_path / "pack", NOW))
    assert run("validate", path, path, "--config", config(tmp_path)).code == 0, "without a pack it is run as ever"


@pytest.mark.parametrize("words", [("--tester", "A. Smith"), ("--before", "pack.json")])
def test_what_is_about_a_pack_needs_one(tmp_path: Path, words: tuple[str, str]) -> None:
    done = run("validate", cases(tmp_path), "--config", config(tmp_path), *words)
    assert (done.code, done.out) == (2, "")
    assert done.err == "--tester and --before are about a pack: name it with --pack FILE\n"


def test_an_earlier_pack_that_is_none_is_said_with_the_repair(tmp_path: Path) -> None:
    packed(tmp_path, name="one")
    for wrong, told in (
        (tmp_path / "one.html", "this is no validation pack"),
        (tmp_path / "cases.yaml", "this is no validation pack"),
        (tmp_path / "away.json", "there is no such file"),
        (tmp_path, "this is a folder"),
    ):
        done = packed(tmp_path, "--before", wrong, name="two")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"{wrong}: {told}")
        assert done.err.count("\n") == 1
    assert list(tmp_path.glob("two*")) == []


def test_knowledge_with_faults_leaves_no_pack(tmp_path: Path) -> None:
    site = tmp_path / "site/rules"
    site.mkdir(parents=True)
    (site / "ours.yaml").write_text("- {id: ours}\n")
    done = run("validate", cases(tmp_path), "--pack", tmp_path / "pack", "--config", config(tmp_path, site=site.parent))
    assert (done.code, done.out) == (78, "")
    assert "rules/ours.yaml:1:" in done.err
    assert list(tmp_path.glob("pack*")) == []


def test_what_comes_there_while_the_cases_run_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = validating.read_cases

    def meanwhile(path: Path) -> Any:
        (tmp_path / "pack.json").write_text("signed")
        return before(path)

    monkeypatch.setattr(validating, "read_cases", meanwhile)
    with pytest.raises(CannotCreate, match="nothing of the pack was kept"):
        validate_packed([cases(tmp_path)], load_config(config(tmp_path)), Wanted(tmp_path / "pack", NOW))
    assert (tmp_path / "pack.json").read_text() == "signed"
    assert not (tmp_path / "pack.html").exists()


@pytest.mark.skipif(os.name != "posix", reason="names of bytes are POSIX's")
def test_a_name_that_is_no_text_is_kept_escaped(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.yaml"))
    path.write_text(CASES, encoding="utf-8")
    _found, said = validate_packed(
        [path], load_config(config(tmp_path)), Wanted(tmp_path / "pack", NOW, os.fsdecode(b"A\xff"))
    )
    found = kept(tmp_path / "pack.json")
    assert found.files[0].name.endswith("/\\udcff.yaml")
    assert found.tester == "A\\udcff"
    said.encode()


def test_the_templates_are_part_of_the_package() -> None:
    folder = ROOT / "labbridge/pack/templates"
    assert {one.name for one in folder.iterdir()} >= {
        "pack.html",
        "pack.css",
        "cases.html",
        "coverage.html",
        "rows.html",
    }
    ignored = subprocess.run(["git", "check-ignore", *folder.iterdir()], cwd=ROOT, capture_output=True, check=False)
    assert ignored.stdout == b""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'packages = ["labbridge"]' in text, "whole: what is in the folder and not ignored is in the wheel"


def test_no_word_of_a_template_is_about_a_disease_or_a_limit() -> None:
    """Sentences of medicine stand in mappings/ and nowhere else."""
    words = ("myo", "srp", "hmgcr", "hep-2", "creatine", "muscle", "antibod", "positive", "negative", "statin")
    for one in sorted((ROOT / "labbridge/pack").rglob("*")):
        if one.suffix in (".py", ".html", ".css"):
            text = one.read_text(encoding="utf-8").casefold()
            assert [word for word in words if word in text] == [], one.name


def test_the_document_is_json_to_any_reader(tmp_path: Path) -> None:
    packed(tmp_path)
    found = json.loads((tmp_path / "pack.json").read_text(encoding="utf-8"))
    assert list(found) == list(Pack.__struct_fields__)
