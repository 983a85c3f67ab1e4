"""MLLP as the harness speaks it: frames out of a stream, and the answer's MSA. Of its own, so that a fault of the
product's framer cannot hide here."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass

from tests.faults.messages import END, START

POSITIVE = ("AA", "CA")


@dataclass(frozen=True)
class Answer:
    """MSA-1 and MSA-2; both empty for bytes that are no answer."""

    code: str
    control_id: str

    @property
    def positive(self) -> bool:
        return self.code in POSITIVE


def framed(raw: bytes) -> bytes:
    return START + raw + END


def read_answer(frame: bytes) -> Answer:
    for segment in frame.split(b"\r"):
        if segment.startswith(b"MSA|"):
            fields = segment.split(b"|")
            if len(fields) > 2:
                return Answer(fields[1].decode("latin-1"), fields[2].decode("latin-1"))
    return Answer("", "")


class Frames:
    """Whole frames out of whatever comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._rest += data
        found = []
        while (end := self._rest.find(END)) >= 0:
            start = self._rest.find(START)
            found.append(self._rest[start + 1 : end] if 0 <= start < end else self._rest[:end])
            self._rest = self._rest[end + len(END) :]
        return found


def connect(port: int, source: str = "", timeout: float = 10.0) -> socket.socket:
    channel = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0) if source else None)
    channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return channel


def receive(channel: socket.socket) -> Answer | None:
    """The next answer; None where the connection ended or the time was up without one."""
    frames = Frames()
    with contextlib.suppress(OSError):
        while data := channel.recv(65536):
            if found := frames.feed(data):
                return read_answer(found[0])
    return None


def exchange(port: int, raw: bytes, timeout: float = 10.0) -> Answer | None:
    """One message on a connection of its own; its answer, None where there was none."""
    try:
        with connect(port, timeout=timeout) as channel:
            channel.sendall(framed(raw))
            return receive(channel)
    except OSError:
        return None
