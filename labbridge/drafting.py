"""The steps of processing: what is read off a kept message, what it means, and what is drafted from it.

Each takes a message on its way and adds what it finds; Park where a person must look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from labbridge import advising, counting, identifying, reading, requesting, times
from labbridge.errors import Park, Refuse
from labbridge.hl7 import echoes, order_answers
from labbridge.interpret import Interpreter
from labbridge.model.report import Report
from labbridge.model.result import PatientResults
from labbridge.model.retests import OrderSaid, PlacedOrder
from labbridge.model.work import Count, Drafted, Feed, Kept, StoredHistory, Verdict
from labbridge.normalise import Normaliser
from labbridge.ports import Clock, Work
from labbridge.review import identity, worklist
from labbridge.rows import archive
from labbridge.states import Reason

MAX_ATTEMPTS = 3  # how often a message may stop the worker before a person has to look
MAX_UNDONE = 16  # how often in a row a case may change between its reading and its writing before that is not believed


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
    """A message on its way through a batch: what its steps have found, how it ends, and why a person must look. `said`: what
    it says of orders of ours, where it is an answer."""

    message: Kept
    feed: Feed | None
    report: Report | None = None
    drafted: Drafted | None = None
    reason: Reason = Reason.DRAFTED
    fault: Park | None = None
    said: tuple[tuple[PlacedOrder, OrderSaid], ...] = ()


def read(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    """The part of a message that belongs to its lane; none where there is nothing to interpret."""
    if one.message.attempts > MAX_ATTEMPTS:
        raise Park(Reason.CRASHED, "")
    if one.message.undone >= MAX_UNDONE:
        raise Park(Reason.UNDONE, "")
    if one.message.damaged:
        raise Park(Reason.DAMAGED, "")
    if one.feed is None:
        text = f"The feed {one.message.feed} is not configured any more; restore it, then reprocess"
        raise Park(Reason.UNREADABLE, text)
    if reading.is_answer(one.message.raw, one.feed):
        _read_answer(one, work)
        return
    report = _report(one.message, one.feed)
    if report.identity:
        one.report, one.reason = report, Reason.IDENTITY
    elif echoes.is_own(report, reader.application, reader.comment_codes):
        one.reason = Reason.ECHO
    else:
        _keep_foreign(one, report, work, reader)


def _read_answer(one: Progress, work: Work) -> None:
    """An answer to an order that came by itself. What is not about an order of ours is credited to none."""
    answer = order_answers.read_answer(one.message.raw)
    placed = work.placed([order.placer for order in answer.orders]) if answer is not None and answer.orders else {}
    one.said = tuple(requesting.ours(answer, placed)) if answer is not None else ()
    one.reason = Reason.ANSWER if one.said else Reason.OTHER_ANSWER


def _keep_foreign(one: Progress, report: Report, work: Work, reader: Reader) -> None:
    """What is left of a report without our own words; an echo where that is nothing."""
    texts = echoes.texts(report)
    known = work.own_texts(list(texts)) if texts else frozenset()
    foreign = echoes.without(report, reader.comment_codes, known)
    had = any(order.observations for order in report.orders)
    if had and not any(order.observations for order in foreign.orders):
        one.reason = Reason.ECHO
    else:
        one.report = foreign


def _report(message: Kept, feed: Feed) -> Report:
    try:
        reports = reading.reports_of(message.raw, feed, message.received, message.notes)
    except Refuse as fault:  # the feed's settings changed since it was accepted: never the sender's fault now
        raise Park(Reason.UNREADABLE, f"{fault.text} {fault.location}") from fault
    for report in reports:
        if report.lane == message.lane:
            return report
    raise Park(Reason.UNREADABLE, "The message no longer reads as it did when it was kept; compare the feed's settings")


def normalise(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    if one.report is None or one.feed is None or one.report.identity:
        return
    message, report = one.message, one.report
    earlier = archive.is_archived(message.raw)
    received = report.sent.moment if earlier and report.sent is not None else message.received
    found, notes = reader.normalise(report, one.feed, received, f"M{message.key}")
    if earlier:
        results = tuple(msgspec.structs.replace(result, historical=True) for result in found.results)
        found = msgspec.structs.replace(found, results=results)
    all_notes = (*message.notes, *report.notes, *notes)
    version = reader.interpret.knowledge.version
    who = identity.stated(found.patient)
    one.drafted = Drafted(message=message, results=found, who=who, cases=(), notes=all_notes, knowledge=version)
    one.reason = _meaning(found)
    if earlier and one.reason is Reason.DRAFTED:
        one.reason = Reason.HISTORY


def _meaning(found: PatientResults) -> Reason:
    """Whether there is something to interpret. A result of nobody known is kept, and waits for the LIS to send it with
    its patient: no patient is ever guessed."""
    if not found.results and not found.context:
        return Reason.NOTHING_OF_OURS
    return Reason.DRAFTED if found.patient.key is not None else Reason.NO_PATIENT


def interpret(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    if one.report is None or one.feed is None:
        return
    if one.report.identity:
        _identify(one, one.report, work, reader, clock)
    elif one.drafted is not None and one.reason is Reason.HISTORY:
        _add_earlier(one, one.drafted, work.history(one.drafted.results.patient.key, one.message.lane), reader)
    elif one.drafted is not None and (one.reason is Reason.DRAFTED or _emptied(one, one.drafted)):
        _evaluate(one, one.drafted, work.history(one.drafted.results.patient.key, one.message.lane), reader, clock)
    if one.feed.synthetic and one.message.lane == one.feed.synthetic:
        _beat(one)


def _beat(one: Progress) -> None:
    """The synthetic patient's: it went the whole way, and what came of it is written nowhere. Both have to be so, the feed
    and the patient: whoever else comes by this feed, or bears this number elsewhere, is a person."""
    drafted, one.drafted = one.drafted, None
    came_through = drafted is not None and any(change.draft.text for change in drafted.cases)
    one.reason = Reason.HEARTBEAT if came_through else Reason.NO_HEARTBEAT


def _emptied(one: Progress, drafted: Drafted) -> bool:
    """It may have brought a result before it was repaired, or before its codes were known: a case may rest on that."""
    nothing = one.reason is Reason.NOTHING_OF_OURS and drafted.results.patient.key is not None
    return nothing and one.message.again


def _evaluate(one: Progress, drafted: Drafted, history: StoredHistory, reader: Reader, clock: Clock) -> None:
    arrived = _arrived(drafted.results, one, reader)
    if history.verdicts.get((one.message.lane, drafted.who)) is Verdict.OTHER:
        one.reason = Reason.OTHER_PATIENT
        one.drafted = _again(drafted, _without(history, drafted), arrived, reader, clock.now())
        return
    _compare(one, identity.usable(history, arrived.found.patient, one.message.lane))
    if one.reason is Reason.NOTHING_OF_OURS:
        one.drafted = _again(drafted, history, arrived, reader, clock.now())
    else:
        one.drafted = _draft(drafted, arrived, history, reader.interpret, clock)


def _add_earlier(one: Progress, drafted: Drafted, history: StoredHistory, reader: Reader) -> None:
    """Results of an archive are held, and nothing is evaluated for them: no case opens and none changes. Whose they are is
    asked as of any message."""
    arrived = _arrived(drafted.results, one, reader)
    if history.verdicts.get((one.message.lane, drafted.who)) is Verdict.OTHER:
        one.reason = Reason.OTHER_PATIENT
        return
    _compare(one, identity.usable(history, arrived.found.patient, one.message.lane))
    one.drafted = msgspec.structs.replace(drafted, patient=worklist.patient_to_keep(arrived, history))


def _compare(one: Progress, usable: identity.Usable) -> None:
    """Park where the feed asks for a second identifier and none can be compared."""
    strict = one.feed is None or one.feed.second_identifier == "required"
    if strict and usable.unproven:
        text = "Neither its birth date nor its name can be compared with what is held under the same number"
        raise Park(Reason.IDENTITY_CONFLICT, f"{text}; compare both, then `labbridge identity`")


def _arrived(found: PatientResults, one: Progress, reader: Reader) -> worklist.Arrived:
    feed = one.feed or Feed(name=one.message.feed)
    today = one.message.received.astimezone(times.zone(feed.timezone)).date()
    language = reader.languages.get(feed.name, "en")
    return worklist.Arrived(found, today, language, timedelta(seconds=feed.settle_s))


def _draft(
    drafted: Drafted, arrived: worklist.Arrived, history: StoredHistory, interpret: Interpreter, clock: Clock
) -> Drafted:
    """Every case the new results touch, evaluated again as of the message's receipt; only what changed is written."""
    policy, message, begun = interpret.knowledge.policy, drafted.message, clock.now()
    evaluated, counts = _evaluated(worklist.touched(arrived, history, policy), arrived, history, interpret)
    now, found = clock.now(), arrived.found
    counts = [*counting.results(found, message.feed), *counting.problems(found, message.feed), *counts]
    counts += [*counting.evaluated(begun, now), *counting.collected(found, message.received)]
    return msgspec.structs.replace(
        drafted,
        patient=worklist.patient_to_keep(arrived, history),
        cases=tuple(one.change for one in evaluated if one.change is not None),
        counts=(*counts, *counting.stage("drafted", message.received, now)),
        retests=advising.steps(evaluated, arrived, history, message=message, interpret=interpret, at=now),
    )


