"""What receiving makes of rows that were read from a table: an arrival to keep. Nobody is answered: what was not kept is
read again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from labbridge.errors import Refuse
from labbridge.model.work import Arrival, AuditEvent, Feed
from labbridge.rows import body, incoming
from labbridge.rows.body import Cell
from labbridge.states import Reason, State

SHOWN = 16  # digits of the digest in a control id: two versions of a row are two messages


def read(view: str, rows: Sequence[Mapping[str, Cell]], feed: Feed, peer: str, now: datetime) -> Arrival:
    """A row of this feed: its bytes with their envelope, or with the fault for which a person must look at it. The control
    id is the row's key, with the digest of what it holds: read once more, it is known."""
    raw = body.encode(view, rows)
    digest = hashlib.sha256(raw)
    common = Arrival(
        raw=raw,
        feed=feed.name,
        peer=peer,
        sender=feed.sender or f"{feed.name}|",
        control_id=digest.hexdigest(),
        message_type=incoming.ROW,
        digest=digest.digest(),
        length=len(raw),
        received=now,
        answer="",
    )
    reading = incoming.Reading(raw, feed)
    try:
        named = f"{reading.key()}#{common.control_id[:SHOWN]}"
        if len(named) <= incoming.LONGEST_KEY:
            common = msgspec.structs.replace(common, control_id=named)
        return msgspec.structs.replace(common, lanes=(reading.report().lane,))
    except Refuse as fault:
        return msgspec.structs.replace(
            common,
            state=State.QUARANTINED,
            reason=Reason.STRUCTURE,
            detail=fault.text,
            error_code=fault.code,
            location=fault.location,
        )


def event(arrival: Arrival) -> AuditEvent:
    """The audit's line of a row."""
    kept = arrival.state is State.KEPT
    action, detail = ("received", arrival.message_type) if kept else ("refused", arrival.detail)
    return AuditEvent(at=arrival.received, actor=arrival.feed, action=action, subject="", detail=detail)
