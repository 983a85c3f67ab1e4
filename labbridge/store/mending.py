"""What is done with a row that is not what was written: it is taken out of the way of everything that trusts it, and told.

Each is guarded by the sum it had when it was looked at: a row that was written meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from labbridge.model.outcome import Outcome
from labbridge.model.work import AuditEvent
from labbridge.model.worklist import words
from labbridge.states import SENTENCES, CaseState, Reason, State
from labbridge.store import sums, whole
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.journal import LANE_SEPARATOR
from labbridge.store.retention import ERASED
from labbridge.store.work import MESSAGE

ACTION = "damaged"  # in the audit
OF_JOURNAL = "SELECT lanes, length(raw) FROM journal WHERE id = ? AND state <> 'quarantined'"
OTHERS = "SELECT lane FROM work WHERE message = ? AND id <> ?"
STRAY = "DELETE FROM work WHERE id = ? AND crc = ?"
SET_WORK = (
    "UPDATE work SET lane = ?, state = ?, reason = ?, sentence = ?, notes = '', updated = ?, attempts = 0, forgiven = 0,"
    " crc = ? WHERE id = ? AND crc = ?"
)
NEW_WORK = "INSERT INTO work(message, lane, state, reason, sentence, updated, crc) VALUES (?,?,?,?,?,?,?)"
DONE_OF = f"SELECT w.id, {whole.WORK.format('w')} FROM work w WHERE w.message = ? AND w.state = 'done'"  # noqa: S608
NEWEST = 'SELECT version, outcome FROM drafts WHERE "case" = ? ORDER BY version DESC LIMIT 1'
HANGS_ON = (
    'SELECT subject_message FROM drafts WHERE "case" = ? AND subject_message IS NOT NULL ORDER BY version DESC LIMIT 1'
)
SET_OPENED = "UPDATE cases SET lane = ?, feed = ?, opened_day = ?, opened = ? WHERE id = ? AND crc = ?"
SET_SAID = (
    "UPDATE cases SET version = ?, severity = ?, flags = ?, analytes = ?, version_crc = ?"
    " WHERE id = ? AND version_crc = ?"
)
SET_STATE = "UPDATE cases SET state = ?, updated = ? WHERE id = ? AND state_crc = ?"
SET_PUT = (
    "UPDATE cases SET disposition = '', disposition_version = 0, until = '', put_crc = ? WHERE id = ? AND put_crc = ?"
)
SET_RANK = "UPDATE cases SET rank = 0, ranked = '', rank_crc = ? WHERE id = ? AND rank_crc = ?"
SET_DRAFT = (
    "UPDATE drafts SET text = ?, subject_at = ?, knowledge = ?, created = ?"
    ' WHERE "case" = ? AND version = ? AND crc = ?'
)
ASIDE = "damaged:"  # before the key, in place of the lane of a case whose lane nobody can trust

_outcome = msgspec.json.Decoder(Outcome)


def tell(connection: Connection, now: datetime, *told: tuple[str, str]) -> None:
    """A line of the audit each: which of ours is damaged, and what of it."""
    for subject, what in told:
        event = AuditEvent(at=now, actor="labbridge", action=ACTION, subject=subject, detail=what)
        connection.execute(INSERT_AUDIT, audit_row(event))


# ---------------------------------------------------------------- rows of work


def work(connection: Connection, *, row: Sequence[Any], now: datetime) -> None:
    """Parked, in the lane that its message has no other row for. Of a message whose bytes were wiped it is done: nothing
    could be read again. A row that is no message's is deleted: the message it was of is found without (LOST)."""
    id, message, lane, crc = row[0], row[1], row[2], row[-1]
    of = connection.execute(OF_JOURNAL, (message,)).fetchone() if isinstance(message, int) else None
    lanes, length = (of[0].split(LANE_SEPARATOR), of[1]) if of else ([], 0)
    others = {other for (other,) in connection.execute(OTHERS, (message, id)).fetchall()} if of else set()
    left = [one for one in lanes if one not in others]
    if not left and lanes != [ERASED]:
        deleted = connection.execute(STRAY, (id, crc)).rowcount
        if deleted:
            tell(connection, now, (f"W{id}", "a row of work of no message: deleted"))
        return
    lane = lane if lane in left else (left or [ERASED])[0]
    said = (State.PARKED if length else State.DONE).value, Reason.WORK_DAMAGED.value, SENTENCES[Reason.WORK_DAMAGED]
    moment = now.isoformat()
    fresh = sums.of_work((message, lane, *said, "", moment))
    if connection.execute(SET_WORK, (lane, *said, moment, fresh, id, crc)).rowcount:
        connection.execute(MESSAGE, (message, said[1]))
        tell(connection, now, (f"M{message}", "a row of work"))


