"""python-hl7's own asyncio server, each message kept by a SQLite commit of its own before it is answered: what a careful
person writes with that library. usage: python_hl7_listener.py PORT DBFILE"""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server


def opened(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE raw(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)")
    return connection


async def main(port: int, path: str) -> None:
    connection = opened(path)

    async def serve(reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                connection.execute("INSERT INTO raw(bytes) VALUES (?)", (str(message).encode(),))
                writer.writemessage(message.create_ack())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await start_hl7_server(serve, host="127.0.0.1", port=port, encoding="utf-8", limit=2**20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
