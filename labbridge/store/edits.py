"""Messages as a person repaired them: versions beside the bytes received, which stay as they came.

The newest approved version is what is processed and what a comment is addressed from.
"""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent, Edit
from labbridge.states import Reason, State
from labbridge.store import sums
from labbridge.store.connection import Connection

PENDING = (  # none that is older than one in force
    "SELECT version, raw, editor FROM edits WHERE message = ?1 AND approved_by = '' AND version > (SELECT"
    " coalesce(max(version), 0) FROM edits WHERE message = ?1 AND approved_by <> '') ORDER BY version DESC LIMIT 1"
)
NEXT = "SELECT coalesce(max(version), 1) + 1 FROM edits WHERE message = ?"
ADD = "INSERT INTO edits(message, version, raw, editor, why, made) VALUES (?,?,?,?,?,?)"
APPROVE = "UPDATE edits SET approved_by = ? WHERE message = ? AND version = ? AND approved_by = ''"
STATE = "SELECT state FROM journal WHERE id = ?"
RAW_IN_FORCE = (  # beside `journal j`
    "coalesce((SELECT e.raw FROM edits e WHERE e.message = j.id AND e.approved_by <> '' ORDER BY e.version DESC LIMIT 1),"
    " j.raw)"
)
DIGEST_IN_FORCE = (  # the one they must have
    "CASE WHEN EXISTS (SELECT 1 FROM edits e WHERE e.message = j.id AND e.approved_by <> '') THEN NULL ELSE j.digest END"
)
IN_FORCE = f"{RAW_IN_FORCE}, {DIGEST_IN_FORCE}"
CAME = "INSERT INTO work(message, lane, state, reason, updated, crc) VALUES (?,?,'kept','reprocessed',?,?)"
NAMED = "UPDATE journal SET lanes = ? WHERE id = ?"
WENT = "DELETE FROM work WHERE message = ? AND lane = ?"
OF_MESSAGE = "SELECT lane FROM work WHERE message = ?"


def pending(connection: Connection, key: int) -> Edit | None:
    """The newest version that no second person has approved; None where there is none."""
    row = connection.execute(PENDING, (key,)).fetchone()
    return Edit(version=row[0], raw=row[1], editor=row[2]) if row else None


def check_base(connection: Connection, key: int, base: int | None) -> None:
    """Refused where the message waits for nobody any more, and where it was edited from another version than the newest
    (None: from whichever)."""
    (state,) = connection.execute(STATE, (key,)).fetchone()
    if state not in (State.PARKED, State.QUARANTINED):
        raise Refused(f"M{key} is {state}: only a parked or quarantined message may be edited")
    (following,) = connection.execute(NEXT, (key,)).fetchone()
    if base is not None and base != following - 1:
        raise Refused(f"M{key} was edited by somebody else meanwhile: begin from version {following - 1}")


def add(connection: Connection, key: int, raw: bytes, why: str, audit: AuditEvent) -> int:
    """Keep a repaired message; version 1 is the one received."""
    (version,) = connection.execute(NEXT, (key,)).fetchone()
    connection.execute(ADD, (key, version, raw, audit.actor, why, audit.at.isoformat()))
    return int(version)


def approve(connection: Connection, key: int, edit: Edit | None, by: str) -> None:
    """Whoever sends the message through has read its edit: this one, or that there is none. Refused where there is another
    by now, and where one person would be both."""
    if pending(connection, key) != edit:
        raise Refused(f"M{key} was edited or sent through by somebody else meanwhile: read it again")
    if edit is None:
        return
    if edit.editor == by:
        raise Refused(f"M{key} was edited by the same person: somebody else has to read the edit and reprocess it")
    connection.execute(APPROVE, (by, key, edit.version))


def move(connection: Connection, key: int, lanes: Sequence[str], now: str) -> None:
    """An edit may name another patient: the lanes it has left are done with, the new ones wait at the end of the queue."""
    before = [lane for (lane,) in connection.execute(OF_MESSAGE, (key,)).fetchall()]
    for lane in lanes:
        if lane not in before:
            crc = sums.of_work((key, lane, State.KEPT.value, Reason.REPROCESSED.value, "", "", now))
            connection.execute(CAME, (key, lane, now, crc))
    for lane in before:
        if lane not in lanes:
            connection.execute(WENT, (key, lane))
    connection.execute(NAMED, ("\n".join(lanes), key))  # where a row of work is lost, its lane is known from here
