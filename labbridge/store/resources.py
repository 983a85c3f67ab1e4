"""What programs read and search (model/served.Resources): rows behind a key, so many at a time, each statement along an
index or over a span of keys, so that a page of a great store costs what a page of a small one does. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from labbridge.model.served import Unit, Window
from labbridge.model.work import AuditEvent, Case
from labbridge.states import Reason
from labbridge.store import edits, links, reading
from labbridge.store.connection import Connection, lookup_key, marks

MOST_MESSAGES = 1000  # that one number leads to
BY_FHIR = (Reason.RECEIVED, Reason.REPROCESSED, Reason.DRAFTED, Reason.NOTHING_OF_OURS, Reason.NO_PATIENT)
BY_HL7 = (Reason.DRAFTED,)


def _listed(reasons: Sequence[Reason]) -> str:
    return ", ".join(f"'{one.value}'" for one in reasons)


READABLE = (  # a reason of both wires, or one that only bodies of FHIR are read for
    f"w.state IN ('kept', 'done') AND (w.reason IN ({_listed(BY_HL7)})"
    f" OR (w.reason IN ({_listed(BY_FHIR)}) AND j.message_type LIKE 'FHIR %'))"
)
UNIT = (
    "SELECT w.id, w.message, w.lane, w.reason, j.feed, j.received, j.notes,"  # noqa: S608
    f" {edits.IN_FORCE} FROM work w JOIN journal j ON j.id = w.message WHERE {READABLE} AND j.feed IN ({{}})"
)
WINDOW = " AND w.id > ? AND w.id <= ?"
IN_ORDER = " ORDER BY w.id LIMIT ?"
FIRST = "SELECT min(id) FROM work WHERE lane = ?"
LANE = "SELECT lane FROM work WHERE id = ?"
HOLDERS = "SELECT authority, identifier FROM patients WHERE identifier = ? LIMIT 100"
KNOWN = "SELECT DISTINCT message FROM known WHERE feed IN ({}) AND type = ? AND token = ? ORDER BY message LIMIT ?"
KNOWN_VALUE = (
    "SELECT DISTINCT message FROM known WHERE feed IN ({}) AND type = ?"
    " AND substr(token, length(token) - CAST(? AS INTEGER) + 1) = ? ORDER BY message LIMIT ?"
)
NUMBERED = "SELECT DISTINCT message FROM numbers WHERE number = ? ORDER BY message LIMIT ?"
NAMED = "SELECT type, resource FROM known WHERE message = ? AND token = '/' || resource"
AUDIT = "SELECT id, at, actor, action, subject, detail FROM audit WHERE id > ? AND id <= ?{} ORDER BY id LIMIT ?"
NEWEST = (
    "SELECT coalesce((SELECT max(id) FROM work), 0), coalesce((SELECT max(id) FROM cases), 0),"
    " coalesce((SELECT max(id) FROM audit), 0)"
)


class StoreResources:
    """model/served.Resources on a connection of its own."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def newest(self) -> tuple[int, int, int]:
        units, cases, audit = self._reader.execute(NEWEST).fetchone()
        return int(units), int(cases), int(audit)

    def units(self, window: Window) -> list[Unit]:
        if window.lanes == () or window.messages == () or not window.feeds:
            return []
        sql, given = UNIT.format(marks(len(window.feeds))) + WINDOW, [*window.feeds, window.after, window.until]
        if window.lanes is not None:
            sql, given = f"{sql} AND w.lane IN ({marks(len(window.lanes))})", [*given, *window.lanes]
        if window.messages is not None:
            sql, given = f"{sql} AND w.message IN ({marks(len(window.messages))})", [*given, *window.messages]
        when, times = _when(window, "j.received")
        rows = self._reader.execute(sql + when + IN_ORDER, (*given, *times, window.limit)).fetchall()
        return [_unit(row) for row in rows]

    def of_message(self, key: int, feeds: Sequence[str]) -> list[Unit]:
        if not feeds:
            return []
        sql = f"{UNIT.format(marks(len(feeds)))} AND w.message = ? ORDER BY w.id"
        return [_unit(row) for row in self._reader.execute(sql, (*feeds, key)).fetchall()]

    def newest_of(self, lanes: Sequence[str], feeds: Sequence[str]) -> Unit | None:
        if not feeds or not lanes:
            return None
        sql = f"{UNIT.format(marks(len(feeds)))} AND w.lane IN ({marks(len(lanes))}) ORDER BY w.id DESC LIMIT 1"
        row = self._reader.execute(sql, (*feeds, *lanes)).fetchone()
        return _unit(row) if row is not None else None

    def first_of(self, lane: str) -> int:
        firsts = (self._reader.execute(FIRST, (one,)).fetchone()[0] for one in links.lanes_of(self._reader, lane))
        return next((int(one) for one in firsts if one is not None), 0)

    def lanes_of_unit(self, key: int) -> tuple[str, ...]:
        row = self._reader.execute(LANE, (key,)).fetchone()
        if row is None or not str(row[0]).startswith("p:"):
            return ()
        return links.lanes_of(self._reader, str(row[0]))

    def lanes_of_number(self, authority: str | None, number: str) -> tuple[str, ...]:
        if authority is not None:
            return links.lanes_of(self._reader, f"p:{authority}|{number}")
        holders = self._reader.execute(HOLDERS, (number,)).fetchall()
        lanes = [one for of, id in holders for one in links.lanes_of(self._reader, f"p:{of}|{id}")]
        return tuple(dict.fromkeys(lanes))

    def messages_of(self, kind: str, token: str, feeds: Sequence[str]) -> tuple[int, ...]:
        of = (*feeds, kind)
        if "|" in token or token.startswith("/"):
            rows = self._reader.execute(KNOWN.format(marks(len(feeds))), (*of, lookup_key(token), MOST_MESSAGES))
        else:
            end = f"|{token}"
            rows = self._reader.execute(KNOWN_VALUE.format(marks(len(feeds))), (*of, len(end), end, MOST_MESSAGES))
        return tuple(int(message) for (message,) in rows.fetchall())

    def messages_of_number(self, number: str) -> tuple[int, ...]:
        rows = self._reader.execute(NUMBERED, (lookup_key(number), MOST_MESSAGES)).fetchall()
        return tuple(int(message) for (message,) in rows)

    def named_in(self, message: int) -> frozenset[str]:
        return frozenset(f"{kind}/{id}" for kind, id in self._reader.execute(NAMED, (message,)).fetchall())

    def cases(self, window: Window) -> list[Case]:
        if window.lanes == () or not window.feeds:
            return []
        sql = f"{reading.CASE} WHERE c.id > ? AND c.id <= ? AND c.feed IN ({marks(len(window.feeds))})"
        given: list[Any] = [window.after, window.until, *window.feeds]
        if window.lanes is not None:
            sql, given = f"{sql} AND c.lane IN ({marks(len(window.lanes))})", [*given, *window.lanes]
        when, times = _when(window, "c.updated")
        rows = self._reader.execute(f"{sql}{when} ORDER BY c.id LIMIT ?", (*given, *times, window.limit)).fetchall()
        return [reading.as_case(self._reader, row) for row in rows]

    def audit(self, window: Window) -> list[tuple[int, AuditEvent]]:
        when, times = _when(window, "at")
        params = (window.after, window.until, *times, window.limit)
        rows = self._reader.execute(AUDIT.format(when), params).fetchall()
        return [
            (
                int(key),
                AuditEvent(at=datetime.fromisoformat(at), actor=actor, action=action, subject=about, detail=detail),
            )
            for key, at, actor, action, about, detail in rows
        ]


def _when(window: Window, column: str) -> tuple[str, list[str]]:
    """Moments are kept as text in UTC, in which they are in order."""
    bounds = ((f" AND {column} >= ?", window.since), (f" AND {column} < ?", window.before))
    return "".join(sql for sql, at in bounds if at), [at.astimezone(UTC).isoformat() for _sql, at in bounds if at]


def _unit(row: Sequence[Any]) -> Unit:
    key, message, lane, reason, feed, received, notes, raw, digest = row
    return Unit(
        id=int(key),
        message=int(message),
        lane=str(lane),
        reason=str(reason),
        feed=str(feed),
        received=datetime.fromisoformat(received),
        notes=reading.noted(notes),
        raw=bytes(raw),
        digest=bytes(digest or b""),
    )
