#!/usr/bin/env python3
"""A small LIS that stores what it receives. Standard library only.

usage: stub_lis.py HOST:PORT FILE

Listens for MLLP, appends each message to FILE as one line of JSON (number, control id, time, the message), puts it on
disk, and only then answers AA. What has no MSH is stored too and gets no answer. Port 0 takes a free port. The address
is printed when it listens. Ends with SIGTERM or Ctrl-C.

To read FILE: json.loads(line)["message"].encode("utf-8", "surrogateescape") gives the bytes as they came.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import datetime, timezone

START, END = b"\x0b", b"\x1c\r"
LONGEST = 16 * 2**20


class Store:
    """One file, one line a message, each on disk before the next step."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "ab")  # noqa: SIM115  open as long as the LIS runs
        with open(path, "rb") as before:
            self._count = sum(1 for _ in before)

    def keep(self, message: bytes, control_id: str) -> int:
        self._count += 1
        line = {
            "number": self._count,
            "control_id": control_id,
            "received": datetime.now(timezone.utc).isoformat(),  # noqa: TID251, UP017  a LIS has its own clock
            "message": message.decode("utf-8", "surrogateescape"),
        }
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._count


def header(message: bytes) -> list[bytes]:
    """The fields of MSH by number, MSH-1 the separator; empty when the message has no MSH."""
    if message[:3] != b"MSH" or len(message) < 8:
        return []
    separator = message[3:4]
    fields = message.split(b"\r", 1)[0].split(separator)
    return [b"MSH", separator, *fields[1:], *[b""] * 12]


def answer(fields: list[bytes], number: int) -> bytes:
    """AA in the sender's own delimiters and version, naming its control id byte for byte."""
    separator, components = fields[1], fields[2][:1] or b"^"
    event = fields[9].split(components)[1:2]
    kind = components.join([b"ACK", *event, b"ACK"]) if event else b"ACK"
    time = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S").encode()  # noqa: TID251, UP017
    parts = [b"MSH", fields[2], fields[5], fields[6], fields[3], fields[4], time, b"", kind, b"STUB%d" % number]
    head = separator.join([*parts, fields[11], fields[12]])
    return head + b"\r" + separator.join([b"MSA", b"AA", fields[10]]) + b"\r"


async def serve(store: Store, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            block = await reader.readuntil(END)
            message = block[block.find(START) + 1 : -2]
            fields = header(message)
            number = store.keep(message, fields[10].decode("latin-1") if fields else "")
            if fields:
                writer.write(START + answer(fields, number) + END)
                await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass  # the peer left, or sent more than a LIS would take: the connection ends
    finally:
        writer.close()


async def run(host: str, port: int, path: str) -> None:
    store = Store(path)
    server = await asyncio.start_server(lambda r, w: serve(store, r, w), host, port, limit=LONGEST)
    where = server.sockets[0].getsockname()
    print(f"listening {where[0]}:{where[1]}", flush=True)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await stop.wait()
    server.close()


def main() -> int:
    host, colon, port = sys.argv[1].rpartition(":") if len(sys.argv) == 3 else ("", "", "")
    if not colon or not port.isdigit():
        print("usage: stub_lis.py HOST:PORT FILE", file=sys.stderr)
        return 2
    asyncio.run(run(host, int(port), sys.argv[2]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
