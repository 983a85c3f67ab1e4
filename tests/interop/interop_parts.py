"""Third-party HL7 software as our senders and receivers: each a process of its own that prints JSON, a line a message."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hl7
import msgspec

from labbridge.hl7.mllp import Event, Framer
from tests.conftest import ROOT, missing
from tests.service.service_parts import SAMPLES, Service, free_port

HERE = Path(__file__).resolve().parent
LIST = "tests/interop/packages.txt"
PACKAGES = (ROOT / LIST).read_text(encoding="utf-8").split()
PATIENCE_S = 30.0
Answer = dict[str, str]

# ---------------------------------------------------------------- the peers


def as_python_hl7_decodes(text: str) -> str:
    """What an escaped field stands for, by code that is not ours."""
    return str(hl7.parse("MSH|^~\\&|\r").unescape(text, app_map={".br": "\n"}))


def as_node_hl7_leaves_it(text: str) -> str:
    r"""It decodes a field by itself, but for `\.br\`."""
    return text.replace("\\.br\\", "\n")


class Sender(msgspec.Struct, frozen=True):
    """How a client is started, without port and files; what it does with the CR that ends the last segment."""

    command: tuple[str, ...]
    final_cr: bool


class Receiver(msgspec.Struct, frozen=True):
    """How a server is started, without its port; what its text of a field stands for."""

    command: tuple[str, ...]
    decode: Callable[[str], str] = as_python_hl7_decodes


def _script(name: str) -> tuple[str, ...]:
    return ("node" if name.endswith(".cjs") else sys.executable, str(HERE / name))


SENDERS = {
    "medplum": Sender(_script("send_medplum.cjs"), True),
    "node-hl7": Sender(_script("send_node_hl7.cjs"), False),
    "simple-hl7": Sender(_script("send_simple_hl7.cjs"), False),
    "python-hl7-blocking": Sender(_script("send_python_hl7.py"), True),
    "python-hl7-asyncio": Sender(_script("send_python_hl7_async.py"), True),
    "mllp_send": Sender(_script("send_mllp_send.py"), False),
}
RECEIVERS = {
    "medplum": Receiver(_script("serve_medplum.cjs")),
    "node-hl7": Receiver(_script("serve_node_hl7.cjs"), as_node_hl7_leaves_it),
    "simple-hl7": Receiver(_script("serve_simple_hl7.cjs")),
    "python-hl7": Receiver(_script("serve_python_hl7.py")),
    "hl7apy": Receiver(_script("serve_hl7apy.py")),
}


def environment(command: tuple[str, ...]) -> dict[str, str]:
    """What a peer is started with. Skips where it is a Node script and Node or its packages are not there."""
    if command[0] != "node":
        return {**os.environ}
    folder = Path(os.environ.get("LABBRIDGE_NODE_MODULES") or ROOT / ".make" / "node" / "node_modules").resolve()
    if shutil.which("node") is None:
        missing("node", "install Node.js 18 or newer (apt-get install nodejs npm)")
    if absent := [one for one in PACKAGES if not (folder / one.rpartition("@")[0] / "package.json").is_file()]:
        missing(absent[0], f"npm install --ignore-scripts --no-package-lock --prefix .make/node $(cat {LIST})")
    return {**os.environ, "NODE_PATH": str(folder)}


def answers_to(sender: Sender, port: int, files: list[Path]) -> list[Answer]:
    """Let a client send files to a port of this machine; what it read of each answer."""
    command = [*sender.command, str(port), *map(str, files)]
    done = subprocess.run(command, env=environment(sender.command), capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Lis:
    """A server that runs, and what it has heard."""

    def __init__(self, receiver: Receiver, port: int, folder: Path) -> None:
        self.port, self._printed = port, folder / "printed"
        command = [*receiver.command, str(port)]
        with self._printed.open("wb") as out, (folder / "errors").open("wb") as errors:
            self._process = subprocess.Popen(command, stdout=out, stderr=errors, env=environment(receiver.command))

    def listens(self) -> bool:
        assert self._process.poll() is None, "the server ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def heard(self, control_id: str) -> list[dict[str, str]]:
        """Each time it handled the message of this control id: the id, its text, the whole message."""
        lines = self._printed.read_text(encoding="utf-8").splitlines()
        return [one for one in map(json.loads, lines) if one["id"] == control_id]

    def close(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)


# ---------------------------------------------------------------- the wire


class Tap(socketserver.ThreadingTCPServer):
    """Stands between senders and a listener, passes every byte on, and remembers what was sent on each connection."""

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = target
        self.sent: list[bytearray] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def blocks(self) -> list[list[Event]]:
        """What the framer makes of the bytes of each connection."""
        return [Framer().receive_data(bytes(one)) for one in self.sent]


class _Passing(socketserver.BaseRequestHandler):
    server: Tap

    def handle(self) -> None:
        sent = bytearray()
        self.server.sent.append(sent)
        with socket.create_connection(("127.0.0.1", self.server.target)) as listener:
            back = threading.Thread(target=_pass_on, args=(listener, self.request, bytearray()))
            back.start()
            _pass_on(self.request, listener, sent)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket, seen: bytearray) -> None:
    with contextlib.suppress(ConnectionError):
        while data := source.recv(65536):
            seen += data
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tapped(target: int) -> Iterator[Tap]:
    with Tap(target) as tap:
        thread = threading.Thread(target=tap.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield tap
        finally:
            tap.shutdown()
            thread.join()


# ---------------------------------------------------------------- the service

# A laboratory's own word for a strong positive, in every comment: all that HL7 separates by, and characters of two bytes.
STRONG = "strongly positive (≥ 5 µg/l & reactive | É^~\\ë;\nread twice)"


class Hub(Service):
    """labbridge between all of them: one feed for the senders, and for each receiver a feed whose comments go there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.feeds = {name: free_port() for name in RECEIVERS}
        self.receivers = {name: free_port() for name in RECEIVERS}
        site = folder / "site"
        shutil.copytree(SAMPLES / "site", site)
        (site / "comments").mkdir()
        words = json.dumps([{"id": "grade", "words": {"POS_STRONG": STRONG}}], ensure_ascii=False)
        (site / "comments" / "en.yaml").write_text(words, encoding="utf-8")
        self.config.write_text("\n".join(self._lines(site)), encoding="utf-8")

    def _lines(self, site: Path) -> Iterator[str]:
        feeds = {"senders": self.mllp, **self.feeds}
        yield f'facility = "LABA"\n[store]\nurl = "sqlite:///{self.folder / "store.db"}"'
        yield f'[web]\nlisten = ""\n[admin]\nlisten = "127.0.0.1:{self.admin}"\n[knowledge]\nsite = "{site}"'
        for name, port in feeds.items():
            yield f'[feeds.{name}]\nlisten = "127.0.0.1:{port}"\ntimezone = "Europe/Paris"'
            yield f'receiver = "{name if name in self.receivers else next(iter(self.receivers))}"'
        for name, port in self.receivers.items():
            yield f'[receivers.{name}]\naddress = "127.0.0.1:{port}"'

    def rows(self, sql: str, *values: str) -> list[Any]:
        """Rows of the store, read beside the running service."""
        with contextlib.closing(sqlite3.connect(f"file:{self.folder / 'store.db'}?mode=ro", uri=True)) as store:
            return store.execute(sql, values).fetchall()
