"""A message whose bytes are opened: raw and decoded side by side, repaired as a new version, approved by a second person;
and whose it is, where that is in doubt."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge import reading
from labbridge.errors import Refuse, Refused
from labbridge.hl7 import visible
from labbridge.hl7.repair import Difference
from labbridge.model.messages import Bytes, Message, Version
from labbridge.model.report import Report
from labbridge.model.work import Feed
from labbridge.states import Reason
from labbridge.web.forms import ApproveForm, EditForm, VerdictForm, WhyForm
from labbridge.web.pages import messages
from labbridge.web.pages.messages import NO_MESSAGE
from labbridge.web.parts import Parts
from labbridge.web.views import wires
from labbridge.web.views.identities import Compared, compared
from labbridge.web.views.wires import Body, Reads, Wire

OPENED = "raw opened"


def opened(request: Request, message: str, form: Annotated[WhyForm, Form()]) -> Response:
    """The bytes, for a reason that is written down before they are shown."""
    found = messages.of_person(request, message)
    if found is None:
        return PlainTextResponse(NO_MESSAGE, 404)
    try:
        why = messages.reason(form.why)
    except Refused as refusal:
        return messages.shown(request, found, said=str(refusal), status=422)
    messages.noted(request, OPENED, f"M{found.key}", why)
    return _opened(request, found)


def _opened(request: Request, message: Message, *, said: str = "", status: int = 200, typed: str = "") -> Response:
    """The message with its bytes; `typed` is an edit that was refused, so that nothing of it is lost."""
    parts: Parts = request.app.state.parts
    with parts.messages() as store:
        held = store.bytes(message.key) or Bytes(b"", b"")
    wire = _wire(parts, message, held)
    base, text = _base(held)
    pending = next((one for one in held.versions if one.pending), None)
    editable = _is_editable(message, held, wire)
    return messages.shown(
        request,
        message,
        name="message_opened.html",
        said=said,
        status=status,
        held=held,
        oversize=message.reason is Reason.OVERSIZE or (len(held.raw) < message.length and bool(held.raw)),
        **_looked_at(parts, message, held, pending),
        editable=editable and message.editable,
        base=base,
        text=typed or (wire.editable(text) if editable else ""),
        pending=pending,
        differences=_differences(held, pending, wire),
        others=_others(held, pending),
    )


def _looked_at(parts: Parts, message: Message, held: Bytes, pending: Version | None) -> dict[str, Any]:
    """The bytes as their wire has them: `opened` segments, or the `body` of FHIR or of rows with how it reads, as it is and
    as the edit that waits has it. All of them None where no byte is left."""
    feed = parts.feeds.get(message.feed)
    if not held.raw or reading.is_hl7(held.raw, feed):
        places = " ".join((message.location, *(lane.sentence for lane in message.lanes)))
        opened = visible.opened(held.raw, feed.charset if feed else "", places) if held.raw else None
        return {"opened": opened, "body": None, "reads": None}
    body: Body = wires.opened(held.raw, _places(message))
    shown = pending.raw if pending is not None else _in_force(held)
    known = reading.feed_of(held.raw, message.feed, parts.feeds)
    reads: Reads = wires.reads(shown, known, message.notes, message.received)
    return {"opened": None, "body": body, "reads": reads}


def _places(message: Message) -> list[str]:
    """Where a body is at fault: what it was refused for, and what is not read of it."""
    left_out = [one.at for one in message.notes if one.code == reading.REFUSED]
    return [message.location, *left_out]


def _in_force(held: Bytes) -> bytes:
    """The bytes that are read: those received, or the newest approved edit."""
    approved = [one.raw for one in held.versions if one.approved_by]
    return approved[-1] if approved else held.raw


def _base(held: Bytes) -> tuple[int, bytes]:
    """The newest version, which an edit begins from, and its bytes; 1 is the one received."""
    newest = held.versions[-1] if held.versions else None
    return (newest.version, newest.raw) if newest else (1, held.raw)


def _differences(held: Bytes, pending: Version | None, wire: Wire) -> list[Difference] | None:
    """What the edit changes; None of one too long to be compared on a page: it is read from its files."""
    if pending is None:
        return []
    if not (wire.is_short(held.raw) and wire.is_short(pending.raw)):
        return None
    return wire.differences(held.raw, pending.raw)


def _others(held: Bytes, pending: Version | None) -> list[Version]:
    return [one for one in held.versions if one is not pending]


def _is_editable(message: Message, held: Bytes, wire: Wire) -> bool:
    """A page repairs what is whole, has segments or elements and is not too long; anything else is repaired from a file."""
    whole = message.reason is not Reason.OVERSIZE and not held.damaged
    return whole and bool(held.raw) and wire.can_be_edited(held.raw)


def _wire(parts: Parts, message: Message, held: Bytes) -> Wire:
    return wires.wire_of(held.raw, parts.feeds.get(message.feed))


# ---------------------------------------------------------------- repaired


def edit(request: Request, message: str, form: Annotated[EditForm, Form()]) -> Response:
    """A repaired message, kept beside the one received until a second person sends it through."""
    parts: Parts = request.app.state.parts
    found = messages.of_person(request, message)
    if found is None:
        return PlainTextResponse(NO_MESSAGE, 404)
    with parts.messages() as store:
        held = store.bytes(found.key) or Bytes(b"", b"")
    try:
        why = messages.reason(form.why)
        wire = _wire(parts, found, held)
        if not _is_editable(found, held, wire):
            raise Refused("This message cannot be repaired here; repair it from a file (`labbridge edit`)")
        raw = wire.repaired(_version(found, held, form.base), form.text)
        messages.did(request, "edit", f"M{found.key}", raw=base64.b64encode(raw).decode(), why=why, base=form.base)
    except Refused as refusal:
        return _still_opened(request, found, str(refusal), form.text)
    return messages.back(found)


def _version(message: Message, held: Bytes, number: int) -> bytes:
    """The bytes an edit was made from. Refused where they are not the newest: the text on the screen was another one."""
    base, raw = _base(held)
    if number != base:
        raise Refused(f"M{message.key} was edited by somebody else meanwhile: begin from version {base}")
    return raw


def approve(request: Request, message: str, form: Annotated[ApproveForm, Form()]) -> Response:
    """The edit that was read, and no other, sent through by a second person."""
    found = messages.of_person(request, message)
    if found is None:
        return PlainTextResponse(NO_MESSAGE, 404)
    try:
        why = messages.reason(form.why)
        read = {"version": form.version, "digest": form.digest}
        messages.did(request, "reprocess", f"M{found.key}", why=why, **read)
    except Refused as refusal:
        return _still_opened(request, found, str(refusal))
    return messages.back(found)


def _still_opened(request: Request, message: Message, said: str, typed: str = "") -> Response:
    """The page as it was, with what was refused; its bytes are shown once more."""
    again = messages.of_person(request, f"M{message.key}") or message
    messages.noted(request, OPENED, f"M{message.key}", "again, after an act on it was refused")
    return _opened(request, again, said=said, status=422, typed=typed)


# ---------------------------------------------------------------- who is who


def who(request: Request, message: str) -> Response:
    """What the message states of its patient, beside what is held. This is patient data: it is for who decides on patients
    (Right.DECIDE, not Right.REPAIR, which people have who see no case), and written down before it is shown."""
    found = messages.of_person(request, message)
    return PlainTextResponse(NO_MESSAGE, 404) if found is None else _who(request, found)


def _who(request: Request, message: Message, said: str = "", status: int = 200) -> Response:
    messages.noted(request, "who is who opened", f"M{message.key}", message.reason)
    try:
        found = list(_compared(request.app.state.parts, message))
    except Refused as refusal:
        return messages.shown(request, message, said=str(refusal), status=422)
    return messages.shown(request, message, name="message_who.html", said=said, status=status, compared=found)


def _compared(parts: Parts, message: Message) -> Iterator[Compared]:
    feed = parts.feeds.get(message.feed)
    if feed is None:
        raise Refused(f"The feed {message.feed} of M{message.key} is not configured; restore it first")
    with parts.messages() as store:
        held = store.bytes(message.key) or Bytes(b"", b"")
        reports = _reports(_in_force(held), feed, message)
        for report in reports:
            if report.patient.key is None:
                continue
            histories = [store.held(report.patient.key, report.lane)]
            if report.merged and report.merged != report.lane:
                histories.append(store.held(None, report.merged))
            yield compared(report, *histories)


def _reports(raw: bytes, feed: Feed, message: Message) -> list[Report]:
    try:
        return reading.reports_of(raw, feed, message.received, message.notes)
    except Refuse as fault:
        raise Refused(f"It cannot be read: {fault.text} {fault.location}".strip()) from None


def identity(request: Request, message: str, form: Annotated[VerdictForm, Form()]) -> Response:
    """The same patient, or another."""
    return _decided(request, message, "identity", form.why, verdict=form.verdict.value)


def unlink(request: Request, message: str, form: Annotated[WhyForm, Form()]) -> Response:
    """What an identity message linked is two patients again."""
    return _decided(request, message, "unlink", form.why)


def _decided(request: Request, message: str, command: str, why: str, **more: str) -> Response:
    found = messages.of_person(request, message)
    if found is None:
        return PlainTextResponse(NO_MESSAGE, 404)
    try:
        messages.did(request, command, f"M{found.key}", why=messages.reason(why), **more)
    except Refused as refusal:
        return _who(request, found, str(refusal), 422)
    return messages.back(found)
