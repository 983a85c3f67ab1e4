"""The services on one PostgreSQL store: each bears a number while its writing session lasts, and an epoch.

The number is a lock of the session, so that it goes with it; the epoch is raised by each session that takes a number, and by
whoever finds its bearer lost. What was begun under an older epoch is written by nobody.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from labbridge.store.connection import Connection, Statement, Unreachable

if TYPE_CHECKING:
    from labbridge.store.postgres import Session

MOST = 256
NUMBERS = 0x6C62_6E6F  # the class of the locks that are numbers of nodes; 1 above it is what they hold
NOW = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"  # by one clock, the server's
TAKE = f"SELECT pg_try_advisory_lock({NUMBERS}, %s::int)"
REGISTER = (
    "INSERT INTO nodes(number, epoch, instance, name, processes, renewed, within, session, since)"  # noqa: S608
    f" SELECT %s::int8, 1, %s, %s, %s::int8, {NOW}, %s::int8, pid, backend_start::text FROM pg_stat_activity"
    " WHERE pid = pg_backend_pid() ON CONFLICT(number) DO UPDATE SET epoch = nodes.epoch + 1,"
    " instance = excluded.instance, name = excluded.name, processes = excluded.processes, renewed = excluded.renewed,"
    " within = excluded.within, session = excluded.session, since = excluded.since RETURNING epoch, session, since"
)
THERE = "SELECT 1 FROM pg_stat_activity WHERE pid = %s::int AND backend_start::text = %s"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s::int AND backend_start::text = %s"
FENCE = f"UPDATE nodes SET renewed = {NOW} WHERE instance = ? AND epoch = ?"  # noqa: S608
PARTITION = "partition "  # the names of the partitions begin so
ALL_HELD = "SELECT id, name, node, epoch FROM holdings WHERE node IS NOT NULL ORDER BY id"
AT_WORK = (
    f"SELECT number, epoch, name, {NOW} - renewed FROM nodes WHERE within > 0 AND renewed + within >= {NOW}"  # noqa: S608
    " ORDER BY number"
)
ENDS_WITHIN_S = 2.0  # the server may take a moment to see that a process has gone


class Node(msgspec.Struct, frozen=True):
    """One service. `instance`: its own, of every start anew; `name`: for people; `processes`: it takes a share of the work;
    `within_ms`: one that was not renewed for so long is taken for lost (0: it holds nothing, nobody waits for it)."""

    instance: str = ""
    name: str = ""
    processes: bool = False
    within_ms: int = 0


NOBODY = Node()  # a command: it holds nothing


class Listed(msgspec.Struct, frozen=True):
    """A node at work: what it holds, and how long ago it was renewed."""

    number: int
    name: str
    renewed_ms: int
    partitions: int
    holds: tuple[str, ...]


class Borne(NamedTuple):
    """What a session bears: the number, the epoch, and by what the server knows the session."""

    number: int
    epoch: int
    session: int
    since: str


def register(session: Session, node: Node, wanted: int) -> Borne:
    """Take a number for this session, the wanted one where it is free. Unreachable where none is."""
    for number in (wanted, *(one for one in range(MOST) if one != wanted)):
        if _one(session, TAKE, (number,)):
            break
    else:
        raise Unreachable("TooManyNodes")
    session.execute("SELECT set_config('labbridge.node', %s, false)", (str(number),))
    row = session.execute(REGISTER, (number, node.instance, node.name, int(node.processes), node.within_ms)).fetchone()
    assert row is not None
    return Borne(number, int(row[0]), int(row[1]), str(row[2]))


def end(session: Session, before: Borne) -> None:
    """End the session that this service wrote through before: what became of its last commit is known once it has gone.
    Unreachable where it does not go."""
    about, patience = (before.session, before.since), time.monotonic() + ENDS_WITHIN_S
    session.execute(END, about)
    while _one(session, THERE, about):
        if time.monotonic() > patience:
            raise Unreachable("SessionRemains")
        time.sleep(0.02)


def fence(instance: str, epoch: int) -> Statement:
    """The first statement of whatever was begun under an epoch: it changes one row, or another has taken over. Until the
    transaction ends nobody can."""
    return Statement(FENCE, (instance, epoch), 1)


def others(connection: Connection, instance: str) -> bool:
    """Whether other services have this store in hand now."""
    asked = f"SELECT 1 FROM nodes WHERE instance <> ? AND within > 0 AND renewed + within >= {NOW} LIMIT 1"  # noqa: S608
    return connection.execute(asked, (instance,)).fetchone() is not None


def listed(connection: Connection) -> list[Listed]:
    """Every node that is at work, by number."""
    held: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for id, name, *whose in connection.execute(ALL_HELD).fetchall():
        held.setdefault((whose[0], whose[1]), []).append((id, name))
    return [
        Listed(number, name, renewed_ms, *_kinds(held.get((number, epoch), [])))
        for number, epoch, name, renewed_ms in connection.execute(AT_WORK).fetchall()
    ]


def _kinds(held: list[tuple[int, str]]) -> tuple[int, tuple[str, ...]]:
    """How many partitions, and what else."""
    others = tuple(name for _id, name in held if not name.startswith(PARTITION))
    return len(held) - len(others), others


def _one(session: Session, sql: str, params: tuple[Any, ...]) -> Any:
    row = session.execute(sql, params).fetchone()
    return row[0] if row else None
