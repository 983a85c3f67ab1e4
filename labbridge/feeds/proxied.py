"""Who is behind a load balancer: the header of the PROXY protocol (versions 1 and 2, haproxy.org, proxy-protocol.txt) that
the balancer writes before anything of the peer's.

Only its own bytes are taken from the socket: what follows, TLS or HL7, is the connection's.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"  # of version 2, then version and command, family, and the length of the rest
TEXT = b"PROXY "  # of version 1, then family, source, destination and ports, and CR LF
LONGEST_TEXT = 107
LONGEST_REST = 2048  # addresses, and what else a balancer may say (TLVs)
LOCAL, PROXY = 0x20, 0x21
TCP4, TCP6 = 0x11, 0x21
ADDRESS_BYTES = {TCP4: 4, TCP6: 16}


class HeaderFault(Exception):
    """What came first is no header of the PROXY protocol that is taken here."""


async def peer_of(sock: socket.socket) -> str:
    """The address of the peer, from a non-blocking socket that nothing was read from; empty where the balancer speaks for
    itself (LOCAL, UNKNOWN: it looks whether we are there). HeaderFault, OSError; it waits as long as it is let."""
    start = await _exactly(sock, len(TEXT))
    if start == TEXT:
        return _of_text(await _line(sock))
    start += await _exactly(sock, len(SIGNATURE) + 4 - len(TEXT))
    if not start.startswith(SIGNATURE):
        raise HeaderFault("neither version")
    command, family, length = start[12], start[13], int.from_bytes(start[14:16], "big")
    if length > LONGEST_REST:
        raise HeaderFault("too long")
    rest = await _exactly(sock, length)
    if command == LOCAL:
        return ""
    if command != PROXY or family not in ADDRESS_BYTES:
        raise HeaderFault("neither TCP over IPv4 nor over IPv6")
    size = ADDRESS_BYTES[family]
    if length < 2 * size + 4:
        raise HeaderFault("no addresses")
    return str(ipaddress.ip_address(rest[:size]))


def _of_text(line: bytes) -> str:
    words = line.decode("ascii", "replace").split(" ")
    if words[0] == "UNKNOWN":
        return ""
    if len(words) != 5 or words[0] not in ("TCP4", "TCP6"):
        raise HeaderFault("neither TCP over IPv4 nor over IPv6")
    try:
        found = ipaddress.ip_address(words[1])
    except ValueError:
        raise HeaderFault("no addresses") from None
    if found.version != int(words[0][-1]):
        raise HeaderFault("an address of another family")
    return str(found)


async def _line(sock: socket.socket) -> bytes:
    """The rest of a text header, byte by byte: what stands behind it is not ours."""
    found = b""
    while not found.endswith(b"\r\n"):
        if len(found) >= LONGEST_TEXT - len(TEXT):
            raise HeaderFault("too long")
        found += await _exactly(sock, 1)
    return found[:-2]


async def _exactly(sock: socket.socket, count: int) -> bytes:
    loop, found = asyncio.get_running_loop(), b""
    while len(found) < count:
        more = await loop.sock_recv(sock, count - len(found))
        if not more:
            raise HeaderFault("it ended")
        found += more
    return found
