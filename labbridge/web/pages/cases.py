"""The case."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from labbridge.model.people import Person
from labbridge.model.work import AuditEvent, Case
from labbridge.review import permissions
from labbridge.web import rendering
from labbridge.web.parts import Parts


def one(request: Request, case: str) -> Response:
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    found = _case(parts, person, case)
    if found is None:
        return PlainTextResponse("There is no such case\n", 404)
    noted(parts, person, f"C{found.key}", f"version {found.version}")
    return rendering.page(request, "case.html", case=found)


def _case(parts: Parts, person: Person, shown: str) -> Case | None:
    """A case of a site the person belongs to; of another one there is none."""
    if not (shown[:1] == "C" and shown[1:].isascii() and shown[1:].isdigit() and len(shown) < 19):
        return None
    with parts.cases() as store:
        found = store.case(int(shown[1:]))
    return found if found is not None and permissions.sees(person, found.feed) else None


def noted(parts: Parts, person: Person, subject: str, detail: str, action: str = "viewed") -> None:
    """Whoever sees a patient is written down, before it is shown."""
    event = AuditEvent(at=parts.clock.now(), actor=person.login, action=action, subject=subject, detail=detail)
    with parts.people() as people:
        people.noted(event)
