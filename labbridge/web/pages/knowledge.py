"""What the machine says, item by item: as it is written, whether it is in force, who put it forward, who approved it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge.errors import Refused
from labbridge.model.approvals import Approval, SignAct, Standing
from labbridge.model.items import KINDS, Item
from labbridge.model.people import Right
from labbridge.review import approvals
from labbridge.web import rendering
from labbridge.web.forms import ItemsForm
from labbridge.web.pages.cases import NOT_YOURS, proven
from labbridge.web.parts import Parts
from labbridge.web.views import differences
from labbridge.web.visits import Visit

EDITED = ("rule", "comment", "release", "policy", "order", "method", "kit", "manufacturer", "code")
NO_ITEM = "There is no such item\n"
EVERY, SITE = "every", "site"
NEEDED = {
    SignAct.PUT_FORWARD: Right.AUTHOR_KNOWLEDGE,
    SignAct.APPROVE: Right.APPROVE_KNOWLEDGE,
    SignAct.WITHDRAW: Right.APPROVE_KNOWLEDGE,
}
Signed = Mapping[tuple[str, str], Approval]


def listed(request: Request, kind: str = "", standing: str = "") -> Response:
    """The items of one kind (those that this site wrote, where none is named), by how far they are signed."""
    return _listed(request, kind, standing)


def refused(request: Request, item: str, text: str, said: str) -> Response:
    """The page that a record was written on, with what was written, and why it is not taken."""
    parts: Parts = request.app.state.parts
    try:
        known = item in parts.items()
    except Refused:
        known = False
    if known:
        return _one(request, item, said, 422, text)
    return _listed(request, item.partition(":")[0], "", said, (item, text))


def _listed(request: Request, kind: str, standing: str, said: str = "", given: tuple[str, str] = ("", "")) -> Response:
    """What is said is why something was refused."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    try:
        items = parts.items()
    except Refused as refusal:
        return rendering.page(request, "knowledge.html", status=422, **_nothing(str(refusal)))
    signed = _signed(parts)
    kind = kind if kind in (*KINDS, EVERY) else SITE
    of_kind = [one for one in items.values() if kind == EVERY or one.kind == kind or (kind == SITE and one.site)]
    shown = [one for one in of_kind if not standing or approvals.standing(one, signed) == standing]
    waiting = _not_in_force(parts, items)
    return rendering.page(
        request,
        "knowledge.html",
        status=422 if said else 200,
        items=[(one, approvals.standing(one, signed).value, signed.get((one.key, one.sha256))) for one in shown],
        kinds=_counted(items, signed),
        kind=kind,
        standing=standing,
        standings=[one.value for one in Standing],
        waiting=waiting,
        edited=EDITED,
        given=given,
        proven=parts.ages.proven(visit.session, parts.clock.now()),
        said=said,
    )


def _nothing(said: str) -> dict[str, object]:
    """A page without items: the files cannot be understood."""
    lists: dict[str, object] = {name: [] for name in ("items", "kinds", "standings")}
    return {
        **lists,
        "edited": (),
        "given": ("", ""),
        "kind": "",
        "standing": "",
        "waiting": None,
        "proven": False,
        "said": said,
    }


def _counted(items: Mapping[str, Item], signed: Signed) -> list[tuple[str, int, int]]:
    """Each kind with how many there are of it, and how many of them are approved."""
    every, done = Counter[str](), Counter[str]()
    for one in items.values():
        approved = approvals.standing(one, signed) is Standing.APPROVED
        for kind in (one.kind, EVERY, *([SITE] if one.site else [])):
            every[kind] += 1
            done[kind] += approved
    return [(kind, every[kind], done[kind]) for kind in (SITE, *KINDS, EVERY)]


def one(request: Request, item: str) -> Response:
    """One item: how it is written, what it is compared with, and each signature it ever had."""
    return _one(request, item)


def _one(request: Request, key: str, said: str = "", status: int = 200, given: str = "") -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    try:
        items = parts.items()
    except Refused as refusal:
        return rendering.page(request, "knowledge.html", status=422, **_nothing(str(refusal)))
    found = items.get(key)
    if found is None:
        return PlainTextResponse(NO_ITEM, 404)
    with parts.approvals() as store:
        history = store.of_item(key)
    signed = approvals.in_force(history)
    waiting = _not_in_force(parts, items)
    return rendering.page(
        request,
        "knowledge_item.html",
        status=status,
        item=found,
        standing=approvals.standing(found, signed).value,
        approval=signed.get((key, found.sha256)),
        history=list(reversed(history)),
        changed=_changed(found, history),
        waits=waiting is not None and key in waiting,
        written=(given or _next(found)) if found.kind in EDITED else "",
        open=bool(given),
        proven=parts.ages.proven(visit.session, parts.clock.now()),
        said=said,
    )


def _next(item: Item) -> str:
    """The record as a person begins to change it: under the version that comes next, where it has one."""
    if not item.version:
        return item.text
    return re.sub(rf"(?m)^(- |  )version: {item.version}$", rf"\g<1>version: {item.version + 1}", item.text, count=1)


def _changed(item: Item, history: list[Approval]) -> list[differences.Line]:
    """The item beside the content that was approved last; nothing where it is that one."""
    before = [one for one in history if one.approved is not None]
    return differences.lines(before[-1].text, item.text) if before and before[-1].sha256 != item.sha256 else []


def sign(request: Request, form: Annotated[ItemsForm, Form()]) -> Response:
    """One signature under the items that were chosen, each in the content that was on the screen."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    alone = form.chosen[0].rpartition("@")[0] if len(form.chosen) == 1 else ""
    if not visit.may(NEEDED[form.act]):
        return PlainTextResponse(rendering.said(request, "Your account does not allow this") + "\n", 403)
    if not form.chosen:
        return _listed(request, "", "", "Choose what you sign")
    said = _sign(parts, visit, form)
    if alone:
        return _one(request, alone, said, 422 if said else 200)
    kind = form.chosen[0].partition(":")[0]
    return _listed(request, kind, "", said)


def _sign(parts: Parts, visit: Visit, form: ItemsForm) -> str:
    """Why it was refused; empty where all were signed."""
    if not proven(parts, visit, form.password):
        return NOT_YOURS
    person = {"as": visit.person.name, "person": visit.person.login}
    answer = parts.act({"command": "sign", "keys": form.chosen, "act": form.act, "why": form.why, **person})
    refused = [str(one["error"]) for one in answer.get("done", []) if not one["ok"]]
    return str(answer.get("error") or "") or "; ".join(refused[:3])


def reload(request: Request) -> Response:
    """What lies on the disk is proven and taken into force, or nothing of it is."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    answer = parts.act({"command": "reload", "as": visit.person.login})
    faults = "; ".join(str(one["text"]) for one in answer.get("faults", ())[:3])
    said = "" if answer.get("ok") else str(answer.get("error") or faults or "The service refused it")
    return _listed(request, "", "", said)


# ---------------------------------------------------------------- what is in force, and what is signed


def _signed(parts: Parts) -> Signed:
    with parts.approvals() as store:
        return approvals.in_force(store.all())


def _not_in_force(parts: Parts, items: Mapping[str, Item]) -> set[str] | None:
    """The items on the disk that the service does not work by yet; None where it does not say what it works by."""
    version = str(parts.act({"command": "knowledge"}).get("in_force", ""))
    with parts.approvals() as store:
        body = store.knowledge(version) if version else None
    if body is None:
        return None
    working = parts.items.of(version, body)
    return {key for key, one in items.items() if key not in working or working[key].sha256 != one.sha256}
