"""THE STORY: the way of a message, read from top to bottom.

receive   read the structure, keep the bytes, then answer        (in the process that listens)
process   read, normalise, look at the history, interpret, draft (in a process of its own)
release   a person's signature, or a release row that the laboratory signed: final bytes, judged, into the outbox
deliver   outbox, receiver, matched acknowledgement

Everything else is called from here. No file, socket, clock or environment: they come in through ports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import structs

from labbridge import composing, counting, drafting, reading, receiving, requesting
from labbridge.composing import Letterhead
from labbridge.drafting import Progress, Reader
from labbridge.errors import Park, Refuse, Refused, Retry
from labbridge.hl7 import ack, batch
from labbridge.hl7.head import head
from labbridge.hl7.mllp import Junk, Oversize
from labbridge.model.release import ByRule
from labbridge.model.report import PlacedNote
from labbridge.model.review import Signature, Signing
from labbridge.model.work import (
    ApplicationAck,
    AuditEvent,
    Case,
    Delivery,
    Feed,
    Kept,
    Settled,
)
from labbridge.notes import note
from labbridge.ports import Clock, Desk, Intake, Judge, Outbox, Receiver, Work
from labbridge.review import decisions, policies, releasing, second, sending
from labbridge.states import DELIVERY_TRANSITIONS, SENTENCES, TRANSITIONS, Reason, State

AT_ONCE = 64  # messages of one block that are kept in one commit


class Peer(msgspec.Struct, frozen=True):
    """Who is at the other end of a feed: the feed's settings, and an address for the journal."""

    feed: Feed
    address: str


class Reply(msgspec.Struct, frozen=True):
    """What to send back: the acknowledgement (empty: nothing), whether the connection ends after it, and whether what
    came was HL7 at all."""

    raw: bytes
    close: bool = False
    hl7: bool = True


# ---------------------------------------------------------------- receive


async def receive(raw: bytes, peer: Peer, intake: Intake, clock: Clock, *, missing_cr: bool = False) -> Reply:
    """One block in, one answer out: read the structure, keep the bytes, then answer. AA means: committed here. Meaning
    comes later. A block may hold several messages: each is kept on its own, and the answer answers each.

    StoreUnavailable leaves: then not all was kept, and no answer may be given; what is sent again is known again.
    """
    now = clock.now()
    notes = (note("N003"),) if missing_cr else ()
    if batch.several(raw):
        return await _receive_several(raw, peer, intake, now, notes)
    return await _kept(receiving.read(raw, peer.feed, peer.address, now, notes), intake, now)


async def _receive_several(
    raw: bytes, peer: Peer, intake: Intake, now: datetime, notes: tuple[PlacedNote, ...]
) -> Reply:
    """A batch whose own counts do not agree is kept and refused whole: something of it is missing."""
    try:
        found = batch.split(raw)
    except Refuse as fault:
        return await _kept(receiving.refused(raw, peer.feed, peer.address, now, fault), intake, now)
    answers: list[bytes] = []
    closes = False
    for start in range(0, len(found.messages), AT_ONCE):
        some = found.messages[start : start + AT_ONCE]
        read = [receiving.read(one, peer.feed, peer.address, now, notes) for one in some]
        receipts = await intake.keep_all([(one.arrival, receiving.event(one)) for one in read])
        answers += [receiving.answer(one, receipt, now) for one, receipt in zip(read, receipts, strict=True)]
        closes = closes or any(one.closes for one in read)
    return Reply(batch.answer(found, answers, control_id=receiving.batch_id(now), now=now), closes)


async def receive_oversize(event: Oversize, peer: Peer, intake: Intake, clock: Clock) -> Reply:
    """A frame beyond the limit: its head, its length and the digest of what was read are kept; AR 207, and close."""
    now = clock.now()
    fault = Refuse("The message is longer than this feed takes", code="207", reject=True, close=True)
    read = receiving.refused(event.head, peer.feed, peer.address, now, fault)
    whole = structs.replace(read.arrival, digest=event.digest, length=event.length, reason=Reason.OVERSIZE)
    return await _kept(structs.replace(read, arrival=whole), intake, now)


