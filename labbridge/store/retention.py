"""What is kept how long: bytes that have grown old, patients who are erased, and legal holds, which stand over both.

Nothing unfinished is ever touched: not a message that waits or is parked or quarantined, nor one whose case is open or whose
comment is on its way. The ledger keeps sender, control id and digest, so that what comes again is still known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent
from labbridge.store import known, links, sums
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, marks

WIPED = b""
ERASED = "erased"  # in place of a lane
OLD = (  # finished, and nothing of its patients is open, on its way, unread or held
    "SELECT j.id FROM journal j WHERE j.state = 'done' AND j.received < ? AND length(j.raw) > 0 AND j.id > ?"
    " AND NOT EXISTS (SELECT 1 FROM work w WHERE w.message = j.id AND (w.state <> 'done'"
    " OR EXISTS (SELECT 1 FROM cases c WHERE c.lane = w.lane AND c.state IN ('new', 'held', 'reopened'))"
    ' OR EXISTS (SELECT 1 FROM cases c JOIN outbox o ON o."case" = c.id WHERE c.lane = w.lane'
    " AND o.state IN ('waiting', 'sent', 'failed'))"
    " OR EXISTS (SELECT 1 FROM holds h WHERE h.lane = w.lane AND h.lifted = '')"
    " OR EXISTS (SELECT 1 FROM work u WHERE u.lane = w.lane AND u.state IN ('kept', 'parked'))))"
    " ORDER BY j.id LIMIT ?"
)
AT_ONCE = 1000
MARKS = 500  # placeholders in one statement
SCRUBS = 3  # each waits as long as busy_timeout says
ON_ITS_WAY = (
    "SELECT 1 FROM outbox o JOIN cases c ON c.id = o.\"case\" WHERE c.lane = ? AND o.state IN ('waiting', 'sent', 'failed')"
    " LIMIT 1"
)
HELD = "SELECT 1 FROM holds WHERE lane = ? AND lifted = '' LIMIT 1"
WAITS = "SELECT message FROM work WHERE lane = ? AND state IN ('kept', 'parked') LIMIT 1"
WIPE = "UPDATE journal SET raw = ? WHERE id IN ({})"
FORGET_CODES = "DELETE FROM unmapped_in WHERE message = ?"
WIPE_EDITS = "DELETE FROM edits WHERE message IN ({})"
WIPE_SENT = (
    "UPDATE outbox SET raw = ? WHERE state IN ('acknowledged', 'cancelled') AND updated < ? AND length(raw) > 0"
    " AND NOT EXISTS (SELECT 1 FROM cases c JOIN holds h ON h.lane = c.lane AND h.lifted = '' WHERE c.id = outbox.\"case\")"
)
WIPE_ANSWERS = (
    "UPDATE attempts SET answer = ? WHERE at < ? AND length(answer) > 0"
    " AND delivery IN (SELECT id FROM outbox WHERE length(raw) = 0)"
)
OLD_NOTES = "DELETE FROM shift_notes WHERE at < ?"
MESSAGES = "SELECT DISTINCT message FROM work WHERE lane = ?"
QUARANTINED = "SELECT id, raw FROM journal WHERE state = 'quarantined'"
FORGET_MESSAGE = "UPDATE journal SET raw = ?, lanes = ?, detail = '', notes = '', peer = '' WHERE id = ?"
OF_WORK = "SELECT id, message, state, reason, updated, attempts, forgiven FROM work WHERE lane = ?"
FORGET_WORK = "UPDATE work SET lane = ?, sentence = '', notes = '', crc = ? WHERE id = ?"
CASES = "SELECT id FROM cases WHERE lane = ?"
OF_PEOPLE = ("decisions", "signatures", "countersigned", "readings", "calls", "remarks", "reviews")
OF_CASE = (
    'DELETE FROM texts WHERE comment IN (SELECT id FROM comments WHERE "case" = ?)',
    'DELETE FROM comments WHERE "case" = ?',
    'DELETE FROM drafts WHERE "case" = ?',
    'DELETE FROM opened WHERE "case" = ?',
    *(f'DELETE FROM {table} WHERE "case" = ?' for table in OF_PEOPLE),  # noqa: S608
    'DELETE FROM attempts WHERE delivery IN (SELECT id FROM outbox WHERE "case" = ?)',
    "DELETE FROM cases WHERE id = ?",
)
FORGET_SENT = "UPDATE outbox SET raw = ?, lane = ?, specimen = '', reason = '' WHERE \"case\" = ?"
OF_LANE = (
    "DELETE FROM orders WHERE lane = ?",
    "DELETE FROM retests WHERE lane = ?",
    "DELETE FROM results WHERE lane = ?",
    "DELETE FROM numbers WHERE lane = ?",
    "DELETE FROM identities WHERE lane = ?",
    "DELETE FROM merged WHERE lane = ?",
    "DELETE FROM holds WHERE lane = ?",
    "DELETE FROM replayed WHERE lane = ?",
    "DELETE FROM links WHERE prior = ? OR surviving = ?",
)
PATIENT = "DELETE FROM patients WHERE 'p:' || authority || '|' || identifier = ?"
TOMBSTONE = "INSERT INTO tombstones(lane_digest, at, by, messages) VALUES (?,?,?,?)"
PLACE_HOLD = "INSERT INTO holds(lane, why, by, at) VALUES (?,?,?,?)"
LIFT = "UPDATE holds SET lifted = ?, lifted_by = ? WHERE lane = ? AND lifted = ''"


# ---------------------------------------------------------------- age


def expire(connection: Connection, before: str, after: int) -> tuple[int, int]:
    """Wipe the bytes of finished messages received before a moment, some of those after a key: senders do not wait for all.
    How many were wiped, and the last of them (0: there was none)."""
    keys = [id for (id,) in connection.execute(OLD, (before, after, AT_ONCE)).fetchall()]
    for some in (keys[start : start + MARKS] for start in range(0, len(keys), MARKS)):
        connection.execute(WIPE.format(marks(len(some))), (WIPED, *some))
        connection.execute(WIPE_EDITS.format(marks(len(some))), some)
    return len(keys), keys[-1] if keys else 0


def expire_sent(connection: Connection, before: str, audit: AuditEvent) -> None:
    """Wipe the bytes of comments that were settled before a moment, and the shift notes from before it; the end of an
    expiry."""
    connection.execute(WIPE_SENT, (WIPED, before))
    connection.execute(WIPE_ANSWERS, (WIPED, before))
    connection.execute(OLD_NOTES, (before,))
    connection.execute(INSERT_AUDIT, audit_row(audit))


# ---------------------------------------------------------------- a patient


def erase(connection: Connection, lane: str, audit: AuditEvent) -> int:
    """Take a patient out of everything that is kept, over all linked numbers: what stays is a tombstone, and in the ledger
    the digests by which the same bytes are known again. How many messages it was in.

    Refused while anything of the patient is unfinished or held. The audit names our keys only, and keeps them.
    """
    lanes = links.lanes_of(connection, lane)
    _check_erasable(connection, lanes)
    messages = {key for one in lanes for (key,) in connection.execute(MESSAGES, (one,)).fetchall()}
    for key in messages:
        connection.execute(FORGET_MESSAGE, (WIPED, ERASED, key))
        connection.execute(WIPE_EDITS.format(marks(1)), (key,))
        connection.execute(FORGET_CODES, (key,))
        connection.execute(known.FORGET, (key,))
    for one in lanes:
        _forget(connection, one)
    digest = hashlib.sha256(lane.encode()).digest()
    connection.execute(TOMBSTONE, (digest, audit.at.isoformat(), audit.actor, len(messages)))
    connection.execute(INSERT_AUDIT, audit_row(audit))
    return len(messages)


def _forget(connection: Connection, lane: str) -> None:
    for (case,) in connection.execute(CASES, (lane,)).fetchall():
        connection.execute(FORGET_SENT, (WIPED, ERASED, case))
        for statement in OF_CASE:
            connection.execute(statement, (case,))
    for statement in OF_LANE:
        connection.execute(statement, (lane,) * statement.count("?"))
    connection.execute(PATIENT, (lane,))
    for id, message, state, reason, updated, attempts, forgiven in connection.execute(OF_WORK, (lane,)).fetchall():
        said = (message, ERASED, state, reason, "", "", updated)
        connection.execute(FORGET_WORK, (ERASED, sums.of_work(said, attempts, forgiven), id))


def _check_erasable(connection: Connection, lanes: Sequence[str]) -> None:
    if not any(_one(connection, asked, lane) for lane in lanes for asked in (MESSAGES, CASES)):
        raise Refused("Nothing is held of this patient")
    for lane in lanes:
        if _one(connection, HELD, lane):
            raise Refused("A legal hold stands over this patient; `labbridge hold --lift` ends it")
        waits = connection.execute(WAITS, (lane,)).fetchone()
        if waits:
            raise Refused(f"M{waits[0]} of this patient waits to be processed, or for a person; settle it first")
        if _one(connection, ON_ITS_WAY, lane):
            raise Refused("A comment on this patient is on its way, or was given up; settle it first")
    _check_quarantine(connection, lanes)


def _check_quarantine(connection: Connection, lanes: Sequence[str]) -> None:
    """A message that could not be read may name anybody: one that holds the number is looked at by a person."""
    numbers = [lane.rpartition("|")[2].encode() for lane in lanes]
    for key, raw in connection.execute(QUARANTINED).fetchall():
        if any(number in bytes(raw) for number in numbers):
            raise Refused(f"M{key} is quarantined and may name this patient; settle it first")


def scrub(connection: Connection) -> None:
    """What was wiped is gone from the log too: it still held the pages from before. Refused while a reader is at work on
    them."""
    for _time in range(SCRUBS):
        if connection.scrub():
            return
    raise Refused("It was wiped, and a reader holds the log from before open; stop long reads and run it again")


# ---------------------------------------------------------------- legal holds


def hold(connection: Connection, lane: str, why: str, audit: AuditEvent) -> None:
    """Nothing of this patient is wiped or erased until the hold is lifted, whatever its age."""
    connection.execute(PLACE_HOLD, (lane, why, audit.actor, audit.at.isoformat()))
    connection.execute(INSERT_AUDIT, audit_row(audit))


def lift(connection: Connection, lane: str, audit: AuditEvent) -> None:
    """End every hold over this patient. Refused where there is none."""
    if not connection.execute(LIFT, (audit.at.isoformat(), audit.actor, lane)).rowcount:
        raise Refused("No legal hold stands over this patient")
    connection.execute(INSERT_AUDIT, audit_row(audit))


def _one(connection: Connection, asked: str, lane: str) -> bool:
    return connection.execute(asked, (lane,)).fetchone() is not None
