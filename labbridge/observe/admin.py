"""The admin port: /metrics, /readyz, /livez. A small HTTP/1.1 server for GET and HEAD; loopback unless told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from labbridge.errors import StoreUnavailable

LONGEST_HEAD = 8192
DEADLINE_S = 10.0

Page = tuple[int, str, bytes]
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Readiness(msgspec.Struct, frozen=True):
    """Whether messages can be taken, and the machine code of why not."""

    ready: bool
    code: str = "ready"


class AdminServer:
    """`metrics` gives the exposition, `ready` probes the store."""

    def __init__(self, metrics: Callable[[], bytes], ready: Callable[[], Awaitable[Readiness]]) -> None:
        self._metrics, self._ready = metrics, ready
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_HEAD)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), DEADLINE_S)
            method, page = await self._page(head)
            status, kind, body = page
            text = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{text}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode())
            writer.write(b"" if method == "HEAD" else body)
            await asyncio.wait_for(writer.drain(), DEADLINE_S)
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # a caller that sends no request gets no answer
        finally:
            writer.close()

    async def _probe(self) -> Readiness:
        """A probe that fails is not ready; why is in the log of whatever failed."""
        try:
            return await self._ready()
        except Exception:  # noqa: BLE001 - whatever it is, the answer is 503 and not a broken connection
            return Readiness(False, "probe_failed")

    async def _page(self, head: bytes) -> tuple[str, Page]:
        parts = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(parts) != 3:
            return "GET", (400, "text/plain", b"bad request\n")
        method, path = parts[0], parts[1].split("?", 1)[0]
        if method not in ("GET", "HEAD"):
            return method, (405, "text/plain", b"GET or HEAD\n")
        if path == "/livez":
            return method, (200, "text/plain", b"alive\n")
        if path == "/metrics":
            try:
                body = await asyncio.to_thread(self._metrics)
            except StoreUnavailable as failure:
                return method, (503, "text/plain", f"{failure}\n".encode())
            return method, (200, "text/plain; version=0.0.4; charset=utf-8", body)
        if path == "/readyz":
            found = await self._probe()
            return method, (200 if found.ready else 503, "application/json", msgspec.json.encode(found) + b"\n")
        return method, (404, "text/plain", b"/metrics, /readyz, /livez\n")
