"""Messages and deliveries as the workbench shows them: what may be asked for, a row, one with all that is known of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from labbridge.model.report import PlacedNote
from labbridge.model.work import AuditEvent, Sent
from labbridge.states import CaseState, DeliveryState, Reason, State

ACTS = ("edited", "identity other", "identity same", "raw opened", "reprocess", "unlinked", "who is who opened")
"""What people do with messages and deliveries, as the audit names it. The index of those lines names them too."""


class ChosenMessages(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages. `feeds` are those of the person's sites (None: all of them); the rest is what the person chose. Empty
    and None choose nothing."""

    feeds: tuple[str, ...] | None = ()
    state: State | None = None
    reason: Reason | None = None
    feed: str = ""
    message_type: str = ""
    since: date | None = None


class ListedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a row. `edited`: an edit of it waits for a second person."""

    key: int
    received: datetime
    feed: str
    message_type: str
    control_id: str
    state: State
    reason: Reason
    location: str
    duplicates: int
    edited: bool


class Page(msgspec.Struct, frozen=True):
    """Messages, newest first. `following`: the key behind which there may be more; 0 where there is none."""

    messages: tuple[ListedMessage, ...]
    following: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """So many that need a person, and since when the oldest is here."""

    count: int
    oldest: datetime | None = None


class LaneOfWork(msgspec.Struct, frozen=True, kw_only=True):
    """A message's work in one lane. `kind` is what the lane is of (p: a patient); whose, its bytes say."""

    kind: str
    state: State
    reason: Reason
    sentence: str
    notes: tuple[PlacedNote, ...]
    attempts: int
    updated: datetime


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a person repaired it. `pending`: it is the newest, and no second person has approved it."""

    version: int
    editor: str
    why: str
    made: datetime
    approved_by: str
    raw: bytes = b""
    pending: bool = False

    @property
    def digest(self) -> str:
        """The SHA-256 of its bytes: whoever approves it names them by that."""
        return hashlib.sha256(self.raw).hexdigest()


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a message without its bytes. `length` is that of the bytes received, `kept` of those that are
    here: fewer of one that was too long, none once they were wiped."""

    key: int
    received: datetime
    feed: str
    peer: str
    sender: str
    control_id: str
    message_type: str
    length: int
    kept: int
    state: State
    reason: Reason
    detail: str
    answer: str
    error_code: str
    location: str
    duplicates: int
    notes: tuple[PlacedNote, ...] = ()
    lanes: tuple[LaneOfWork, ...] = ()
    versions: tuple[Version, ...] = ()
    cases: tuple[tuple[int, CaseState], ...] = ()
    events: tuple[AuditEvent, ...] = ()

    @property
    def editable(self) -> bool:
        return self.state in (State.PARKED, State.QUARANTINED)

    @property
    def pending(self) -> Version | None:
        """The edit that waits for a second person."""
        return next((one for one in self.versions if one.pending), None)


class Bytes(msgspec.Struct, frozen=True):
    """A message's bytes as received, and as people repaired them. `digest`: the SHA-256 they had when they came."""

    raw: bytes
    digest: bytes
    versions: tuple[Version, ...] = ()

    @property
    def damaged(self) -> bool:
        return bool(self.raw) and hashlib.sha256(self.raw).digest() != self.digest


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it is read: as received, or as the newest approved edit has it. `length` is that of its bytes, which are
    here (`raw`) where they were asked for. `damaged`: they are no longer the ones that came. `notes`: those of its
    receipt."""

    key: int
    feed: str
    length: int
    raw: bytes = b""
    damaged: bool = False
    notes: tuple[PlacedNote, ...] = ()


class ChosenDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries. No state: those that are not settled."""

    feeds: tuple[str, ...] | None = ()
    state: DeliveryState | None = None
    receiver: str = ""


class ListedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as a row. Without a `case` (0) it is an application acknowledgement."""

    key: int
    case: int
    version: int
    receiver: str
    control_id: str
    state: DeliveryState
    reason: str
    attempts: int
    refusals: int
    created: datetime
    updated: datetime
    due: datetime | None = None
    expires: datetime | None = None


class DeliveryPage(msgspec.Struct, frozen=True):
    """`following`: the state and the key behind which there may be more; the key is 0 where there is none."""

    deliveries: tuple[ListedDelivery, ...]
    following: tuple[int, int] = (0, 0)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to send: when it was settled, how it ended, and of what the receiver wrote how much is here, or (opened)
    all of it."""

    at: datetime
    sent: Sent
    reason: str
    length: int
    answer: bytes = b""


class DeliveryDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery with its newest attempts; `told` counts all that are written down. `kept` is how many bytes of what is sent
    are here, `raw` (opened) the bytes. `waits_for`: messages of its patient that are to be read first."""

    row: ListedDelivery
    kept: int
    told: int
    attempts: tuple[Attempt, ...]
    waits_for: tuple[int, ...] = ()
    events: tuple[AuditEvent, ...] = ()
    raw: bytes = b""
    damaged: bool = False


Unsettled = Mapping[DeliveryState, Waiting]
