"""What another knowledge would change in the stored past: replays, each case before and after, what people say of it."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from fastapi import Form, Request
from starlette.responses import PlainTextResponse, Response

from labbridge.model.replay import Replayed, Wanted
from labbridge.model.work import AuditEvent
from labbridge.review.wordings import Part, differences
from labbridge.web import asking, rendering
from labbridge.web.forms import SayForm
from labbridge.web.parts import Parts
from labbridge.web.visits import Visit

NEWEST, ROWS = 20, 25
NO_REPLAY = "There is no such replay\n"


class Shown(NamedTuple):
    """A case of a replay: what goes and what comes of findings and retests, and its words beside each other."""

    one: Replayed
    gone: tuple[str, ...]
    come: tuple[str, ...]
    words: list[Part]


def listed(request: Request) -> Response:
    return _listed(request)


def _listed(request: Request, said: str = "") -> Response:
    parts: Parts = request.app.state.parts
    with parts.replays() as store:
        found = store.newest(NEWEST)
    return rendering.page(request, "replays.html", status=422 if said else 200, replays=found, said=said)


def begin(request: Request) -> Response:
    """What lies on the disk beside what is in force; it goes on by itself."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    answer = parts.act({"command": "replay", "as": visit.person.name, "person": visit.person.login})
    if not answer.get("ok"):
        return _listed(request, str(answer.get("error") or "The service refused it"))
    return Response(status_code=204, headers={"HX-Redirect": f"/replays/R{answer['replay']}"})


def one(request: Request, replay: str, after: int = 0) -> Response:
    return _one(request, replay, after)


def _one(request: Request, shown: str, after: int, said: str = "") -> Response:
    """The cases of the person's sites; whoever sees them is written down."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    feeds = asking.sites(visit.person)
    with parts.replays() as store:
        found = store.one(_number(shown))
        if found is None:
            return PlainTextResponse(NO_REPLAY, 404)
        cases, verdicts = store.cases(found.key, feeds, after, ROWS + 1), store.verdicts(found.key, feeds)
    some = cases[:ROWS]
    if some:
        keys = " ".join(case.told.case or "new" for case in some)
        event = AuditEvent(
            at=parts.clock.now(), actor=visit.person.login, action="viewed", subject=f"R{found.key}", detail=keys
        )
        with parts.people() as people:
            people.noted(event)
    return rendering.page(
        request,
        "replay.html",
        status=422 if said else 200,
        replay=found,
        cases=[beside(case) for case in some],
        counts={(one.value or "open"): verdicts.get(one, 0) for one in Wanted},
        following=some[-1].number if len(cases) > ROWS else 0,
        said=said,
    )


def beside(one: Replayed) -> Shown:
    """A case as it is beside the case as it would be."""
    before, after = one.told.before, one.told.after
    gone, come = _lines(before), _lines(after)
    return Shown(
        one,
        tuple(line for line in gone if line not in come),
        tuple(line for line in come if line not in gone),
        differences(str(before.get("text", "")), str(after.get("text", ""))),
    )


def _lines(side: dict[str, Any]) -> list[str]:
    """States, findings, retests and class of a side, a line each; nothing where there is no case."""
    if not side:
        return []
    states = [f"{name} {state}" for name, state in side["states"].items()]
    held = ["on hold"] if side["hold"] else []
    comment = [f"comment {side['comment']}"] if side["comment"] else []
    return [*states, *side["flags"], *(f"retest {retest}" for retest in side["retests"]), *comment, *held]


def say(request: Request, replay: str, number: str, form: Annotated[SayForm, Form()]) -> Response:
    """A case is as it is meant to be, or the change has to be narrower."""
    parts: Parts = request.app.state.parts
    visit: Visit = request.state.visit
    feeds, key = asking.sites(visit.person), _number(replay)
    place = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    with parts.replays() as store:
        visible = [one for one in store.cases(key, feeds, place - 1, 1) if one.number == place]
    if not visible:
        return PlainTextResponse(NO_REPLAY, 404)
    person = {"as": visit.person.name, "person": visit.person.login}
    asked = {"command": "say", "keys": [f"R{key}/{place}"], "verdict": form.verdict, "why": form.why, **person}
    answer = parts.act(asked)
    refused = [str(one["error"]) for one in answer.get("done", []) if not one["ok"]]
    return _one(request, replay, place - 1, str(answer.get("error") or "") or "; ".join(refused))


def _number(shown: str) -> int:
    """The number of a replay written R3; 0 for anything else."""
    digits = shown[1:]
    return int(digits) if shown[:1] == "R" and digits.isascii() and digits.isdigit() and len(digits) < 10 else 0
