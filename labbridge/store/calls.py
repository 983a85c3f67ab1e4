"""What people keep beside a case: calls of critical findings, and notes that never leave. Written where the writer is."""

from __future__ import annotations

from datetime import datetime

from labbridge.errors import Refused
from labbridge.model.review import Call, Remark
from labbridge.model.work import AuditEvent
from labbridge.store.audit import INSERT_AUDIT, audit_row
from labbridge.store.connection import Connection

SAME = "SELECT 1 FROM cases WHERE id = ? AND version = ?"
CALL = 'INSERT INTO calls("case", version, person, name, at, told, read_back, note) VALUES (?,?,?,?,?,?,?,?)'
CALLS = 'SELECT version, person, name, at, told, read_back, note FROM calls WHERE "case" = ? ORDER BY id'
REMARK = 'INSERT INTO remarks("case", person, name, at, text) VALUES (?,?,?,?,?)'
REMARKS = 'SELECT person, name, at, text FROM remarks WHERE "case" = ? ORDER BY id'


def add(connection: Connection, call: Call, audit: AuditEvent) -> None:
    """Keep a call. Refused where the case has a newer version by now."""
    if connection.execute(SAME, (call.case, call.version)).fetchone() is None:
        raise Refused(f"C{call.case} has changed since version {call.version} was read: read it again")
    row = (
        call.case,
        call.version,
        call.person,
        call.name,
        call.at.isoformat(),
        call.told,
        int(call.read_back),
        call.note,
    )
    connection.execute(CALL, row)
    connection.execute(INSERT_AUDIT, audit_row(audit))


def of_case(connection: Connection, key: int) -> list[Call]:
    """Every call about a case, oldest first."""
    return [
        Call(
            case=key, version=version, person=person, name=name, at=datetime.fromisoformat(at), told=told,
            read_back=bool(read_back), note=note,
        )
        for version, person, name, at, told, read_back, note in connection.execute(CALLS, (key,)).fetchall()
    ]  # fmt: skip


def remark(connection: Connection, remark: Remark, audit: AuditEvent) -> None:
    """Keep a note at a case."""
    row = (remark.case, remark.person, remark.name, remark.at.isoformat(), remark.text)
    connection.execute(REMARK, row)
    connection.execute(INSERT_AUDIT, audit_row(audit))


def remarks(connection: Connection, key: int) -> list[Remark]:
    """Every note at a case, oldest first."""
    return [
        Remark(case=key, person=person, name=name, at=datetime.fromisoformat(at), text=text)
        for person, name, at, text in connection.execute(REMARKS, (key,)).fetchall()
    ]
