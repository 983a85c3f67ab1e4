"""The whole service as a user runs it: real processes, real sockets, the command line, a stub LIS beside it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from labbridge.hl7.ack import Acknowledgement, read_ack
from labbridge.hl7.mllp import Frame, Framer, frame

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = ROOT / "samples"
PATIENCE_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(met: Callable[[], Any]) -> Any:
    """Wait for something to be so; its value. Fails after half a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := met()):
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.03)
    return found


class Service:
    """labbridge and a stub LIS on a folder of their own."""

    def __init__(
        self, folder: Path, extra: str = "", store: str = "", web: str = "", site: Path = SAMPLES / "site"
    ) -> None:
        self.folder, self.mllp, self.lis, self.admin = folder, free_port(), free_port(), free_port()
        self.config = folder / "labbridge.toml"
        url = store or f"sqlite:///{folder / 'store.db'}"
        self.config.write_text(
            f'facility = "LABA"\n[store]\nurl = "{url}"\nfolder = "{folder}"\n'
            f'[feeds.myolis]\nlisten = "127.0.0.1:{self.mllp}"\ntimezone = "Europe/Paris"\n'
            f'[receivers.lis]\naddress = "127.0.0.1:{self.lis}"\n'
            f'[web]\nlisten = "{web}"\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n'
            f'[knowledge]\nsite = "{site}"\n{extra}',
            encoding="utf-8",
        )
        self.stub: subprocess.Popen[bytes] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, stub: bool = True) -> None:
        if stub and self.stub is None:
            command = [sys.executable, str(SAMPLES / "stub_lis.py"), f"127.0.0.1:{self.lis}", str(self.folder / "lis")]
            self.stub = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "labbridge.cli", "serve", "--config", str(self.config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.ready)

    def ready(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(self.url("readyz"), timeout=2) as answer:
            return bool(answer.status == 200)
        return False

    def url(self, page: str) -> str:
        return f"http://127.0.0.1:{self.admin}/{page}"

    def metrics(self) -> str:
        with urllib.request.urlopen(self.url("metrics"), timeout=5) as answer:
            return str(answer.read().decode())

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(30)

    def close(self) -> None:
        for process in (self.process, self.stub):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(30)

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "labbridge.cli", *words, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env={**os.environ})

    def json(self, *words: str) -> Any:
        done = self.run(*words, "--format", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("messages", "--count")
        return found

    def settled(self) -> dict[str, Any]:
        """The counts once nothing waits to be processed."""
        until(lambda: self.counts()["waiting"] == 0)
        return self.counts()

    def received_by_the_lis(self) -> list[dict[str, Any]]:
        path = self.folder / "lis"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


class Sender:
    """One MLLP connection to a service."""

    def __init__(self, service: Service) -> None:
        self.channel = socket.create_connection(("127.0.0.1", service.mllp), 10)
        self._framer = Framer()
        self._answers: list[bytes] = []

    def send(self, message: bytes) -> Acknowledgement | None:
        """Send one message; its answer, or None where the connection ended without one."""
        self.channel.sendall(frame(message))
        return self.answer()

    def answer(self) -> Acknowledgement | None:
        raw = self.raw_answer()
        return None if raw is None else read_ack(raw)

    def raw_answer(self) -> bytes | None:
        while not self._answers:
            data = b""
            with contextlib.suppress(ConnectionError):
                data = self.channel.recv(65536)
            if not data:
                return None
            for event in self._framer.receive_data(data):
                assert isinstance(event, Frame)
                self._answers.append(event.data)
        return self._answers.pop(0)

    def close(self) -> None:
        self.channel.close()


@contextlib.contextmanager
def sender(service: Service) -> Iterator[Sender]:
    found = Sender(service)
    try:
        yield found
    finally:
        found.close()


def sample(name: str) -> bytes:
    """A sample message as it goes over the wire."""
    return (SAMPLES / name).read_bytes().replace(b"\n", b"\r")
