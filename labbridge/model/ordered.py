"""What an answer makes of an order. What is not known is unknown: it is never shown as accepted, nor as refused."""

from __future__ import annotations

from typing import NamedTuple

from labbridge.model.retests import OrderSaid, OrderState

CONTRADICTS = "Two answers contradict each other: ask the laboratory"
LOST = "It was refused when it was sent again, and an answer before was lost: ask the laboratory"
LONGEST_SAID = 500  # characters of a laboratory's reason that are kept
_SETTLED = (OrderState.ACCEPTED, OrderState.REFUSED)


class Became(NamedTuple):
    """The state of an order from now on, what is said of it, and the laboratory's number."""

    state: OrderState
    said: str
    filler: str = ""


def becomes(before: OrderState, said: OrderSaid, *, lost: bool) -> Became | None:
    """None where the answer says nothing new. `lost`: an attempt before had no answer that could be trusted: then a refusal
    may be that of a number which the laboratory has taken already."""
    reason = " ".join(said.said.split())[:LONGEST_SAID]
    if before is OrderState.CANCELLED or said.state is before:
        return None
    if said.state is OrderState.ACKNOWLEDGED:
        return Became(said.state, reason) if before is OrderState.UNKNOWN else None
    if before in _SETTLED:
        return Became(OrderState.UNKNOWN, f"{CONTRADICTS}. {reason}".strip(), said.filler)
    if said.state is OrderState.REFUSED and lost:
        return Became(OrderState.UNKNOWN, f"{LOST}. {reason}".strip())
    return Became(said.state, reason, said.filler)
