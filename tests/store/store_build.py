"""Builders: arrivals, drafts and a store in a folder of its own."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from labbridge.model.outcome import Comment, Outcome, PostedComment, States
from labbridge.model.report import Identifier, Patient, Timestamp
from labbridge.model.result import Analyte, PatientResults, Result, Unmapped
from labbridge.model.work import (
    Arrival,
    AuditEvent,
    CaseChange,
    Draft,
    Drafted,
    Kept,
    Outgoing,
)
from labbridge.states import CaseState, Reason, State
from labbridge.store import opening
from labbridge.store.connection import Connection
from labbridge.store.desk import StoreDesk
from labbridge.store.dialect import ddl
from labbridge.store.journal import StoreIntake
from labbridge.store.outbox import StoreOutbox
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer

NOON = datetime(2026, 11, 10, 12, 0, tzinfo=UTC)
LANE = "p:LABA|PT1"


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def event(action: str = "test", subject: str = "M1") -> AuditEvent:
    return AuditEvent(at=NOON, actor="tester", action=action, subject=subject)


def arrival(
    text: str = "MSH|one", *, control_id: str = "C1", sender: str = "LIS|LABA", lanes: tuple[str, ...] = (LANE,)
) -> Arrival:
    raw = text.encode()
    return Arrival(
        raw=raw,
        feed="lis",
        peer="127.0.0.1",
        sender=sender,
        control_id=control_id,
        message_type="ORU^R01",
        digest=hashlib.sha256(raw).digest(),
        length=len(raw),
        lanes=lanes,
        received=NOON,
    )


def refused(text: str = "MSH|bad", *, control_id: str = "C9", reason: Reason = Reason.STRUCTURE) -> Arrival:
    kept = arrival(text, control_id=control_id, lanes=())
    return msgspec.structs.replace(kept, state=State.QUARANTINED, reason=reason, answer="AE", error_code="100")


def result(ref: str = "M1:OBX[1]", day: date = date(2026, 11, 9)) -> Result:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    collected = Timestamp(text=day.isoformat(), moment=moment, day=day)
    return Result(ref=ref, key=ref, analyte=Analyte.CK, collected=collected, received=NOON)


def outcome(text: str = "A comment.") -> Outcome:
    return Outcome(
        patient=Identifier("LABA", "PT1"),
        evaluated_at=date(2026, 11, 10),
        knowledge="sha256:0",
        states=States("NEG", "NEG", "NEG", "NORMAL"),
        comment=Comment(comment_class="C07", language="en", text=text),
    )


def change(case: int | None = None, version: int = 0, text: str = "A comment.", unsent: int = 0) -> CaseChange:
    state = CaseState.NEW
    draft = Draft(outcome=outcome(text), text=text, subject_message=1, subject_at="OBX[1]")
    return CaseChange(case=case, version=version, state=state, opened_day=date(2026, 11, 9), draft=draft, unsent=unsent)


def drafted(message: Kept, *changes: CaseChange, results: tuple[Result, ...] | None = None) -> Drafted:
    patient = Patient(identifiers=(Identifier("LABA", "PT1", "MR"),), birth_date=date(1971, 2, 5), sex="F")
    found = PatientResults(
        lane=message.lane,
        patient=patient,
        results=(result(f"M{message.key}:OBX[1]"),) if results is None else results,
        unmapped=(Unmapped(system="L", code="GLU", name="Glucose", unit="mmol/L"),),
    )
    return Drafted(message=message, results=found, patient=patient, cases=changes, notes=(), knowledge="sha256:0")


def outgoing(case: int = 1, version: int = 1, control_id: str = "LB1", lane: str = "lis/p") -> Outgoing:
    posted = PostedComment(comment_class="C07", text="A comment.", posted=NOON)
    return Outgoing(
        case=case,
        version=version,
        receiver="lis",
        lane=lane,
        control_id=control_id,
        raw=b"MSH|out",
        correction=False,
        posted=posted,
    )


class Store:
    """Every port on one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._held = self._opened(url)
        self.connection = self._held.__enter__().writer()
        self.writer = Writer(self.connection)
        self._readers: list[Connection] = []
        self.reader = self.another_reader()
        self.intake = StoreIntake(self.writer)
        self.work = StoreWork(self.reader, LocalUnits(self.writer))
        self.desk = StoreDesk(self.writer, self.another_reader())
        self.outbox = StoreOutbox(self.writer)

    def _opened(self, url: str) -> contextlib.AbstractContextManager[opening.Held]:
        return opening.held(url)

    @property
    def path(self) -> Path:
        """The file of a store on SQLite."""
        path = opening.file_of(self.url)
        assert path is not None
        return path

    @property
    def on_sqlite(self) -> bool:
        return opening.file_of(self.url) is not None

    def another_reader(self, *, lenient: bool = False) -> Connection:
        self._readers.append(opening.reader(self.url, lenient=lenient))
        return self._readers[-1]

    def close(self) -> None:
        self.writer.close()
        for reader in self._readers:
            reader.close()
        self._held.__exit__(None, None, None)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        return self.reader.execute(sql).fetchall()

    def table(self, sql: str) -> None:
        """Make a table of a test's own; the types are SQLite's."""
        self.connection.execute(sql if self.on_sqlite else ddl(sql))

    def finish(self, message: Kept, *changes: CaseChange) -> list[bool]:
        """Write the drafts of a message and settle it, as processing would."""
        with self.work.unit():
            self.work.save(drafted(message, *changes), event("drafted", f"M{message.key}"))
            self.work.set_state(message, State.DONE, Reason.DRAFTED, "Done", event("done", f"M{message.key}"))
        return self.work.flush()


@contextlib.contextmanager
def opened(url: str) -> Iterator[Store]:
    store = Store(url)
    try:
        yield store
    finally:
        store.close()
