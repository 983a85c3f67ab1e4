"""Intake: the journal and its ledger of (sender, control id, SHA-256), written by hand for speed (stack.md 3)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from labbridge.model.report import PlacedNote
from labbridge.model.work import Arrival, AuditEvent, Count, Receipt
from labbridge.notes import note
from labbridge.states import Reason, State
from labbridge.store import known, sums
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, lookup_key, of_rows
from labbridge.store.tally import COUNT, add_counts, labels
from labbridge.store.writer import Writer

INSERT_JOURNAL = (
    "INSERT INTO journal(sender, control_id, digest, feed, peer, message_type, received, length, lanes, state, reason,"
    " detail, answer, error_code, location, notes, raw) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)
INSERT_WORK = "INSERT INTO work(message, lane, state, reason, updated, crc) VALUES (?,?,'kept','received',?,?)"
FIND = "SELECT id, state FROM journal WHERE sender = ? AND control_id = ? AND digest = ?"
REUSED = "SELECT 1 FROM journal WHERE sender = ? AND control_id = ? AND digest <> ? LIMIT 1"
KNOWN = (  # each pair is looked up in the ledger's index; a row value IN a list would read all of it
    "WITH wanted(sender, control_id) AS (VALUES {}) SELECT 1 FROM wanted WHERE EXISTS (SELECT 1 FROM journal"
    " WHERE journal.sender = wanted.sender AND journal.control_id = wanted.control_id) LIMIT 1"
)
NOTED = "UPDATE journal SET notes = ? WHERE id = ?"
LANE_SEPARATOR = "\n"
ROWS_AT_ONCE = 1000  # a statement may carry 32,766 values
TAKEN_UP = "taken_up"  # how often, by what it was counted as before: a counter of arrivals never goes back
OTHER_TYPE = "other"  # of a refused message: what a sender writes into MSH-9 must not make labels without end

Wanted = tuple[Arrival, AuditEvent]

_encode = msgspec.json.Encoder().encode


class StoreIntake:
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


def keep_all(connection: Connection, wanted: Sequence[Wanted]) -> list[Receipt]:
    """Everything that came in while the last group was committed: in a few statements where none of their control ids
    was ever seen, which is nearly always; else each on its own."""
    arrivals = [arrival for arrival, _audit in wanted]
    for feed in sorted({arrival.feed for arrival in arrivals if any(known.conditions(arrival))}):
        connection.alone(f"known {feed}")  # what is created only where there is none, on whichever node it is asked for
    if _strangers(connection, arrivals) and known.all_new(connection, arrivals):
        return _keep_new(connection, wanted)
    return [_keep_one(connection, arrival, audit) for arrival, audit in wanted]


def _strangers(connection: Connection, arrivals: Sequence[Arrival]) -> bool:
    keys = {(lookup_key(arrival.sender), lookup_key(arrival.control_id)) for arrival in arrivals}
    if len(keys) < len(arrivals):
        return False
    known = KNOWN.format(",".join(["(?,?)"] * len(keys)))
    return connection.execute(known, [part for pair in keys for part in pair]).fetchone() is None


def _keep_new(connection: Connection, wanted: Sequence[Wanted]) -> list[Receipt]:
    rows = [_row(arrival) for arrival, _audit in wanted]
    keys = [key for some in _in_parts(rows) for key in connection.insert(INSERT_JOURNAL, some)]
    kept = [(key, arrival) for key, (arrival, _audit) in zip(keys, wanted, strict=True)]
    work = [
        work_row(key, lane, arrival.received.isoformat())
        for key, arrival in kept
        if arrival.state is State.KEPT
        for lane in arrival.lanes
    ]
    if work:
        _insert(connection, INSERT_WORK, work)
    _insert(connection, INSERT_AUDIT, [audit_row(audit, f"M{k}") for k, (_a, audit) in zip(keys, wanted, strict=True)])
    borne = [row for key, arrival in kept if arrival.resources for row in known.rows(arrival, key, {})]
    if borne:
        _insert(connection, known.INSERT, borne)
    newest = max(arrival.received for arrival, _audit in wanted).isoformat()
    for (name, its), count in Counter((_counter(one), _labels(one)) for _key, one in kept).items():
        connection.execute(COUNT, (name, its, count, newest))
    return [Receipt(key) for key in keys]


def _insert(connection: Connection, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
    """All rows in one statement (a message of very many patients in several)."""
    for some in _in_parts(rows):
        connection.execute(of_rows(sql, len(some)), [value for row in some for value in row])


def _in_parts(rows: Sequence[tuple[object, ...]]) -> Iterator[Sequence[tuple[object, ...]]]:
    return (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))


def _keep_one(connection: Connection, arrival: Arrival, audit: AuditEvent) -> Receipt:
    execute = connection.execute
    before = execute(
        FIND, _ledger(arrival)
    ).fetchone()  # one that another node keeps at this moment undoes ours: writer.py
    if before is not None:
        return _again(connection, arrival, *before)
    there, several = known.matches(connection, arrival) if arrival.resources else ({}, None)
    arrival = _with_known(arrival, there) if several is None else _ambiguous(arrival, several)
    key = execute(INSERT_JOURNAL, _row(arrival)).lastrowid or 0
    received = arrival.received.isoformat()
    if arrival.state is State.KEPT:
        for lane in arrival.lanes:
            execute(INSERT_WORK, work_row(key, lane, received))
    borne = known.rows(arrival, key, there) if several is None else []
    if borne:
        _insert(connection, known.INSERT, borne)
    execute(INSERT_AUDIT, audit_row(audit, f"M{key}", "refused" if several is not None else audit.action))
    execute(COUNT, (_counter(arrival), _labels(arrival), 1, received))
    about = _ledger(arrival)
    reused = bool(arrival.control_id) and execute(REUSED, about).fetchone() is not None
    if reused:
        execute(INSERT_AUDIT, audit_row(audit, f"M{key}", "control_id_reuse"))
        execute(NOTED, (_told((*arrival.notes, note("N014", "MSH-10"))), key))
    return Receipt(key, control_id_reuse=reused, known=there, several=several)


def _with_known(arrival: Arrival, there: Mapping[int, str]) -> Arrival:
    """With a note for each resource that was there: what its sender asked to create only where there is none is not read
    again. An update is."""
    left = [one.entry for one in arrival.resources if one.entry in there and one.method != "PUT"]
    notes = tuple(note("N022", f"Bundle.entry[{entry}]") for entry in left)
    return msgspec.structs.replace(arrival, notes=(*arrival.notes, *notes)) if notes else arrival


def _ambiguous(arrival: Arrival, entry: int) -> Arrival:
    """A condition that several resources meet: the whole is refused (412), and kept for a person."""
    return msgspec.structs.replace(
        arrival,
        state=State.QUARANTINED,
        reason=Reason.STRUCTURE,
        detail="More than one resource meets the condition",
        answer="412",
        error_code="multiple-matches",
        location=f"Bundle.entry[{entry}].request.ifNoneExist" if entry >= 0 else "",
    )


def work_row(key: int, lane: str, now: str) -> tuple[int, str, str, int]:
    """What INSERT_WORK writes of a message that waits."""
    return key, lane, now, sums.of_received(key, lane, now)


def _told(notes: Sequence[PlacedNote]) -> str:
    return _encode(notes).decode() if notes else ""


def _ledger(arrival: Arrival) -> tuple[str, str, bytes]:
    """What an arrival is known by."""
    return lookup_key(arrival.sender), lookup_key(arrival.control_id), arrival.digest


def _row(arrival: Arrival) -> tuple[object, ...]:
    return (
        *_ledger(arrival),
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


def _again(connection: Connection, arrival: Arrival, key: int, state: str) -> Receipt:
    """The same bytes came before. What was quarantined then and can be read now (a repaired feed) is taken up."""
    connection.execute("UPDATE journal SET duplicates = duplicates + 1 WHERE id = ?", (key,))
    connection.execute(COUNT, ("duplicate", _labels(arrival), 1, arrival.received.isoformat()))
    if state == State.QUARANTINED and arrival.state is State.KEPT:
        take_up(connection, key, arrival.lanes, arrival.received.isoformat())
    return Receipt(key, duplicate=True)


def take_up(connection: Connection, key: int, lanes: tuple[str, ...], now: str) -> None:
    """A quarantined message becomes kept, with its lanes of work; the counters say so."""
    found = "SELECT feed, message_type, reason, received FROM journal WHERE id = ?"
    feed, message_type, reason, received = connection.execute(found, (key,)).fetchone()
    connection.execute(
        "UPDATE journal SET state = 'kept', reason = 'reprocessed', lanes = ? WHERE id = ?",
        (LANE_SEPARATOR.join(lanes), key),
    )
    for lane in lanes:
        connection.execute(INSERT_WORK, work_row(key, lane, now))
    before = "oversize" if reason == Reason.OVERSIZE else "quarantined"
    connection.execute(COUNT, (before, labels(feed, OTHER_TYPE), -1, ""))
    connection.execute(COUNT, ("stored", labels(feed, message_type), 1, received))  # no message came now
    add_counts(connection, (Count(TAKEN_UP, (feed, message_type, before)),))


def _counter(arrival: Arrival) -> str:
    if arrival.state is State.KEPT:
        return "stored"
    return "oversize" if arrival.reason is Reason.OVERSIZE else "quarantined"


def _labels(arrival: Arrival) -> str:
    return labels(arrival.feed, arrival.message_type if arrival.state is State.KEPT else OTHER_TYPE)
