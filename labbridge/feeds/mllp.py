"""The MLLP listener: accepts, caps, watches deadlines, drains. What a block means is the story's business.

The accept loop is our own: asyncio's writes a log line per waiting connection when the process is out of files.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from labbridge.feeds.connection import SHARE_BYTES, Connection, Handlers
from labbridge.feeds.limits import Limits, listed, networks
from labbridge.feeds.names import fingerprint, named
from labbridge.feeds.proxied import HeaderFault, peer_of
from labbridge.feeds.slots import Slots
from labbridge.observe.handshakes import why
from labbridge.observe.logs import logger

_log = logger("feeds")
_BACKLOG = 1024
_AT_ONCE = 32  # connections accepted per turn of the loop, so that the open ones get theirs
_NO_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_SAY_AGAIN_S = 60.0  # a stranger may fail thousands of handshakes a second: one line a minute and reason
BALANCER = "balancer"  # it looked whether somebody is here
_GONE = (errno.ECONNABORTED, errno.EPROTO, errno.EPERM)


class MllpServer:
    """One listener of one feed.

    `answered` is told each answer's code and the seconds from the complete block to it.
    `closed` counts ended connections by reason, `refused` those closed before a byte was read. `last_message` is the
    loop's time of the newest answered block (0.0: none). The numbers are for metrics; nothing here depends on them.
    `tls` may be exchanged at any time: handshakes begun from then on use it, open connections stay. `client_names`: the
    names a client's certificate may carry; empty: any that `tls` accepts. `slots` are shared by the listeners of a
    service. `proxies`: load balancers that say who the peer is before anything else (proxied.py); it is the peer that is
    looked for in `peers` then, and counted.
    """

    def __init__(
        self,
        handlers: Handlers,
        limits: Limits | None = None,
        peers: tuple[str, ...] = (),
        tls: ssl.SSLContext | None = None,
        answered: Callable[[str, float], None] = lambda code, seconds: None,
        client_names: tuple[str, ...] = (),
        name: str = "",
        slots: Slots | None = None,
        proxies: tuple[str, ...] = (),
    ) -> None:
        self.answered = answered
        self.tls = tls
        self.handlers, self.limits = handlers, limits or Limits()
        self.connections = 0  # open now, handshakes included
        self.halted = False
        self.closed: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.last_message = 0.0
        self.address: tuple[str, int] = ("", 0)
        self._allowed, self._proxies = networks(peers), networks(proxies)
        self._client_names = client_names
        self._who = {"feed": name} if name else {}
        self._said: dict[str, float] = {}
        self._slots = slots or Slots(self.limits)
        self._open: set[Connection] = set()
        self._pending: set[asyncio.Task[None]] = set()
        self._listening: socket.socket | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._empty: asyncio.Event = asyncio.Event()

    @property
    def inflight_bytes(self) -> int:
        """Bytes read and not yet answered, of all listeners together."""
        return self._slots.inflight_bytes

    @inflight_bytes.setter
    def inflight_bytes(self, bytes_now: int) -> None:
        self._slots.inflight_bytes = bytes_now

    @property
    def share_bytes(self) -> int:
        """What one connection may hold while the service is at its limit."""
        return max(SHARE_BYTES, self.limits.inflight_bytes // max(1, self._slots.connections))

    # ---------------------------------------------------------------- start and stop

    async def start(self, host: str, port: int) -> None:
        """Bind and accept. OSError when the address cannot be bound. Port 0 takes a free one; see `address`."""
        self._loop = asyncio.get_running_loop()
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, where = found[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(where)
            listening.listen(_BACKLOG)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        self._listening = listening
        self.address = listening.getsockname()[:2]
        self._loop.add_reader(listening.fileno(), self._accept)
        self._sweep()

    async def drain(self) -> None:
        """Stop accepting, finish the blocks in hand, answer, close; what is open after `drain_s` is cut."""
        self._stop_accepting()
        for connection in list(self._open):
            connection.drain()
        try:
            async with asyncio.timeout(self.limits.drain_s):
                await self._until_empty()
        except TimeoutError:
            _log.warning("drain_cut", count=len(self._open))
        await self.close()

    async def close(self) -> None:
        """Cut everything at once."""
        self._stop_accepting()
        for task in list(self._pending):
            task.cancel()
        for connection in list(self._open):
            connection.abort()
        await self._until_empty()
        for timer in self._timers:
            timer.cancel()

    def _stop_accepting(self) -> None:
        if self._listening is not None:
            self._loop.remove_reader(self._listening.fileno())
            self._listening.close()
            self._listening = None

    async def _until_empty(self) -> None:
        while self._open or self._pending:
            self._empty.clear()
            await self._empty.wait()

    # ---------------------------------------------------------------- accepting

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            if self._listening is None:
                return
            try:
                sock, where = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as fault:
                if fault.errno in _NO_FILES:
                    self._pause_accepting()
                    return
                if fault.errno not in _GONE:
                    raise
                continue
            self._admit(sock, where[0])

    def _pause_accepting(self) -> None:
        """Out of files: one log line, and a rest. The peers wait in the backlog."""
        assert self._listening is not None
        self.refused["no_files"] += 1
        _log.error("accept_paused", reason="no_files", count=self.connections)
        self._loop.remove_reader(self._listening.fileno())
        self._later(self.limits.accept_pause_s, self._resume_accepting)

    def _resume_accepting(self) -> None:
        if self._listening is not None:
            self._loop.add_reader(self._listening.fileno(), self._accept)

    def _admit(self, sock: socket.socket, address: str) -> None:
        proxied = bool(self._proxies) and listed(address, self._proxies)
        why = self._slots.full(address, listed=True) if proxied else self._objection(address)
        if why:
            self.refused[why] += 1
            sock.close()
            return
        self.connections += 1
        self._slots.take(address)
        sock.setblocking(False)
        keep_alive(sock)
        task = self._loop.create_task(self._unproxied(sock, address) if proxied else self._adopt(sock, address))
        self._pending.add(task)
        task.add_done_callback(self._adopted)

    async def _unproxied(self, sock: socket.socket, proxy: str) -> None:
        """A connection of a load balancer: its peer's, once that is known."""
        try:
            async with asyncio.timeout(self.limits.handshake_s):
                peer = await peer_of(sock) or proxy
            self._slots.leave(proxy)
            self._slots.take(peer)
            only_looks = peer == proxy and not listed(proxy, self._allowed)
            why = BALANCER if only_looks else self._objection(peer, taken=True)
        except (OSError, HeaderFault):  # TimeoutError is the first
            peer, why = proxy, "proxy_header"
        except asyncio.CancelledError:
            self._forget(proxy)
            sock.close()
            raise
        if why:
            (self.closed if why == BALANCER else self.refused)[why] += 1
            self._forget(peer)
            sock.close()
            return
        await self._adopt(sock, peer)

    def _objection(self, address: str, *, taken: bool = False) -> str:
        """Why this address is not let in; `taken`: it has a slot already, and is counted."""
        if not listed(address, self._allowed):
            return "not_listed"
        ask = self._slots.over if taken else self._slots.objection
        return ask(address, bool(self._allowed))

    async def _adopt(self, sock: socket.socket, address: str) -> None:
        connection, tls = Connection(self, address), self.tls
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection,
                sock,
                ssl=tls,
                ssl_handshake_timeout=self.limits.handshake_s if tls else None,
            )
        except OSError as fault:  # ssl.SSLError and TimeoutError are some
            self._unshaken(why(fault))
            self._forget(address)
            sock.close()
        except asyncio.CancelledError:
            self._forget(address)
            sock.close()
            raise
        else:
            self._settle(connection)

    def _unshaken(self, reason: str) -> None:
        self.refused[f"handshake_{reason}"] += 1
        now = self._loop.time()
        if now >= self._said.get(reason, now):
            self._said[reason] = now + _SAY_AGAIN_S
            _log.warning("handshake_failed", reason=reason, count=self.refused[f"handshake_{reason}"], **self._who)

    def _settle(self, connection: Connection) -> None:
        if connection.gone:  # came and went within the handshake
            self._forget(connection.address)
            return
        self._open.add(connection)
        if self._listening is None:
            connection.drain()

    def _adopted(self, task: asyncio.Task[None]) -> None:
        self._pending.discard(task)
        self._empty.set()

    def _forget(self, address: str) -> None:
        self.connections -= 1
        self._slots.leave(address)

    # ---------------------------------------------------------------- what connections report

    def admits(self, transport: asyncio.BaseTransport) -> bool:
        """False for a client whose certificate carries no name of the list: nothing it sends is looked at."""
        if not self._client_names or named(transport.get_extra_info("peercert"), self._client_names):
            return True
        self.refused["wrong_client_name"] += 1
        shown = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        _log.warning("client_refused", reason="wrong_client_name", fingerprint=fingerprint(shown), **self._who)
        return False

    def heard(self, address: str, hl7: bool) -> None:
        """A block was kept and may be answered; `hl7`: it was a message."""
        self.last_message = self._loop.time()
        if hl7:
            self._slots.delivered(address)

    def closing(self, why: str) -> None:
        """A connection ends, and why."""
        self.closed[why] += 1

    def lost(self, connection: Connection) -> None:
        """A connection is gone."""
        if connection in self._open:
            self._open.discard(connection)
            self._forget(connection.address)
        self._empty.set()

    # ---------------------------------------------------------------- deadlines

    def halt(self, on: bool) -> None:
        """Read nothing more, or read on. Connections stay open and new ones are taken; what was read is still answered."""
        if on != self.halted:
            self.halted = on
            for connection in self._open:
                connection.halted_or_not()

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._open):
            connection.sweep(now)
        if self.inflight_bytes > self.limits.inflight_bytes:
            self._help_one()
        else:
            for connection in self._open:
                connection.relieve()
        if self._listening is not None or self._open:
            self._later(self.limits.sweep_s, self._sweep)

    def _help_one(self) -> None:
        """All the large ones wait for room: the one that began first may finish, so that room comes."""
        paused = [connection for connection in self._open if connection.paused and connection.unfinished]
        if paused and not any(connection.favoured for connection in self._open):
            min(paused, key=lambda one: one.frame_since).favour()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.when() > self._loop.time() and not timer.cancelled()]
        self._timers.append(self._loop.call_later(seconds, call))


def keep_alive(sock: socket.socket) -> None:
    """A peer that is gone is found within 150 s (reliability.md T-40): probes at 60 s, every 15 s, four of them."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
