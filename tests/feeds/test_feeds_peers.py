"""Third-party senders to our listener: python-hl7's blocking and asyncio clients."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import hl7
from feeds_listening import Listen, message
from hl7.client import MLLPClient
from hl7.mllp import open_hl7_connection


async def test_python_hl7_blocking_client(listen: Listen) -> None:
    there = await listen()
    host, port = there.server.address

    def talk() -> list[str]:
        with MLLPClient(host, port) as client:
            answers = [client.send_message(message(str(number))) for number in range(3)]
        return [str(hl7.parse(answer.strip(b"\x0b\x1c\r").decode()).segment("MSA")) for answer in answers]

    assert await asyncio.to_thread(talk) == ["MSA|AA|0", "MSA|AA|1", "MSA|AA|2"]


async def test_python_hl7_asyncio_client(listen: Listen) -> None:
    there = await listen()
    host, port = there.server.address
    reader, writer = await open_hl7_connection(host, port, encoding="utf-8")
    for number in range(3):
        writer.writemessage(hl7.parse(message(str(number)).decode()))
        await writer.drain()
        answer = await reader.readmessage()
        assert [str(answer.segment("MSA")[field]) for field in (1, 2)] == ["AA", str(number)]
    writer.close()
    await writer.wait_closed()


async def test_mllp_send_of_python_hl7(listen: Listen, tmp_path: Path) -> None:
    there = await listen()
    host, port = there.server.address
    file = tmp_path / "one.hl7"
    file.write_bytes(message("1"))
    sender = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import sys; from hl7.client import mllp_send; sys.exit(mllp_send())"),
        *("--loose", "-f", str(file), "-p", str(port), host),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await sender.communicate()
    assert b"MSA|AA|1" in printed
    assert [raw.rstrip() for raw in there.keeper.kept] == [message("1").rstrip()]
