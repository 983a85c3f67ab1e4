"""Intake: the journal and its ledger of (sender, control id, SHA-256), written by hand for speed (stack.md 3)."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence

import msgspec

from labbridge.model.report import PlacedNote
from labbridge.model.work import Arrival, AuditEvent, Receipt
from labbridge.notes import note
from labbridge.states import Reason, State
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.tally import COUNT, labels
from labbridge.store.writer import Writer, of_rows

INSERT_JOURNAL = (
    "INSERT INTO journal(sender, control_id, digest, feed, peer, message_type, received, length, lanes, state, reason,"
    " detail, answer, error_code, location, notes, raw) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
IF_NEW = f"{INSERT_JOURNAL} ON CONFLICT(sender, control_id, digest) DO NOTHING"
INSERT_WORK = "INSERT INTO work(message, lane, state, reason, updated) VALUES (?,?,'kept','received',?)"
FIND = "SELECT id, state FROM journal WHERE sender = ? AND control_id = ? AND digest = ?"
REUSED = "SELECT 1 FROM journal WHERE sender = ? AND control_id = ? AND digest <> ? LIMIT 1"
KNOWN = (  # each pair is looked up in the ledger's index; a row value IN a list would read all of it
    "WITH wanted(sender, control_id) AS (VALUES {}) SELECT 1 FROM wanted CROSS JOIN journal"
    " USING (sender, control_id) LIMIT 1"
)
NOTED = "UPDATE journal SET notes = ? WHERE id = ?"
LANE_SEPARATOR = "\n"
OTHER_TYPE = "other"  # of a refused message: what a sender writes into MSH-9 must not make labels without end

Wanted = tuple[Arrival, AuditEvent]

_encode = msgspec.json.Encoder().encode


class SqliteIntake:
    """ports.Intake on the writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def keep(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        return await self._write(arrival, audit)

    async def keep_all(self, wanted: Sequence[Wanted]) -> list[Receipt]:
        return list(await asyncio.gather(*(self._write(arrival, audit) for arrival, audit in wanted)))

    async def quarantine(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        return await self._write(arrival, audit)

    async def _write(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        loop = asyncio.get_running_loop()
        receipt: Receipt = await self._writer.submit_together(keep_all, (arrival, audit), loop)
        return receipt


def keep_all(connection: sqlite3.Connection, wanted: Sequence[Wanted]) -> list[Receipt]:
    """Everything that came in while the last group was committed: in a few statements where none of their control ids
    was ever seen, which is nearly always; else each on its own."""
    if _strangers(connection, [arrival for arrival, _audit in wanted]):
        return _keep_new(connection, wanted)
    return [_keep_one(connection, arrival, audit) for arrival, audit in wanted]


def _strangers(connection: sqlite3.Connection, arrivals: Sequence[Arrival]) -> bool:
    keys = {(arrival.sender, arrival.control_id) for arrival in arrivals}
    if len(keys) < len(arrivals):
        return False
    known = KNOWN.format(",".join(["(?,?)"] * len(keys)))
    return connection.execute(known, [part for key in keys for part in key]).fetchone() is None


def _keep_new(connection: sqlite3.Connection, wanted: Sequence[Wanted]) -> list[Receipt]:
    last = _insert(connection, INSERT_JOURNAL, [_row(arrival) for arrival, _audit in wanted])
    keys = range(last - len(wanted) + 1, last + 1)  # one statement numbers its rows in order, without a gap
    kept = [(key, arrival) for key, (arrival, _audit) in zip(keys, wanted, strict=True)]
    work = [
        (key, lane, arrival.received.isoformat())
        for key, arrival in kept
        if arrival.state is State.KEPT
        for lane in arrival.lanes
    ]
    if work:
        _insert(connection, INSERT_WORK, work)
    _insert(connection, INSERT_AUDIT, [audit_row(audit, f"M{k}") for k, (_a, audit) in zip(keys, wanted, strict=True)])
    newest = max(arrival.received for arrival, _audit in wanted).isoformat()
    for (name, its), count in Counter((_counter(one), _labels(one)) for _key, one in kept).items():
        connection.execute(COUNT, (name, its, count, newest))
    return [Receipt(key) for key in keys]


def _insert(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[object, ...]]) -> int:
    """All rows in one statement; the number of the last."""
    cursor = connection.execute(of_rows(sql, len(rows)), [value for row in rows for value in row])
    return cursor.lastrowid or 0


def _keep_one(connection: sqlite3.Connection, arrival: Arrival, audit: AuditEvent) -> Receipt:
    execute = connection.execute
    cursor = execute(IF_NEW, _row(arrival))
    if cursor.rowcount == 0:
        return _again(connection, arrival)
    key = cursor.lastrowid or 0
    received = arrival.received.isoformat()
    if arrival.state is State.KEPT:
        for lane in arrival.lanes:
            execute(INSERT_WORK, (key, lane, received))
    execute(INSERT_AUDIT, audit_row(audit, f"M{key}"))
    execute(COUNT, (_counter(arrival), _labels(arrival), 1, received))
    about = (arrival.sender, arrival.control_id, arrival.digest)
    reused = bool(arrival.control_id) and execute(REUSED, about).fetchone() is not None
    if reused:
        execute(INSERT_AUDIT, audit_row(audit, f"M{key}", "control_id_reuse"))
        execute(NOTED, (_told((*arrival.notes, note("N014", "MSH-10"))), key))
    return Receipt(key, control_id_reuse=reused)


def _told(notes: Sequence[PlacedNote]) -> str:
    return _encode(notes).decode() if notes else ""


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
        _told(arrival.notes),
        arrival.raw,
    )


def _again(connection: sqlite3.Connection, arrival: Arrival) -> Receipt:
    """The same bytes came before. What was quarantined then and can be read now (a repaired feed) is taken up."""
    key, state = connection.execute(FIND, (arrival.sender, arrival.control_id, arrival.digest)).fetchone()
    connection.execute("UPDATE journal SET duplicates = duplicates + 1 WHERE id = ?", (key,))
    connection.execute(COUNT, ("duplicate", _labels(arrival), 1, arrival.received.isoformat()))
    if state == State.QUARANTINED and arrival.state is State.KEPT:
        take_up(connection, key, arrival.lanes, arrival.received.isoformat())
    return Receipt(key, duplicate=True)


def take_up(connection: sqlite3.Connection, key: int, lanes: tuple[str, ...], now: str) -> None:
    """A quarantined message becomes kept, with its lanes of work; the counters say so."""
    found = "SELECT feed, message_type, reason, received FROM journal WHERE id = ?"
    feed, message_type, reason, received = connection.execute(found, (key,)).fetchone()
    connection.execute(
        "UPDATE journal SET state = 'kept', reason = 'reprocessed', lanes = ? WHERE id = ?",
        (LANE_SEPARATOR.join(lanes), key),
    )
    for lane in lanes:
        connection.execute(INSERT_WORK, (key, lane, now))
    before = "oversize" if reason == Reason.OVERSIZE else "quarantined"
    less = "UPDATE tally SET count = count - 1 WHERE name = ? AND labels = ?"
    connection.execute(less, (before, labels(feed, OTHER_TYPE)))
    connection.execute(COUNT, ("stored", labels(feed, message_type), 1, received))  # no message came now


def _counter(arrival: Arrival) -> str:
    if arrival.state is State.KEPT:
        return "stored"
    return "oversize" if arrival.reason is Reason.OVERSIZE else "quarantined"


def _labels(arrival: Arrival) -> str:
    return labels(arrival.feed, arrival.message_type if arrival.state is State.KEPT else OTHER_TYPE)
