"""python-hl7's asyncio server as a LIS: prints one line of JSON for each message as it reads it, and answers as the
control id asks: AE.. and AR.. get that code, NO.. an acceptance that names another message, all others AA.

It drops a connection that sends more than 64 KiB at once (asyncio's limit of a stream).

usage: serve_python_hl7.py PORT
"""

from __future__ import annotations

import asyncio
import json
import sys

import hl7
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


def answer_to(message: hl7.Message, id: str) -> hl7.Message:
    wanted = id[:2]
    answer = message.create_ack(wanted if wanted in ("AE", "AR") else "AA")
    if wanted == "NO":
        answer.segment("MSA")[2] = "ANOTHER"
    return answer


async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
    try:
        while True:
            message = await reader.readmessage()
            id = str(message.segment("MSH")[10])
            text = str(message.segment("OBX")[5])
            print(json.dumps({"id": id, "text": text, "raw": str(message)}), flush=True)
            writer.writemessage(answer_to(message, id))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def listen(port: int) -> None:
    async with await start_hl7_server(serve, host="127.0.0.1", port=port, encoding="utf-8") as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(listen(int(sys.argv[1])))
