"""The messages behind a case, as a page may read them: those of the results it rests on, of the person's sites, and no more
bytes at once than a page is given."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fastapi import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from labbridge import reading
from labbridge.model.messages import InForce
from labbridge.model.work import Case, Feed
from labbridge.review import permissions
from labbridge.web.pages.cases import NO_CASE, noted, unseen, visible
from labbridge.web.parts import Parts
from labbridge.web.views import as_sent
from labbridge.web.visits import Visit

NOTHING = "The case rests on no such thing\n"
MOST_MESSAGES = 200


def found(request: Request, shown: str) -> Case | Response:
    """The case; else the answer to who may not see it, or not yet."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    case = visible(parts, visit.person, shown)
    if case is None:
        return PlainTextResponse(NO_CASE, 404)
    if unseen(parts, visit, case):
        reading = f"/cases/C{case.key}/reading"
        posted = request.method == "POST"
        return Response(status_code=204, headers={"HX-Redirect": reading}) if posted else RedirectResponse(reading, 303)
    return case


def viewed(request: Request, case: Case, what: str) -> None:
    """Written down before it is shown."""
    noted(request.app.state.parts, request.state.visit.person, f"C{case.key}", f"version {case.version}, {what}")


def nothing() -> Response:
    return PlainTextResponse(NOTHING, 404)


def number(shown: str) -> int:
    """The key of a message written M17; 0 for anything else."""
    return as_sent.place(f"{shown}:")[0] if len(shown) < 19 else 0


def messages(case: Case) -> tuple[int, ...]:
    """The messages of the results the case rests on, the newest first."""
    keys = {as_sent.place(ref)[0] for ref in as_sent.refs(case.outcome)} - {0}
    return tuple(sorted(keys, reverse=True))[:MOST_MESSAGES]


def read(request: Request, keys: Sequence[int], most: int) -> tuple[list[InForce], list[int]]:
    """These messages, the newest first, up to so many bytes together, and the keys of those that are left out for it. What
    is of another site, or is gone, is in neither."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    with parts.messages() as store:
        known = [one for one in store.sizes(keys) if one.length and permissions.sees(visit.person, one.feed)]
        known.sort(key=lambda one: one.key, reverse=True)
        taken, left, total = list[int](), list[int](), 0
        for one in known:
            fits = not taken or total + one.length <= most
            (taken if fits else left).append(one.key)
            total += one.length if fits else 0
        opened = store.in_force(taken)
    return sorted(opened, key=lambda one: one.key, reverse=True), left


def feed_of(parts: Parts, message: InForce) -> Feed:
    return reading.feed_of(message.raw, message.feed, parts.feeds)


def lanes(case: Case) -> Collection[str]:
    return case.lanes or (case.lane,)
