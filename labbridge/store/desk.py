"""A person's side of the store (ports.Desk), and delivery's (ports.Outbox). Both run where the writer is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from datetime import datetime
from typing import Any

import msgspec

from labbridge.errors import Refused
from labbridge.model.work import AuditEvent, Case, Count, Delivery, Kept, Outgoing, Settled
from labbridge.states import DeliveryState, State
from labbridge.store import journal, reading
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.tally import add_counts
from labbridge.store.writer import Writer

SIGN = "UPDATE cases SET state = 'signed', updated = ? WHERE id = ? AND version = ? AND state IN ('new', 'reopened')"
POST = 'INSERT INTO comments("case", version, body) VALUES (?,?,?)'
SEND = (
    'INSERT INTO outbox("case", version, comment, receiver, lane, control_id, raw, state, created, updated)'
    " VALUES (?,?,?,?,?,?,?,'waiting',?,?)"
)
DUE = (
    'SELECT id, "case", version, lane, control_id, raw, attempts, refusals, state, due, created FROM outbox'
    " WHERE receiver = ? AND state IN ('waiting', 'sent') ORDER BY id"
)
VERSION = "SELECT version FROM cases WHERE id = ?"
NO_CASE = 0  # an application acknowledgement: nothing newer can come
SENT = "UPDATE outbox SET state = 'sent', attempts = attempts + 1, updated = ? WHERE id = ?"
OUT_OF_DATE = "UPDATE outbox SET state = 'cancelled', reason = 'A newer version came', updated = ? WHERE id = ?"
VOID = "UPDATE comments SET void = 1 WHERE id = (SELECT comment FROM outbox WHERE id = ?)"
SETTLE = "UPDATE outbox SET state = ?, reason = ?, due = ?, refusals = ?, updated = ? WHERE id = ? AND state = 'sent'"
RECOVER = "UPDATE outbox SET state = 'waiting', due = '', updated = ? WHERE state = 'sent'"
NEXT = "UPDATE tally SET count = count + 1 WHERE name = 'control_id' RETURNING labels, count"
FIRST = "INSERT INTO tally(name, labels, count) VALUES ('control_id', ?, 1) RETURNING labels, count"
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class StoreDesk:
    """ports.Desk on the writer, with reads on a connection of its own."""

    def __init__(self, writer: Writer, reader: Connection) -> None:
        self._writer, self._reader = writer, reader

    def case(self, key: int) -> Case | None:
        return reading.case(self._reader, key)

    def message(self, key: int) -> Kept | None:
        return reading.message(self._reader, key)

    def release(self, outgoing: Outgoing, audit: AuditEvent) -> int:
        key: int = self._writer.submit(_releasing(outgoing, audit)).result()
        return key

    def reprocess(self, key: int, lanes: tuple[str, ...], audit: AuditEvent) -> None:
        self._writer.submit(_reprocessing(key, lanes, audit)).result()

    def record(self, audit: AuditEvent, counts: Sequence[Count]) -> None:
        """An act that changes nothing of what is kept here, and that it was done."""

        def job(connection: Connection) -> None:
            add_counts(connection, counts)
            connection.execute(INSERT_AUDIT, audit_row(audit))

        self._writer.submit(job).result()

    def next_control_id(self, now: datetime) -> str:
        """`LB`, the moment this store first sent, a running number: unique over stores that replace each other."""

        def job(connection: Connection) -> str:
            row = connection.execute(NEXT).fetchone()
            if row is None:
                row = connection.execute(FIRST, (_base36(int(now.timestamp())),)).fetchone()
            return f"LB{row[0]}-{row[1]}"

        found: str = self._writer.submit(job).result()
        return found


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = DIGITS[rest] + digits
    return digits or "0"


def _releasing(out: Outgoing, audit: AuditEvent) -> Callable[[Connection], int]:
    def job(connection: Connection) -> int:
        now = audit.at.isoformat()
        if connection.execute(SIGN, (now, out.case, out.version)).rowcount != 1:
            raise Refused(f"C{out.case} has changed since version {out.version} was read: read it again")
        body = msgspec.json.encode(out.posted)
        comment = connection.execute(POST, (out.case, out.version, body)).lastrowid
        row = (out.case, out.version, comment, out.receiver, out.lane, out.control_id, out.raw, now, now)
        key = connection.execute(SEND, row).lastrowid or 0
        add_counts(connection, out.counts)
        connection.execute(INSERT_AUDIT, audit_row(audit))
        return key

    return job


def _reprocessing(key: int, lanes: tuple[str, ...], audit: AuditEvent) -> Callable[[Connection], None]:
    def job(connection: Connection) -> None:
        now = audit.at.isoformat()
        row = connection.execute("SELECT state FROM journal WHERE id = ?", (key,)).fetchone()
        if row is None:
            raise Refused(f"There is no message M{key}")
        if row[0] == State.QUARANTINED:
            journal.take_up(connection, key, lanes, now)
        else:
            again = (
                "UPDATE work SET state = 'kept', reason = 'reprocessed', attempts = 0, updated = ? WHERE message = ?"
            )
            connection.execute(again, (now, key))
            connection.execute("UPDATE journal SET state = 'kept', reason = 'reprocessed' WHERE id = ?", (key,))
            connection.execute("DELETE FROM results WHERE message = ?", (key,))  # they are read again from the bytes
        connection.execute(INSERT_AUDIT, audit_row(audit))

    return job


class StoreOutbox:
    """ports.Outbox on the writer. A message that is marked SENT and that nobody here has in hand was claimed, or answered,
    in a commit that was reported as failed: it goes again, with the same bytes."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._in_hand: set[int] = set()

    async def claim_delivery(self, receiver: str, now: datetime) -> Delivery | None:
        in_hand = frozenset(self._in_hand)
        found: Delivery | None = await self._soon(lambda connection: _claim(connection, receiver, now, in_hand))
        if found is not None:
            self._in_hand.add(found.key)
        return found

    async def settle(self, delivery: Delivery, settled: Settled, counts: Sequence[Count], audit: AuditEvent) -> None:
        def job(connection: Connection) -> None:
            due = settled.due.isoformat() if settled.due else ""
            row = (settled.state.value, settled.reason, due, settled.refusals, audit.at.isoformat(), delivery.key)
            connection.execute(SETTLE, row)
            add_counts(connection, counts)
            connection.execute(INSERT_AUDIT, audit_row(audit))

        try:
            await self._soon(job)
        finally:
            self._in_hand.discard(delivery.key)

    async def recover(self, now: datetime, audit: AuditEvent) -> int:
        def job(connection: Connection) -> int:
            count = connection.execute(RECOVER, (now.isoformat(),)).rowcount
            if count:
                connection.execute(INSERT_AUDIT, audit_row(audit))
            return count

        found: int = await self._soon(job)
        return found

    async def _soon(self, job: Callable[[Connection], Any]) -> Any:
        return await self._writer.submit_soon(job, asyncio.get_running_loop())


def _claim(connection: Connection, receiver: str, now: datetime, in_hand: Set[int]) -> Delivery | None:
    moment = now.isoformat()
    busy: set[str] = set()
    for row in connection.execute(DUE, (receiver,)).fetchall():
        id, case, version, lane, control_id, raw, attempts, refusals, state, due, created = row
        if lane in busy:
            continue
        busy.add(lane)
        if (state == DeliveryState.SENT and id in in_hand) or due > moment:
            continue
        if case != NO_CASE and connection.execute(VERSION, (case,)).fetchone()[0] != version:
            connection.execute(OUT_OF_DATE, (moment, id))
            if attempts == 0:
                connection.execute(VOID, (id,))
            busy.discard(lane)
            continue
        connection.execute(SENT, (moment, id))
        return Delivery(
            key=id,
            case=case,
            version=version,
            receiver=receiver,
            control_id=control_id,
            raw=raw,
            attempts=attempts + 1,
            refusals=refusals,
            state=DeliveryState.SENT,
            created=datetime.fromisoformat(created),
        )
    return None
