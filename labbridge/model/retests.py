"""The ledger of retests: what was recommended and what became of it, and the orders that went to the LIS for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

import msgspec

from labbridge.model.outcome import Priority


class RetestState(StrEnum):
    """The life of a recommendation. Advised and ordered are open."""

    ADVISED = "advised"
    ORDERED = "ordered"
    RESULTED = "resulted"
    CANCELLED = "cancelled"


class Closing(StrEnum):
    """What the result said that closed it: positive confirms, negative refutes, and what is neither is equivocal."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    EQUIVOCAL = "equivocal"


class OrderState(StrEnum):
    """An order at the LIS. WAITING: it has not left. UNKNOWN: it has or may have left, and nothing that can be trusted says
    what became of it. ACKNOWLEDGED: the message was taken, without a word of the order. Only the filler's OK is ACCEPTED."""

    WAITING = "waiting"
    UNKNOWN = "unknown"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why a recommendation ended without a result. The sentences are for people."""

    CHANGED = "changed"
    NOT_NEEDED = "not_needed"
    CLOSED = "closed"
    TWICE = "twice"
    PERSON = "person"


class Withheld(StrEnum):
    """Why no order is made of a recommendation where the receiver takes orders. The sentences are for people."""

    NONE = ""
    AGAIN = "again"
    PROMPT = "prompt"
    NO_SERVICE = "no_service"
    NO_SOURCE = "no_source"
    NOT_VALID = "not_valid"
    STORM = "storm"
    ORDERED = "ordered"


CAUSES: dict[Cause, str] = {
    Cause.CHANGED: "The result that it was recommended for was corrected or withdrawn",
    Cause.NOT_NEEDED: "What is known by now does not call for it any more",
    Cause.CLOSED: "Its case was closed: another case of the patient covers its days",
    Cause.TWICE: "The same retest of the same patient is open already",
    Cause.PERSON: "A person cancelled it",
}
WITHHELD: dict[Withheld, str] = {
    Withheld.AGAIN: "It was tested for this reason before: a person orders it, if anybody does",
    Withheld.PROMPT: "It is advice alone: no order is made of it",
    Withheld.NO_SERVICE: "The laboratory has no service code for it (mappings, orders)",
    Withheld.NO_SOURCE: "The message that it hangs on is not here any more, or does not name what an order needs",
    Withheld.NOT_VALID: "The order would not be a valid message for the receiver",
    Withheld.STORM: "Too many comments and orders have left for the specimen within 24 hours",
    Withheld.ORDERED: "It was ordered for this reason before: a person orders it again, if anybody does",
}

OPEN = frozenset({RetestState.ADVISED, RetestState.ORDERED})
TRANSITIONS: Mapping[RetestState, frozenset[RetestState]] = {
    RetestState.ADVISED: frozenset({RetestState.ORDERED, RetestState.RESULTED, RetestState.CANCELLED}),
    RetestState.ORDERED: frozenset({RetestState.ADVISED, RetestState.RESULTED, RetestState.CANCELLED}),
    RetestState.RESULTED: frozenset({RetestState.ADVISED, RetestState.ORDERED, RetestState.CANCELLED}),
    RetestState.CANCELLED: frozenset({RetestState.ADVISED, RetestState.ORDERED}),
}
"""A closing result that is withdrawn opens a retest again, and so does a correction that is taken back."""

LEFT = frozenset({OrderState.UNKNOWN, OrderState.ACKNOWLEDGED, OrderState.ACCEPTED, OrderState.REFUSED})
"""Orders that the LIS may have: what it did with them is not ours to undo, and none is made beside them."""
ORDER_TRANSITIONS: Mapping[OrderState, frozenset[OrderState]] = {
    OrderState.WAITING: frozenset({OrderState.UNKNOWN, OrderState.CANCELLED}),
    OrderState.UNKNOWN: frozenset({OrderState.ACKNOWLEDGED, OrderState.ACCEPTED, OrderState.REFUSED}),
    OrderState.ACKNOWLEDGED: frozenset({OrderState.UNKNOWN, OrderState.ACCEPTED, OrderState.REFUSED}),
    OrderState.ACCEPTED: frozenset({OrderState.UNKNOWN}),
    OrderState.REFUSED: frozenset({OrderState.UNKNOWN}),
    OrderState.CANCELLED: frozenset(),
}
"""Two answers that contradict each other leave it unknown: nobody can tell which was said last."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """What a recommendation rests on: the rule that raised its flag (`id@version`), and of the result behind it the ref, the
    assay (its kit, else its method), the method family, the band of its signal as the interpretation names it, the specimen
    and the day of its collection. Empty where there is none: a test that is missing rests on no result of its own."""

    rule: str = ""
    ref: str = ""
    assay: str = ""
    family: str = ""
    band: str = ""
    specimen: str = ""
    day: date | None = None


class Retested(msgspec.Struct, frozen=True, kw_only=True):
    """One recommendation on the ledger. Shown as `R7`.

    `case` and `version` are those it was raised in, `day` the day its case opened on, `message` the one that raised it.
    `reason` is a flag code, `families` the method families that would settle it, in order. `closed_by` is the ref of the
    result that closed it. `cause` and `why` say why it ended without one, `by` which person ended it. `again`: a result of
    an earlier retest raised it. `order_from`: no order leaves before that day, where it is a prompt that waits. `order`: the
    state of its newest order.
    """

    key: int
    case: int
    version: int
    lane: str
    feed: str
    day: date
    message: int
    analyte: str
    reason: str
    families: tuple[str, ...]
    priority: Priority
    not_before: date | None = None
    raised: Raised = Raised()
    state: RetestState = RetestState.ADVISED
    closing: Closing | None = None
    closed_by: str = ""
    cause: Cause | None = None
    why: str = ""
    by: str = ""
    again: bool = False
    withheld: Withheld = Withheld.NONE
    advised: datetime
    closed: datetime | None = None
    order_from: date | None = None
    order: OrderState | None = None

    @property
    def open(self) -> bool:
        return self.state in OPEN


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A usable result, as it may answer a retest: by what, of which specimen, when, and what it says. `message`: the one it
    came in."""

    ref: str
    message: int
    analyte: str
    family: str
    day: date
    closing: Closing
    specimen: str = ""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a patient, as far as it answers retests: usable results, and the analytes in progress or on hold, of
    which nothing can be said yet."""

    answers: tuple[Answer, ...] = ()
    waiting: frozenset[str] = frozenset()


class RetestStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a retest: the row as it is from now on, and the state it had; None for a new one (its key is 0, and its case
    is 0 where that is opened with it). `recall`: an order of it that has not left does not leave. `by`: the method family of
    the result that closed it."""

    row: Retested
    before: RetestState | None = None
    recall: bool = False
    by: str = ""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order of a retest. `number` is its placer number, never used again; `filler` the laboratory's own number, once it
    gave one; `said` what the laboratory said, for people; `due` when it may leave, where that is not at once."""

    retest: int
    number: str
    state: OrderState
    delivery: int
    receiver: str
    family: str
    made: datetime
    updated: datetime
    filler: str = ""
    said: str = ""
    due: date | None = None


class ListedRetest(msgspec.Struct, frozen=True, kw_only=True):
    """A retest as it is shown, with its newest order."""

    row: Retested
    order: Order | None = None


class Yield(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the retests that one rule recommended for results of one assay and signal band: how many were closed
    by a result, and how many of these confirmed, refuted, or did neither; beside them the open and the cancelled ones."""

    rule: str
    assay: str
    band: str
    confirmed: int = 0
    refuted: int = 0
    equivocal: int = 0
    open: int = 0
    cancelled: int = 0

    @property
    def closed(self) -> int:
        return self.confirmed + self.refuted + self.equivocal


class OrderSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says of an order: its placer number, the state it calls for, the laboratory's number and reason.
    `control_id`: that of the message it answers (MSA-2)."""

    number: str
    control_id: str
    state: OrderState
    filler: str = ""
    said: str = ""


class PlacedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as an answer finds it. `control_id`: that of the message it left with. `lost`: an attempt to send it had no
    answer that could be trusted."""

    number: str
    control_id: str
    retest: int
    delivery: int
    state: OrderState
    lost: bool


class OutgoingOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order ready to leave with a comment: final bytes, judged. `raw` and `control_id` are the same on every attempt. It
    does not leave before `due`."""

    retest: int
    number: str
    control_id: str
    family: str
    raw: bytes
    due: date | None = None