def lost(connection: Connection, *, key: int, now: datetime) -> None:
    """The lanes of a message that have no row of work get one, parked."""
    of = connection.execute(OF_JOURNAL, (key,)).fetchone()
    others = {lane for (lane,) in connection.execute(OTHERS, (key, -1)).fetchall()}
    said = State.PARKED.value, Reason.WORK_DAMAGED.value, SENTENCES[Reason.WORK_DAMAGED]
    moment = now.isoformat()
    for lane in of[0].split(LANE_SEPARATOR) if of else ():
        if lane not in others:
            crc = sums.of_work((key, lane, *said, "", moment))
            connection.execute(NEW_WORK, (key, lane, *said, moment, crc))
    connection.execute(MESSAGE, (key, said[1]))
    tell(connection, now, (f"M{key}", "a row of work is gone"))


# ---------------------------------------------------------------- cases and drafts


def case(connection: Connection, *, key: int, row: whole.CaseRow, now: datetime) -> None:
    """Held, with words that can be read, until a draft is made again. What can be told from elsewhere is written anew: the
    version and its words from the newest draft; what a person did with the case stands among the decisions, and the rank is
    found again."""
    if not row.said:
        _say(connection, key, row)
    if not row.put:
        connection.execute(SET_PUT, (sums.NOT_PUT, key, row.put_crc))
    if not row.ordered:
        connection.execute(SET_RANK, (sums.NOT_RANKED, key, row.rank_crc))
    if not row.stands and (row.state != CaseState.HELD or not _is_moment(row.updated)):
        connection.execute(SET_STATE, (CaseState.HELD.value, now.isoformat(), key, row.state_crc))
    if not row.opened and row.lane != f"{ASIDE}C{key}":
        _set_aside(connection, key, row, now)


def _say(connection: Connection, key: int, row: whole.CaseRow) -> None:
    newest = connection.execute(NEWEST, (key,)).fetchone()
    if newest is None:
        return
    version, body = newest
    try:
        found = words(_outcome.decode(body))
    except msgspec.MsgspecError:  # the draft is damaged too, and says so by its own sum
        found = (0, "", "")
    said = (version, *found)
    connection.execute(SET_SAID, (*said, sums.of_group(said), key, row.version_crc))


def _set_aside(connection: Connection, key: int, row: whole.CaseRow, now: datetime) -> None:
    """Whose case it is nobody can say: it is in no patient's lane from now on, and the message that its draft hangs on waits
    for a person, so that nothing of that patient goes on unseen."""
    moment = now.isoformat()
    words_of = (f"{ASIDE}C{key}", readable(row.feed), readable(row.opened_day), moment)
    if not connection.execute(SET_OPENED, (*words_of, key, row.crc)).rowcount:
        return
    subject = connection.execute(HANGS_ON, (key,)).fetchone()
    if subject is None:
        return
    text = (
        f"C{key}, written from this message, is damaged from its opening on: restore a backup, or reprocess without it"
    )
    for id, *found in connection.execute(DONE_OF, subject).fetchall():
        said = State.PARKED.value, Reason.CASE_DAMAGED.value, text
        crc = sums.of_work((found[0], found[1], *said, "", moment))
        connection.execute(SET_WORK, (found[1], *said, moment, crc, id, found[-1]))
    connection.execute(MESSAGE, (*subject, Reason.CASE_DAMAGED.value))
    tell(connection, now, (f"M{subject[0]}", f"C{key}, which was written from it"))


def draft(connection: Connection, *, row: Sequence[Any]) -> None:
    """It is never read, and stays as it is; but where its text is none, every look at the case would fail."""
    case, version, text, _message, at, knowledge, created, _outcome, crc = row
    told = (text, at, knowledge, created)
    plain = tuple(map(readable, told))
    if plain != told:
        connection.execute(SET_DRAFT, (*plain, case, version, crc))


def readable(text: object) -> str:
    """Text with a mark in place of each byte that is none (sqlite.open_reader, lenient)."""
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_moment(text: object) -> bool:
    try:
        datetime.fromisoformat(str(text))
    except ValueError:
        return False
    return True
