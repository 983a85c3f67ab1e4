"""The status page. It shows no patient and no result, and nothing of what one person did."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import Request
from starlette.responses import Response

from labbridge.errors import Refused
from labbridge.model.people import Person
from labbridge.model.status import Standing
from labbridge.review import permissions
from labbridge.web import rendering
from labbridge.web.parts import Parts
from labbridge.web.views import status as views


def page(request: Request) -> Response:
    return rendering.page(request, "status.html", **_shown(request))


def figures(request: Request) -> Response:
    """The same figures as they are now, for a page that stands open."""
    return rendering.page(request, "status_figures.html", **_shown(request))


def _shown(request: Request) -> dict[str, Any]:
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    now, standing = parts.clock.now(), asked(parts)
    with parts.status() as store:
        numbers = store.numbers(now)

    def sees(feed: str) -> bool:
        return permissions.sees(person, feed)

    return {
        "sections": views.sections(numbers, standing, parts.feeds, sees),
        "standing": standing,
        "not_asked": views.NOT_ASKED,
        "empty": numbers.arrivals.since is None,
        "now": now,
    }


def asked(parts: Parts) -> Standing | None:
    """What the running service says of itself; None where it does not answer, or not in a way that is understood."""
    try:
        answer = parts.act({"command": "status", "keys": [], "as": ""})
        return msgspec.convert(answer["standing"], Standing) if answer.get("ok") else None
    except (Refused, OSError, KeyError, msgspec.ValidationError):
        return None
