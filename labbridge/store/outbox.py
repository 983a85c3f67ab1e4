"""Delivery's side of the store (ports.Outbox): what may leave now, and what became of it. It runs where the writer is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from labbridge.errors import StoreUnavailable
from labbridge.model.work import AuditEvent, Count, Delivery, Settled
from labbridge.states import CaseState, DeliveryState
from labbridge.store import decisions, links, orders, outcomes, releases, sums, whole
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.leases import Everything, Leases
from labbridge.store.tally import add_counts
from labbridge.store.writer import Job, Writer

DUE = (
    'SELECT id, "case", version, lane, control_id, raw, attempts, refusals, state, due, created, expires, digest, rule,'
    " comment FROM outbox WHERE receiver = ? AND state IN ('waiting', 'sent') AND not_before <= ? ORDER BY id"
)
VERSION = f"SELECT c.version, c.lane, {whole.CASE} FROM cases c WHERE c.id = ?"  # noqa: S608
UNREAD = "SELECT 1 FROM work WHERE lane = ? AND state IN ('kept', 'parked') LIMIT 1"
PUT_OFF_AT_MOST = timedelta(minutes=10)  # longer than any retry_delay; due later only by a clock set back since
SENT = "UPDATE outbox SET state = 'sent', attempts = attempts + 1, updated = ? WHERE id = ? AND state = 'waiting'"
CANCELLED = "UPDATE outbox SET state = 'cancelled', reason = ?, updated = ? WHERE id = ?"
ANSWERED = "UPDATE outbox SET state = 'acknowledged', reason = ?, updated = ? WHERE id = ? AND state = 'waiting'"
UNWANTED = "What it was ordered for is not open any more"
NEWER, EXPIRED = "A newer version came", "It did not leave in time: to be read again before it does"
SUSPENDED = "Release by rule was suspended before it left"
DAMAGED = "Its bytes on the disk are no longer those that were signed: to be signed again; look at the disk"
VOID = "UPDATE comments SET void = 1 WHERE id = (SELECT comment FROM outbox WHERE id = ?)"
SETTLE = (  # of this attempt: once another node has tried it is that one's; what was acknowledged meanwhile is
    "UPDATE outbox SET state = ?, reason = ?, due = ?, refusals = ?, updated = ? WHERE id = ? AND attempts = ?"
    " AND (state = 'sent' OR (state = 'waiting' AND ? = 'acknowledged'))"
)
LEFT_SENT = "UPDATE outbox SET state = 'waiting', due = '', updated = ? WHERE state = 'sent' AND receiver = ?"
TRIED = "INSERT INTO attempts(delivery, at, sent, reason, answer) VALUES (?,?,?,?,?)"
LEFT_UNKNOWN = (  # their answers, if any came, went with the process that waited for them
    "INSERT INTO attempts(delivery, at, sent, reason, answer)"
    " SELECT id, ?, 'unanswered', ?, substr(raw, 1, 0) FROM outbox WHERE state = 'sent' AND receiver = ?"
)
ENDED = "The service ended before an answer was on the disk"
UNCONFIRMED = "SELECT 1 FROM restores WHERE confirmed = '' LIMIT 1"


class StoreOutbox:
    """ports.Outbox on the writer. One worker per receiver claims and settles, one delivery after the other; of several
    nodes the one that holds the receiver."""

    def __init__(self, writer: Writer, leases: Leases | None = None) -> None:
        self._writer, self._leases = writer, leases or Everything()
        self._owed: dict[str, Job] = {}  # by receiver: what its last attempt came to, where that could not be written

    async def claim_delivery(self, receiver: str, now: datetime) -> Delivery | None:
        """Before anything else what the last attempt came to is written: an answer that came is never forgotten. Whether
        a claim was undone whose commit failed cannot be known everywhere; nothing of this receiver is under way now."""
        owed = self._owed.get(receiver, _nothing)

        def job(connection: Connection) -> Delivery | None:
            if not self._leases.mine(connection, holding(receiver)):
                return None
            owed(connection)
            if receiver in self._owed:
                connection.execute(LEFT_SENT, (now.isoformat(), receiver))
            return _claim(connection, receiver, now)

        found: Delivery | None = await self._owing(receiver, owed, job)
        return found

    async def settle(self, delivery: Delivery, settled: Settled, counts: Sequence[Count], audit: AuditEvent) -> None:
        def job(connection: Connection) -> None:
            due = settled.due.isoformat() if settled.due else ""
            said = settled.state.value
            row = (
                said,
                settled.reason,
                due,
                settled.refusals,
                audit.at.isoformat(),
                delivery.key,
                delivery.attempts,
                said,
            )
            if connection.execute(SETTLE, row).rowcount:  # else it was written, and only the word of it was lost
                tried = (delivery.key, audit.at.isoformat(), settled.sent.value, settled.reason, settled.answer)
                connection.execute(TRIED, tried)
                if settled.order is not None:
                    orders.settle(connection, settled.order, audit.at)
                add_counts(connection, counts)
                connection.execute(INSERT_AUDIT, audit_row(audit))

        await self._owing(delivery.receiver, job, job)

    async def _owing(self, receiver: str, owed: Job, job: Job) -> Any:
        """Run the job; where the store fails it `owed` is done before the next one."""
        try:
            found = await self._soon(job)
        except StoreUnavailable:
            self._owed[receiver] = owed
            raise
        self._owed.pop(receiver, None)
        return found

    async def recover(self, receiver: str, now: datetime, audit: AuditEvent) -> int:
        def job(connection: Connection) -> int:
            if not self._leases.mine(connection, holding(receiver)):
                return 0
            outcomes.begin(connection)
            connection.execute(LEFT_UNKNOWN, (now.isoformat(), ENDED, receiver))
            count = connection.execute(LEFT_SENT, (now.isoformat(), receiver)).rowcount
            if count:
                connection.execute(INSERT_AUDIT, audit_row(audit))
            return count

        found: int = await self._soon(job)
        return found

    async def _soon(self, job: Callable[[Connection], Any]) -> Any:
        return await self._writer.submit_soon(job, asyncio.get_running_loop())


def holding(receiver: str) -> str:
    """By what name a node holds a receiver."""
    return f"receiver {receiver}"


def _nothing(connection: Connection) -> None:
    """Nothing is owed."""


def _claim(connection: Connection, receiver: str, now: datetime) -> Delivery | None:
    """The first open message of each lane, oldest first: one that is out of date gives its place to the next of its lane,
    one that waits holds its lane."""
    if connection.execute(UNCONFIRMED).fetchone():
        return None  # restored: the receivers may have what this database does not know of
    busy: set[str] = set()
    for row in connection.execute(DUE, (receiver, now.isoformat())).fetchall():
        id, case, version, lane, control_id, raw, attempts, refusals, state, due, created, expires, digest, rule, of = (
            row
        )
        if lane in busy:
            continue
        open_one = _Open(id, case, version, attempts, state, due, expires, rule, order=bool(case) and not of)
        behind = _behind(connection, case)
        if behind.whole and _gives_place(connection, open_one, behind, now):
            continue
        busy.add(lane)
        if not behind.whole or _waits(connection, open_one, behind, now):
            continue
        if not sums.is_whole(raw, digest):
            _give_up(connection, open_one, DAMAGED, now)
            continue
        if connection.execute(SENT, (now.isoformat(), id)).rowcount != 1:
            continue  # cancelled at this moment by the node that wrote something newer
        if open_one.order:
            orders.leaves(connection, id, now)
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
            order=orders.number_of(connection, id) if open_one.order else "",
        )
    return None


class _Open(NamedTuple):
    """What decides whether an open message may leave."""

    id: int
    case: int
    version: int
    attempts: int
    state: str
    due: str
    expires: str
    rule: str = ""
    order: bool = False


class _Behind(NamedTuple):
    """The case behind a message: its version, its lane, and whether it is what was written. Of one that is not nobody can
    say whether anything newer was drafted, or whose it is: its comment waits until a person had it made again."""

    version: int | None
    lane: str
    whole: bool


def _behind(connection: Connection, case: int) -> _Behind:
    if not case:
        return _Behind(None, "", whole=True)  # an application acknowledgement: nothing newer can come
    row = connection.execute(VERSION, (case,)).fetchone()
    if row is None:
        return _Behind(None, "", whole=False)
    version, lane, *columns = row
    return _Behind(version, lane, whole=whole.CaseRow(*columns).decides)


def _gives_place(connection: Connection, one: _Open, behind: _Behind, now: datetime) -> bool:
    """It does not leave: it is out of date, or release by rule was stopped."""
    return _out_of_date(connection, one, behind, now) or (bool(one.rule) and _stopped(connection, one, now))


def _out_of_date(connection: Connection, one: _Open, behind: _Behind, now: datetime) -> bool:
    """Cancelled where a newer version of its case was written, or where it could not leave in time: then its case is open
    again, for a person to read what it says."""
    if one.state == DeliveryState.SENT or _put_off(one, now):
        return False
    if one.order:
        return _not_wanted(connection, one, now)
    if behind.version not in (one.version, None):
        _cancel(connection, one, NEWER, now)
        return True
    if not one.expires or one.expires > now.isoformat():
        return False
    _give_up(connection, one, EXPIRED, now)
    return True


def _not_wanted(connection: Connection, one: _Open, now: datetime) -> bool:
    """An order does not leave, or is not tried again, where what it was made for is not open any more; nor where its answer
    came by another way while it waited."""
    stands = orders.stands(connection, one.id)
    if stands.answered:
        connection.execute(ANSWERED, (orders.LATE, now.isoformat(), one.id))
    elif not stands.wanted:
        _cancel(connection, one, UNWANTED, now)
    return stands.answered or not stands.wanted


def _stopped(connection: Connection, one: _Open, now: datetime) -> bool:
    """Released by rule, and stopped before it left: a person's now."""
    if one.state == DeliveryState.SENT or one.attempts or not releases.stopped(connection, one.id):
        return False
    _give_up(connection, one, SUSPENDED, now)
    return True


