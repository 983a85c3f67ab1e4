"""A stub LIS in a process of its own: `python -m tests.faults.lis SETTINGS.json`.

Every physical arrival is written down before it is answered, with what will be done about it: applied or refused, answered
so that it may be trusted or not. How it answers is drawn by a seed from `modes` (name: weight); a file named `control`
beside the history changes them while it runs (`{"modes": {...}, "refuse": "text"}`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import signal
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.faults.journal import History
from tests.faults.messages import END, START

Step = bytes | float | str  # bytes to send, a pause in seconds, or "close", "rst"


def ack(control_id: bytes, code: bytes = b"AA") -> bytes:
    head = b"MSH|^~\\&|LIS|LABA|LABBRIDGE|LABA|20261126||ACK^R01^ACK|A" + control_id + b"|P|2.5.1"
    return b"\r".join((head, b"MSA|" + code + b"|" + control_id, b""))


def block(message: bytes) -> bytes:
    return START + message + END


MODES: dict[str, Callable[[bytes, bytes], Sequence[Step]]] = {
    "plain": lambda id, _: [block(ack(id))],
    "split": lambda id, _: [part for one in block(ack(id)) for part in (bytes([one]), 0.0005)],
    "twice": lambda id, _: [block(ack(id)) + block(ack(id))],
    "ca_then_aa": lambda id, _: [block(ack(id, b"CA")), 0.02, block(ack(id))],
    "ae": lambda id, _: [block(ack(id, b"AE"))],
    "ar": lambda id, _: [block(ack(id, b"AR"))],
    "late": lambda id, _: [1.5, block(ack(id))],
    "wrong_id": lambda _, __: [block(ack(b"NOTYOURS"))],
    "previous": lambda _, before: [block(ack(before))],
    "no_id": lambda _, __: [block(ack(b""))],
    "unframed": lambda id, _: [ack(id)],
    "half": lambda id, _: [block(ack(id))[:-6], "close"],
    "garbage": lambda _, __: [bytes(range(14, 28)) * 20, "close"],
    "silent": lambda _, __: [],
    "close": lambda _, __: ["close"],
    "rst": lambda _, __: ["rst"],
}
ORDERS = {"ok": b"ORC|OK|%b|F-%b^MYOLIS", "ua": b"ORC|UA|%b||||||||||||||E5^No serum left^L"}
"""What is said of an order; any other message is acknowledged as by `plain`."""
TRUSTED = ("plain", "split", "twice", "ca_then_aa", *ORDERS)
REFUSED = ("ae", "ar")


def orl(raw: bytes, control_id: bytes, mode: str) -> bytes:
    """The answer to an order, by its own number; a plain acknowledgement to anything else."""
    placer = next((line.split(b"|")[2] for line in raw.split(b"\r") if line.startswith(b"ORC|NW")), b"")
    if not placer:
        return ack(control_id)
    orc = ORDERS[mode] % ((placer, placer.partition(b"^")[0]) if mode == "ok" else (placer,))
    head = b"MSH|^~\\&|LIS|LABA|LABBRIDGE|LABA|20261126||ORL^O22^ORL_O22|A" + control_id + b"|P|2.5.1"
    return b"\r".join((head, b"MSA|AA|" + control_id, orc, b""))


class Lis:
    """Applies what it does not refuse, whether or not its sender learns of it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._history = History(Path(settings["history"]))
        self._control = Path(settings["history"] + ".control")
        self._modes: dict[str, float] = settings.get("modes", {"plain": 1})
        self._refuse = ""
        self._rng = random.Random(f"{settings['seed']}-lis")
        self._before = b"NONE"
        self._read_at = 0.0
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        number = self._connections
        try:
            while True:
                raw = (await reader.readuntil(END)).lstrip(START)[: -len(END)]
                await self._arrived(raw, writer, number)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def _arrived(self, raw: bytes, writer: asyncio.StreamWriter, connection: int) -> None:
        self._obey()
        control_id = raw.split(b"\r", 1)[0].split(b"|")[9]
        refused = bool(self._refuse) and self._refuse.encode() in raw
        mode = "ae" if refused else self._rng.choices([*self._modes], [*self._modes.values()])[0]
        if mode == "previous" and self._before == control_id:
            mode = "plain"  # the one before was this one
        self._history.write({"ev": "arrival", "id": control_id.decode(), "sha": hashlib.sha256(raw).hexdigest(),
                             "mode": mode, "connection": connection, "port": writer.get_extra_info("sockname")[1],
                             "applied": mode not in REFUSED, "trusted": mode in TRUSTED,
                             "raw": raw.decode("utf-8", "surrogateescape")})  # fmt: skip
        before, self._before = self._before, control_id
        steps = [block(orl(raw, control_id, mode))] if mode in ORDERS else MODES[mode](control_id, before)
        for step in steps:
            await _step(step, writer)
        self._history.write({"ev": "answered", "id": control_id.decode(), "mode": mode})

    def _obey(self) -> None:
        if self._control.is_file() and (changed := self._control.stat().st_mtime) != self._read_at:
            told = json.loads(self._control.read_text())
            self._read_at, self._modes, self._refuse = changed, told["modes"], told.get("refuse", "")


async def _step(step: Step, writer: asyncio.StreamWriter) -> None:
    if isinstance(step, bytes):
        writer.write(step)
        await writer.drain()
    elif isinstance(step, float):
        await asyncio.sleep(step)
    else:
        if step == "rst":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        raise ConnectionResetError


async def run(settings: dict[str, Any]) -> None:
    lis = Lis(settings)
    ports = settings.get("ports", [settings["port"]])  # one for each node, where it matters which one it was
    servers = [await asyncio.start_server(lis.serve, "127.0.0.1", port, limit=2**24) for port in ports]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
