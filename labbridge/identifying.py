"""What an identity message (ADT) does to what is held: demographics that changed, and two records that are one patient.

Nothing held is moved or rewritten. A merge is a link between two lanes, in force until a person takes it back; every
evaluation reads over the links. Where what is held contradicts the message, a person decides (`labbridge identity`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from labbridge.errors import Park
from labbridge.model.lanes import lane_of
from labbridge.model.report import Patient, Report
from labbridge.model.result import PatientResults
from labbridge.model.work import Kept, Link, StoredHistory, Verdict
from labbridge.ports import Work
from labbridge.review import identity
from labbridge.states import Reason


class Identified(msgspec.Struct, frozen=True):
    """What an identity message brings in one of its lanes: the history as it is from now on, and what is to be written.
    `again`: what is held is to be evaluated anew."""

    history: StoredHistory
    found: PatientResults
    patient: Patient | None = None
    link: Link | None = None
    same: tuple[tuple[str, str], ...] = ()
    again: bool = True


def identify(message: Kept, report: Report, work: Work) -> Identified:
    """A message that says who a patient is, in one of its lanes. Park where what is held contradicts it.

    A merge is worked on in both its lanes: what came before it in either is evaluated with the other's once both are done.
    """
    history = work.history(report.patient.key, report.lane)
    found = PatientResults(lane=report.lane, patient=report.patient)
    if history.verdicts.get((report.lane, identity.stated(report.patient))) is Verdict.OTHER:
        return Identified(history, found, again=False)
    if any(link.undone and link.message == message.key for link in history.links):
        return Identified(history, found)
    if report.merged:
        return _merged(message, report, work)
    return _updated(report, history)


def _updated(report: Report, history: StoredHistory) -> Identified:
    """Birth date, sex or name as the LIS has them now. What it stated before of the same patient goes on counting, where
    one of birth date and name is still the same."""
    sent, lane = report.patient, report.lane
    same = []
    for where, who in _stated(history):
        if identity.match(identity.read(who), sent) is identity.Match.AGREES or _decided(history, where, who):
            continue
        if not identity.shares_one(identity.read(who), sent) and not _decided(history, lane, identity.stated(sent)):
            text = "It states another name and another birth date for a patient of whom results are held"
            raise Park(Reason.IDENTITY_CONFLICT, f"{text}; compare both, then `labbridge identity`")
        same.append((where, who))
    known = msgspec.structs.replace(
        history, patient=sent, verdicts={**history.verdicts, **dict.fromkeys(same, Verdict.SAME)}
    )
    held = history.patient is not None or bool(history.parts)
    found = PatientResults(lane=lane, patient=sent)
    return Identified(known, found, identity.merged(history.patient, sent) if held else None, same=tuple(same))


def _merged(message: Kept, report: Report, work: Work) -> Identified:
    """Two records become one. Two birth dates, or sex and name, that differ are no typing error to be guessed at."""
    own, sent = lane_of(report.patient.identifiers), report.patient
    surviving, prior = work.history(sent.key, own), work.history(None, report.merged)
    found = PatientResults(lane=own, patient=sent)
    if report.merged in surviving.lanes:
        return Identified(surviving, found)
    if prior.lanes[0] != report.merged:
        text = "The merged record was merged into another one before; undo that first (`labbridge unlink`)"
        raise Park(Reason.IDENTITY_CONFLICT, text)
    if not _decided(surviving, own, identity.stated(sent)):
        _check_merge(prior, sent)
        _check_merge(surviving, sent)
    link = Link(prior=report.merged, surviving=own, message=message.key, last=surviving.lanes[0])
    kept = identity.merged(identity.trusted(surviving), sent)
    return Identified(_joined(prior, surviving), found, kept, link)


def _check_merge(held: StoredHistory, sent: Patient) -> None:
    for where, who in _stated(held):
        if not _decided(held, where, who) and identity.disagreement(identity.read(who), sent):
            text = "It merges two patients whose birth date, or sex and name, are not the same"
            raise Park(Reason.IDENTITY_CONFLICT, f"{text}; compare both, then `labbridge identity`")


def _joined(prior: StoredHistory, surviving: StoredHistory) -> StoredHistory:
    return StoredHistory(
        patient=surviving.patient or prior.patient,
        lanes=(*surviving.lanes, *prior.lanes),
        parts=(*surviving.parts, *prior.parts),
        cases=tuple(sorted((*surviving.cases, *prior.cases), key=lambda case: (case.opened_day, case.key))),
        verdicts={**prior.verdicts, **surviving.verdicts},
        links=(*surviving.links, *prior.links),
        retests=(*surviving.retests, *prior.retests),
    )


def _stated(history: StoredHistory) -> Iterator[tuple[str, str]]:
    """Everything that was stated of the patient beside the number, with the lane it came in."""
    if history.patient is not None and history.lanes:
        yield history.lanes[0], identity.stated(history.patient)
    for part in history.parts:
        if part.who:
            yield part.lane, part.who


def _decided(history: StoredHistory, lane: str, who: str) -> bool:
    return (lane, who) in history.verdicts
