"""`labbridge send`: messages of files over MLLP, one answer each."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from labbridge.config import split_address
from labbridge.errors import Refused
from labbridge.hl7 import ack
from labbridge.hl7.head import head
from labbridge.hl7.mllp import Frame, Framer, frame
from labbridge.offline import split_messages


class Sent(msgspec.Struct, frozen=True):
    """One message sent: file, number within it, its control id, and the answer (empty code: none came)."""

    file: str
    number: int
    control_id: str
    code: str
    error: str

    @property
    def positive(self) -> bool:
        return self.code in ack.POSITIVE

    def line(self, format: str) -> str:
        if format == "json":
            return json.dumps({name: getattr(self, name) for name in self.__struct_fields__})
        return " ".join(
            filter(None, (f"{self.file}#{self.number}", self.control_id, self.code or "no answer", self.error))
        )


def read(path: str) -> bytes:
    """A file's bytes, or standard input for `-`."""
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def send_files(files: list[str], to: str, timeout_s: float) -> Iterator[Sent]:
    """Send each message, wait for its answer, yield both. Refused where the listener cannot be reached."""
    host, port = split_address(to)
    try:
        channel = socket.create_connection((host, port), timeout_s)
    except OSError as fault:
        raise Refused(
            f"{to}: no connection ({fault.strerror or type(fault).__name__}); is the listener running?"
        ) from None
    with channel:
        for path in files:
            for number, message in enumerate(split_messages(read(path)), 1):
                raw = re.sub(rb"\r\n|\n", b"\r", message)
                yield _exchange(channel, path, number, raw)


def _exchange(channel: socket.socket, path: str, number: int, raw: bytes) -> Sent:
    """Send one message and read until an answer names it: a peer may repeat earlier answers in one write."""
    control_id = head(raw).control_id
    framer = Framer()
    another = False
    try:
        channel.sendall(frame(raw))
        while data := channel.recv(65536):
            for event in framer.receive_data(data):
                if isinstance(event, Frame):
                    answer = ack.read_ack(event.data)
                    if answer.control_id == control_id:
                        return Sent(path, number, control_id, answer.code, answer.text)
                    another = True
        missing = "closed without an answer"
    except OSError as fault:
        missing = type(fault).__name__
    return Sent(path, number, control_id, "", "the answer names another message" if another else missing)
