"""The worklist: its pages by queue and filter, what is new, the search by a scanned number, the print, the shift notes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, NamedTuple

from fastapi import Form, Request
from msgspec.structs import replace
from starlette.responses import PlainTextResponse, Response

from labbridge.errors import Refused
from labbridge.model.outcome import Retest, Severity
from labbridge.model.people import EVERY_FEED, Person
from labbridge.model.result import Analyte
from labbridge.model.work import AuditEvent
from labbridge.model.worklist import BY_NAME, EVERY_SITE, QUEUES, Chosen, Counted, Listed, Place, Queue, ShiftNote
from labbridge.review import permissions
from labbridge.web import asking, rendering
from labbridge.web.pages.cases import noted
from labbridge.web.parts import Parts
from labbridge.web.views.clock import age

NOTES, LONGEST_NOTE, LONGEST_NUMBER = 5, 1000, 200
NOT_FOUND = "No case is held here under this number"
GROUPS = [(group, list(queues)) for group, queues in groupby(QUEUES, lambda one: one.group)]


class Bench(NamedTuple):
    """What is proposed for one method family (none: cases without a retest): each case, with its retests there."""

    family: str
    cases: tuple[tuple[Listed, tuple[Retest, ...]], ...]


def listed(request: Request) -> Response:
    try:
        return _page(request, asking.chosen(request), asking.after(request), asking.rows(request))
    except Refused as refusal:
        chosen = asking.nothing(request)
        return _rendered(request, chosen, [], said=str(refusal), status=422)


def _page(request: Request, chosen: Chosen, after: Place, limit: int) -> Response:
    parts: Parts = request.app.state.parts
    with parts.cases() as store:
        found = store.page(chosen, after, limit + 1)
        seen = store.newest(chosen)
    more = {"rows": str(limit)} if limit != asking.ROWS else {}
    behind = found[limit - 1].place if len(found) > limit else None
    following = asking.written(chosen, after=asking.place(behind), **more) if behind else ""
    first = asking.written(chosen, **more)
    later = after != Place()
    return _rendered(request, chosen, found[:limit], following=following, first=first, later=later, seen=seen)


def _rendered(
    request: Request, chosen: Chosen, cases: Sequence[Listed], *, status: int = 200, **more: object
) -> Response:
    """The page. Whoever sees patients on it is written down first."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    now, keys = parts.clock.now(), [case.key for case in cases]
    with parts.cases() as store:
        counted = store.counts(asking.narrowed(chosen), chosen.now)
        opened = store.opened(keys, now - parts.ages.idle)
    if cases:
        noted(parts, person, "worklist", " ".join(f"C{key}" for key in keys))
    known = sorted({*counted.feeds, *(chosen.feeds or parts.feeds)})
    told = {"said": "", "following": "", "first": "", "later": False, "seen": "", "searched": False, **more}
    return rendering.page(
        request,
        "worklist.html",
        status=status,
        cases=cases,
        chosen=chosen,
        queues=[(group, [_tab(chosen, one, counted) for one in queues]) for group, queues in GROUPS],
        feeds=known,
        note_feeds=_note_feeds(person, known),
        severities=[one.value for one in Severity],
        analytes=[one.value for one in Analyte],
        meanings=parts.meanings,
        ages={case.key: age(case.begun, now) for case in cases if not case.done},
        opened={key: [name for login, name in who if login != person.login] for key, who in opened.items()},
        notes=_notes(parts, chosen),
        here=asking.written(chosen),
        now=now,
        news=asking.written(chosen, seen=str(told["seen"]) or "-"),
        **told,
    )


def _tab(chosen: Chosen, queue: Queue, counted: Counted) -> tuple[Queue, str, str]:
    """A queue, how many are in it, and its address in the same filters."""
    return queue, counted.said(queue), f"/worklist{asking.written(replace(chosen, queue=queue))}"


def news(request: Request, seen: str = "") -> Response:
    """How many cases have come or changed since the page was made. The list itself stays as it is."""
    parts: Parts = request.app.state.parts
    try:
        chosen = asking.chosen(request)
    except Refused as refusal:
        return _plain(request, str(refusal), 400)
    with parts.cases() as store:
        count = store.news(chosen, "" if seen == "-" else seen)
    return rendering.page(request, "worklist_news.html", count=count, here=asking.written(chosen))


