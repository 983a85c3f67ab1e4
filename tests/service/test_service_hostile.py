"""Slow and hostile peers by the thousand (reliability.md T-41, T-47): a good sender is served, memory is bounded, and who
goes too far is closed and counted. What it costs the good sender is a figure of the fault harness, and no assertion here."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
import sqlite3
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from service_parts import Sender, Service, free_port, sample, until
from tls_files import Authority

from labbridge.hl7.mllp import frame
from tests.conftest import missing

CK = sample("02-srp-hep2-negative/1a-ck.hl7")
ADDRESSES, EACH = 100, 20
LARGEST_MB = 512


class Crowd:
    """Peers from many loopback addresses, all of which stay connected."""

    def __init__(self) -> None:
        self.peers: list[socket.socket] = []

    def join(self, address: str, port: int, first: bytes) -> socket.socket:
        peer = socket.socket()
        self.peers.append(peer)
        peer.bind((address, 0))
        peer.settimeout(10)
        peer.connect(("127.0.0.1", port))
        with contextlib.suppress(OSError):  # it may be closed already: over a cap
            peer.sendall(first)
        return peer

    def close(self) -> None:
        for peer in self.peers:
            peer.close()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * ADDRESSES * EACH:
        missing("room for thousands of sockets", f"allow {2 * ADDRESSES * EACH} open files (ulimit -n)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * ADDRESSES * EACH), hard))
    found = Crowd()
    yield found
    found.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def configured(folder: Path, limits: str) -> tuple[Service, int]:
    """A service with a plain feed and one with TLS; the port of the latter."""
    port, pair = free_port(), Authority(folder).issue("server")
    found = Service(
        folder,
        f"[limits]\n{limits}[feeds.tls]\nlisten = '127.0.0.1:{port}'\nreceiver = 'lis'\n[feeds.tls.tls]\n{pair.toml()}",
    )
    return found, port


def counted(service: Service, name: str) -> dict[tuple[str, str], float]:
    """labbridge_feed_connections_NAME by feed and reason."""
    with urllib.request.urlopen(service.url("metrics"), timeout=30) as answer:
        text = answer.read().decode()
    rows = re.findall(rf'^labbridge_feed_connections_{name}_total{{feed="(.*)",reason="(.*)"}} (.*)$', text, re.M)
    return {(feed, reason): float(value) for feed, reason, value in rows}


def connected(service: Service) -> float:
    with urllib.request.urlopen(service.url("metrics"), timeout=30) as answer:
        return sum(map(float, re.findall(r"^labbridge_feed_connected{.*} (.*)$", answer.read().decode(), re.M)))


def memory_mb(service: Service) -> float:
    """The most the listening process ever held."""
    assert service.process is not None
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{service.process.pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1]) / 1024


def served(service: Service, line: Sender, count: int) -> None:
    for number in range(count):
        answer = line.send(CK.replace(b"|S2001", b"|GOOD%d" % number))
        assert answer is not None
        assert answer.code == "AA"


def test_two_thousand_slow_peers_hold_nobody_up(tmp_path: Path, crowd: Crowd) -> None:
    service, tls_port = configured(tmp_path, "connections = 3000\nconnections_per_address = 64\nframe_timeout_s = 20\n")
    try:
        service.start(stub=False)
        line = Sender(service)
        served(service, line, 20)
        drips = []
        for number in range(ADDRESSES * EACH):
            address = f"127.0.{1 + number % ADDRESSES}.1"
            kind = number // ADDRESSES % 4
            if kind == 0:
                crowd.join(address, service.mllp, b"\x0b" + CK[:200])
            elif kind == 1:
                drips.append(crowd.join(address, service.mllp, b"\x0bM"))
            elif kind == 2:  # never reads its answers
                crowd.join(address, service.mllp, frame(CK.replace(b"|S2001", b"|X%d" % number)) * 5)
            else:  # begins a handshake, or speaks before it
                crowd.join(address, tls_port, b"\x16\x03\x01\x02\x00\x01")
        for _ in range(10):
            for peer in drips:
                with contextlib.suppress(OSError):
                    peer.send(b"x")
            served(service, line, 20)
        until(lambda: counted(service, "refused").get(("tls", "handshake_timeout")) == ADDRESSES * EACH / 4)
        until(lambda: counted(service, "closed").get(("myolis", "frame_timeout")) == ADDRESSES * EACH / 2)
        served(service, line, 20)
        line.close()
        assert memory_mb(service) < LARGEST_MB
    finally:
        service.close()


def test_who_is_over_a_cap_is_closed_and_counted_and_a_known_sender_comes_back(tmp_path: Path, crowd: Crowd) -> None:
    service, _tls_port = configured(tmp_path, "frame_timeout_s = 300\n")
    try:
        service.start(stub=False)
        line = Sender(service)
        served(service, line, 1)
        line.close()
        for _ in range(40):
            crowd.join("127.0.200.1", service.mllp, b"\x0b")
        until(lambda: counted(service, "refused").get(("myolis", "over_address_cap")) == 8)
        for number in range(1000):
            crowd.join(f"127.0.{1 + number % ADDRESSES}.1", service.mllp, b"\x0b")
        until(lambda: counted(service, "refused").get(("myolis", "over_cap")) == 32 + 1000 - 896)
        assert connected(service) == 896
        known = Sender(service)
        served(service, known, 5)
        known.close()
    finally:
        service.close()


def test_a_sender_behind_a_balancer_is_kept_under_its_own_address(tmp_path: Path) -> None:
    port = free_port()
    behind = "receiver = 'lis'\nproxies = ['127.0.0.1']\npeers = ['127.0.9.5']\n"
    service = Service(tmp_path, f"[feeds.behind]\nlisten = '127.0.0.1:{port}'\n{behind}")
    try:
        service.start()
        with socket.create_connection(("127.0.0.1", port), 10) as peer:
            peer.sendall(b"PROXY TCP4 127.0.9.5 127.0.0.1 40000 2575\r\n" + frame(CK))
            assert b"MSA|AA|" in peer.recv(4096)
        with contextlib.closing(sqlite3.connect(tmp_path / "store.db")) as store:
            assert store.execute("SELECT feed, peer FROM journal").fetchall() == [("behind", "127.0.9.5")]
    finally:
        service.close()
