"""What people decided, written where the writer is. A decision is a row that stays; beside it the case's disposition, which
holds for the version decided on."""

from __future__ import annotations

from datetime import datetime

from labbridge.errors import Refused
from labbridge.model.review import Decided, Decision, Disposition, Signature, Signed
from labbridge.model.work import AuditEvent
from labbridge.states import CaseState, DeliveryState
from labbridge.store import outcomes, sums
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection

ADD = 'INSERT INTO decisions("case", version, kind, person, name, at, why, until, text) VALUES (?,?,?,?,?,?,?,?,?)'
DISPOSITION = (
    "UPDATE cases SET disposition = ?, disposition_version = version, until = ?, put_crc = ?"
    " WHERE id = ? AND version = ?"
)
SAME = "SELECT 1 FROM cases WHERE id = ? AND version = ?"
OF_CASE = 'SELECT version, kind, person, name, at, why, until, text FROM decisions WHERE "case" = ? ORDER BY id'
SIGNED = 'INSERT INTO signatures("case", version, delivery, person, name, meaning, screen, at) VALUES (?,?,?,?,?,?,?,?)'
SIGNATURES = (
    "SELECT s.version, s.delivery, s.name, s.meaning, s.at, coalesce(o.state, ''), coalesce(o.attempts, 0) FROM signatures s"
    ' LEFT JOIN outbox o ON o.id = s.delivery WHERE s."case" = ? ORDER BY s.id'
)
COUNTERSIGNED = 'INSERT INTO countersigned(signature, "case", first, second) VALUES (?,?,?,?)'
UNSENT = (
    "SELECT id, comment FROM outbox WHERE \"case\" = ? AND version = ? AND comment > 0 AND state = 'waiting'"
    " AND attempts = 0 ORDER BY id DESC LIMIT 1"
)
CALL_BACK = (
    "UPDATE outbox SET state = 'cancelled', reason = ?, updated = ? WHERE id = ? AND attempts = 0 AND state = 'waiting'"
)
VOID = "UPDATE comments SET void = 1 WHERE id = ?"
SPOKEN = 'SELECT 1 FROM comments WHERE "case" = ? AND void = 0 LIMIT 1'
REOPEN = "UPDATE cases SET state = ?, updated = ?, state_crc = ? WHERE id = ? AND version = ? AND state = 'signed'"


def add(connection: Connection, decision: Decision, disposition: Disposition | None, audit: AuditEvent) -> None:
    """Keep it, and say what becomes of the case. Refused where the case has a newer version by now."""
    until = decision.until.isoformat() if decision.until else ""
    where = (decision.case, decision.version)
    if disposition is not None:
        crc = sums.of_group((disposition.value, decision.version, until))
        changed = connection.execute(DISPOSITION, (disposition.value, until, crc, *where)).rowcount == 1
    else:
        changed = connection.execute(SAME, where).fetchone() is not None
    if not changed:
        raise _stale(decision)
    row = (*where, decision.kind.value, decision.person, decision.name, decision.at.isoformat(), decision.why, until)
    connection.execute(ADD, (*row, decision.text))
    connection.execute(INSERT_AUDIT, audit_row(audit))


def undo(connection: Connection, decision: Decision, audit: AuditEvent) -> None:
    """Call back what was signed and has not left. Refused where it has left, or may have: then it is corrected."""
    row = connection.execute(UNSENT, (decision.case, decision.version)).fetchone()
    now = decision.at.isoformat()
    if row is None or connection.execute(CALL_BACK, (f"Undone by {decision.name}", now, row[0])).rowcount != 1:
        raise Refused(f"The comment of C{decision.case} has left or may have: correct it instead")
    outcomes.of_delivery(connection, row[0], DeliveryState.CANCELLED)
    connection.execute(VOID, (row[1],))
    _reopened(connection, decision, now)
    add(connection, decision, Disposition.NONE, audit)


def correct(connection: Connection, decision: Decision, audit: AuditEvent) -> None:
    """Open a signed case again for another wording. Refused while the first has not left: then it is undone."""
    if connection.execute(UNSENT, (decision.case, decision.version)).fetchone() is not None:
        raise Refused(f"The comment of C{decision.case} has not left yet: undo it instead")
    _reopened(connection, decision, decision.at.isoformat())
    add(connection, decision, Disposition.NONE, audit)


def sign(connection: Connection, signature: Signature, about: tuple[int, int, int], at: datetime) -> None:
    """The signature under a delivery: `about` is case, version, delivery (0: the first of two)."""
    row = (*about, signature.person, signature.name, signature.meaning, signature.screen, at.isoformat())
    key = connection.execute(SIGNED, row).lastrowid
    if signature.first:
        connection.execute(COUNTERSIGNED, (key, about[0], signature.first, signature.person))


def _reopened(connection: Connection, decision: Decision, now: str) -> None:
    spoke = connection.execute(SPOKEN, (decision.case,)).fetchone() is not None
    state = CaseState.REOPENED if spoke else CaseState.NEW
    if not reopen(connection, state, now, (decision.case, decision.version)):
        raise _stale(decision)


def reopen(connection: Connection, state: CaseState, now: str, about: tuple[int, int]) -> bool:
    """A signed case is a person's again. Whether it was one, in this version."""
    crc = sums.of_group((state.value, now))
    return connection.execute(REOPEN, (state.value, now, crc, *about)).rowcount == 1


def _stale(decision: Decision) -> Refused:
    return Refused(f"C{decision.case} has changed since version {decision.version} was read: read it again")


# ---------------------------------------------------------------- reading


def of_case(connection: Connection, key: int) -> list[Decision]:
    """Every decision on a case, oldest first."""
    rows = connection.execute(OF_CASE, (key,)).fetchall()
    return [
        Decision(
            case=key, version=version, kind=Decided(kind), person=person, name=name, at=datetime.fromisoformat(at),
            why=why, until=datetime.fromisoformat(until) if until else None, text=text,
        )
        for version, kind, person, name, at, why, until, text in rows
    ]  # fmt: skip


def signatures(connection: Connection, key: int) -> list[Signed]:
    """Every signature under a comment of a case, oldest first."""
    return [
        Signed(
            version=version, delivery=delivery, name=name, meaning=meaning, at=datetime.fromisoformat(at),
            state=state, attempts=attempts,
        )
        for version, delivery, name, meaning, at, state, attempts in connection.execute(SIGNATURES, (key,)).fetchall()
    ]  # fmt: skip


def wording(connection: Connection, key: int, version: int) -> str:
    """The newest wording a person gave this version of a case; empty where nobody did."""
    found = [one for one in of_case(connection, key) if one.version == version and one.kind is Decided.WORDING]
    return found[-1].text if found else ""
