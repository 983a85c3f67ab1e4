"""An MLLP listener that answers and keeps nothing: how fast the load generator can go. usage: null_listener.py PORT"""

from __future__ import annotations

import asyncio
import sys

SB, EB = b"\x0b", b"\x1c\r"


class Null(asyncio.Protocol):
    """Answers each block at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.buffer = transport, b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        answers = []
        while (end := self.buffer.find(EB)) >= 0:
            control = self.buffer[:end].split(b"\r", 1)[0].split(b"|")[9]
            answers.append(SB + b"MSH|^~\\&|NULL||||20250101||ACK|1|P|2.5.1\rMSA|AA|" + control + b"\r" + EB)
            self.buffer = self.buffer[end + 2 :]
        self.transport.write(b"".join(answers))  # type: ignore[attr-defined]


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Null, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
