"""The audit's rows: append-only (triggers refuse anything else), written in the transaction of what they record."""

from __future__ import annotations

from labbridge.model.work import AuditEvent

INSERT_AUDIT = "INSERT INTO audit(at, actor, action, subject, detail) VALUES (?,?,?,?,?)"


def audit_row(event: AuditEvent, subject: str = "", action: str = "") -> tuple[str, str, str, str, str]:
    """The row of an event; `subject` where the key is known only now, `action` for a further line of the same event."""
    return (
        event.at.isoformat(),
        event.actor,
        action or event.action,
        subject if subject and not event.subject.startswith(("C", "D")) else event.subject,
        event.detail,
    )
