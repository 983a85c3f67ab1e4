"""The whole service beside a LIS that has tables and no messages: rows come in, a person releases the comment, it stands in
the staging table; what is wrong with a connection is said in a line, and stops nothing else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_parts import Service, sample, sender, until
from test_service_story import waiting

from tests.conftest import missing

CREATE = (
    "CREATE TABLE results (id integer PRIMARY KEY, changed timestamp, pat varchar(20), ord varchar(20), taken timestamp,"
    " test varchar(20), name varchar(60), sys varchar(5), val varchar(20), unit varchar(20), lim varchar(20), st char(2))",
    "CREATE VIEW results_v AS SELECT * FROM results",
    "CREATE TABLE comments (lb_id varchar(60) PRIMARY KEY, comment_text text, pat varchar(20), ord varchar(20),"
    " signed timestamp, retests text)",
)
RESULTS = (
    (1, "PT1", "F1", "SRPB", "Anti-SRP (line blot)", "L", "58", "intensity", "0-5"),
    (2, "PT1", "F1", "2157-6", "Creatine kinase", "LN", "3400", "U/L", "39-190"),
)
COLUMNS = (
    'patient_id = "pat", filler_order = "ord", collected = "taken", code = "test", code_name = "name", code_system = "sys",'
    ' value = "val", unit = "unit", reference_range = "lim", status = "st"'
)
STAGED = (
    'id = "lb_id", text = "comment_text", patient_id = "pat", filler_order = "ord", signed = "signed",'
    ' retests = "retests"'
)


def feed(connection: str, view: str = "results_v", columns: str = COLUMNS, key: str = "id") -> str:
    return (
        f'[feeds.tables]\nkind = "odbc"\nsender = "MYOLIS|LABA"\ntimezone = "Europe/Paris"\nsettle_s = 0\n'
        f'[feeds.tables.odbc]\nconnection = "{connection}"\nview = "{view}"\nkey = ["{key}"]\nchanged = "changed"\n'
        f'number = "id"\npoll_s = 0.2\ncolumns = {{ {columns} }}\n'
    )


def receiver(connection: str, table: str = "comments", columns: str = STAGED) -> str:
    return f'[receivers.lis.odbc]\nconnection = "{connection}"\ntable = "{table}"\ncolumns = {{ {columns} }}\n'


class Lis:
    """A file of tables."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "lis.db"
        self.connection = f"DRIVER={{SQLite3}};DATABASE={self.file}"
        self.do(*CREATE)

    def do(self, *statements: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.file, timeout=10) as session:
            found: list[tuple[Any, ...]] = []
            for one in statements:
                found = session.execute(one, values).fetchall()
        session.close()
        return found

    def result(self, row: tuple[Any, ...], status: str = "F") -> None:
        moment = self.do("SELECT strftime('%Y-%m-%d %H:%M:%f')")[0][0]
        number, patient, order, *rest = row
        values = (number, moment, patient, order, "2026-11-10 09:15:00.000", *rest, status)
        self.do(f"INSERT OR REPLACE INTO results VALUES ({','.join('?' * len(values))})", values=values)


def need() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import pyodbc; print(pyodbc.drivers())"], capture_output=True, text=True
    )
    if "SQLite3" not in done.stdout:
        missing("pyodbc or the ODBC driver of SQLite", "pip install pyodbc; apt-get install unixodbc libsqliteodbc")


@pytest.fixture(scope="module")
def lis(tmp_path_factory: pytest.TempPathFactory) -> Lis:
    need()
    return Lis(tmp_path_factory.mktemp("lis"))


