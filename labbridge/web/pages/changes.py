"""Changes of the site's files: what waits for a second person, what it would do, and what came of those before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import Form, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from labbridge.errors import Refused
from labbridge.model.changes import Change
from labbridge.model.mapping import LocalCode
from labbridge.model.replay import Replay
from labbridge.model.work import AuditEvent
from labbridge.review import permissions
from labbridge.review.changes import parse_change
from labbridge.web import asking, rendering
from labbridge.web.forms import ChangeForm, PasswordForm, WhyForm
from labbridge.web.pages import knowledge
from labbridge.web.pages.cases import NOT_YOURS, proven
from labbridge.web.pages.replays import beside
from labbridge.web.parts import Parts
from labbridge.web.views import differences
from labbridge.web.visits import Visit

NEWEST, CASES = 50, 25
NO_CHANGE = "There is no such change"


class Reasoned(Protocol):
    """A form with a reason and a password."""

    @property
    def why(self) -> str: ...

    @property
    def password(self) -> str: ...


def listed(request: Request) -> Response:
    """Those that wait, and the newest of those that ended."""
    parts: Parts = request.app.state.parts
    person = request.state.visit.person
    with parts.changes() as store:
        waiting, ended = store.open(), store.ended(NEWEST)
    seen = [[one for one in some if _sees(person, one)] for some in (waiting, ended)]
    return rendering.page(request, "changes.html", waiting=seen[0], ended=seen[1])


def _sees(person: Any, change: Change) -> bool:
    """What is about no feed is about all of them."""
    return change.about is None or permissions.sees(person, change.about.feed)


# ---------------------------------------------------------------- one person writes it


def put_forward(
    request: Request, edits: Sequence[dict[str, str]], form: Reasoned, about: LocalCode | None = None
) -> str:
    """The change as it is kept (E7), signed by its author. Refused where the service refuses it."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    if not proven(parts, visit, form.password):
        raise Refused(NOT_YOURS)
    asked = {"command": "change", "act": "put_forward", "edits": list(edits), "why": form.why}
    told = {"about": msgspec.to_builtins(about)} if about is not None else {}
    answer = parts.act({**asked, **told, **_by(visit)})
    if not answer.get("ok"):
        raise Refused(str(answer.get("error") or "The service refused it"))
    return str(answer["change"])


def begun(request: Request, shown: str) -> str:
    """Try a change on the stored past; why that did not begin."""
    parts: Parts = request.app.state.parts
    answer = parts.act({"command": "replay", "change": shown, **_by(request.state.visit)})
    return "" if answer.get("ok") else str(answer.get("error") or "The service refused it")


def _by(visit: Visit) -> dict[str, str]:
    return {"as": visit.person.name, "person": visit.person.login}


# ---------------------------------------------------------------- one change


def one(request: Request, change: str) -> Response:
    return _one(request, change)


def _one(request: Request, shown: str, said: str = "") -> Response:
    """What it changes, line by line; what it would do to the stored past; who wrote it and who approved it. Who saw cases in
    it is written down."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    found = _visible(parts, visit, shown)
    if found is None:
        return PlainTextResponse(rendering.said(request, NO_CHANGE) + "\n", 404)
    replay, cases = _tried(request, found)
    waits = _left(parts, found)
    return rendering.page(
        request,
        "change.html",
        status=422 if said else 200,
        change=found,
        edits=[(edit, differences.lines(edit.before, edit.text)) for edit in found.edits],
        replay=replay,
        cases=cases,
        left=waits,
        mine=found.author == visit.person.login,
        proven=parts.ages.proven(visit.session, parts.clock.now()),
        said=said,
    )


def _visible(parts: Parts, visit: Visit, shown: str) -> Change | None:
    try:
        key = parse_change(shown)
    except Refused:
        return None
    with parts.changes() as store:
        found = store.one(key)
    return found if found is not None and _sees(visit.person, found) else None


def _tried(request: Request, change: Change) -> tuple[Replay | None, list[Any]]:
    """The replay of a change, and the first of its cases that the person may see."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    if not change.replay:
        return None, []
    with parts.replays() as store:
        found = store.one(change.replay)
        cases = store.cases(change.replay, asking.sites(visit.person), 0, CASES) if found else []
    if cases:
        keys = " ".join(case.told.case or "new" for case in cases)
        event = AuditEvent(
            at=parts.clock.now(), actor=visit.person.login, action="viewed", subject=change.shown, detail=keys
        )
        with parts.people() as people:
            people.noted(event)
    return found, [beside(case) for case in cases]


def _left(parts: Parts, change: Change) -> int:
    """How many messages that carried the code wait to be read again; of one that is given up nobody asks."""
    if change.about is None:
        return 0
    with parts.unmapped() as store:
        seen = store.one(change.about)
    return seen.messages if seen is not None else 0


def write(request: Request, form: Annotated[ChangeForm, Form()]) -> Response:
    """A record of the site's files as a person wants it."""
    try:
        shown = put_forward(request, [{"item": form.item, "text": form.text}], form)
    except Refused as refusal:
        return knowledge.refused(request, form.item, form.text, str(refusal))
    begun(request, shown)
    return Response(status_code=204, headers={"HX-Redirect": f"/changes/{shown}"})


def approve(request: Request, change: str, form: Annotated[PasswordForm, Form()]) -> Response:
    """The second signature; then it is in force, and what waited for it is read again."""
    return _acted(request, change, {"act": "approve"}, form.password)


def take(request: Request, change: str, form: Annotated[PasswordForm, Form()]) -> Response:
    """Approved before, and kept back by something that was repaired since."""
    return _acted(request, change, {"act": "take"}, form.password)


def again(request: Request, change: str) -> Response:
    """What carried the code and was not read again yet."""
    return _acted(request, change, {"act": "read_again"})


def give_up(request: Request, change: str, form: Annotated[WhyForm, Form()]) -> Response:
    return _acted(request, change, {"act": "give_up", "why": form.why})


def attempt(request: Request, change: str) -> Response:
    """What it would change in the stored past."""
    parts: Parts = request.app.state.parts
    if _visible(parts, request.state.visit, change) is None:
        return PlainTextResponse(rendering.said(request, NO_CHANGE) + "\n", 404)
    return _one(request, change, begun(request, change))


def _acted(request: Request, shown: str, asked: dict[str, Any], password: str | None = None) -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    if _visible(parts, visit, shown) is None:
        return PlainTextResponse(rendering.said(request, NO_CHANGE) + "\n", 404)
    if password is not None and not proven(parts, visit, password):
        return _one(request, shown, NOT_YOURS)
    answer = parts.act({"command": "change", "key": shown, **asked, **_by(visit)})
    return _one(request, shown, "" if answer.get("ok") else str(answer.get("error") or "The service refused it"))


def pack(request: Request, change: str) -> Response:
    """The validation pack of the site's cases by the knowledge as it would be."""
    parts: Parts = request.app.state.parts
    if _visible(parts, request.state.visit, change) is None:
        return PlainTextResponse(rendering.said(request, NO_CHANGE) + "\n", 404)
    answer = parts.act({"command": "change", "act": "pack", "key": change, **_by(request.state.visit)})
    if not answer.get("ok"):
        return _one(request, change, str(answer.get("error") or "The service refused it"))
    name = {"Content-Disposition": f'attachment; filename="{change}-pack.html"'}
    return HTMLResponse(str(answer["page"]), headers=name)
