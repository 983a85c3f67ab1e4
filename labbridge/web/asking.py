"""What is asked of the worklist, read from an address and written into one. No patient's number ever stands there."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from fastapi import Request
from msgspec.structs import replace
from starlette.datastructures import QueryParams

from labbridge.errors import Refused
from labbridge.model.outcome import Severity
from labbridge.model.people import EVERY_FEED, Person, Right
from labbridge.model.worklist import BY_NAME, FIRST, HIGHEST, Chosen, Place
from labbridge.web.visits import Visit

ROWS, MOST_ROWS = 50, 200
LONGEST_KEY = 18  # digits


def sites(person: Person) -> tuple[str, ...] | None:
    """The feeds of a person's sites; None for all of them."""
    return None if EVERY_FEED in person.feeds else person.feeds


def nothing(request: Request) -> Chosen:
    """The worklist as it is first seen."""
    visit: Visit = request.state.visit
    return Chosen(
        feeds=sites(visit.person), now=request.app.state.parts.clock.now(), unread=visit.may(Right.SECOND_READ)
    )


def chosen(request: Request) -> Chosen:
    """The cases that an address asks for, of the person's sites. Refused, with what may stand there, where it cannot be
    read."""
    asked = request.query_params
    queue = BY_NAME.get(asked.get("queue", "") or FIRST.name)
    if queue is None:
        raise Refused("There is no such queue")
    return replace(
        nothing(request),
        queue=queue,
        feed=asked.get("feed", ""),
        severity=_severity(asked.get("severity", "")),
        flag=_word(asked, "flag"),
        analyte=_word(asked, "analyte"),
        since=day(asked.get("since", "")),
    )


def narrowed(chosen: Chosen) -> tuple[str, ...] | None:
    """The feeds of which the queues are counted: the one that was chosen, where the person may see it."""
    if not chosen.feed:
        return chosen.feeds
    return (chosen.feed,) if chosen.feeds is None or chosen.feed in chosen.feeds else ()


def after(request: Request) -> Place:
    """Where the page begins: `0-12` behind case 12 of those to look at, `1-12` of the others; `0-12-345` where that has a
    rank of 345."""
    text = request.query_params.get("after", "")
    if not text:
        return Place()
    done, *numbers = text.split("-")
    if done in ("0", "1") and 1 <= len(numbers) <= 2 and all(map(_is_number, numbers)):
        key, rank = (*map(int, numbers), 0)[:2]
        return Place(done == "1", key, min(rank, HIGHEST))
    raise Refused("There is no such page")


def rows(request: Request) -> int:
    """How many cases a page shows."""
    text = request.query_params.get("rows", "")
    if not text:
        return ROWS
    if not _is_number(text) or not 1 <= int(text) <= MOST_ROWS:
        raise Refused("A page shows 1 to 200 cases")
    return int(text)


def written(chosen: Chosen, **more: str) -> str:
    """The same as a query, behind a question mark; empty where everything is as first seen."""
    told = {
        "queue": "" if chosen.queue == FIRST else chosen.queue.name,
        "feed": chosen.feed,
        "severity": chosen.severity.value if chosen.severity else "",
        "flag": chosen.flag,
        "analyte": chosen.analyte,
        "since": chosen.since.isoformat() if chosen.since else "",
        **more,
    }
    found = urlencode({name: value for name, value in told.items() if value})
    return f"?{found}" if found else ""


def place(at: Place) -> str:
    return f"{int(at.done)}-{at.key}" + (f"-{at.rank}" if 0 < at.rank < HIGHEST else "")


def key(shown: str) -> int:
    """The number of a case written C12; 0 for anything else."""
    digits = shown[1:]
    return int(digits) if shown[:1] in ("C", "c") and _is_number(digits) else 0


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_KEY


def _severity(text: str) -> Severity | None:
    if text and text not in set(Severity):
        raise Refused("There is no such severity")
    return Severity(text) if text else None


def _word(asked: QueryParams, name: str) -> str:
    """A code of ours: it may be one that no case has, or that is no longer in use."""
    text = asked.get(name, "")
    if text and not (len(text) <= 80 and text.isascii() and text.replace("_", "").isalnum()):
        raise Refused("There is no such flag or analyte")
    return text


def day(text: str) -> date | None:
    """A day as an address has it; None where it has none."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused("A day is written as 2026-11-27") from None
