"""What the workbench reads of messages: those that need a person along indexes of their own, all others by their keys, so
many of them at a time. Reads only, so many statements a page and no more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from labbridge.errors import Park
from labbridge.model.messages import (
    ACTS,
    Bytes,
    ChosenMessages,
    InForce,
    LaneOfWork,
    ListedMessage,
    Message,
    Page,
    Version,
    Waiting,
)
from labbridge.model.report import Identifier, PlacedNote
from labbridge.model.work import AuditEvent, StoredHistory
from labbridge.states import SENTENCES, CaseState, Reason, State
from labbridge.store import edits, reading, whole
from labbridge.store.connection import Connection, marks
from labbridge.store.tally import SEPARATOR

LAST = 2**62  # behind every key
SPAN = 20_000  # keys that one page looks through, where no index leads to what is asked for
PENDING = (
    "SELECT 1 FROM edits e WHERE e.message = j.id AND e.approved_by = '' AND NOT EXISTS (SELECT 1 FROM edits a"
    " WHERE a.message = j.id AND a.approved_by <> '' AND a.version > e.version)"
)
LISTED = (
    "SELECT j.id, j.received, j.feed, j.message_type, j.control_id, j.state, j.reason, j.location, j.duplicates,"  # noqa: S608
    f" EXISTS ({PENDING}) FROM journal j WHERE {{}} ORDER BY j.id DESC LIMIT ?"
)
QUARANTINED = "j.id IN (SELECT q.id FROM journal q WHERE q.state = 'quarantined' AND q.id < ?)"
IN_WORK = (  # along the few rows that are not done
    "j.id IN (SELECT w.message FROM work w WHERE w.state IN ('kept', 'parked')) AND j.id < ?"
)
BY_KEY = "j.id < ? AND j.id > ?"
NEWEST = "SELECT max(id) FROM journal WHERE id > 0"
WAITING = (
    "SELECT 'quarantined', count(*), min(j.received) FROM journal j WHERE j.state = 'quarantined' AND {0} UNION ALL"
    " SELECT 'parked', count(*), min(j.received) FROM journal j WHERE j.state = 'parked' AND j.id IN (SELECT w.message"
    " FROM work w WHERE w.state IN ('kept', 'parked') AND w.state = 'parked') AND {0}"
)
SORTS = "SELECT DISTINCT labels FROM tally WHERE name IN ('stored', 'quarantined', 'oversize')"
ONE = (
    "SELECT id, received, feed, peer, sender, control_id, message_type, length, length(raw), state, reason, detail, answer,"
    " error_code, location, duplicates, notes FROM journal WHERE id = ?"
)
LANES = f"SELECT {whole.WORK.format('w')} FROM work w WHERE w.message = ? ORDER BY w.id LIMIT 50"  # noqa: S608
VERSIONS = "SELECT version, editor, why, made, approved_by{} FROM edits WHERE message = ? ORDER BY version"
CASES = (  # of the patients it is of, in their own lanes and in those they were merged into
    "SELECT c.id, c.state, c.feed FROM work w JOIN cases c ON c.lane = w.lane WHERE w.message = ?1 UNION"
    " SELECT c.id, c.state, c.feed FROM work w JOIN merged m ON m.lane = w.lane JOIN cases c ON c.lane = m.surviving"
    " WHERE w.message = ?1 ORDER BY 1 LIMIT 50"
)
EVENTS = (
    "SELECT at, actor, action, subject, detail FROM audit WHERE subject = ? AND action IN ("  # noqa: S608
    f"{', '.join(repr(one) for one in ACTS)}) ORDER BY id DESC LIMIT 100"
)
BYTES = "SELECT raw, digest FROM journal WHERE id = ?"
SIZES = f"SELECT j.id, j.feed, length({edits.RAW_IN_FORCE}) FROM journal j WHERE j.id IN ({{}})"  # noqa: S608
IN_FORCE = f"SELECT j.id, j.feed, j.notes, {edits.IN_FORCE} FROM journal j WHERE j.id IN ({{}})"  # noqa: S608

_notes = msgspec.json.Decoder(tuple[PlacedNote, ...])


class StoreMessages:
    """web/parts.Messages on a connection of its own."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def page(self, chosen: ChosenMessages, before: int, limit: int) -> Page:
        """The messages that were chosen with a smaller key than `before` (0: from the newest). Of all messages, and of
        those that are done, it looks through SPAN keys: it may end before it is full, and goes on behind them."""
        newest = int(self._reader.execute(NEWEST).fetchone()[0] or 0)
        before = before or LAST
        where, params = _of_state(chosen.state, before, newest)
        more, given = _where(chosen)
        asked = LISTED.format(f"{where} AND {more}")
        rows = self._reader.execute(asked, (*params, *given, limit + 1)).fetchall()
        found = tuple(_listed(row) for row in rows[:limit])
        if len(rows) > limit:
            return Page(found, found[-1].key)
        end = min(before, newest + 1) - SPAN
        return Page(found, end if end > 1 and chosen.state in (None, State.DONE) else 0)

    def waiting(self, feeds: Sequence[str] | None) -> dict[State, Waiting]:
        """What of these feeds needs a person."""
        where, params = _of_feeds(feeds)
        rows = self._reader.execute(WAITING.format(where), (*params, *params)).fetchall()
        return {State(str(state)): Waiting(int(count), _moment(oldest)) for state, count, oldest in rows}

    def sorts(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The feeds messages came by, and their types."""
        found = [str(labels).split(SEPARATOR) for (labels,) in self._reader.execute(SORTS).fetchall()]
        feeds, types = {one[0] for one in found}, {one[1] for one in found if len(one) > 1}
        return tuple(sorted(feeds)), tuple(sorted(types - {"", "other"}))

    def feeds_of(self, keys: Sequence[int]) -> dict[int, str]:
        """By which feed each of these messages came; without those that are not there."""
        asked = f"SELECT id, feed FROM journal WHERE id IN ({marks(len(keys))})"  # noqa: S608
        return {int(key): str(feed) for key, feed in self._reader.execute(asked, keys).fetchall()} if keys else {}

    def one(self, key: int, feeds: Sequence[str] | None) -> Message | None:
        """A message with all that is known of it but its bytes; its cases are those of these feeds."""
        row = self._reader.execute(ONE, (key,)).fetchone()
        if row is None:
            return None
        lanes = self._reader.execute(LANES, (key,)).fetchall()
        cases = self._reader.execute(CASES, (key,)).fetchall()
        return msgspec.structs.replace(
            _message(row),
            lanes=tuple(_lane(one) for one in lanes),
            versions=_versions(self._reader.execute(VERSIONS.format(""), (key,)).fetchall()),
            cases=tuple((int(case), CaseState(state)) for case, state, feed in cases if feeds is None or feed in feeds),
            events=events(self._reader, f"M{key}"),
        )

    def bytes(self, key: int) -> Bytes | None:
        """Its bytes, as received and as repaired."""
        row = self._reader.execute(BYTES, (key,)).fetchone()
        if row is None:
            return None
        versions = self._reader.execute(VERSIONS.format(", raw"), (key,)).fetchall()
        return Bytes(bytes(row[0]), bytes(row[1]), _versions(versions))

    def sizes(self, keys: Sequence[int]) -> list[InForce]:
        """How long these messages are as they are read, without their bytes; without those that are not there."""
        rows = self._reader.execute(SIZES.format(marks(len(keys))), keys).fetchall() if keys else []
        return [InForce(key=int(key), feed=str(feed), length=int(length)) for key, feed, length in rows]

    def in_force(self, keys: Sequence[int]) -> list[InForce]:
        """These messages as they are read, with their bytes."""
        rows = self._reader.execute(IN_FORCE.format(marks(len(keys))), keys).fetchall() if keys else []
        return [_in_force(row[0], row[1], _noted(row[2]), bytes(row[3]), bytes(row[4] or b"")) for row in rows]

    def held(self, patient: Identifier | None, lane: str) -> StoredHistory | None:
        """All that is held of the patient of a lane; None where part of it is not what was written."""
        try:
            return reading.history(self._reader, patient, lane)
        except Park:
            return None


def _in_force(key: int, feed: str, notes: tuple[PlacedNote, ...], raw: bytes, digest: bytes) -> InForce:
    damaged = bool(digest) and Bytes(raw, digest).damaged
    return InForce(key=key, feed=feed, length=len(raw), raw=raw, damaged=damaged, notes=notes)


def events(connection: Connection, subject: str) -> tuple[AuditEvent, ...]:
    """What people did with a message or a delivery, the newest first."""
    return tuple(
        AuditEvent(at=datetime.fromisoformat(at), actor=actor, action=action, subject=about, detail=detail)
        for at, actor, action, about, detail in connection.execute(EVENTS, (subject,)).fetchall()
    )


def _of_state(state: State | None, before: int, newest: int) -> tuple[str, list[object]]:
    if state is State.QUARANTINED:
        return QUARANTINED, [before]
    if state in (State.KEPT, State.PARKED):
        return f"{IN_WORK} AND j.state = ?", [before, state.value]
    end = min(before, newest + 1) - SPAN - 1
    if state is None:
        return BY_KEY, [before, end]
    return f"{BY_KEY} AND j.state = ?", [before, end, state.value]


def _where(chosen: ChosenMessages) -> tuple[str, list[object]]:
    where, params = _of_feeds(chosen.feeds)
    parts = [where]
    since = chosen.since.isoformat() if chosen.since else ""
    for column, value in (
        ("j.reason = ?", chosen.reason.value if chosen.reason else ""),
        ("j.feed = ?", chosen.feed),
        ("j.message_type = ?", chosen.message_type),
        ("j.received >= ?", since),
    ):
        if value:
            parts.append(column)
            params.append(value)
    return " AND ".join(parts), params


def _of_feeds(feeds: Sequence[str] | None) -> tuple[str, list[object]]:
    """Of no feed there is nothing."""
    if feeds is None:
        return "1 = 1", []
    return (f"j.feed IN ({marks(len(feeds))})", list(feeds)) if feeds else ("1 = 0", [])


def _listed(row: Sequence[object]) -> ListedMessage:
    key, received, feed, message_type, control_id, state, reason, location, duplicates, edited = row
    return ListedMessage(
        key=int(str(key)),
        received=datetime.fromisoformat(str(received)),
        feed=str(feed),
        message_type=str(message_type),
        control_id=str(control_id),
        state=State(str(state)),
        reason=Reason(str(reason)),
        location=str(location),
        duplicates=int(str(duplicates)),
        edited=bool(edited),
    )


def _message(row: Sequence[object]) -> Message:
    key, received, feed, peer, sender, control_id, message_type, length, kept, state, reason, *more = row
    detail, answer, error_code, location, duplicates, notes = more
    return Message(
        key=int(str(key)),
        received=datetime.fromisoformat(str(received)),
        feed=str(feed),
        peer=str(peer),
        sender=str(sender),
        control_id=str(control_id),
        message_type=str(message_type),
        length=int(str(length)),
        kept=int(str(kept)),
        state=State(str(state)),
        reason=Reason(str(reason)),
        detail=str(detail),
        answer=str(answer),
        error_code=str(error_code),
        location=str(location),
        duplicates=int(str(duplicates)),
        notes=_noted(notes),
    )


def _lane(row: Sequence[Any]) -> LaneOfWork:
    """One that is damaged is shown as it will be once it is found (lookover.py)."""
    _message, lane, state, reason, sentence, notes, updated, attempts, _forgiven, _crc = row
    if not whole.work(row):
        state, reason, sentence, notes = State.PARKED, Reason.WORK_DAMAGED, SENTENCES[Reason.WORK_DAMAGED], ""
    return LaneOfWork(
        kind=str(lane).partition(":")[0],
        state=State(state),
        reason=Reason(reason),
        sentence=sentence,
        notes=_noted(notes),
        attempts=int(attempts),
        updated=reading.moment(updated, whole.work(row)),
    )


def _versions(rows: Sequence[Sequence[object]]) -> tuple[Version, ...]:
    """One that is older than one in force waits for nobody any more."""
    last = rows[-1][0] if rows and not rows[-1][4] else None
    return tuple(
        Version(
            version=int(str(version)),
            editor=str(editor),
            why=str(why),
            made=datetime.fromisoformat(str(made)),
            approved_by=str(approved_by),
            raw=bytes(raw[0]) if raw else b"",  # type: ignore[call-overload]
            pending=version == last,
        )
        for version, editor, why, made, approved_by, *raw in rows
    )


def _noted(text: object) -> tuple[PlacedNote, ...]:
    return _notes.decode(str(text)) if text else ()


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None
