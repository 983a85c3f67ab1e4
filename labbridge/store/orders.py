"""Orders of retests: made with the comment they leave with, sent like one, and what the laboratory says of them.

`orders.number` is the placer's. It is counted where control ids are, and no row that goes takes its number along: a number
that was given once is never given again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from labbridge.errors import Refused
from labbridge.model import ordered
from labbridge.model.retests import OrderSaid, OrderState, OutgoingOrder, PlacedOrder, Retested, Withheld
from labbridge.model.work import AuditEvent, Count, Outgoing
from labbridge.store import sums
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, Statement, marks
from labbridge.store.retests import ROW, as_row
from labbridge.store.tally import add_counts

A_DAY = timedelta(hours=24)
OF_SPECIMEN = (
    "SELECT count(*) FROM outbox WHERE specimen = ? AND created > ? AND NOT (state = 'cancelled' AND attempts = 0)"
)
TO_ORDER = f"{ROW} WHERE r.lane IN ({{}}) AND r.state = 'advised' ORDER BY r.id"
IS_ORDERED = (  # the LIS may still carry it out, or had it in the same case, whatever became of it
    "SELECT 1 FROM orders o LEFT JOIN retests r ON r.id = o.retest WHERE o.lane IN ({}) AND o.analyte = ? AND o.reason = ?"
    " AND (o.open = 1 OR (r.\"case\" = ? AND o.state NOT IN ('waiting', 'cancelled'))) LIMIT 1"
)
ORDERED = (
    "UPDATE retests SET state = 'ordered', withheld = '' WHERE id = ? AND state = 'advised'"
    " RETURNING lane, analyte, reason, rule"
)
SEND = (
    'INSERT INTO outbox("case", version, comment, receiver, lane, control_id, raw, state, created, updated, specimen,'
    " digest, due, rule, not_before) VALUES (?,?,0,?,?,?,?,'waiting',?,?,?,?,?,?,?)"
)
MADE = (
    "INSERT INTO orders(retest, number, lane, analyte, reason, family, delivery, receiver, control_id, state, due, made,"
    " updated) VALUES (?,?,?,?,?,?,?,?,?,'waiting',?,?,?)"
)
WITHHELD = "UPDATE retests SET withheld = ? WHERE id = ? AND state = 'advised'"
OF_DELIVERY = (
    "SELECT o.retest, o.number, o.state, r.state FROM orders o LEFT JOIN retests r ON r.id = o.retest"
    " WHERE o.delivery = ?"
)
LEAVES = "UPDATE orders SET state = 'unknown', updated = ? WHERE delivery = ? AND state = 'waiting'"
NEVER_LEFT = (
    "UPDATE orders SET state = 'cancelled', open = 0, said = ?, updated = ? WHERE delivery = ? AND state = 'waiting'"
)
ADVISED_AGAIN = "UPDATE retests SET state = 'advised' WHERE id = ? AND state = 'ordered'"
SENT_AGAIN = "UPDATE orders SET state = 'unknown', updated = ? WHERE delivery = ? AND state = 'refused'"
LOST = "EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = o.delivery AND a.sent = 'unanswered')"
BY_NUMBER = (
    f"SELECT o.number, o.control_id, o.retest, o.delivery, o.state, {LOST} FROM orders o WHERE o.number IN ({{}})"  # noqa: S608
)
ANSWERED = (
    "UPDATE orders SET state = ?, said = ?, filler = CASE WHEN ? <> '' THEN ? ELSE filler END,"
    " open = CASE WHEN ? = 'refused' THEN 0 ELSE open END, updated = ? WHERE number = ? AND state = ?"
)
ANSWERED_DELIVERY = (  # it waits for another try, and needs none
    "UPDATE outbox SET state = 'acknowledged', reason = ?, updated = ? WHERE id = ? AND state = 'waiting' AND attempts > 0"
)
CALLED_BACK = (
    "SELECT o.delivery FROM orders o JOIN outbox b ON b.id = o.delivery"
    " WHERE b.\"case\" = ? AND b.version = ? AND o.state = 'waiting'"
)
CANCEL_DELIVERY = (
    "UPDATE outbox SET state = 'cancelled', reason = ?, updated = ? WHERE id = ? AND state = 'waiting' AND attempts = 0"
)
WAITS_SINCE = "CASE WHEN not_before > created THEN not_before || 'T00:00:00+00:00' ELSE created END"
"""Since when a delivery could have left: an order for a later day keeps nobody waiting until then."""
LATE = "Its answer came by another way"


# ---------------------------------------------------------------- made


def to_order(connection: Connection, lanes: Sequence[str]) -> list[Retested]:
    """The advised retests of a patient, oldest first."""
    return [as_row(row) for row in connection.execute(TO_ORDER.format(marks(len(lanes))), lanes).fetchall()]


def is_ordered(connection: Connection, lanes: Sequence[str], about: tuple[str, str], case: int) -> bool:
    """Whether the LIS may still carry out an order of this patient for this analyte and reason (`about`), or had one in the
    same case."""
    return connection.execute(IS_ORDERED.format(marks(len(lanes))), (*lanes, *about, case)).fetchone() is not None


def left_of(connection: Connection, specimen: str, now: datetime) -> int:
    """How many comments and orders have left for a specimen within a day, or wait to."""
    return int(connection.execute(OF_SPECIMEN, (specimen, (now - A_DAY).isoformat())).fetchone()[0])


def make(connection: Connection, out: Outgoing, lanes: Sequence[str], at: datetime) -> None:
    """Orders beside the comment they leave with. Refused where one of the retests is not as it was read."""
    for retest, why in out.withheld:
        connection.execute(WITHHELD, (why.value, retest))
    for order in out.orders:
        if out.per_specimen and out.specimen and left_of(connection, out.specimen, at) >= out.per_specimen:
            connection.execute(WITHHELD, (Withheld.STORM.value, order.retest))
        else:
            _make(connection, out, order, lanes, at)


def _make(connection: Connection, out: Outgoing, order: OutgoingOrder, lanes: Sequence[str], at: datetime) -> None:
    now = at.isoformat()
    row = connection.execute(ORDERED, (order.retest,)).fetchone()
    if row is None:
        raise Refused(f"R{order.retest} is not advised any more: read C{out.case} again")
    lane, analyte, reason, of = row
    if is_ordered(connection, lanes, (analyte, reason), out.case):
        raise Refused(f"R{order.retest} was ordered for its reason meanwhile: read C{out.case} again")
    undo = out.due.isoformat() if out.due else ""
    due = order.due.isoformat() if order.due else ""
    rule = out.by_rule.rule if out.by_rule else ""
    sent = (out.case, out.version, out.receiver, out.lane, order.control_id, order.raw, now, now, out.specimen)
    delivery = connection.execute(SEND, (*sent, sums.of_bytes(order.raw), undo, rule, due)).lastrowid
    made = (order.retest, order.number, lane, analyte, reason, order.family, delivery, out.receiver, order.control_id)
    connection.execute(MADE, (*made, due, now, now))
    add_counts(connection, [Count("retests_ordered", (of, order.family))])
    _audit(connection, "retest ordered", order.retest, order.number, at)


# ---------------------------------------------------------------- sent


def number_of(connection: Connection, delivery: int) -> str:
    """The placer number of the order that a delivery is; empty where it is none."""
    row = connection.execute(OF_DELIVERY, (delivery,)).fetchone()
    return str(row[1]) if row else ""


class Stands(NamedTuple):
    """Whether an order may leave (again): it is still wanted, and nobody has answered it."""

    wanted: bool
    answered: bool


def stands(connection: Connection, delivery: int) -> Stands:
    row = connection.execute(OF_DELIVERY, (delivery,)).fetchone()
    if row is None:
        return Stands(wanted=False, answered=False)
    answered = row[2] in (OrderState.ACCEPTED, OrderState.REFUSED, OrderState.ACKNOWLEDGED)
    return Stands(wanted=row[3] == "ordered", answered=answered)


def leaves(connection: Connection, delivery: int, now: datetime) -> None:
    """From now on the LIS may have it."""
    connection.execute(LEAVES, (now.isoformat(), delivery))


def never_left(connection: Connection, delivery: int, why: str, now: datetime) -> None:
    """It does not leave: what it was made for is advised again, where it is still wanted."""
    row = connection.execute(OF_DELIVERY, (delivery,)).fetchone()
    if row is not None and connection.execute(NEVER_LEFT, (why, now.isoformat(), delivery)).rowcount:
        connection.execute(ADVISED_AGAIN, (row[0],))
        _audit(connection, "order cancelled", row[0], row[1], now)


def call_back(connection: Connection, about: tuple[int, int], why: str, now: datetime) -> None:
    """The orders that were signed with a version of a case and have not left do not leave."""
    for (delivery,) in connection.execute(CALLED_BACK, about).fetchall():
        if connection.execute(CANCEL_DELIVERY, (why, now.isoformat(), delivery)).rowcount:
            never_left(connection, delivery, why, now)


def again(connection: Connection, delivery: int, now: datetime) -> None:
    """A person sends a refused one again, the same bytes: what becomes of it is unknown."""
    connection.execute(SENT_AGAIN, (now.isoformat(), delivery))


# ---------------------------------------------------------------- answered


def placed(connection: Connection, numbers: Sequence[str]) -> dict[str, PlacedOrder]:
    """Those of these numbers that are orders of ours."""
    rows = connection.execute(BY_NUMBER.format(marks(len(numbers))), numbers).fetchall() if numbers else []
    return {
        number: PlacedOrder(
            number=number,
            control_id=control_id,
            retest=int(retest),
            delivery=int(delivery),
            state=OrderState(state),
            lost=bool(lost),
        )
        for number, control_id, retest, delivery, state, lost in rows
    }


def settle(connection: Connection, said: OrderSaid, at: datetime) -> None:
    """What the answer to an attempt says of the order it was about."""
    found = placed(connection, [said.number]).get(said.number)
    for statement in answered(found, said, at) if found else ():
        connection.execute(statement.sql, statement.params)


def answered(order: PlacedOrder, said: OrderSaid, at: datetime) -> Iterator[Statement]:
    """What is written where an answer says something new of an order."""
    became = ordered.becomes(order.state, said, lost=order.lost)
    if became is None:
        return
    now, state = at.isoformat(), became.state.value
    row = (state, became.said, became.filler, became.filler, state, now, order.number, order.state.value)
    yield Statement(ANSWERED, row, 1)
    yield Statement(ANSWERED_DELIVERY, (LATE, now, order.delivery))
    event = AuditEvent(
        at=at, actor="labbridge", action=f"order {state}", subject=f"R{order.retest}", detail=order.number
    )
    yield Statement(INSERT_AUDIT, audit_row(event))


def _audit(connection: Connection, action: str, retest: int, number: str, at: datetime) -> None:
    event = AuditEvent(at=at, actor="labbridge", action=action, subject=f"R{retest}", detail=number)
    connection.execute(INSERT_AUDIT, audit_row(event))
