"""Slow and hostile peers in a process of their own: `python -m tests.faults.hostile SETTINGS.json`.

Many connections from many loopback addresses, each in one of the ways in which peers are a nuisance, until SIGTERM. Now and
then it writes down how many are open and how many were closed on it. Those that begin TLS and never end it go to
`tls_port`, where the service waits for the rest of a handshake.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from tests.faults.journal import History
from tests.faults.messages import END, START, plain

HELLO = bytes.fromhex("16030100f1010000ed0303")  # how a TLS client begins; the rest never comes
WAYS = ("half", "drip", "deaf", "tls", "idle", "junk")


class Crowd:
    """`open` now; `closed` by the service since the start; `refused`: never let in, or at once let go."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self.open = self.closed = self.refused = 0

    async def run(self, stop: asyncio.Event) -> None:
        peers = [asyncio.create_task(self._peer(number)) for number in range(self._settings["peers"])]
        history = History(Path(self._settings["history"]))
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._settings.get("report_s", 1))
            history.write({"ev": "crowd", "open": self.open, "closed": self.closed, "refused": self.refused})
        for peer in peers:
            peer.cancel()
        await asyncio.gather(*peers, return_exceptions=True)

    async def _peer(self, number: int) -> None:
        address = (
            f"127.0.{2 + number % self._settings['addresses'] // 200}.{1 + number % self._settings['addresses'] % 200}"
        )
        await asyncio.sleep(number * 0.001)
        while True:
            was = self.closed
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._once(WAYS[number % len(WAYS)], address)
            if self.closed == was:
                self.refused += 1
            await asyncio.sleep(self._settings.get("again_s", 1.0))

    async def _once(self, way: str, address: str) -> None:
        port = self._settings.get("tls_port" if way == "tls" else "port", self._settings["port"])
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        self.open += 1
        try:
            await self._annoy(way, reader, writer)
        finally:
            self.open -= 1
            self.closed += 1
            writer.transport.abort()

    async def _annoy(self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the service has had enough of it."""
        message = START + plain("HOSTILE", "HOSTILE").raw
        first = {"half": message, "tls": HELLO, "drip": message[:20], "idle": b"", "junk": b"GET / HTTP/1.1\r\n\r\n"}
        if way == "deaf":  # asks and asks, and never reads an answer
            sock = writer.get_extra_info("socket")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while sock.fileno() >= 0 and not writer.is_closing():
                writer.write((message + END) * 2)
                await writer.drain()
                await asyncio.sleep(5)
            return
        writer.write(first[way])
        for byte in message[20:] if way == "drip" else b"":
            if reader.at_eof():
                return
            writer.write(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 5)
        await reader.read()


async def run(settings: dict[str, Any]) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Crowd(settings).run(stop)


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
