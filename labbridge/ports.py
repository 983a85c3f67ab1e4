"""What the story needs from outside. The edges implement these; nothing in the pure packages knows how.

Every method that changes anything takes its AuditEvent, and writes it in the same transaction. All writes of one call
are one unit: all of it or none. A failed commit raises StoreUnavailable, and then nothing happened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from labbridge.hl7.ordering import OrderForm, OrderLetter
from labbridge.model.report import Identifier
from labbridge.model.retests import OrderSaid, PlacedOrder, Retested
from labbridge.model.review import SecondReading, Signature
from labbridge.model.work import (
    ApplicationAck,
    Arrival,
    AuditEvent,
    Case,
    Count,
    Delivery,
    Drafted,
    Edit,
    Kept,
    Outgoing,
    Receipt,
    Settled,
    StoredHistory,
)
from labbridge.states import Reason, State


class Clock(Protocol):
    """The time, aware and in UTC. The only source of "now" for the story."""

    def now(self) -> datetime: ...


class Intake(Protocol):
    """The durable door (receive). Both return after the commit has reached the disk, never before."""

    async def keep(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        """Keep a message and its lanes of work. Same sender, control id and bytes again: the first key, counted."""

    async def keep_all(self, wanted: Sequence[tuple[Arrival, AuditEvent]]) -> list[Receipt]:
        """The same for several, in their order, in as few commits as the store can."""

    async def quarantine(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        """Keep a refused message whole, with place and reason. Counted as quarantined, duplicate or oversize."""


class Work(Protocol):
    """What processing reads and writes (run_once, process). Used from one process at a time."""

    def claim(self, now: datetime, singly: bool = False) -> list[Kept]:
        """The next waiting work, oldest first: at most 64 messages, at most one per lane, none behind a parked or
        unfinished earlier message of its lane. Marks them begun durably. `singly` takes one, and counts its attempts: of
        a batch nobody knows who stopped it, and many services end without any message's doing."""

    def unit(self) -> AbstractContextManager[None]:
        """Writes inside the block are one unit; an exception leaves nothing of them. Committed by flush()."""

    def flush(self) -> list[bool]:
        """Commit all units since the last flush in one transaction; one verdict per unit, False where a guard failed
        (a case changed meanwhile) and that unit alone was rolled back."""

    def hand_over(self) -> None:
        """As flush, without waiting for the disk; the next claim may begin its messages in the same transaction. It gives
        nothing that this could change, and once it gives nothing at all everything is on disk."""

    def history(self, patient: Identifier | None, lane: str) -> StoredHistory:
        """All that is held of the patient of a lane, over every lane linked with it."""

    def own_texts(self, digests: Sequence[bytes]) -> frozenset[bytes]:
        """Those of these digests that a comment of this service bears (hl7/echoes.py)."""

    def placed(self, numbers: Sequence[str]) -> Mapping[str, PlacedOrder]:
        """Those of these placer numbers that are orders of ours, by number."""

    def answered(self, said: Sequence[tuple[PlacedOrder, OrderSaid]], now: datetime) -> None:
        """Write what an answer says of orders of ours, as they were read."""

    def save(self, drafted: Drafted, audit: AuditEvent) -> None:
        """Write results, context, unmapped codes, notes, counts, drafts, and the ledger of retests."""

    def beat(self, feed: str, at: datetime) -> None:
        """Count a message of the synthetic patient that came through to a draft."""

    def acknowledge(self, message: Kept, answer: ApplicationAck, now: datetime) -> None:
        """Put the application acknowledgement into the outbox once no lane of the message waits any more; once only."""

    def set_state(self, message: Kept, state: State, reason: Reason, sentence: str, audit: AuditEvent) -> None:
        """Write a message's state for one lane of its work. Only pipeline.set_state calls this."""


class Desk(Protocol):
    """A person's acts (release, reprocess) and the reads behind them."""

    def case(self, key: int) -> Case | None: ...

    def message(self, key: int) -> Kept | None: ...

    def release(self, outgoing: Outgoing, audit: AuditEvent) -> int:
        """Outbox rows with the final bytes of the comment and its orders, the case signed, one transaction. Returns the
        comment's delivery key. Raises Refused when the case has a newer version than `outgoing.version` or was signed
        already, when too many comments have left for the specimen, or when a retest is not as it was read."""

    def two_readers(self, key: int) -> SecondReading:
        """The first signatures of a case, and what second readers read."""

    def sign_first(self, signature: Signature, case: Case, audit: AuditEvent) -> None:
        """Keep the first of two signatures: the case waits for the second reader. Refused where it has a newer version."""

    def wording(self, key: int, version: int) -> str:
        """The text that a person gave this version of a case instead of the drafted one; empty where nobody did."""

    def reprocess(self, key: int, lanes: tuple[str, ...], audit: AuditEvent, edit: Edit | None = None) -> None:
        """Send a parked, quarantined or done message through again, keeping its place; `lanes` as it reads now. `edit` is
        the one that this approves; Refused where it is not the newest."""

    def naming(self, lane: str) -> Kept | None:
        """The identity message that says who the patient of a surviving lane is now; None where none merged into it."""

    def next_control_id(self, now: datetime) -> str:
        """A control id never used before by this store (MSH-10 of an outgoing message)."""

    def next_order_number(self, now: datetime) -> str:
        """A placer number of an order, never given out before, whatever was erased or restored meanwhile."""

    def to_order(self, lanes: Sequence[str]) -> Sequence[Retested]:
        """The retests of a patient that are advised and not ordered, oldest first."""

    def is_ordered(self, lanes: Sequence[str], about: tuple[str, str], case: int) -> bool:
        """Whether the LIS may still carry out an order of this patient for this analyte and reason, or had one in this
        case, whatever became of it."""


class Outbox(Protocol):
    """Delivery's side of the store."""

    async def claim_delivery(self, receiver: str, now: datetime) -> Delivery | None:
        """The oldest due message of a receiver whose lane has none ahead, marked SENT with attempts + 1. In the same
        transaction a message whose case has a newer version is CANCELLED, and one that has expired is too and its case
        reopened: neither is returned. One of a patient of whom a message waits to be processed is left waiting."""

    async def settle(self, delivery: Delivery, settled: Settled, counts: Sequence[Count], audit: AuditEvent) -> None:
        """Record what the receiver answered. Only pipeline.set_delivery calls this."""

    async def recover(self, receiver: str, now: datetime, audit: AuditEvent) -> int:
        """Once a receiver is ours: messages left SENT by a process that ended wait again with the same bytes. Returns how
        many."""


class Answer(Protocol):
    """What a receiver said: a code of its standard (AA, 201), its own error code and text, and the bytes of the exchange,
    for a person."""

    @property
    def code(self) -> str: ...

    @property
    def error(self) -> str: ...

    @property
    def text(self) -> str: ...

    @property
    def raw(self) -> bytes: ...

    def takes(self, control_id: str) -> bool:
        """Whether it says, in a form that can be trusted, that the message of this number was taken."""


class Receiver(Protocol):
    """One LIS. `send` returns its answer, or raises Retry when there was none that can be trusted."""

    name: str

    async def send(self, raw: bytes, control_id: str) -> Answer: ...


class Judge(Protocol):
    """Judges outgoing bytes before they are stored, in a process of its own. Returns the faults, empty when none."""

    def judge(self, raw: bytes, text: str, version: str) -> Sequence[str]:
        """`version` of HL7 v2, 4.0 of FHIR, or odbc of a row; of FHIR an order is judged here too, without a text."""

    def judge_order(self, raw: bytes, letter: OrderLetter, form: OrderForm) -> Sequence[str]: ...