async def receive_junk(event: Junk, peer: Peer, intake: Intake, clock: Clock) -> None:
    """Bytes outside any frame: nobody can be answered, and what came is kept (its first 64 KiB)."""
    now = clock.now()
    fault = Refuse("Bytes outside an MLLP frame", code="100", answer=False)
    read = receiving.refused(event.head, peer.feed, peer.address, now, fault)
    whole = structs.replace(read.arrival, length=event.length)
    await _kept(structs.replace(read, arrival=whole), intake, now)


async def _kept(read: receiving.Read, intake: Intake, now: datetime) -> Reply:
    """Keep first, then answer."""
    keep = intake.keep if read.fault is None else intake.quarantine
    receipt = await keep(read.arrival, receiving.event(read))
    return Reply(receiving.answer(read, receipt, now), read.closes, read.arrival.reason is not Reason.NOT_HL7)


# ---------------------------------------------------------------- process


def run_once(work: Work, reader: Reader, clock: Clock, singly: bool = False) -> int:
    """Take what waits and carry it as far as it can go, one commit for the batch. How many messages there were."""
    taken = work.claim(clock.now(), singly)  # marks them begun: whoever stops us is found by its attempts
    batch = [Progress(message, reader.feeds.get(message.feed)) for message in taken]
    process(batch, work, reader, clock)
    for one in batch:
        with work.unit():
            _write(one, work, reader, clock)
    if taken:
        work.hand_over()  # a unit whose case changed meanwhile is undone alone; its message is still KEPT and comes again
    return len(taken)


def process(batch: Sequence[Progress], work: Work, reader: Reader, clock: Clock) -> None:
    """read -> normalise -> history -> interpret -> draft. The whole batch takes a step before the next one, so that what
    the step needs stays near the processor. Park where a person must look."""
    for step in (drafting.read, drafting.normalise, drafting.interpret):
        for one in batch:
            try:
                if one.fault is None:
                    step(one, work, reader, clock)
            except Park as fault:
                one.fault = fault


def _write(one: Progress, work: Work, reader: Reader, clock: Clock) -> None:
    now, message, fault = clock.now(), one.message, one.fault
    if fault is not None:
        set_state(work, message, State.PARKED, fault.reason, now, detail=str(fault))
    else:
        if one.drafted is not None:
            work.save(one.drafted, _event(now, "labbridge", "drafted", f"M{message.key}", one.drafted.knowledge))
        if one.said:
            work.answered(one.said, now)
        if one.reason is Reason.HEARTBEAT:
            work.beat(message.feed, now)
        set_state(work, message, State.DONE, one.reason, now)
    if fault is None or fault.reason is not Reason.CRASHED:  # what stops the worker is touched no more
        _acknowledge(message, work, reader, clock)


def _acknowledge(message: Kept, work: Work, reader: Reader, clock: Clock) -> None:
    """The application acknowledgement, where the sender asks for one (MSH-16) and its feed says who gets it."""
    feed = reader.feeds.get(message.feed)
    if feed is None or not feed.application_ack or not reading.is_hl7(message.raw, feed):
        return
    control_id, now = f"LBK{message.key}-{int(message.received.timestamp())}", clock.now()
    processed, parked = (
        ack.application(head(message.raw), code, control_id=control_id, now=now) for code in ("AA", "AE")
    )
    answer = ApplicationAck(receiver=feed.application_ack, control_id=control_id, processed=processed, parked=parked)
    if processed or parked:
        work.acknowledge(message, answer, now)


# ---------------------------------------------------------------- release


