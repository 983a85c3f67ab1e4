"""Cases that the real pipeline made, as a workbench lists them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
from web_parts import Bench

from labbridge.model.outcome import Standing
from labbridge.model.work import Feed
from tests.summed import summed

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "story"))
from story_parts import BLOT, CK, CLIA, ELSEWHERE, FEED, NOON, Lis, obx, order, oru

__all__ = ["BLOT", "CK", "CLIA", "ELSEWHERE", "FEED", "NOON", "Lis", "Site", "filled", "many", "obx", "order", "oru"]


class Site:
    """The laboratory of a workbench, with patients numbered by the test. What else is asked of it is the laboratory's."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.lab, self.sent = bench, bench.lab, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.lab, name)

    async def patient(self, number: str, *lines: str, feed: Feed = FEED, filler: str = "") -> None:
        """A message with these results of a patient."""
        self.sent += 1
        raw = oru(f"W{self.sent}", order(filler or f"F{self.sent}", *lines), patient=number)
        await self.lab.take(raw, feed=feed)


async def filled(site: Site) -> None:
    """C1 strong SRP, C2 low HMGCR with CK, C3 of another site, C4 held, C5 low SRP."""
    await site.patient("PT1", obx(BLOT, "58"))
    await site.patient("PT2", obx(CLIA, "25"), obx(CK, "100"))
    await site.patient("PT3", obx(BLOT, "58"), obx(CK, "12000"), feed=ELSEWHERE)
    await site.patient("PT4", obx(BLOT, "58", "?"))
    await site.patient("PT5", obx(BLOT, "14"))


def many(site: Site, count: int, open_one_in: int = 2) -> None:
    """So many cases like the first one, for `other` and `myolis`; one in so many is open."""
    first = site.cases()[0].outcome
    small = msgspec.structs.replace(first, facts={}, fired=(), used=(), retests=first.retests[:1], comment=None)
    outcome = msgspec.json.encode(msgspec.structs.replace(small, flags=first.flags[:1], pathway=Standing()))

    def job(connection: Any) -> None:
        series = f"WITH RECURSIVE n(g) AS (SELECT 2 UNION ALL SELECT g + 1 FROM n WHERE g < {count}) "
        connection.execute(
            "INSERT INTO cases(id, lane, feed, opened_day, version, state, opened, updated, severity, flags, analytes) "
            + series + "SELECT g, 'p:LABA|X' || g, CASE WHEN g % 10 = 0 THEN 'other' ELSE 'myolis' END, c.opened_day, 1,"
            f" CASE WHEN g % {open_one_in} = 0 THEN 'new' WHEN g % 3 = 0 THEN 'signed' ELSE 'closed' END, c.opened,"
            " c.updated, g % 5, c.flags, c.analytes FROM n, cases c WHERE c.id = 1"
        )  # fmt: skip
        connection.execute(
            'INSERT INTO drafts("case", version, outcome, text, subject_message, subject_at, knowledge, created) '
            + series + "SELECT g, 1, ?, '', 1, '', '', '' FROM n",
            (outcome,),
        )  # fmt: skip

    site.writer.submit(job).result()
    site.writer.submit(summed).result()
