"""One exchange with another service over HTTP: within a time in all, of a size at most, and to no other place than the one
that was named."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from socket import SHUT_RDWR, create_connection, socket
from urllib.parse import urlsplit

from labbridge.web.parts import LOCAL

WITHIN_S = 10.0
LONGEST = 256 * 1024


class Unanswered(Exception):
    """No answer that can be used; the text says why, and holds nothing of what was sent or received."""


def address_of(url: str) -> tuple[str, int, bool]:
    """Host, port, and whether TLS is spoken. Unanswered for anything else than https, or http within this machine."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise Unanswered("an address without a port that is one") from None
    host, secure = parts.hostname or "", parts.scheme == "https"
    if not host or "@" in parts.netloc or not (secure or (parts.scheme == "http" and host in LOCAL)):
        raise Unanswered("an address that is not https")
    return host, port or (443 if secure else 80), secure


def exchanged(
    url: str, tls: ssl.SSLContext, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    """Status and content of the answer. A redirect is an answer like any other. Unanswered where there is none, or it is
    longer than LONGEST."""
    host, port, secure = address_of(url)
    try:
        plain = create_connection((host, port), WITHIN_S)
        channel = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) if secure else plain
        with channel:
            return _within(channel, url, body, headers or {})
    except ssl.SSLCertVerificationError:
        raise Unanswered("a certificate that is of none of our authorities") from None
    except (OSError, HTTPException, ValueError) as error:
        raise Unanswered(f"no whole answer ({type(error).__name__})") from None


def _within(channel: socket, url: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
    """The time is of all together: one byte every few seconds does not keep a thread for ever."""
    ends = threading.Timer(WITHIN_S, _ended, (channel,))
    ends.daemon = True
    ends.start()
    try:
        if isinstance(channel, ssl.SSLSocket):
            channel.do_handshake()
        return _answer(channel, url, body, headers)
    finally:
        ends.cancel()


def _ended(channel: socket) -> None:
    try:
        socket.shutdown(channel, SHUT_RDWR)
    except OSError:
        return  # the other side was faster


def _answer(channel: socket, url: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
    parts = urlsplit(url)
    place = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = HTTPConnection(parts.hostname or "", parts.port)
    connection.sock = channel
    asked = {"Accept": "application/json", "Accept-Encoding": "identity", "Connection": "close", **headers}
    connection.request("GET" if body is None else "POST", place, body, asked)
    answer = connection.getresponse()
    content = answer.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise Unanswered(f"an answer of more than {LONGEST} bytes")
    return answer.status, content
