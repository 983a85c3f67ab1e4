"""What of a store one node alone may work on: partitions of the work, receivers, views, the upkeep.

On PostgreSQL each is a lock of the session through which the node writes, so that the server frees it with the session; a
row says whose it is. A node renews its own row; one that has not for too long is taken for lost: its session is ended, its
epoch raised, and what it held is taken by others. So a node that was frozen finds on waking that nothing of it is written
any more, and, by its own clock, that it may send nothing either.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from labbridge.observe import logs
from labbridge.store.choosing import PARTITIONS
from labbridge.store.connection import FAULTS, Connection, marks
from labbridge.store.nodes import NOW, NUMBERS, Node

HELD = NUMBERS + 1  # the class of the locks that are what nodes hold
TRUSTED = 0.9  # of the time after which others take us for lost: clocks do not run alike
TURNS = 5  # renewals within that time
RENEW = f"UPDATE nodes SET renewed = {NOW} WHERE number = ? AND epoch = ? AND within > 0"  # noqa: S608
LOST = f"SELECT session, since FROM nodes WHERE within > 0 AND renewed + within < {NOW} AND number <> ?"  # noqa: S608
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ?::int AND backend_start::text = ?"
RAISE = (
    "UPDATE nodes SET epoch = epoch + 1, within = 0 WHERE number IN (SELECT number FROM nodes WHERE within > 0"  # noqa: S608
    f" AND renewed + within < {NOW} AND number <> ? FOR UPDATE SKIP LOCKED)"
)
ALIVE = (
    "SELECT n.number, n.epoch, n.processes FROM nodes n JOIN pg_stat_activity a ON a.pid = n.session"  # noqa: S608
    f" AND a.backend_start::text = n.since WHERE n.within > 0 AND n.renewed + n.within >= {NOW}"
)
ALL = "SELECT id, name, node, epoch, leaving FROM holdings ORDER BY id"
MINE = "SELECT 1 FROM holdings WHERE name = ? AND node = ? AND epoch = ?"
PARTS = (
    f"INSERT INTO holdings(id, name) SELECT part, 'partition ' || part FROM generate_series(0, {PARTITIONS - 1}) AS part"  # noqa: S608
    " ON CONFLICT DO NOTHING"
)
NAME = "INSERT INTO holdings(id, name) SELECT max(id) + 1, ? FROM holdings ON CONFLICT DO NOTHING"
TRY = f"SELECT id FROM (SELECT unnest(?::bigint[]) AS id) AS wanted WHERE pg_try_advisory_lock({HELD}, id::int)"  # noqa: S608
FREE = f"SELECT pg_advisory_unlock({HELD}, ?::int)"
TAKE = "UPDATE holdings SET node = ?, epoch = ?, leaving = 0 WHERE id IN ({})"
ASK_BACK = "UPDATE holdings SET leaving = ? WHERE node = ? AND epoch = ? AND id IN ({})"
GIVE = "UPDATE holdings SET node = NULL, leaving = 0 WHERE node = ? AND epoch = ?"
LEAVE = "UPDATE nodes SET within = 0 WHERE number = ? AND epoch = ?"

_log = logs.logger("nodes")


class Leases(Protocol):
    """What this service may do alone, now."""

    @property
    def several(self) -> bool:
        """Whether there can be other nodes."""

    def holds(self, name: str) -> int:
        """Since which epoch this node holds it; 0 where it does not. It changes where it was lost between."""

    def mine(self, connection: Connection, name: str) -> bool:
        """Whether it is held by the session that this is asked in: until its transaction ends nobody else can."""

    def turn(self, connection: Connection) -> bool:
        """Renew, take, give back. Outside of a transaction. Whether there may be more to take soon."""

    def leave(self, connection: Connection) -> None:
        """Before a clean end: others need not wait until we are taken for lost."""


class Everything:
    """Of a file: there is nobody else."""

    several = False

    def holds(self, name: str) -> int:
        return 1

    def mine(self, connection: Connection, name: str) -> bool:
        return True

    def turn(self, connection: Connection) -> bool:
        return False

    def leave(self, connection: Connection) -> None:
        """Nobody waits."""


class NodeLeases:
    """Of a server. `wanted`: what is taken beside a share of the partitions, where it is free. `changed` is told in the
    writer's thread where something came or went. `clock` goes on while the machine sleeps."""

    several = True

    def __init__(
        self,
        node: Node,
        wanted: Sequence[str],
        changed: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._node, self._wanted, self._changed, self._clock = node, tuple(wanted), changed, clock
        self._epoch = 0
        self._locked: set[int] = set()
        self._held: dict[str, int] = {}  # by name: since which epoch
        self._until = 0.0

    def holds(self, name: str) -> int:
        return self._held.get(name, 0) if self._clock() < self._until else 0

    def mine(self, connection: Connection, name: str) -> bool:
        asked = (name, connection.node, connection.epoch)
        return connection.execute(MINE, asked).fetchone() is not None

    def turn(self, connection: Connection) -> bool:
        begun = self._clock()
        connection.execute("SELECT 1")  # where the session was lost, on a new one
        if connection.epoch != self._epoch:
            self._begin_anew(connection)
        if not connection.execute(RENEW, (connection.node, connection.epoch)).rowcount:
            connection.close()  # another took us for lost, and could not end our session: we do, and begin anew
            return True
        self._until = begun + self._node.within_ms / 1000 * TRUSTED
        lost = self._bury(connection)
        before = dict(self._held)
        self._share_out(connection)
        if self._held != before:
            _log.info("holdings_changed", count=len(self._held))
            self._changed()
        return lost

    def leave(self, connection: Connection) -> None:
        self._held, self._until = {}, 0.0
        connection.execute(GIVE, (connection.node, connection.epoch))
        connection.execute(LEAVE, (connection.node, connection.epoch))

    def _begin_anew(self, connection: Connection) -> None:
        """Another session: the locks of the one before went with it."""
        self._epoch, self._locked, self._held = connection.epoch, set(), {}
        connection.execute(PARTS)

    def _bury(self, connection: Connection) -> bool:
        """End the sessions of nodes that are lost, and raise their epochs; whether there were any. Their locks go with the
        sessions."""
        lost = connection.execute(LOST, (connection.node,)).fetchall()
        for session, since in lost:
            connection.execute(END, (session, since))
        if lost and connection.execute(RAISE, (connection.node,)).rowcount:
            _log.warning("node_lost", count=len(lost))
        return bool(lost)

    def _share_out(self, connection: Connection) -> None:
        alive = {(number, epoch): processes for number, epoch, processes in connection.execute(ALIVE).fetchall()}
        rows = self._all(connection)
        mine = {id for id, _name, node, epoch, _leaving in rows if (node, epoch) == (connection.node, connection.epoch)}
        for id in self._locked - mine:  # the process that works has given it back
            connection.execute(FREE, (id,))
        self._locked &= mine
        free = [id for id, _name, node, epoch, _leaving in rows if id not in mine and (node, epoch) not in alive]
        named = {name: id for id, name, *_whose in rows}
        wanted = [named[name] for name in self._wanted if named.get(name) in free]
        if self._node.processes:
            share = math.ceil(PARTITIONS / max(1, sum(alive.values())))
            parts = [one for one in sorted(mine) if one < PARTITIONS]
            self._ask_back(connection, parts, share, {id for id, *_rest, leaving in rows if leaving})
            wanted += [one for one in free if one < PARTITIONS][: max(0, share - len(parts))]
        self._take(connection, wanted)
        self._held = {name: self._epoch for name, id in named.items() if id in self._locked}

    def _all(self, connection: Connection) -> list[Any]:
        """Every row of what is held. What nobody has named yet is named; where two nodes do at one moment, one does the next
        time."""
        rows = connection.execute(ALL).fetchall()
        new = set(self._wanted) - {name for _id, name, *_whose in rows}
        for name in sorted(new):
            connection.execute(NAME, (name,))
        return connection.execute(ALL).fetchall() if new else rows

    def _ask_back(self, connection: Connection, parts: Sequence[int], share: int, asked: set[int]) -> None:
        """What is beyond our share is given back by the process that works, once it has nothing of it in hand."""
        beyond = set(parts[share:])
        for ids, leaving in ((beyond - asked, 1), ((asked & set(parts)) - beyond, 0)):
            if ids:
                sql = ASK_BACK.format(marks(len(ids)))
                connection.execute(sql, (leaving, connection.node, connection.epoch, *sorted(ids)))

    def _take(self, connection: Connection, ids: Sequence[int]) -> None:
        """Those of them whose lock is free: the session that held it has ended."""
        if not ids:
            return
        got = [int(id) for (id,) in connection.execute(TRY, (list(ids),)).fetchall()]
        if got:
            try:
                connection.execute(TAKE.format(marks(len(got))), (connection.node, connection.epoch, *got))
            except FAULTS:
                connection.close()  # locks without rows go with the session
                raise
            self._locked |= set(got)


def of(node: Node | None, wanted: Sequence[str], changed: Callable[[], None]) -> Leases:
    """Of a service: without a node, of a file."""
    return NodeLeases(node, wanted, changed) if node is not None else Everything()
