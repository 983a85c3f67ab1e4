"""What is told of the store as it was last found: set, not counted. It stands in the tally beside the counters,
in one row for all nodes.

A moment is kept in seconds since 1970 and never goes back: two nodes may tell it in either order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from labbridge.store.connection import Statement
from labbridge.store.tally import labels
from labbridge.store.writer import Writer, unit

HEARTBEAT, AUDIT, BACKUP = "heartbeat", "audit_verified", "backup"  # moments
FAULTS, DRIFT = "audit_faults", "drift"  # figures
MARKS = frozenset({HEARTBEAT, AUDIT, BACKUP, FAULTS, DRIFT, "damaged"})
MOMENT = (
    "INSERT INTO tally(name, labels, node, count) VALUES (?,?,0,?) ON CONFLICT(name, labels, node) DO UPDATE SET count ="
    " CASE WHEN excluded.count > tally.count THEN excluded.count ELSE tally.count END"
)
FIGURE = (
    "INSERT INTO tally(name, labels, node, count) VALUES (?,?,0,?)"
    " ON CONFLICT(name, labels, node) DO UPDATE SET count = excluded.count"
)
CLEARED = "UPDATE tally SET count = 0 WHERE name = ?"


def moment(name: str, about: str, at: datetime) -> Statement:
    """What writes when something last happened."""
    return Statement(MOMENT, (name, about, int(at.timestamp())))


class StoreMarks:
    """What commands find out beside the service."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def verified(self, faults: int, at: datetime) -> None:
        """The audit was gone over: how many faults were found, and when it was last whole."""
        whole = [] if faults else [moment(AUDIT, "", at)]
        self._do([Statement(FIGURE, (FAULTS, "", faults)), *whole])

    def backed_up(self, at: datetime) -> None:
        """A copy was made and looked over."""
        self._do([moment(BACKUP, "", at)])

    def drifted(self, alarms: Mapping[tuple[str, ...], bool]) -> None:
        """What the sums of every assay say by now; those that are watched no more say nothing."""
        figures = [Statement(FIGURE, (DRIFT, labels(*about), int(alarm))) for about, alarm in alarms.items()]
        self._do([Statement(CLEARED, (DRIFT,)), *figures])

    def _do(self, statements: Sequence[Statement]) -> None:
        self._writer.submit(unit(statements)).result()
