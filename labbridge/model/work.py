"""The units of work: a message as it came, a case on the worklist, a comment on its way out, and the audit of each."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from enum import StrEnum

import msgspec

from labbridge.model.outcome import Outcome, PostedComment
from labbridge.model.release import ByRule, Judged
from labbridge.model.report import Identifier, Patient, PlacedNote
from labbridge.model.result import ContextItem, PatientResults, Result
from labbridge.model.retests import OrderSaid, OutgoingOrder, Retested, RetestStep, Withheld
from labbridge.model.review import Disposition, Signature
from labbridge.states import CaseState, DeliveryState, Reason, State


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed's configuration says about reading its messages (contract.md, Configuration).

    `sender` is the one MSH-3|MSH-4 it takes (empty: any); `timezone` is an IANA name; `charset` overrides MSH-18 when
    set; `decimal_mark` is "." or ","; `empty_status` "hold" or "final"; `cytoplasmic_reported_as` positive, negative,
    negative_with_comment or unknown; `processing_id` P, T or D; `default_method` maps analyte to a canonical method
    code for senders that name none; `postfix_comparators`: it writes comparators after numbers and as letters and arrows
    (`100<` is above 100); `application_ack` names the receiver of application acknowledgements, if any; `second_identifier`
    "required" or "where_sent": whether a patient's number alone connects a message with what is held of that patient.
    `kind`: its wire, "mllp", "fhir" or "odbc". Of FHIR: `authorities`, the names of assigning authorities by identifier
    system; `local_systems`, the code systems that are the laboratory's own codes. Of rows: `columns`, the column of each
    meaning (rows/incoming.py); `parts`, local codes by the column that holds such a result; `key`, the columns by which a
    row is told from any other. `synthetic`: the lane of the patient that is none, whose messages come by this feed
    (heartbeat.py); empty: there is none.
    """

    name: str
    kind: str = "mllp"
    sender: str = ""
    timezone: str = "UTC"
    charset: str = ""
    decimal_mark: str = "."
    postfix_comparators: bool = False
    cytoplasmic_reported_as: str = "unknown"
    empty_status: str = "hold"
    processing_id: str = "P"
    default_method: dict[str, str] = {}
    settle_s: float = 0.0
    application_ack: str = ""
    second_identifier: str = "required"
    authorities: dict[str, str] = {}
    local_systems: tuple[str, ...] = ()
    columns: dict[str, str] = {}
    parts: dict[str, str] = {}
    key: tuple[str, ...] = ()
    synthetic: str = ""


class PostedResource(msgspec.Struct, frozen=True):
    """What a sender asks to be done with one resource of a FHIR body: its entry (-1: it is the body itself), `POST` or
    `PUT`, its type and, of PUT, its own id. `known_by`: its identifiers, each `system|value`. `only_if_none`: it is
    created only where no resource of its type is known by this."""

    entry: int
    method: str
    kind: str
    id: str = ""
    known_by: tuple[str, ...] = ()
    only_if_none: str = ""

    def named(self, key: int) -> str:
        """Its id in the message of this key: its sender's own, else of the key and its entry (`M17-3`, `M17`)."""
        return self.id or (f"M{key}-{self.entry}" if self.entry >= 0 else f"M{key}")


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it came off the wire, with what its envelope says. Immutable. `resources`: those of a FHIR body.

    `sender` is `application|facility` (MSH-3|MSH-4), `digest` the SHA-256 of `raw`, `lanes` one lane per patient (the
    patient, else the specimen, else the sender). `raw` is whole, except for an oversize frame (its first 64 KiB;
    `length` is what was read). `detail` is a sentence for people, without patient data.
    """

    raw: bytes
    feed: str
    peer: str
    sender: str = ""
    control_id: str = ""
    message_type: str = ""
    digest: bytes
    length: int
    lanes: tuple[str, ...] = ()
    received: datetime
    state: State = State.KEPT
    reason: Reason = Reason.RECEIVED
    detail: str = ""
    answer: str = "AA"
    error_code: str = ""
    location: str = ""
    notes: tuple[PlacedNote, ...] = ()
    resources: tuple[PostedResource, ...] = ()


class Receipt(msgspec.Struct, frozen=True):
    """What the store did with an arrival. `duplicate`: the same sender, control id and bytes came before and `key` is that
    one's. `control_id_reuse`: the control id came before with other bytes; both are kept. Of a FHIR body: `known`, the
    resources that were there already, entry and id; `several`, the first entry whose condition more than one resource
    meets, for which the whole was quarantined."""

    key: int
    duplicate: bool = False
    control_id_reuse: bool = False
    known: dict[int, str] = {}
    several: int | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A kept message with one lane of its work. `attempts` counts how often processing began with it alone, and once for
    all the times it began with others. `notes` are those made
    at its receipt. `raw` is empty once it was wiped for its age. `digest` is the SHA-256 the bytes had when they came;
    empty for bytes that a person edited. `again`: it was read before, and what it brought then is held no more.
    `undone`: how often in a row what was written of it was undone, since processing started."""

    key: int
    raw: bytes
    feed: str
    sender: str
    control_id: str
    lane: str
    received: datetime
    state: State
    attempts: int = 0
    undone: int = 0
    notes: tuple[PlacedNote, ...] = ()
    digest: bytes = b""
    again: bool = False

    @property
    def damaged(self) -> bool:
        """The bytes on the disk are no longer the ones that came."""
        return bool(self.digest and self.raw) and hashlib.sha256(self.raw).digest() != self.digest


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the append-only audit: who did what to which thing, when. Identifiers are ours (M17, C12, D3)."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str = ""


