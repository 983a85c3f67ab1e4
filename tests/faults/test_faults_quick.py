"""Every row of the table the short way, once, as `python -m tests.faults --quick` runs them; and two of the seeded bugs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters import binary
from tests.conftest import missing
from tests.faults import bugs, clock, nodes, seeded, traced
from tests.faults.outcome import Run
from tests.faults.service import ROOT
from tests.faults.table import ROWS

BAR = ROOT / "docs/reference/faults.md"
AT_ONCE = ("dedupe-by-control-id", "errors-replace")


@pytest.fixture
def parts() -> None:
    """What the rows inject with."""
    if not traced.present():
        missing("strace", "apt-get install strace")
    if not clock.present():
        missing("a C compiler", "apt-get install gcc libc6-dev")
    if nodes.haproxy() is None:
        missing("HAProxy", "apt-get install haproxy")
    if importlib.util.find_spec("pyodbc") is None or binary("initdb") is None:
        missing("pyodbc or PostgreSQL", "pip install pyodbc; apt-get install unixodbc odbc-postgresql postgresql")
    if subprocess.run((sys.executable, "-c", "import pyodbc"), capture_output=True).returncode != 0:
        missing("the driver manager of ODBC", "apt-get install unixodbc odbc-postgresql odbc-mariadb mariadb-server")


@pytest.mark.usefixtures("parts")
def test_no_row_is_violated() -> None:
    """Each has at least one trial. A row with a gap says what it found and why it stands open."""
    command = [sys.executable, "-m", "tests.faults", "--quick", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    lines = {line[:9].strip(): line for line in done.stdout.splitlines()}
    for row in ROWS:
        assert row.id in lines, done.stdout
        trials = lines[row.id][9:17].strip()
        assert (trials == "") is (row.run is None), lines[row.id]
        assert row.run is None or int(trials) > 0, lines[row.id]


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("name", AT_ONCE)
def test_a_seeded_bug_is_found(name: str, tmp_path: Path) -> None:
    bug = next(one for one in seeded.BUGS if one.name == name)
    assert seeded.hunt(bug, Run(True, 1, tmp_path)).violations


def test_every_seeded_bug_fits_the_code_of_today(tmp_path: Path) -> None:
    assert bugs.names() == sorted(bug.name for bug in seeded.BUGS)
    assert len(seeded.BUGS) == 17
    for bug in seeded.BUGS:
        assert seeded.row(bug.row).run is not None
        assert bugs.applied(bug.name, tmp_path / bug.name).is_dir()


def test_a_row_is_run_or_says_why_not() -> None:
    assert len({row.id for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert (row.run is None) is bool(row.later), row.id
        assert row.later or (row.quick and row.full), row.id


def test_the_page_has_every_row_and_its_links_lead_somewhere() -> None:
    page = BAR.read_text(encoding="utf-8")
    for row in ROWS:
        assert f"| {row.id} | {row.fault} |" in page
    for link in re.findall(r"\]\((.*?)\)", page):
        assert (BAR.parent / link).is_file(), link
