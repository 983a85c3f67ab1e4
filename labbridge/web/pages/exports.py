"""The worklist as CSV and as JSON lines, by the same filters as its page. Who takes it away is written down first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

from fastapi import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from labbridge.errors import Refused
from labbridge.model.people import Person
from labbridge.model.work import AuditEvent
from labbridge.model.worklist import Listed
from labbridge.review import cells
from labbridge.web import asking, exporting, rendering
from labbridge.web.parts import Parts

MOST = 100_000
AT_ONCE = 200
Writing = Callable[[Parts, Sequence[int], bool], Iterator[str]]
"""The lines of these cases. True: for somebody who may be the second reader of what waits for one."""
BOM = "\ufeff"
SEPARATORS = {"": ",", "comma": ",", "semicolon": ";"}


def as_csv(request: Request, bom: bool = False, separator: str = "") -> Response:
    """`bom`: for spreadsheets that take UTF-8 for something else without it. `separator`: comma or semicolon."""
    if separator not in SEPARATORS:
        return _refused(request, "A separator is comma or semicolon")
    return _exported(request, "csv", lambda parts, keys, unread: _csv(parts, keys, unread, SEPARATORS[separator], bom))


def as_json_lines(request: Request) -> Response:
    return _exported(request, "jsonl", _json_lines)


def columns(request: Request) -> Response:
    """What each column of the export means."""
    return PlainTextResponse(exporting.dictionary(), headers=_file("columns.csv"), media_type="text/csv")


def _exported(request: Request, kind: str, written: Writing) -> Response:
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    try:
        chosen = asking.chosen(request)
        with parts.cases() as store:
            keys = store.keys(chosen, MOST + 1)
        if len(keys) > MOST:
            raise Refused(f"These are more than {MOST} cases; choose fewer")
    except Refused as refusal:
        return _refused(request, str(refusal))
    now = parts.clock.now()
    details = (f"{kind}, {len(keys)} cases {asking.written(chosen)}".strip(), *exporting.told(keys))
    events = [
        AuditEvent(at=now, actor=person.login, action="exported", subject="worklist", detail=one) for one in details
    ]
    with parts.people() as people:
        people.noted(*events)
    name = f"worklist-{now:%Y%m%dT%H%M%SZ}.{kind}"
    media = "text/csv; charset=utf-8" if kind == "csv" else "application/jsonl; charset=utf-8"
    return StreamingResponse(written(parts, keys, chosen.unread), headers=_file(name), media_type=media)


def _refused(request: Request, text: str) -> Response:
    return PlainTextResponse(f"{rendering.said(request, text)}\n", 422)


def _file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _some(parts: Parts, keys: Sequence[int]) -> Iterator[list[Listed]]:
    """The cases as they are now, some at once: a slow reader keeps no connection from anybody."""
    for start in range(0, len(keys), AT_ONCE):
        with parts.cases() as store:
            found = store.rows(keys[start : start + AT_ONCE])
        yield found


def _csv(parts: Parts, keys: Sequence[int], unread: bool, separator: str, bom: bool) -> Iterator[str]:
    yield (BOM if bom else "") + cells.lines([[one.name for one in exporting.COLUMNS]], separator)
    count = 0
    for some in _some(parts, keys):
        count += len(some)
        yield cells.lines((exporting.row(one, unread=unread) for one in some), separator)
    yield cells.lines([("rows", count)], separator)


def _json_lines(parts: Parts, keys: Sequence[int], unread: bool) -> Iterator[str]:
    count = 0
    for some in _some(parts, keys):
        count += len(some)
        yield "".join(f"{json.dumps(exporting.record(one, unread=unread), ensure_ascii=False)}\n" for one in some)
    yield f"{json.dumps({'rows': count})}\n"
