"""The worklist: its queues, what may be asked of it, and a case as one of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from labbridge.model.outcome import Outcome, Severity
from labbridge.model.review import Disposition
from labbridge.states import CaseState, DeliveryState

DONE = (CaseState.SIGNED, CaseState.CLOSED)
"""States in which nobody has to look at a case; one that is in any other comes first."""
OPEN = tuple(one for one in CaseState if one not in DONE)
RANKS = {one: rank for rank, one in enumerate(Severity, 1)}
"""Severities in rising order; 0 is a case without a finding."""


class Queue(NamedTuple):
    """`name` stands in addresses. A case is in it by its state and by what a person did with it (`dispositions`,
    None: whatever that was), or by what became of a comment that is to leave; `review`: it was released by rule, and
    a person is to read it afterwards. `group` is what it stands under."""

    name: str
    title: str
    group: str
    states: tuple[CaseState, ...] = ()
    deliveries: tuple[DeliveryState, ...] = ()
    review: bool = False
    dispositions: tuple[Disposition, ...] | None = (Disposition.NONE,)

    @property
    def ranked(self) -> bool:
        """Whether what ranks higher comes first: where everybody may know what was found, and somebody has to look."""
        return bool(self.states) and not set(self.states) & set(DONE) and self.dispositions == (Disposition.NONE,)


TO_DO, SET_ASIDE, LEAVING, WHOLE = "To do", "Set aside by a person", "On its way", "Done and all"
QUEUES = (
    Queue("open", "To look at", TO_DO, OPEN),
    Queue("new", "New", TO_DO, (CaseState.NEW,)),
    Queue("reopened", "Reopened", TO_DO, (CaseState.REOPENED,)),
    Queue("held", "On hold", TO_DO, (CaseState.HELD,)),
    Queue("held_by_a_person", "Held by a person", SET_ASIDE, OPEN, dispositions=(Disposition.HELD,)),
    Queue("referred", "Referred", SET_ASIDE, OPEN, dispositions=(Disposition.REFERRED,)),
    Queue("waiting_retest", "Waiting for a retest", SET_ASIDE, OPEN, dispositions=(Disposition.WAITING_RETEST,)),
    Queue("second_reader", "Waiting for the second reader", SET_ASIDE, OPEN, dispositions=(Disposition.SECOND_READER,)),
    Queue("no_action", "Decided without a comment", SET_ASIDE, OPEN, dispositions=(Disposition.DONE,)),
    Queue("to_be_sent", "Waiting to be sent", LEAVING, deliveries=(DeliveryState.WAITING,)),
    Queue("sent", "Sent, not acknowledged", LEAVING, deliveries=(DeliveryState.SENT,)),
    Queue("send_failed", "Send failed", LEAVING, deliveries=(DeliveryState.FAILED,)),
    Queue("independent_review", "Released by rule, to be read", LEAVING, review=True),
    Queue("signed", "Signed", WHOLE, (CaseState.SIGNED,), dispositions=None),
    Queue("closed", "Closed", WHOLE, (CaseState.CLOSED,), dispositions=None),
    Queue("all", "All", WHOLE, tuple(CaseState), dispositions=None),
)
BY_NAME: Mapping[str, Queue] = {one.name: one for one in QUEUES}
FIRST = QUEUES[0]
EVERY_SITE = ""
"""The feed of a shift note that all sites read."""


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases. `feeds` are those of the person's sites (None: all of them); the rest is what the person chose: one
    feed, findings of a severity at least, a flag, the analyte that a finding or a retest names, the day since which the case
    is open. Empty and None choose nothing. `now`: what a person held until before then is to be looked at again. `unread`:
    the person may be the second reader of what waits for one, so that no filter tells what the first one found there: such
    a case is among those chosen, whatever was found."""

    now: datetime
    queue: Queue = FIRST
    feeds: tuple[str, ...] | None = ()
    feed: str = ""
    severity: Severity | None = None
    flag: str = ""
    analyte: str = ""
    since: date | None = None
    unread: bool = False


