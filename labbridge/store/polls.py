"""Rows that were read from a view, and how far each such feed has come."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from labbridge.errors import StoreUnavailable
from labbridge.model.work import Arrival, AuditEvent
from labbridge.states import State
from labbridge.store import journal
from labbridge.store.connection import FAULTS, Connection, lookup_key, name_of
from labbridge.store.writer import Writer

Wanted = tuple[Arrival, AuditEvent]
KNOWN = (
    "WITH wanted(sender, control_id) AS (VALUES {}) SELECT journal.control_id, journal.digest, journal.state FROM wanted"
    " JOIN journal ON journal.sender = wanted.sender AND journal.control_id = wanted.control_id"
)
SAVE = (
    "INSERT INTO polls(feed, progress, digest, updated) VALUES (?,?,?,?) ON CONFLICT(feed) DO UPDATE SET"
    " progress = excluded.progress, digest = excluded.digest, updated = excluded.updated"
)
LOAD = "SELECT progress, digest FROM polls WHERE feed = ?"
WITHIN_S = 60.0


class StorePolls:
    """Rows by way of the writer. Used from the thread of a feed: each call waits for the disk."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def keep(self, wanted: Sequence[Wanted]) -> int:
        """Keep those that are not known. How many there were. StoreUnavailable where nothing was kept."""
        return int(self._done(lambda connection: keep_unknown(connection, wanted)))

    def save(self, feed: str, progress: bytes, now: str) -> None:
        """How far a feed has come. StoreUnavailable where it was not written."""
        row = (feed, progress.decode(), hashlib.sha256(progress).hexdigest(), now)
        self._done(lambda connection: connection.execute(SAVE, row).rowcount)

    def _done(self, job: Callable[[Connection], int]) -> int:
        try:
            found: int = self._writer.submit(job, guarded=False).result(WITHIN_S)
        except TimeoutError:
            raise StoreUnavailable("The store is busy") from None
        return found


def keep_unknown(connection: Connection, wanted: Sequence[Wanted]) -> int:
    """A row that is read again was kept already, which is no duplicate of its sender's. One that was quarantined, and can
    be read now, is taken up."""
    pairs = [(lookup_key(one.sender), lookup_key(one.control_id)) for one, _event in wanted]
    sql = KNOWN.format(",".join(["(?,?)"] * len(pairs)))
    found = connection.execute(sql, [part for pair in pairs for part in pair]).fetchall()
    states = {(control_id, bytes(digest)): State(state) for control_id, digest, state in found}
    new: dict[tuple[str, bytes], Wanted] = {}
    for one, event in wanted:
        state = states.get((lookup_key(one.control_id), one.digest))
        if state is None or (state is State.QUARANTINED and one.state is State.KEPT):
            new.setdefault((one.control_id, one.digest), (one, event))
    if new:
        journal.keep_all(connection, list(new.values()))
    return len(new)


def load(connection: Connection, feed: str) -> bytes:
    """What was saved; empty where there is nothing, or where it is no longer what was written: then all is read again, and
    known. StoreUnavailable."""
    try:
        row = connection.execute(LOAD, (feed,)).fetchone()
    except FAULTS as error:
        raise StoreUnavailable(f"The store could not be read ({name_of(error)})") from None
    if row is None:
        return b""
    progress = str(row[0]).encode()
    return progress if hashlib.sha256(progress).hexdigest() == row[1] else b""
