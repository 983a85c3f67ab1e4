"""What is read of the store for programs that read and search (serving_fhir.py)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from labbridge.model.report import PlacedNote
from labbridge.model.work import AuditEvent, Case


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says of one patient: the row of work, its message and lane. `raw`: the bytes in force, empty once
    wiped; `digest`: the SHA-256 that they must have, empty for bytes that a person edited. `reason`: what became of it."""

    id: int
    message: int
    lane: str
    reason: str
    feed: str
    received: datetime
    notes: tuple[PlacedNote, ...] = ()
    raw: bytes = b""
    digest: bytes = b""

    @property
    def damaged(self) -> bool:
        """The bytes on the disk are no longer the ones that came."""
        return bool(self.digest and self.raw) and hashlib.sha256(self.raw).digest() != self.digest


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Rows behind a key up to another one (both of units, or both of cases), no more than `limit`, of these feeds; of these
    lanes and of these messages, received (of cases and lines: written) from then on and before then, where that is said."""

    feeds: tuple[str, ...]
    after: int
    until: int
    limit: int
    lanes: tuple[str, ...] | None = None
    messages: tuple[int, ...] | None = None
    since: datetime | None = None
    before: datetime | None = None


class Resources(Protocol):
    """What is held, as programs may read it. Reads alone, along indexes or over so many keys at most."""

    def newest(self) -> tuple[int, int, int]:
        """The greatest keys of units, cases and lines of the audit."""
        ...

    def units(self, window: Window) -> list[Unit]:
        """Those that may be read, in the order of their keys: all that came by FHIR and was not found to be somebody
        else's, and what came by HL7 v2 and holds results of ours."""
        ...

    def of_message(self, key: int, feeds: Sequence[str]) -> list[Unit]: ...

    def newest_of(self, lanes: Sequence[str], feeds: Sequence[str]) -> Unit | None:
        """The newest unit of these lanes that may be read."""
        ...

    def first_of(self, lane: str) -> int:
        """The first unit of the patient of a lane: what the patient is known by here; 0 where there is none."""
        ...

    def lanes_of_unit(self, key: int) -> tuple[str, ...]:
        """The lanes of the patient who is known by a unit; empty where nobody is."""
        ...

    def lanes_of_number(self, authority: str | None, number: str) -> tuple[str, ...]:
        """The lanes of the patients who bear a number; `authority` None: of whichever."""
        ...

    def messages_of(self, kind: str, token: str, feeds: Sequence[str]) -> tuple[int, ...]:
        """The messages in which a sender of these feeds called a resource so: an identifier (`system|value`, `|value`), the
        sender's own id (`/id`), or a value of whatever system (no bar, no slash)."""
        ...

    def messages_of_number(self, number: str) -> tuple[int, ...]:
        """The messages with an order or specimen of this number that has results of ours."""
        ...

    def named_in(self, message: int) -> frozenset[str]:
        """The resources of a message that are known by their sender's own id, as `Type/id`."""
        ...

    def cases(self, window: Window) -> list[Case]: ...

    def audit(self, window: Window) -> list[tuple[int, AuditEvent]]:
        """Lines of the audit under their keys; of all feeds."""
        ...
