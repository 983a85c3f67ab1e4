"""Metrics by the names of standards.md 4.5, as one table. What must equal the store is read from the store at each scrape.

No label ever holds a patient, specimen, order, message or free text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from labbridge.model.work import STAGE_BOUNDS_S
from labbridge.observe.traffic import BOUNDS_S, Traffic

OUTCOMES = {"stored": "accepted", "duplicate": "duplicate", "quarantined": "quarantined", "oversize": "oversize"}

Labels = tuple[str, ...]
Sample = tuple[Labels, float]


class Counted(Protocol):
    """store.counts.Counts, as far as the metrics read it."""

    @property
    def tally(self) -> Mapping[str, Mapping[Labels, int]]: ...

    @property
    def last_received(self) -> Mapping[str, float]: ...

    @property
    def waiting(self) -> int: ...

    @property
    def parked(self) -> int: ...

    @property
    def oldest_waiting_s(self) -> float: ...

    @property
    def cases(self) -> Mapping[str, int]: ...

    @property
    def cases_oldest_s(self) -> Mapping[str, float]: ...

    @property
    def outbox(self) -> Mapping[str, Mapping[str, int]]: ...

    @property
    def outbox_oldest_s(self) -> Mapping[str, float]: ...

    @property
    def quarantine(self) -> Mapping[str, int]: ...

    @property
    def quarantine_oldest_s(self) -> float: ...

    @property
    def unmapped(self) -> Mapping[str, int]: ...

    @property
    def unmapped_ours(self) -> Mapping[str, int]: ...


class About(NamedTuple):
    """What runs here. `ruleset_hash` is the knowledge in force, empty where none is loaded; a reload changes it."""

    version: str
    ruleset_hash: str
    python: str
    single_writer: bool


class Scrape(NamedTuple):
    """Everything a scrape looks at."""

    counts: Counted
    traffic: Traffic
    about: About


class Measure(NamedTuple):
    """A row of the table: a counter or gauge, its labels, what it means, and where its samples come from."""

    name: str
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    labels: Labels
    means: str
    samples: Callable[[Scrape], Iterable[Sample]]


class Timing(NamedTuple):
    """A row of the table: a histogram in seconds. A sample is labels, counts per bucket and the sum."""

    name: str
    labels: Labels
    means: str
    bounds: Sequence[float]
    samples: Callable[[Scrape], Iterable[tuple[Labels, Sequence[int], float]]]


# ---------------------------------------------------------------- samples


def _tally(name: str) -> Callable[[Scrape], Iterable[Sample]]:
    return lambda scrape: scrape.counts.tally.get(name, {}).items()


def _received(scrape: Scrape) -> Iterator[Sample]:
    for name, outcome in OUTCOMES.items():
        for labels, count in scrape.counts.tally.get(name, {}).items():
            yield (*labels, outcome), count


def _rules(scrape: Scrape) -> Iterator[Sample]:
    """A rule passed in every evaluation in which it did not hold."""
    tally = scrape.counts.tally
    held = tally.get("rules", {})
    evaluations = tally.get("evaluations", {}).get((), 0)
    for rule in sorted({labels[0] for labels in held}):
        yield (rule, "pass"), evaluations - sum(count for labels, count in held.items() if labels[0] == rule)
    yield from held.items()
    yield ("", "error"), tally.get("failures", {}).get((), 0)


def _open(scrape: Scrape) -> Iterator[Sample]:
    for receiver, states in scrape.counts.outbox.items():
        yield (receiver,), states.get("waiting", 0) + states.get("sent", 0)


def _comments(scrape: Scrape) -> Iterator[Sample]:
    for receiver, states in scrape.counts.outbox.items():
        for state, count in states.items():
            yield (receiver, state), count


def _one(values: Callable[[Scrape], Mapping[str, float]]) -> Callable[[Scrape], Iterable[Sample]]:
    return lambda scrape: [((key,), value) for key, value in values(scrape).items()]


def _acks(scrape: Scrape) -> Iterable[Sample]:
    return list(scrape.traffic.acks.items())


def _ack_seconds(scrape: Scrape) -> Iterator[tuple[Labels, Sequence[int], float]]:
    for labels, found in scrape.traffic.listed():
        yield labels, tuple(found.counts), found.sum_s


def _stages(scrape: Scrape) -> Iterator[tuple[Labels, Sequence[int], float]]:
    found = scrape.counts.tally.get("stages", {})
    seconds = scrape.counts.tally.get("stage_seconds", {})
    for stage in sorted({labels[0] for labels in found}):
        counts = [found.get((stage, bound), 0) for bound in (*map(str, STAGE_BOUNDS_S), "inf")]
        yield (stage,), counts, seconds.get((stage,), 0)


def _by_reason(name: str) -> Callable[[Scrape], Iterable[Sample]]:
    return lambda scrape: [
        ((feed, reason), count)
        for feed, listener in scrape.traffic.listeners.items()
        for reason, count in list(getattr(listener, name).items())
    ]


def _polled(name: str) -> Callable[[Scrape], Iterable[Sample]]:
    return _one(lambda s: {feed: getattr(found, name) for feed, found in s.traffic.polled.items()})


def _in_the_way(scrape: Scrape) -> Iterator[Sample]:
    for feed, found in list(scrape.traffic.polled.items()):
        if found.code:
            yield (feed, found.code), 1


def _gaps(scrape: Scrape) -> Iterator[Sample]:
    for feed, found in list(scrape.traffic.polled.items()):
        yield from (((feed, "open"), found.gaps_open), ((feed, "closed"), found.gaps))


C, G = CounterMetricFamily, GaugeMetricFamily

MEASURES = (
    Measure(
        "labbridge_build_info", G, ("version", "ruleset_hash", "python"), "Always 1; what runs here",
        lambda s: [(s.about[:3], 1)],
    ),
    Measure(
        "labbridge_knowledge_reloads", C, ("outcome",),
        "Reloads of the knowledge: accepted, refused (what was in force stays) or unchanged", _tally("reloads"),
    ),
    Measure(
        "labbridge_store_single_writer_mode", G, (), "1 where the SQLite library has the WAL-reset fault",
        lambda s: [((), s.about.single_writer)],
    ),
    Measure(
        "labbridge_messages_received", C, ("feed", "type", "outcome"), "Arrivals; their sum is everything received",
        _received,
    ),
    Measure(
        "labbridge_messages_sent", C, ("receiver", "type", "outcome"),
        "Attempts to send: acknowledged, refused or unanswered", _tally("sent"),
    ),
    Measure(
        "labbridge_acks", C, ("peer", "direction", "code"),
        "Acknowledgements given and received since the start; timeout: none that can be trusted", _acks,
    ),
    Measure(
        "labbridge_feed_last_message_timestamp_seconds", G, ("feed",), "When a feed last sent anything",
        _one(lambda s: s.counts.last_received),
    ),
    Measure(
        "labbridge_feed_connected", G, ("feed",), "Open connections of a feed",
        _one(lambda s: {feed: found.connections for feed, found in s.traffic.listeners.items()}),
    ),
    Measure(
        "labbridge_reading_paused", G, (), "1 while nothing is read from senders, for want of room on the store's disk",
        lambda s: [((), s.traffic.reading_paused)],
    ),
    Measure(
        "labbridge_feed_connections_refused", C, ("feed", "reason"),
        "Connections closed before a byte was read since the start: addresses, caps, handshakes of TLS",
        _by_reason("refused"),
    ),
    Measure(
        "labbridge_feed_connections_closed", C, ("feed", "reason"), "Connections ended since the start, and why",
        _by_reason("closed"),
    ),
    Measure(
        "labbridge_odbc_stopped", G, ("feed",), "1 for a feed that has stopped until somebody changes something",
        _polled("stopped"),
    ),
    Measure(
        "labbridge_odbc_trouble", G, ("feed", "reason"), "1 while something is in the way of reading a view, and what",
        _in_the_way,
    ),
    Measure(
        "labbridge_odbc_readings", C, ("feed",), "Readings of a view since the start, each of them kept whole",
        _polled("readings"),
    ),
    Measure(
        "labbridge_odbc_gaps", G, ("feed", "state"),
        "Gaps in the numbers of a view: open (a row may still come) or closed (it never did)", _gaps,
    ),
    Measure(
        "labbridge_feed_plaintext", G, ("feed",), "1 for a listener beyond loopback without TLS",
        _one(lambda s: s.traffic.plaintext),
    ),
    Measure(
        "labbridge_certificate_expiry_seconds", G, ("key",),
        "Seconds until what is in force ends, by its key in the configuration; below zero once it has",
        _one(lambda s: s.traffic.expiries()),
    ),
    Measure(
        "labbridge_certificate_reloads", C, ("section", "outcome"),
        "Changed certificates since the start: taken, or refused (what was in force stays)",
        lambda s: list(s.traffic.reloads.items()),
    ),
    Measure(
        "labbridge_released_by_rule", C, ("rule",), "Comments that a release row let leave in a person's place",
        _tally("releases"),
    ),
    Measure(
        "labbridge_release_refusals", C, ("reason",), "Why drafts that were looked at for release stayed a person's",
        _tally("release_refusals"),
    ),
    Measure(
        "labbridge_release_reviews", C, ("rule", "verdict"),
        "What persons said who read afterwards what a rule released: agrees or disagrees", _tally("release_reviews"),
    ),
    Measure(
        "labbridge_retests_ordered", C, ("rule", "method"),
        "Orders made of recommended retests, by the rule that raised it and the method family", _tally("retests_ordered"),
    ),
    Measure(
        "labbridge_retests_closed", C, ("rule", "outcome"),
        "Recommended retests that ended: confirmed, refuted, equivocal, or cancelled", _tally("retests_closed"),
    ),
    Measure("labbridge_outbox_messages", G, ("receiver",), "Comments not yet acknowledged", _open),
    Measure(
        "labbridge_outbox_oldest_age_seconds", G, ("receiver",), "Age of the oldest of them",
        _one(lambda s: s.counts.outbox_oldest_s),
    ),
    Measure(
        "labbridge_quarantine_messages", G, ("reason",), "Refused messages that are kept",
        _one(lambda s: s.counts.quarantine),
    ),
    Measure(
        "labbridge_quarantine_oldest_age_seconds", G, (), "Age of the oldest of them",
        lambda s: [((), s.counts.quarantine_oldest_s)],
    ),
    Measure(
        "labbridge_unmapped_codes", G, ("feed", "kind"), "Distinct codes that no table names; kind is test",
        lambda s: [((feed, "test"), count) for feed, count in s.counts.unmapped.items()],
    ),
    Measure(
        "labbridge_unmapped_codes_ours", G, ("feed",), "Those of them whose name and unit speak of an analyte of ours",
        _one(lambda s: s.counts.unmapped_ours),
    ),
    Measure(
        "labbridge_work_messages", G, ("state",), "Lanes of work that are not done: kept (waiting) and parked",
        lambda s: [(("kept",), s.counts.waiting), (("parked",), s.counts.parked)],
    ),
    Measure(
        "labbridge_work_oldest_age_seconds", G, ("state",), "Age of the oldest waiting work",
        lambda s: [(("kept",), s.counts.oldest_waiting_s)],
    ),
    Measure(
        "labbridge_rows_damaged", G, ("table",),
        "Rows that were no longer what was written when last looked over (hourly); of work those parked for it",
        _tally("damaged"),
    ),
    Measure(
        "labbridge_results_processed", C, ("feed", "analyte", "method", "category"),
        "Result versions read: positive, negative, equivocal, indeterminate, invalid; CK is positive above its limit",
        _tally("results"),
    ),
    Measure(
        "labbridge_rule_evaluations", C, ("rule", "verdict"),
        "Evaluations of a rule that ever held: pass, flag, hold; error without a rule: processing failed", _rules,
    ),
    Measure(
        "labbridge_flags_opened", C, ("rule", "severity"), "Flags a case did not have before", _tally("flags")
    ),
    Measure("labbridge_cases_open", G, ("state",), "Cases by state", _one(lambda s: s.counts.cases)),
    Measure(
        "labbridge_cases_oldest_age_seconds", G, ("state",), "Time since the oldest case of a state was opened",
        _one(lambda s: s.counts.cases_oldest_s),
    ),
    Measure("labbridge_comments", C, ("receiver", "outcome"), "Comments by what became of them", _comments),
)  # fmt: skip

TIMINGS = (
    Timing(
        "labbridge_ack_duration_seconds",
        ("peer", "direction"),
        "Given: block complete to answer written. Received: message sent to answer read",
        BOUNDS_S,
        _ack_seconds,
    ),
    Timing(
        "labbridge_stage_duration_seconds",
        ("stage",),
        "drafted: since receipt; signed: since the draft; acknowledged: since the signature",
        STAGE_BOUNDS_S,
        _stages,
    ),
)


# ---------------------------------------------------------------- exposition


class Metrics(Collector):
    """What GET /metrics answers. `counts` reads the store once per scrape, so that counters equal its tables."""

    def __init__(self, counts: Callable[[], Counted], traffic: Traffic, about: About) -> None:
        self._counts, self._traffic, self.about = counts, traffic, about
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        scrape = Scrape(self._counts(), self._traffic, self.about)
        for row in MEASURES:
            family = row.kind(row.name, row.means, labels=row.labels)
            for labels, value in row.samples(scrape):
                family.add_metric(labels, value)
            yield family
        for timing in TIMINGS:
            yield _histogram(timing, scrape)


def _histogram(timing: Timing, scrape: Scrape) -> Metric:
    family = HistogramMetricFamily(timing.name, timing.means, labels=timing.labels)
    bounds = [*map(str, timing.bounds), "+Inf"]
    for labels, counts, total in timing.samples(scrape):
        family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
    return family
