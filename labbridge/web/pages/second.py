"""The second reader: HEp-2 read before anything of the case is shown, and how far readers agree."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from labbridge.model.people import EVERY_FEED
from labbridge.model.work import Case, HeldResults
from labbridge.review import agreement, second
from labbridge.web import rendering
from labbridge.web.forms import ReadingForm
from labbridge.web.pages.cases import NO_CASE, noted, unseen, visible
from labbridge.web.parts import Parts
from labbridge.web.views.head import Head, head
from labbridge.web.views.matrix import matrix
from labbridge.web.visits import Visit

NEWEST = 5000  # readings that the table of agreement is counted from
REFUSED = "The service refused it"


def form(request: Request, case: str) -> Response:
    """Who it is, and nothing that was found."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    found = visible(parts, visit.person, case)
    if found is None:
        return PlainTextResponse(NO_CASE, 404)
    if not unseen(parts, visit, found):
        return RedirectResponse(f"/cases/C{found.key}", 303)
    noted(parts, visit.person, f"C{found.key}", f"version {found.version}, unseen", "viewed unseen")
    return _asked(request, found)


def read(request: Request, case: str, form: Annotated[ReadingForm, Form()]) -> Response:
    """Keep the reading; then the case is shown."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    found = visible(parts, visit.person, case)
    if found is None:
        return PlainTextResponse(NO_CASE, 404)
    shown = f"C{found.key}@{form.version}"
    person = {"as": visit.person.name, "person": visit.person.login}
    answer = parts.act({"command": "read", "keys": [shown], **person, "finding": form.finding, "why": form.why})
    if not answer.get("ok"):
        done = answer.get("done") or [{}]
        said = str(answer.get("error") or done[0].get("error") or REFUSED)
        return _asked(request, found, said, 422)
    return Response(status_code=204, headers={"HX-Redirect": f"/cases/C{found.key}"})


def _asked(request: Request, case: Case, said: str = "", status: int = 200) -> Response:
    """The form; for who has nothing to read any more, only what was refused."""
    parts: Parts = request.app.state.parts
    return rendering.page(
        request,
        "reading.html",
        status=status,
        case=case,
        said=said,
        findings=[one.value for one in second.FINDINGS],
        reads=unseen(parts, request.state.visit, case),
        head=_head(parts, case),
        waits=False,
        now=parts.clock.now(),
    )


def _head(parts: Parts, case: Case) -> Head:
    """Whose slide it is: nothing that was found, and nothing that was stated with the order."""
    with parts.cases() as store:
        held, about = store.held(case.key) or HeldResults(), store.about(case)
    return head(case, about, matrix(held.results, case.outcome).entries, (), now=parts.clock.now())


def agreements(request: Request) -> Response:
    """By pair of readers and by pattern, over the newest readings; of all sites, and so for those alone who see them all."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    everywhere = EVERY_FEED in visit.person.feeds
    with parts.cases() as store:
        readings = store.readings(NEWEST) if everywhere else []
    return rendering.page(
        request, "agreement.html", pairs=agreement.by_pair(readings), count=len(readings), everywhere=everywhere
    )