@pytest.fixture(scope="module")
def tables(lis: Lis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose results and comments are rows, with a feed of MLLP beside."""
    service = Service(tmp_path_factory.mktemp("tables"), feed(lis.connection))
    text = service.config.read_text(encoding="utf-8")
    mllp = f'[receivers.lis]\naddress = "127.0.0.1:{service.lis}"\n'
    assert mllp in text
    text = text.replace(mllp, f'[receivers.lis]\nkind = "odbc"\n{receiver(lis.connection)}')
    service.config.write_text(text, encoding="utf-8")
    try:
        service.start(stub=False)
        yield service
    finally:
        service.close()


def readiness(service: Service) -> str:
    with urllib.request.urlopen(service.url("readyz"), timeout=5) as answer:
        return str(answer.read().decode())


def test_rows_are_drafted_released_and_their_comment_stands_in_the_table(tables: Service, lis: Lis) -> None:
    for row in RESULTS:
        lis.result(row)
    until(lambda: tables.counts()["waiting"] == 0 and tables.counts()["received"] == 2)
    (case,) = until(lambda: waiting(tables))
    assert case["outcome"]["states"]["SRP"] == "POS_STRONG"
    answer = tables.json("release", case["shown"], "--as", "Alex Smith")
    assert answer["ok"], answer
    key = answer["done"][0]["result"]
    until(lambda: tables.json("show", key)["state"] == "acknowledged")
    ((id, text, patient, order, retests),) = lis.do("SELECT lb_id, comment_text, pat, ord, retests FROM comments")
    assert (text, patient, order) == (case["text"], "PT1", "F1")
    assert id
    assert "HMGCR" in retests


def test_what_a_row_said_is_shown_as_it_was_read(tables: Service, lis: Lis) -> None:
    until(lambda: tables.counts()["received"] >= 2)
    shown = tables.run("show", "M1").stdout
    assert '"view":"results_v"' in shown
    assert '"val":"58"' in shown
    kept = tables.folder / "row.json"
    kept.write_text(tables.json("show", "M1")["raw"], encoding="utf-8")
    done = tables.run("interpret", str(kept))
    assert done.returncode in (0, 1), done.stderr
    assert "SRP" in done.stdout
    suggested = tables.run("map", "suggest", str(kept))
    assert "SRPB" in suggested.stdout


def test_the_metrics_say_how_the_view_is_read(tables: Service) -> None:
    found = tables.metrics()
    assert 'labbridge_odbc_stopped{feed="tables"} 0.0' in found
    assert 'labbridge_messages_received_total{feed="tables",outcome="accepted",type="ROW"}' in found
    assert "labbridge_odbc_readings_total" in found


def test_gaps_are_listed(tables: Service, lis: Lis) -> None:
    lis.result((7, "PT7", "F7", *RESULTS[0][3:]))
    until(lambda: "3-6" in tables.run("odbc", "gaps", "tables").stdout)
    (gap,) = tables.json("odbc", "gaps", "tables")["gaps"]
    assert (gap["first"], gap["last"], gap["open"]) == (3, 6, True)
    assert 'labbridge_odbc_gaps{feed="tables",state="open"} 1.0' in tables.metrics()


def test_a_connection_is_tried_in_a_line(tables: Service) -> None:
    done = tables.run("odbc", "test", "tables")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "feeds.tables: SQLite: results_v can be read, and its first rows are understood\n"
    done = tables.run("odbc", "test", "lis")
    assert (done.returncode, done.stdout) == (0, "receivers.lis: SQLite: comments can be read back and written\n")
    done = tables.run("odbc", "test", "nobody")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "tables, lis" in done.stderr
    doctor = tables.run("doctor").stdout
    assert "ok       feeds.tables.odbc can be loaded" in doctor
    assert "ok       receivers.lis.odbc can be loaded" in doctor


def test_a_view_that_drifts_stops_its_feed_and_nothing_else(tables: Service, lis: Lis) -> None:
    lis.do("DROP VIEW results_v", "CREATE VIEW results_v AS SELECT id, changed, pat, ord FROM results")
    until(lambda: 'labbridge_odbc_stopped{feed="tables"} 1.0' in tables.metrics())
    assert "odbc_feed_stopped" in readiness(tables)
    assert '"reason": "column_missing"' in tables.log()
    before = tables.counts()["received"]
    with sender(tables) as line:
        answer = line.send(sample("02-srp-hep2-negative/1a-ck.hl7"))
        assert answer is not None
        assert answer.code == "AA"
    assert tables.counts()["received"] == before + 1
    done = tables.run("odbc", "test", "tables")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no such column (taken)" in done.stderr
    lis.do("DROP VIEW results_v", CREATE[1])
    lis.result((8, "PT8", "F8", *RESULTS[0][3:]))
    tables.stop()
    tables.start(stub=False)
    until(lambda: tables.counts()["received"] == before + 2)
    assert "PT1" not in tables.log()


# ---------------------------------------------------------------- what is wrong, in a line


def base(folder: Path) -> str:
    return f'[store]\nurl = "sqlite:///{folder}/s.db"\nvolatile = true\n[web]\nlisten = ""\n'


def tried(folder: Path, text: str, name: str = "tables") -> tuple[int, str]:
    path = folder / "labbridge.toml"
    path.write_text(
        f'[store]\nurl = "sqlite:///{folder}/s.db"\nvolatile = true\n[web]\nlisten = ""\n{text}', encoding="utf-8"
    )
    command = [sys.executable, "-m", "labbridge.cli", "odbc", "test", name, "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={**os.environ})
    return done.returncode, done.stderr or done.stdout


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"connection": "DRIVER={Nothing};DATABASE=x"}, "the driver is not installed"),
        ({"connection": "DSN=nothing"}, "no data source of this name"),
        ({"view": "nothing"}, "no such table or view"),
        ({"columns": COLUMNS.replace('"val"', '"nothing"')}, "no such column (nothing)"),
        ({"key": "nothing"}, "no such column (nothing)"),
    ],
)
def test_a_feed_that_cannot_be_read_is_told_with_its_repair(tmp_path: Path, what: dict[str, str], said: str) -> None:
    need()
    lis = Lis(tmp_path)
    code, text = tried(tmp_path, feed(**{"connection": lis.connection, **what}))
    assert code == 1
    assert said in text
    assert text.count("\n") == 1
    assert ": " in text.partition(said)[2]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"table": "nothing"}, "no such table"),
        ({"table": "results", "columns": 'id = "ord", text = "val"'}, "nothing keeps `id` unique (results.ord)"),
        ({"columns": STAGED.replace('"retests"', '"nothing"')}, "no such column (nothing)"),
    ],
)
def test_a_table_that_cannot_be_written_is_told_with_its_repair(
    tmp_path: Path, what: dict[str, str], said: str
) -> None:
    need()
    lis = Lis(tmp_path)
    text = f'[receivers.lis]\nkind = "odbc"\n{receiver(**{"connection": lis.connection, **what})}'
    code, told = tried(tmp_path, text, "lis")
    assert (code, told.count("\n")) == (1, 1)
    assert said in told


def test_rows_that_would_be_quarantined_are_told(tmp_path: Path) -> None:
    need()
    lis = Lis(tmp_path)
    lis.result((1, "PT1", "F1", "", "", "L", "58", "U", "0"))
    code, text = tried(tmp_path, feed(lis.connection))
    assert code == 1
    assert "1 of its first rows would be quarantined: The row names no test (View.rows[0].test)" in text
    assert "PT1" not in text


def test_a_service_whose_driver_is_not_there_does_not_start(tmp_path: Path) -> None:
    need()
    path = tmp_path / "labbridge.toml"
    text = feed("DRIVER={Nothing};DATABASE=x")
    path.write_text(
        f'[store]\nurl = "sqlite:///{tmp_path}/s.db"\nvolatile = true\n[web]\nlisten = ""\n{text}', encoding="utf-8"
    )
    command = [sys.executable, "-m", "labbridge.cli", "serve", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (78, 1)
    assert done.stderr.startswith("feeds.tables.odbc.connection: the driver is not installed: install it")


def test_without_the_driver_manager_it_says_what_to_install(tmp_path: Path) -> None:
    need()
    lis, hidden = Lis(tmp_path), tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "pyodbc.py").write_text("raise ImportError('libodbc.so.2: cannot open shared object file')\n")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{hidden}:{before}"
    try:
        code, text = tried(tmp_path, feed(lis.connection))
    finally:
        os.environ["PYTHONPATH"] = before
    assert code == 1
    assert text == ("feeds.tables.odbc.connection: the driver manager is not installed: apt-get install unixodbc\n")
