"""The case."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from labbridge.model.people import Person, Right
from labbridge.model.review import Decided, Disposition
from labbridge.model.work import AuditEvent, Case, HeldResults
from labbridge.review import alike, decisions, permissions, policies, second
from labbridge.states import CaseState
from labbridge.web import passwords, rendering
from labbridge.web.forms import DecisionForm, SignatureForm
from labbridge.web.pages.surroundings import around
from labbridge.web.parts import Parts
from labbridge.web.views.timeline import timeline
from labbridge.web.visits import Visit

MEANING = "reviewed and released"
NOT_YOURS = "This is not your password: nothing was signed"
NO_CASE = "There is no such case\n"


def one(request: Request, case: str) -> Response:
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    found = visible(parts, person, case)
    if found is None:
        return PlainTextResponse(NO_CASE, 404)
    if unseen(parts, request.state.visit, found):
        return RedirectResponse(f"/cases/C{found.key}/reading", 303)
    detail = f"version {found.version}"
    event = AuditEvent(
        at=parts.clock.now(), actor=person.login, action="viewed", subject=f"C{found.key}", detail=detail
    )
    with parts.people() as people:  # whoever sees a patient is written down before
        people.opens(found.key, person, event)
    return _shown(request, found)


def _shown(request: Request, case: Case, said: str = "", status: int = 200, before: Case | None = None) -> Response:
    """The case as it is now; `before` is what the person had before them, where that was another version."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    now = parts.clock.now()
    with parts.cases() as store:
        decided, signed, held = store.decisions(case.key), store.signatures(case.key), store.held(case.key)
        readings = store.two_readers(case.key).readings if any(not one.delivery for one in signed) else ()
    held = held or HeldResults()
    wordings = [one.text for one in decided if one.version == case.version and one.kind is Decided.WORDING]
    worded = policies.worded(case, wordings[-1] if wordings else "")
    return rendering.page(
        request,
        "case.html",
        status=status,
        said=said,
        case=worded,
        drafted=case.text,
        **around(request, case, held),
        course=timeline(held.results, case.outcome, held.context),
        damaged=held.damaged,
        meanings=parts.meanings,
        decided=decided,
        signed=signed,
        screen=decisions.screen(worded, worded.text).hex(),
        proven=parts.ages.proven(visit.session, now),
        open=case.state in decisions.UNDECIDED,
        signable=case.state in decisions.OPEN and bool(case.outcome.comment and case.text) and not case.outcome.hold,
        second=second.waits(case),
        alike=not alike.single(case),
        readings=readings,
        undoable=case.state is CaseState.SIGNED,
        waits=case.disposition is not Disposition.NONE and (case.until is None or case.until > now),
        before=before,
        now=now,
    )


# ---------------------------------------------------------------- decisions


def decide(request: Request, case: str, form: Annotated[DecisionForm, Form()]) -> Response:
    """Whatever a person decides but the signature."""
    parts: Parts = request.app.state.parts
    until = (parts.clock.now() + timedelta(days=form.days)).isoformat() if form.kind is Decided.HOLD else ""
    more = {"command": "decide", "kind": form.kind.value, "why": form.why, "text": form.text, "until": until}
    stays = form.kind in (Decided.WORDING, Decided.UNDO, Decided.CORRECT, Decided.RETURN)
    return acted(request, case, form.version, more, stays=stays)


def sign(request: Request, case: str, form: Annotated[SignatureForm, Form()]) -> Response:
    """The signature: the password again, unless it was given a moment ago, and exactly what was on the screen."""
    return _signed(request, case, form, second=False)


def countersign(request: Request, case: str, form: Annotated[SignatureForm, Form()]) -> Response:
    """The second of two signatures, which lets the comment leave."""
    return _signed(request, case, form, second=True)


def _signed(request: Request, case: str, form: SignatureForm, *, second: bool) -> Response:
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    if not proven(parts, visit, form.password):
        found = visible(parts, visit.person, case)
        if found is not None and unseen(parts, visit, found):
            return Response(status_code=204, headers={"HX-Redirect": f"/cases/C{found.key}/reading"})
        return _shown(request, found, NOT_YOURS, 422) if found else PlainTextResponse(NO_CASE, 404)
    more = {"command": "release", "screen": form.screen, "meaning": MEANING, "undo_s": parts.undo_s, "second": second}
    return acted(request, case, form.version, more, stays=False)


def proven(parts: Parts, visit: Visit, password: str) -> bool:
    """Whether the password was given, now or a moment ago; guesses are slowed down as at the sign-in."""
    now = parts.clock.now()
    if parts.ages.proven(visit.session, now):
        return True
    login = f"login {visit.person.login}"
    if parts.throttle.begun(login) > 0 or not passwords.matches(visit.person.secret, password):
        return False
    parts.throttle.succeeded(login)
    with parts.people() as people:
        people.proven(visit.session, now)
    return True


def acted(request: Request, shown: str, version: int, more: dict[str, Any], *, stays: bool) -> Response:
    """Ask the service for an act on the case version that was shown, and go on: to the worklist, or to the case where it
    stays in hand. What the service refuses is told beside the case as it is now."""
    parts: Parts = request.app.state.parts
    person: Person = request.state.visit.person
    found = visible(parts, person, shown)
    if found is None:
        return PlainTextResponse(NO_CASE, 404)
    if unseen(parts, request.state.visit, found):
        return Response(status_code=204, headers={"HX-Redirect": f"/cases/C{found.key}/reading"})
    key = f"C{found.key}@{version}"
    screens = {key: more.pop("screen", "")}
    answer = parts.act({"keys": [key], "as": person.name, "person": person.login, "screens": screens, **more})
    if not answer.get("ok"):
        done = answer.get("done") or [{}]
        said = str(answer.get("error") or done[0].get("error") or "The service refused it")
        again = visible(parts, person, shown) or found
        with parts.cases() as store:
            before = store.draft(found.key, version) if again.version != version else None
        return _shown(request, again, said, 422, before)
    return Response(status_code=204, headers={"HX-Redirect": f"/cases/C{found.key}" if stays else "/worklist"})


# ---------------------------------------------------------------- what is shown, and to whom


def unseen(parts: Parts, visit: Visit, case: Case) -> bool:
    """Whether this person is to read HEp-2 of the case before seeing anything of it."""
    if not (second.waits(case) and visit.may(Right.SECOND_READ)):
        return False
    with parts.cases() as store:
        return second.unseen_by(case, visit.person.login, store.two_readers(case.key))


def visible(parts: Parts, person: Person, shown: str) -> Case | None:
    """A case of a site the person belongs to; of another one there is none."""
    if not (shown[:1] == "C" and shown[1:].isascii() and shown[1:].isdigit() and len(shown) < 19):
        return None
    with parts.cases() as store:
        found = store.case(int(shown[1:]))
    return found if found is not None and permissions.sees(person, found.feed) else None


def noted(parts: Parts, person: Person, subject: str, detail: str, action: str = "viewed") -> None:
    """Whoever sees a patient is written down, before it is shown."""
    event = AuditEvent(at=parts.clock.now(), actor=person.login, action=action, subject=subject, detail=detail)
    with parts.people() as people:
        people.noted(event)
