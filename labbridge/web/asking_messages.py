"""What is asked of the lists of messages and deliveries, read from an address and written into one: keys of ours alone."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import Request

from labbridge.errors import Refused
from labbridge.model.messages import ChosenDeliveries, ChosenMessages
from labbridge.model.people import Person
from labbridge.states import DeliveryState, Reason, State
from labbridge.web.asking import LONGEST_KEY, day, sites

ROWS = 50
LONGEST_WORD = 80


def messages(request: Request) -> ChosenMessages:
    """The messages an address asks for, of the person's sites. Refused where it cannot be read."""
    asked, person = request.query_params, _person(request)
    state, reason = asked.get("state", ""), asked.get("reason", "")
    if state not in ("", *State):
        raise Refused("There is no such state")
    if reason not in ("", *Reason):
        raise Refused("There is no such reason")
    return ChosenMessages(
        feeds=sites(person),
        state=State(state) if state else None,
        reason=Reason(reason) if reason else None,
        feed=asked.get("feed", ""),
        message_type=_word(asked.get("type", "")),
        since=day(asked.get("since", "")),
    )


def deliveries(request: Request) -> ChosenDeliveries:
    """The deliveries an address asks for, of the person's sites. Refused where it cannot be read."""
    asked = request.query_params
    state = asked.get("state", "")
    if state not in ("", *DeliveryState):
        raise Refused("There is no such state")
    receiver = _word(asked.get("receiver", ""))
    return ChosenDeliveries(
        feeds=sites(_person(request)), state=DeliveryState(state) if state else None, receiver=receiver
    )


def before(request: Request) -> int:
    """The key behind which the page begins; 0 for the newest."""
    text = request.query_params.get("before", "")
    if text and not _is_number(text):
        raise Refused("There is no such page")
    return int(text or 0)


def after(request: Request) -> tuple[int, int]:
    """Where a page of deliveries begins: `1-12` behind delivery 12 of the second state."""
    text = request.query_params.get("after", "")
    rank, dash, key = text.partition("-")
    if not text:
        return 0, 0
    if dash and rank in ("0", "1", "2") and _is_number(key):
        return int(rank), int(key)
    raise Refused("There is no such page")


def of_messages(chosen: ChosenMessages, **more: str) -> str:
    """The same as a query, behind a question mark; empty where nothing is chosen. What is named in `more` stands in place of
    what was chosen."""
    told = {
        "state": chosen.state.value if chosen.state else "",
        "reason": chosen.reason.value if chosen.reason else "",
        "feed": chosen.feed,
        "type": chosen.message_type,
        "since": chosen.since.isoformat() if chosen.since else "",
    }
    return _query({**told, **more})


def of_deliveries(chosen: ChosenDeliveries, **more: str) -> str:
    """As `of_messages`."""
    return _query({"state": chosen.state.value if chosen.state else "", "receiver": chosen.receiver, **more})


def key(letter: str, shown: str) -> int:
    """The number of a key of ours, written M17; 0 for anything else."""
    return int(shown[1:]) if shown[:1] == letter and _is_number(shown[1:]) else 0


def _query(told: dict[str, str]) -> str:
    found = urlencode({name: value for name, value in told.items() if value})
    return f"?{found}" if found else ""


def _person(request: Request) -> Person:
    person: Person = request.state.visit.person
    return person


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_KEY


def _word(text: str) -> str:
    if len(text) > LONGEST_WORD or not text.isprintable():
        raise Refused("There is no such message type or receiver")
    return text