STAGE_BOUNDS_S = (60, 300, 900, 3600, 14_400, 43_200, 86_400, 259_200, 604_800, 1_209_600)  # a minute to 14 days
EVALUATION_BOUNDS_US = (500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000)  # half a ms to 1 s


class Count(msgspec.Struct, frozen=True):
    """So many more of something (counting.py): a name, and its labels from closed lists. Never a patient's data."""

    name: str
    labels: tuple[str, ...]
    by: int = 1


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation of a case, ready to be written: the outcome and the message whose result the comment hangs on."""

    outcome: Outcome
    text: str
    subject_message: int | None
    subject_at: str
    notes: tuple[PlacedNote, ...] = ()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A patient's entry on the worklist (architecture.md, rule 3). Shown as `C12@3`: case 12, draft version 3.

    `opened_day` is the collection day of the result that opened it. `posted` are its comments that left or may have
    left, oldest first; `unsent` counts released ones that wait for their first attempt; `sub_id` is the key (OBX-4)
    they share. `text` is the comment of the current version, empty when there is none. `lanes` are all lanes of the
    patient: the one that identity messages merged the others into, then those. `disposition` is what a person did with
    this version, and `until` when it comes back from there. `damaged`: the case or its draft is no longer what was written
    on the disk. Then the state is HELD and the outcome model.outcome.DAMAGED: there is nothing to read, to sign or to send;
    `mendable`: a new draft mends it, else what it hangs on is damaged too. `retested`: its
    lane has rows on the ledger of retests.
    """

    key: int
    version: int
    state: CaseState
    patient: Identifier | None
    lane: str
    lanes: tuple[str, ...] = ()
    feed: str
    opened_day: date
    outcome: Outcome
    text: str
    subject_message: int | None = None
    subject_at: str = ""
    sub_id: str = ""
    posted: tuple[PostedComment, ...] = ()
    unsent: int = 0
    updated: datetime
    disposition: Disposition = Disposition.NONE
    until: datetime | None = None
    damaged: bool = False
    mendable: bool = True
    retested: bool = False


class Verdict(StrEnum):
    """What a person, or the LIS by an identity message, says of a lane and what was stated of its patient there."""

    SAME = "same"
    OTHER = "other"


class HeldPart(msgspec.Struct, frozen=True, kw_only=True):
    """Results and context that came in one lane under the same statements of who the patient is. `who` is what was stated
    beside the number (review/identity.py); empty where it was kept before that was recorded."""

    lane: str
    who: str = ""
    results: tuple[Result, ...] = ()
    context: tuple[ContextItem, ...] = ()