def _evaluated(
    entries: Sequence[worklist.Entry], arrived: worklist.Arrived, history: StoredHistory, interpret: Interpreter
) -> tuple[list[advising.Evaluated], list[Count]]:
    found: list[advising.Evaluated] = []
    counts: list[Count] = []
    for entry in entries:
        looked_at = worklist.history_of(entry, arrived, history, interpret.knowledge.policy)
        outcome = worklist.offer(entry, arrived, history, interpret(looked_at))
        change = worklist.change(entry, outcome, frozenset(result.ref for result in looked_at.results))
        if change is not None:
            opened = sum(one.change is not None and one.entry.case is None for one in found)
            change = msgspec.structs.replace(change, seen=len(history.cases) + opened)
        found.append(advising.Evaluated(entry, looked_at, outcome, change))
        counts += counting.evaluation(outcome, entry.case.outcome if entry.case else None)
    return found, counts


# ---------------------------------------------------------------- who is who


def _identify(one: Progress, report: Report, work: Work, reader: Reader, clock: Clock) -> None:
    """An identity message: what it says is written, and everything held of the patient is evaluated anew."""
    found = identifying.identify(one.message, report, work)
    if not found.again and found.history.verdicts.get((report.lane, identity.stated(report.patient))) is Verdict.OTHER:
        one.reason = Reason.OTHER_PATIENT
    drafted = Drafted(
        message=one.message,
        results=found.found,
        patient=found.patient,
        link=found.link,
        same=found.same,
        cases=(),
        notes=(*one.message.notes, *report.notes),
        knowledge=reader.interpret.knowledge.version,
    )
    if found.again:
        drafted = _again(drafted, found.history, _arrived(found.found, one, reader), reader, clock.now())
    one.drafted = drafted