def _give_up(connection: Connection, one: _Open, why: str, now: datetime) -> None:
    """Cancelled, and its case is a person's again; what an order was made for is advised again."""
    _cancel(connection, one, why, now)
    if one.order:
        return
    reopened = CaseState.REOPENED if one.attempts else CaseState.NEW
    decisions.reopen(connection, reopened, now.isoformat(), (one.case, one.version))


def _waits(connection: Connection, one: _Open, behind: _Behind, now: datetime) -> bool:
    """Under way, put off, or behind a message of its patient that is acknowledged and not read yet: it may be a
    correction."""
    if one.state == DeliveryState.SENT or _put_off(one, now):
        return True
    lanes = links.lanes_of(connection, behind.lane) if behind.lane else ()
    return any(connection.execute(UNREAD, (of_patient,)).fetchone() for of_patient in lanes)


def _put_off(one: _Open, now: datetime) -> bool:
    return now.isoformat() < one.due <= (now + PUT_OFF_AT_MOST).isoformat()


def _cancel(connection: Connection, one: _Open, why: str, now: datetime) -> None:
    connection.execute(CANCELLED, (why, now.isoformat(), one.id))
    outcomes.of_delivery(connection, one.id, DeliveryState.CANCELLED)
    if one.order:
        orders.never_left(connection, one.id, why, now)
    elif one.attempts == 0:
        connection.execute(VOID, (one.id,))  # nobody has seen it
    audit = AuditEvent(at=now, actor="labbridge", action="delivery cancelled", subject=f"D{one.id}", detail=why)
    connection.execute(INSERT_AUDIT, audit_row(audit))
