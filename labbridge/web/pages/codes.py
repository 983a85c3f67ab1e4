"""The mapping desk: codes that no table names and that may be ours; a person says what one is, another one approves it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge.errors import Refused
from labbridge.model.changes import Change
from labbridge.model.mapping import Assigned, Choices, LocalCode, SeenCode, Suggestion, UnitChoice
from labbridge.model.work import AuditEvent, Feed
from labbridge.review import mapping, permissions
from labbridge.web import asking, rendering
from labbridge.web.forms import AssignForm
from labbridge.web.pages.changes import begun, put_forward
from labbridge.web.parts import Parts
from labbridge.web.views.samples import Samples, samples
from labbridge.web.visits import Visit

MOST, SAMPLES = 500, 5
NO_CODE = "There is no such code"


def listed(request: Request) -> Response:
    """The codes of the person's sites that may be ours, each once, with what they may be."""
    parts: Parts = request.app.state.parts
    feeds = asking.sites(request.state.visit.person)
    with parts.unmapped() as store:
        seen, others = store.listed(feeds, MOST + 1), store.others(feeds)
    with parts.changes() as changes:
        waiting = {one.about: one for one in changes.open() if one.about is not None}
    said, rows = "", [_row(parts, one, waiting) for one in seen[:MOST]]
    try:
        suggester = parts.suggestions()
        rows = [{**row, "suggestion": suggester(row["samples"].sent)} for row in rows]
    except Refused as refusal:
        said = str(refusal)
    return rendering.page(
        request, "codes.html", status=422 if said else 200, rows=rows, others=others, more=len(seen) > MOST, said=said
    )


def _row(parts: Parts, seen: SeenCode, waiting: dict[LocalCode, Change]) -> dict[str, Any]:
    return {
        "seen": seen,
        "path": f"/codes/one?{urlencode(msgspec.to_builtins(seen.of))}",
        "samples": _samples(parts, seen, 1),
        "suggestion": None,
        "change": waiting.get(seen.of),
    }


def _samples(parts: Parts, seen: SeenCode, count: int) -> Samples:
    with parts.unmapped() as store:
        keys = store.messages(seen.of, count)
    with parts.messages() as messages:
        found = sorted(messages.in_force(keys), key=lambda one: -one.key)
    read = samples(seen.of, found, parts.feeds.get(seen.of.feed, Feed(name=seen.of.feed)))
    sent = msgspec.structs.replace(read.sent, name=read.sent.name or seen.name, unit=read.sent.unit or seen.unit)
    return msgspec.structs.replace(read, sent=sent)


# ---------------------------------------------------------------- one code


def one(request: Request, feed: str = "", system: str = "", code: str = "", label: str = "") -> Response:
    """A code with samples, what it may be and why, and the form to say what it is. Who saw results of it is written down."""
    return _one(request, LocalCode(feed=feed, system=system, code=code, label=label))


def _one(request: Request, of: LocalCode, said: str = "", given: AssignForm | None = None) -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    seen = _visible(parts, visit, of)
    if seen is None:
        return PlainTextResponse(rendering.said(request, NO_CODE) + "\n", 404)
    found = _samples(parts, seen, SAMPLES)
    if found.found:
        keys = " ".join(f"M{key}" for key in dict.fromkeys(sample.message for sample in found.found))
        event = AuditEvent(at=parts.clock.now(), actor=visit.person.login, action="viewed", subject="code", detail=keys)
        with parts.people() as people:
            people.noted(event)
    with parts.changes() as changes:
        about = [change for change in changes.open() if change.about == of]
    try:
        suggester = parts.suggestions()
        suggestion, choices = suggester(found.sent), suggester.choices()
    except Refused as refusal:
        suggestion, choices, said = None, Choices(), str(refusal)
    return rendering.page(
        request,
        "code.html",
        status=422 if said else 200,
        seen=seen,
        samples=found,
        suggestion=suggestion,
        choices=choices,
        units=_units(seen, suggestion, choices),
        table=mapping.table_of(found.sent.sender),
        changes=about,
        given=given or _proposed(suggestion, found),
        proven=parts.ages.proven(visit.session, parts.clock.now()),
        said=said,
    )


def _visible(parts: Parts, visit: Visit, of: LocalCode) -> SeenCode | None:
    if not permissions.sees(visit.person, of.feed):
        return None
    with parts.unmapped() as store:
        return store.one(of)


def _units(seen: SeenCode, suggestion: Suggestion | None, choices: Choices) -> list[UnitChoice]:
    """What the unit can mean: nothing to ask where a table knows it, or where a kit's own limits say in which units they
    hold."""
    if suggestion is None or suggestion.canonical_unit or not seen.unit:
        return []
    return [one for one in choices.units if one.analyte == (suggestion.analyte or seen.may_be)]


def _proposed(suggestion: Suggestion | None, found: Samples) -> AssignForm:
    """The form as it is first seen: what is sure is filled in, the rest is the person's to say."""
    sure = suggestion is not None and suggestion.confidence == "sure"
    return AssignForm(
        feed="",
        analyte=suggestion.analyte if sure and suggestion is not None else "",
        method=suggestion.method if suggestion is not None else "",
        assay=suggestion.assay if suggestion is not None else "",
        only_unit=bool(found.sent.unit),
    )


def assign(request: Request, form: Annotated[AssignForm, Form()]) -> Response:
    """What a person says the code is becomes a change that waits for another person; it is tried on the messages that
    carried the code."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    of = LocalCode(feed=form.feed, system=form.system, code=form.code, label=form.label)
    seen = _visible(parts, visit, of)
    if seen is None:
        return PlainTextResponse(rendering.said(request, NO_CODE) + "\n", 404)
    try:
        edits = _edits(parts, seen, form)
        shown = put_forward(request, edits, form, about=of)
    except Refused as refusal:
        return _one(request, of, str(refusal), form)
    begun(request, shown)
    return Response(status_code=204, headers={"HX-Redirect": f"/changes/{shown}"})


def _edits(parts: Parts, seen: SeenCode, form: AssignForm) -> list[dict[str, str]]:
    sender = _samples(parts, seen, SAMPLES).sent.sender
    said = Assigned(
        analyte=form.analyte,
        role=form.role,
        method=form.method,
        assay=form.assay,
        only_unit=form.only_unit and bool(seen.unit),
        means=_means(form.means),
        source=form.source,
    )
    return mapping.edits_of(seen, sender, said, parts.suggestions().choices())


def _means(text: str) -> UnitChoice | None:
    """`CK|U/L|60`: the analyte, its canonical unit, and how many of that the sent unit is."""
    if not text:
        return None
    analyte, _, rest = text.partition("|")
    unit, _, factor = rest.rpartition("|")
    try:
        return UnitChoice(analyte=analyte, unit=unit, factor=Decimal(factor))
    except InvalidOperation:
        raise Refused("Choose the unit") from None
