"""The LIS of the tests: a table of results with a view on it, and many sessions that write it at once. They commit late,
roll back, share timestamps, and correct what they wrote."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from typing import Any

import pyodbc

from tests.odbc.servers import Database

TYPES = {
    "PostgreSQL": ("bigserial PRIMARY KEY", "timestamp"),
    "MariaDB": ("bigint AUTO_INCREMENT PRIMARY KEY", "datetime(6)"),
    "SQLite": ("integer PRIMARY KEY AUTOINCREMENT", "timestamp"),
}
NOW = {"PostgreSQL": "clock_timestamp()::timestamp", "MariaDB": "now(6)", "SQLite": "strftime('%Y-%m-%d %H:%M:%f')"}
COLUMNS = (
    "patient varchar(20), code varchar(20), value varchar(20), unit varchar(20), order_no varchar(20), collected {time}"
)
SECTION = """
[feeds.{feed}]
kind = "odbc"
sender = "MYOLIS|LABA"
timezone = "UTC"
settle_s = 0
receiver = "lis"
[feeds.{feed}.odbc]
connection = "{connection}"
view = "results_v"
key = ["id"]
changed = "changed"
number = "id"
window_s = {window_s}
poll_s = 0.2
recount_s = {recount_s}
timeout_s = {timeout_s}
columns = {{patient_id = "patient", code = "code", value = "value", unit = "unit", filler_order = "order_no",
  collected = "collected"}}
"""
FEED = "tables"


def section(database: Database, *, window_s: float = 8, recount_s: float = 86_400, timeout_s: int = 30) -> str:
    """The feed, as a configuration has it."""
    found = SECTION.format(
        feed=FEED, connection=database.connection, window_s=window_s, recount_s=recount_s, timeout_s=timeout_s
    )
    return found.replace("columns = {patient_id", "columns = {patient_id").replace(",\n  collected", ", collected")


def create(database: Database) -> None:
    """The table of results, empty, and the view that is read."""
    identity, moment = TYPES[database.name]
    columns = COLUMNS.format(time=moment)
    database.execute(
        "DROP VIEW IF EXISTS results_v",
        "DROP TABLE IF EXISTS results",
        f"CREATE TABLE results (id {identity}, changed {moment} NOT NULL, {columns})",
        "CREATE INDEX results_changed ON results (changed, id)",
        "CREATE VIEW results_v AS SELECT * FROM results",
    )


def fill(database: Database, rows: int) -> None:
    """So many rows that were there before, a thousand at each moment."""
    series = {
        "PostgreSQL": f"SELECT n FROM generate_series(1, {rows}) AS s(n)",
        "MariaDB": f"SELECT seq AS n FROM seq_1_to_{rows}",
    }[database.name]
    when = {
        "PostgreSQL": f"{NOW['PostgreSQL']} - interval '1 day' + (n / 1000) * interval '1 second'",
        "MariaDB": "now(6) - INTERVAL 1 DAY + INTERVAL (n DIV 1000) SECOND",
    }[database.name]
    database.execute(
        "INSERT INTO results (changed, patient, code, value, unit, order_no, collected)"
        f" SELECT {when}, concat('P', n % 5000), 'NA', '140', 'mmol/L', concat('F', n), '2026-11-10 09:15:00'"
        f" FROM ({series}) AS numbers"
    )


class Writers:
    """Sessions that write until `rows` rows are written in all, each a transaction of several rows after the other. One of
    six is rolled back; a third are open for up to `latest_s`; half of the transactions give all their rows one time."""

    def __init__(
        self, database: Database, rows: int, *, sessions: int = 40, latest_s: float = 4.0, seed: int = 1
    ) -> None:
        self._database, self._left, self._latest_s = database, rows, latest_s
        self._turn, self._rng = threading.Lock(), random.Random(seed)
        self.committed = self.rolled_back = 0
        self.failed: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=(seed * 1000 + one,)) for one in range(sessions)]

    def start(self) -> None:
        for one in self._threads:
            one.start()

    def join(self) -> None:
        for one in self._threads:
            one.join()
        if self.failed:
            raise self.failed[0]

    @property
    def busy(self) -> bool:
        return any(one.is_alive() for one in self._threads)

    def _work(self, seed: int) -> None:
        rng = random.Random(seed)
        try:
            with closing(pyodbc.connect(self._database.connection, autocommit=False)) as session:
                while self._write(session, rng):
                    pass
        except (pyodbc.Error, AssertionError) as error:
            self.failed.append(error)

    def _write(self, session: pyodbc.Connection, rng: random.Random) -> bool:
        with self._turn:
            rows = min(self._left, rng.choice((1, 5, 20, 60)))
            self._left -= rows
        if rows == 0:
            return False
        name = self._database.name
        when = f"'{_shared(session, name)}'" if rng.random() < 0.5 else NOW[name]
        values = ",".join(
            f"({when}, 'P{rng.randrange(5000)}', 'NA', '{rng.randrange(120, 160)}', 'mmol/L', 'G{rng.randrange(10**9)}',"
            " '2026-11-10 09:15:00')"
            for _row in range(rows)
        )
        session.execute(
            f"INSERT INTO results (changed, patient, code, value, unit, order_no, collected) VALUES {values}"
        )
        if rng.random() < 0.33:
            time.sleep(rng.random() * self._latest_s)
        if rng.random() < 1 / 6:
            session.rollback()
            self.rolled_back += rows
        else:
            session.commit()
            self.committed += rows
        return True


def _shared(session: pyodbc.Connection, name: str) -> str:
    """Now, cut to the second below: many rows of many sessions have it, while others are later."""
    found: datetime = session.execute(f"SELECT {NOW[name]}").fetchone()[0]
    return (found.replace(microsecond=0)).isoformat(sep=" ")


def corrected(database: Database, every: int) -> int:
    """Correct one row of so many; how many were."""
    with closing(database.owner()) as session:
        return int(
            session.execute(
                f"UPDATE results SET value = concat(value, '.5'), changed = {NOW[database.name]} WHERE id % {every} = 0"
            ).rowcount
        )


def rows_of(database: Database) -> dict[int, tuple[Any, ...]]:
    """What is there in the end, by id."""
    with closing(database.owner()) as session:
        found = session.execute("SELECT id, changed, patient, value, order_no FROM results_v").fetchall()
    return {row[0]: tuple(row[1:]) for row in found}


def patient(done: Callable[[], bool], within_s: float) -> bool:
    """Wait until something is so; whether it came to that."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
