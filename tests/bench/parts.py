"""The processes of a run: the bare listener, labbridge, a listener that keeps nothing, and the load generator."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
TOOLS = Path(os.environ.get("LABBRIDGE_TOOLS", ROOT.parent / "shared/tools"))
MESSAGE = ROOT / "samples/02-srp-hep2-negative/1b-serology.hl7"
SITE = ROOT / "samples/site"
CONNECTIONS = 16
DATABASE = "postgres"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def load_file(folder: Path) -> Path:
    """The sample with every patient, order and specimen different."""
    path = folder / "load.hl7"
    path.write_text(load_text(), encoding="utf-8")
    return path


def load_text() -> str:
    """The same as text; {{ID}} stands where each message has a name of its own."""
    text = MESSAGE.read_text(encoding="utf-8")
    for fixed in ("PT1002", "PL1002", "FL1002S", "S26-1002"):
        text = text.replace(fixed, f"{fixed[0]}{{{{ID}}}}")
    return text


@contextlib.contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def listening(port: int, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"nothing listens on {port}")
        time.sleep(0.02)


def ready(admin: int, within_s: float = 20.0) -> None:
    """Wait until a service takes messages and its processing runs."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1):
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the service does not become ready")
        time.sleep(0.02)


def watch(pid: int, database: int = 0) -> list[str]:
    """Options that make the generator measure a process with its children, each child alone, and a database server."""
    children = family(pid)[1:]
    names = {"all": pid, **{f"child{number}": child for number, child in enumerate(children, 1)}}
    names |= {DATABASE: database} if database else {}
    return [f"--watch={name}={one}" for name, one in names.items()]


@contextlib.contextmanager
def generating(port: int, file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The load generator at work."""
    command = [sys.executable, str(TOOLS / "mllp_load.py"), "127.0.0.1", str(port), "-f", str(file), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process


def measured(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What the generator found, once it ends. A message that was not answered AA makes the run worthless."""
    out, err = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the load generator failed: {err.strip()}")
    found: dict[str, Any] = json.loads(out)
    if "errors" in found and (any(found["errors"].values()) or set(found["ack_codes"]) != {"AA"}):
        raise RuntimeError(f"not every message was accepted: {found['ack_codes']}, {found['errors']}")
    return found


def generate(port: int, file: Path, *options: str) -> dict[str, Any]:
    """Run the load generator; what it measured."""
    with generating(port, file, *options) as process:
        return measured(process)


class Labbridge:
    """A service on a fresh store, in a folder of its own: SQLite, or the database of this URL."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.port, self.admin = free_port(), free_port()
        self.config = folder / "bench.toml"
        store = url or f"sqlite:///{folder / 'bench.db'}"
        self.config.write_text(
            f'facility = "LABA"\n[store]\nurl = "{store}"\nfolder = "{folder}"\nvolatile = true\n'
            f'[feeds.myolis]\nlisten = "127.0.0.1:{self.port}"\ntimezone = "Europe/Paris"\n'
            f'[receivers.lis]\naddress = "127.0.0.1:{free_port()}"\n'
            f'[web]\nlisten = ""\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n'
            f'[knowledge]\nsite = "{SITE}"\n',
            encoding="utf-8",
        )

    def command(self, role: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "labbridge.cli", "serve", "--config", str(self.config), "--role", role)

    def waiting(self) -> int:
        """Messages kept and not yet interpreted, from the service's own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(r'^labbridge_work_messages\{state="kept"\} ([0-9.]+)', text, re.MULTILINE)
        assert found is not None
        return int(float(found[1]))


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def pss_mb(pid: int) -> float:
    """Proportional memory of a process and its children, in megabytes."""
    total = 0
    for one in family(pid):
        text = Path(f"/proc/{one}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+([0-9]+) kB", text, re.MULTILINE)
        total += int(found[1]) if found else 0
    return total / 1024


def cpu_us(found: dict[str, Any]) -> dict[str, float]:
    """CPU microseconds a message of the main process, of each child, and of a database server beside them."""
    each = {name: float(one["cpu_ms_per_msg"]) * 1000 for name, one in found["watch"].items()}
    whole, beside = each.pop("all"), each.pop(DATABASE, None)
    told = {"main": whole - sum(each.values()), **each}
    return told if beside is None else {**told, DATABASE: beside}


def told(cpu: dict[str, float]) -> str:
    return ", ".join(f"{name} {us:.0f}" for name, us in cpu.items())
