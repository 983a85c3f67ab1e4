"""The ledger of retests: its rows with the draft that changes them, what people read of it, and what they cancel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from labbridge.errors import Refused
from labbridge.model.outcome import Priority
from labbridge.model.retests import (
    Cause,
    Closing,
    ListedRetest,
    Order,
    OrderState,
    Raised,
    Retested,
    RetestState,
    RetestStep,
    Withheld,
    Yield,
)
from labbridge.model.work import AuditEvent, Count
from labbridge.store import links
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, Statement, marks
from labbridge.store.tally import add_counts, counted

COLUMNS = (
    'r.id, r."case", r.version, r.lane, r.feed, r.day, r.message, r.analyte, r.reason, r.families, r.priority,'
    " r.not_before, r.rule, r.raised_by, r.assay, r.family, r.band, r.specimen, r.collected, r.state, r.closing,"
    " r.closed_by, r.cause, r.why, r.by, r.again, r.withheld, r.advised, r.closed, r.order_from"
)
NEWEST_ORDER = "(SELECT max(n.id) FROM orders n WHERE n.retest = r.id)"
ROW = f"SELECT {COLUMNS}, o.state FROM retests r LEFT JOIN orders o ON o.id = {NEWEST_ORDER}"  # noqa: S608
LISTED = (
    f"SELECT {COLUMNS}, o.state, o.number, o.delivery, o.receiver, o.family, o.made, o.updated, o.filler, o.said, o.due"  # noqa: S608
    f" FROM retests r LEFT JOIN orders o ON o.id = {NEWEST_ORDER}"
)
OPEN = "r.state IN ('advised', 'ordered')"
ALIKE = " AND t.analyte = ?7 AND t.reason = ?8 AND t.state IN ('advised', 'ordered')"
ADVISE = (  # none that was not seen, in any lane of the patient; the case is the one just opened where it has no key yet
    'INSERT INTO retests("case", version, lane, feed, day, message, analyte, reason, families, priority, not_before, rule,'  # noqa: S608
    " raised_by, assay, family, band, specimen, collected, state, again, withheld, advised, order_from)"
    " SELECT CASE WHEN ?1 > 0 THEN ?1 ELSE (SELECT max(c.id) FROM cases c WHERE c.lane = ?3 AND c.opened_day = ?5) END,"
    " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, 'advised', ?19, ?20, ?21, ?22"
    f" WHERE {links.count_of_patient('retests', '?3', ALIKE)} = 0"
)
STEP = (
    "UPDATE retests SET state = ?, families = ?, closing = ?, closed_by = ?, cause = ?, closed = ?, rule = ?,"
    " raised_by = ?, assay = ?, family = ?, band = ?, specimen = ?, collected = ? WHERE id = ? AND state = ?"
)
NOT_LEFT = (  # the order has left meanwhile: what was read is no longer so
    " AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.retest = retests.id"
    " AND o.state IN ('unknown', 'acknowledged', 'accepted', 'refused'))"
)
RECALL_DELIVERY = (
    "UPDATE outbox SET state = 'cancelled', reason = ?, updated = ? WHERE state = 'waiting' AND attempts = 0"
    " AND id IN (SELECT o.delivery FROM orders o WHERE o.retest = ? AND o.state = 'waiting')"
)
RECALL = "UPDATE orders SET state = 'cancelled', open = 0, said = ?, updated = ? WHERE retest = ? AND state = 'waiting'"
CARRIED_OUT = (  # an answer by another method leaves what was ordered to be done
    "UPDATE orders SET open = 0, updated = ? WHERE retest = ? AND open = 1"
    " AND family IN (?, 'same_new_specimen', 'enzymatic_diluted')"
)
ENDED = "UPDATE orders SET open = 0, updated = ? WHERE retest = ? AND open = 1"
TOLD = (
    "INSERT INTO audit(at, actor, action, subject, detail) SELECT ?1, 'labbridge', 'retest advised', 'R' || id,"
    " analyte || ' ' || reason FROM (SELECT id, analyte, reason FROM retests WHERE lane = ?2 ORDER BY id DESC LIMIT ?3) n"
    " ORDER BY id"
)
CLOSED = "retests_closed"
RECALLED = "What it was ordered for has changed before it left"
CANCEL = (
    "UPDATE retests SET state = 'cancelled', cause = 'person', why = ?, by = ?, closed = ? WHERE id = ? AND ("
    "state = 'advised' OR (state = 'ordered' AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.retest = retests.id"
    " AND o.state IN ('unknown', 'acknowledged', 'accepted'))))"
)
YIELDS = (
    "SELECT rule, assay, band, sum(CASE WHEN closing = 'confirmed' THEN 1 ELSE 0 END),"
    " sum(CASE WHEN closing = 'refuted' THEN 1 ELSE 0 END), sum(CASE WHEN closing = 'equivocal' THEN 1 ELSE 0 END),"
    " sum(CASE WHEN state IN ('advised', 'ordered') THEN 1 ELSE 0 END),"
    " sum(CASE WHEN state = 'cancelled' THEN 1 ELSE 0 END) FROM retests WHERE {} GROUP BY rule, assay, band"
    " ORDER BY rule, assay, band"
)


# ---------------------------------------------------------------- written with a draft


def statements(steps: Sequence[RetestStep], at: datetime) -> Iterator[Statement]:
    """What is written of each step, with its line of the audit and what is counted."""
    new = [step.row for step in steps if step.before is None]
    for step in steps:
        if step.before is not None:
            yield from _stepped(step, step.before, at)
    yield from (Statement(ADVISE, _new(row), 1) for row in new)
    if new:
        yield Statement(TOLD, (at.isoformat(), new[0].lane, len(new)), len(new))


def _stepped(step: RetestStep, before: RetestState, at: datetime) -> Iterator[Statement]:
    row, now = step.row, at.isoformat()
    left = before is RetestState.ORDERED and row.state is RetestState.ADVISED
    yield Statement(STEP + (NOT_LEFT if left else ""), (*_changed(row), row.key, before.value), 1)
    if step.recall:
        yield Statement(RECALL_DELIVERY, (RECALLED, now, row.key))
        yield Statement(RECALL, (RECALLED, now, row.key))
    if row.state is RetestState.RESULTED:
        yield Statement(CARRIED_OUT, (now, row.key, step.by))
    if row.state is not before or row.state is RetestState.RESULTED:
        yield _audited(row, at)
    if not row.open:
        yield Statement(*counted((Count(CLOSED, (row.raised.rule, (row.closing or row.state).value)),)))


def _audited(row: Retested, at: datetime) -> Statement:
    said = row.closing or row.cause
    about = f"{row.analyte} {row.reason}"
    detail = f"{about} {said.value} {row.closed_by}".strip() if said else about
    event = AuditEvent(
        at=at, actor="labbridge", action=f"retest {row.state.value}", subject=f"R{row.key}", detail=detail
    )
    return Statement(INSERT_AUDIT, audit_row(event))


def _new(row: Retested) -> tuple[object, ...]:
    return (
        row.case, row.version, row.lane, row.feed, row.day.isoformat(), row.message, row.analyte, row.reason,
        " ".join(row.families), row.priority.value, row.not_before.isoformat() if row.not_before else "", 
        *_raised(row), int(row.again), row.withheld.value, row.advised.isoformat(),
        row.order_from.isoformat() if row.order_from else "",
    )  # fmt: skip


def _changed(row: Retested) -> tuple[object, ...]:
    return (
        row.state.value, " ".join(row.families), row.closing.value if row.closing else "", row.closed_by,
        row.cause.value if row.cause else "", row.closed.isoformat() if row.closed else "", *_raised(row),
    )  # fmt: skip


def _raised(row: Retested) -> tuple[str, ...]:
    one = row.raised
    day = one.day.isoformat() if one.day else ""
    return one.rule, one.ref, one.assay, one.family, one.band, one.specimen, day


# ---------------------------------------------------------------- read


def of_lanes(connection: Connection, lanes: Sequence[str]) -> tuple[Retested, ...]:
    """Every row of a patient, oldest first."""
    rows = connection.execute(f"{ROW} WHERE r.lane IN ({marks(len(lanes))}) ORDER BY r.id", lanes).fetchall()
    return tuple(as_row(row) for row in rows)


def of_case(connection: Connection, case: int, lanes: Sequence[str]) -> list[ListedRetest]:
    """The retests that a case raised, and those open that other cases of its patient did, oldest first."""
    asked = f'{LISTED} WHERE r.lane IN ({marks(len(lanes))}) AND (r."case" = ? OR {OPEN}) ORDER BY r.id'
    rows = connection.execute(asked, (*lanes, case)).fetchall()
    return [_listed(row) for row in rows]


def opened(connection: Connection, feeds: Sequence[str] | None, after: int, limit: int) -> list[ListedRetest]:
    """The open ones of these feeds (None: all), oldest first, behind a key."""
    where, of_feeds = _of_feeds(feeds)
    asked = f"{LISTED} WHERE {OPEN} AND r.id > ? AND {where} ORDER BY r.id LIMIT ?"
    return [_listed(row) for row in connection.execute(asked, (after, *of_feeds, limit)).fetchall()]


def one(connection: Connection, key: int) -> ListedRetest | None:
    row = connection.execute(f"{LISTED} WHERE r.id = ?", (key,)).fetchone()
    return _listed(row) if row else None


def yields(connection: Connection, feeds: Sequence[str] | None) -> list[Yield]:
    """What became of retests by rule, assay and signal band, in that order."""
    where, of_feeds = _of_feeds(feeds)
    return [
        Yield(
            rule=rule, assay=assay, band=band, confirmed=int(confirmed), refuted=int(refuted), equivocal=int(equivocal),
            open=int(still), cancelled=int(cancelled),
        )
        for rule, assay, band, confirmed, refuted, equivocal, still, cancelled in connection.execute(
            YIELDS.format(where.replace("r.feed", "feed")), of_feeds
        ).fetchall()
    ]  # fmt: skip


def _of_feeds(feeds: Sequence[str] | None) -> tuple[str, list[str]]:
    """Of no feed there is nothing."""
    if feeds is None:
        return "1 = 1", []
    return (f"r.feed IN ({marks(len(feeds))})", list(feeds)) if feeds else ("1 = 0", [])


def as_row(row: Sequence[str]) -> Retested:
    (key, case, version, lane, feed, day, message, analyte, reason, families, priority, not_before, *raised, collected,
     state, closing, closed_by, cause, why, by, again, withheld, advised, closed, order_from, order) = row  # fmt: skip
    return Retested(
        key=int(key),
        case=int(case),
        version=int(version),
        lane=lane,
        feed=feed,
        day=date.fromisoformat(day),
        message=int(message),
        analyte=analyte,
        reason=reason,
        families=tuple(families.split()),
        priority=Priority(priority),
        not_before=date.fromisoformat(not_before) if not_before else None,
        raised=Raised(
            **dict(zip(("rule", "ref", "assay", "family", "band", "specimen"), raised, strict=True)),
            day=date.fromisoformat(collected) if collected else None,
        ),
        state=RetestState(state),
        closing=Closing(closing) if closing else None,
        closed_by=closed_by,
        cause=Cause(cause) if cause else None,
        why=why,
        by=by,
        again=bool(int(again)),
        withheld=Withheld(withheld),
        advised=datetime.fromisoformat(advised),
        closed=datetime.fromisoformat(closed) if closed else None,
        order_from=date.fromisoformat(order_from) if order_from else None,
        order=OrderState(order) if order else None,
    )


def _listed(row: Sequence[str]) -> ListedRetest:
    retested = as_row(row[:31])
    number, delivery, receiver, family, made, updated, filler, said, due = row[31:]
    if retested.order is None:
        return ListedRetest(row=retested)
    order = Order(
        retest=retested.key,
        number=number,
        state=retested.order,
        delivery=int(delivery),
        receiver=receiver,
        family=family,
        made=datetime.fromisoformat(made),
        updated=datetime.fromisoformat(updated),
        filler=filler,
        said=said,
        due=date.fromisoformat(due) if due else None,
    )
    return ListedRetest(row=retested, order=order)


# ---------------------------------------------------------------- what people do


def cancel(connection: Connection, key: int, name: str, why: str, audit: AuditEvent) -> None:
    """A person ends an open retest. Refused where the LIS may have its order: that is cancelled there first."""
    now = audit.at.isoformat()
    if connection.execute(CANCEL, (why, name, now, key)).rowcount != 1:
        found = one(connection, key)
        if found is None:
            raise Refused(f"There is no retest R{key}")
        if not found.row.open:
            raise Refused(f"R{key} is {found.row.state.value} by now")
        raise Refused(f"R{key} was ordered and the LIS may have the order: cancel it there")
    connection.execute(RECALL_DELIVERY, (f"Cancelled by {name}", now, key))
    connection.execute(RECALL, (f"Cancelled by {name}", now, key))
    connection.execute(ENDED, (now, key))
    found = one(connection, key)
    add_counts(connection, [Count(CLOSED, (found.row.raised.rule if found else "", RetestState.CANCELLED.value))])
    connection.execute(INSERT_AUDIT, audit_row(audit))
