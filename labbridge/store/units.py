"""Units from here or from the processing process to the one writer: the same interface on both sides of a pipe.

The pipe carries MessagePack of statements and verdicts; nothing is ever unpickled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection

import msgspec

from labbridge.errors import StoreUnavailable
from labbridge.store.connection import Statement
from labbridge.store.writer import Writer, all_of

_encoder = msgspec.msgpack.Encoder()
_units = msgspec.msgpack.Decoder(tuple[list[list[Statement]], Statement | None])
_verdicts: msgspec.msgpack.Decoder[list[bool] | str] = msgspec.msgpack.Decoder(list[bool] | str)


Verdicts = Callable[[], list[bool]]


class LocalUnits:
    """Units committed by the writer of this process."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Verdicts:
        found: Future[list[bool]] = self._writer.submit(all_of(units, fence))
        return found.result


class RemoteUnits:
    """Units sent to the process that writes, and its verdicts, which come in the order in which they were asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Verdicts:
        self._connection.send_bytes(_encoder.encode((units, fence)))
        return self._receive

    def _receive(self) -> list[bool]:
        verdicts: list[bool] | str = _verdicts.decode(self._connection.recv_bytes())
        if isinstance(verdicts, str):
            raise StoreUnavailable(verdicts)
        return verdicts


class SharedUnits:
    """A writer's end that several threads post to, one after the other: each waits for the verdicts of its own units."""

    def __init__(self, remote: RemoteUnits) -> None:
        self._remote, self._turn = remote, threading.Lock()

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Verdicts:
        with self._turn:
            verdicts = self._remote.post(units, fence)()
        return lambda: verdicts


def serve_units(connection: Connection, writer: Writer) -> threading.Thread:
    """Commit what comes through the pipe, until it closes. Runs in a thread of the writing process."""

    def serve() -> None:
        local = LocalUnits(writer)
        while True:
            try:
                units, fence = _units.decode(connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                answer: list[bool] | str = local.post(units, fence)()
            except StoreUnavailable as failure:
                answer = str(failure)
            try:
                connection.send_bytes(_encoder.encode(answer))
            except OSError:
                return

    thread = threading.Thread(target=serve, name="store-units", daemon=True)
    thread.start()
    return thread
