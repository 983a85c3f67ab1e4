"""The metrics as a scrape gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from labbridge.observe.traffic import Traffic

if TYPE_CHECKING:
    from labbridge.observe.metrics import About, Counted, Metrics


class Exposition:
    """prometheus-client is loaded by the first scrape, not by the start."""

    def __init__(
        self, counts: Callable[[], Counted], traffic: Traffic, about: Callable[[], tuple[str, str, str, bool]]
    ) -> None:
        self._counts, self._traffic, self._about = counts, traffic, about
        self._metrics: Metrics | None = None

    def __call__(self) -> bytes:
        from labbridge.observe.metrics import About, Metrics

        about: About = About(*self._about())
        if self._metrics is None or self._metrics.about != about:
            self._metrics = Metrics(self._counts, self._traffic, about)
        return self._metrics.exposition()
