"""The local control socket: how a command reaches the one process that writes the store.

A Unix socket beside the database, mode 0600. One request, one answer, each one line of JSON. Requests name things by
our own keys (M17, C12@3), never by patient.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from labbridge.errors import Refused

LONGEST_LINE = 2**20
ANSWER_WITHIN_S = 120.0  # a release waits for the judge, which may have to start first

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def socket_path(database: Path) -> Path:
    return database.with_name(database.name + ".sock")


class ControlServer:
    """Listens beside the database and hands each request to the handler, one at a time. `apart`: handlers of commands that
    take long and see to their own order, so that nobody's release waits for them."""

    def __init__(self, database: Path, handler: Handler, apart: Mapping[str, Handler] | None = None) -> None:
        self._path, self._handler, self._apart = socket_path(database), handler, apart or {}
        self._server: asyncio.Server | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()  # left by a killed process: the store's lock is ours, so nobody listens there
        self._path.parent.mkdir(parents=True, exist_ok=True)
        before = os.umask(0o177)
        try:
            with _short(self._path) as path:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=LONGEST_LINE)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), ANSWER_WITHIN_S)
            request = msgspec.json.decode(line, type=dict[str, Any])
            apart = self._apart.get(str(request.get("command")))
            if apart is not None:
                answer = await apart(request)
            else:
                async with self._turn:
                    answer = await self._handler(request)
            writer.write(msgspec.json.encode(answer) + b"\n")
            await writer.drain()
        except (msgspec.DecodeError, TimeoutError, ValueError, ConnectionError):
            pass  # a caller that sends no request, or went away, gets no answer; nothing was begun for it
        finally:
            writer.close()


def ask(database: Path, request: dict[str, Any], within_s: float = ANSWER_WITHIN_S) -> dict[str, Any] | None:
    """The running service's answer, or None when no service listens beside this database. Refused where it is late."""
    path = socket_path(database)
    if not path.exists():
        return None
    with socket.socket(socket.AF_UNIX) as channel, _short(path) as name:
        channel.settimeout(within_s)
        try:
            channel.connect(name)
        except (ConnectionRefusedError, FileNotFoundError):
            return None  # left by a killed process
        channel.sendall(msgspec.json.encode(request) + b"\n")
        try:
            with channel.makefile("rb") as lines:
                return msgspec.json.decode(lines.readline(), type=dict[str, Any])
        except TimeoutError:
            raise Refused(f"The service did not answer within {within_s:.0f} s; its log says what it does") from None
        except msgspec.DecodeError:
            raise Refused("The service ended before it answered; its log says why") from None


@contextlib.contextmanager
def _short(path: Path) -> Any:
    """A name for the socket that fits into the 107 bytes a Unix socket may have, however deep the folder lies."""
    if len(os.fsencode(path)) <= 100:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