def _again(
    drafted: Drafted, history: StoredHistory, arrived: worklist.Arrived, reader: Reader, now: datetime
) -> Drafted:
    """Everything held, evaluated anew: whose results are whose is known otherwise now."""
    sent = history.patient or arrived.found.patient
    nothing = PatientResults(lane=arrived.found.lane, patient=sent)
    arrived = msgspec.structs.replace(arrived, found=nothing)
    again = worklist.again(history, sent, arrived.found.lane, reader.interpret.knowledge.policy)
    evaluated, counts = _evaluated(again.entries, arrived, history, reader.interpret)
    changes = [one.change for one in evaluated if one.change is not None]
    changes += [worklist.closed(case) for case in again.covered]
    steps = advising.steps(
        evaluated, arrived, history, message=drafted.message, interpret=reader.interpret, at=now, covered=again.covered
    )
    return msgspec.structs.replace(drafted, cases=tuple(changes), counts=tuple(counts), retests=steps)


def _without(history: StoredHistory, drafted: Drafted) -> StoredHistory:
    """What is held, seen as the patient last stated there: what this message states is somebody else."""
    if identity.trusted(history) is not None:
        return history
    known = (identity.read(part.who) for part in history.parts if part.who and part.who != drafted.who)
    return msgspec.structs.replace(history, patient=next(known, None))
