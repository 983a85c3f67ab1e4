"""What a listener allows its peers. Names carry units; the numbers are those of reliability.md 3.1, T-40, T-41, T-47."""

from __future__ import annotations

import ipaddress
import resource

import msgspec

RESERVED_FILES = 128  # of RLIMIT_NOFILE: the store, the outgoing connections and the admin port need some

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds.

    `frame_timeout_s` runs from the first byte of a block; `end_grace_s` is how long a block that stands at its end byte
    waits for the CR that some senders never write; `linger_s` how long a finished connection may take to read its last
    answer; `sweep_s` how often deadlines are looked at.
    """

    frame_bytes: int = 16 * 2**20
    frame_timeout_s: float = 30.0
    end_grace_s: float = 2.0
    idle_timeout_s: float = 86400.0
    write_stall_s: float = 15.0
    handshake_s: float = 10.0
    connections_per_address: int = 32
    connections: int = 1024
    inflight_bytes: int = 256 * 2**20
    waiting_frames: int = 64
    not_hl7: int = 3
    unavailable_close_s: float = 30.0
    linger_s: float = 2.0
    drain_s: float = 10.0
    sweep_s: float = 0.5
    accept_pause_s: float = 0.5

    def total(self) -> int:
        """Connections in all: the setting, or what the open-file limit leaves, whichever is less. At least one."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if files == resource.RLIM_INFINITY:
            return self.connections
        return max(1, min(self.connections, files - RESERVED_FILES))


def networks(peers: tuple[str, ...]) -> tuple[Network, ...]:
    """The allow-list of a feed: addresses and CIDR networks. ValueError for anything else."""
    return tuple(ipaddress.ip_network(peer, strict=False) for peer in peers)


def listed(address: str, allowed: tuple[Network, ...]) -> bool:
    """True when the address may connect; an empty list allows all. An IPv4 address in IPv6 clothes counts as IPv4."""
    if not allowed:
        return True
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in allowed)
