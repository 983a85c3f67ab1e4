"""FHIR bodies are read in processes of their own: holding one against its models takes milliseconds of a processor, in which
nobody else would be answered."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import msgspec

from labbridge import receiving_fhir
from labbridge.fhir import validating
from labbridge.model.work import Feed
from labbridge.observe.logs import logger
from labbridge.receiving_fhir import Posted, Wanted

WITHIN_S = 30.0  # a reading that takes longer is given up, with its process

_log = logger("feeds")


class Unread(Exception):
    """The process that read a body ended, or took too long: nothing was kept."""


class Asked(msgspec.Struct, frozen=True):
    """What a process is given beside a body."""

    feed: str
    address: str
    now: datetime
    wanted: Wanted


class FhirReaders:
    """So many processes, each reading one body at a time; who comes when all are busy waits. One that ends is replaced when
    the next body comes. Used from one loop."""

    def __init__(self, feeds: Mapping[str, Feed], count: int = 0) -> None:
        self._feeds, self._count = dict(feeds), count or max(1, (os.cpu_count() or 1))
        self._idle: deque[_Reader] = deque()
        self._begun = 0
        self._room = asyncio.Semaphore(self._count)

    def begin(self) -> None:
        """Start all of them now: the models take a second to load."""
        self._idle.extend(self._new() for _one in range(self._count - self._begun))

    async def read(self, raw: bytes, asked: Asked) -> Posted:
        """A body as it is read. Unread where no answer came."""
        async with self._room:
            reader = self._idle.popleft() if self._idle else self._new()
            try:
                posted = await reader.read(raw, asked)
            except BaseException:
                self._begun -= 1
                reader.close()
                raise
            self._idle.append(reader)
        return posted

    def close(self) -> None:
        for reader in self._idle:
            reader.close()
        self._idle.clear()

    def _new(self) -> _Reader:
        self._begun += 1
        return _Reader(self._feeds)


class _Reader:
    """One process, and the pipe to it."""

    def __init__(self, feeds: dict[str, Feed]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(
            target=_run, args=(feeds, theirs), name="labbridge-fhir", daemon=True
        )
        self._process.start()
        theirs.close()

    async def read(self, raw: bytes, asked: Asked) -> Posted:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        loop.add_reader(self._pipe.fileno(), came.set)
        try:
            await loop.run_in_executor(None, self._send, raw, asked) if len(raw) > SMALL else self._send(raw, asked)
            async with asyncio.timeout(WITHIN_S):
                await came.wait()
            return _posted(self._pipe.recv_bytes())
        except (OSError, EOFError, TimeoutError) as fault:
            _log.error("fhir_reader_ended", error=type(fault).__name__)
            raise Unread from fault
        finally:
            loop.remove_reader(self._pipe.fileno())

    def _send(self, raw: bytes, asked: Asked) -> None:
        self._pipe.send_bytes(_encode((asked, raw)))  # in one piece: each wakes the other end

    def close(self) -> None:
        self._pipe.close()
        self._process.kill()


SMALL = 2**15  # bytes that a pipe takes at once
_encode = msgspec.msgpack.Encoder().encode
_asked = msgspec.msgpack.Decoder(tuple[Asked, bytes]).decode
_posted = msgspec.msgpack.Decoder(Posted).decode


# ---------------------------------------------------------------- the process


def _run(feeds: dict[str, Feed], pipe: Connection) -> None:
    """Body of the process: until the pipe closes."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    validating.load()
    gc.collect()
    gc.freeze()  # no collection walks the models again
    while True:
        try:
            asked, raw = _asked(pipe.recv_bytes())
            posted = receiving_fhir.read(raw, feeds[asked.feed], asked.address, asked.now, asked.wanted)
            pipe.send_bytes(_encode(_without_bytes(posted)))
        except (EOFError, OSError):
            return


def _without_bytes(posted: Posted) -> Posted:
    """The bytes stay where they came from."""
    return msgspec.structs.replace(posted, arrival=msgspec.structs.replace(posted.arrival, raw=b""))
