"""Beside the way of a message: rows that are no longer what was written are found also where nobody happens to read them,
before anything is processed and every hour from then on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from labbridge.errors import StoreUnavailable
from labbridge.knowledge.documents import Source
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.store.lookover import LookOver

LOOK_EVERY_S = 3600.0
PAUSE_S = 0.02  # between a thousand rows and the next, while messages come in

_log = logs.logger("store")


class Wholeness:
    """Looks over the store, and says so where something is damaged."""

    def __init__(self, over: LookOver, clock: Clock) -> None:
        self._over, self._clock = over, clock

    def taken(self, texts: Sequence[Source]) -> None:
        """Other knowledge is in force: nothing here depends on it."""

    async def started(self) -> None:
        """The first look; nothing is processed before it is done."""
        await asyncio.to_thread(self.look, 0)

    async def run(self) -> None:
        """Look again for ever. A store that cannot commit now can later; anything else is a bug, and ends the service."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await asyncio.to_thread(self.look, PAUSE_S)
            except StoreUnavailable:
                _log.warning("look_over_waits")

    def look(self, pause_s: float) -> None:
        """One look over everything."""
        found = self._over.look(self._clock.now(), lambda: time.sleep(pause_s))
        if found.new:
            _log.error("rows_damaged", count=found.new)
