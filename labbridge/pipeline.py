"""THE STORY: the way of a message, read from top to bottom.

receive   read the structure, keep the bytes, then answer        (in the process that listens)
process   read, normalise, look at the history, interpret, draft (in a process of its own)
release   a person's signature: final bytes, judged, into the outbox
deliver   outbox, receiver, matched acknowledgement

Everything else is called from here. No file, socket, clock or environment: they come in through ports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from labbridge import counting
from labbridge.errors import Park, Refuse, Refused, Retry
from labbridge.hl7 import ack, incoming, outgoing, times
from labbridge.hl7.mllp import Junk, Oversize
from labbridge.hl7.structure import Envelope, read_structure
from labbridge.interpret import Interpreter
from labbridge.model.report import Report
from labbridge.model.work import (
    Arrival,
    AuditEvent,
    Case,
    CaseChange,
    Count,
    Delivery,
    Drafted,
    Feed,
    Kept,
    Outgoing,
    Settled,
    StoredHistory,
)
from labbridge.normalise import Normaliser
from labbridge.ports import Clock, Desk, Intake, Judge, Outbox, Receiver, Work
from labbridge.review import policies, sending, worklist
from labbridge.states import DELIVERY_TRANSITIONS, SENTENCES, TRANSITIONS, Reason, State

MAX_ATTEMPTS = 3  # how often a message may stop the worker before a person has to look


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a feed: the feed's settings, and an address for the journal."""

    feed: Feed
    address: str


class Reply(msgspec.Struct, frozen=True):
    """What to send back: the acknowledgement (empty: nothing), and whether the connection ends after it."""

    raw: bytes
    close: bool = False


class Reader(msgspec.Struct, frozen=True):
    """What processing knows: normaliser and interpreter of one knowledge, the feeds by name, and what our own messages
    are known by: their name in MSH-3, and the codes of our comments."""

    normalise: Normaliser
    interpret: Interpreter
    feeds: Mapping[str, Feed]
    application: str
    comment_codes: frozenset[str]


class Letterhead(msgspec.Struct, frozen=True):
    """How one receiver wants its comments: its name, the format of contract.md `[receivers.NAME]`, and the character
    set of the feed the result came by (empty: MSH-18 is trusted)."""

    receiver: str
    format: outgoing.ReceiverFormat
    source_charset: str = ""


# ---------------------------------------------------------------- receive


async def receive(raw: bytes, peer: Peer, intake: Intake, clock: Clock) -> Reply:
    """Read the structure, keep the bytes, then answer. AA means: committed here. Meaning comes later.

    StoreUnavailable leaves: then nothing was kept, and no answer may be given.
    """
    now = clock.now()
    try:
        envelope = read_structure(raw, peer.feed)
    except Refuse as fault:  # the only place where Refuse is caught, as receive() is the only place it may come from
        refused = _refused(raw, peer, fault, now)
        receipt = await intake.quarantine(refused, _event(now, peer.feed.name, "refused", refused.detail))
        return Reply(ack.refuse(raw, fault, control_id=_answer_id(receipt.key, now), now=now), fault.close)
    arrival = _arrival(raw, envelope, peer, now)
    receipt = await intake.keep(arrival, _event(now, peer.feed.name, "received", arrival.message_type))
    return Reply(ack.accept(raw, control_id=_answer_id(receipt.key, now), now=now))


async def receive_oversize(event: Oversize, peer: Peer, intake: Intake, clock: Clock) -> Reply:
    """A frame beyond the limit: its head, its length and the digest of what was read are kept; AR 207, and close."""
    now = clock.now()
    fault = Refuse("The message is longer than this feed takes", code="207", reject=True, close=True)
    arrival = msgspec.structs.replace(
        _refused(event.head, peer, fault, now), digest=event.digest, length=event.length, reason=Reason.OVERSIZE
    )
    receipt = await intake.quarantine(arrival, _event(now, peer.feed.name, "refused", arrival.detail))
    return Reply(ack.refuse(event.head, fault, control_id=_answer_id(receipt.key, now), now=now), close=True)


async def receive_junk(event: Junk, peer: Peer, intake: Intake, clock: Clock) -> None:
    """Bytes outside any frame: nobody can be answered, and what came is kept (its first 64 KiB)."""
    now = clock.now()
    fault = Refuse("Bytes outside an MLLP frame", code="100", answer=False)
    arrival = msgspec.structs.replace(_refused(event.head, peer, fault, now), length=event.length)
    await intake.quarantine(arrival, _event(now, peer.feed.name, "refused", arrival.detail))


