"""Images and documents that came with the results of a case, opened on demand: each is what it says it is, or is not
shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
from fastapi import Request
from starlette.responses import Response

from labbridge.hl7.attachments import Attachment
from labbridge.model.messages import InForce
from labbridge.model.work import Case
from labbridge.web import rendering
from labbridge.web.pages import of_case
from labbridge.web.parts import Parts
from labbridge.web.views.documents import documents

MOST_BYTES = 32 * 2**20  # of messages looked through at once
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class ShownAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """An attachment of a message; `path` is where its bytes are, empty where it cannot be shown. `name`: what it is asked
    for by, as an address has it. `image`: a page can hold it. `opened`: it was asked for."""

    message: str
    attachment: Attachment
    name: str
    path: str
    image: bool
    opened: bool


def listed(request: Request, case: str) -> Response:
    """All of them. `?message=M17` looks at that one alone; `?open=M17-3` shows that image."""
    found = of_case.found(request, case)
    if isinstance(found, Response):
        return found
    keys = of_case.messages(found)
    if asked := request.query_params.get("message", ""):
        keys = tuple(key for key in keys if key == of_case.number(asked))
    of_case.viewed(request, found, "attachments")
    messages, left = of_case.read(request, keys, MOST_BYTES)
    opened = request.query_params.get("open", "")
    shown = [one for message in messages for one in _of(request, found, message, opened)]
    return rendering.page(request, "attachments.html", case=found, attachments=shown, left=left)


def _of(request: Request, case: Case, message: InForce, opened: str) -> Iterator[ShownAttachment]:
    for one, _data in _read(request, case, message):
        name = _name(one.at)
        yield ShownAttachment(
            message=f"M{message.key}",
            attachment=one,
            name=quote(name, safe=""),
            path=f"/cases/C{case.key}/attachments/M{message.key}/{quote(name, safe='')}" if one.format else "",
            image=one.format is not None and one.format.media.startswith("image/"),
            opened=opened == f"M{message.key}-{name}",
        )


def _name(at: str) -> str:
    """What the page asks for: the number of an OBX, else the place itself."""
    return at[4:-1] if at.startswith("OBX[") else at


def _read(request: Request, case: Case, message: InForce, at: str = "") -> Iterator[tuple[Attachment, bytes]]:
    """The attachments of a message, or the one at a place."""
    parts: Parts = request.app.state.parts
    found = documents(message, of_case.feed_of(parts, message), of_case.lanes(case))
    return ((one, data) for one, data in found if at in ("", _name(one.at)))


def one(request: Request, case: str, message: str, number: str) -> Response:
    """The bytes of one, under a name of our own keys. The browser runs nothing of it."""
    found = of_case.found(request, case)
    if isinstance(found, Response):
        return found
    key = of_case.number(message)
    if key not in of_case.messages(found):
        return of_case.nothing()
    messages, _left = of_case.read(request, (key,), 0)
    for known in messages:
        for about, data in _read(request, found, known, number):
            if about.format is not None:
                of_case.viewed(request, found, f"attachment M{key}:{about.at}")
                way = "inline" if about.format.media.startswith("image/") else "attachment"
                place = _NO_NAME.sub("-", number).strip("-")
                name = f"C{found.key}-M{key}-{place}.{about.format.ending}"
                told = {**HEADERS, "Content-Disposition": f'{way}; filename="{name}"'}
                return Response(data, media_type=about.format.media, headers=told)
    return of_case.nothing()
