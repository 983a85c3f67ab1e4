"""Nodes of one PostgreSQL store, several in one process: each with a session, a share and a clock of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from store_build import Store

from labbridge.store import opening
from labbridge.store.choosing import PARTITIONS, Partitions
from labbridge.store.leases import NodeLeases
from labbridge.store.nodes import Node
from labbridge.store.outbox import StoreOutbox
from labbridge.store.postgres import PostgresConnection
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer

WITHIN_S = 10.0


class OneNode(Store):
    """Every port of one node. `now` is its own clock, in seconds; nothing is renewed but by `turn`."""

    def __init__(
        self, url: str, name: str, *, wanted: tuple[str, ...] = ("receiver lis",), processes: bool = True
    ) -> None:
        self.now = 1000.0
        self.node = Node(name, name, processes, round(WITHIN_S * 1000))
        self.leases = NodeLeases(self.node, wanted, clock=lambda: self.now)
        super().__init__(url)
        self.share = Partitions(self.another_reader(), name)
        self.work = StoreWork(self.reader, LocalUnits(self.writer), self.share)
        self.outbox = StoreOutbox(self.writer, self.leases)

    def _opened(self, url: str) -> Any:
        return opening.held(url, self.node)

    def turn(self) -> bool:
        """Renew, take, give back."""
        found: bool = self.writer.submit_outside(self.leases.turn).result(30)
        return found

    def parts(self) -> set[int]:
        """The partitions that it may work on now."""
        return {part for part in range(PARTITIONS) if self.leases.holds(f"partition {part}")}

    def give(self) -> None:
        """What the process that works does where it has nothing in hand."""
        self.share.look()
        for one in self.share.leaving(()):
            self.writer.submit(lambda connection, one=one: connection.execute(one.sql, one.params)).result(30)

    @property
    def session(self) -> PostgresConnection:
        assert isinstance(self.connection, PostgresConnection)
        return self.connection

    def vanish(self) -> None:
        """As if the machine had lost its power: its session is gone, and nothing was given back."""
        self.session.close()


@contextlib.contextmanager
def nodes(url: str, *names: str, **more: Any) -> Iterator[list[OneNode]]:
    """So many nodes, each with its share."""
    found = [OneNode(url, name, **more) for name in names]
    try:
        settled(found)
        yield found
    finally:
        for one in found:
            one.close()


def settled(found: list[OneNode]) -> None:
    """Turn until everything is shared out."""
    for _time in range(4):
        for one in found:
            one.turn()
            one.give()
    for one in found:
        one.turn()


__all__ = ["OneNode", "Writer", "nodes", "settled"]
