"""Messages: the lists of those that need a person, and of all others, and one message as it is known without its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge.errors import Refused
from labbridge.model.messages import ChosenMessages, Message, Page, Waiting
from labbridge.model.people import Person
from labbridge.model.work import AuditEvent
from labbridge.notes import NOTES
from labbridge.review import permissions
from labbridge.states import SENTENCES, Reason, State
from labbridge.web import asking, asking_messages, rendering
from labbridge.web.forms import ManyForm, WhyForm
from labbridge.web.parts import Parts
from labbridge.web.views.clock import Age, age

NO_MESSAGE = "There is no such message\n"
MOST_AT_ONCE, LONGEST_WHY = 100, 200
VIEWS: tuple[State | None, ...] = (State.QUARANTINED, State.PARKED, State.KEPT, State.DONE, None)
OF_IDENTITY = (Reason.IDENTITY_CONFLICT, Reason.OTHER_PATIENT, Reason.IDENTITY)


class Told(NamedTuple):
    """What became of one of several: its key, whether it was done, and why not."""

    key: str
    ok: bool
    text: str = ""


class View(NamedTuple):
    """A list in the filters that are chosen: its name, its address, how many need a person, and for how long the oldest."""

    name: str
    path: str
    waiting: Waiting | None = None
    oldest: Age | None = None


def listed(request: Request) -> Response:
    return _listed(request)


def _listed(request: Request, told: Sequence[Told] = (), said: str = "") -> Response:
    """The list an address asks for; beside it what became of an act."""
    parts: Parts = request.app.state.parts
    try:
        chosen, before = asking_messages.messages(request), asking_messages.before(request)
    except Refused as refusal:
        nothing = ChosenMessages(feeds=asking.sites(request.state.visit.person))
        return _rendered(request, nothing, Page(()), said=str(refusal), status=422)
    with parts.messages() as store:
        page = store.page(chosen, before, asking_messages.ROWS)
    return _rendered(request, chosen, page, told=told, said=said, status=422 if said else 200, later=before > 0)


def _rendered(request: Request, chosen: ChosenMessages, page: Page, *, status: int, **more: Any) -> Response:
    parts: Parts = request.app.state.parts
    now = parts.clock.now()
    with parts.messages() as store:
        waiting = store.waiting(chosen.feeds)
        feeds, types = store.sorts()
    shown = feeds if chosen.feeds is None else tuple(one for one in feeds if one in chosen.feeds)
    following = asking_messages.of_messages(chosen, before=str(page.following)) if page.following else ""
    return rendering.page(
        request,
        "messages.html",
        status=status,
        **{"told": (), "said": "", "later": False, **more},
        chosen=chosen,
        messages=page.messages,
        views=[_view(chosen, state, waiting, now) for state in VIEWS],
        feeds=shown,
        types=types,
        reasons=SENTENCES,
        ages={one.key: age(one.received, now) for one in page.messages},
        here=asking_messages.of_messages(chosen),
        following=following,
    )


def _view(chosen: ChosenMessages, state: State | None, waiting: dict[State, Waiting], now: datetime) -> View:
    value = state.value if state else ""
    path = f"/messages{asking_messages.of_messages(chosen, state=value)}"
    found = waiting.get(state) if state else None
    return View(value, path, found, age(found.oldest, now) if found and found.oldest else None)


# ---------------------------------------------------------------- sent through again


def reprocess(request: Request, form: Annotated[ManyForm, Form()]) -> Response:
    """Several messages, sent through again for one reason. What became of each is told."""
    keys = list(dict.fromkeys(form.key))
    try:
        if not 1 <= len(keys) <= MOST_AT_ONCE:
            raise Refused("Choose 1 to 100 messages")
        told = _reprocessed(request, keys, reason(form.why))
    except Refused as refusal:
        return _listed(request, said=str(refusal))
    return _listed(request, told)


def again(request: Request, message: str, form: Annotated[WhyForm, Form()]) -> Response:
    """One message, from its own page."""
    found = of_person(request, message)
    if found is None:
        return PlainTextResponse(NO_MESSAGE, 404)
    try:
        (told,) = _reprocessed(request, [f"M{found.key}"], reason(form.why))
    except Refused as refusal:
        return shown(request, found, said=str(refusal), status=422)
    return back(found) if told.ok else shown(request, found, said=told.text, status=422)


def _reprocessed(request: Request, keys: Sequence[str], why: str) -> list[Told]:
    """Each key in its order; of another site there is none."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    numbers = [number for number in (asking_messages.key("M", one) for one in keys) if number]
    with parts.messages() as store:
        feeds = store.feeds_of(numbers)
    mine = [f"M{number}" for number in numbers if number in feeds and permissions.sees(person, feeds[number])]
    done = {one["key"]: one for one in asked(request, "reprocess", mine, why=why)} if mine else {}
    return [_told(one, done.get(one)) for one in keys]


def _told(key: str, done: dict[str, Any] | None) -> Told:
    if done is None:
        return Told(key[:20], False, "There is no such message")
    return Told(key, bool(done.get("ok")), str(done.get("error", "")))


# ---------------------------------------------------------------- one message


def one(request: Request, message: str) -> Response:
    found = of_person(request, message)
    return PlainTextResponse(NO_MESSAGE, 404) if found is None else shown(request, found)


def shown(
    request: Request, message: Message, *, said: str = "", status: int = 200, name: str = "message.html", **more: Any
) -> Response:
    """A message as it is known; `more` is what another template shows of it beside."""
    given = {"said": said, "notes": NOTES, "reasons": SENTENCES, "of_identity": OF_IDENTITY, **more}
    return rendering.page(request, name, status=status, message=message, **given)


def of_person(request: Request, text: str) -> Message | None:
    """A message of a site the person belongs to; of another one there is none."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    key = asking_messages.key("M", text)
    if not key:
        return None
    with parts.messages() as store:
        found = store.one(key, asking.sites(person))
    return found if found is not None and permissions.sees(person, found.feed) else None


def asked(request: Request, command: str, keys: Sequence[str], **more: Any) -> list[dict[str, Any]]:
    """What the service made of an act of this person. Refused where it refused the act as a whole."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    answer = parts.act({"command": command, "keys": list(keys), "as": person.name, "person": person.login, **more})
    if "done" not in answer:
        raise Refused(str(answer.get("error") or "The service refused it"))
    done: list[dict[str, Any]] = answer["done"]
    return done


def did(request: Request, command: str, key: str, **more: Any) -> None:
    """An act on one key. Refused where the service refuses it."""
    (done,) = asked(request, command, [key], **more)
    if not done.get("ok"):
        raise Refused(str(done.get("error") or "The service refused it"))


def reason(text: str) -> str:
    """Why somebody does something with a message or a delivery, as the audit keeps it."""
    why = " ".join(text.split())
    if not why:
        raise Refused("Say why, for who reads it later")
    if len(why) > LONGEST_WHY or not why.isprintable():
        raise Refused(f"A reason has at most {LONGEST_WHY} printable characters")
    return why


def noted(request: Request, action: str, subject: str, why: str) -> None:
    """Whoever opens what patients are in is written down first, with the reason."""
    parts: Parts = request.app.state.parts
    login = request.state.visit.person.login
    with parts.people() as people:
        people.noted(AuditEvent(at=parts.clock.now(), actor=login, action=action, subject=subject, detail=why))


def back(message: Message) -> Response:
    """To the message's page, loaded anew."""
    return Response(status_code=204, headers={"HX-Redirect": f"/messages/M{message.key}"})
