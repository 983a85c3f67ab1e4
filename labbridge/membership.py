"""This service as one node of a store: what it may do alone is renewed and shared out while it runs, and others are woken.

Of a file there is one service, and it may do everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Callable

from labbridge.config import Config
from labbridge.errors import StoreUnavailable
from labbridge.feed_settings import odbc_feeds
from labbridge.observe import logs
from labbridge.store import leases, nodes, opening
from labbridge.store.nodes import Node
from labbridge.store.outbox import holding
from labbridge.store.writer import Writer

SOON_S = 0.2
UPKEEP = "upkeep"

_log = logs.logger("nodes")


def node_of(config: Config, role: str) -> Node | None:
    """This start of the service as a node; None where its store is a file."""
    if config.store.file is not None:
        return None
    name = config.node.name or socket.gethostname()
    within = round(config.node.renewal_s * 1000)
    return Node(secrets.token_hex(8), name, processes=role in ("process", "all"), within_ms=within)


def view(feed: str) -> str:
    """By what name a node holds a view that is read by ODBC."""
    return f"view {feed}"


class Membership:
    """`woken` is called in any thread where something may have come to us: what another node committed, or its share."""

    def __init__(self, config: Config, role: str, node: Node | None, writer: Writer, woken: Callable[[], None]) -> None:
        self._url, self._writer, self._woken, self._node = config.store.url, writer, woken, node
        self._turn_s = config.node.renewal_s / leases.TURNS
        self.leases = leases.of(node, tuple(_wanted(config, role)), woken)

    def others(self) -> bool:
        """Whether other nodes have the store in hand."""
        if self._node is None:
            return False
        with contextlib.closing(opening.reader(self._url)) as reader:
            return nodes.others(reader, self._node.instance)

    def keeps_up(self) -> bool:
        """Whether what runs beside the way of a message is this node's."""
        return bool(self.leases.holds(UPKEEP))

    @contextlib.asynccontextmanager
    async def running(self, failed: Callable[[asyncio.Task[None]], None]) -> AsyncIterator[None]:
        """While inside, what is ours is renewed."""
        if not self.leases.several:
            yield
            return
        from labbridge.store.bell import Bell  # with the driver of the server

        with contextlib.suppress(StoreUnavailable):
            await self._turn()
        bell = Bell(self._url, self._woken, lambda: True)
        bell.start()
        self._writer.after_commit(bell.ring)
        task = asyncio.create_task(self._renew())
        task.add_done_callback(failed)
        try:
            yield
        finally:
            task.cancel()
            bell.stop()
            with contextlib.suppress(StoreUnavailable):
                await asyncio.wrap_future(self._writer.submit_outside(self.leases.leave))

    async def _renew(self) -> None:
        trouble = False
        while True:
            try:
                soon = await self._turn()
                trouble = False
            except StoreUnavailable:
                if not trouble:
                    _log.warning("not_renewed")
                soon = trouble = True
            await asyncio.sleep(min(SOON_S, self._turn_s) if soon else self._turn_s)

    async def _turn(self) -> bool:
        soon: bool = await asyncio.wrap_future(self._writer.submit_outside(self.leases.turn))
        return soon


def _wanted(config: Config, role: str) -> list[str]:
    """What is taken beside a share of the work, where it is free."""
    found = []
    if role in ("process", "all"):
        found.append(UPKEEP)
    if role in ("deliver", "all"):
        found += [holding(name) for name in config.receivers]
    if role in ("listen", "all"):
        found += [view(name) for name in odbc_feeds(config)]
    return found