def _arrival(raw: bytes, envelope: Envelope, peer: Peer, now: datetime) -> Arrival:
    return Arrival(
        raw=raw,
        feed=peer.feed.name,
        peer=peer.address,
        sender=envelope.sender,
        control_id=envelope.control_id,
        message_type=envelope.message_type,
        digest=envelope.digest,
        length=len(raw),
        lanes=envelope.lanes,
        received=now,
    )


def _refused(raw: bytes, peer: Peer, fault: Refuse, now: datetime) -> Arrival:
    head = ack.head(raw)
    return Arrival(
        raw=raw,
        feed=peer.feed.name,
        peer=peer.address,
        sender=head.sender,
        control_id=head.control_id,
        message_type=head.message_type,
        digest=ack.digest(raw),
        length=len(raw),
        received=now,
        state=State.QUARANTINED,
        reason=_REASON_OF.get(fault.code, Reason.STRUCTURE) if fault.answer else Reason.NOT_HL7,
        detail=fault.text,
        answer="AR" if fault.reject else "AE",
        error_code=fault.code,
        location=fault.location,
    )


_REASON_OF = {
    "200": Reason.UNSUPPORTED,
    "201": Reason.UNSUPPORTED,
    "202": Reason.WRONG_PROCESSING_ID,
    "203": Reason.UNSUPPORTED,
}


def _answer_id(key: int, now: datetime) -> str:
    return f"LBA{key}-{int(now.timestamp() * 1e6)}"


# ---------------------------------------------------------------- process


def run_once(work: Work, reader: Reader, clock: Clock, singly: bool = False) -> int:
    """Take what waits and carry it as far as it can go, one commit for the batch. How many messages there were."""
    batch = work.claim(clock.now(), singly)  # marks them begun: whoever stops us is found by its attempts
    for message in batch:
        if message.attempts > MAX_ATTEMPTS:
            with work.unit():
                set_state(work, message, State.PARKED, Reason.CRASHED, clock.now())
            continue
        try:
            with work.unit():
                process(message, work, reader, clock)
        except Park as fault:
            with work.unit():
                set_state(work, message, State.PARKED, fault.reason, clock.now(), detail=str(fault))
    if batch:
        work.flush()  # a unit whose case changed meanwhile is undone alone; its message is still KEPT and comes again
    return len(batch)


def process(message: Kept, work: Work, reader: Reader, clock: Clock) -> None:
    """One lane of one message: read -> normalise -> history -> interpret -> draft. Park where a person must look."""
    feed = reader.feeds.get(message.feed)
    if feed is None:
        raise Park(Reason.UNREADABLE, f"The feed {message.feed} is not configured any more; restore it, then reprocess")
    report = _report(message, feed)
    version = reader.interpret.knowledge.version
    if outgoing.is_own(report, reader.application, reader.comment_codes):
        set_state(work, message, State.DONE, Reason.ECHO, clock.now())
        return
    found, notes = reader.normalise(report, feed, message.received, f"M{message.key}")
    arrived = worklist.Arrived(found, message.received.astimezone(times.zone(feed.timezone)).date())
    drafted = Drafted(message=message, results=found, cases=(), notes=(*report.notes, *notes), knowledge=version)
    if found.results or found.context:
        drafted = _draft(drafted, arrived, work.history(found.patient.key, message.lane), reader.interpret, clock.now())
    work.save(drafted, _event(clock.now(), "labbridge", "drafted", f"M{message.key}", version))
    ours = Reason.DRAFTED if found.results or found.context else Reason.NOTHING_OF_OURS
    set_state(work, message, State.DONE, ours, clock.now())


def _report(message: Kept, feed: Feed) -> Report:
    """The part of a kept message that belongs to this lane."""
    try:
        reports = incoming.read_reports(message.raw, feed, message.received)
    except Refuse as fault:  # the feed's settings changed since it was accepted: never the sender's fault now
        raise Park(Reason.UNREADABLE, f"{fault.text} {fault.location}") from fault
    for report in reports:
        if report.lane == message.lane:
            return report
    raise Park(Reason.UNREADABLE, "The message no longer reads as it did when it was kept; compare the feed's settings")


def _draft(
    drafted: Drafted, arrived: worklist.Arrived, history: StoredHistory, interpret: Interpreter, now: datetime
) -> Drafted:
    """Every case the new results touch, evaluated again as of the message's receipt; only what changed is written."""
    policy, message = interpret.knowledge.policy, drafted.message
    changes: list[CaseChange] = []
    counts: list[Count] = counting.results(arrived.found, message.feed)
    for entry in worklist.touched(arrived, history, policy):
        outcome = interpret(worklist.history_of(entry, arrived, history, policy))
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


