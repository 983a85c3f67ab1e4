"""Room on the store's disk: below the mark reading pauses, so that messages stay with their senders; deliveries go on."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Protocol

from labbridge.observe.logs import logger
from labbridge.observe.traffic import Traffic

LOOK_EVERY_S = 1.0
BACK = 1.05  # of the mark must be free again before reading goes on: no flutter at the mark

_log = logger("service")


class Halting(Protocol):
    """What reads, and can pause."""

    def halt(self, on: bool) -> None: ...


class Room:
    """`mark_bytes` or 5 % of the disk, whichever is less, must be free beside the store's file (None: its disk is a
    server's, whose commits tell). The listeners are those that it pauses."""

    def __init__(self, file: Path | None, mark_bytes: int, traffic: Traffic) -> None:
        self._folder = file.resolve().parent if file is not None else None
        self._mark_bytes, self._traffic = mark_bytes, traffic
        self._servers: list[Halting] = []
        traffic.disk = self.usage

    def low(self, factor: float = 1.0) -> bool:
        """True while less than the mark is free."""
        usage = self.usage()
        if usage is None:
            return False
        free, total = usage
        return free < min(self._mark_bytes, total // 20) * factor

    def usage(self) -> tuple[int, int] | None:
        """Bytes free beside the store's file, and in all."""
        if self._folder is None:
            return None
        usage = shutil.disk_usage(self._folder)
        return usage.free, usage.total

    def admit(self, server: Halting) -> None:
        """A listener that pauses with the others, from now on."""
        self._servers.append(server)
        server.halt(self._traffic.reading_paused)

    def look(self) -> None:
        """Pause or go on, whatever the disk allows; one line each way."""
        paused = self._traffic.reading_paused
        now_low = self.low(BACK if paused else 1.0)
        if now_low == paused:
            return
        self._traffic.reading_paused = now_low
        if now_low:
            _log.error("reading_paused", reason="disk_low")
        else:
            _log.info("reading_resumed")
        for server in self._servers:
            server.halt(now_low)

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)
