"""A connection to a receiver, plain or TLS: bytes out, bytes in, and whether anything waits to be read.

TLS runs over memory buffers on a socket of our own, so that before each message it can be asked whether something came
that nobody has read: asyncio's streams would have read it already.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeVar

READ_BYTES = 65536
One = TypeVar("One")


class Channel(Protocol):
    """One connection. Errors are OSError; ssl.SSLError is one."""

    async def send(self, data: bytes) -> None:
        """Give all of it to the system."""

    async def receive(self) -> bytes:
        """The next bytes; b"" at the end of the stream."""

    def quiet(self) -> bool:
        """True when nothing waits to be read: neither a late answer nor the end of the stream."""

    def close(self) -> None:
        """Close at once."""


async def connect(host: str, port: int, tls: ssl.SSLContext | None = None, server_name: str = "") -> Channel:
    """A connection to the first address of the host that takes one. With `tls` the peer is verified before this returns."""
    sock = await _socket(host, port)
    if tls is None:
        return PlainChannel(sock)
    try:
        channel = TlsChannel(sock, tls, server_name or host)
        await channel.shake_hands()
    except BaseException:
        sock.close()
        raise
    return channel


async def _socket(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    fault: OSError = OSError("the name has no address")
    for family, _, _, _, where in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        _options(sock)
        try:
            await loop.sock_connect(sock, where)
        except OSError as error:
            sock.close()
            fault = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise fault


class PlainChannel:
    """Bytes as they are."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._sock, READ_BYTES)

    def quiet(self) -> bool:
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self._sock.close()


class TlsChannel:
    """TLS over a connected socket that does not block."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str) -> None:
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def shake_hands(self) -> None:
        """Finish the handshake; ssl.SSLCertVerificationError where the peer is not who it should be."""
        try:
            await self._done(self._tls.do_handshake)
        except ssl.SSLError:
            with contextlib.suppress(OSError):
                await self._flush()  # the alert says why to the other side
            raise

    async def send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left[:READ_BYTES]) :]
            await self._flush()

    async def receive(self) -> bytes:
        try:
            return await self._done(lambda: self._tls.read(READ_BYTES))
        except (
            ssl.SSLEOFError
        ):  # many end their connection without TLS's own end; a frame tells itself whether it is whole
            return b""

    def quiet(self) -> bool:
        """What TLS says for itself (tickets, keys) is no answer: it is read, and nothing is made of it."""
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            data = None
        except OSError:
            return False
        if data is not None:
            if not data or len(data) == READ_BYTES:
                return False
            self._incoming.write(data)
        try:
            self._tls.read(1)
        except ssl.SSLWantReadError:
            return True
        except ssl.SSLError:
            return False
        return False

    def close(self) -> None:
        with contextlib.suppress(OSError):  # SSLError, and a socket that takes nothing more
            self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._sock.send(self._outgoing.read())
        self._sock.close()

    async def _done(self, step: Callable[[], One]) -> One:
        """Take a step of TLS as often as it needs bytes from the other side."""
        while True:
            try:
                found = step()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await asyncio.get_running_loop().sock_recv(self._sock, READ_BYTES)
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                await self._flush()
                return found

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await asyncio.get_running_loop().sock_sendall(self._sock, self._outgoing.read())


def _options(sock: socket.socket) -> None:
    """Small blocks leave at once; a peer that is gone is found within 150 s (reliability.md T-40)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 60),
        ("TCP_KEEPINTVL", 15),
        ("TCP_KEEPCNT", 4),
        ("TCP_USER_TIMEOUT", 30_000),
    ):
        with contextlib.suppress(AttributeError):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