# ---------------------------------------------------------------- release


def release(shown: str, signer: str, desk: Desk, *, letterhead: Letterhead, judge: Judge, clock: Clock) -> int:
    """A person releases the comment of the case version shown to them (`C12@3`). Returns the delivery's key.

    Refused when the version is no longer the newest, when the case is held or has no comment, and when the bytes would
    not pass: what is put into the outbox has been judged, and is what will be sent on every attempt.
    """
    key, version = policies.parse_shown(shown)
    case = desk.case(key)
    if case is None:
        raise Refused(f"There is no case C{key}; `labbridge show` lists the cases")
    policies.check_release(case, version, signer)
    now = clock.now()
    control_id = desk.next_control_id(now)
    letter = _letter(case, signer, control_id, now)
    raw = _final_bytes(case, letter, desk, letterhead)
    faults = judge.judge(raw, policies.sent_text(case), letterhead.format.version)
    if faults:
        raise Refused(f"The comment of C{key} would not be a valid message for {letterhead.receiver}: {faults[0]}")
    out = Outgoing(
        case=key,
        version=version,
        receiver=letterhead.receiver,
        lane=f"{letterhead.receiver}/{case.lane}",
        control_id=control_id,
        raw=raw,
        correction=bool(case.posted),
        posted=policies.posted(case, now),
        counts=tuple(counting.stage("signed", case.updated, now)),
    )
    return desk.release(out, _event(now, signer, "released", shown, control_id))


def _letter(case: Case, signer: str, control_id: str, now: datetime) -> outgoing.Letter:
    return outgoing.Letter(
        at=case.subject_at,
        lane=case.lane,
        text=policies.sent_text(case),
        sub_id=case.sub_id,
        correction=bool(case.posted),
        signer=signer,
        control_id=control_id,
        now=now,
    )


def _final_bytes(case: Case, letter: outgoing.Letter, desk: Desk, letterhead: Letterhead) -> bytes:
    message = desk.message(case.subject_message) if case.subject_message is not None else None
    if message is None:
        raise Refused(f"The message C{case.key} was written from is not in this store; it cannot be addressed")
    return outgoing.comment_message(message.raw, letterhead.source_charset, letterhead.format, letter)


# ---------------------------------------------------------------- deliver


async def deliver(receiver: Receiver, outbox: Outbox, clock: Clock, delay: Callable[[int], timedelta]) -> bool:
    """One attempt with the oldest due comment of a receiver. False when there was none.

    The versions are checked in the claiming transaction: nothing that is out of date leaves.
    """
    delivery = await outbox.claim_delivery(receiver.name, clock.now())
    if delivery is None:
        return False
    try:
        answer = await receiver.send(delivery.raw, delivery.control_id)
    except Retry as fault:
        settled = sending.unanswered(delivery, str(fault), clock.now() + delay(delivery.attempts))
    else:
        if ack.positive(answer, delivery.control_id):
            settled = sending.acknowledged(delivery, answer.code)
        else:
            said = f"{answer.error} {answer.text}".strip()
            settled = sending.refused(delivery, answer.code, said, clock.now() + delay(delivery.attempts))
    await set_delivery(outbox, delivery, settled, clock.now())
    return True


# ---------------------------------------------------------------- the only writers of state


async def set_delivery(outbox: Outbox, delivery: Delivery, settled: Settled, now: datetime) -> None:
    """The only writer of a delivery's state. Refuses a step that is not in DELIVERY_TRANSITIONS."""
    if settled.state not in DELIVERY_TRANSITIONS[delivery.state]:
        raise ValueError(f"D{delivery.key} may not go from {delivery.state} to {settled.state}")
    event = _event(now, "labbridge", f"delivery {settled.state}", f"D{delivery.key}", settled.reason)
    await outbox.settle(delivery, settled, counting.sent(delivery, settled, now), event)


def set_state(work: Work, message: Kept, state: State, reason: Reason, now: datetime, *, detail: str = "") -> None:
    """The only writer of a message's state: state, reason, sentence and audit together. Refuses an unlisted step."""
    if state not in TRANSITIONS[message.state]:
        raise ValueError(f"M{message.key} may not go from {message.state} to {state}")
    sentence = detail or SENTENCES[reason]
    work.set_state(message, state, reason, sentence, _event(now, "labbridge", state, f"M{message.key}", reason))


def _event(now: datetime, actor: str, action: str, subject: str, detail: str = "") -> AuditEvent:
    return AuditEvent(at=now, actor=actor, action=action, subject=subject, detail=detail)
