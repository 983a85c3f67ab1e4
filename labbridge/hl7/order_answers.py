"""What a laboratory answers to an order: ORL^O22, ORR^O02 or a plain acknowledgement (standards.md 2.7).

Answers come from outside: whatever bytes come, reading them never raises, and a doubtful answer is none. What an answer
does not say is unknown, never accepted.
"""

from __future__ import annotations

import msgspec

ACCEPTED, REFUSED, SAYS_NOTHING = "accepted", "refused", ""


class AnsweredOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order of an answer: ORC-1, the placer number (ours; ORC-2.1, else OBR-2.1), the filler number (ORC-3.1, else
    OBR-3.1) and, for a person alone, the reason that was given. `said` is `accepted`, `refused`, or empty where ORC-1
    says neither."""

    control: str
    placer: str
    filler: str = ""
    reason: str = ""

    @property
    def said(self) -> str:
        raise NotImplementedError


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """MSA-1, MSA-2 and the orders; none in a plain acknowledgement. `reason`: what stands in MSA-3 or ERR, for a person
    alone."""

    code: str
    control_id: str
    orders: tuple[AnsweredOrder, ...] = ()
    reason: str = ""


def read_answer(raw: bytes) -> OrderAnswer | None:
    """An answer to an order; None for bytes that are no answer. Never raises."""
    raise NotImplementedError
