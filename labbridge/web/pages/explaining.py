"""Why a case says what it says, down to the segment or the element of each result as it came."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import Request
from starlette.responses import Response

from labbridge import reading
from labbridge.hl7 import visible
from labbridge.model.messages import InForce
from labbridge.model.people import Right
from labbridge.model.ranking import Ranking
from labbridge.model.work import Case, Feed, HeldResults
from labbridge.web import rendering
from labbridge.web.pages import of_case
from labbridge.web.parts import Parts
from labbridge.web.views import as_sent, wires
from labbridge.web.views.as_sent import Sent
from labbridge.web.views.entries import entries
from labbridge.web.views.explained import ExplainedResult, explained, result
from labbridge.web.views.head import versions

MOST_BYTES = 4 * 2**20  # of the messages that an explanation reads


def explain(request: Request, case: str) -> Response:
    """Each rule that held with its conditions and what they saw, the results, and the sources."""
    parts: Parts = request.app.state.parts
    found = of_case.found(request, case)
    if isinstance(found, Response):
        return found
    of_case.viewed(request, found, "explanation")
    rules = parts.rules(found.outcome.knowledge)
    told = explained(found.outcome, rules, _results(request, found))
    place = _place(request, found)
    return rendering.page(request, "explain.html", case=found, explained=told, place=place, meanings=parts.meanings)


def _place(request: Request, case: Case) -> Ranking | None:
    """Why it stands where it does on the worklist, for who works at it: no probability is for anybody else (clinical.md
    E5). None where the table orders it."""
    parts: Parts = request.app.state.parts
    if not request.state.visit.may(Right.DECIDE):
        return None
    with parts.cases() as store:
        by = store.ranked_by(case.key, case.version)
    if not by:
        return None
    with parts.approvals() as store:
        body = store.knowledge(by)
    return parts.ranking(by, body, case.outcome) if body is not None else None


def _results(request: Request, case: Case) -> list[ExplainedResult]:
    parts: Parts = request.app.state.parts
    with parts.cases() as store:
        held = store.held(case.key) or HeldResults()
    understood = {one.place: one for one in versions(entries(held.results, case.outcome))}
    messages, _left = of_case.read(request, of_case.messages(case), MOST_BYTES)
    sent = {ref: one for message in messages for ref, one in _sent(parts, case, message).items()}
    return [result(ref, understood.get(ref), sent.get(ref), case.key) for ref in as_sent.refs(case.outcome)]


def _sent(parts: Parts, case: Case, message: InForce) -> dict[str, Sent]:
    found = as_sent.of_message(message, of_case.feed_of(parts, message), of_case.lanes(case))
    return {f"M{message.key}:{at}": one for at, one in found.items()}


def evidence(request: Request, case: str, message: str, name: str, number: str) -> Response:
    """One segment that the case rests on, as it came, and decoded beside it."""
    return _evidence(request, case, message, f"{name}[{number}]")


def element(request: Request, case: str, message: str, place: str) -> Response:
    """The same of a body of FHIR: the resource of a result (`Bundle.entry[5].resource`), as it came."""
    return _evidence(request, case, message, place)


def _evidence(request: Request, case: str, message: str, at: str) -> Response:
    parts: Parts = request.app.state.parts
    ref = f"{message}:{at}"
    found = of_case.found(request, case)
    if isinstance(found, Response):
        return found
    if ref not in as_sent.refs(found.outcome):
        return of_case.nothing()
    messages, _left = of_case.read(request, (of_case.number(message),), 0)
    if not messages:
        return of_case.nothing()
    (one,) = messages
    feed = of_case.feed_of(parts, one)
    shown = _shown(one, feed, at, of_case.lanes(found))
    if shown is None:
        return of_case.nothing()
    of_case.viewed(request, found, ref)
    return rendering.page(request, case=found, ref=ref, message=message, damaged=one.damaged, **shown)


def _shown(message: InForce, feed: Feed, at: str, lanes: Collection[str]) -> dict[str, Any] | None:
    """What the page shows of a place in a message; None where no result of the patient stands there."""
    if not reading.is_hl7(message.raw, feed):
        ours = {one.at for one in as_sent.elements(message, feed, lanes)}
        body = wires.element(message.raw, at) if at in ours else None
        return {"name": "element.html", "body": body} if body is not None else None
    if not reading.is_hl7(message.raw, feed):
        return None
    places = {group.obx.at for _read, group in as_sent.observations(message.raw, feed.charset, lanes)}
    segment = visible.segment(message.raw, feed.charset, at) if at in places else None
    characters = visible.characters(message.raw, feed.charset)
    return {"name": "segment.html", "segment": segment, "characters": characters} if segment is not None else None
