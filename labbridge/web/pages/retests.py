"""The ledger of retests: what is open, what became of the others, and what a person ends."""

from __future__ import annotations

from typing import Annotated

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge.model.people import Person
from labbridge.model.retests import WITHHELD, ListedRetest, OrderState, RetestState
from labbridge.review import permissions
from labbridge.review.proportions import exact
from labbridge.web import asking, rendering
from labbridge.web.forms import CancelForm
from labbridge.web.pages.cases import noted
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit

AT_ONCE = 100
NO_RETEST = "There is no such retest\n"
OURS_TO_END = (OrderState.WAITING, OrderState.REFUSED, OrderState.CANCELLED)


def listed(request: Request) -> Response:
    """What is open of the person's sites, oldest first, and what became of retests by rule, assay and signal band."""
    return _listed(request)


def _listed(request: Request, said: str = "") -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    after = _after(request)
    feeds = asking.sites(visit.person)
    with parts.cases() as store:
        found = store.open_retests(feeds, after, AT_ONCE + 1)
        every = store.retest_yields(feeds) if not after else []
    noted(parts, visit.person, "retests", f"after R{after}" if after else "")
    return rendering.page(
        request,
        "retests.html",
        status=422 if said else 200,
        open=found[:AT_ONCE],
        following=found[AT_ONCE - 1].row.key if len(found) > AT_ONCE else 0,
        endable=frozenset(one.row.key for one in found if endable(one)),
        yields=[(one, exact(one.confirmed, one.closed)) for one in every],
        withheld=WITHHELD,
        meanings=parts.meanings,
        said=said,
        after=after,
    )


def _after(request: Request) -> int:
    text = request.query_params.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def endable(one: ListedRetest) -> bool:
    """Whether it is ours to end: the LIS has no order of it, or has refused it."""
    state = one.row.state
    return state is RetestState.ADVISED or (
        state is RetestState.ORDERED and one.order is not None and one.order.state in OURS_TO_END
    )


def cancel(request: Request, retest: str, form: Annotated[CancelForm, Form()]) -> Response:
    """A person ends one, with a reason."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    if not (retest[:1] == "R" and retest[1:].isascii() and retest[1:].isdigit() and len(retest) < 19):
        return PlainTextResponse(NO_RETEST, 404)
    with parts.cases() as store:
        found = store.retest(int(retest[1:]))
    if found is None or not permissions.sees(person, found.row.feed):
        return PlainTextResponse(NO_RETEST, 404)
    asked = {"command": "retest", "keys": [retest], "why": form.why, "as": person.name, "person": person.login}
    answer = parts.act(asked)
    refused = [str(one["error"]) for one in answer.get("done", []) if not one["ok"]]
    return _listed(request, str(answer.get("error") or "") or "; ".join(refused))
