"""One experiment: the service, senders, a stub LIS, a signer and proxies, each a process of its own, and one folder with
their histories and the database, which is all that the checker is given."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.faults import checker, signer
from tests.faults.journal import History
from tests.faults.service import ROOT, Service, free_port, until


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class World:
    """Use it as a context: every process it started ends with it. `nemesis` writes down what was done, and when."""

    def __init__(self, folder: Path, seed: int, patched: Path | None = None, **service: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.seed, self.rng, self.patched = folder, seed, random.Random(seed), patched
        self.violated = False
        self.service = Service(folder, patched=patched, **service)
        self.nemesis = History(folder / "nemesis.jsonl")
        self._parts: dict[str, subprocess.Popen[bytes]] = {}
        self.nodes: dict[str, Service] = {}  # several services on one store, in place of the one (nodes.py)

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._parts.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        for service in (self.service, *self.nodes.values()):
            service.close()
        self.nemesis.close()
        if error is None and not self.violated:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---------------------------------------------------------------- parts

    def part(self, module: str, name: str, **settings: Any) -> subprocess.Popen[bytes]:
        """Start a part in a process of its own. Its history is NAME.jsonl."""
        path = self.folder / f"{name}.json"
        history = str(self.folder / f"{name}.jsonl")
        path.write_text(json.dumps({"name": name, "seed": self.seed, "history": history, **settings}))
        before = [] if self.patched is None else [str(self.patched)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*before, str(ROOT)])}
        command = [sys.executable, "-m", f"tests.faults.{module}", str(path)]
        return self.program(name, command, env=environment)

    def program(self, name: str, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        with (self.folder / "parts.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **options)
        self._parts[name] = process
        return process

    def pid(self, name: str) -> int:
        return self._parts[name].pid

    def lis(self, receiver: str = "lis", **settings: Any) -> subprocess.Popen[bytes]:
        port = self.service.receivers[receiver]
        process = self.part("lis", receiver, port=port, **settings)
        until(lambda: listens(port))
        return process

    def lis_modes(self, modes: Mapping[str, float], receiver: str = "lis", refuse: str = "") -> None:
        """How the LIS answers from now on; messages with `refuse` in them are refused."""
        self._control(receiver, {"modes": dict(modes), "refuse": refuse})

    def proxy(self, name: str, target: int, **ways: Mapping[str, float]) -> int:
        """A fault proxy in front of a port; its own port."""
        port = free_port()
        self.part("proxy", name, port=port, target=target, **ways)
        until(lambda: listens(port))
        return port

    def pgproxy(self, name: str, port: int, target: int, **settings: Any) -> None:
        """A proxy at this port in front of a PostgreSQL server."""
        self.part("pgproxy", name, port=port, target=target, **settings)
        until(lambda: listens(port))

    def pgproxy_ways(self, name: str, **ways: Mapping[str, float]) -> None:
        """What it does from now on with the answers to which kinds of commits; to none where none is named."""
        self._control(name, {"ways": ways})

    def proxy_ways(self, name: str, **ways: Mapping[str, float]) -> None:
        self._control(name, ways)

    def _control(self, name: str, told: Mapping[str, Any]) -> None:
        path = self.folder / f"{name}.jsonl.control"
        fresh = path.with_suffix(".fresh")
        fresh.write_text(json.dumps(told))
        fresh.replace(path)

    def sender(self, name: str, **settings: Any) -> subprocess.Popen[bytes]:
        return self.part("sender", name, **{"port": self.service.port, "window": 8, **settings})

    def signer(self, **settings: Any) -> subprocess.Popen[bytes]:
        where = {"database": str(self.service.database), "control": str(self.service.control)}
        return self.part("signer", "signer", **{**where, **settings})

    def sign(self, within_s: float = 60.0) -> list[str]:
        """A person signs what there is, from the row itself; the keys of the deliveries."""
        history = History(self.folder / "signer.jsonl")
        deadline = time.monotonic() + within_s
        done: list[str] = []
        until(self.service.processed, within_s)
        while (keys := signer.worklist(self.service.database)) and time.monotonic() < deadline:
            done += [one["result"] for one in signer.sign(self.service.control, keys, history) if one["ok"]]
        history.close()
        return done

    def end(self, *names: str, within_s: float = 90.0) -> None:
        """Have parts finish what they have begun, and end."""
        for name in names:
            if self._parts[name].poll() is None:
                self._parts[name].terminate()
        for name in names:
            try:
                self._parts[name].wait(within_s)
            except subprocess.TimeoutExpired:
                self._parts[name].kill()
                self._parts[name].wait()

    def wait(self, name: str, within_s: float = 60.0) -> bool:
        """Whether a part that ends by itself did so in time."""
        return until(lambda: self._parts[name].poll() is not None, within_s) is True

    # ---------------------------------------------------------------- what is done to it

    def start(self, **options: Any) -> None:
        self.nemesis.write({"ev": "start"})
        self.service.start(**options)

    def kill(self, whole: bool = True) -> None:
        self.nemesis.write({"ev": "kill", "whole": whole})
        self.service.kill(whole)
        self.nemesis.write({"ev": "killed"})

    def freeze(self, pid: int, seconds: float, what: str) -> None:
        self.nemesis.write({"ev": "freeze", "what": what, "seconds": seconds})
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        self.nemesis.write({"ev": "thaw", "what": what})
        os.kill(pid, signal.SIGCONT)

    def freeze_processing(self) -> None:
        """The processing process stands still until the service is killed: what comes from now on waits."""
        (child, *_rest) = Path(f"/proc/{self.service.pid}/task/{self.service.pid}/children").read_text().split()
        self.nemesis.write({"ev": "freeze", "what": "processing", "seconds": 0})
        os.kill(int(child), signal.SIGSTOP)

    # ---------------------------------------------------------------- the end

    def settle(self, *senders: str, within_s: float = 120.0, signer: bool = False) -> bool:
        """Senders resolve what is open, the signer signs what is left, queues run empty. Whether it came to that."""
        self.end(*senders)
        rested = bool(until(self.service.processed, within_s, 0.05))
        if signer:
            self.end("signer")
        return rested and self.service.quiesce(within_s)

    def check(self, **asked: Any) -> checker.Verdict:
        """The metrics once more, then a clean stop, then the checker over the files."""
        if self.service.alive:
            (self.folder / "metrics.txt").write_text(self.service.metrics())
            self.nemesis.write({"ev": "stop"})
            self.service.stop()
        for name, node in self.nodes.items():
            self.nemesis.write({"ev": "stop", "what": name})
            node.stop()
        found = checker.check(self.folder, self.service.database, **asked)
        self.violated = bool(found.count)
        return found
