"""Lines of the audit as AuditEvent, by the patterns of IHE BALP: who, what, when and about which thing of ours. No line of
the audit holds a patient's data, and so does no AuditEvent."""

from __future__ import annotations

from typing import Any

from labbridge.model.work import AuditEvent

EVENTS = "http://terminology.hl7.org/CodeSystem/audit-event-type"
KINDS = "http://hl7.org/fhir/restful-interaction"
SOURCES = "http://terminology.hl7.org/CodeSystem/security-source-type"
OBJECTS = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
READ, SEARCHED = "fhir read", "fhir search"
INTERACTIONS = {READ: ("R", "read"), SEARCHED: ("E", "search-type"), "viewed": ("R", "read")}
"""What reads: the action code and the interaction of its BALP pattern. A query is executed (E)."""
PATIENT, QUERY = "1", "24"  # object-role


def resource(key: int, event: AuditEvent, system: str) -> dict[str, Any]:
    """A line of the audit under its key. `system`: that of our codes."""
    action, interaction = INTERACTIONS.get(event.action, ("", ""))
    rest = bool(interaction) and event.action in (READ, SEARCHED)
    kind = {"system": EVENTS, "code": "rest", "display": "RESTful Operation"}
    ours = {"system": system, "code": event.action.replace(" ", "-")}
    found: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"A{key}",
        "meta": {"lastUpdated": event.at.isoformat(timespec="milliseconds")},
        "type": kind if rest else ours,
        "subtype": [{"system": KINDS, "code": interaction}] if interaction else [ours],
        "recorded": event.at.isoformat(timespec="milliseconds"),
        "outcome": "0",
        "agent": [{"who": {"display": event.actor or "labbridge"}, "requestor": True}],
        "source": {
            "observer": {"display": "labbridge"},
            "type": [{"system": SOURCES, "code": "4", "display": "Application Server"}],
        },
    }
    if action:
        found["action"] = action
    if event.subject or event.detail:
        found["entity"] = [_entity(event, rest)]
    return found


def _entity(event: AuditEvent, rest: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if event.subject.startswith("Patient/"):
        found["what"] = {"reference": event.subject}
        found["type"] = {"system": OBJECTS, "code": "1", "display": "Person"}
        found["role"] = {"system": ROLES, "code": PATIENT, "display": "Patient"}
    elif rest:
        found["type"] = {"system": OBJECTS, "code": "2", "display": "System Object"}
        found["role"] = {"system": ROLES, "code": QUERY, "display": "Query"}
        found["name"] = event.subject
    elif event.subject:
        found["name"] = event.subject
    if event.detail.strip():
        found["description"] = event.detail
    return found
