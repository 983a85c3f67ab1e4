"""What people keep beside a case: telephone calls of critical findings, and notes that stay in the laboratory."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import Response

from labbridge.web.forms import CallForm, RemarkForm
from labbridge.web.pages.cases import acted
from labbridge.web.parts import Parts


def call(request: Request, case: str, form: Annotated[CallForm, Form()]) -> Response:
    """Somebody was told by telephone; the moment is told in minutes before now, which need no zone."""
    parts: Parts = request.app.state.parts
    at = (parts.clock.now() - timedelta(minutes=form.minutes)).isoformat()
    more = {"command": "call", "told": form.told, "at": at, "read_back": form.read_back, "note": form.note}
    return acted(request, case, form.version, more, stays=True)


def remark(request: Request, case: str, form: Annotated[RemarkForm, Form()]) -> Response:
    return acted(request, case, form.version, {"command": "remark", "text": form.text}, stays=True)
