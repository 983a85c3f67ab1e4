"""The admin port on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from labbridge.observe import admin
from labbridge.observe.admin import AdminServer, Readiness

STATE = {"ready": Readiness(True)}


async def _ready() -> Readiness:
    return STATE["ready"]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    STATE["ready"] = Readiness(True)
    server = AdminServer(lambda: b"labbridge_build_info 1\n", _ready)
    yield await server.start("127.0.0.1", 0)
    await server.stop()


async def ask(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; status 0 where the connection ended without an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(20):
        try:
            raw = await reader.read()
        except ConnectionError:
            raw = b""
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    if not head:
        return 0, {}, b""
    first, *rest = head.decode().split("\r\n")
    return int(first.split(" ")[1]), dict(line.lower().split(": ", 1) for line in rest), body


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (get("/livez"), 200, b"alive\n"),
        (get("/metrics"), 200, b"labbridge_build_info 1\n"),
        (get("/metrics?x=1"), 200, b"labbridge_build_info 1\n"),
        (get("/readyz"), 200, b'{"ready":true,"code":"ready"}\n'),
        (get("/nowhere"), 404, None),
        (get("/"), 404, None),
        (get("/metrics", "POST"), 405, None),
        (get("/livez", "DELETE"), 405, None),
        (b"nonsense\r\n\r\n", 400, None),
        (b"\r\n\r\n", 400, None),
    ],
)
async def test_answers(port: int, request_: bytes, status: int, body: bytes | None) -> None:
    found, headers, text = await ask(port, request_)
    assert found == status
    assert int(headers["content-length"]) == len(text)
    assert body is None or text == body


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/readyz"])
async def test_head_has_the_length_and_no_body(port: int, path: str) -> None:
    _, full, text = await ask(port, get(path))
    status, headers, body = await ask(port, get(path, "HEAD"))
    assert (status, body) == (200, b"")
    assert headers["content-length"] == full["content-length"] == str(len(text))


async def test_not_ready_is_503_with_a_code_and_livez_does_not_care(port: int) -> None:
    STATE["ready"] = Readiness(False, "store_unavailable")
    status, headers, body = await ask(port, get("/readyz"))
    assert (status, json.loads(body)) == (503, {"ready": False, "code": "store_unavailable"})
    assert headers["content-type"] == "application/json"
    assert (await ask(port, get("/livez")))[0] == 200
    STATE["ready"] = Readiness(True)
    assert (await ask(port, get("/readyz")))[0] == 200


async def test_a_head_that_is_too_long_gets_nothing(port: int) -> None:
    status, _, _ = await ask(port, b"GET /livez HTTP/1.1\r\nX: " + b"y" * admin.LONGEST_HEAD * 2 + b"\r\n\r\n")
    assert status == 0
    assert (await ask(port, get("/livez")))[0] == 200


async def test_a_caller_that_sends_no_request_is_let_go(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(admin, "DEADLINE_S", 0.05)
    assert (await ask(port, b"GET /livez"))[0] == 0
    assert (await ask(port, get("/livez")))[0] == 200
