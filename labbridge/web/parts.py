"""What the pages are given: the store to read, the acts of a person, the clock, words, and how long a sign-in lasts."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

from labbridge.model.approvals import Approval
from labbridge.model.beside import About, Alike
from labbridge.model.changes import Change
from labbridge.model.items import Item
from labbridge.model.mapping import Choices, LocalCode, SeenCode, SentCode, Suggestion
from labbridge.model.messages import (
    Bytes,
    ChosenDeliveries,
    ChosenMessages,
    DeliveryDetail,
    DeliveryPage,
    InForce,
    Message,
    Page,
    Waiting,
)
from labbridge.model.outcome import Outcome
from labbridge.model.people import Person, Session, Token
from labbridge.model.provider import Begun
from labbridge.model.ranking import Ranking
from labbridge.model.reference import Reference, Rules
from labbridge.model.release import LookedAt, Standing, Suspension
from labbridge.model.replay import Replay, Replayed, Wanted
from labbridge.model.report import Identifier
from labbridge.model.retests import ListedRetest, Yield
from labbridge.model.review import Call, Decision, Reading, Remark, SecondReading, Signed
from labbridge.model.status import Numbers
from labbridge.model.wordings import Asked, Window
from labbridge.model.work import AuditEvent, Case, Feed, HeldResults, StoredHistory
from labbridge.model.worklist import Chosen, Counted, Listed, Place, ShiftNote
from labbridge.ports import Clock
from labbridge.states import DeliveryState, State
from labbridge.web.throttle import Throttle
from labbridge.web.visits import Ages

if TYPE_CHECKING:
    from labbridge.web.authorizing import Smart
    from labbridge.web.oidc import OpenId

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
T = TypeVar("T")


class People(Protocol):
    """The accounts (store/people.py)."""

    def by_login(self, login: str) -> Person | None: ...

    def by_subject(self, subject: str) -> Person | None: ...

    def everybody(self) -> list[Person]: ...

    def tokens(self) -> list[Token]: ...

    def add(self, person: Person, audit: AuditEvent) -> None: ...

    def change(self, person: Person, audit: AuditEvent) -> None: ...

    def prefers(self, person: Person, theme: str, language: str) -> None: ...

    def open(self, session: Session, audit: AuditEvent, oldest_seen: datetime, oldest_opened: datetime) -> None: ...

    def session(self, digest: bytes) -> Session | None: ...

    def begin(self, begun: Begun, oldest: datetime) -> None: ...

    def begun(self, digest: bytes) -> Begun | None: ...

    def given_up(self, begun: Begun, audit: AuditEvent) -> None: ...

    def arrived(self, begun: Begun, session: Session, audit: AuditEvent, *, instead: bytes = b"") -> None: ...

    def seen(self, session: Session, now: datetime) -> None: ...

    def proven(self, session: Session, now: datetime) -> None: ...

    def close(self, session: Session, audit: AuditEvent) -> None: ...

    def opens(self, case: int, person: Person, audit: AuditEvent) -> None: ...

    def noted(self, *events: AuditEvent) -> None: ...

    def token(self, digest: bytes) -> Token | None: ...

    def used(self, token: Token, now: datetime) -> None: ...


class Cases(Protocol):
    """The worklist and its cases (store/bench.py)."""

    def case(self, key: int) -> Case | None: ...

    def draft(self, key: int, version: int) -> Case | None:
        """The case as an earlier version had it."""

    def decisions(self, key: int) -> list[Decision]: ...

    def signatures(self, key: int) -> list[Signed]: ...

    def looked_at(self, case: Case) -> LookedAt | None: ...

    def release_standings(self) -> list[Standing]: ...

    def suspensions(self) -> list[Suspension]: ...

    def retests(self, case: Case) -> list[ListedRetest]: ...

    def open_retests(self, feeds: Sequence[str] | None, after: int, limit: int) -> list[ListedRetest]: ...

    def retest_yields(self, feeds: Sequence[str] | None) -> list[Yield]: ...

    def retest(self, key: int) -> ListedRetest | None: ...

    def ranked_by(self, key: int, version: int) -> str: ...

    def calls(self, key: int) -> list[Call]: ...

    def remarks(self, key: int) -> list[Remark]: ...

    def two_readers(self, key: int) -> SecondReading: ...

    def readings(self, limit: int) -> list[Reading]: ...

    def worded(self, keys: Sequence[int]) -> set[int]: ...

    def wordings(self, asked: Asked, before: int) -> Window: ...

    def held(self, key: int) -> HeldResults | None: ...

    def about(self, case: Case) -> About: ...

    def alike(self, case: Case, feeds: Sequence[str] | None) -> list[Alike]: ...

    def page(self, chosen: Chosen, after: Place, limit: int) -> list[Listed]: ...

    def keys(self, chosen: Chosen, limit: int) -> list[int]: ...

    def rows(self, keys: Sequence[int]) -> list[Listed]: ...

    def counts(self, feeds: Sequence[str] | None, now: datetime) -> Counted: ...

    def newest(self, chosen: Chosen) -> str: ...

    def news(self, chosen: Chosen, seen: str) -> int: ...

    def find(self, number: str, case: int, feeds: Sequence[str] | None) -> list[int]: ...

    def opened(self, keys: Sequence[int], since: datetime) -> dict[int, list[tuple[str, str]]]: ...


class Messages(Protocol):
    """The messages (store/messages.py)."""

    def page(self, chosen: ChosenMessages, before: int, limit: int) -> Page: ...

    def waiting(self, feeds: Sequence[str] | None) -> dict[State, Waiting]: ...

    def sorts(self) -> tuple[tuple[str, ...], tuple[str, ...]]: ...

    def feeds_of(self, keys: Sequence[int]) -> dict[int, str]: ...

    def one(self, key: int, feeds: Sequence[str] | None) -> Message | None: ...

    def sizes(self, keys: Sequence[int]) -> list[InForce]: ...

    def in_force(self, keys: Sequence[int]) -> list[InForce]: ...

    def bytes(self, key: int) -> Bytes | None: ...

    def held(self, patient: Identifier | None, lane: str) -> StoredHistory | None: ...


class Deliveries(Protocol):
    """What leaves (store/deliveries.py)."""

    def page(self, chosen: ChosenDeliveries, after: tuple[int, int], limit: int) -> DeliveryPage: ...

    def waiting(self, feeds: Sequence[str] | None) -> dict[DeliveryState, Waiting]: ...

    def receivers(self, feeds: Sequence[str] | None) -> tuple[str, ...]: ...

    def one(self, key: int, feeds: Sequence[str] | None, *, opened: bool = False) -> DeliveryDetail | None: ...


class Approvals(Protocol):
    """Who signed what of the knowledge, and the knowledge that was in force (store/approvals.py)."""

    def all(self) -> list[Approval]: ...

    def of_item(self, key: str) -> list[Approval]: ...

    def knowledge(self, version: str) -> bytes | None: ...


class Replays(Protocol):
    """Replays of another knowledge over the stored past (store/replays.py)."""

    def newest(self, limit: int) -> list[Replay]: ...

    def one(self, key: int) -> Replay | None: ...

    def cases(self, key: int, feeds: Sequence[str] | None, after: int, limit: int) -> list[Replayed]: ...

    def verdicts(self, key: int, feeds: Sequence[str] | None) -> dict[Wanted, int]: ...


class Changes(Protocol):
    """Changes of the site's files (store/changes.py)."""

    def one(self, key: int) -> Change | None: ...

    def open(self) -> list[Change]: ...

    def ended(self, limit: int) -> list[Change]: ...


