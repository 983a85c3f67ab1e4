"""Whether a row of work, a case or a draft is what was written. Each row brings its columns and its sums (sums.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from labbridge.store import sums

WORK = (
    "{0}.message, {0}.lane, {0}.state, {0}.reason, {0}.sentence, {0}.notes, {0}.updated, {0}.attempts, {0}.forgiven,"
    " {0}.crc"
)
CASE = (
    "c.lane, c.feed, c.opened_day, c.opened, c.restore, c.version, c.severity, c.flags, c.analytes, c.state, c.updated,"
    " c.disposition, c.disposition_version, c.until, c.rank, c.ranked, c.crc, c.version_crc, c.state_crc, c.put_crc,"
    " c.rank_crc"
)
DRAFT = (
    '{0}."case", {0}.version, {0}.text, {0}.subject_message, {0}.subject_at, {0}.knowledge, {0}.created, {0}.outcome,'
    " {0}.crc"
)


def work(row: Sequence[Any]) -> bool:
    """Whether a row of WORK is what was written."""
    *said, attempts, forgiven, crc = row
    return crc is None or crc == sums.of_work(tuple(said), attempts, forgiven)


class CaseRow(NamedTuple):
    """A case as CASE reads it. Where `opened`, `said`, `stands`, `put` or `ordered` is False, that group of columns is no
    longer what was written: what it was opened with, its version and what the worklist is filtered by, its state, what a
    person did with it, its rank."""

    lane: str
    feed: str
    opened_day: str
    opened_at: str
    restore: int
    version: int
    severity: int
    flags: str
    analytes: str
    state: str
    updated: str
    disposition: str
    disposition_version: int
    until: str
    rank: int
    ranked: str
    crc: int | None
    version_crc: int | None
    state_crc: int | None
    put_crc: int | None
    rank_crc: int | None

    @property
    def opened(self) -> bool:
        return self.crc is None or self.crc == sums.of_case(self[:4], self.restore)

    @property
    def said(self) -> bool:
        return _is(self.version_crc, self[5:9])

    @property
    def stands(self) -> bool:
        return _is(self.state_crc, self[9:11])

    @property
    def put(self) -> bool:
        return _is(self.put_crc, self[11:14])

    @property
    def ordered(self) -> bool:
        return _is(self.rank_crc, self[14:16])

    @property
    def damaged(self) -> list[str]:
        """What of it is not whole, in words."""
        found = (self.opened, self.said, self.stands, self.put, self.ordered)
        named = ("opening", "version", "state", "disposition", "rank")
        return [name for name, is_whole in zip(named, found, strict=True) if not is_whole]

    @property
    def decides(self) -> bool:
        """Whether all is whole that decides what becomes of the case; its rank only orders a list."""
        return self.opened and self.said and self.stands and self.put


def draft(row: Sequence[Any]) -> bool:
    """Whether a row of DRAFT is what was written; one that is not there is not."""
    case, *said, outcome, crc = row
    return outcome is not None and (crc is None or crc == sums.of_draft(tuple(said), outcome, case))


def _is(crc: int | None, group: tuple[object, ...]) -> bool:
    return crc is None or crc == sums.of_group(group)