class HeldResults(msgspec.Struct, frozen=True, kw_only=True):
    """All result versions and context held of a patient, to be looked at: without what a person said is somebody else's.
    `damaged`: messages of which something held is no longer what was written; that is left out, and has to be told."""

    results: tuple[Result, ...] = ()
    context: tuple[ContextItem, ...] = ()
    damaged: tuple[int, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An identity message said that the patient of the lane `prior` is the one of the lane `surviving`. Nothing is moved;
    `undone` leaves the line and takes it out of force. `last`: the lane that the surviving one was merged into by then."""

    prior: str
    surviving: str
    message: int
    undone: bool = False
    last: str = ""


class StoredHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What the store holds of one patient over all lanes linked to one (`lanes`, the surviving one first): result versions
    and context in parts, cases, the demographics last stated, what was decided of who is who, the links, and the ledger
    of retests."""

    patient: Patient | None
    lanes: tuple[str, ...] = ()
    parts: tuple[HeldPart, ...] = ()
    cases: tuple[Case, ...] = ()
    verdicts: dict[tuple[str, str], Verdict] = {}
    links: tuple[Link, ...] = ()
    decided: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    retests: tuple[Retested, ...] = ()


class CaseChange(msgspec.Struct, frozen=True, kw_only=True):
    """A draft to write to a case: `case` None opens one. The write is undone when `version` is no longer current, when
    other comments than the `unsent` ones seen would have to be called back, or, where it opens a case, when the patient
    has other cases than the `seen` ones."""

    case: int | None
    version: int
    state: CaseState
    opened_day: date
    draft: Draft
    unsent: int = 0
    seen: int = 0


class Drafted(msgspec.Struct, frozen=True, kw_only=True):
    """All that processing one lane of one message writes: results, context, unmapped codes, case changes, notes, counts,
    and the patient as now known (None: disagreement, the stored patient stays). `who` is what the message states of its
    patient. An identity message may bring a `link`, and statements of which the LIS says now that they are of the same
    patient (`same`, each with its lane)."""

    message: Kept
    results: PatientResults
    who: str = ""
    patient: Patient | None = None
    link: Link | None = None
    same: tuple[tuple[str, str], ...] = ()
    cases: tuple[CaseChange, ...]
    notes: tuple[PlacedNote, ...]
    knowledge: str
    counts: tuple[Count, ...] = ()
    retests: tuple[RetestStep, ...] = ()


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a person repaired it, not yet approved by a second one."""

    version: int
    raw: bytes
    editor: str


class ApplicationAck(msgspec.Struct, frozen=True, kw_only=True):
    """The application acknowledgement of a message (enhanced mode), a message of its own to a receiver: the bytes that
    say it was processed, and those that say a person has to look. Empty: the sender does not want that one."""

    receiver: str
    control_id: str
    processed: bytes
    parked: bytes


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """A comment ready to leave, final bytes. `control_id` and bytes are the same on every attempt.

    A comment that has not left when it `expires` is read again by a person. `specimen` is what the comments of one
    specimen have in common; no more than `per_specimen` of them (0: any number) leave within a day. `digest` is what
    the text is known by when it comes back (hl7/echoes.py). It does not leave before it is `due`, and can be undone until
    then. `signature`: under which it leaves, where it was signed at the workbench. `judged`: what a person's release says
    of the draft; `by_rule`: what released it where no person did. `orders` leave with it, of retests that it recommends;
    `withheld`: those of which no order is made, and why.
    """

    case: int
    version: int
    receiver: str
    lane: str
    control_id: str
    raw: bytes
    correction: bool
    posted: PostedComment
    counts: tuple[Count, ...] = ()
    expires: datetime | None = None
    specimen: str = ""
    per_specimen: int = 0
    digest: bytes = b""
    due: datetime | None = None
    signature: Signature | None = None
    judged: Judged | None = None
    by_rule: ByRule | None = None
    orders: tuple[OutgoingOrder, ...] = ()
    withheld: tuple[tuple[int, Withheld], ...] = ()


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An outgoing message claimed for one attempt. `refusals` counts negative answers so far; attempts without an answer
    are not among them: a receiver that is away is tried for ever. `order`: it is the order of this placer number."""

    key: int
    case: int
    version: int
    receiver: str
    control_id: str
    raw: bytes
    attempts: int
    refusals: int = 0
    state: DeliveryState
    created: datetime
    order: str = ""


class Sent(StrEnum):
    """How one attempt to send ended."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one attempt: the delivery's next state and why, when it is due again, its refusals so far. `answer`:
    the receiver's bytes, where any came, whether they could be trusted or not. `order`: what they say of an order."""

    state: DeliveryState
    sent: Sent
    reason: str
    due: datetime | None = None
    refusals: int = 0
    answer: bytes = b""
    order: OrderSaid | None = None
