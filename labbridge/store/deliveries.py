"""What the workbench reads of what leaves: deliveries that are not settled along their index, those that failed first; the
others by their keys, so many at a time. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labbridge.model.messages import (
    Attempt,
    ChosenDeliveries,
    DeliveryDetail,
    DeliveryPage,
    ListedDelivery,
    Waiting,
)
from labbridge.model.work import Sent
from labbridge.states import DeliveryState
from labbridge.store import reading, sums
from labbridge.store.connection import Connection, marks
from labbridge.store.messages import LAST, SPAN, events

UNSETTLED = (DeliveryState.FAILED, DeliveryState.WAITING, DeliveryState.SENT)  # the worst first
RANK = "CASE o.state WHEN 'failed' THEN 0 WHEN 'waiting' THEN 1 ELSE 2 END"
OPEN = "o.state IN ('waiting', 'sent', 'failed')"
COLUMNS = (
    'o.id, o."case", o.version, o.receiver, o.control_id, o.state, o.reason, o.attempts, o.refusals, o.created, o.updated,'
    " o.due, o.expires"
)
FROM = 'FROM outbox o LEFT JOIN cases c ON c.id = o."case"'
FIRST = (  # those that are not settled, the worst first, the oldest of them first
    f"SELECT {COLUMNS} {FROM} WHERE {OPEN} AND ({RANK} > ? OR ({RANK} = ? AND o.id > ?)) AND {{}}"
    f" ORDER BY {RANK}, o.id LIMIT ?"
)
BY_KEY = f"SELECT {COLUMNS} {FROM} WHERE o.id < ? AND o.id > ? AND o.state = ? AND {{}} ORDER BY o.id DESC LIMIT ?"
NEWEST = "SELECT max(id) FROM outbox WHERE id > 0"
COUNTS = f"SELECT o.state, count(*), min(o.created) {FROM} WHERE {OPEN} AND {{}} GROUP BY o.state"
RECEIVERS = f"SELECT DISTINCT o.receiver {FROM} WHERE {OPEN} AND {{}}"
ONE = (
    f"SELECT {COLUMNS}, length(o.raw), c.feed, (SELECT count(*) FROM attempts a WHERE a.delivery = o.id)"  # noqa: S608
    f" {FROM} WHERE o.id = ?"
)
ATTEMPTS = "SELECT at, sent, reason, length(answer){} FROM attempts WHERE delivery = ? ORDER BY id DESC LIMIT 50"
BYTES = "SELECT raw, digest FROM outbox WHERE id = ?"


class StoreDeliveries:
    """web/parts.Deliveries on a connection of its own. A delivery is of its case's feed; an application acknowledgement,
    which has no case, is for who belongs to every site."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def page(self, chosen: ChosenDeliveries, after: tuple[int, int], limit: int) -> DeliveryPage:
        """The deliveries that were chosen, behind a place: those that are not settled in their order, the others newest
        first, of which a page looks through SPAN keys."""
        newest = int(self._reader.execute(NEWEST).fetchone()[0] or 0)
        where, params = _where(chosen)
        if chosen.state in (DeliveryState.ACKNOWLEDGED, DeliveryState.CANCELLED):
            return self._settled(chosen.state, (where, params), after[1] or LAST, newest, limit)
        if chosen.state is not None:
            where, params = f"{where} AND o.state = ?", [*params, chosen.state.value]
        rank, key = after
        rows = self._reader.execute(FIRST.format(where), (rank, rank, key, *params, limit + 1)).fetchall()
        found = tuple(_listed(row) for row in rows[:limit])
        if len(rows) <= limit:
            return DeliveryPage(found)
        return DeliveryPage(found, (UNSETTLED.index(found[-1].state), found[-1].key))

    def _settled(
        self, state: DeliveryState, where: tuple[str, list[object]], before: int, newest: int, limit: int
    ) -> DeliveryPage:
        end = min(before, newest + 1) - SPAN
        given = (before, end - 1, state.value, *where[1], limit + 1)
        rows = self._reader.execute(BY_KEY.format(where[0]), given).fetchall()
        found = tuple(_listed(row) for row in rows[:limit])
        following = found[-1].key if len(rows) > limit else max(0, end)
        return DeliveryPage(found, (0, following))

    def waiting(self, feeds: Sequence[str] | None) -> dict[DeliveryState, Waiting]:
        """How many of these feeds are not settled, by state, and since when the oldest is there."""
        where, params = _of_feeds(feeds)
        rows = self._reader.execute(COUNTS.format(where), params).fetchall()
        return {DeliveryState(state): Waiting(int(n), datetime.fromisoformat(oldest)) for state, n, oldest in rows}

    def receivers(self, feeds: Sequence[str] | None) -> tuple[str, ...]:
        """Those for whom something is not settled."""
        where, params = _of_feeds(feeds)
        rows = self._reader.execute(RECEIVERS.format(where), params).fetchall()
        return tuple(sorted(str(receiver) for (receiver,) in rows))

    def one(self, key: int, feeds: Sequence[str] | None, *, opened: bool = False) -> DeliveryDetail | None:
        """A delivery with its newest attempts; with the bytes of both sides where it is opened. None of another site."""
        row = self._reader.execute(ONE, (key,)).fetchone()
        if row is None or (feeds is not None and row[-2] not in feeds):
            return None
        listed = _listed(row[:-3])
        answer = ", answer" if opened else ""
        attempts = self._reader.execute(ATTEMPTS.format(answer), (key,)).fetchall()
        raw, digest = self._reader.execute(BYTES, (key,)).fetchone() if opened else (b"", None)
        return DeliveryDetail(
            row=listed,
            kept=int(row[-3]),
            told=int(row[-1]),
            attempts=tuple(_attempt(one) for one in attempts),
            waits_for=tuple(reading.unread_of(self._reader, listed.case)),
            events=events(self._reader, f"D{key}"),
            raw=bytes(raw),
            damaged=bool(raw) and not sums.is_whole(raw, digest),
        )


def _where(chosen: ChosenDeliveries) -> tuple[str, list[object]]:
    where, params = _of_feeds(chosen.feeds)
    return (f"{where} AND o.receiver = ?", [*params, chosen.receiver]) if chosen.receiver else (where, params)


def _of_feeds(feeds: Sequence[str] | None) -> tuple[str, list[object]]:
    """Of no feed there is nothing."""
    if feeds is None:
        return "1 = 1", []
    return (f"c.feed IN ({marks(len(feeds))})", list(feeds)) if feeds else ("1 = 0", [])


def _listed(row: Sequence[object]) -> ListedDelivery:
    key, case, version, receiver, control_id, state, reason, attempts, refusals, created, updated, due, expires = row
    return ListedDelivery(
        key=int(str(key)),
        case=int(str(case)),
        version=int(str(version)),
        receiver=str(receiver),
        control_id=str(control_id),
        state=DeliveryState(str(state)),
        reason=str(reason),
        attempts=int(str(attempts)),
        refusals=int(str(refusals)),
        created=datetime.fromisoformat(str(created)),
        updated=datetime.fromisoformat(str(updated)),
        due=datetime.fromisoformat(str(due)) if due else None,
        expires=datetime.fromisoformat(str(expires)) if expires else None,
    )


def _attempt(row: Sequence[object]) -> Attempt:
    at, sent, reason, length, *answer = row
    return Attempt(
        at=datetime.fromisoformat(str(at)),
        sent=Sent(str(sent)),
        reason=str(reason),
        length=int(str(length)),
        answer=bytes(answer[0]) if answer else b"",  # type: ignore[call-overload]
    )
