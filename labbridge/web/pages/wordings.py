"""What people made of drafts, for who writes the rules. It is about rules: nobody's name stands there."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import Request
from starlette.responses import PlainTextResponse, Response

from labbridge.errors import Refused
from labbridge.model.people import Person
from labbridge.model.wordings import Asked, Judged, Window
from labbridge.model.work import AuditEvent
from labbridge.review import cells, wordings
from labbridge.web import asking, exporting, rendering
from labbridge.web.parts import Parts

FIRST = 2**62  # before every key
HEADS = ("decision", "case", "version", "at", "comment", "language", "rules", "drafted", "worded", "why", "signed")


def listed(request: Request) -> Response:
    """The newest decisions before a place. Whoever sees texts of cases is written down first."""
    try:
        asked, before = _asked(request), _before(request)
    except Refused as refusal:
        return _refused(request, refusal)
    window = _window(request, asked, before, "viewed", "wordings")
    return rendering.page(
        request,
        "wordings.html",
        asked=asked,
        judged=[(one, wordings.differences(one.drafted, one.worded) if one.worded else []) for one in window.judged],
        rules=wordings.by_rule(window),
        here=_written(asked),
        following=_written(asked, before=str(window.behind)) if window.behind else "",
        later=before != FIRST,
    )


def as_csv(request: Request) -> Response:
    """The same as a table, safe against formulas."""
    try:
        asked, before = _asked(request), _before(request)
    except Refused as refusal:
        return _refused(request, refusal)
    window = _window(request, asked, before, "exported", "csv, wordings")
    text = cells.lines([HEADS, *map(_row, window.judged), ("rows", len(window.judged))])
    name = {"Content-Disposition": 'attachment; filename="wordings.csv"'}
    return PlainTextResponse(text, headers=name, media_type="text/csv; charset=utf-8")


def _window(request: Request, asked: Asked, before: int, action: str, told: str) -> Window:
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    with parts.cases() as store:
        window = store.wordings(asked, before)
    keys = sorted({one.draft.case for one in window.judged})
    now = parts.clock.now()
    events = [
        AuditEvent(at=now, actor=person.login, action=action, subject="wordings", detail=detail)
        for detail in (told, *exporting.told(keys))
    ]
    if keys:
        with parts.people() as people:
            people.noted(*events)
    return window


def _row(one: Judged) -> tuple[cells.Value, ...]:
    return (
        one.kind.value,
        f"C{one.draft.case}",
        one.draft.version,
        one.at,
        one.draft.comment_class or None,
        one.draft.language or None,
        one.draft.rules,
        one.drafted,
        one.worded or None,
        one.why,
        "yes" if one.signed else "no",
    )


def _refused(request: Request, refusal: Refused) -> Response:
    return PlainTextResponse(f"{rendering.said(request, str(refusal))}\n", 400)


# ---------------------------------------------------------------- what an address asks for


def _asked(request: Request) -> Asked:
    given = request.query_params
    return Asked(
        asking.sites(request.state.visit.person),
        _word(given.get("class", "")),
        _word(given.get("rule", "").partition("@")[0]),
        asking.day(given.get("since", "")),
    )


def _word(text: str) -> str:
    if text and not (len(text) <= 80 and text.isascii() and text.replace("_", "").replace("-", "").isalnum()):
        raise Refused("There is no such rule or comment class")
    return text


def _before(request: Request) -> int:
    text = request.query_params.get("before", "")
    if not text:
        return FIRST
    if not (text.isascii() and text.isdigit() and len(text) <= asking.LONGEST_KEY):
        raise Refused("There is no such page")
    return int(text)


def _written(asked: Asked, **more: str) -> str:
    since = asked.since.isoformat() if asked.since else ""
    told = {"class": asked.comment_class, "rule": asked.rule, "since": since, **more}
    found = urlencode({name: value for name, value in told.items() if value})
    return f"?{found}" if found else ""
