"""Another knowledge tried on the stored past: each case that would change, and the sum."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class ReplayState(StrEnum):
    """How far a replay is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Wanted(StrEnum):
    """What a person says of a case that would change: that is meant, or the change has to be narrower."""

    OPEN = ""
    ACCEPT = "accept"
    NARROW = "narrow"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A case that would stand otherwise. `case`: its key (empty: it would be opened); `changed`: states, findings, retests,
    comment, hold, held, or the case itself; `before` and `after` by these names, empty where there is no case."""

    case: str
    feed: str
    lane: str
    patient: str
    changed: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]


class Sum(msgspec.Struct, kw_only=True):
    """What a replay came to. `results`: result versions read; `parts`: cases by what of them changed; `flags`: findings that
    came (+) and went (-)."""

    before: str
    after: str
    patients: int = 0
    messages: int = 0
    results: int = 0
    cases: int = 0
    parked: int = 0
    patients_changed: int = 0
    cases_changed: int = 0
    parts: dict[str, int] = {}
    flags: dict[str, int] = {}
    seconds: float = 0.0


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One replay: the knowledge in force then (`before`), the other (`after`), by whom, and what it came to, once it is
    done. `said`: why it failed."""

    key: int
    before: str
    after: str
    by: str
    started: datetime
    state: ReplayState
    said: str = ""
    sum: Sum | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """A case of a replay with what a person says of it."""

    number: int
    told: Told
    verdict: Wanted = Wanted.OPEN
    name: str = ""
    why: str = ""
    at: datetime | None = None
