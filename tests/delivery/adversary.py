"""A LIS that misbehaves in every way seen in the field (field-quirks.md 4, reliability.md T-30), on a real socket.

Each mode says what goes back for one message: bytes, pauses (seconds), and how the connection ends. `DELIVERED` names
the modes in which the LIS did take this very message and said so in a form that may be trusted; `REFUSED` those in which
it refused it; in all others nothing may count as delivered.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Sequence

START, END = b"\x0b", b"\x1c\r"
PAUSE = 0.02
Step = bytes | float | str  # bytes to send, a pause, or "close", "rst", "eof", "stay"


def ack(control_id: bytes, code: bytes = b"AA", separator: bytes = b"\r", more: bytes = b"") -> bytes:
    head = b"MSH|^~\\&|LIS|H|LB|H|20260101||ACK^R01^ACK|A" + control_id + b"|P|2.5.1"
    return separator.join([head, b"MSA|" + code + b"|" + control_id + more, b""])


def block(message: bytes) -> bytes:
    return START + message + END


def _dribble(raw: bytes) -> list[Step]:
    return [part for at in range(0, len(raw), 7) for part in (raw[at : at + 7], 0.001)]


MODES: dict[str, Callable[[bytes, bytes], Sequence[Step]]] = {
    "plain": lambda id, _: [block(ack(id))],
    "splitFSCR": lambda id, _: [START + ack(id) + b"\x1c", PAUSE, b"\r"],
    "splitbody": lambda id, _: _dribble(block(ack(id))),
    "noCR": lambda id, _: [START + ack(id) + b"\x1c", "stay"],
    "noCRclose": lambda id, _: [START + ack(id) + b"\x1c", "close"],
    "LFseg": lambda id, _: [block(ack(id, separator=b"\n"))],
    "CRLFseg": lambda id, _: [block(ack(id, separator=b"\r\n"))],
    "coalesced2": lambda id, _: [block(ack(b"OTHER1")) + block(ack(id))],
    "twice": lambda id, _: [block(ack(id)) + block(ack(id))],
    "twiceLater": lambda id, _: [block(ack(id)), PAUSE, block(ack(id))],
    "CAthenAA": lambda id, _: [block(ack(id, b"CA")), PAUSE, block(ack(id))],
    "CA+AAcoalesced": lambda id, _: [block(ack(id, b"CA")) + block(ack(id))],
    "CAthenAE": lambda id, _: [block(ack(id, b"CA")), PAUSE, block(ack(id, b"AE"))],
    "bigack": lambda id, _: [block(ack(id, more=b"|" + b"x" * 9000))],
    "junkCRLFbefore": lambda id, _: [b"\r\n" + block(ack(id))],
    "closeaftersend": lambda id, _: [block(ack(id)), "eof"],
    "half+more": lambda id, _: [block(ack(id)) + START + b"MSH|^~"],
    "AE": lambda id, _: [block(ack(id, b"AE", more=b"|bad thing"))],
    "AR": lambda id, _: [block(ack(id, b"AR"))],
    "CE": lambda id, _: [block(ack(id, b"CE"))],
    "CR": lambda id, _: [block(ack(id, b"CR"))],
    "AA+AEcoalesced": lambda id, _: [block(ack(id)) + block(ack(id, b"AE"))],
    "CA+AEcoalesced": lambda id, _: [block(ack(id, b"CA")) + block(ack(id, b"AE"))],
    "wrongid": lambda _, __: [block(ack(b"NOTYOURS")), "stay"],
    "previous": lambda _, previous: [block(ack(previous)), "stay"],
    "longerid": lambda id, _: [block(ack(id + b"0")), "stay"],
    "shorterid": lambda id, _: [block(ack(id[:-1])), "stay"],
    "noMSA2": lambda _, __: [block(ack(b"")), "stay"],
    "noMSA": lambda id, _: [block(ack(id).split(b"\r")[0] + b"\r"), "stay"],
    "twoMSA": lambda id, _: [block(ack(b"OTHER") + b"MSA|AA|" + id + b"\r"), "stay"],
    "wrongcode": lambda id, _: [block(ack(id, b"OK")), "stay"],
    "lowercase": lambda id, _: [block(ack(id, b"aa")), "stay"],
    "idInText": lambda id, _: [block(ack(b"OTHER", more=b"|AA|" + id)), "stay"],
    "bareACKbyte": lambda _, __: [b"\x06", "stay"],
    "framedACKbyte": lambda _, __: [block(b"\x06"), "stay"],
    "unframed": lambda id, _: [ack(id), "stay"],
    "unframedClose": lambda id, _: [ack(id), "close"],
    "garbage": lambda _, __: [bytes(range(14, 28)) * 20, "stay"],
    "emptyframe": lambda _, __: [block(b""), "stay"],
    "halfStay": lambda id, _: [block(ack(id))[:-4], "stay"],
    "halfClose": lambda id, _: [block(ack(id))[:-4], "close"],
    "halfRst": lambda id, _: [block(ack(id))[:-4], "rst"],
    "endless": lambda id, _: [START + ack(id) + b"y" * 3_000_000, "stay"],
    "silent": lambda _, __: ["stay"],
    "late": lambda id, _: [1.0, block(ack(id)), "stay"],
    "close": lambda _, __: ["close"],
    "rst": lambda _, __: ["rst"],
    "echo": lambda id, _: [block(b"MSH|^~\\&|LB|H|LIS|H|20260101||ORU^R01|" + id + b"|P|2.5.1\r"), "stay"],
}

DELIVERED = (
    "plain splitFSCR splitbody noCR noCRclose LFseg CRLFseg coalesced2 twice twiceLater CAthenAA CA+AAcoalesced "
    "CAthenAE bigack junkCRLFbefore closeaftersend half+more"
).split()
REFUSED = ["AE", "AR", "CE", "CR", "AA+AEcoalesced", "CA+AEcoalesced"]
NOTHING = [mode for mode in MODES if mode not in DELIVERED + REFUSED]


class Adversary:
    """Answers message n by `modes[n]`, the last of them for ever. `seen` are the control ids in order of arrival,
    `raw` the messages, `connections` how many there were, `most_open` how many messages ever waited at once. With `tls`
    (its own side, the client's) it speaks TLS: a connection that would be half closed is then closed."""

    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None

    def __init__(self, *modes: str) -> None:
        self.modes = list(modes)
        self.seen: list[bytes] = []
        self.raw: list[bytes] = []
        self.connections = self.waiting = self.most_waiting = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Adversary:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=2**24, ssl=self.tls[0] if self.tls else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                raw = (await reader.readuntil(END))[1:-2]
                self.waiting += 1
                self.most_waiting = max(self.most_waiting, self.waiting)
                control_id = raw.split(b"|")[9]
                previous = self.seen[-1] if self.seen else b"NONE"
                self.seen.append(control_id)
                self.raw.append(raw)
                mode = self.modes[min(len(self.seen), len(self.modes)) - 1]
                self.waiting -= 1
                for step in MODES[mode](control_id, previous):
                    await self._step(step, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _step(self, step: Step, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, float):
            await asyncio.sleep(step)
        elif step == "eof":
            if self.tls:
                raise ConnectionResetError
            writer.write_eof()
        elif step == "rst":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            raise ConnectionResetError
        elif step == "close":
            raise ConnectionResetError