HIGHEST = 2**31 - 1


class Place(NamedTuple):
    """Where a page begins: behind this case, which is of those to look at or (`done`) of the others, and in a queue that is
    `ranked` has this rank."""

    done: bool = False
    key: int = 0
    rank: int = HIGHEST


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A case as a row. `newest` is the receipt of the newest result its draft rests on, None in an outcome from before that
    was kept. `delivery`: the worst that became of a comment on its way; None where nothing is. `disposition`: what a person
    did with this version, and `until` when it comes back from there. `damaged`: as of a case (model.work.Case)."""

    key: int
    version: int
    state: CaseState
    feed: str
    opened: datetime
    updated: datetime
    outcome: Outcome
    delivery: DeliveryState | None = None
    disposition: Disposition = Disposition.NONE
    until: datetime | None = None
    rank: int = 0
    damaged: bool = False

    @property
    def done(self) -> bool:
        return self.state in DONE

    @property
    def waits_for_reader(self) -> bool:
        """Whether a second person has still to sign this version."""
        return self.disposition is Disposition.SECOND_READER

    def set_aside(self, now: datetime) -> bool:
        """Whether a person put it where nobody has to look at it now."""
        return self.disposition is not Disposition.NONE and (self.until is None or self.until > now)

    @property
    def newest(self) -> datetime | None:
        return self.outcome.newest

    @property
    def begun(self) -> datetime:
        """From when its clock runs. The case was opened when a result had come: a case whose newest is not known waits no
        longer than that."""
        return self.newest or self.opened

    @property
    def place(self) -> Place:
        return Place(self.done, self.key, self.rank)

    @property
    def severity(self) -> Severity | None:
        """The worst of its findings."""
        return max((flag.severity for flag in self.outcome.flags), key=RANKS.__getitem__, default=None)


MOST_COUNTED = 10_000
"""Of the cases that nobody has to look at any more so many are counted for a tab, and one to say that there are more."""


class Counted(msgspec.Struct, frozen=True):
    """So many cases by state and disposition, so many that have a comment in a state of delivery, and so many that a person
    is to read after their release by rule. `feeds` of the open ones."""

    cases: Mapping[tuple[CaseState, Disposition], int]
    deliveries: Mapping[DeliveryState, int]
    reviews: int = 0
    feeds: tuple[str, ...] = ()

    def of(self, queue: Queue) -> int:
        """How many are in a queue."""
        found = sum(
            n
            for (state, done), n in self.cases.items()
            if state in queue.states and (queue.dispositions is None or done in queue.dispositions)
        )
        found += self.reviews if queue.review else 0
        return found + sum(n for state, n in self.deliveries.items() if state in queue.deliveries)

    def said(self, queue: Queue) -> str:
        """The same as a tab says it: `10000+` where there are more than were counted."""
        many = any(
            self.cases.get((state, Disposition.NONE), 0) > MOST_COUNTED for state in set(queue.states) & set(DONE)
        )
        return f"{MOST_COUNTED}+" if many else str(self.of(queue))


class ShiftNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a person leaves at a queue for who comes next. `feed`: the site it is for, or EVERY_SITE."""

    queue: str
    feed: str
    at: datetime
    person: str
    text: str


def words(outcome: Outcome) -> tuple[int, str, str]:
    """What the worklist is filtered by, as it is kept beside a case: the rank of its worst finding, its flags, the
    analytes that findings and retests name. Each word stands between blanks."""
    worst = max((RANKS[flag.severity] for flag in outcome.flags), default=0)
    flags = sorted({flag.code for flag in outcome.flags})
    analytes = {flag.analyte for flag in outcome.flags} | {one.analyte for one in outcome.retests}
    return worst, _spaced(flags), _spaced(sorted(analytes - {""}))


def _spaced(found: list[str]) -> str:
    return f" {' '.join(found)} " if found else ""
