"""python-hl7's asyncio client: sends each FILE on one connection, and prints one line of JSON for each answer.

usage: send_python_hl7_async.py PORT FILE...
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import hl7
from hl7.mllp import open_hl7_connection
from interop_answers import as_json


async def send_in_turn(port: int, files: list[str]) -> None:
    reader, writer = await open_hl7_connection("127.0.0.1", port, encoding="utf-8")
    for file in files:
        writer.writemessage(hl7.parse(Path(file).read_bytes().decode()))
        await writer.drain()
        print(as_json(await reader.readmessage()))
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    asyncio.run(send_in_turn(int(sys.argv[1]), sys.argv[2:]))
