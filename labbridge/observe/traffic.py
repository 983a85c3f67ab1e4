"""What the sockets did since the start: acknowledgements given and received, and how long they took. Small and without
dependencies, because it stands on the message path; observe.metrics prints it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
GIVEN, RECEIVED = "given", "received"


class Durations:
    """How many took up to each bound, and longer than the last; their sum in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Polled:
    """A view that is read: `code` is what is in the way (empty: nothing), `stopped` that a person has to change something.
    `rows` were kept since the start, in so many `readings`; `gaps` are numbers that never came, `gaps_open` that may
    yet."""

    def __init__(self) -> None:
        self.code, self.stopped = "", False
        self.rows = self.readings = self.gaps = self.gaps_open = 0


class Listening(Protocol):
    """A listener, as far as it is counted here: connections open now, closed before a byte was read, and ended."""

    refused: Counter[str]
    closed: Counter[str]

    @property
    def connections(self) -> int: ...


class Traffic:
    """Written by the loop that does the sockets; a scrape may read it at any time.

    `listeners` are those of the feeds by name, `plaintext` the feeds that listen beyond loopback without TLS.
    `polled` are the feeds that are read from a view.
    `expiries` gives the seconds until a certificate in force ends, `reloads` counts what became of changed ones.
    `commits` are those of the writer, `heartbeats` how often a message of the synthetic patient goes to a feed, `disk` the
    bytes free beside the store and in all (None: it is a server's), `since` the start in seconds since 1970.
    """

    def __init__(
        self,
        expiries: Callable[[], dict[str, float]] = dict,
        reloads: Counter[tuple[str, str]] | None = None,
    ) -> None:
        self.expiries, self.reloads = expiries, Counter() if reloads is None else reloads
        self.acks: Counter[tuple[str, str, str]] = Counter()
        self.durations: dict[tuple[str, str], Durations] = {}
        self.listeners: dict[str, Listening] = {}
        self.plaintext: dict[str, bool] = {}
        self.polled: dict[str, Polled] = {}
        self.reading_paused = False
        self.commits = Durations()
        self.heartbeats: dict[str, float] = {}
        self.disk: Callable[[], tuple[int, int] | None] = lambda: None
        self.since = 0.0

    def listens(self, feed: str, listener: Listening, *, plaintext: bool) -> None:
        """A feed's listener is open."""
        self.listeners[feed], self.plaintext[feed] = listener, plaintext

    def answered(self, peer: str, direction: str, code: str, seconds: float) -> None:
        """An acknowledgement was given or received, with its MSA-1 or HTTP status (`timeout`: none that can be trusted)."""
        self.acks[peer, direction, code] += 1
        found = self.durations.get((peer, direction))
        if found is None:
            found = self.durations[peer, direction] = Durations()
        found.add(seconds)

    def listed(self) -> Iterator[tuple[tuple[str, str], Durations]]:
        """The durations by peer and direction, as of now."""
        yield from list(self.durations.items())
