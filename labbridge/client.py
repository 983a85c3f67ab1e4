"""`labbridge send`: messages of files over MLLP, one answer each."""

from __future__ import annotations

import json
import re
import socket
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from labbridge.config import ConfigError, ReceiverTlsSection, split_address
from labbridge.errors import Refused
from labbridge.hl7 import ack
from labbridge.hl7.head import head
from labbridge.hl7.mllp import Frame, Framer, frame
from labbridge.observe.handshakes import SENTENCES, why
from labbridge.tls import client
from labbridge.wires import split_messages


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


def context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """What `send --tls` uses, of the files named on the command line. ConfigError for a wrong one."""
    from labbridge.processing import SystemClock  # only here: it brings the whole story with it

    if bool(certificate) != bool(key):
        raise ConfigError("--certificate and --key go together: name both or neither")
    section = ReceiverTlsSection(ca=ca, certificate=certificate, key=key)
    return client("--tls", section, SystemClock().now()).context


def send_files(
    files: list[str], to: str, timeout_s: float, tls: ssl.SSLContext | None = None, server_name: str = ""
) -> Iterator[Sent]:
    """Send each message, wait for its answer, yield both. Refused where the listener cannot be reached or trusted.

    `server_name` is the name its certificate must carry; empty: the host.
    """
    with _connected(to, timeout_s, tls, server_name) as channel:
        for path in files:
            for number, message in enumerate(split_messages(read(path)), 1):
                raw = re.sub(rb"\r\n|\n", b"\r", message)
                yield _exchange(channel, path, number, raw)


def _connected(to: str, timeout_s: float, tls: ssl.SSLContext | None, server_name: str) -> socket.socket:
    host, port = split_address(to)
    try:
        channel = socket.create_connection((host, port), timeout_s)
    except OSError as fault:
        raise Refused(
            f"{to}: no connection ({fault.strerror or type(fault).__name__}); is the listener running?"
        ) from None
    if tls is None:
        return channel
    try:
        return tls.wrap_socket(channel, server_hostname=server_name or host)
    except OSError as fault:
        channel.close()
        raise Refused(
            f"{to}: no TLS connection: {SENTENCES[why(fault)]}; see --ca, --server-name, --certificate"
        ) from None


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
        asked = "; does the listener ask for another certificate?" if isinstance(channel, ssl.SSLSocket) else ""
        missing = f"closed without an answer{asked}"
    except OSError as fault:
        missing = f"TLS: {SENTENCES[why(fault)]}" if isinstance(fault, ssl.SSLError) else type(fault).__name__
    return Sent(path, number, control_id, "", "the answer names another message" if another else missing)
