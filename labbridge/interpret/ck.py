"""CK as a multiple of its upper limit: which one counts, its band, and whether it stays raised (C2, C10.17, C10.33)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from operator import attrgetter

import msgspec

from labbridge.interpret.evidence import CkBand, CkEvidence
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Result
from labbridge.model.values import Quantity

ONE = Decimal(1)
NO_RATIO = Decimal(-1)


class When(msgspec.Struct, frozen=True):
    """The days a CK is chosen by: the latest antibody or HEp-2 collection, the anchor, the day of the evaluation."""

    index: date | None
    anchor: date | None
    today: date


def evidence(results: Sequence[Result], policy: Policy, *, when: When, monitoring: bool, recentre: bool) -> CkEvidence:
    """The CK of an episode.

    Diagnostic: the highest ratio within the window either side of `index` (the latest antibody or HEp-2 collection),
    else of `today`; with `recentre`, of the newest CK where that is later than the window. Monitoring: the latest CK
    of the window before the anchor.
    """
    anchor = when.anchor
    if not results or anchor is None:
        return CkEvidence()
    window = policy.days("ck_window_d")
    if monitoring:
        near = [one for one in results if 0 <= (anchor - one.collected.day).days <= window]
        chosen = latest_of(near)
    else:
        centre = _centre(results, when.index or when.today, recentre, window)
        near = [one for one in results if abs((one.collected.day - centre).days) <= window]
        chosen = max(near, key=lambda one: (_ratio_or_none(one), ordered(one)), default=None)
    extreme = _first_extreme(_critical(near, results, when, window), results, policy)
    found = CkEvidence(extreme=extreme is not None, extreme_result=extreme)
    if chosen is None:
        return found
    its = ratio(chosen)
    return msgspec.structs.replace(
        found,
        band=band(its, policy),
        ratio=its,
        persistent=persistent(results, anchor, policy),
        limit_assumed=chosen.upper_limit_assumed,
        result=chosen,
    )


def latest_of(near: Sequence[Result]) -> Result | None:
    """The latest of CKs, oldest first; of simultaneous ones the highest (C10.32)."""
    if not near:
        return None
    newest = near[-1]
    first = bisect_left(near, newest.collected.day, key=_day)
    if first == len(near) - 1:
        return newest
    same = (one for one in near[first:] if not after(one, newest))
    return max(same, key=lambda one: (_ratio_or_none(one), ordered(one)))


def before(results: Sequence[Result], one: Result) -> list[Result]:
    """Those of results, oldest first, that were collected before this one."""
    first = bisect_left(results, one.collected.day, key=_day)
    return [*results[:first], *(other for other in results[first:] if after(other, one))]


def _critical(near: Sequence[Result], results: Sequence[Result], when: When, window: int) -> Sequence[Result]:
    """What a critical value is looked for in: the window of the episode, and the days before its anchor (C6 O4). Without
    an antibody or HEp-2 a CK is its own anchor, and critical in its own days only."""
    if when.anchor is None or when.index is None:
        return near
    refs, anchor = {one.ref for one in near}, when.anchor
    return [one for one in results if one.ref in refs or 0 <= (anchor - one.collected.day).days <= window]


def ratio(result: Result) -> Decimal | None:
    """Value over upper limit, both in the value's unit; the number itself where a comparator was sent (C1.6)."""
    if not isinstance(result.value, Quantity) or not result.upper_limit:
        return None
    return result.value.number / result.upper_limit


def band_of(result: Result, policy: Policy) -> CkBand:
    """The band of one CK."""
    return band(ratio(result), policy)


def band(value: Decimal | None, policy: Policy) -> CkBand:
    """NORMAL up to the limit, MILD below 4, MOD up to and with 10, HIGH above; UNKNOWN without a ratio."""
    if value is None:
        return CkBand.UNKNOWN
    if value <= ONE:
        return CkBand.NORMAL
    if value < policy.number("ck_mod_from"):
        return CkBand.MILD
    return CkBand.MOD if value <= policy.number("ck_high_above") else CkBand.HIGH


def persistent(results: Sequence[Result], anchor: date, policy: Policy) -> bool:
    """Two samples of at least 4 times the limit, 7 to 90 days apart, none below 4 between them, one of them within the
    window of the anchor (C10.17)."""
    raised = policy.number("ck_mod_from")
    least, most = policy.days("ck_persistent_least_d"), policy.days("ck_persistent_most_d")
    window = policy.days("ck_window_d")
    near = [one for one in results if (anchor - one.collected.day).days <= window + most]
    if len(near) < 2:
        return False
    found = [(one, value >= raised) for one in sorted(near, key=ordered) if (value := ratio(one)) is not None]
    high = [one for one, is_raised in found if is_raised]
    low = [one for one, is_raised in found if not is_raised]
    return any(
        least <= (later.collected.day - earlier.collected.day).days <= most
        and (anchor - later.collected.day).days <= window
        and not any(_between(earlier, one, later) for one in low)
        for place, earlier in enumerate(high)
        for later in high[place + 1 :]
    )


def _between(earlier: Result, one: Result, later: Result) -> bool:
    return after(earlier, one) and after(one, later)


def after(earlier: Result, later: Result) -> bool:
    """Collected later: by day, and within a day by time where both have one (C10.32)."""
    first, second = earlier.collected, later.collected
    if first.day != second.day or not (first.has_time and second.has_time):
        return first.day < second.day
    return first.moment < second.moment


def _ratio_or_none(result: Result) -> Decimal:
    its = ratio(result)
    return NO_RATIO if its is None else its


def put_in_order(results: list[Result]) -> None:
    """In time, oldest first: by day, which tells most apart, then as `ordered` says."""
    if len(results) > 1:
        results.sort(key=_day)
        if len({one.collected.day for one in results}) < len(results):
            results.sort(key=ordered)


_day = attrgetter("collected.day")


def ordered(result: Result) -> tuple[object, ...]:
    """The order of results in time: by collection, then receipt."""
    stamp = result.collected
    return (stamp.day, stamp.moment, result.received, result.ref)


def _centre(results: Sequence[Result], index: date, recentre: bool, window: int) -> date:
    newest = max(one.collected.day for one in results)
    return newest if recentre and (newest - index).days > window else index


def _first_extreme(near: Sequence[Result], results: Sequence[Result], policy: Policy) -> Result | None:
    """The newest of the window above the critical number with none such in the days before it (C4 CK_EXTREME,
    C10.34). Later ones of the same rise do not take the finding away."""
    limit, window = policy.number("ck_extreme_above"), policy.days("ck_window_d")
    above = sorted((one for one in near if _above(one, limit)), key=ordered, reverse=True)
    if not above:
        return None
    days = [one.collected.day for one in results if _above(one, limit)]
    first = (one for one in above if not any(0 < (one.collected.day - day).days <= window for day in days))
    return next(first, None)


def _above(result: Result, limit: Decimal) -> bool:
    value = result.value
    if not isinstance(value, Quantity):
        return False
    return value.number > limit or (value.comparator.above and value.number >= limit)
