"""Release by rule: what stands on record, where it is stopped, and what a person reads afterwards."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import Response

from labbridge.model.people import EVERY_FEED
from labbridge.model.result import Analyte
from labbridge.review.proportions import exact
from labbridge.web import rendering
from labbridge.web.forms import ResumeForm, ReviewForm, SuspendForm
from labbridge.web.pages.cases import acted
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit


def standing(request: Request) -> Response:
    return _standing(request)


def _standing(request: Request, said: str = "") -> Response:
    """What is of the person's sites; suspensions whole, for they stop what the person may wait for."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    with parts.cases() as store:
        suspensions, every = store.suspensions(), store.release_standings()
    seen = [one for one in every if EVERY_FEED in visit.person.feeds or one.feed in visit.person.feeds]
    return rendering.page(
        request,
        "release.html",
        status=422 if said else 200,
        suspensions=suspensions,
        standings=[(one, exact(one.record.agreed, one.record.reviewed)[0]) for one in seen],
        analytes=[one.value for one in Analyte],
        said=said,
    )


def suspend(request: Request, form: Annotated[SuspendForm, Form()]) -> Response:
    """Stop it at once. No password is asked: it only takes something from the machine."""
    asked = {"command": "suspend", "keys": [""], "feed": form.feed.strip(), "rule": form.rule.strip()}
    return _acted(request, {**asked, "analyte": form.analyte, "why": form.why})


def resume(request: Request, form: Annotated[ResumeForm, Form()]) -> Response:
    if not form.key:
        return _standing(request, "Choose what is to be lifted")
    return _acted(request, {"command": "resume", "keys": form.key})


def _acted(request: Request, asked: dict[str, Any]) -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    answer = parts.act({**asked, "as": visit.person.name, "person": visit.person.login})
    refused = [str(one["error"]) for one in answer.get("done", []) if not one["ok"]]
    return _standing(request, str(answer.get("error") or "") or "; ".join(refused))


def review(request: Request, case: str, form: Annotated[ReviewForm, Form()]) -> Response:
    """What a person says of what a rule released; who would not have released it stops the rule."""
    more = {"command": "review", "agrees": form.agrees, "why": form.why}
    return acted(request, case, form.version, more, stays=True)
