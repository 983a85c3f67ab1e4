"""Messages as a person repaired them: versions beside the bytes received, which stay as they came.

The newest approved version is what is processed and what a comment is addressed from.
"""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.model.work import AuditEvent, Edit
from labbridge.store.connection import Connection

PENDING = "SELECT version, raw, editor FROM edits WHERE message = ? AND approved_by = '' ORDER BY version DESC LIMIT 1"
NEXT = "SELECT coalesce(max(version), 1) + 1 FROM edits WHERE message = ?"
ADD = "INSERT INTO edits(message, version, raw, editor, why, made) VALUES (?,?,?,?,?,?)"
APPROVE = "UPDATE edits SET approved_by = ? WHERE message = ? AND approved_by = ''"
IN_FORCE = (  # the bytes, and the digest they must have; beside `journal j`
    "coalesce((SELECT e.raw FROM edits e WHERE e.message = j.id AND e.approved_by <> '' ORDER BY e.version DESC LIMIT 1),"
    " j.raw), CASE WHEN EXISTS (SELECT 1 FROM edits e WHERE e.message = j.id AND e.approved_by <> '') THEN NULL"
    " ELSE j.digest END"
)
CAME = "INSERT INTO work(message, lane, state, reason, updated) VALUES (?,?,'kept','reprocessed',?)"
WENT = "DELETE FROM work WHERE message = ? AND lane = ?"
OF_MESSAGE = "SELECT lane FROM work WHERE message = ?"


def pending(connection: Connection, key: int) -> Edit | None:
    """The newest version that no second person has approved; None where there is none."""
    row = connection.execute(PENDING, (key,)).fetchone()
    return Edit(version=row[0], raw=row[1], editor=row[2]) if row else None


def add(connection: Connection, key: int, raw: bytes, why: str, audit: AuditEvent) -> int:
    """Keep a repaired message; version 1 is the one received."""
    (version,) = connection.execute(NEXT, (key,)).fetchone()
    connection.execute(ADD, (key, version, raw, audit.actor, why, audit.at.isoformat()))
    return int(version)


def approve(connection: Connection, key: int, by: str) -> None:
    """Whoever sends the message through has read its edit."""
    connection.execute(APPROVE, (by, key))


def move(connection: Connection, key: int, lanes: Sequence[str], now: str) -> None:
    """An edit may name another patient: the lanes it has left are done with, the new ones wait at the end of the queue."""
    before = [lane for (lane,) in connection.execute(OF_MESSAGE, (key,)).fetchall()]
    for lane in lanes:
        if lane not in before:
            connection.execute(CAME, (key, lane, now))
    for lane in before:
        if lane not in lanes:
            connection.execute(WENT, (key, lane))
