"""The head of a case: who the patient is, which specimens and orders it rests on, and since when it waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from labbridge.model.beside import About
from labbridge.model.report import EntityId
from labbridge.model.result import ContextItem, ContextKind, Result
from labbridge.model.work import Case
from labbridge.model.worklist import DONE
from labbridge.web.views.clock import Age, age
from labbridge.web.views.entries import Entry

_STATED = {
    ContextKind.STATIN: "statin exposure",
    ContextKind.IVIG_DATE: "immunoglobulins given",
    ContextKind.SUSPECT_IIM: "suspicion of myositis",
    ContextKind.KNOWN_MSA: "known antibody",
    ContextKind.KNOWN_MSA_PARTNER: "the other antibody was tested before",
    ContextKind.PREGNANT: "pregnancy",
}
_ANSWERS = {"Y": "yes", "N": "no", "U": "unknown"}


class Stated(msgspec.Struct, frozen=True):
    """What the requester stated: `words`, and `answer` as a word, or as it was sent. `since` is empty or a day."""

    words: str
    answer: str
    since: str


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Empty text: not sent. `age` in completed years on the newest collection day, None where nothing states it;
    `age_stated`: the sender gave an age in place of a birth date. `sex` is the code as sent. `collected` are the newest
    collection of what the case rests on, as sent (`collected_estimated`: a later day stands for it), and `received` when
    the newest of it came. `waits` is how long the clock of the worklist has run, None where the case is done or where
    its beginning is yet to come (`ahead`). `message` is the newest message (M17) of the patient."""

    name: str
    birth_date: str
    age: int | None
    age_stated: bool
    sex: str
    sender: str
    specimens: tuple[str, ...]
    orders: tuple[str, ...]
    collected: str
    collected_estimated: bool
    received: datetime | None
    begun: datetime
    waits: Age | None
    ahead: bool
    stated: tuple[Stated, ...]
    message: str
    others: tuple[str, ...]


def head(
    case: Case,
    about: About,
    entries: Sequence[Entry],
    context: Iterable[ContextItem],
    *,
    others: Sequence[str] = (),
    now: datetime,
) -> Head:
    """The head of a case. `entries` are all that is held of the patient (views/entries.py), `others` the names of those who
    have the case open beside the reader."""
    every = versions(entries)
    rested = [one.result for one in every if one.rests] or [one.result for one in every]
    newest = max(rested, key=lambda one: (one.collected.day, one.collected.moment, one.ref), default=None)
    begun = case.outcome.newest or about.opened
    patient, day = about.patient, newest.collected.day if newest is not None else None
    return Head(
        name=", ".join(filter(None, (patient.family_name, patient.given_name))) if patient else "",
        birth_date=patient.birth_date.isoformat() if patient and patient.birth_date else "",
        age=patient.age_on(day or case.opened_day) if patient else None,
        age_stated=patient is not None and patient.birth_date is None and patient.age_years is not None,
        sex=patient.sex if patient else "",
        sender=about.sender.replace("|", " "),
        specimens=_numbers(one.specimen for one in rested),
        orders=_numbers(one.filler or one.placer for one in rested),
        collected=_collected(newest) if newest is not None else "",
        collected_estimated=newest is not None and newest.collected_estimated,
        received=case.outcome.newest,
        begun=begun,
        waits=age(begun, now) if case.state not in DONE else None,
        ahead=begun > now,
        stated=_stated(context),
        message=_newest_message([one.result for one in every]),
        others=tuple(others),
    )


def versions(entries: Iterable[Entry]) -> list[Entry]:
    """Every version of these results, each with those before it."""
    return [one for entry in entries for one in (entry, *entry.earlier)]


def _numbers(found: Iterable[EntityId]) -> tuple[str, ...]:
    """The numbers that were sent, each once."""
    return tuple(dict.fromkeys(one.id for one in found if one))


def _collected(result: Result) -> str:
    """As precise as it was sent, in the sender's own time."""
    sent = result.collected
    return sent.moment.strftime("%Y-%m-%d %H:%M") if sent.has_time else sent.day.isoformat()


def _stated(context: Iterable[ContextItem]) -> tuple[Stated, ...]:
    """What was stated, the newest statement of each kind; of infusions and of known antibodies each one."""
    newest: dict[tuple[ContextKind, str], ContextItem] = {}
    several = (ContextKind.IVIG_DATE, ContextKind.KNOWN_MSA)
    for one in sorted(context, key=lambda one: one.stated):
        newest[one.kind, one.value if one.kind in several else ""] = one
    return tuple(
        Stated(_STATED[one.kind], _ANSWERS.get(one.value, one.value), one.since.isoformat() if one.since else "")
        for one in newest.values()
    )


def _newest_message(results: Sequence[Result]) -> str:
    newest = max(results, key=lambda one: (one.received, _number(one.ref)), default=None)
    return newest.ref.partition(":")[0] if newest is not None and _number(newest.ref) else ""


def _number(ref: str) -> int:
    """17 of M17:OBX[3]; 0 where it names no message."""
    message = ref.partition(":")[0]
    return int(message[1:]) if message[:1] == "M" and message[1:].isascii() and message[1:].isdigit() else 0
