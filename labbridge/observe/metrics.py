"""Metrics by the names of standards.md 4.5. What must equal the store is read from the store at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from labbridge.observe.measures import MEASURES, TIMINGS
from labbridge.observe.scrape import About, Counted, Of, Scrape, Timing
from labbridge.observe.traffic import Traffic

__all__ = ["MEASURES", "TIMINGS", "About", "Counted", "Metrics", "Of"]


class Metrics(Collector):
    """What GET /metrics answers. `counts` reads the store once per scrape, so that counters equal its tables; `clock` gives
    the seconds since 1970."""

    def __init__(
        self,
        counts: Callable[[], Counted],
        traffic: Traffic,
        about: About,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._counts, self._traffic, self.about, self._clock = counts, traffic, about, clock
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def exposition(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        scrape = Scrape(self._counts(), self._traffic, self.about, self._clock())
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
