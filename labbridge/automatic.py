"""Release by rule beside the service: looks at every new case once, releases what nothing speaks against, and stops at once
where a person, or a file beside the store, says so (standards.md R10 to R13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from labbridge import pipeline
from labbridge.acts import Acts
from labbridge.composing import Letterhead
from labbridge.config import Config
from labbridge.errors import Refused, StoreUnavailable
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Source
from labbridge.knowledge.items import items
from labbridge.knowledge.policy import Policy
from labbridge.knowledge.release import ReleaseRow
from labbridge.model.items import Item
from labbridge.model.release import ByRule, Refusal, Suspension
from labbridge.model.work import AuditEvent, Case
from labbridge.observe import logs
from labbridge.ports import Clock, Judge
from labbridge.review import approvals, releasing
from labbridge.sources import understood
from labbridge.store.desk import StoreDesk
from labbridge.store.releases import StoreReleases

LOOK_EVERY_S = 1.0
AT_ONCE = 50
SUFFIX = ".suspend"
BY_FILE = "file"

_log = logs.logger("release")


def switch(beside: Path) -> Path:
    """The file whose presence stops release by rule: beside the store, with its name and `.suspend`."""
    return beside.with_name(beside.name + SUFFIX)


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What of the knowledge in force decides about a release."""

    version: str
    releases: Mapping[str, ReleaseRow]
    policy: Policy
    items: Mapping[str, Item]

    @classmethod
    def of(cls, texts: Sequence[Source]) -> Rows:
        knowledge = understood(texts)
        return cls(version=version(texts), releases=knowledge.releases, policy=knowledge.policy, items=items(texts))


class Automatic:
    """`letterhead` gives how the receiver of a feed takes comments (Refused where it has none); `idle`: for how long a case
    stays in the hand of whoever opened it; `woken` is called on the loop after releases."""

    def __init__(
        self,
        desk: StoreDesk,
        store: StoreReleases,
        *,
        switch: Path,
        letterhead: Callable[[str], Letterhead],
        judge: Judge,
        clock: Clock,
        idle: timedelta,
        woken: Callable[[], None] = lambda: None,
    ) -> None:
        self._desk, self._store, self._approvals = desk, store, desk.approvals
        self._switch, self._letterhead, self._judge, self._clock = switch, letterhead, judge, clock
        self._idle, self._woken = idle, woken
        self._texts: Sequence[Source] = ()
        self._rows: tuple[Sequence[Source], Rows] | None = None  # what they are of, and they

    def taken(self, texts: Sequence[Source]) -> None:
        """The knowledge that is in force from now on. What was refused under the one before stays a person's."""
        self._texts = texts

    async def run(self) -> None:
        """Look for ever. A store that cannot commit now can later; anything else is a bug, and ends the service."""
        while True:
            try:
                if await asyncio.to_thread(self.look):
                    self._woken()
            except StoreUnavailable:
                _log.warning("release_waits")
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> int:
        """Look at what is new; how many were released."""
        self._obey_the_file()
        texts = self._texts
        if self._rows is None or self._rows[0] is not texts:
            self._rows = texts, Rows.of(texts)
        rows = self._rows[1]
        feeds = sorted({row.feed for row in rows.releases.values()})
        found = self._store.new_cases(feeds, self._clock.now(), AT_ONCE)
        return sum(self._look_at(key, rows) for key in found)

    def _obey_the_file(self) -> None:
        """A file stops everything until a person lifts it: that it goes away again lifts nothing."""
        if self._switch.exists() and not any(one.by == BY_FILE for one in self._store.suspensions()):
            now = self._clock.now()
            why = f"{self._switch.name} is there"
            audit = AuditEvent(at=now, actor=BY_FILE, action="suspended", subject="release by rule", detail=why)
            self._store.suspend(Suspension(key=0, why=why, by=BY_FILE, at=now), audit)
            _log.warning("release_suspended")

    def _look_at(self, key: int, rows: Rows) -> bool:
        """Whether it was released. What stays a person's is written down with why, once for each version."""
        case, now = self._desk.case(key), self._clock.now()
        if case is None:
            return False
        if case.outcome.offered_from is not None and case.outcome.offered_from > now:
            self._store.put_off((case.key, case.version), case.outcome.offered_from, now)
            return False
        row = releasing.row_for(case, rows.releases)
        refusals, analytes = self._refusals(case, row, rows, now)
        about = (case.key, case.version)
        if row is None or refusals:
            self._store.refused(about, row.name if row else "", refusals, now, analytes)
            return False
        sample = releasing.sampled(key, int(rows.policy.number("release_sample")))
        comment = case.outcome.comment.comment_class if case.outcome.comment else ""
        by_rule = ByRule(rule=row.name, feed=case.feed, comment_class=comment, analytes=analytes, sampled=sample)
        try:
            self._release(case, by_rule)
        except Refused:
            stopped = any(one.stops(case.feed, frozenset(analytes), row.id) for one in self._store.suspensions())
            reason = Refusal.SUSPENDED if stopped else Refusal.NOTHING_TO_RELEASE
            self._store.refused(about, row.name, [reason], now, analytes)
            return False
        return True

    def _release(self, case: Case, by_rule: ByRule) -> None:
        if self._switch.exists():
            raise Refused("Release by rule is stopped by a file")
        pipeline.release_by_rule(
            case, by_rule, self._desk, letterhead=self._letterhead(case.feed), judge=self._judge, clock=self._clock
        )

    def _refusals(
        self, case: Case, row: ReleaseRow | None, rows: Rows, now: datetime
    ) -> tuple[list[Refusal], tuple[str, ...]]:
        """Why not, and the analytes of the results it rests on."""
        comment = case.outcome.comment
        beside = self._store.beside(
            case, comment.comment_class if comment else "", releasing.words(case.text), now - self._idle
        )
        signed = approvals.in_force(self._approvals.all())
        known = releasing.Known(
            enabled=True,
            in_force=rows.version,
            beside=beside,
            suspensions=self._store.suspensions(),
            lots=self._store.lots(case.feed, {lot for one in beside.results for lot in one.lots}),
            unapproved=releasing.unapproved(case, row, beside.results, rows.items, signed) if row else (),
            now=now,
        )
        analytes = tuple(sorted({one.analyte.value for one in beside.results}))
        return releasing.refusals(case, row, known, rows.policy), analytes


def of(
    config: Config, texts: Sequence[Source], desk: StoreDesk, acts: Acts, parts: tuple[Judge, Clock, Callable[[], None]]
) -> list[Automatic]:
    """Release by rule as a service is configured; nothing where it is off."""
    if not config.release.enabled:
        return []
    judge, clock, wake = parts
    made = Automatic(
        desk,
        desk.releases,
        switch=switch(config.store.beside),
        letterhead=acts.letterhead_of,
        judge=judge,
        clock=clock,
        idle=timedelta(seconds=config.web.idle_s),
        woken=wake,
    )
    made.taken(texts)
    return [made]
