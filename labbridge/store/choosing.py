"""Which rows of work may be taken up: of a file all that wait, of a server those in the partitions that this node holds.

A patient belongs to one partition. Who the patient of a lane is can change (a merge), so the partition is worked out where
it is asked for, and stands nowhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from labbridge.model.report import PlacedNote
from labbridge.model.work import Kept
from labbridge.states import Reason, State
from labbridge.store import nodes, whole
from labbridge.store.connection import Connection, Statement

PARTITIONS = 64
PATIENT = "coalesce(m.surviving, w.lane)"
READ = (
    f"SELECT w.id, {PATIENT}, {whole.WORK.format('w')} FROM work w LEFT JOIN merged m ON m.lane = w.lane"  # noqa: S608
    " WHERE w.state IN ('kept', 'parked'){} ORDER BY w.id LIMIT ?"
)
OPEN = READ.format("")
PARTITION = f"(get_byte(sha256(convert_to({PATIENT}, 'UTF8')), 0) & {PARTITIONS - 1})"
OPEN_IN = READ.format(f" AND {PARTITION} = ANY(?)")
HELD = (
    "SELECT n.number, n.epoch, h.id, h.leaving FROM nodes n JOIN holdings h ON h.node = n.number AND h.epoch = n.epoch"  # noqa: S608
    f" WHERE n.instance = ? AND h.id < {PARTITIONS}"
)
GIVEN_BACK = "UPDATE holdings SET node = NULL, leaving = 0 WHERE node = ? AND epoch = ? AND leaving = 1 AND id = ANY(?)"


_notes = msgspec.json.Decoder(tuple[PlacedNote, ...])


def partition_of(patient: str) -> int:
    """The partition of a patient, by the lane that the patient's are merged into."""
    return hashlib.sha256(patient.encode()).digest()[0] & (PARTITIONS - 1)


class Row(NamedTuple):
    """A row of work that was chosen. `patient` is the lane that its own was merged into, else its own."""

    id: int
    message: int
    lane: str
    attempts: int
    patient: str
    reason: str
    undone: int = 0

    def tried(self, alone: bool, undone: int) -> Row:
        """The row as it is once it was begun."""
        return self._replace(attempts=self.attempts + 1 if alone else max(1, self.attempts), undone=undone)


class Share(Protocol):
    """The part of the work that is this service's."""

    @property
    def several(self) -> bool:
        """Whether other nodes work on the same store."""

    def look(self) -> bool:
        """Look what is ours now; whether anything came to it that another node may have begun."""

    def open(self, most: int) -> Sequence[Any]:
        """The oldest open rows of it, as READ gives them."""

    def fence(self) -> Statement | None:
        """What must hold where anything is written that was taken up since the last look."""

    def leaving(self, in_hand: Sequence[Row]) -> list[Statement]:
        """What gives back that is asked of us, where none of the rows in hand is of it."""


class Whole:
    """All of it: a file has one writer."""

    several = False

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def look(self) -> bool:
        return False

    def open(self, most: int) -> Sequence[Any]:
        return self._reader.execute(OPEN, (most,)).fetchall()

    def fence(self) -> Statement | None:
        return None

    def leaving(self, in_hand: Sequence[Row]) -> list[Statement]:
        return []


class Partitions:
    """What a node holds of a server's (leases.py), by the server's own word."""

    several = True

    def __init__(self, reader: Connection, instance: str) -> None:
        self._reader, self._instance = reader, instance
        self._number, self._epoch = 0, 0
        self._held: frozenset[int] = frozenset()
        self._asked_for: frozenset[int] = frozenset()

    def look(self) -> bool:
        before = self._epoch, self._held | self._asked_for
        rows = self._reader.execute(HELD, (self._instance,)).fetchall()
        self._held = frozenset(part for _number, _epoch, part, leaving in rows if not leaving)
        self._asked_for = frozenset(part for _number, _epoch, part, leaving in rows if leaving)
        if rows:
            self._number, self._epoch = rows[0][:2]
        return bool(self._held) and (self._epoch != before[0] or not self._held <= before[1])

    def open(self, most: int) -> Sequence[Any]:
        if not self._held:
            return []
        return self._reader.execute(OPEN_IN, (sorted(self._held), most)).fetchall()

    def fence(self) -> Statement | None:
        return nodes.fence(self._instance, self._epoch)

    def leaving(self, in_hand: Sequence[Row]) -> list[Statement]:
        free = self._asked_for - {partition_of(one.patient) for one in in_hand}
        return [Statement(GIVEN_BACK, (self._number, self._epoch, sorted(free)))] if free else []


def kept_of(row: Row, raw: bytes, digest: bytes | None, feed: str, sender: str, *rest: str) -> Kept:
    """A chosen row as processing takes it, with what stands in the journal of its message."""
    control_id, received, notes = rest
    return Kept(
        key=row.message,
        raw=raw,
        feed=feed,
        sender=sender,
        control_id=control_id,
        lane=row.lane,
        received=datetime.fromisoformat(received),
        state=State.KEPT,
        attempts=row.attempts,
        undone=row.undone,
        notes=_notes.decode(notes) if notes else (),
        digest=digest or b"",
        again=row.reason == Reason.REPROCESSED,
    )