def _plain(request: Request, text: str, status: int) -> Response:
    """What is said beside the page, which stays as it is: never 422, whose body takes the place of the page."""
    return PlainTextResponse(f"{rendering.said(request, text)}\n", status)


# ---------------------------------------------------------------- search


def find(request: Request, number: Annotated[str, Form()] = "") -> Response:
    """A case by its key, or by the number of its patient, specimen or order: to the case, or to the list of several. The
    number stands in the body alone."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    number = number.strip()
    if not number or len(number) > LONGEST_NUMBER:
        return _plain(request, "Scan or type a case, a patient's, a specimen's or an order's number", 400)
    with parts.cases() as store:
        keys = store.find(number, asking.key(number), asking.sites(person))
        cases = store.rows(keys) if len(keys) > 1 else []
    if not keys:
        return _plain(request, NOT_FOUND, 404)
    if len(keys) == 1:
        return Response(status_code=204, headers={"HX-Redirect": f"/cases/C{keys[0]}"})
    cases.sort(key=lambda case: case.place)
    return _rendered(request, asking.nothing(request), cases, searched=True)


# ---------------------------------------------------------------- print


def printed(request: Request) -> Response:
    """The cases by bench, on paper: at most MOST_ROWS, and it says where there are more."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    try:
        chosen, after = asking.chosen(request), asking.after(request)
    except Refused as refusal:
        return _plain(request, str(refusal), 400)
    with parts.cases() as store:
        found = store.page(chosen, after, asking.MOST_ROWS + 1)
    shown = found[: asking.MOST_ROWS]
    if shown:
        noted(parts, person, "worklist", " ".join(f"C{case.key}" for case in shown), "printed")
    behind = shown[-1].place if len(found) > len(shown) else None
    return rendering.page(
        request,
        "worklist_print.html",
        benches=benches(shown, unread=chosen.unread),
        count=len(shown),
        chosen=chosen,
        meanings=parts.meanings,
        following=asking.written(chosen, after=asking.place(behind)) if behind else "",
        at=parts.clock.now().isoformat(timespec="minutes"),
    )


def benches(cases: Sequence[Listed], *, unread: bool = False) -> list[Bench]:
    """The cases by the method family that each of their retests names first; those without a retest last, and (`unread`)
    those that wait for a second reader, who may be the one that reads this."""
    found: dict[str, dict[int, list[Retest]]] = {}
    for case in cases:
        retests = () if unread and case.waits_for_reader else case.outcome.retests
        for one in retests:
            found.setdefault(one.families[0] if one.families else "", {}).setdefault(case.key, []).append(one)
        if not retests:
            found.setdefault("", {})[case.key] = []
    by_key = {case.key: case for case in cases}
    return [
        Bench(family, tuple((by_key[key], tuple(retests)) for key, retests in found[family].items()))
        for family in sorted(found, key=lambda family: (not family, family))
    ]


# ---------------------------------------------------------------- shift notes


def note(
    request: Request,
    queue: Annotated[str, Form()] = "",
    feed: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
) -> Response:
    """A note at a queue, for one site, or by who works for every site for all of them."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    text = text.strip()
    if queue not in BY_NAME or not text or len(text) > LONGEST_NOTE or "\0" in text:
        return _plain(request, "A note has 1 to 1000 characters", 400)
    if not (EVERY_FEED in person.feeds if feed == EVERY_SITE else permissions.sees(person, feed)):
        return _plain(request, "Say which of your sites the note is for", 400)
    now = parts.clock.now()
    event = AuditEvent(at=now, actor=person.login, action="shift note", subject="worklist", detail=f"{queue} {feed}")
    with parts.shift() as shift:
        shift.add(ShiftNote(queue=queue, feed=feed, at=now, person=person.name, text=text), event)
    chosen = replace(asking.nothing(request), queue=BY_NAME[queue])
    return rendering.page(request, "worklist_notes.html", notes=_notes(parts, chosen))


def _notes(parts: Parts, chosen: Chosen) -> list[ShiftNote]:
    with parts.shift() as shift:
        return shift.notes(chosen.queue.name, chosen.feeds, NOTES)


def _note_feeds(person: Person, known: Sequence[str]) -> list[str]:
    """The sites a person may leave a note for."""
    return [EVERY_SITE, *known] if EVERY_FEED in person.feeds else sorted(person.feeds)
