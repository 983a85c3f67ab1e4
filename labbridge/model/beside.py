"""What stands beside a case on its page: whom and what it is about, and cases like it."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from labbridge.model.report import Patient
from labbridge.model.review import Decided
from labbridge.states import CaseState


class About(msgspec.Struct, frozen=True, kw_only=True):
    """When the case was opened; who sent the result its comment hangs on (`application|facility`, empty where that message
    is not known); the patient as last stated, None where the patient is not named or was never described."""

    opened: datetime
    sender: str = ""
    patient: Patient | None = None


class Alike(msgspec.Struct, frozen=True, kw_only=True):
    """A case that is done, with the flags and the four states of another one: what people decided of it, oldest first, and
    the classes of its comments that were released and not called back."""

    key: int
    day: date
    state: CaseState
    decided: tuple[Decided, ...] = ()
    classes: tuple[str, ...] = ()
