"""The service under test: the installed `labbridge serve` on a folder of its own, started, killed, asked, and brought to
rest. Nothing of it is imported."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.faults import beside
from tests.faults.beside import Database, Unanswered

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "samples/site"
PATIENCE_S = 60.0
WAITING = (
    "SELECT (SELECT count(*) FROM work WHERE state = 'kept'),"
    " (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'sent'))"
)


_ports = itertools.count(12_000 + os.getpid() * 61 % 18_000)


def free_port() -> int:
    """A port below those that outgoing connections are given, so that none of them takes it before it is listened on."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", 12_000 + port % 20_000))
            return 12_000 + port % 20_000
    raise AssertionError


def until(met: Callable[[], Any], within_s: float = PATIENCE_S, step_s: float = 0.02) -> Any:
    """Wait for something to be so; what it gave, or its last falsy value when the time was up."""
    deadline = time.monotonic() + within_s
    while not (found := met()) and time.monotonic() < deadline:
        time.sleep(step_s)
    return found


class Service:
    """`role` is what is run of it. `extra` are further lines of the configuration; `receivers` maps names to ports;
    `patched` is a folder put in front of the installed package. `database`: the store as it is asked beside the service, a
    file or the URL of a server; `store`: the URL by which the service reaches it, where that is another one."""

    role = "all"

    def __init__(
        self,
        folder: Path,
        *,
        receivers: Mapping[str, int] | None = None,
        extra: str = "",
        patched: Path | None = None,
        database: Database | None = None,
        store: str = "",
        role: str = "",
        timeout_s: float = 2,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port, self.admin = folder, free_port(), free_port()
        self.role = role or self.role
        self.database: Any = database or folder / "store.db"
        self.store = store or (str(database) if isinstance(database, str) else f"sqlite:///{self.database}")
        self.receivers = dict(receivers or {"lis": free_port()})
        self.extra, self._timeout_s = extra, timeout_s
        self._environment = {**os.environ, **(environment or {})}
        if patched is not None:
            self._environment["PYTHONPATH"] = str(patched)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def control(self) -> Path:
        """What its control socket lies beside."""
        if isinstance(self.database, Path):
            return self.database
        return self.folder / "var" / self.store.partition("?")[0].rpartition("/")[2]

    def configure(self, feeds: str = "", more: str = "") -> Path:
        """Write labbridge.toml; `feeds` in place of the one feed `myolis`."""
        feed = f'[feeds.myolis]\nlisten = "127.0.0.1:{self.port}"\ntimezone = "Europe/Paris"\nsettle_s = 0\n'
        if len(self.receivers) > 1:
            feed += f'receiver = "{next(iter(self.receivers))}"\n'
        lines = [
            f'facility = "LABA"\n[store]\nurl = "{self.store}"\nfolder = "{self.folder / "var"}"\nvolatile = true\n',
            feeds or feed,
            *(
                f'[receivers.{name}]\naddress = "127.0.0.1:{port}"\ntimeout_s = {self._timeout_s}\n'
                for name, port in self.receivers.items()
            ),
            f'[web]\nlisten = ""\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n'
            f'[knowledge]\nsite = "{SITE}"\n{self.extra}{more}',
        ]
        path = self.folder / "labbridge.toml"
        path.write_text("".join(lines), encoding="utf-8")
        return path

    # ---------------------------------------------------------------- start and stop

    def start(self, *, wait: bool = True, **options: Any) -> None:
        """Start it; with `wait` until it is ready. RuntimeError with its last log lines where it does not come up."""
        config = self.folder / "labbridge.toml"
        if not config.is_file():
            self.configure()
        command = [
            str(Path(sys.executable).with_name("labbridge")),
            "serve",
            "--config",
            str(config),
            "--role",
            self.role,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=self.folder, env=self._environment,
                start_new_session=True, **options,
            )  # fmt: skip
        if wait:
            until(lambda: self.ready() or self.process.poll() is not None)  # type: ignore[union-attr]
            if not self.ready():
                raise RuntimeError(f"the service did not come up: {self.log()[-600:]}")

    def ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(self._url("readyz"), timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def readiness(self) -> tuple[int, str]:
        """Status and body of /readyz; (0, "") where nobody answers."""
        try:
            with urllib.request.urlopen(self._url("readyz"), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as fault:
            return fault.code, fault.read().decode()
        except OSError:
            return 0, ""

    def metrics(self) -> str:
        with urllib.request.urlopen(self._url("metrics"), timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def _url(self, page: str) -> str:
        return f"http://127.0.0.1:{self.admin}/{page}"

    def kill(self, whole: bool = True) -> None:
        """SIGKILL to the main process, or with its processing process; waited for."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            if whole:
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the service and its processing process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, within_s: float = 30.0) -> int:
        """SIGTERM; its exit code, -9 where it had to be killed."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(within_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.returncode

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.kill()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # ---------------------------------------------------------------- looking

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database says, read beside the service."""
        return beside.rows(self.database, sql, *values)

    def _waiting(self) -> tuple[int, int] | None:
        """How many messages and deliveries wait; None where the database does not say so now."""
        with contextlib.suppress(Unanswered):
            ((work, deliveries),) = self.rows(WAITING)
            return work, deliveries
        return None

    def at_rest(self) -> bool:
        return self._waiting() == (0, 0)

    def processed(self) -> bool:
        waiting = self._waiting()
        return waiting is not None and waiting[0] == 0

    def quiesce(self, within_s: float = 120.0) -> bool:
        """Wait until nothing waits to be processed or sent; whether it came to that."""
        return bool(until(self.at_rest, within_s, 0.05))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the command line on this service's store."""
        command = [str(Path(sys.executable).with_name("labbridge")), *words]
        return subprocess.run(
            [*command, "--config", str(self.folder / "labbridge.toml")],
            capture_output=True, text=True, cwd=self.folder, env=self._environment,
        )  # fmt: skip

    def files(self) -> int:
        """How many files the main process holds open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_mb(self) -> float:
        """Resident memory of the main process, in MB."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