class Unmapped(Protocol):
    """Codes that no table names and that may be ours (store/unmapped.py)."""

    def listed(self, feeds: Sequence[str] | None, limit: int) -> list[SeenCode]: ...

    def one(self, code: LocalCode) -> SeenCode | None: ...

    def others(self, feeds: Sequence[str] | None) -> dict[str, tuple[int, int]]: ...

    def messages(self, code: LocalCode, limit: int) -> list[int]: ...


class Suggester(Protocol):
    """What a code may be, and what a person can say of it (suggest.Suggester)."""

    def __call__(self, local: SentCode) -> Suggestion: ...

    def choices(self) -> Choices: ...


class Items(Protocol):
    """What is signed, of the files on the disk and of a knowledge that was kept (sources.ItemsOnDemand)."""

    def __call__(self) -> Mapping[str, Item]: ...

    def of(self, wanted: str, body: bytes) -> Mapping[str, Item]: ...


class Status(Protocol):
    """The numbers of the status page (store/status.py)."""

    def numbers(self, now: datetime) -> Numbers: ...


class Shift(Protocol):
    """The shift notes (store/shift.py)."""

    def notes(self, queue: str, feeds: Sequence[str] | None, limit: int) -> list[ShiftNote]: ...

    def add(self, note: ShiftNote, audit: AuditEvent) -> None: ...


