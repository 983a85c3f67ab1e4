"""The steps of processing: what is read off a kept message, what it means, and what is drafted from it.

Each takes a message on its way and adds what it finds; Park where a person must look.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from labbridge import counting
from labbridge.errors import Park, Refuse
from labbridge.hl7 import incoming, outgoing, times
from labbridge.interpret import Interpreter
from labbridge.model.report import Report
from labbridge.model.result import PatientResults
from labbridge.model.work import CaseChange, Count, Drafted, Feed, Kept, StoredHistory
from labbridge.normalise import Normaliser
from labbridge.ports import Clock, Work
from labbridge.review import worklist
from labbridge.states import Reason

MAX_ATTEMPTS = 3  # how often a message may stop the worker before a person has to look


class Reader(msgspec.Struct, frozen=True):
    """What processing knows: normaliser and interpreter of one knowledge, the feeds by name, what our own messages are
    known by (their name in MSH-3, and the codes of our comments), and the languages of the comments by feed."""

    normalise: Normaliser
    interpret: Interpreter
    feeds: Mapping[str, Feed]
    application: str
    comment_codes: frozenset[str]
    languages: Mapping[str, str] = {}


class Progress(msgspec.Struct):
    """A message on its way through a batch: what its steps have found, how it ends, and why a person must look."""

    message: Kept
    feed: Feed | None
    report: Report | None = None
    drafted: Drafted | None = None
    reason: Reason = Reason.DRAFTED
    fault: Park | None = None


def read(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    """The part of a message that belongs to its lane; none where there is nothing to interpret."""
    if one.message.attempts > MAX_ATTEMPTS:
        raise Park(Reason.CRASHED, "")
    if one.feed is None:
        text = f"The feed {one.message.feed} is not configured any more; restore it, then reprocess"
        raise Park(Reason.UNREADABLE, text)
    report = _report(one.message, one.feed)
    if report.identity:
        one.reason = Reason.IDENTITY
    elif outgoing.is_own(report, reader.application, reader.comment_codes):
        one.reason = Reason.ECHO
    else:
        one.report = report


def _report(message: Kept, feed: Feed) -> Report:
    try:
        reports = incoming.read_reports(message.raw, feed, message.received)
    except Refuse as fault:  # the feed's settings changed since it was accepted: never the sender's fault now
        raise Park(Reason.UNREADABLE, f"{fault.text} {fault.location}") from fault
    for report in reports:
        if report.lane == message.lane:
            return report
    raise Park(Reason.UNREADABLE, "The message no longer reads as it did when it was kept; compare the feed's settings")


def normalise(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    if one.report is None or one.feed is None:
        return
    message, report = one.message, one.report
    found, notes = reader.normalise(report, one.feed, message.received, f"M{message.key}")
    all_notes = (*message.notes, *report.notes, *notes)
    version = reader.interpret.knowledge.version
    one.drafted = Drafted(message=message, results=found, cases=(), notes=all_notes, knowledge=version)
    one.reason = _meaning(found)


def _meaning(found: PatientResults) -> Reason:
    """Whether there is something to interpret. A result of nobody known is kept, and waits for the LIS to send it with
    its patient: no patient is ever guessed."""
    if not found.results and not found.context:
        return Reason.NOTHING_OF_OURS
    return Reason.DRAFTED if found.patient.key is not None else Reason.NO_PATIENT


def interpret(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    if one.drafted is None or one.feed is None or one.reason is not Reason.DRAFTED:
        return
    found, message = one.drafted.results, one.message
    today = message.received.astimezone(times.zone(one.feed.timezone)).date()
    settle = timedelta(seconds=one.feed.settle_s)
    arrived = worklist.Arrived(found, today, reader.languages.get(one.feed.name, "en"), settle)
    history = work.history(found.patient.key, message.lane)
    one.drafted = _draft(one.drafted, arrived, history, reader.interpret, clock.now())


def _draft(
    drafted: Drafted, arrived: worklist.Arrived, history: StoredHistory, interpret: Interpreter, now: datetime
) -> Drafted:
    """Every case the new results touch, evaluated again as of the message's receipt; only what changed is written."""
    policy, message = interpret.knowledge.policy, drafted.message
    changes: list[CaseChange] = []
    counts: list[Count] = counting.results(arrived.found, message.feed)
    for entry in worklist.touched(arrived, history, policy):
        outcome = interpret(worklist.history_of(entry, arrived, history, policy))
        outcome = worklist.offer(entry, arrived, history, outcome)
        change = worklist.change(entry, outcome)
        if change is not None:
            changes.append(change)
        counts += counting.evaluation(outcome, entry.case.outcome if entry.case else None)
    return msgspec.structs.replace(
        drafted,
        patient=worklist.patient_to_keep(arrived, history),
        cases=tuple(changes),
        counts=(*counts, *counting.stage("drafted", message.received, now)),
    )
