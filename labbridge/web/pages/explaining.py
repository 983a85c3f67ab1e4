"""Why a case says what it says, down to the segment of each result as it came."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from labbridge.hl7 import visible
from labbridge.model.messages import InForce
from labbridge.model.people import Right
from labbridge.model.ranking import Ranking
from labbridge.model.work import Case, HeldResults
from labbridge.web import rendering
from labbridge.web.pages import of_case
from labbridge.web.parts import Parts
from labbridge.web.views import as_sent
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
    if message.damaged:
        return {}
    charset = of_case.charset(parts, message.feed)
    found = as_sent.observations(message.raw, charset, of_case.lanes(case))
    return {f"M{message.key}:{one.obx.at}": as_sent.sent(read, one.obx) for read, one in found}


def evidence(request: Request, case: str, message: str, name: str, number: str) -> Response:
    """One segment that the case rests on, as it came, and decoded beside it."""
    parts: Parts = request.app.state.parts
    ref = f"{message}:{name}[{number}]"
    found = of_case.found(request, case)
    if isinstance(found, Response):
        return found
    if ref not in as_sent.refs(found.outcome):
        return of_case.nothing()
    messages, _left = of_case.read(request, (of_case.number(message),), 0)
    if not messages:
        return of_case.nothing()
    (one,) = messages
    charset = of_case.charset(parts, one.feed)
    ours = {group.obx.at for _read, group in as_sent.observations(one.raw, charset, of_case.lanes(found))}
    segment = visible.segment(one.raw, charset, f"{name}[{number}]") if f"{name}[{number}]" in ours else None
    if segment is None:
        return of_case.nothing()
    of_case.viewed(request, found, ref)
    return rendering.page(
        request,
        "segment.html",
        case=found,
        ref=ref,
        message=message,
        segment=segment,
        characters=visible.characters(one.raw, charset),
        damaged=one.damaged,
    )
