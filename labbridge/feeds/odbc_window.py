"""What of a view is read again (reliability.md F8): rows that are committed late have a `changed` that was passed already.

Of a time the last `window_s` seconds before the watermark are read again in each reading. Of a number its gaps are: a
number that was not there when a higher one was is looked for until `window_s` is over, and listed from then on. The
watermark is the highest `changed` that was there when a reading began, and never later than now: a row that is committed
while the reading is under way, or that bears a time of the future, holds nothing up. Whatever comes later than all that a
recount finds, which reads all since the recount before the last one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

import msgspec

from labbridge.odbc.faults import OdbcFault

Mark = datetime | int
"""A value of `changed`: a naive time, or a whole number."""
MOST_GAPS = 1000  # listed; the oldest are dropped
MOST_RANGES = 20  # gaps asked for one by one in a reading; of more, all between them is read too
REACH = 100_000  # numbers below the highest that are still waited for


class Gap(msgspec.Struct, frozen=True):
    """Numbers that no row had, from `first` to `last`, when a higher one was `seen`. `open`: they may still come. `below`:
    they lie below the first one that was ever seen, and are missed only as long as they may come."""

    first: int
    last: int
    seen: datetime
    open: bool = True
    below: bool = False


class Progress(msgspec.Struct, frozen=True):
    """How far a feed has come, as the store keeps it. `reached`: the watermark; `marks`: what it was at the recount before
    the last one, and at that; `high`: the highest number that was seen. Without any of it all is read again, and known."""

    reached: str = ""
    marks: tuple[str, str] = ("", "")
    recounted: datetime | None = None
    high: int | None = None
    gaps: tuple[Gap, ...] = ()

    @property
    def open_gaps(self) -> tuple[Gap, ...]:
        return tuple(one for one in self.gaps if one.open)

    @property
    def listed(self) -> tuple[Gap, ...]:
        """The gaps that people are told of."""
        return tuple(one for one in self.gaps if not one.below)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says. `zone`: of the times in `changed`."""

    window_s: float
    recount_s: float
    zone: tzinfo = UTC
    since: str = ""


class Range(msgspec.Struct, frozen=True):
    """Rows from `low` (None: the first) to `high`, both included."""

    low: Mark | None
    high: Mark


def mark_of(value: object) -> Mark:
    """A value of `changed` as the driver gives it. OdbcFault for what is neither a time nor a whole number."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    raise OdbcFault("changed_unfit")


def written(mark: Mark) -> str:
    """A mark as it is kept."""
    return mark.isoformat() if isinstance(mark, datetime) else str(mark)


def read(text: str, like: Mark) -> Mark | None:
    """A kept mark of the kind of another one; None where there is none. OdbcFault where it is of the other kind."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text) if isinstance(like, datetime) else int(text)
    except ValueError:
        raise OdbcFault("column_retyped", "changed") from None


def is_due(progress: Progress, rules: Rules, now: datetime) -> bool:
    """Whether the next reading is a recount."""
    since = progress.recounted
    return since is not None and now - since >= timedelta(seconds=rules.recount_s)


def ranges(progress: Progress, top: Mark, rules: Rules, recount: bool) -> list[Range]:
    """What is to be read, `top` being the highest `changed` that is there."""
    reached = read(progress.reached, top)
    if reached is None:
        return [Range(read(rules.since, top), top)]
    if recount:
        return [Range(_back(read(progress.marks[0], top), rules), top)]
    if isinstance(reached, datetime):
        return [Range(_back(reached, rules), top)]
    found = [Range(one.first, one.last) for one in _joined(progress.open_gaps)]
    assert isinstance(top, int)
    return [*found, Range(reached + 1, top)] if top > reached else found


def _back(mark: Mark | None, rules: Rules) -> Mark | None:
    """So far before a mark as a late row may lie. A naive time goes back by itself when summer time ends: around that day
    the window is longer by as much."""
    if not isinstance(mark, datetime):
        return mark
    day = timedelta(days=1)
    before, after = ((mark + shift).replace(tzinfo=rules.zone).utcoffset() for shift in (-day, day))
    shift = max(timedelta(), (before or timedelta()) - (after or timedelta()))
    return mark - timedelta(seconds=rules.window_s) - shift


def _joined(gaps: tuple[Gap, ...]) -> Iterator[Gap]:
    if len(gaps) <= MOST_RANGES:
        yield from gaps
    else:
        yield msgspec.structs.replace(gaps[0], last=gaps[-1].last)


class Numbers:
    """The gaps of the numbers, while rows are read."""

    def __init__(self, progress: Progress, now: datetime) -> None:
        self._gaps = sorted(progress.gaps, key=lambda one: one.first)
        self._now, self.high = now, progress.high

    def saw(self, value: object) -> None:
        """A row has this number."""
        if value is None:
            return
        number = mark_of(value)
        if not isinstance(number, int):
            raise OdbcFault("changed_unfit")
        if self.high is None:
            self._gaps.append(Gap(number - REACH, number - 1, self._now, below=True))
        elif number > self.high + 1:
            self._gaps.append(Gap(self.high + 1, number - 1, self._now))
            if len(self._gaps) > 2 * MOST_GAPS:
                del self._gaps[:-MOST_GAPS]
        elif number <= self.high:
            self._fill(number)
        self.high = number if self.high is None else max(self.high, number)

    def _fill(self, number: int) -> None:
        low, high = 0, len(self._gaps)
        while low < high:
            middle = (low + high) // 2
            if self._gaps[middle].last < number:
                low = middle + 1
            else:
                high = middle
        if low < len(self._gaps) and self._gaps[low].first <= number:
            gap = self._gaps[low]
            left = [msgspec.structs.replace(gap, last=number - 1)] if gap.first < number else []
            right = [msgspec.structs.replace(gap, first=number + 1)] if number < gap.last else []
            self._gaps[low : low + 1] = [*left, *right]

    def gaps(self, rules: Rules) -> tuple[Gap, ...]:
        """As they are now: what was waited for long enough, or lies far below, is waited for no more."""
        oldest = self._now - timedelta(seconds=rules.window_s)
        reach = (self.high or 0) - REACH
        found = [
            msgspec.structs.replace(one, open=one.open and one.seen >= oldest and one.last >= reach)
            for one in self._gaps[-MOST_GAPS:]
        ]
        return tuple(one for one in found if one.open or not one.below)


def ended(progress: Progress, top: Mark, numbers: Numbers, rules: Rules, now: datetime) -> Progress:
    """How far it has come once everything up to `top` was read and kept."""
    first = not progress.reached
    watermark = written(_until_now(top, rules, now))
    before = read(progress.reached, top)
    if before is not None and before > _until_now(top, rules, now):  # type: ignore[operator]  # both are of one kind
        watermark = progress.reached
    recount = first or is_due(progress, rules, now)
    marks = (watermark, watermark) if first else (progress.marks[1], watermark) if recount else progress.marks
    return Progress(
        reached=watermark,
        marks=marks,
        recounted=now if recount else progress.recounted,
        high=numbers.high,
        gaps=numbers.gaps(rules),
    )


def _until_now(top: Mark, rules: Rules, now: datetime) -> Mark:
    if isinstance(top, datetime):
        return min(top, now.astimezone(rules.zone).replace(tzinfo=None))
    return top
