"""The stored messages of a patient, as processing had them, for whoever goes through them again. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime

import msgspec

from labbridge.model.outcome import PostedComment
from labbridge.model.report import PlacedNote
from labbridge.model.work import Kept, Link
from labbridge.states import Reason, State
from labbridge.store import edits, links
from labbridge.store.connection import Connection, marks
from labbridge.store.work import OWN_TEXTS

OF_PERSONS = "w.reason NOT IN ('heartbeat', 'no_heartbeat')"  # the synthetic patient has no past
WORK = (
    "SELECT w.message, w.lane, coalesce(m.surviving, w.lane) FROM work w LEFT JOIN merged m ON m.lane = w.lane"  # noqa: S608
    f" WHERE w.lane LIKE 'p:%' AND {OF_PERSONS} ORDER BY w.id"
)
SINCE = "SELECT min(id) FROM journal WHERE received >= ?"
LANE = (
    f"SELECT w.message, w.lane, w.state, w.reason FROM work w WHERE w.message IN ({{}}) AND {OF_PERSONS} ORDER BY w.id"  # noqa: S608
)
BODIES = (
    f"SELECT j.id, {edits.IN_FORCE}, j.feed, j.sender, j.control_id, j.received, j.notes FROM journal j"  # noqa: S608
    " WHERE j.id IN ({})"
)
PROCESSED = "SELECT DISTINCT message FROM work WHERE message IN ({}) AND updated <= ? AND state <> 'kept'"
OF_LANES = f"SELECT DISTINCT w.message FROM work w WHERE w.lane IN ({{}}) AND {OF_PERSONS} ORDER BY w.message"  # noqa: S608
POSTED = (
    'SELECT c.lane, c.opened_day, m.body FROM comments m JOIN cases c ON c.id = m."case"'
    " WHERE m.void = 0 AND c.lane IN ({}) ORDER BY m.id"
)
CASES = "SELECT lane, opened_day, id FROM cases WHERE lane IN ({})"
STOPPED_US = (State.PARKED, Reason.CRASHED)
AT_ONCE = 500

_posted = msgspec.json.Decoder(PostedComment)
_notes = msgspec.json.Decoder(tuple[PlacedNote, ...])


class Group(msgspec.Struct, frozen=True):
    """One patient: every lane, the surviving one first, and the messages that came in them, in their order."""

    lanes: tuple[str, ...]
    messages: tuple[int, ...]


def patients(connection: Connection, since: date | None) -> list[Group]:
    """Every patient of whom a message came (since a day), with the whole past."""
    first = 0
    if since is not None:
        (found,) = connection.execute(SINCE, (since.isoformat(),)).fetchone()
        if found is None:
            return []
        first = int(found)
    lanes: defaultdict[str, dict[str, None]] = defaultdict(dict)
    messages: defaultdict[str, dict[int, None]] = defaultdict(dict)
    for message, lane, surviving in connection.execute(WORK):
        lanes[surviving][lane] = None
        messages[surviving][int(message)] = None
    return [
        Group((of, *(lane for lane in lanes[of] if lane != of)), tuple(found))
        for of, found in messages.items()
        if max(found) >= first
    ]


def kept(connection: Connection, group: Group) -> Iterator[Kept]:
    """The messages of a patient with the lane in each, in their order; without those whose bytes were wiped."""
    ours = set(group.lanes)
    for start in range(0, len(group.messages), AT_ONCE):
        some = group.messages[start : start + AT_ONCE]
        bodies = {row[0]: row[1:] for row in connection.execute(BODIES.format(marks(len(some))), some).fetchall()}
        for message, lane, state, reason in connection.execute(LANE.format(marks(len(some))), some).fetchall():
            raw, _digest, feed, sender, control_id, received, notes = bodies[message]
            if lane in ours and raw:
                yield Kept(
                    key=message,
                    raw=raw,
                    feed=feed,
                    sender=sender,
                    control_id=control_id,
                    lane=lane,
                    received=datetime.fromisoformat(received),
                    state=State.PARKED if (state, reason) == STOPPED_US else State.KEPT,
                    notes=_notes.decode(notes) if notes else (),
                )


def cases_of(connection: Connection, lanes: Sequence[str]) -> dict[tuple[str, str], int]:
    """The keys of a patient's cases by lane and day."""
    rows = connection.execute(CASES.format(marks(len(lanes))), tuple(lanes)).fetchall()
    return {(str(lane), str(day)): int(key) for lane, day, key in rows}


def posted(connection: Connection, lanes: Sequence[str]) -> list[tuple[str, str, PostedComment]]:
    """The comments of a patient that left or may have left, with lane and day of the case, oldest first."""
    rows = connection.execute(POSTED.format(marks(len(lanes))), tuple(lanes)).fetchall()
    return [(str(lane), str(day), _posted.decode(body)) for lane, day, body in rows]


def processed_until(connection: Connection, group: Group, moment: str) -> Group:
    """The messages that had been processed by a moment, as the store writes moments."""
    done: set[int] = set()
    for start in range(0, len(group.messages), AT_ONCE):
        some = group.messages[start : start + AT_ONCE]
        rows = connection.execute(PROCESSED.format(marks(len(some))), (*some, moment)).fetchall()
        done |= {int(message) for (message,) in rows}
    return Group(group.lanes, tuple(one for one in group.messages if one in done))


def patient_of(connection: Connection, lane: str) -> Group:
    """One patient by a lane."""
    lanes = links.lanes_of(connection, lane)
    rows = connection.execute(OF_LANES.format(marks(len(lanes))), tuple(lanes)).fetchall()
    return Group(lanes, tuple(int(message) for (message,) in rows))


def own_texts(connection: Connection, digests: Sequence[bytes]) -> frozenset[bytes]:
    """Those of these that a comment of this service bears."""
    rows = connection.execute(OWN_TEXTS.format(marks(len(digests))), list(digests)).fetchall()
    return frozenset(bytes(one) for (one,) in rows)


def undone(connection: Connection, lanes: tuple[str, ...]) -> tuple[Link, ...]:
    """The links of these lanes that a person took out of force."""
    return tuple(one for one in links.links_of(connection, lanes) if one.undone)
