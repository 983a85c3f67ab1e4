"""What of a view is read again: late rows, gaps, recounts, clocks that jump. A model of a table is read by it, and nothing
that was committed within the window is missed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.feeds import odbc_window
from labbridge.feeds.odbc_window import (
    MOST_GAPS,
    MOST_RANGES,
    REACH,
    Gap,
    Numbers,
    Progress,
    Range,
    Rules,
    ended,
    is_due,
    mark_of,
    ranges,
)
from labbridge.odbc.faults import OdbcFault

NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
RULES = Rules(window_s=600, recount_s=86_400)
NOON = datetime(2026, 11, 13, 12, 0)


def later(**by: float) -> datetime:
    return NOW + timedelta(**by)


ZERO = Progress(high=0)


def seen(*numbers: int, progress: Progress = ZERO, now: datetime = NOW) -> Numbers:
    found = Numbers(progress, now)
    for one in numbers:
        found.saw(one)
    return found


def spans(*gaps: Gap) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in gaps]


# ---------------------------------------------------------------- times


def test_the_first_reading_takes_everything_or_begins_where_it_is_told() -> None:
    assert ranges(Progress(), NOON, RULES, False) == [Range(None, NOON)]
    since = Rules(window_s=600, recount_s=1, since="2026-11-01")
    assert ranges(Progress(), NOON, since, False) == [Range(datetime(2026, 11, 1), NOON)]
    assert ranges(Progress(), 17, Rules(window_s=1, recount_s=1, since="5"), False) == [Range(5, 17)]


def test_the_window_before_the_watermark_is_read_again() -> None:
    progress = ended(Progress(), NOON, seen(), RULES, NOW)
    assert progress.reached == "2026-11-13T12:00:00"
    assert ranges(progress, NOON, RULES, False) == [Range(NOON - timedelta(seconds=600), NOON)]


def test_the_watermark_is_never_later_than_now_and_never_goes_back() -> None:
    """A time of the future would leave all that comes before it unread."""
    future = datetime(2062, 1, 1)
    progress = ended(Progress(), future, seen(), RULES, NOW)
    assert progress.reached == NOON.isoformat()
    assert ranges(progress, future, RULES, False)[0].high == future
    earlier = ended(progress, NOON - timedelta(hours=1), seen(), RULES, later(seconds=5))
    assert earlier.reached == progress.reached


def test_a_zone_counts_for_what_now_is() -> None:
    paris = Rules(window_s=600, recount_s=86_400, zone=ZoneInfo("Europe/Paris"))
    assert ended(Progress(), datetime(2062, 1, 1), seen(), paris, NOW).reached == "2026-11-13T13:00:00"


@pytest.mark.parametrize(
    ("at", "back_s"),
    [
        (datetime(2026, 10, 25, 2, 59), 600 + 3600),
        (datetime(2026, 10, 24, 23, 0), 600 + 3600),
        (datetime(2026, 10, 26, 1, 0), 600 + 3600),
        (datetime(2026, 10, 27, 12, 0), 600),
        (datetime(2026, 3, 29, 2, 30), 600),
        (datetime(2026, 7, 1), 600),
    ],
)
def test_the_hour_that_comes_twice_is_read_twice(at: datetime, back_s: float) -> None:
    paris = Rules(window_s=600, recount_s=86_400, zone=ZoneInfo("Europe/Paris"))
    progress = Progress(reached=at.isoformat())
    assert ranges(progress, at, paris, False) == [Range(at - timedelta(seconds=back_s), at)]


def test_a_recount_reads_all_since_the_recount_before_the_last_one() -> None:
    first = ended(Progress(), NOON, seen(), RULES, NOW)
    assert not is_due(first, RULES, later(hours=23))
    assert is_due(first, RULES, later(hours=24))
    second = ended(first, NOON + timedelta(days=1), seen(), RULES, later(days=1))
    assert second.marks == (NOON.isoformat(), (NOON + timedelta(days=1)).isoformat())
    third = ended(second, NOON + timedelta(days=2), seen(), RULES, later(days=2))
    assert ranges(third, NOON + timedelta(days=2), RULES, True)[0].low == NOON + timedelta(days=1, seconds=-600)
    between = ended(third, NOON + timedelta(days=2, hours=1), seen(), RULES, later(days=2, hours=1))
    assert between.marks == third.marks


# ---------------------------------------------------------------- numbers


def test_a_number_that_is_missing_is_a_gap_until_it_comes() -> None:
    numbers = seen(1, 2, 5, 6, 9)
    assert spans(*numbers.gaps(RULES)) == [(3, 4), (7, 8)]
    numbers.saw(8)
    numbers.saw(3)
    assert spans(*numbers.gaps(RULES)) == [(4, 4), (7, 7)]
    numbers.saw(4)
    numbers.saw(7)
    assert numbers.gaps(RULES) == ()


def test_a_number_in_the_midst_of_a_gap_leaves_two() -> None:
    assert spans(*seen(1, 10, 5).gaps(RULES)) == [(2, 4), (6, 9)]


def test_open_gaps_are_asked_for_and_what_is_new() -> None:
    progress = ended(Progress(reached="2", high=2), 9, seen(5, 9, progress=Progress(high=2)), RULES, NOW)
    assert ranges(progress, 12, RULES, False) == [Range(3, 4), Range(6, 8), Range(10, 12)]
    assert ranges(progress, 9, RULES, False) == [Range(3, 4), Range(6, 8)]


def test_a_gap_closes_when_no_transaction_can_be_open_any_more_and_stays_on_the_list() -> None:
    progress = ended(Progress(reached="2", high=2), 5, seen(5, progress=Progress(high=2)), RULES, NOW)
    still = ended(progress, 5, Numbers(progress, later(seconds=599)), RULES, later(seconds=599))
    assert [one.open for one in still.gaps] == [True]
    closed = ended(still, 5, Numbers(still, later(seconds=601)), RULES, later(seconds=601))
    assert [(one.first, one.last, one.open) for one in closed.gaps] == [(3, 4, False)]
    assert ranges(closed, 5, RULES, False) == []
    found = Numbers(closed, later(days=1))
    found.saw(3)
    assert spans(*found.gaps(RULES)) == [(4, 4)]


def test_below_the_first_number_is_a_gap_as_long_as_a_row_may_come_and_none_on_the_list() -> None:
    progress = ended(Progress(), 8, seen(8, progress=Progress()), RULES, NOW)
    assert ranges(progress, 8, RULES, False) == [Range(8 - REACH, 7)]
    assert ended(progress, 8, Numbers(progress, later(seconds=601)), RULES, later(seconds=601)).gaps == ()


def test_gaps_far_below_are_not_waited_for() -> None:
    """A table of years has many: they were rolled back long ago."""
    assert [one.open for one in seen(1, 3, REACH + 10, REACH + 12).gaps(RULES)] == [False, True, True]


def test_of_many_gaps_all_between_them_is_read() -> None:
    numbers = seen(*range(1, 4 * MOST_RANGES, 2))
    progress = Progress(reached="79", high=79, gaps=numbers.gaps(RULES))
    assert ranges(progress, 80, RULES, False) == [Range(2, 78), Range(80, 80)]


def test_the_list_of_gaps_has_an_end() -> None:
    assert len(seen(*range(1, 10 * MOST_GAPS, 2)).gaps(RULES)) == MOST_GAPS


@settings(max_examples=300)
@given(st.sets(st.integers(1, 60), min_size=1), st.randoms(use_true_random=False))
def test_whatever_the_order_the_gaps_are_the_numbers_that_are_missing(found: set[int], rng: random.Random) -> None:
    order = sorted(found)
    rng.shuffle(order)
    numbers = seen(*order)
    missing = {one for gap in numbers.gaps(RULES) for one in range(gap.first, gap.last + 1)}
    assert missing == set(range(1, max(found))) - found
    assert numbers.high == max(found)


# ---------------------------------------------------------------- kinds


@pytest.mark.parametrize(("value", "mark"), [(NOON, NOON), (7, 7), (Decimal("7"), 7), (Decimal("7.00"), 7)])
def test_a_mark_is_a_time_or_a_whole_number(value: object, mark: object) -> None:
    assert mark_of(value) == mark


@pytest.mark.parametrize("value", ["2026-11-13", 7.0, Decimal("7.5"), True, NOW, b"\x00\x01", NOON.date()])
def test_anything_else_is_none(value: object) -> None:
    with pytest.raises(OdbcFault) as fault:
        mark_of(value)
    assert (fault.value.code, fault.value.stops) == ("changed_unfit", True)


@pytest.mark.parametrize(("kept", "like"), [("17", NOON), (NOON.isoformat(), 17)])
def test_a_watermark_of_the_other_kind_stops_the_feed(kept: str, like: datetime | int) -> None:
    with pytest.raises(OdbcFault) as fault:
        ranges(Progress(reached=kept), like, RULES, False)
    assert fault.value.code == "column_retyped"


# ---------------------------------------------------------------- a table that is written while it is read


class Table:
    """Rows that are written by transactions: each has a `changed` of when it was written, and is seen from its commit
    on."""

    def __init__(self, rng: random.Random, numbered: bool) -> None:
        self._rng, self._numbered = rng, numbered
        self.rows: list[tuple[datetime | int, int, int]] = []  # changed, number, the second of the commit

    def run(self, seconds: int, longest_s: int) -> None:
        number = 0
        for second in range(seconds):
            for _row in range(self._rng.randrange(3)):
                number += 1
                changed: datetime | int = number if self._numbered else NOON + timedelta(seconds=second)
                if self._rng.random() > 0.2:  # the others are rolled back
                    self.rows.append((changed, number, second + self._rng.randrange(longest_s + 1)))

    def seen(self, second: int) -> list[tuple[datetime | int, int]]:
        return sorted((one[0], one[1]) for one in self.rows if one[2] <= second)


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 20))
def test_every_row_that_is_committed_within_the_window_is_read(seed: int, numbered: bool, every_s: int) -> None:
    rng, longest_s = random.Random(seed), 15
    table, rules = Table(rng, numbered), Rules(window_s=longest_s + every_s, recount_s=86_400)
    table.run(120, longest_s)
    progress, found = Progress(), set[int]()
    for second in range(0, 120 + 60, every_s):
        now, rows = NOW + timedelta(seconds=second), table.seen(second)
        if not rows:
            continue
        top, numbers = rows[-1][0], Numbers(progress, now)
        for wanted in ranges(progress, top, rules, False):
            for changed, number in rows:
                if (wanted.low is None or changed >= wanted.low) and changed <= wanted.high:  # type: ignore[operator]
                    found.add(number)
                    numbers.saw(number)
        progress = ended(progress, top, numbers, rules, now)
    assert found == {number for _changed, number, _commit in table.rows}


def test_a_row_that_comes_after_the_window_is_found_by_the_recount() -> None:
    rules = Rules(window_s=60, recount_s=3600)
    progress = ended(Progress(), NOON, seen(1, 2), rules, NOW)
    progress = ended(progress, NOON + timedelta(minutes=30), seen(), rules, later(minutes=30))
    late = NOON + timedelta(minutes=2)
    (usual,) = ranges(progress, NOON + timedelta(minutes=59), rules, False)
    assert usual.low is not None
    assert usual.low > late  # type: ignore[operator]
    assert is_due(progress, rules, later(minutes=61))
    (again,) = ranges(progress, NOON + timedelta(minutes=61), rules, True)
    assert again.low is not None
    assert again.low < late  # type: ignore[operator]


def test_what_is_kept_is_what_is_read_again() -> None:
    assert odbc_window.read(odbc_window.written(NOON), NOON) == NOON
    assert odbc_window.read(odbc_window.written(17), 1) == 17
    assert odbc_window.read("", 1) is None
