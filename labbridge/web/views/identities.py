"""What a message states of its patient beside what is held under the same number: a person sees where they differ."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from labbridge.model.report import Patient, Report
from labbridge.model.work import StoredHistory, Verdict
from labbridge.review import identity

MATCHES = {
    identity.Match.AGREES: "agrees",
    identity.Match.UNPROVEN: "only the number is the same",
    identity.Match.SEX: "another sex",
    identity.Match.BIRTH_DATE: "another birth date, or another sex and name",
}


class Held(NamedTuple):
    """Something held, or stored, of the patient. `differs` names what is not as the message states it; `match` says what
    that comes to, `verdict` what a person said before. `results`: how many came so; None for the stored demographics."""

    number: str
    name: str
    birth_date: date | None
    sex: str
    results: int | None
    differs: frozenset[str]
    match: str
    verdict: Verdict | None = None


class Compared(NamedTuple):
    """A patient of a message, and what is held. `damaged`: part of that is no longer what was written."""

    number: str
    name: str
    birth_date: date | None
    sex: str
    held: tuple[Held, ...]
    damaged: bool = False


def compared(report: Report, *histories: StoredHistory | None) -> Compared:
    """A report's patient against the histories of its number, and of the one it merges."""
    sent = report.patient
    held = tuple(one for history in histories if history is not None for one in _held(history, sent))
    key = sent.key
    number = f"{key.id} ({key.authority})" if key else ""
    return Compared(number, _name(sent), sent.birth_date, sent.sex, held, None in histories)


def _held(history: StoredHistory, sent: Patient) -> Iterator[Held]:
    if history.patient is not None:
        number = history.patient.key
        shown = f"{number.id} ({number.authority})" if number else ""
        yield _row(shown, history.patient, sent, None, None)
    for part in history.parts:
        stated = identity.read(part.who) if part.who else Patient()
        verdict = history.verdicts.get((part.lane, part.who))
        yield _row(_number(part.lane), stated, sent, len(part.results), verdict)


def _row(number: str, held: Patient, sent: Patient, results: int | None, verdict: Verdict | None) -> Held:
    pairs = {
        "name": (held.family_name.casefold(), sent.family_name.casefold()),
        "birth_date": (held.birth_date, sent.birth_date),
        "sex": (held.sex, sent.sex),
    }
    differs = frozenset(name for name, (one, other) in pairs.items() if one and other and one != other)
    match = MATCHES[identity.match(held, sent)]
    return Held(number, _name(held), held.birth_date, held.sex, results, differs, match, verdict)


def _name(patient: Patient) -> str:
    return " ".join(filter(None, (patient.family_name, patient.given_name)))


def _number(lane: str) -> str:
    authority, _bar, number = lane.partition(":")[2].partition("|")
    return f"{number} ({authority})" if number else authority
