"""The numbers of the status page: what the store knows of them, and what only the running service knows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from labbridge.model.messages import Waiting

Labels = tuple[str, ...]


class Silence(msgspec.Struct, frozen=True):
    """When a feed's newest message before a moment had come, by feed. A feed is not in it where that is not known."""

    at: datetime
    newest: Mapping[str, datetime]


class Arrivals(msgspec.Struct, frozen=True):
    """New messages by feed and hour (its beginning). Before `since` nothing is known; None: nothing ever came. `weeks`: the
    same moment one week ago, two weeks ago, and so on."""

    since: datetime | None = None
    hours: Mapping[tuple[str, datetime], int] = {}
    weeks: tuple[Silence, ...] = ()


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """What the store counts, as of `at`. `tally[name][labels]` has its counters (counting.py), `newest` when a feed last
    sent anything. `cases` are by feed and state, all of them, and `open_since` the oldest that is open. `outbox` is what is
    not settled, by receiver and state, `quarantine` by feed and reason, `work` by state. `unmapped` has by feed how many
    codes no table names, and how many of them may be an analyte of ours. `decided` are the newest decisions by kind."""

    at: datetime
    tally: Mapping[str, Mapping[Labels, int]]
    newest: Mapping[str, datetime]
    cases: Mapping[tuple[str, str], int]
    open_since: Mapping[tuple[str, str], datetime]
    work: Mapping[str, Waiting]
    outbox: Mapping[tuple[str, str], Waiting]
    quarantine: Mapping[tuple[str, str], Waiting]
    unmapped: Mapping[str, tuple[int, int]]
    decided: Mapping[str, int]
    arrivals: Arrivals


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A feed's listener since the start: connections open now, and those that were closed before a byte was read, by why."""

    connections: int
    plaintext: bool
    refused: dict[str, int] = {}


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """Acknowledgements of one kind since the start: `direction` is given or received, `code` the MSA-1."""

    peer: str
    direction: str
    code: str
    count: int


class Took(msgspec.Struct, frozen=True, kw_only=True):
    """How many acknowledgements took up to each bound, and longer than the last."""

    peer: str
    direction: str
    counts: list[int]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the running service knows of itself. `stage`: starting, recovering, running or draining. `bounds_s` are those of
    `took`, `expiries_s` the seconds until what is in force ends, by its key in the configuration."""

    since: datetime
    stage: str
    version: str
    role: str
    reading_paused: bool
    knowledge: str = ""
    listeners: dict[str, Listener] = {}
    answers: list[Answers] = []
    took: list[Took] = []
    bounds_s: list[float] = []
    expiries_s: dict[str, float] = {}
