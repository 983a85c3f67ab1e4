"""CK over time: values too low to be true, rebound, and what a low creatinine says of it (C6 O3, C7 L7-L9)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from labbridge.interpret.ck import after, band, before, latest_of, ordered, ratio
from labbridge.interpret.evidence import CkCourse, LowCk, Rebound
from labbridge.interpret.trends import comparable
from labbridge.knowledge.policy import Policy
from labbridge.model.report import Patient
from labbridge.model.result import Result
from labbridge.model.values import Comparator, Quantity


class Doubted(msgspec.Struct, frozen=True):
    """A CK that is set aside, and whether a low creatinine may explain it (C10.29)."""

    result: Result
    low: LowCk


def too_low(
    cks: Sequence[Result],
    creatinines: Sequence[Result],
    patient: Patient,
    *,
    beside_strong: Callable[[date], bool],
    policy: Policy,
) -> list[Doubted]:
    """Of CKs, oldest first, those too low to be true: below 20 U/L beside a strong antibody (of that day, as
    `beside_strong` tells) or after a recent CK above 10 times the limit, or a fall of more than 90 % within 72 hours from
    such a one (O3, C10.29)."""
    found: list[Doubted] = []
    within, least = policy.days("ck_fall_within_d"), policy.number("ck_depleted_below")
    last: Result | None = None
    for place, one in enumerate(cks):
        value = one.value
        if isinstance(value, Quantity) and not value.comparator.above:
            if value.number < least or (value.comparator is Comparator.LESS and value.number <= least):
                others = [two for two in cks if two is not one and not after(one, two)]
                if beside_strong(one.collected.day) or _high_before(value, one, others, policy):
                    explained = _explained(one, others, creatinines, patient, policy)
                    found.append(Doubted(one, LowCk.LOW_MUSCLE_MASS if explained else LowCk.DISCORDANT))
            elif last is not None and _days(last, one) <= within and _fell(value, one, cks[:place], policy):
                found.append(Doubted(one, LowCk.DISCORDANT))
        last = one
    return found


def _high_before(value: Quantity, one: Result, others: Sequence[Result], policy: Policy) -> bool:
    recent = _above(others, one, policy.days("ck_depletion_before_d"), policy)
    return bool(recent) or _fell(value, one, others, policy)


def _fell(value: Quantity, one: Result, others: Sequence[Result], policy: Policy) -> bool:
    """By more than 90 % within 72 hours, from above 10 times the limit (C10.29)."""
    left = 1 - policy.number("ck_fall_percent") / 100
    high = [two for two in _above(others, one, policy.days("ck_fall_within_d"), policy) if after(two, one)]
    return any(value.number < _number(earlier) * left for earlier in high)


def _explained(
    one: Result, others: Sequence[Result], creatinines: Sequence[Result], patient: Patient, policy: Policy
) -> bool:
    clear = not _above(others, one, policy.days("ck_depletion_clear_d"), policy)
    return clear and low_creatinine(creatinines, one, patient, policy) is not None


def _above(others: Sequence[Result], one: Result, days: int, policy: Policy) -> list[Result]:
    """The CKs above 10 times their limit in the days before this one; `others` are those not after it, oldest first."""
    high = policy.number("ck_high_above")
    found = []
    for earlier in reversed(others):
        if _days(earlier, one) > days:
            break
        its = ratio(earlier)
        if its is not None and its > high:
            found.append(earlier)
    return found


def course(
    cks: Sequence[Result],
    doubted: Sequence[Doubted],
    creatinines: Sequence[Result],
    patient: Patient,
    *,
    anchor: date,
    policy: Policy,
) -> CkCourse:
    """CK as it went. `cks` are the valid ones, oldest first; one that a low creatinine may explain counts as the latest."""
    window = policy.days("ck_window_d")
    aside = [one for one in doubted if 0 <= (anchor - one.result.collected.day).days <= window]
    explained = [one.result for one in doubted if one.low is LowCk.LOW_MUSCLE_MASS]
    told = [one for one in cks if not one.collected_estimated]
    if explained:
        told = sorted((*told, *explained), key=ordered)
    near = [one for one in told if 0 <= (anchor - one.collected.day).days <= window]
    newest = max((*(one.result for one in aside), *near), key=ordered, default=None)
    valid = [one for one in near if one not in explained]
    last = next((one for one in reversed(aside) if not any(after(one.result, two) for two in valid)), None)
    latest = latest_of(near)
    raised = policy.number("ck_mod_from")
    earlier = before(told, newest) if newest is not None else []
    found = CkCourse(
        was_high=any((its := ratio(one)) is not None and its >= raised for one in earlier),
        low=last.low if last else LowCk.NONE,
        low_result=last.result if last else None,
    )
    if latest is None:
        return found
    previous = latest_of([one for one in before(told, latest) if one not in explained])
    return msgspec.structs.replace(
        found,
        latest=latest,
        band=band(ratio(latest), policy),
        previous=previous,
        rebound=_rebound(previous, latest, policy),
        creatinine=low_creatinine(creatinines, latest, patient, policy),
    )


def _rebound(previous: Result | None, latest: Result, policy: Policy) -> Rebound:
    """Above 1.5 times the limit and twice the one before, which was not; or from a raised one to 4 times (L8, C10.25)."""
    if previous is None:
        return Rebound.NONE
    was, now, days = ratio(previous), ratio(latest), _days(previous, latest)
    if was is None or now is None or days > policy.days("ck_rebound_most_d"):
        return Rebound.NONE
    above = policy.number("ck_rebound_above")
    from_plateau = was > above
    reached = now >= policy.number("ck_mod_from") if from_plateau else now > above
    long_enough = not from_plateau or days >= policy.days("ck_rebound_least_d")
    if not (reached and long_enough) or _number(latest) < _number(previous) * policy.number("ck_rebound_fold"):
        return Rebound.NONE
    return Rebound.REBOUND if comparable(previous, latest) else Rebound.INCOMPARABLE


def low_creatinine(creatinines: Sequence[Result], ck: Result, patient: Patient, policy: Policy) -> Result | None:
    """The creatinine nearest to a CK (of two as near the lower), within 30 days of it, where it is below its lower limit
    (L9, C10.28): the one sent with it; for adults, and where the age is not known (C10.31), else the policy's."""
    day, window = ck.collected.day, policy.days("ck_window_d")
    read = (one for one in creatinines if isinstance(one.value, Quantity) and one.value.unit)
    near = [one for one in read if abs((one.collected.day - day).days) <= window]
    nearest = min(near, key=lambda one: (abs((one.collected.day - day).days), _number(one), one.ref), default=None)
    if nearest is None:
        return None
    limit = nearest.lower_limit
    if limit is None:
        age = patient.age_on(nearest.collected.day)
        if age is not None and age < policy.number("adult_from"):
            return None
        limit = policy.number("creatinine_low_male" if patient.sex == "M" else "creatinine_low_female")
    value = nearest.value
    below = isinstance(value, Quantity) and value.number < limit and not value.comparator.above
    return nearest if below else None


def _days(first: Result, second: Result) -> int:
    return (second.collected.day - first.collected.day).days


def _number(one: Result) -> Decimal:
    return one.value.number if isinstance(one.value, Quantity) else Decimal()
