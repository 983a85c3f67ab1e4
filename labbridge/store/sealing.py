"""The audit's chain: every commit that wrote audit lines ends with a seal over them and over the seal before. Of several
nodes on one store each has a chain of its own over the lines that it wrote, so that no commit waits for another's.

A line that is changed, left out, added or put in another order breaks the chain from there on. What a chain cannot show is
an end that was cut off, or a whole that was written anew: for that, signed anchors are kept elsewhere (anchors.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from labbridge.store.connection import Connection

LINES = "SELECT id, at, actor, action, subject, detail FROM audit WHERE id > ? AND node = ? ORDER BY id"
BETWEEN = "SELECT id, at, actor, action, subject, detail FROM audit WHERE id > ? AND id <= ? AND node = ? ORDER BY id"
CHAIN = 2**40  # the seals of a node have the numbers from here times its own on
LAST = "SELECT id, last, entries, digest FROM seals WHERE id > ? AND id < ? ORDER BY id DESC LIMIT 1"
ALL = "SELECT id, last, entries, digest FROM seals WHERE id > ? AND id < ? ORDER BY id"
NEWEST_OF_ALL = "SELECT id FROM seals ORDER BY id DESC LIMIT 1"
NODES = "SELECT DISTINCT node FROM audit ORDER BY node"
SEAL = "INSERT INTO seals(id, last, entries, digest) VALUES (?,?,?,?)"

_encode = msgspec.json.Encoder().encode
Line = tuple[int, str, str, str, str, str]


class Seal(msgspec.Struct, frozen=True):
    """The end of one commit's lines: the number of this seal, the last line it covers, how many lines its chain has in all,
    and the SHA-256 over the seal before and the lines since."""

    id: int = 0
    last: int = 0
    entries: int = 0
    digest: bytes = b""

    @property
    def node(self) -> int:
        """Whose chain it is of."""
        return self.id // CHAIN


def last_seal(connection: Connection, node: int = 0) -> Seal:
    """The newest seal of a node; one of its number 0 where nothing was sealed yet."""
    row = connection.execute(LAST, (node * CHAIN, (node + 1) * CHAIN)).fetchone()
    return Seal(row[0], row[1], row[2], bytes(row[3])) if row else Seal(node * CHAIN)


def sealed(before: Seal, lines: Iterable[Line]) -> Seal:
    """The seal over these lines, which follow the ones of the seal before."""
    digest, last, count = hashlib.sha256(before.digest), before.last, 0
    for line in lines:
        digest.update(_encode(line))
        last, count = line[0], count + 1
    return Seal(before.id + 1, last, before.entries + count, digest.digest())


class Sealer:
    """Seals for the one writer. What it sealed counts once its commit has reached the disk."""

    def __init__(self, connection: Connection) -> None:
        self._newest = self._next = last_seal(connection, connection.node)
        self._epoch = connection.epoch
        self._sure = True

    def seal(self, connection: Connection) -> None:
        """Seal the lines this transaction has written, as the last thing in it."""
        if not self._sure or connection.epoch != self._epoch or connection.node != self._newest.node:
            self._newest, self._sure = last_seal(connection, connection.node), True
            self._epoch = connection.epoch
        lines = connection.execute(LINES, (self._newest.last, connection.node)).fetchall()
        self._next = sealed(self._newest, lines) if lines else self._newest
        if lines:
            found = self._next
            connection.execute(SEAL, (found.id, found.last, found.entries, found.digest))

    def committed(self) -> None:
        self._newest = self._next

    def in_doubt(self) -> None:
        """A commit failed, or only the word of it was lost: the database tells which seal is the newest."""
        self._sure = False


class Verified(msgspec.Struct, frozen=True):
    """What a look over every chain found: how many lines and seals, the newest seal of each chain, and every fault as a
    sentence."""

    lines: int
    seals: int
    newest: tuple[Seal, ...]
    faults: tuple[str, ...] = ()


def verify(connection: Connection) -> Verified:
    """Go over every seal and every line. Reads in one transaction; holds one seal's lines at a time."""
    nodes = {int(node) for (node,) in connection.execute(NODES).fetchall()}
    newest = connection.execute(NEWEST_OF_ALL).fetchone()
    nodes |= set(range(newest[0] // CHAIN + 1)) if newest else set()
    chains = [_verified(connection, node) for node in sorted(nodes)]
    return Verified(
        sum(one.lines for one in chains),
        sum(one.seals for one in chains),
        tuple(seal for one in chains for seal in one.newest),
        tuple(fault for one in chains for fault in one.faults),
    )


def _verified(connection: Connection, node: int) -> Verified:
    faults: list[str] = []
    before, lines, seals = Seal(node * CHAIN), 0, 0
    for id, last, entries, digest in connection.execute(ALL, (node * CHAIN, (node + 1) * CHAIN)):
        found = Seal(id, last, entries, bytes(digest))
        its = connection.execute(BETWEEN, (before.last, last, node)).fetchall()
        faults += _faults(found, before, its)
        before, lines, seals = found, lines + len(its), seals + 1
    asked = "SELECT count(*) FROM audit WHERE id > ? AND node = ?"
    (loose,) = connection.execute(asked, (before.last, node)).fetchone()
    if loose:
        faults.append(f"{loose} lines after line {before.last} bear no seal: they were not written by this service")
    return Verified(lines + loose, seals, (before,) if lines + loose + seals else (), tuple(faults))


def _faults(found: Seal, before: Seal, lines: list[Line]) -> list[str]:
    where = f"between lines {before.last + 1} and {found.last} (seal {found.id % CHAIN})"
    if found.id != before.id + 1:
        return [f"seals {before.id % CHAIN + 1} to {found.id % CHAIN - 1} are missing, {where}"]
    if before.entries + len(lines) != found.entries:
        return [f"{found.entries - before.entries} lines were sealed and {len(lines)} are there, {where}"]
    if sealed(before, lines) != found:
        return [f"a line was changed, or stands in another's place, {where}"]
    return []