def release(
    shown: str,
    signer: str,
    desk: Desk,
    *,
    letterhead: Letterhead,
    judge: Judge,
    clock: Clock,
    signing: Signing | None = None,
) -> int:
    """A person releases the comment of the case version shown to them (`C12@3`). Returns the delivery's key, or 0 where
    this was the first of two signatures: then nothing leaves yet.

    Refused when it is not the newest version or not what was on the screen, when the case is held or has no comment, and
    when the bytes would not pass: what is put into the outbox has been judged, and is what will be sent on every attempt.
    """
    case = _to_sign(shown, signer, desk, signing)
    signature, waits = _signature(case, signer, desk, signing)
    now = clock.now()
    letter = composing.letter_of(case, signer, desk.next_control_id(now), now)
    out = composing.outgoing_of(case, letter, desk, letterhead, judge)
    event = _event(now, signer, "released", shown, letter.control_id)
    if signature and waits:
        desk.sign_first(signature, case, structs.replace(event, action="signed first", detail=""))
        return 0
    due = now + signing.undo if signing else None
    out = composing.with_orders(out, case, letter, desk, (letterhead, judge))
    judged = releasing.judged(case)
    counts = (*out.counts, *counting.closed(case.outcome, "signed", edited=judged is not None and not judged.agreed))
    return desk.release(structs.replace(out, due=due, signature=signature, judged=judged, counts=counts), event)


def release_by_rule(
    case: Case, by_rule: ByRule, desk: Desk, *, letterhead: Letterhead, judge: Judge, clock: Clock
) -> int:
    """A row that the laboratory has signed releases the comment in a person's place: its name stands where a person's
    would. That nothing speaks against it (review/releasing.py) was asked before; whether it was stopped meanwhile, or the
    case has changed, is asked where it is written: Refused. Returns the delivery's key."""
    shown, signer, now = f"C{case.key}@{case.version}", f"rule {by_rule.rule}", clock.now()
    policies.check_release(case, case.version, signer)
    letter = composing.letter_of(case, signer, desk.next_control_id(now), now, by_rule=True)
    out = composing.outgoing_of(case, letter, desk, letterhead, judge)
    out = composing.with_orders(out, case, letter, desk, (letterhead, judge))
    event = _event(now, "labbridge", "released by rule", shown, f"{by_rule.rule} {letter.control_id}")
    counts = (*out.counts, *counting.closed(case.outcome, "released_by_rule"))
    return desk.release(structs.replace(out, by_rule=by_rule, counts=counts), event)


def _to_sign(shown: str, signer: str, desk: Desk, signing: Signing | None) -> Case:
    """The case as it is signed: the version that was shown, in the words that a person gave it."""
    key, version = policies.parse_shown(shown)
    case = desk.case(key)
    if case is None:
        raise Refused(f"There is no case C{key}; `labbridge show` lists the cases")
    policies.check_release(case, version, signer)
    case = policies.worded(case, desk.wording(key, version))
    if signing is not None:
        decisions.check_screen(case, case.text, signing.screen)
    return case


def _signature(case: Case, signer: str, desk: Desk, signing: Signing | None) -> tuple[Signature | None, bool]:
    """The signature, and whether another one has to follow before anything leaves."""
    two = second.needed(case)
    if signing is None:
        if two:
            raise Refused(f"C{case.key} is signed by two persons, who do so at the workbench")
        return None, False
    first = second.first_of(case, signing.person, signing.screen, desk.two_readers(case.key)) if two else None
    if first is not None and not signing.second:
        raise Refused(f"C{case.key} waits for its second reader")
    return Signature(
        person=signing.person,
        name=signer,
        meaning=signing.meaning,
        screen=signing.screen,
        first=first.person if first else "",
    ), two and first is None


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
        heard = fault.answer
        wait = max(delay(delivery.attempts), timedelta(seconds=fault.after_s))
        settled = sending.unanswered(delivery, str(fault), clock.now() + wait)
    else:
        heard = answer.raw
        if answer.takes(delivery.control_id):
            settled = sending.acknowledged(delivery, answer.code)
        else:
            said = f"{answer.error} {answer.text}".strip()
            settled = sending.refused(delivery, answer.code, said, clock.now() + delay(delivery.attempts))
    settled = requesting.answered(sending.heard(settled, heard), delivery, heard)
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
