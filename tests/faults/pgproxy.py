"""A proxy between a service and PostgreSQL, in a process of its own: `python -m tests.faults.pgproxy SETTINGS.json`.

It understands the protocol as far as it must (PostgreSQL's manual, Message Formats): which statements a transaction has
run, so which kind of commit it is, and where the server's answer to that COMMIT is. What is drawn for a kind of commit by a
seed from `ways` (kind: {way: weight}; a file named `control` beside the history changes it while it runs) is done with it:

    swallow   the server has committed; the answer does not arrive, and the connection is closed on both sides
    vanish    the same, and the server goes on believing that its client is there
    hold      the answer arrives `hold_s` later

Each commit of what one node alone may do is written down: its session, when it was asked for, the rows of work that it
marked as begun, and the messages and lanes that it settled.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.faults.journal import History

KINDS = {  # by what a statement begins with
    "INSERT INTO journal": "intake",
    "UPDATE journal SET duplicates": "again",
    "UPDATE work SET attempts": "begun",
    "UPDATE work SET state": "processing",
    "INSERT INTO outbox": "release",
    "UPDATE outbox SET state = 'sent'": "claim",
    "INSERT INTO attempts(delivery, at, sent, reason, answer) VALUES": "settle",
}
SSL, GSS = 80877103, 80877104
SETTLED_MESSAGE = 6  # which parameter of it is the message; the next is the lane
FENCED = {"begun", "processing", "claim", "settle"}
COMMITTED = b"COMMIT\0"
BELIEVED_S = 2.0


class Cut(Exception):
    """This connection ends here; the text says how."""


class Transaction:
    """What was run since BEGIN, and when its COMMIT was asked for."""

    def __init__(self) -> None:
        self.kinds: set[str] = set()
        self.begun: list[int] = []
        self.settled: list[tuple[int, str]] = []
        self.asked = 0.0

    def run(self, sql: str, values: list[bytes]) -> None:
        kind = next((kind for start, kind in KINDS.items() if sql.startswith(start)), "")
        if kind:
            self.kinds.add(kind)
        if kind == "begun":
            self.begun += [int.from_bytes(one, "big") for one in values]
        elif kind == "processing":
            self.settled.append((int.from_bytes(values[SETTLED_MESSAGE], "big"), values[SETTLED_MESSAGE + 1].decode()))


class Session:
    """What one connection has run: by the names of its prepared statements, and within its transaction."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._prepared: dict[bytes, str] = {}
        self._transaction = Transaction()
        self.committing: deque[Transaction] = deque()  # their COMMITs were asked for and not answered yet

    def sent(self, code: bytes, body: bytes) -> None:
        if code == b"P":
            name, sql, _rest = body.split(b"\0", 2)
            self._prepared[name] = sql.decode()
        elif code == b"B":
            _portal, name, rest = body.split(b"\0", 2)
            self._run(self._prepared.get(name, ""), _values(rest))
        elif code == b"Q":
            for sql in body.rstrip(b"\0").decode().split(";"):
                self._run(sql.strip(), [])

    def _run(self, sql: str, values: list[bytes]) -> None:
        if sql.startswith("BEGIN"):
            self._transaction = Transaction()
        elif sql.startswith("COMMIT"):
            self._transaction.asked = time.monotonic()
            self.committing.append(self._transaction)
        else:
            self._transaction.run(sql, values)


def _values(rest: bytes) -> list[bytes]:
    """The parameters of a Bind, behind its names: formats, then each with its length; NULL is empty."""
    (formats,) = struct.unpack_from("!h", rest)
    place = 2 + 2 * formats
    (count,) = struct.unpack_from("!h", rest, place)
    place, found = place + 2, []
    for _number in range(count):
        (length,) = struct.unpack_from("!i", rest, place)
        found.append(rest[place + 4 : place + 4 + max(0, length)])
        place += 4 + max(0, length)
    return found


class PgProxy:
    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._history = History(Path(settings["history"]))
        self._control = Path(settings["history"] + ".control")
        self._rng = random.Random(f"{settings['seed']}-{settings['name']}")
        self._ways: dict[str, dict[str, float]] = settings.get("ways", {})
        self._read_at = 0.0
        self._sessions = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._settings["target"])
        except OSError:
            writer.close()
            return
        self._sessions += 1
        session = Session(self._sessions)
        tasks = [
            asyncio.create_task(self._forth(reader, writer, back, session)),
            asyncio.create_task(self._back(there, writer, session)),
        ]
        done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        if any(str(task.exception()) == "vanish" for task in done):
            await asyncio.sleep(BELIEVED_S)
        back.close()

    async def _forth(
        self, reader: asyncio.StreamReader, client: asyncio.StreamWriter, writer: asyncio.StreamWriter, session: Session
    ) -> None:
        await _started(reader, client, writer)
        async for code, head, body in _messages(reader):
            session.sent(code, body)
            writer.write(head + body)
            await writer.drain()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session) -> None:
        async for code, head, body in _messages(reader):
            if code == b"C" and body in (COMMITTED, b"ROLLBACK\0") and session.committing:
                transaction = session.committing.popleft()
                if body == COMMITTED and transaction.kinds:
                    await self._committed(transaction, session.number)
            elif code == b"E":
                session.committing.clear()
            writer.write(head + body)
            if not reader._buffer:  # type: ignore[attr-defined]  # else more is here already: written in one go
                await writer.drain()

    async def _committed(self, done: Transaction, session: int) -> None:
        """The server has committed, and this is its word of it."""
        self._obey()
        kinds = done.kinds
        if kinds & FENCED:
            told = {"kinds": sorted(kinds), "begun": done.begun, "settled": done.settled}
            self._history.write({"ev": "commit", "session": session, "asked": done.asked, **told})
        what = "pass"
        for kind in sorted(kinds):
            weights = self._ways.get(kind, {})
            if weights and what == "pass":
                (what,) = self._rng.choices(["pass", *weights], [1, *weights.values()])
        if what == "pass":
            return
        self._history.write({"ev": "fault", "what": what, "kinds": sorted(kinds)})
        if what != "hold":
            raise Cut(what)
        await asyncio.sleep(self._settings.get("hold_s", 1.0))

    def _obey(self) -> None:
        if self._control.is_file() and (changed := self._control.stat().st_mtime) != self._read_at:
            self._read_at = changed
            self._ways = json.loads(self._control.read_text())["ways"]


async def _started(reader: asyncio.StreamReader, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
    """The first message has no letter. A wish to encrypt is denied in the server's place, in its one letter."""
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!II", head)
        if code in (SSL, GSS):
            client.write(b"N")
            continue
        server.write(head + await reader.readexactly(length - 8))
        return


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes, bytes]]:
    """Letter, head and body of each message; it ends with the connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readexactly(5)
            body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
            yield head[:1], head, body


async def run(settings: dict[str, Any]) -> None:
    proxy = PgProxy(settings)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", settings["port"], limit=2**24)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
