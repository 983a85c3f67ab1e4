"""Where the samples of the metrics come from: the store's own counts, and what this node's sockets did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from labbridge.model.work import EVALUATION_BOUNDS_US, STAGE_BOUNDS_S
from labbridge.observe import logs
from labbridge.observe.scrape import Labels, Sample, Scrape
from labbridge.observe.traffic import GIVEN, Durations

Samples = Callable[[Scrape], Iterable[Sample]]
Buckets = Iterator[tuple[Labels, Sequence[int], float]]
QUARANTINED = ("quarantined", "oversize")


# ---------------------------------------------------------------- the store's


def tally(name: str) -> Samples:
    """A counter as it stands."""
    return lambda scrape: scrape.counts.tally.get(name, {}).items()


def filled(name: str, *words: str) -> Samples:
    """The same, each of these there before the first: what begins with one has not increased."""
    return lambda scrape: _filled([(word,) for word in words], scrape.counts.tally.get(name, {}))


def processed(scrape: Scrape) -> Iterable[Sample]:
    """An echo is told of from the first on, so it is there at 0 for every feed."""
    feeds = {*scrape.counts.last_received, *scrape.traffic.listeners, *scrape.traffic.polled}
    return _filled([(feed, "echo") for feed in sorted(feeds)], scrape.counts.tally.get("processed", {}))


def _filled(first: Iterable[Labels], counts: Mapping[Labels, float]) -> Iterable[Sample]:
    found: dict[Labels, float] = dict.fromkeys(first, 0.0)
    found.update(counts)
    return found.items()


def mark(name: str) -> Samples:
    """What was set last."""
    return lambda scrape: scrape.counts.marks.get(name, {}).items()


def one(values: Callable[[Scrape], Mapping[str, float]]) -> Samples:
    """A figure by one label."""
    return lambda scrape: [((key,), value) for key, value in values(scrape).items()]


def received(scrape: Scrape) -> Iterator[Sample]:
    """By what became of each at its arrival: what was quarantined then and taken up since stays counted so, because a
    counter that goes back tells of thousands that never came."""
    counts = scrape.counts.tally
    taken_up = counts.get("taken_up", {})
    for (feed, kind), count in counts.get("stored", {}).items():
        later = sum(number for (its, of, _before), number in taken_up.items() if (its, of) == (feed, kind))
        yield (feed, kind, "accepted"), count - later
    for (feed, kind), count in counts.get("duplicate", {}).items():
        yield (feed, kind, "duplicate"), count
    for name in QUARANTINED:
        for (feed, kind), count in counts.get(name, {}).items():
            later = sum(number for (its, _of, before), number in taken_up.items() if (its, before) == (feed, name))
            yield (feed, kind, name), count + later


def rules(scrape: Scrape) -> Iterator[Sample]:
    """A rule passed in every evaluation in which it did not hold."""
    counts = scrape.counts.tally
    held = counts.get("rules", {})
    evaluations = counts.get("evaluations", {}).get((), 0)
    for rule in sorted({labels[0] for labels in held}):
        yield (rule, "pass"), evaluations - sum(count for labels, count in held.items() if labels[0] == rule)
    yield from held.items()
    yield ("", "error"), counts.get("failures", {}).get((), 0)


def stages(scrape: Scrape) -> Buckets:
    found = scrape.counts.tally.get("stages", {})
    seconds = scrape.counts.tally.get("stage_seconds", {})
    for stage in sorted({labels[0] for labels in found}):
        counts = [found.get((stage, bound), 0) for bound in (*map(str, STAGE_BOUNDS_S), "inf")]
        yield (stage,), counts, seconds.get((stage,), 0)


def evaluations(scrape: Scrape) -> Buckets:
    found = scrape.counts.tally.get("evaluation_times", {})
    counts = [found.get((bound,), 0) for bound in (*map(str, EVALUATION_BOUNDS_US), "inf")]
    yield (), counts, scrape.counts.tally.get("evaluation_us", {}).get((), 0) / 1_000_000


def outbox(scrape: Scrape) -> Iterable[Sample]:
    """A receiver that ever had a comment has none waiting, which is not the same as nobody knowing."""
    receivers = {labels[0] for labels in scrape.counts.tally.get("comments", {})}
    return _filled([(one,) for one in sorted(receivers)], {(to,): count for to, count in scrape.counts.outbox.items()})


def unmapped(scrape: Scrape) -> Iterable[Sample]:
    return [((feed, "test"), count) for feed, count in scrape.counts.unmapped.items()]


# ---------------------------------------------------------------- this node's


def acks(scrape: Scrape) -> Iterable[Sample]:
    """A feed refuses or takes from the start on."""
    given = [(feed, GIVEN, code) for feed in list(scrape.traffic.listeners) for code in ("AA", "AE", "AR")]
    return _filled(given, dict(list(scrape.traffic.acks.items())))


def ack_seconds(scrape: Scrape) -> Buckets:
    for labels, found in scrape.traffic.listed():
        yield labels, tuple(found.counts), found.sum_s


def commits(scrape: Scrape) -> Buckets:
    found: Durations = scrape.traffic.commits
    yield (), tuple(found.counts), found.sum_s


def by_reason(name: str) -> Samples:
    return lambda scrape: [
        ((feed, reason), count)
        for feed, listener in list(scrape.traffic.listeners.items())
        for reason, count in list(getattr(listener, name).items())
    ]


def polled(name: str) -> Samples:
    return one(lambda s: {feed: getattr(found, name) for feed, found in list(s.traffic.polled.items())})


def in_the_way(scrape: Scrape) -> Iterator[Sample]:
    for feed, found in list(scrape.traffic.polled.items()):
        if found.code:
            yield (feed, found.code), 1


def gaps(scrape: Scrape) -> Iterator[Sample]:
    for feed, found in list(scrape.traffic.polled.items()):
        yield from (((feed, "open"), found.gaps_open), ((feed, "closed"), found.gaps))


def disk(place: int) -> Samples:
    """0: bytes free, 1: bytes in all; nothing where the store's disk is a server's."""
    return lambda scrape: [((), found[place])] if (found := scrape.traffic.disk()) else []


def lines(_scrape: Scrape) -> Iterable[Sample]:
    return list(logs.counted.items())


def dropped(_scrape: Scrape) -> Iterable[Sample]:
    return [((what,), logs.dropped[what]) for what in ("field", "value")]


def certificates(scrape: Scrape) -> Iterable[Sample]:
    sections = {key.rpartition(".")[0] for key in scrape.traffic.expiries()}
    return _filled([(one, "refused") for one in sorted(sections)], dict(list(scrape.traffic.reloads.items())))
