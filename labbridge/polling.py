"""Feeds of the kind odbc: one process each that reads a view, and one thread each here that keeps what it read."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
from collections.abc import AsyncIterator, Sequence
from functools import partial
from multiprocessing.connection import Connection

import msgspec

from labbridge.children import go_with_the_service
from labbridge.config import Config
from labbridge.feed_settings import odbc_feeds
from labbridge.feeds.odbc_intake import Feeder, Started
from labbridge.feeds.odbc_link import Link, Wanted
from labbridge.feeds.odbc_poller import Poller, Polling
from labbridge.feeds.odbc_window import Progress
from labbridge.membership import view
from labbridge.observe import logs
from labbridge.observe.traffic import Polled, Traffic
from labbridge.odbc_settings import polling_of
from labbridge.processing import SystemClock
from labbridge.store import opening, polls
from labbridge.store.leases import Leases
from labbridge.store.polls import StorePolls
from labbridge.store.writer import Writer

GRACE_S = 15.0  # beyond what a statement may take, and a rest
LOOK_S = 1.0

_log = logs.logger("feeds")
_encode = msgspec.json.Encoder().encode
_progress = msgspec.json.Decoder(Progress).decode


class Views:
    """All views of the configuration, each read while the service listens and holds it."""

    def __init__(self, config: Config, role: str, writer: Writer, traffic: Traffic, leases: Leases) -> None:
        self._config, self._writer, self._traffic, self._leases = config, writer, traffic, leases
        self._names = odbc_feeds(config) if role in ("listen", "all") else ()
        self._feeders: dict[str, tuple[int, Feeder]] = {}  # since when we hold the view, and who reads it

    @property
    def code(self) -> str:
        """What the readiness says: a feed that has stopped makes nothing else unready."""
        stopped = any(one.stopped for one in self._traffic.polled.values())
        return "odbc_feed_stopped" if stopped else "ready"

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        for name in self._names:
            await self._look(name)
        watch = asyncio.create_task(self._watch()) if self._names and self._leases.several else None
        try:
            yield
        finally:
            if watch is not None:
                watch.cancel()
            for _since, feeder in self._feeders.values():
                feeder.stop()
            for _since, feeder in self._feeders.values():
                await asyncio.to_thread(feeder.join, GRACE_S)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            for name in self._names:
                await self._look(name)

    async def _look(self, name: str) -> None:
        """Read a view that has come to us, and read it no more where another node does. What two of them read for a moment
        is kept once: the journal knows a row."""
        held = self._leases.holds(view(name))
        since, feeder = self._feeders.pop(name, (0, None))
        if feeder is not None and since == held:
            self._feeders[name] = since, feeder
            return
        if feeder is not None:
            feeder.stop()
            await asyncio.to_thread(feeder.join, GRACE_S)
        if held:
            self._feeders[name] = held, self._feeder(name)
            self._feeders[name][1].start()
            _log.info("odbc_started", feed=name)

    def _feeder(self, name: str) -> Feeder:
        section = self._config.feeds[name]
        assert section.odbc is not None
        polled = self._traffic.polled[name] = Polled()
        odbc = section.odbc
        return Feeder(
            name,
            partial(start, polling_of(name, section)),
            Shelf(name, StorePolls(self._writer)),
            polled,
            silent_s=odbc.timeout_s + odbc.connect_timeout_s + odbc.poll_s + GRACE_S,
            progress=kept(self._config.store.url, name),
            paused=lambda: self._traffic.reading_paused,
        )


class Shelf:
    """feeds.odbc_intake.Shelf in the store."""

    def __init__(self, feed: str, store: StorePolls) -> None:
        self._feed, self._store = feed, store

    def keep(self, wanted: Sequence[Wanted]) -> int:
        return self._store.keep(wanted)

    def save(self, progress: Progress) -> None:
        self._store.save(self._feed, _encode(progress), SystemClock().now().isoformat())


def kept(url: str, feed: str) -> Progress:
    """How far a feed has come."""
    with contextlib.closing(opening.reader(url)) as store:
        found = polls.load(store, feed)
    return _progress(found) if found else Progress()


def start(polling: Polling, progress: Progress, types: dict[str, str]) -> Started:
    """A process that reads this view from here on."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_read, args=(polling, theirs, progress, types), name=f"labbridge-odbc-{polling.feed.name}", daemon=True
    )
    process.start()
    theirs.close()
    return Started(process, ours)


def _read(polling: Polling, pipe: Connection, progress: Progress, types: dict[str, str]) -> None:
    """Body of the process."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # the service ends us in its own time
    go_with_the_service()
    logs.configure(json=True)
    Poller(polling, Link(pipe), SystemClock(), progress, types).run()
