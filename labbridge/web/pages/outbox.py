"""What leaves: deliveries, those that failed first, and each attempt with the bytes of both sides."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge import reading
from labbridge.errors import Refused
from labbridge.hl7 import visible
from labbridge.model.messages import ChosenDeliveries, DeliveryDetail, DeliveryPage
from labbridge.model.people import Person
from labbridge.states import DeliveryState
from labbridge.web import asking, asking_messages, rendering
from labbridge.web.forms import WhyForm
from labbridge.web.pages import messages
from labbridge.web.pages.messages import View
from labbridge.web.parts import Parts
from labbridge.web.views import wires
from labbridge.web.views.clock import age

NO_DELIVERY = "There is no such delivery\n"
OPENED = "raw opened"
VIEWS = (None, *DeliveryState)
SETTLED = (DeliveryState.ACKNOWLEDGED, DeliveryState.CANCELLED)
_REFUSAL = re.compile(r"((?:\d+ times )?(?:[AC][ER]|\d{3})): .*", re.DOTALL)


def listed(request: Request) -> Response:
    parts: Parts = request.app.state.parts
    try:
        chosen, after = asking_messages.deliveries(request), asking_messages.after(request)
    except Refused as refusal:
        nothing = ChosenDeliveries(feeds=asking.sites(request.state.visit.person))
        return _rendered(request, nothing, DeliveryPage(()), said=str(refusal), status=422)
    with parts.deliveries() as store:
        page = store.page(chosen, after, asking_messages.ROWS)
    return _rendered(request, chosen, page, later=after != (0, 0))


def _rendered(
    request: Request,
    chosen: ChosenDeliveries,
    page: DeliveryPage,
    *,
    said: str = "",
    status: int = 200,
    later: bool = False,
) -> Response:
    parts: Parts = request.app.state.parts
    now = parts.clock.now()
    with parts.deliveries() as store:
        waiting, receivers = store.waiting(chosen.feeds), store.receivers(chosen.feeds)
    views = []
    for state in VIEWS:
        found = waiting.get(state) if state else None
        path = f"/outbox{asking_messages.of_deliveries(chosen, state=state.value if state else '')}"
        oldest = age(found.oldest, now) if found and found.oldest else None
        views.append(View(state.value if state else "", path, found, oldest))
    rank, key = page.following
    return rendering.page(
        request,
        "outbox.html",
        status=status,
        said=said,
        chosen=chosen,
        deliveries=page.deliveries,
        views=views,
        receivers=receivers,
        ages={one.key: age(one.created, now) for one in page.deliveries if one.state not in SETTLED},
        own_words=own_words,
        here=asking_messages.of_deliveries(chosen),
        following=asking_messages.of_deliveries(chosen, after=f"{rank}-{key}") if key else "",
        later=later,
    )


def own_words(reason: str) -> str:
    """A reason without what the receiver wrote in its own: that may name anybody, and is shown with the bytes."""
    found = _REFUSAL.fullmatch(reason)
    return found[1] if found else reason


def one(request: Request, delivery: str) -> Response:
    found = _of_person(request, delivery)
    return PlainTextResponse(NO_DELIVERY, 404) if found is None else _shown(request, found)


def opened(request: Request, delivery: str, form: Annotated[WhyForm, Form()]) -> Response:
    """What was sent and what was answered, for a reason that is written down before it is shown."""
    found = _of_person(request, delivery)
    if found is None:
        return PlainTextResponse(NO_DELIVERY, 404)
    try:
        why = messages.reason(form.why)
    except Refused as refusal:
        return _shown(request, found, said=str(refusal), status=422)
    messages.noted(request, OPENED, f"D{found.row.key}", why)
    return _shown(request, _of_person(request, delivery, opened=True) or found, opened=True)


def again(request: Request, delivery: str, form: Annotated[WhyForm, Form()]) -> Response:
    """A delivery that was given up goes again, the same bytes under the same control id."""
    found = _of_person(request, delivery)
    if found is None:
        return PlainTextResponse(NO_DELIVERY, 404)
    try:
        messages.did(request, "reprocess", f"D{found.row.key}", why=messages.reason(form.why))
    except Refused as refusal:
        return _shown(request, found, said=str(refusal), status=422)
    return Response(status_code=204, headers={"HX-Redirect": f"/outbox/D{found.row.key}"})


def _shown(
    request: Request, delivery: DeliveryDetail, *, said: str = "", status: int = 200, opened: bool = False
) -> Response:
    body = not reading.is_hl7(delivery.raw, None)
    codec = "utf-8" if body else visible.characters(delivery.raw).codec
    return rendering.page(
        request,
        "delivery.html",
        status=status,
        said=said,
        delivery=delivery,
        opened=opened,
        sent=[one.text for one in wires.opened(delivery.raw).lines] if body else _lines(delivery.raw, codec),
        codec=codec,
        answers=[_lines(one.answer, codec) for one in delivery.attempts],
        own_words=own_words,
    )


def _lines(raw: bytes, codec: str) -> list[str]:
    """Bytes as text, a segment a line. An answer is read in the characters of what it answers."""
    return [visible.text_of(line.data, codec) for line in visible.lines(raw)[1]]


def _of_person(request: Request, text: str, *, opened: bool = False) -> DeliveryDetail | None:
    """A delivery of a site the person belongs to; of another one there is none."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    key = asking_messages.key("D", text)
    if not key:
        return None
    with parts.deliveries() as store:
        return store.one(key, asking.sites(person), opened=opened)
