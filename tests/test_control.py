"""The local control socket, over a real Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from labbridge import control
from labbridge.errors import Refused


async def echo(request: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "seen": request}


@pytest.fixture
async def service(tmp_path: Path) -> Any:
    server = control.ControlServer(tmp_path / "store.db", echo)
    await server.start()
    yield tmp_path / "store.db"
    await server.stop()


async def test_a_request_gets_its_answer(service: Path) -> None:
    answer = await asyncio.to_thread(control.ask, service, {"command": "release", "keys": ["C1@1"]})
    assert answer == {"ok": True, "seen": {"command": "release", "keys": ["C1@1"]}}


async def test_only_its_own_user_may_connect(service: Path) -> None:
    assert stat.S_IMODE(control.socket_path(service).stat().st_mode) == 0o600


def test_without_a_service_there_is_no_answer(tmp_path: Path) -> None:
    assert control.ask(tmp_path / "store.db", {}) is None


def test_a_socket_left_by_a_killed_process_is_no_service(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(control.socket_path(tmp_path / "store.db")))
    assert control.ask(tmp_path / "store.db", {}) is None


async def test_a_left_socket_does_not_stop_the_next_start(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(control.socket_path(tmp_path / "store.db")))
    server = control.ControlServer(tmp_path / "store.db", echo)
    await server.start()
    try:
        assert await asyncio.to_thread(control.ask, tmp_path / "store.db", {}) is not None
    finally:
        await server.stop()
    assert not control.socket_path(tmp_path / "store.db").exists()


async def test_a_folder_deeper_than_a_socket_name_may_be(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    server = control.ControlServer(deep / "store.db", echo)
    await server.start()
    try:
        assert await asyncio.to_thread(control.ask, deep / "store.db", {"a": 1}) == {"ok": True, "seen": {"a": 1}}
    finally:
        await server.stop()


@pytest.mark.parametrize("line", [b"not json\n", b"[1]\n", b"\n", b"x" * (2**20 + 10) + b"\n"])
async def test_nonsense_is_dropped_and_the_next_request_served(service: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(control.socket_path(service)))
    writer.write(line)
    with contextlib.suppress(ConnectionError):
        assert await reader.read() == b""
    writer.close()
    assert await asyncio.to_thread(control.ask, service, {"a": 1}) is not None


async def test_a_command_that_takes_long_keeps_nobody_waiting(tmp_path: Path) -> None:
    over = asyncio.Event()

    async def slow(_request: dict[str, Any]) -> dict[str, Any]:
        await over.wait()
        return {"ok": True, "slow": True}

    server = control.ControlServer(tmp_path / "store.db", echo, {"reload": slow})
    await server.start()
    try:
        waiting = asyncio.create_task(asyncio.to_thread(control.ask, tmp_path / "store.db", {"command": "reload"}))
        answer = await asyncio.to_thread(control.ask, tmp_path / "store.db", {"command": "release"})
        assert answer == {"ok": True, "seen": {"command": "release"}}
        assert not waiting.done()
        over.set()
        assert await waiting == {"ok": True, "slow": True}
    finally:
        await server.stop()


async def test_a_late_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    async def never(_request: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    server = control.ControlServer(tmp_path / "store.db", never)
    await server.start()
    try:
        with pytest.raises(Refused, match="did not answer within 0 s"):
            await asyncio.to_thread(control.ask, tmp_path / "store.db", {}, 0.1)
    finally:
        await server.stop()


async def test_a_service_that_ends_meanwhile_is_told_in_a_sentence(service: Path) -> None:
    with pytest.raises(Refused, match="ended before it answered"):
        await asyncio.to_thread(control.ask, service, {"a": "x" * (2**20 + 10)})
