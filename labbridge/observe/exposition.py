"""The metrics as a scrape gets them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from labbridge.observe.traffic import Traffic

if TYPE_CHECKING:
    from labbridge.observe.metrics import About, Counted, Metrics


class Clock(Protocol):
    def now(self) -> datetime: ...


class Exposition:
    """prometheus-client is loaded by the first scrape, not by the start."""

    def __init__(
        self,
        counts: Callable[[datetime], Counted],
        traffic: Traffic,
        about: Callable[[], tuple[str, str, str, bool]],
        clock: Clock,
    ) -> None:
        self._counts, self._traffic, self._about, self._clock = counts, traffic, about, clock
        self._metrics: Metrics | None = None

    def __call__(self) -> bytes:
        from labbridge.observe.metrics import About, Metrics

        about: About = About(*self._about())
        if self._metrics is None or self._metrics.about != about:
            self._metrics = Metrics(lambda: self._counts(self._clock.now()), self._traffic, about, self._seconds)
        return self._metrics.exposition()

    def _seconds(self) -> float:
        return self._clock.now().timestamp()
