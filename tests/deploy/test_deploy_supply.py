"""What is handed over: a wheel that is the same wherever it is built, a bill of materials, the licences of others' files,
and versions of code and knowledge that are kept apart."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import labbridge
from tests.checks import advisories, supply
from tests.conftest import ROOT

WEB = ROOT / "labbridge/web"


# ---------------------------------------------------------------- the wheel


def tracked() -> Iterator[str]:
    """Files of the tree, as git knows them; new ones too."""
    words = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    yield from subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


def built(tree: Path, **environment: str) -> bytes:
    """The wheel of a copy of the tree."""
    for name in tracked():
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink() and not name.startswith(("tests/", "docs/")):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    words = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "out")
    env = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | environment
    subprocess.run(words, cwd=tree, check=True, capture_output=True, env=env)
    (wheel,) = (tree / "out").glob("*.whl")
    return wheel.read_bytes()


def test_two_wheels_are_the_same_byte_for_byte(tmp_path: Path) -> None:
    """Of two folders, at two times, by two umasks, in two time zones and locales."""
    one = built(tmp_path / "one", TZ="UTC", LC_ALL="C.UTF-8")
    before = os.umask(0o077)
    try:
        other = built(tmp_path / "a deeper folder/other", TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    finally:
        os.umask(before)
    assert hashlib.sha256(one).hexdigest() == hashlib.sha256(other).hexdigest()


def test_the_wheel_holds_what_a_start_needs_and_nothing_of_the_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    needed = (
        "labbridge/mappings/site/orders.yaml",
        "labbridge/mappings/versions.lock.json",
        "labbridge/web/vendored.toml",
    )
    assert set(needed) <= names
    assert {f"labbridge/web/{one[key]}" for one in supply.vendored() for key in ("path", "text")} <= names
    assert not [name for name in names if name.startswith(("tests/", "samples/", "docs/")) or name.endswith(".pyc")]


# ---------------------------------------------------------------- files of others


def test_every_file_of_others_is_listed_as_it_is() -> None:
    listed = {one["path"]: one for one in supply.vendored()}
    found = {f"static/{path.name}" for path in (WEB / "static").iterdir() if ".min." in path.name}
    assert listed.keys() == found
    for path, one in listed.items():
        raw = (WEB / path).read_bytes()
        assert hashlib.sha256(raw).hexdigest() == one["sha256"], path
        assert one["purl"].endswith(f"{one['name']}@{one['version']}")
        if path.endswith(".js"):
            assert one["version"].encode() in raw[:200] or f'version:"{one["version"]}"'.encode() in raw
        words = {"0BSD": "Zero-Clause BSD", "MIT": "MIT License"}[one["licence"]]
        assert words in (WEB / one["text"]).read_text()


def test_nothing_else_brings_its_own_licence() -> None:
    """A licence's text beside no listed file would be of something that nobody lists."""
    texts = {one["text"] for one in supply.vendored()}
    assert {f"static/{path.name}" for path in (WEB / "static").glob("*LICENSE*")} == texts


# ---------------------------------------------------------------- the bill of materials


def test_the_bill_is_valid_complete_and_the_same_each_time() -> None:
    text = supply.bill()
    assert text == supply.bill()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found = json.loads(text)
    packages = {one["name"]: one["version"] for one in found["components"] if one["type"] == "library"}
    assert packages == dict(supply.pinned())
    assert len(packages) > 40
    files = {one["name"] for one in found["components"] if one["type"] == "file"}
    assert files == {Path(one["path"]).name for one in supply.vendored()}
    assert found["metadata"]["component"]["version"] == labbridge.__version__
    assert [one["name"] for one in found["components"] if not one.get("licenses")] == []


def test_make_sbom_writes_it(tmp_path: Path) -> None:
    words = (sys.executable, "-m", "tests.checks.supply", str(tmp_path / "out/labbridge.cdx.json"))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/labbridge.cdx.json").read_text() == supply.bill()


# ---------------------------------------------------------------- advisories


@pytest.mark.parametrize(
    ("code", "said", "meant"),
    [
        (0, "No known vulnerabilities found", (0, "no advisory is known")),
        (0, "No known ...\nanyio  Dependency not found and could not be audited: anyio (4.16.0)", (69, "not checked")),
        (1, "Found 1 known vulnerability in 1 package\nstarlette 0.1 PYSEC-1", (1, "advisories were found")),
        (1, "ERROR: ConnectionError: Max retries exceeded", (69, "nothing was checked")),
        (1, "pip_audit._service.interface.ServiceError: 403", (69, "nothing was checked")),
    ],
)
def test_a_database_that_is_not_reached_is_no_clean_bill(code: int, said: str, meant: tuple[int, str]) -> None:
    found, line = advisories.judged(code, said)
    assert found == meant[0]
    assert meant[1] in line


# ---------------------------------------------------------------- versions


def test_code_and_knowledge_have_versions_and_changelogs_of_their_own() -> None:
    """What the code is, its version says; what the knowledge is, the hashes of versions.lock.json say. Neither raises the
    other's."""
    version = labbridge.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    code, knowledge = (ROOT / "CHANGELOG.md").read_text(), (ROOT / "mappings/CHANGELOG.md").read_text()
    assert "mappings/CHANGELOG.md" in code.split("##")[0]
    assert "## Unreleased" in code
    assert "## Unreleased" in knowledge
    assert version not in knowledge.split("## Unreleased")[0]
    named = (ROOT / "deploy/compose.yaml").read_text() + (ROOT / "deploy/kubernetes/kustomization.yaml").read_text()
    assert set(re.findall(r"(?:image: labbridge:|newTag: )(\S+)", named)) == {version}
