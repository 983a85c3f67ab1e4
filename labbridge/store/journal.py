"""Intake: the journal and its ledger of (sender, control id, SHA-256), written by hand for speed (stack.md 3)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

from labbridge.model.work import Arrival, AuditEvent, Receipt
from labbridge.states import Reason, State
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.tally import COUNT, labels
from labbridge.store.writer import Writer

INSERT_JOURNAL = (
    "INSERT INTO journal(sender, control_id, digest, feed, peer, message_type, received, length, lanes, state, reason,"
    " detail, answer, error_code, location, raw) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT(sender, control_id, digest) DO NOTHING"
)
INSERT_WORK = "INSERT INTO work(message, lane, state, reason, updated) VALUES (?,?,'kept','received',?)"
FIND = "SELECT id, state FROM journal WHERE sender = ? AND control_id = ? AND digest = ?"
REUSED = "SELECT 1 FROM journal WHERE sender = ? AND control_id = ? AND digest <> ? LIMIT 1"
LANE_SEPARATOR = "\n"
OTHER_TYPE = "other"  # of a refused message: what a sender writes into MSH-9 must not make labels without end


class SqliteIntake:
    """ports.Intake on the writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def keep(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        return await self._write(_keeping(arrival, audit))

    async def quarantine(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        return await self._write(_keeping(arrival, audit))

    async def _write(self, job: Callable[[sqlite3.Connection], Receipt]) -> Receipt:
        receipt: Receipt = await self._writer.submit_soon(job, asyncio.get_running_loop())
        return receipt


def _keeping(arrival: Arrival, audit: AuditEvent) -> Callable[[sqlite3.Connection], Receipt]:
    def job(connection: sqlite3.Connection) -> Receipt:
        execute = connection.execute
        cursor = execute(INSERT_JOURNAL, _row(arrival))
        if cursor.rowcount == 0:
            return _again(connection, arrival)
        key = cursor.lastrowid or 0
        if arrival.state is State.KEPT:
            updated = arrival.received.isoformat()
            for lane in arrival.lanes:
                execute(INSERT_WORK, (key, lane, updated))
        execute(INSERT_AUDIT, audit_row(audit, f"M{key}"))
        execute(COUNT, (_counter(arrival), _labels(arrival), arrival.received.isoformat()))
        reused = False
        if arrival.control_id:
            reused = execute(REUSED, (arrival.sender, arrival.control_id, arrival.digest)).fetchone() is not None
            if reused:
                execute(INSERT_AUDIT, audit_row(audit, f"M{key}", "control_id_reuse"))
        return Receipt(key, control_id_reuse=reused)

    return job


def _row(arrival: Arrival) -> tuple[object, ...]:
    return (
        arrival.sender,
        arrival.control_id,
        arrival.digest,
        arrival.feed,
        arrival.peer,
        arrival.message_type,
        arrival.received.isoformat(),
        arrival.length,
        LANE_SEPARATOR.join(arrival.lanes),
        arrival.state.value,
        arrival.reason.value,
        arrival.detail,
        arrival.answer,
        arrival.error_code,
        arrival.location,
        arrival.raw,
    )


def _again(connection: sqlite3.Connection, arrival: Arrival) -> Receipt:
    """The same bytes came before. What was quarantined then and can be read now (a repaired feed) is taken up."""
    key, state = connection.execute(FIND, (arrival.sender, arrival.control_id, arrival.digest)).fetchone()
    connection.execute("UPDATE journal SET duplicates = duplicates + 1 WHERE id = ?", (key,))
    connection.execute(COUNT, ("duplicate", _labels(arrival), arrival.received.isoformat()))
    if state == State.QUARANTINED and arrival.state is State.KEPT:
        take_up(connection, key, arrival.lanes, arrival.received.isoformat())
    return Receipt(key, duplicate=True)


def take_up(connection: sqlite3.Connection, key: int, lanes: tuple[str, ...], now: str) -> None:
    """A quarantined message becomes kept, with its lanes of work; the counters say so."""
    found = "SELECT feed, message_type, reason FROM journal WHERE id = ?"
    feed, message_type, reason = connection.execute(found, (key,)).fetchone()
    connection.execute(
        "UPDATE journal SET state = 'kept', reason = 'reprocessed', lanes = ? WHERE id = ?",
        (LANE_SEPARATOR.join(lanes), key),
    )
    for lane in lanes:
        connection.execute(INSERT_WORK, (key, lane, now))
    before = "oversize" if reason == Reason.OVERSIZE else "quarantined"
    less = "UPDATE tally SET count = count - 1 WHERE name = ? AND labels = ?"
    connection.execute(less, (before, labels(feed, OTHER_TYPE)))
    connection.execute(COUNT, ("stored", labels(feed, message_type), now))


def _counter(arrival: Arrival) -> str:
    if arrival.state is State.KEPT:
        return "stored"
    return "oversize" if arrival.reason is Reason.OVERSIZE else "quarantined"


def _labels(arrival: Arrival) -> str:
    return labels(arrival.feed, arrival.message_type if arrival.state is State.KEPT else OTHER_TYPE)
