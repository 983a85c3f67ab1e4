"""A synthetic result, a LIS that keeps what it is sent, and a comment's way between them: written, sent, answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from adversary import END, START, ack, block

from labbridge.delivery.mllp import MllpReceiver, ReceiverSettings
from labbridge.hl7.ack import Acknowledgement
from labbridge.hl7.outgoing import Letter, ReceiverFormat, comment_message
from labbridge.model.values import Coding

LANE = "p:LABS|55-9"
SOURCE = (
    "MSH|^~\\&|SUDLIS|LABS|LABBRIDGE|LABS|20260602101500+0200||ORU^R01^ORU_R01|SL-77|P|2.5.1|||AL|NE|CHE|UNICODE UTF-8\r"
    "PID|1||55-9^^^LABS^MR||MEIER-ÅS^ZOÉ^^^^^L||19800229|F|||1 SECRET ST^^BERN\r"
    "ORC|RE|P55^SUDOE|F55^SUDLIS\r"
    "OBR|1|P55^SUDOE|F55^SUDLIS|MYO^Myositis \\T\\ panel^L|||20260601083000+0200|||||||20260601110000+0200||4711^HÔTE^LÉA"
    "||||||20260602101400+0200||IMM|F\r"
    "NTE|1|L|A note on the order.\r"
    "OBX|1|NM|SRPE^anti-SRP (ELISA)^L|1|142|U/mL^^UCUM|<20|H|||F|||20260601083000+0200|||ELI^ELISA^L\r"
    "NTE|1|L|Dilution 1:101 \\T\\ 1:404.\r"
    "OBX|2|NM|2157-6^Creatine kinase^LN|1|6120|U/L|30-170|HH|||F|||20260601083000+0200\r"
)
TEXT = "Anti-SRP positive by ELISA.\nCK above 10x the limit."
USUAL = ReceiverFormat(
    software="labbridge-1.2.3",
    timezone="Europe/Zurich",
    comment=(
        Coding("8251-1", "Service comment", "LN"),
        Coding("LBCMT", "labbridge interpretive comment", "L"),
    ),
)
LETTER = Letter(
    at="OBX[1]",
    lanes=(LANE,),
    text=TEXT,
    sub_id="LB41",
    correction=False,
    signer="Ida Roth",
    control_id="LBK-000041",
    now=datetime(2026, 6, 2, 10, 0, 0, tzinfo=UTC),
)
Reply = Callable[[bytes], Sequence[bytes]]


def plainly(control_id: bytes) -> Sequence[bytes]:
    return [block(ack(control_id))]


class Lis:
    """Takes one message after another, keeps its bytes and sends what `reply` makes of its control id, piece by piece.
    An empty piece ends the connection; `gate`, if any, is waited for before anything is sent."""

    def __init__(self, reply: Reply = plainly, gate: asyncio.Event | None = None) -> None:
        self.reply, self.gate = reply, gate
        self.heard: list[bytes] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Lis:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while True:
                raw = await reader.readuntil(END)
                assert raw.startswith(START)
                self.heard.append(raw[len(START) : -len(END)])
                control_id = self.heard[-1].split(b"\r", 1)[0].split(self.heard[-1][3:4])[9]
                if self.gate is not None:
                    await self.gate.wait()
                for piece in self.reply(control_id):
                    if not piece:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except asyncio.CancelledError:
            return
        finally:
            writer.transport.abort()


def receiver(port: int, **changed: Any) -> MllpReceiver:
    settings = {"host": "127.0.0.1", "port": port, "timeout_s": 20.0, "end_grace_s": 0.05} | changed
    return MllpReceiver("lis", ReceiverSettings(**settings))


async def answered(reply: Reply, control_id: str = "LB7", **changed: Any) -> Acknowledgement:
    """The answer to one message. Retry where there is none that can be trusted."""
    async with Lis(reply) as lis:
        line = receiver(lis.port, **changed)
        try:
            return await line.send(
                f"MSH|^~\\&|LB|S|LIS|S|20260602||ORU^R01|{control_id}|P|2.5.1\r".encode(), control_id
            )
        finally:
            line.close()


def written(
    source: str | bytes = SOURCE, charset: str = "", form: dict[str, Any] | None = None, **letter: Any
) -> bytes:
    raw = source.encode() if isinstance(source, str) else source
    format = msgspec.structs.replace(USUAL, **(form or {}))
    return comment_message(raw, charset, format, msgspec.structs.replace(LETTER, **letter))


async def delivered(
    source: str | bytes = SOURCE, charset: str = "", form: dict[str, Any] | None = None, **letter: Any
) -> bytes:
    """The bytes a LIS found between the frame's marks, once it has acknowledged them."""
    raw = written(source, charset, form, **letter)
    async with Lis() as lis:
        line = receiver(lis.port)
        try:
            answer = await line.send(raw, msgspec.structs.replace(LETTER, **letter).control_id)
            assert answer.code == "AA"
        finally:
            line.close()
    (heard,) = lis.heard
    return heard
