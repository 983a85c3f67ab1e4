"""A TCP fault proxy in a process of its own: `python -m tests.faults.proxy SETTINGS.json`.

Between two peers it passes, cuts, delays, drips, splits or duplicates bytes on their way to `target` (`up`), and swallows,
corrupts or cuts those on their way back (`down`), drawn by a seed from the weights of each way; a file named `control`
beside the history changes them while it runs. What it did is written down.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

from tests.faults.journal import History

Weights = dict[str, float]
PASS: Weights = {"pass": 1}


def damaged(data: bytes, rng: random.Random) -> bytes:
    """With a bit turned, and never so that it reads as another answer (AA as AE): no sender could tell."""
    at = rng.randrange(len(data))
    turned = data[at] ^ 1 << rng.randrange(8)
    return data[:at] + bytes([data[at] ^ 0x80 if chr(turned).isalnum() else turned]) + data[at + 1 :]


class Cut(Exception):
    """This connection ends here; the text says how."""


class Proxy:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._history = History(Path(settings["history"]))
        self._control = Path(settings["history"] + ".control")
        self._rng = random.Random(f"{settings['seed']}-proxy")
        self._weights: dict[str, Weights] = {way: settings.get(way, PASS) for way in ("up", "down")}
        self._read_at = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._settings["target"])
        except OSError:
            writer.close()
            return
        ways = [self._way("up", reader, back), self._way("down", there, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            if isinstance(task.exception(), Cut) and str(task.exception()) == "rst":
                _linger(writer)
        for one in (writer, back):
            one.close()

    async def _way(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            self._obey()
            weights = self._weights[way]
            what = self._rng.choices([*weights], [*weights.values()])[0]
            if what != "pass":
                self._history.write({"ev": "fault", "way": way, "what": what, "bytes": len(data)})
            await self._do(what, data, writer)

    async def _do(self, what: str, data: bytes, writer: asyncio.StreamWriter) -> None:
        if what == "swallow":  # nothing comes through, and then the line is dead
            raise Cut("close")
        if what == "blackhole":
            await asyncio.sleep(3600)
        if what in ("cut", "rst"):
            writer.write(data[: self._rng.randrange(len(data))])
            await writer.drain()
            raise Cut("rst" if what == "rst" else "close")
        if what == "delay":
            await asyncio.sleep(self._rng.uniform(0.05, 0.5))
        if what == "corrupt":
            data = damaged(data, self._rng)
        for part in self._parts(what, data):
            writer.write(part)
            await writer.drain()
            if what in ("drip", "split"):
                await asyncio.sleep(0.001)

    def _parts(self, what: str, data: bytes) -> list[bytes]:
        if what == "drip":
            head = data[:200]
            return [*(head[at : at + 1] for at in range(len(head))), data[200:]]
        if what == "split":
            at = self._rng.randrange(len(data))
            return [data[:at], data[at:]]
        return [data, data] if what == "duplicate" else [data]

    def _obey(self) -> None:
        if self._control.is_file() and (changed := self._control.stat().st_mtime) != self._read_at:
            self._read_at = changed
            self._weights = {**self._weights, **json.loads(self._control.read_text())}


def _linger(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def run(settings: dict[str, Any]) -> None:
    proxy = Proxy(settings)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", settings["port"], limit=2**20)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
