"""What an attempt to send makes of a delivery (reliability.md 6): acknowledged, tried again, or given up for a person."""

from __future__ import annotations

from datetime import datetime

import msgspec

from labbridge.model.work import Delivery, Sent, Settled
from labbridge.states import DeliveryState

MAX_REFUSALS = 10  # AE, AR, CE or CR ten times: then a person looks
LONGEST_ANSWER = 2**16  # bytes of an answer that are kept


def acknowledged(delivery: Delivery, code: str) -> Settled:
    """AA or CA, for exactly this message."""
    return Settled(
        state=DeliveryState.ACKNOWLEDGED, sent=Sent.ACKNOWLEDGED, reason=f"{code} received", refusals=delivery.refusals
    )


def refused(delivery: Delivery, code: str, said: str, due: datetime) -> Settled:
    """A negative answer: again when due, until there were too many. `said` is the receiver's own error code and text:
    it is kept for the person who looks, and never logged."""
    why = f"{code}: {said}" if said else code
    refusals = delivery.refusals + 1
    if refusals < MAX_REFUSALS:
        return Settled(state=DeliveryState.WAITING, sent=Sent.REFUSED, reason=why, refusals=refusals, due=due)
    reason = f"{MAX_REFUSALS} times {why}"
    return Settled(state=DeliveryState.FAILED, sent=Sent.REFUSED, reason=reason, refusals=refusals)


def unanswered(delivery: Delivery, why: str, due: datetime) -> Settled:
    """No answer that can be trusted: the same bytes go again, for ever."""
    return Settled(state=DeliveryState.WAITING, sent=Sent.UNANSWERED, reason=why, refusals=delivery.refusals, due=due)


def heard(settled: Settled, answer: bytes) -> Settled:
    """With what the receiver wrote, for the person who looks: the first 64 KiB of it."""
    return msgspec.structs.replace(settled, answer=answer[:LONGEST_ANSWER])
