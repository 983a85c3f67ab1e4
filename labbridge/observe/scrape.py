"""What a scrape looks at, and what a row of the table of metrics is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from labbridge.observe.traffic import Traffic

Labels = tuple[str, ...]
Sample = tuple[Labels, float]


class Counted(Protocol):
    """store.scraped.Scraped, as far as the metrics read it."""

    @property
    def tally(self) -> Mapping[str, Mapping[Labels, int]]: ...

    @property
    def marks(self) -> Mapping[str, Mapping[Labels, int]]: ...

    @property
    def last_received(self) -> Mapping[str, float]: ...

    @property
    def work(self) -> Mapping[str, int]: ...

    @property
    def work_oldest_s(self) -> Mapping[str, float]: ...

    @property
    def cases(self) -> Mapping[Labels, int]: ...

    @property
    def cases_oldest_s(self) -> Mapping[Labels, float]: ...

    @property
    def outbox(self) -> Mapping[str, int]: ...

    @property
    def outbox_oldest_s(self) -> Mapping[str, float]: ...

    @property
    def failed(self) -> Mapping[str, int]: ...

    @property
    def quarantine(self) -> Mapping[str, int]: ...

    @property
    def quarantine_oldest_s(self) -> float: ...

    @property
    def unmapped(self) -> Mapping[str, int]: ...

    @property
    def unmapped_ours(self) -> Mapping[str, int]: ...

    @property
    def suspended(self) -> Mapping[str, int]: ...

    @property
    def unconfirmed(self) -> int: ...


class About(NamedTuple):
    """What runs here. `ruleset_hash` is the knowledge in force, empty where none is loaded; a reload changes it."""

    version: str
    ruleset_hash: str
    python: str
    single_writer: bool


class Scrape(NamedTuple):
    """Everything a scrape looks at. `now`: seconds since 1970 by this node's clock."""

    counts: Counted
    traffic: Traffic
    about: About
    now: float = 0.0


class Of(StrEnum):
    """Whose figure it is. STORE: the whole store's, the same from each node that has it: max() over instances. NODE: what
    this node alone counts or is: sum() over instances, or each by itself."""

    STORE = "store"
    NODE = "node"


class Measure(NamedTuple):
    """A row of the table: a counter or gauge, its labels, what it means, whose it is, and where its samples come from."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    labels: Labels
    of: Of
    means: str
    samples: Callable[[Scrape], Iterable[Sample]]

    @property
    def exposed(self) -> str:
        """Its name in a query."""
        return f"{self.name}_total" if self.kind is CounterMetricFamily else self.name


class Timing(NamedTuple):
    """A row of the table: a histogram in seconds. A sample is labels, counts per bucket and the sum."""

    name: str
    labels: Labels
    of: Of
    means: str
    bounds: Sequence[float]
    samples: Callable[[Scrape], Iterable[tuple[Labels, Sequence[int], float]]]

    @property
    def exposed(self) -> str:
        return self.name
