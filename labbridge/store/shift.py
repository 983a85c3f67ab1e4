"""Shift notes in the store: what a person leaves at a queue for who comes next, each with its line of the audit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from labbridge.errors import StoreUnavailable
from labbridge.model.work import AuditEvent
from labbridge.model.worklist import EVERY_SITE, ShiftNote
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection, Statement, marks
from labbridge.store.work import UnitWriter

ADD = "INSERT INTO shift_notes(queue, feed, at, person, text) VALUES (?,?,?,?,?)"
NEWEST = "SELECT queue, feed, at, person, text FROM shift_notes WHERE queue = ? AND {} ORDER BY id DESC LIMIT ?"


class StoreShift:
    """Reads on a connection of its own, writes through a UnitWriter."""

    def __init__(self, reader: Connection, writer: UnitWriter) -> None:
        self._reader, self._writer = reader, writer

    def notes(self, queue: str, feeds: Sequence[str] | None, limit: int) -> list[ShiftNote]:
        """The newest notes at a queue for these sites (None: for all) and for every site, newest first."""
        where = "1 = 1" if feeds is None else f"feed IN ({marks(1 + len(feeds))})"
        params = () if feeds is None else (EVERY_SITE, *feeds)
        rows = self._reader.execute(NEWEST.format(where), (queue, *params, limit)).fetchall()
        return [
            ShiftNote(queue=of, feed=feed, at=datetime.fromisoformat(at), person=person, text=text)
            for of, feed, at, person, text in rows
        ]

    def add(self, note: ShiftNote, audit: AuditEvent) -> None:
        """StoreUnavailable where it could not be written."""
        row = (note.queue, note.feed, note.at.isoformat(), note.person, note.text)
        unit = [Statement(ADD, row, 1), Statement(INSERT_AUDIT, audit_row(audit))]
        if self._writer.post([unit])() != [True]:
            raise StoreUnavailable("The note was not kept")
