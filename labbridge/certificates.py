"""The certificates in force: loaded before a port opens, looked at once a minute, exchanged without closing a connection.

What cannot be loaded leaves the one before in force. A renewal that is half written (the certificate, not yet its key) is
refused, and taken at the look after.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from labbridge import tls
from labbridge.config import Config, ConfigError, FeedTlsSection
from labbridge.observe.logs import logger
from labbridge.ports import Clock

LOOK_EVERY_S = 60.0
SOON_S = 21 * 86400
TAKEN, REFUSED = "taken", "refused"

_log = logger("certificates")


class Renewed(msgspec.Struct, frozen=True):
    """What became of a look at the files: sections whose files were taken, and a sentence for each that were refused."""

    taken: list[str]
    faults: list[str]


class _Held:
    """One section with TLS."""

    def __init__(self, place: str, section: tls.Section, clock: Clock) -> None:
        self.place, self.section, self._clock = place, section, clock
        self.seen = tls.contents(section)
        self.loaded = self.load()
        self.take: Callable[[ssl.SSLContext], None] = lambda context: None

    def load(self) -> tls.Loaded:
        if isinstance(self.section, FeedTlsSection):
            return tls.listener(self.place, self.section, self._clock.now())
        return tls.client(self.place, self.section, self._clock.now())

    @property
    def name(self) -> dict[str, str]:
        kind, name, _ = self.place.split(".")
        return {"feed" if kind == "feeds" else "receiver": name}


class Certificates:
    """All sections with TLS. ConfigError, with one line for each, where the files of any cannot be used.

    `reloads` counts what became of changed files, by section and outcome.
    """

    def __init__(self, config: Config, clock: Clock) -> None:
        self.reloads: Counter[tuple[str, str]] = Counter()
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._turn = asyncio.Lock()
        faults = []
        for place, section in _sections(config):
            try:
                self._held[place] = _Held(place, section, clock)
            except ConfigError as fault:
                faults.append(str(fault))
        if faults:
            raise ConfigError("\n".join(faults))

    def context(self, place: str, take: Callable[[ssl.SSLContext], None] | None = None) -> ssl.SSLContext | None:
        """What a section's connections use; None where it has no TLS. `take` is given each one that replaces it."""
        held = self._held.get(place)
        if held is None:
            return None
        if take is not None:
            held.take = take
        return held.loaded.context

    def expiries(self) -> dict[str, float]:
        """Seconds until what is in force ends, by its key in the configuration; below zero once it has."""
        now = self._clock.now()
        return {
            f"{held.place}.{name}": (ends - now).total_seconds()
            for held in self._held.values()
            for name, ends in held.loaded.expires.items()
        }

    def warn(self) -> None:
        """A line for each that ends soon."""
        for key, seconds in self.expiries().items():
            if seconds < SOON_S:
                _log.warning("certificate_expires", **self._held[key.rpartition(".")[0]].name, seconds=int(seconds))

    async def watch(self, every_s: float = LOOK_EVERY_S) -> None:
        """Look at the files for ever."""
        while self._held:
            await asyncio.sleep(every_s)
            await self.renew()

    async def renew(self) -> Renewed:
        """Take in the files that have changed since the last look."""
        found = Renewed([], [])
        async with self._turn:
            for held in self._held.values():
                await self._look(held, found)
        return found

    async def _look(self, held: _Held, found: Renewed) -> None:
        seen = await asyncio.to_thread(tls.contents, held.section)
        if seen == held.seen:
            return
        held.seen = seen  # as it was before the load: what is written meanwhile is found at the next look
        try:
            held.loaded = await asyncio.to_thread(held.load)
        except ConfigError as fault:
            self.reloads[held.place, REFUSED] += 1
            _log.error("certificate_refused", **held.name)
            found.faults.append(str(fault))
            return
        self.reloads[held.place, TAKEN] += 1
        _log.info("certificate_taken", **held.name)
        found.taken.append(held.place)
        held.take(held.loaded.context)
        self.warn()


def _sections(config: Config) -> Iterator[tuple[str, tls.Section]]:
    for name, feed in config.feeds.items():
        if feed.tls is not None:
            yield f"feeds.{name}.tls", feed.tls
    for name, receiver in config.receivers.items():
        if receiver.tls is not None:
            yield f"receivers.{name}.tls", receiver.tls
