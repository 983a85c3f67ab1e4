"""The comment exactly as its receiver will show it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import Response

from labbridge.model.work import Case
from labbridge.web import rendering
from labbridge.web.forms import PreviewForm
from labbridge.web.pages import of_case
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit


def kept(request: Request, case: str) -> Response:
    """In the words that are kept: the drafted ones, or a person's."""
    found = of_case.found(request, case)
    return found if isinstance(found, Response) else _shown(request, found, found.version)


def typed(request: Request, case: str, form: Annotated[PreviewForm, Form()]) -> Response:
    """In the words of somebody who is writing them."""
    found = of_case.found(request, case)
    return found if isinstance(found, Response) else _shown(request, found, form.version, form.text)


def _shown(request: Request, case: Case, version: int, text: str | None = None) -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    of_case.viewed(request, case, "preview")
    asked = {"command": "preview", "keys": [f"C{case.key}@{version}"], "as": visit.person.name}
    if text is not None:
        asked["text"] = text
    answer = parts.act(asked)
    done: dict[str, Any] = (answer.get("done") or [{}])[0]
    found = done.get("result") if answer.get("ok") else None
    said = "" if found else str(answer.get("error") or done.get("error") or "The service refused it")
    status = 200 if found else 422
    return rendering.page(request, "preview.html", status=status, case=case, preview=found, said=said)
