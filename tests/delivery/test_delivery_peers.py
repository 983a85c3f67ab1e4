"""Third-party servers as our LIS: python-hl7 and hl7apy, each a real listener; and the stub LIS of the demo."""

from __future__ import annotations

import asyncio
import json
import signal
import socketserver
import sys
import threading
from pathlib import Path

import hl7
import pytest
from hl7.mllp import start_hl7_server
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message

from labbridge.delivery.mllp import MllpReceiver, ReceiverSettings
from labbridge.errors import Retry
from labbridge.hl7.ack import positive

STUB = Path(__file__).resolve().parents[2] / "samples" / "stub_lis.py"


def message(control_id: str, text: str = "Anti-SRP: µ, ü") -> bytes:
    segments = (
        f"MSH|^~\\&|LABBRIDGE|H|LIS|H|20260101120000||ORU^R01^ORU_R01|{control_id}|P|2.5.1||||||UNICODE UTF-8",
        "PID|1||SYN1^^^H^MR||TEST^SYNTHETIC",
        "OBR|1|O1|F1|SRP^Anti-SRP^L|||20260101",
        f"OBX|1|TX|LBC^Comment^L||{text}||||||F",
    )
    return ("\r".join(segments) + "\r").encode()


async def send(port: int, *messages: bytes) -> list[bool]:
    receiver = MllpReceiver("lis", ReceiverSettings(host="127.0.0.1", port=port, timeout_s=20))
    try:
        ids = [raw.split(b"|")[9].decode() for raw in messages]
        return [positive(await receiver.send(raw, id), id) for raw, id in zip(messages, ids, strict=True)]
    finally:
        receiver.close()


@pytest.mark.parametrize(("code", "accepted"), [("AA", True), ("CA", True), ("AE", False), ("AR", False)])
async def test_python_hl7_server(code: str, accepted: bool) -> None:
    heard: list[str] = []
    open_ones: list[asyncio.Task[None]] = []

    async def serve(reader: hl7.mllp.HL7StreamReader, writer: hl7.mllp.HL7StreamWriter) -> None:
        open_ones.append(asyncio.current_task())
        try:
            while True:
                found = await reader.readmessage()
                heard.append(str(found.segment("OBX")[5]))
                writer.writemessage(found.create_ack(code))
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()
            await writer.wait_closed()

    async with await start_hl7_server(serve, host="127.0.0.1", port=0, encoding="utf-8") as server:
        port = server.sockets[0].getsockname()[1]
        assert await send(port, message("LB1"), message("LB2", "second")) == [accepted, accepted]
        await asyncio.gather(*open_ones)
    assert heard == ["Anti-SRP: µ, ü", "second"]


class _Accepting(AbstractHandler):  # type: ignore[misc]
    heard: list[str] = []  # noqa: RUF012  hl7apy makes one handler a message

    def reply(self) -> str:
        found = parse_message(self.incoming_message, find_groups=False)
        self.heard.append(found.msh.msh_10.value)
        answer = Message("ACK", version="2.5.1")
        answer.msh.msh_9 = "ACK"
        answer.msa.msa_1, answer.msa.msa_2 = "AA", found.msh.msh_10.value
        return str(answer.to_mllp())


async def test_hl7apy_server() -> None:
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    _Accepting.heard.clear()
    server = MLLPServer("127.0.0.1", 0, {"ORU^R01^ORU_R01": (_Accepting,)}, timeout=20)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver = MllpReceiver("lis", ReceiverSettings(host="127.0.0.1", port=server.server_address[1], timeout_s=20))
    wanted, retries = [f"LB{number}" for number in range(8)], 0
    try:
        for control_id in wanted:  # it ends the connection after each answer: at most one message meets a closed door
            try:
                answer = await receiver.send(message(control_id, "ascii"), control_id)
            except Retry:
                retries += 1
                answer = await receiver.send(message(control_id, "ascii"), control_id)
            assert positive(answer, control_id)
    finally:
        receiver.close()
        await asyncio.to_thread(server.shutdown)
        server.server_close()
        thread.join()
    assert _Accepting.heard == wanted
    assert retries <= 1


async def test_stub_lis_stores_before_it_answers(tmp_path: Path) -> None:
    kept = tmp_path / "lis.jsonl"
    stub = await asyncio.create_subprocess_exec(
        sys.executable, str(STUB), "127.0.0.1:0", str(kept), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert stub.stdout is not None
        port = int((await stub.stdout.readline()).decode().rsplit(":", 1)[1])
        wanted = [message(f"LB{number}") for number in range(5)] + [message("LB5").replace(b"ascii", b"\xff")]
        for raw in wanted:
            assert await send(port, raw) == [True]
            newest = json.loads(kept.read_text().splitlines()[-1])
            assert newest["message"].encode("utf-8", "surrogateescape") == raw
            assert newest["control_id"] == raw.split(b"|")[9].decode()
        lines = [json.loads(line) for line in kept.read_text().splitlines()]
        assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6]
    finally:
        stub.send_signal(signal.SIGTERM)
        assert await stub.wait() == 0


@pytest.mark.parametrize("arguments", [[], ["127.0.0.1:0"], ["nonsense", "file"], ["a:b", "file"], ["1", "2", "3"]])
async def test_stub_lis_says_how_it_is_called(arguments: list[str]) -> None:
    stub = await asyncio.create_subprocess_exec(sys.executable, str(STUB), *arguments, stderr=asyncio.subprocess.PIPE)
    _, printed = await stub.communicate()
    assert stub.returncode == 2
    assert printed.startswith(b"usage:")
