"""Processing's side of the store (ports.Work): claim in lane order, read a history, write drafts as guarded units."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

import msgspec

from labbridge.model.report import Identifier, PlacedNote
from labbridge.model.work import ApplicationAck, AuditEvent, CaseChange, Count, Drafted, Kept, StoredHistory
from labbridge.states import Reason, State
from labbridge.store import reading
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.tally import COUNT_ALL, counts_row
from labbridge.store.writer import Statement, of_rows

BATCH = 64
LOOK_AHEAD = 512
RESULTS_AT_ONCE = 100
OPEN = (
    "SELECT w.id, w.message, w.lane, w.attempts, w.state FROM work w WHERE w.state IN ('kept', 'parked')"
    " ORDER BY w.id LIMIT ?"
)
BODY = "SELECT raw, feed, sender, control_id, received, notes FROM journal WHERE id = ?"
BEGUN = "UPDATE work SET attempts = attempts + 1 WHERE id IN (SELECT value FROM json_each(?)) AND state = 'kept'"
SETTLED = (
    "UPDATE work SET state = ?, reason = ?, sentence = ?, updated = ? WHERE message = ? AND lane = ? AND state = ?"
)
MESSAGE = (
    "UPDATE journal SET state = CASE WHEN EXISTS (SELECT 1 FROM work WHERE message = ?1 AND state = 'parked') THEN 'parked'"
    " WHEN EXISTS (SELECT 1 FROM work WHERE message = ?1 AND state = 'kept') THEN 'kept' ELSE 'done' END, reason = ?2"
    " WHERE id = ?1"
)
ACKNOWLEDGE = (
    'INSERT INTO outbox("case", version, comment, receiver, lane, control_id, raw, state, created, updated)'
    " SELECT 0, 0, 0, ?1, ?2, ?3, raw, 'waiting', ?4, ?4 FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM work"
    " WHERE message = ?5 AND state = 'parked') THEN ?6 ELSE ?7 END AS raw) WHERE length(raw) > 0 AND NOT EXISTS"
    " (SELECT 1 FROM work WHERE message = ?5 AND state = 'kept') ON CONFLICT(control_id) DO NOTHING"
)
NOTES = "UPDATE work SET notes = ? WHERE message = ? AND lane = ?"
INSERT_RESULT = "INSERT INTO results(lane, message, kind, collected, body) VALUES (?,?,?,?,?)"
KEEP_PATIENT = (
    "INSERT INTO patients(authority, identifier, body) VALUES (?,?,?)"
    " ON CONFLICT(authority, identifier) DO UPDATE SET body = excluded.body"
)
SEEN_UNMAPPED = (
    "INSERT INTO unmapped(feed, system, code, label, name, unit, may_be, seen, last_seen, first_message, last_message)"
    " SELECT ?1, json_extract(value, '$.system'), json_extract(value, '$.code'), json_extract(value, '$.label'),"
    " json_extract(value, '$.name'), json_extract(value, '$.unit'), json_extract(value, '$.may_be'), 1, ?2, ?3, ?3"
    " FROM json_each(?4) WHERE true ON CONFLICT(feed, system, code, label) DO UPDATE SET seen = seen + 1,"
    " last_seen = excluded.last_seen, last_message = excluded.last_message, name = excluded.name, unit = excluded.unit,"
    " may_be = CASE WHEN excluded.may_be <> '' THEN excluded.may_be ELSE may_be END"
)
OPEN_CASE = "INSERT INTO cases(lane, feed, opened_day, version, state, opened, updated) VALUES (?1,?2,?3,1,?4,?5,?5)"
NEXT_VERSION = "UPDATE cases SET version = version + 1, state = ?, updated = ? WHERE id = ? AND version = ?"
NEW_DRAFT = (
    'INSERT INTO drafts("case", version, outcome, text, subject_message, subject_at, knowledge, created)'
    " VALUES (last_insert_rowid(),1,?,?,?,?,?,?)"
)
DRAFT = (
    'INSERT INTO drafts("case", version, outcome, text, subject_message, subject_at, knowledge, created)'
    " VALUES (?,?,?,?,?,?,?,?)"
)
VOID_UNSENT = (
    "UPDATE comments SET void = 1 WHERE id IN (SELECT comment FROM outbox WHERE \"case\" = ? AND state = 'waiting'"
    " AND attempts = 0)"
)
CANCEL_UNSENT = (
    "UPDATE outbox SET state = 'cancelled', reason = 'A newer version came before it was sent', updated = ?"
    " WHERE \"case\" = ? AND state = 'waiting' AND attempts = 0"
)

_encode = msgspec.json.Encoder().encode
_notes = msgspec.json.Decoder(tuple[PlacedNote, ...])


class UnitWriter(Protocol):
    """Whoever commits units: the writer of this process, or the other end of a pipe."""

    def commit(self, units: Sequence[Sequence[Statement]]) -> list[bool]:
        """Commit units in one go; one verdict per unit. StoreUnavailable where the commit failed."""


class SqliteWork:
    """ports.Work: reads on a connection of its own, writes through a UnitWriter."""

    def __init__(self, reader: sqlite3.Connection, writer: UnitWriter) -> None:
        self._reader, self._writer = reader, writer
        self._units: list[list[Statement]] = []
        self._unit: list[Statement] | None = None

    def claim(self, now: datetime, singly: bool = False) -> list[Kept]:
        chosen: list[tuple[int, int, str, int]] = []
        lanes: set[str] = set()
        for id, message, lane, attempts, state in self._reader.execute(OPEN, (LOOK_AHEAD,)).fetchall():
            if lane not in lanes and state == State.KEPT and len(chosen) < (1 if singly else BATCH):
                chosen.append((id, message, lane, attempts))
            lanes.add(lane)  # a parked or waiting message holds back the later ones of its lane
        if not chosen:
            return []
        if not self._begin([id for id, *_rest in chosen]):  # some were taken up meanwhile: each on its own
            chosen = [one for one in chosen if self._begin([one[0]])]
        return [self._kept(one) for one in chosen]

    def _begin(self, ids: Sequence[int]) -> bool:
        """Mark all of them begun, or none."""
        return self._writer.commit([[Statement(BEGUN, (json.dumps(ids),), rows=len(ids))]])[0]

    def _kept(self, row: tuple[int, int, str, int]) -> Kept:
        _id, message, lane, attempts = row
        raw, feed, sender, control_id, received, notes = self._reader.execute(BODY, (message,)).fetchone()
        return Kept(
            key=message,
            raw=raw,
            feed=feed,
            sender=sender,
            control_id=control_id,
            lane=lane,
            received=datetime.fromisoformat(received),
            state=State.KEPT,
            attempts=attempts + 1,
            notes=_notes.decode(notes) if notes else (),
        )

    @contextmanager
    def unit(self) -> Iterator[None]:
        self._unit = []
        try:
            yield
            self._units.append(self._unit)
        finally:
            self._unit = None

    def flush(self) -> list[bool]:
        units, self._units = self._units, []
        return self._writer.commit(units) if units else []

    def failed(self) -> None:
        """After an exception: nothing of the batch is written, only that there was one."""
        self._units = [[Statement(COUNT_ALL, (counts_row((Count("failures", ()),)),))]]
        self.flush()

    def history(self, patient: Identifier | None, lane: str) -> StoredHistory:
        return reading.history(self._reader, patient, lane)

    def save(self, drafted: Drafted, audit: AuditEvent) -> None:
        found, message = drafted.results, drafted.message
        rows = [("result", one.collected.day.isoformat(), _encode(one)) for one in found.results]
        rows += [("context", item.stated.date().isoformat(), _encode(item)) for item in found.context]
        for some in (rows[start : start + RESULTS_AT_ONCE] for start in range(0, len(rows), RESULTS_AT_ONCE)):
            values = [value for row in some for value in (found.lane, message.key, *row)]
            self._add(of_rows(INSERT_RESULT, len(some)), *values)
        patient = drafted.patient
        if patient is not None and patient.key is not None:
            self._add(KEEP_PATIENT, patient.key.authority, patient.key.id, _encode(patient))
        if found.unmapped:
            self._add(SEEN_UNMAPPED, message.feed, audit.at.isoformat(), message.key, _encode(found.unmapped).decode())
        if drafted.notes:
            self._add(NOTES, _encode(drafted.notes).decode(), message.key, message.lane)
        if drafted.counts:
            self._add(COUNT_ALL, counts_row(drafted.counts))
        for change in drafted.cases:
            self._change(change, drafted, audit.at.isoformat())
        self._add(INSERT_AUDIT, *audit_row(audit))

    def _change(self, change: CaseChange, drafted: Drafted, now: str) -> None:
        draft, message = change.draft, drafted.message
        body = (
            _encode(draft.outcome),
            draft.text,
            draft.subject_message,
            draft.subject_at,
            drafted.knowledge,
            now,
        )
        if change.case is None:
            self._add(
                OPEN_CASE, drafted.results.lane, message.feed, change.opened_day.isoformat(), change.state.value, now
            )
            self._add(NEW_DRAFT, *body)
            return
        self._add(NEXT_VERSION, change.state.value, now, change.case, change.version, rows=1)
        self._add(VOID_UNSENT, change.case)
        self._add(CANCEL_UNSENT, now, change.case, rows=change.unsent)
        self._add(DRAFT, change.case, change.version + 1, *body)

    def acknowledge(self, message: Kept, answer: ApplicationAck, now: datetime) -> None:
        lane = f"{answer.receiver}/ack/{message.feed}"
        row = (answer.receiver, lane, answer.control_id, now.isoformat(), message.key, answer.parked, answer.processed)
        self._add(ACKNOWLEDGE, *row)

    def set_state(self, message: Kept, state: State, reason: Reason, sentence: str, audit: AuditEvent) -> None:
        before = message.state.value
        now = audit.at.isoformat()
        self._add(SETTLED, state.value, reason.value, sentence, now, message.key, message.lane, before, rows=1)
        self._add(MESSAGE, message.key, reason.value)
        self._add(INSERT_AUDIT, *audit_row(audit))

    def _add(self, sql: str, *params: object, rows: int | None = None) -> None:
        if self._unit is None:
            raise RuntimeError("a write outside unit()")
        self._unit.append(Statement(sql, params, rows))