class Pool(Generic[T]):
    """So many of something that one thread uses at a time. Made when first needed."""

    def __init__(self, make: Callable[[], T], size: int) -> None:
        self._make = make
        self._free: queue.LifoQueue[T | None] = queue.LifoQueue()
        for _number in range(size):
            self._free.put(None)

    @contextmanager
    def __call__(self) -> Iterator[T]:
        one = self._free.get()
        try:
            one = one if one is not None else self._make()
            yield one
        finally:
            self._free.put(one)


class Parts(NamedTuple):
    """`act` performs an act where the store is written, as the command line does (acts.py). `hosts` are the names by
    which browsers reach the service, `meanings` what each flag means, `reference` what pages show of the knowledge
    beside that, `rules` the rules in words (sources.RulesOnDemand), `ranking` why a case was ranked as it was
    (ordering.RankingOnDemand), `items` what of the knowledge is signed, `suggestions` what a code may be, `undo_s`
    for how long what was signed can be undone. `feeds` says how each feed's messages are read. `hospital` is the
    identity provider, None without one; `smart`: whom programs prove themselves to, None where none can; `test`: the
    instance is said to be for tests."""

    people: Callable[[], AbstractContextManager[People]]
    cases: Callable[[], AbstractContextManager[Cases]]
    shift: Callable[[], AbstractContextManager[Shift]]
    messages: Callable[[], AbstractContextManager[Messages]]
    deliveries: Callable[[], AbstractContextManager[Deliveries]]
    status: Callable[[], AbstractContextManager[Status]]
    approvals: Callable[[], AbstractContextManager[Approvals]]
    replays: Callable[[], AbstractContextManager[Replays]]
    changes: Callable[[], AbstractContextManager[Changes]]
    unmapped: Callable[[], AbstractContextManager[Unmapped]]
    suggestions: Callable[[], Suggester]
    items: Items
    act: Callable[[dict[str, Any]], dict[str, Any]]
    clock: Clock
    ages: Ages
    throttle: Throttle
    meanings: Mapping[str, str] = MappingProxyType({})
    reference: Reference = Reference()
    feeds: Mapping[str, Feed] = MappingProxyType({})
    rules: Callable[[str], Rules | None] = lambda _version: None
    ranking: Callable[[str, bytes, Outcome], Ranking | None] = lambda _version, _body, _outcome: None
    undo_s: float = 0.0
    hosts: frozenset[str] = LOCAL
    hospital: OpenId | None = None
    smart: Smart | None = None
    test: bool = False

    @property
    def trials(self) -> Mapping[str, str]:
        """Feeds whose results are no patient's, with the MSH-11 they take (T training, D debugging)."""
        return {name: feed.processing_id for name, feed in self.feeds.items() if feed.processing_id != "P"}

    def known_host(self, name: str) -> bool:
        return name.lower() in self.hosts
