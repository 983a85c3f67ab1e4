"""What receive() makes of bytes: an arrival to keep, and the answer to give once it is kept."""

from __future__ import annotations

from datetime import datetime

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7 import ack, batch
from labbridge.hl7.head import Head, head
from labbridge.hl7.structure import read_structure
from labbridge.model.report import PlacedNote
from labbridge.model.work import Arrival, AuditEvent, Feed, Receipt
from labbridge.states import Reason, State

_REASON_OF = {
    "200": Reason.UNSUPPORTED,
    "201": Reason.UNSUPPORTED,
    "202": Reason.WRONG_PROCESSING_ID,
    "203": Reason.UNSUPPORTED,
}


class Read(msgspec.Struct, frozen=True):
    """A message as far as it is read before it is kept: what is kept, the head that is answered, and its fault if any."""

    arrival: Arrival
    head: Head
    fault: Refuse | None = None

    @property
    def closes(self) -> bool:
        return self.fault is not None and self.fault.close


def read(raw: bytes, feed: Feed, address: str, now: datetime, notes: tuple[PlacedNote, ...] = ()) -> Read:
    """A message of this feed: its envelope, or the fault it is refused for."""
    try:
        envelope = read_structure(raw, feed)
    except Refuse as fault:
        return refused(raw, feed, address, now, fault)
    arrival = Arrival(
        raw=raw,
        feed=feed.name,
        peer=address,
        sender=envelope.sender,
        control_id=envelope.control_id,
        message_type=envelope.message_type,
        digest=envelope.digest,
        length=len(raw),
        lanes=envelope.lanes,
        received=now,
        notes=notes,
    )
    return Read(arrival, envelope.message.head)


def refused(raw: bytes, feed: Feed, address: str, now: datetime, fault: Refuse) -> Read:
    """What is kept of a message that is refused: all of it, with the place and the rule."""
    found = head(raw if not batch.several(raw) else batch.first(raw))
    arrival = Arrival(
        raw=raw,
        feed=feed.name,
        peer=address,
        sender=found.sender,
        control_id=found.control_id,
        message_type=found.message_type,
        digest=ack.digest(raw),
        length=len(raw),
        received=now,
        state=State.QUARANTINED,
        reason=_REASON_OF.get(fault.code, Reason.STRUCTURE if fault.answer else Reason.NOT_HL7),
        detail=fault.text,
        answer="AR" if fault.reject else "AE",
        error_code=fault.code,
        location=fault.location,
    )
    return Read(arrival, found, fault)


def event(read: Read) -> AuditEvent:
    """The audit's line of an arrival."""
    arrival = read.arrival
    action, detail = ("received", arrival.message_type) if read.fault is None else ("refused", arrival.detail)
    return AuditEvent(at=arrival.received, actor=arrival.feed, action=action, subject="", detail=detail)


def answer(read: Read, receipt: Receipt, now: datetime) -> bytes:
    """The acknowledgement of a message that is on disk. Our control id is the key it was kept under, and the moment."""
    control_id = f"LBA{receipt.key}-{int(now.timestamp() * 1e6)}"
    if read.fault is None:
        return ack.accept(read.head, control_id=control_id, now=now)
    return ack.refuse(read.head, read.fault, control_id=control_id, now=now)


def batch_id(now: datetime) -> str:
    """Our control id of a response batch."""
    return f"LBB-{int(now.timestamp() * 1e6)}"
