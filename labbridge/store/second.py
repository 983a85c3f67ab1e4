"""What is kept of two readers of a case, written where the writer is."""

from __future__ import annotations

from datetime import datetime

from labbridge.errors import Refused
from labbridge.model.review import Disposition, FirstSignature, Reading, SecondReading, Signature
from labbridge.model.work import AuditEvent, Count
from labbridge.states import CaseState
from labbridge.store import decisions, sums
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection
from labbridge.store.tally import add_counts

FIRSTS = 'SELECT version, person, name, screen, at FROM signatures WHERE "case" = ? AND delivery = 0 ORDER BY id'
FIRST = 'SELECT 1 FROM signatures WHERE "case" = ? AND version = ? AND person = ? AND screen = ? AND delivery = 0'
READINGS = 'SELECT "case", version, person, name, at, finding, first, first_finding, unseen, why FROM readings'
ADD = (
    'INSERT INTO readings("case", version, person, name, at, finding, first, first_finding, unseen, why)'
    " VALUES (?,?,?,?,?,?,?,?,?,?)"
)
OPENED = 'SELECT 1 FROM opened o JOIN people p ON p.id = o.person WHERE o."case" = ? AND p.login = ? AND o.at < ?'
WAITS = (
    "SELECT 1 FROM cases WHERE id = ? AND version = ? AND disposition_version = version"
    " AND disposition = 'second_reader'"
)
SET_ASIDE = (
    "UPDATE cases SET disposition = ?, disposition_version = version, until = '', updated = ?, put_crc = ?, state_crc = ?"
    " WHERE id = ? AND version = ? AND state = ? AND state IN ('new', 'reopened')"
)


def of_case(connection: Connection, key: int) -> SecondReading:
    """Every first signature and every reading of a case."""
    firsts = [
        FirstSignature(version=version, person=person, name=name, screen=bytes(screen), at=datetime.fromisoformat(at))
        for version, person, name, screen, at in connection.execute(FIRSTS, (key,)).fetchall()
    ]
    rows = connection.execute(f'{READINGS} WHERE "case" = ? ORDER BY id', (key,)).fetchall()
    return SecondReading(tuple(firsts), tuple(_reading(row) for row in rows))


def newest(connection: Connection, limit: int) -> list[Reading]:
    """The newest readings of all cases, newest first."""
    rows = connection.execute(f"{READINGS} ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
    return [_reading(row) for row in rows]


def sign_first(
    connection: Connection, signature: Signature, about: tuple[int, int, CaseState], audit: AuditEvent
) -> None:
    """The first of two signatures: the case waits for the second. Refused where it has changed since it was read."""
    case, version, state = about
    put, now = Disposition.SECOND_READER.value, audit.at.isoformat()
    crcs = (sums.of_group((put, version, "")), sums.of_group((state.value, now)))
    if connection.execute(SET_ASIDE, (put, now, *crcs, case, version, state.value)).rowcount != 1:
        raise Refused(f"C{case} has changed since version {version} was read: read it again")
    decisions.sign(connection, signature, (case, version, 0), audit.at)
    connection.execute(INSERT_AUDIT, audit_row(audit))


def check_first(connection: Connection, signature: Signature, about: tuple[int, int]) -> None:
    """Before a second signature lets a comment leave: the case still waits for it, and the first one is for the same screen.
    Refused where somebody took the case back meanwhile."""
    case, version = about
    waits = connection.execute(WAITS, about).fetchone()
    if waits is None or connection.execute(FIRST, (*about, signature.first, signature.screen)).fetchone() is None:
        raise Refused(f"C{case} has changed since version {version} was read: read it again")


def add(connection: Connection, reading: Reading, audit: AuditEvent) -> None:
    """Keep a reading. Refused where the case does not wait for a second reader any more, or this person's is there."""
    before = of_case(connection, reading.case).readings
    waits = connection.execute(WAITS, (reading.case, reading.version)).fetchone()
    if waits is None or any((one.version, one.person) == (reading.version, reading.person) for one in before):
        raise Refused(f"C{reading.case} waits for no reading of yours")
    opened = connection.execute(OPENED, (reading.case, reading.person, reading.at.isoformat())).fetchone()
    row = (reading.case, reading.version, reading.person, reading.name, reading.at.isoformat(), reading.finding)
    connection.execute(ADD, (*row, reading.first, reading.first_finding, int(opened is None), reading.why))
    add_counts(connection, (Count("second_reads", ("agree" if reading.agrees else "disagree",)),))
    connection.execute(INSERT_AUDIT, audit_row(audit))


def _reading(row: tuple[object, ...]) -> Reading:
    case, version, person, name, at, finding, first, first_finding, unseen, why = row
    return Reading(
        case=int(str(case)), version=int(str(version)), person=str(person), name=str(name),
        at=datetime.fromisoformat(str(at)), finding=str(finding), first=str(first), first_finding=str(first_finding),
        unseen=bool(unseen), why=str(why),
    )  # fmt: skip
