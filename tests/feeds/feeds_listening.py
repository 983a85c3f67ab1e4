"""A listener on a real socket, whose handler keeps each message in a file, synced, before it answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from labbridge.errors import StoreUnavailable
from labbridge.feeds.limits import Limits
from labbridge.feeds.mllp import MllpServer
from labbridge.hl7.ack import head
from labbridge.hl7.mllp import Frame, Framer, Junk, Oversize, frame

QUICK = Limits(sweep_s=0.01, linger_s=0.2, end_grace_s=0.05, accept_pause_s=0.02)


class Reply(msgspec.Struct, frozen=True):
    raw: bytes
    close: bool = False
    hl7: bool = True


def message(control_id: str, body: str = "x") -> bytes:
    return f"MSH|^~\\&|LAB|H|LB|H|20260101||ORU^R01|{control_id}|P|2.5.1\rOBX|1|ST|A||{body}\r".encode()


class Keeper:
    """The story's part: durable, then AA. `hold` keeps answers back; `unavailable` is a store that cannot commit."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self.kept: list[bytes] = []
        self.begun: list[bytes] = []
        self.oversize: list[Oversize] = []
        self.junk: list[Junk] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.unavailable = False
        self.broken = False

    async def message(self, block: Frame, address: str) -> Reply:
        raw = block.data
        assert address == "::1" or address.startswith("127.")
        self.begun.append(raw)
        await self.hold.wait()
        self._obey()
        self._file.write(raw)
        self._file.flush()
        os.fsync(self._file.fileno())
        self.kept.append(raw)
        found = head(raw)
        if not found.fields:
            return Reply(b"", hl7=False)
        return Reply(b"MSH|^~\\&|LB\rMSA|AA|" + found.control_id.encode() + b"\r", close=b"CLOSE" in raw)

    async def too_long(self, event: Oversize, _: str) -> Reply:
        self._obey()
        self.oversize.append(event)
        return Reply(b"MSH|^~\\&|LB\rMSA|AR|" + head(event.head).control_id.encode() + b"\r", close=True)

    async def outside(self, event: Junk, _: str) -> None:
        self._obey()
        self.junk.append(event)

    def _obey(self) -> None:
        if self.unavailable:
            raise StoreUnavailable("the disk is full")
        if self.broken:
            raise ValueError("SECRETNAME in a value")

    def close(self) -> None:
        self._file.close()


class Sender:
    """A plain client that reads whole answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer, self._answers = Framer(), []

    def write(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def answer(self) -> bytes | None:
        """The next answer; None at the end of the stream."""
        while not self._answers:
            try:
                data = await self.reader.read(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._answers += [event.data for event in self._framer.receive_data(data) if isinstance(event, Frame)]
        return self._answers.pop(0)

    async def ask(self, control_id: str) -> bytes | None:
        self.write(frame(message(control_id)))
        return await self.answer()

    def close(self) -> None:
        self.writer.close()


class Listening:
    """A started server, its handler, and the clients made for it."""

    def __init__(self, server: MllpServer, keeper: Keeper) -> None:
        self.server, self.keeper = server, keeper
        self._senders: list[Sender] = []

    async def connect(self, tls: ssl.SSLContext | None = None) -> Sender:
        host, port = self.server.address
        sender = Sender(*await asyncio.open_connection(host, port, ssl=tls))
        self._senders.append(sender)
        return sender

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for what must come; a test that hangs here has failed."""
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.005)

    async def __aenter__(self) -> Listening:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, fault: object, trace: TracebackType | None) -> None:
        self.keeper.hold.set()
        for sender in self._senders:
            sender.close()
            with contextlib.suppress(OSError):
                await sender.writer.wait_closed()
        await self.server.close()
        self.keeper.close()


Listen = Callable[..., Awaitable[Listening]]


def quick(**changed: Any) -> Limits:
    """The quick limits of these tests, with some of them changed."""
    return msgspec.structs.replace(QUICK, **changed)


async def ended(sender: Sender) -> None:
    """The server ends the connection without another answer."""
    async with asyncio.timeout(20):
        assert await sender.answer() is None
