"""Anchors of the audit while a service runs: where enough lines or time have passed since the last, and at the end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

from labbridge.config import AuditSection, Config
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.store import opening
from labbridge.store.connection import Connection
from labbridge.store.sealing import Seal, last_seal

LOOK_EVERY_S = 60.0

_log = logs.logger("audit")


class Anchoring:
    """AnchorError for a key that cannot be used. `node`: whose chain is anchored, by the session that writes now."""

    def __init__(self, audit: AuditSection, clock: Clock, node: Callable[[], int] = lambda: 0) -> None:
        from labbridge.store import anchors  # loads cryptography

        self._sign, self._append = anchors.anchored, anchors.append
        self._key = anchors.private_key(Path(audit.key))
        self._audit, self._clock, self._node = audit, clock, node
        self._newest = Seal()
        self._at: datetime | None = None

    @contextlib.asynccontextmanager
    async def running(self, url: str) -> AsyncIterator[None]:
        """While inside, anchors are appended as they are due. One that cannot be written is tried again."""
        store = opening.reader(url)
        task = asyncio.create_task(self._watch(store))
        try:
            yield
        finally:
            task.cancel()
            await self._try(store, at_once=True)
            store.close()

    async def _watch(self, store: Connection) -> None:
        while True:
            await self._try(store)
            await asyncio.sleep(min(LOOK_EVERY_S, self._audit.anchor_s))

    async def _try(self, store: Connection, *, at_once: bool = False) -> None:
        try:
            if await asyncio.to_thread(self.anchor, store, at_once=at_once):
                _log.info("audit_anchored", count=self._newest.entries)
        except OSError as fault:
            _log.error("audit_not_anchored", error=type(fault).__name__)

    def anchor(self, store: Connection, *, at_once: bool = False) -> bool:
        """Append an anchor if one is due (`at_once`: if anything was written since). OSError where it cannot be written."""
        now, seal = self._clock.now(), last_seal(store, self._node())
        new = seal.entries - (self._newest.entries if seal.node == self._newest.node else 0)
        late = self._at is None or (now - self._at).total_seconds() >= self._audit.anchor_s
        if not new or not (at_once or late or new >= self._audit.anchor_entries):
            return False
        self._append(Path(self._audit.anchors), self._sign(seal, now, self._key))
        self._newest, self._at = seal, now
        return True


def of(config: Config, clock: Clock, node: Callable[[], int]) -> Anchoring | None:
    """Whoever signs the audit's anchors; None where no key is configured."""
    return Anchoring(config.audit, clock, node) if config.audit.key else None
