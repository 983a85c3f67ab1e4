"""Cases that are like one another, signed together: each patient is listed, each signature is a line of its own."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge.model.work import Case
from labbridge.model.worklist import Listed, Place
from labbridge.review import alike, decisions
from labbridge.web import asking, rendering
from labbridge.web.forms import AlikeForm
from labbridge.web.pages import of_case
from labbridge.web.pages.cases import MEANING, NO_CASE, NOT_YOURS, noted, proven, visible
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit

LOOKED_AT = 200  # open cases with the first of the findings


class Alike(msgspec.Struct, frozen=True):
    """A case to be signed with others: `screen` is the digest of what is shown of it."""

    case: Case
    screen: str


def listed(request: Request, case: str) -> Response:
    """The case and those like it, oldest first."""
    found = of_case.found(request, case)
    return found if isinstance(found, Response) else _shown(request, found)


def sign(request: Request, case: str, form: Annotated[AlikeForm, Form()]) -> Response:
    """One signature under the cases that were chosen, each kept for itself."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    found = of_case.found(request, case)
    if isinstance(found, Response):
        return found
    if not proven(parts, visit, form.password):
        return _shown(request, found, NOT_YOURS, 422)
    screens = dict(one.partition(":")[::2] for one in form.chosen)
    if any(visible(parts, visit.person, key.partition("@")[0]) is None for key in screens):
        return PlainTextResponse(NO_CASE, 404)
    person = {"as": visit.person.name, "person": visit.person.login}
    answer = parts.act(
        {
            "command": "release",
            "alike": True,
            "keys": list(screens),
            **person,
            "screens": screens,
            "meaning": MEANING,
            "undo_s": parts.undo_s,
        }
    )
    done = answer.get("done") or []
    said = str(answer.get("error", "")) or next((one["error"] for one in done if not one["ok"]), "")
    if said and not any(one["ok"] for one in done):
        return _shown(request, found, said, 422)
    return rendering.page(request, "alike_done.html", done=done)


def _shown(request: Request, case: Case, said: str = "", status: int = 200) -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    with parts.cases() as store:
        rows = store.page(msgspec.structs.replace(asking.nothing(request), flag=_first_flag(case)), Place(), LOOKED_AT)
        like = [row for row in rows if _goes_with(row, case)]
        worded = store.worded([row.key for row in like])
        cases = [store.case(row.key) for row in like if row.key not in worded][: alike.MOST]
    chosen = [Alike(one, decisions.screen(one, one.text).hex()) for one in cases if one is not None]
    if chosen:
        noted(parts, visit.person, "worklist", " ".join(f"C{one.case.key}" for one in chosen))
    return rendering.page(
        request,
        "alike.html",
        status=status,
        case=case,
        alone=alike.single(case),
        cases=chosen,
        proven=parts.ages.proven(visit.session, parts.clock.now()),
        said=said,
    )


def _first_flag(case: Case) -> str:
    return case.outcome.flags[0].code if case.outcome.flags else ""


def _goes_with(row: Listed, case: Case) -> bool:
    return row.feed == case.feed and not alike.single(row) and alike.like(row.outcome, case.outcome)
