"""A PostgreSQL server of the tests' own: a cluster in a temporary folder, and a database for each test."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from labbridge.store import server
from tests.conftest import missing

PATIENCE_S = 60.0
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
OTHERS_OUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
BESIDE_TRIGGERS = "SET session_replication_role = replica"
RESTARTED = "SELECT setval(c.oid, 1, false) FROM pg_class c WHERE c.relkind = 'S'"
OWNER = "labbridge"
STANDBY = "standby"  # by what a primary knows its standby (synchronous_standby_names)
TEMPLATE = "labbridge_newest"
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def binary(name: str) -> str | None:
    """A program of PostgreSQL's server, on the path or where Debian keeps it."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return shutil.which(name) or next((found for place in places if (found := shutil.which(name, path=place))), None)


class Cluster:
    """One server. It is run by another account where the tests are run by root, whom PostgreSQL refuses. `follows`: the
    server that it is a standby of. `port`: one that no outgoing connection is given, where the server is to come back."""

    def __init__(self, *settings: str, follows: Cluster | None = None, port: int = 0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="labbridge-pg-"))
        self.settings = list(settings)
        self.port = port or free_port()
        self._numbers = itertools.count()
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = next(one for one in pwd.getpwall() if one.pw_name in ("postgres", "nobody"))
            self._user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        self._make(follows)
        self.process = self.start()
        self._template = False
        self._shared = ""
        self._tables: set[str] = set()

    def _make(self, follows: Cluster | None) -> None:
        if follows is None:
            made = ("initdb", "-D", "data", "-U", OWNER, "-A", "trust", "--locale=C", "-E", "UTF8", "--no-sync")
            assert self._run(*made).wait(PATIENCE_S) == 0, self.log()
            return
        there = f"host=127.0.0.1 port={follows.port} user={OWNER}"
        copied = ("pg_basebackup", "-D", "data", "-R", "-d", there, "--checkpoint=fast", "--no-sync")
        assert self._run(*copied).wait(PATIENCE_S) == 0, self.log()
        with (self.folder / "data/postgresql.auto.conf").open(
            "a"
        ) as file:  # the copying itself must not bear the name:
            file.write(f"primary_conninfo = '{there} application_name={STANDBY}'\n")  # commits would wait for it

    def follow(self, primary: Cluster) -> None:
        """Made anew as a standby of another one, at its own port; it must have been stopped."""
        shutil.rmtree(self.folder / "data")
        self._make(primary)
        self.start()

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self) -> subprocess.Popen[bytes]:
        options = [part for one in self.settings for part in ("-c", one)]
        where = ("-D", "data", "-p", str(self.port), "-k", str(self.folder), "-c", "listen_addresses=127.0.0.1")
        self.process = self._run("postgres", *where, *options)
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return self.process

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: a fast shutdown; SIGQUIT: at once, as after a crash."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE_S)

    def processes(self) -> list[int]:
        """The postmaster and its children: one for each session, and those that write and send."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, found)]

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def crash(self, *, whole: bool = False) -> None:
        """kill -9 of the postmaster, which is waited for, and so are its children: a new one does not start beside them.
        `whole`: of all of its processes, as where the machine is lost."""
        _postmaster, *children = self.processes()
        self.stop(signal.SIGKILL)
        for pid in children if whole else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE_S
        while any(map(_runs, children)):
            assert time.monotonic() < deadline, "the children of a killed postmaster go on"
            time.sleep(0.01)

    def close(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def url(self, database: str, user: str = OWNER) -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def empty(self, options: str = "") -> str:
        """The URL of a database without tables."""
        name = f"test{next(self._numbers)}"
        self.ask("postgres", f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def fresh(self) -> str:
        """The URL of a database at the newest revision."""
        if not self._template:
            self.ask("postgres", f"CREATE DATABASE {TEMPLATE}")
            server.open_writer(self.url(TEMPLATE)).close()
            self._template = True
        return self.empty(f"TEMPLATE {TEMPLATE}")

    def emptied(self) -> str:
        """The URL of a store without rows: the same database for one test after the other, since to make one takes a
        hundred times as long as to empty it."""
        if not self._shared:
            self._shared = self.fresh()
            self._tables = {name for (name,) in self.ask(_name(self._shared), TABLES)}
            return self._shared
        database = _name(self._shared)
        others = [name for (name,) in self.ask(database, TABLES) if name not in self._tables]
        emptying = [f"DELETE FROM {name}" for name in self._tables - {"alembic_version"}]
        self.ask(
            database,
            ";".join((OTHERS_OUT, BESIDE_TRIGGERS, *emptying, RESTARTED, *(f"DROP TABLE {one}" for one in others))),
        )
        return self._shared

    def ask(self, database: str, sql: str) -> list[tuple[Any, ...]]:
        """Rows, asked by the owner of everything."""
        plain = self.url(database).replace("+psycopg", "")
        with psycopg.connect(plain, autocommit=True) as session:
            cursor = session.execute(sql)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            return self.ask("postgres", "SELECT 1") == [(1,)]
        except psycopg.OperationalError:
            return False

    def _run(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        program = binary(name)
        assert program is not None
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                (program, *options), cwd=self.folder, stdout=log, stderr=log, preexec_fn=die_with_parent, **self._user
            )


def cluster(*settings: str) -> Cluster:
    """A server with these settings; skips where PostgreSQL is not installed."""
    if binary("initdb") is None:
        missing("PostgreSQL", "install its server (apt-get install postgresql)")
    return Cluster(*settings)


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def die_with_parent(number: signal.Signals = signal.SIGQUIT) -> None:
    """No server outlives a test run that was killed."""
    with contextlib.suppress(AttributeError):  # not on Linux
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, number)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
