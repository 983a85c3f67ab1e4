"""A workbench whose cases the real pipeline made, on the bench's own store."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from web_parts import Bench

from labbridge.model.work import Feed
from labbridge.store import opening
from labbridge.store.desk import StoreDesk
from labbridge.store.journal import StoreIntake
from labbridge.store.outbox import StoreOutbox
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "story"))
from story_parts import (
    BLOT,
    CK,
    CLIA,
    ELSEWHERE,
    FEED,
    SITE,
    Judge,
    Laboratory,
    Letterhead,
    Lis,
    ReceiverFormat,
    SetClock,
    comment_code,
    obx,
    order,
    oru,
    reader,
)  # fmt: skip

__all__ = ["BLOT", "CK", "CLIA", "ELSEWHERE", "FEED", "Lis", "Site", "obx", "order", "oru"]


class Site(Laboratory):
    """The laboratory beside a workbench: it writes where the workbench writes."""

    def __init__(self, bench: Bench, url: str) -> None:
        self.bench, self.writer = bench, bench.writer
        self.rows, self._reads, self._looks = (opening.reader(url) for _each in range(3))
        self.intake, self.outbox = StoreIntake(self.writer), StoreOutbox(self.writer)
        self.work = StoreWork(self._reads, LocalUnits(self.writer))
        self.desk = StoreDesk(self.writer, self._looks)
        self.clock, self.reader, self.judge = SetClock(), reader(), Judge()
        self.letterhead = Letterhead("lis", ReceiverFormat(facility="LABA", comment=comment_code(SITE)))
        self.sent = 0
        self.tick()

    def close(self) -> None:
        for one in (self.rows, self._reads, self._looks):
            one.close()

    def tick(self, **more: float) -> None:
        """The workbench's clock is the laboratory's."""
        self.clock.moment += timedelta(**more)
        self.bench.clock.at = self.clock.moment

    async def patient(self, number: str, *lines: str, feed: Feed = FEED, filler: str = "") -> None:
        """A message with these results of a patient."""
        self.sent += 1
        raw = oru(f"W{self.sent}", order(filler or f"F{self.sent}", *lines), patient=number)
        await self.take(raw, feed=feed)
        self.tick()
