"""Databases of a laboratory as the tests have them: real servers with their real ODBC drivers, each in a temporary
folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyodbc

from tests.clusters import Cluster, cluster, die_with_parent, free_port
from tests.conftest import missing

PATIENCE_S = 60.0
DRIVERS = {
    "PostgreSQL Unicode": "odbc-postgresql",
    "MariaDB Unicode": "odbc-mariadb",
    "SQLite3": "libsqliteodbc",
    "FreeTDS": "tdsodbc",
}
"""The drivers by name, and the package of each."""


SERVERS = ("PostgreSQL", "MariaDB")
Test = TypeVar("Test", bound=Callable[..., object])


def on(*names: str) -> Callable[[Test], Test]:
    """Run a test on these databases alone (conftest.py)."""

    def marked(test: Test) -> Test:
        test.databases = names  # type: ignore[attr-defined]
        return test

    return marked


def need(driver: str) -> None:
    """Skip where a driver is not installed."""
    if driver not in pyodbc.drivers():
        missing(f"the ODBC driver {driver}", f"install it (apt-get install unixodbc {DRIVERS[driver]})")


class Database(Protocol):
    """One database. `name` is what its dialect is called; `connection` what a configuration says."""

    name: str
    connection: str

    def owner(self) -> pyodbc.Connection: ...

    def execute(self, *statements: str) -> None: ...

    def close(self) -> None: ...


class _Owned:
    """What all have: statements of the owner, who may do everything."""

    connection: str

    def owner(self) -> pyodbc.Connection:
        return pyodbc.connect(self.connection, autocommit=True)

    def execute(self, *statements: str) -> None:
        with closing(self.owner()) as session:
            for one in statements:
                session.execute(one)


class Postgres(_Owned):
    name = "PostgreSQL"

    def __init__(self) -> None:
        need("PostgreSQL Unicode")
        self.server: Cluster = cluster("fsync=off", "max_connections=400", "timezone=UTC")
        self.server.ask("postgres", "CREATE DATABASE lis")
        self.connection = (
            f"DRIVER={{PostgreSQL Unicode}};SERVER=127.0.0.1;PORT={self.server.port};DATABASE=lis;UID=labbridge"
        )

    @property
    def processes(self) -> list[int]:
        """The postmaster and everything it started."""
        return [self.server.process.pid, *children(self.server.process.pid)]

    def restart(self, how: signal.Signals = signal.SIGQUIT) -> None:
        self.server.stop(how)
        self.server.start()

    def close(self) -> None:
        signal_all(self.processes, signal.SIGCONT)
        self.server.close()


class MariaDb(_Owned):
    name = "MariaDB"

    def __init__(self) -> None:
        need("MariaDB Unicode")
        if shutil.which("mariadbd", path=PATH) is None:
            missing("MariaDB", "install its server (apt-get install mariadb-server)")
        self.folder = Path(tempfile.mkdtemp(prefix="labbridge-maria-"))
        self.port = free_port()
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = next(one for one in pwd.getpwall() if one.pw_name in ("mysql", "nobody"))
            self._user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._run("mariadb-install-db", "--auth-root-authentication-method=normal", "--skip-test-db").wait(PATIENCE_S)
        self.process = self.start()
        base = f"DRIVER={{MariaDB Unicode}};SERVER=127.0.0.1;PORT={self.port};UID=root"
        with closing(pyodbc.connect(base, autocommit=True)) as session:
            session.execute("CREATE DATABASE lis CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        self.connection = f"{base};DATABASE=lis"

    def start(self) -> subprocess.Popen[bytes]:
        self.process = self._run(
            "mariadbd", "--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.folder}/s",
            f"--pid-file={self.folder}/pid", "--innodb-flush-log-at-trx-commit=2", "--max-connections=400",
            "--innodb-fast-shutdown=2", "--default-time-zone=+00:00",
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)
        return self.process

    def _answers(self) -> bool:
        try:
            pyodbc.connect(f"DRIVER={{MariaDB Unicode}};SERVER=127.0.0.1;PORT={self.port};UID=root", timeout=2).close()
        except pyodbc.Error:
            return False
        return True

    @property
    def processes(self) -> list[int]:
        return [self.process.pid]

    def restart(self, how: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)
        self.start()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        shutil.rmtree(self.folder)

    def _run(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        found = shutil.which(program, path=PATH)
        assert found is not None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                (found, "--no-defaults", f"--datadir={self.folder}/data", *options),
                cwd=self.folder, stdout=log, stderr=log, preexec_fn=die_with_parent, **self._user,
            )  # fmt: skip


class Sqlite(_Owned):
    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        need("SQLite3")
        self.file = folder / "lis.db"
        sqlite3.connect(self.file).close()
        self.connection = f"DRIVER={{SQLite3}};DATABASE={self.file}"

    def close(self) -> None:
        """It is a file of the test's folder."""


PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"


def children(process: int) -> list[int]:
    """The processes that a process started."""
    found = Path(f"/proc/{process}/task/{process}/children")
    return [int(one) for one in found.read_text().split()] if found.exists() else []


def signal_all(processes: list[int], number: signal.Signals) -> None:
    for one in processes:
        try:
            os.kill(one, number)
        except ProcessLookupError:
            continue
