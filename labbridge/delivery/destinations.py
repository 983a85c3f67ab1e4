"""Where a connection may go (reliability.md S-07): to the host of the configuration, at an address that was looked at. The
name is resolved once for each delivery, every address it has is judged, and the connection is made to one of them: a name
that leads elsewhere a moment later leads nowhere."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from labbridge.errors import Retry
from labbridge.states import Reason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

PORTS = {"https": 443, "http": 80}
NEVER = tuple(
    ipaddress.ip_network(one)
    for one in (
        "0.0.0.0/8",  # this network
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "100.100.100.200/32",  # metadata (Alibaba)
        "168.63.129.16/32",  # metadata (Azure)
        "192.0.0.192/32",  # metadata (Oracle)
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fec0::/10",
        "fd00:ec2::254/128",  # metadata (Amazon)
        "ff00::/8",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class NotAllowed(Retry):
    """The name leads where nothing may be sent; it goes once it leads elsewhere, or its network is named."""


async def resolved(host: str, port: int) -> Sequence[str]:
    """All addresses of a name, as this machine has them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_kind, where in found))


class Destination:
    """The server of one configured base URL. `networks` are those within which addresses of a private kind are allowed; an
    address that stands in the URL itself was named with it."""

    def __init__(self, base: str, networks: Sequence[str] = (), resolve: Resolve = resolved) -> None:
        parts = urlsplit(base)
        self.scheme, self.host, self.path = parts.scheme, parts.hostname or "", parts.path.rstrip("/")
        self.port = parts.port or PORTS[parts.scheme]
        self.authority = parts.netloc
        self._resolve = resolve
        self._networks = [ipaddress.ip_network(one, strict=False) for one in networks]
        try:
            self._named: Address | None = ipaddress.ip_address(self.host)
        except ValueError:
            self._named = None

    async def addresses(self) -> Sequence[str]:
        """The addresses of the name, each of them looked at. NotAllowed where any of them may not be sent to; OSError where
        there is none."""
        found = [str(self._named)] if self._named is not None else await self._resolve(self.host, self.port)
        if not found:
            raise OSError("the name has no address")
        for one in found:
            self._check(one)
        return found

    def _check(self, text: str) -> None:
        try:
            address = unwrapped(ipaddress.ip_address(text))
        except ValueError as fault:  # an address with a zone: it is link-local
            raise _refused("an address of a zone") from fault
        if any(address in network for network in NEVER if network.version == address.version):
            raise _refused("a link-local, metadata, multicast or reserved address")
        if self.scheme == "http" and not address.is_loopback:
            raise _refused("another machine than this one, without TLS")
        if address.is_global or self._named is not None:
            return
        if not any(address in network for network in self._networks if network.version == address.version):
            raise _refused("a private address that `networks` does not name")


def unwrapped(address: Address) -> Address:
    """The IPv4 address within an IPv6 one, where it is nothing but its form (mapped, compatible, NAT64, 6to4, Teredo)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    number = int(address)
    if address in _NAT64 or (address in _COMPATIBLE and number > 1):
        return ipaddress.IPv4Address(number & 0xFFFFFFFF)
    return address


def _refused(what: str) -> NotAllowed:
    return NotAllowed(Reason.NO_ANSWER, f"No connection was made: the receiver's name leads to {what}")
