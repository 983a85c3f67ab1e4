"""C7: how an antibody stands to its last comparable result (clinical.md L1-L6, C10.2, C10.26, C10.27, C10.33).

Comparable: the same method of the same manufacturer, 14 to 365 days apart. A manufacturer nobody named is not the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from labbridge.interpret.aggregate import Graded, latest_of
from labbridge.interpret.ck import ratio
from labbridge.interpret.evidence import AntibodyEvidence, AntibodyState, Change, Titre, Trend
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Analyte, Category, Family, Result
from labbridge.model.values import Quantity


class Course:
    """An antibody's results over time, oldest first, beside the CKs of the same patient."""

    def __init__(self, graded: Sequence[Graded], cks: Sequence[Result], anchor: date, policy: Policy) -> None:
        self._policy = policy
        self._anchor = anchor
        self._window = policy.days(
            "aggregation_window_d"
        )  # within it results are of one episode, and may be discordant
        self._graded = [one for one in graded if one.family is not Family.TISSUE and not one.result.collected_estimated]
        self._cks = cks

    def trend(self, found: AntibodyEvidence, told: frozenset[str] = frozenset()) -> Trend:
        """What became of the antibody whose state this is. `told`: refs of results whose change was told before."""
        reach = self._policy.days("expiry_d")
        alive = [one for one in self._graded if (self._anchor - one.day).days <= reach]
        latest = [one for one in alive if (alive[-1].day - one.day).days <= self._window and one.result.ref not in told]
        if not latest:
            return Trend()
        trend = self._change(found, latest)
        if found.once_positive and not trend.results:
            trend = self._once_positive(latest[-1])
        return self._titre(found, latest, trend)

    # ---------------------------------------------------------------- sign

    def _change(self, found: AntibodyEvidence, latest: Sequence[Graded]) -> Trend:
        positive, negative, compared = found.state.positive, found.state is AntibodyState.NEG, False
        for later in self._newest_of_each(latest):
            earlier = self._previous(later)
            if earlier is None:
                continue
            compared = compared or (later.category is Category.NEG and _sign(earlier) is not None)
            if positive and later.positive and self._converted(earlier, later):
                return _trend(Change.BECAME_POSITIVE, later, earlier)
            apart = (later.day - earlier.day).days
            if (
                negative
                and later.category is Category.NEG
                and earlier.positive
                and (found.known or apart > self._window)
            ):
                return _trend(Change.BECAME_NEGATIVE, later, earlier)
        if negative and found.known and found.analyte is Analyte.HMGCR and not compared:
            negatives = [one for one in latest if one.category is Category.NEG]
            return self._known_negative(negatives[-1]) if negatives else Trend()
        signed = [one for one in latest if (one.positive if positive else one.category is Category.NEG)]
        return self._other_method(signed) if signed and (positive or negative) else Trend()

    def _converted(self, earlier: Graded, later: Graded) -> bool:
        """Negative before, and positive beyond what a run can do: strong, or a number of a quantitative method that
        has doubled (C10.27)."""
        if earlier.category is not Category.NEG:
            return False
        if (later.day - earlier.day).days > self._policy.days("seroconversion_most_d"):
            return False
        if later.category is Category.POS_STRONG:
            return True
        fold = _fold(earlier.result, later.result)
        return later.family is Family.QUANT and fold is not None and fold >= self._policy.number("seroconversion_fold")

    def _known_negative(self, later: Graded) -> Trend:
        """A known anti-HMGCR that is negative without a comparable positive: of the same method long ago, or of another
        method (C10.26); or none is on file."""
        positives = [one for one in self._positives_before(later) if (later.day - one.day).days > self._window]
        if not positives:
            return Trend(change=Change.UNRECORDED, results=(later.result,), same_method=False)
        same = [one for one in positives if _same_method(one, later)]
        if same and (later.day - same[-1].day).days > self._policy.days("trend_most_d"):
            return _trend(Change.BECAME_NEGATIVE, later, same[-1])
        return _trend(Change.METHOD_CHANGED, later, positives[-1])

    def _once_positive(self, later: Graded) -> Trend:
        """No change between comparable results, and yet it was strongly positive before (C10.4): what it was then."""
        positives = self._positives_before(later)
        return _trend(Change.NONE, later, positives[-1]) if positives else Trend()

    def _positives_before(self, later: Graded) -> list[Graded]:
        return [one for one in self._graded if one.positive and one.day < later.day]

    def _other_method(self, signed: Sequence[Graded]) -> Trend:
        """Another sign by another method or manufacturer says nothing of a trend (L4): the newest results of the sign that
        stands against the nearest before the window, where no result of their own method is there to compare."""
        for later in (one for one in reversed(signed) if one.day == signed[-1].day):
            if any(_same_method(one, later) for one in self._signed_before(later)):
                continue
            earlier = [*self._signed_before(later)]
            nearest = (one for one in earlier if one.day == earlier[0].day)
            other = next((one for one in nearest if _sign(one) is not _sign(later)), None)
            if other is not None:
                return _trend(Change.METHOD_CHANGED, later, other)
        return Trend()

    def _signed_before(self, later: Graded) -> Iterator[Graded]:
        """Positive and negative results of another episode, newest first."""
        return (one for one in self._between(later, self._window + 1) if _sign(one) is not None)

    # ---------------------------------------------------------------- titre

    def _titre(self, found: AntibodyEvidence, latest: Sequence[Graded], trend: Trend) -> Trend:
        """The number of a quantitative method against its last one, both positive, and CK at both (L5, L6). Line-blot
        intensities are never compared."""
        if not found.state.positive:
            return trend
        for later in self._newest_of_each(latest):
            earlier = self._previous(later) if later.positive and later.family is Family.QUANT else None
            if earlier is None or not earlier.positive:
                continue
            cks = tuple(one for one in (self._ck_near(later.result), self._ck_near(earlier.result)) if one is not None)
            moved = self._moved(earlier.result, later.result, cks)
            if moved is not Titre.NONE:
                pair = (later.result, earlier.result)
                return msgspec.structs.replace(trend, titre=moved, titre_results=pair, titre_cks=cks)
        return trend

    def _moved(self, earlier: Result, later: Result, cks: Sequence[Result]) -> Titre:
        least, most, policy = _least_fold(earlier, later), _most_fold(earlier, later), self._policy
        rising = least is not None and least >= policy.number("titre_rising_fold")
        if not rising and (most is None or most > policy.number("titre_falling_fold")):
            return Titre.NONE
        if not self._against(rising, cks):
            return Titre.RISING if rising else Titre.NONE
        if not comparable(cks[1], cks[0]):
            return Titre.RISING_CK_INCOMPARABLE if rising else Titre.FALLING_CK_INCOMPARABLE
        return Titre.RISING_CK_FALLING if rising else Titre.FALLING_CK_RISING

    def _against(self, rising: bool, cks: Sequence[Result]) -> bool:
        """CK, later and earlier, went the other way, by more than it varies."""
        if len(cks) < 2:
            return False
        later, earlier = cks
        if rising:
            most = _most_fold(earlier, later)
            return most is not None and most <= self._policy.number("ck_diverging_fall")
        least = _least_fold(earlier, later)
        return least is not None and least >= self._policy.number("ck_diverging_rise")

    def _ck_near(self, sample: Result) -> Result | None:
        """The CK nearest to a sample, within 30 days of it (C10.33)."""
        day, window = sample.collected.day, self._policy.days("ck_window_d")
        told = (one for one in self._cks if not one.collected_estimated)
        near = [one for one in told if abs((one.collected.day - day).days) <= window]
        return min(near, key=lambda one: (abs((one.collected.day - day).days), one.ref), default=None)

    # ---------------------------------------------------------------- pairs

    def _newest_of_each(self, latest: Sequence[Graded]) -> Iterator[Graded]:
        """The newest result of each method and manufacturer, newest first: what a trend is read to."""
        left = list(latest)
        while left:
            newest = latest_of([one for one in left if one is left[-1] or _same_method(one, left[-1])])
            yield newest
            left = [one for one in left[:-1] if not _same_method(one, newest)]

    def _previous(self, later: Graded) -> Graded | None:
        """The nearest earlier result that can be compared with this one (C7, C10.27); of simultaneous ones the highest."""
        nearest: list[Graded] = []
        for one in self._between(later, self._policy.days("trend_least_d")):
            if nearest and one.day != nearest[-1].day:
                break
            if _same_method(one, later):
                nearest.append(one)
        return latest_of(nearest[::-1]) if nearest else None

    def _between(self, later: Graded, least_d: int) -> Iterator[Graded]:
        """The results at least so many days before this one and at most a year, newest first."""
        most = self._policy.days("trend_most_d")
        for one in reversed(self._graded):
            days = (later.day - one.day).days
            if days > most:
                return
            if days >= least_d:
                yield one


def _trend(change: Change, later: Graded, earlier: Graded) -> Trend:
    return Trend(change=change, results=(later.result, earlier.result), same_method=_same_method(earlier, later))


def comparable(before: Result, after: Result) -> bool:
    """Whether two CKs say the same of a direction: of one laboratory, or their multiples of the limit agree (C10.33)."""
    if before.laboratory == after.laboratory:
        return True
    first, second = ratio(before), ratio(after)
    fold = _fold(before, after)
    if first is None or second is None or fold is None:
        return False
    return (second > first) == (fold > 1)


def _same_method(one: Graded, other: Graded) -> bool:
    mine, theirs = one.result.method, other.result.method
    assert mine is not None
    assert theirs is not None
    return mine.code == theirs.code and bool(mine.manufacturer) and mine.manufacturer == theirs.manufacturer


def _sign(one: Graded) -> bool | None:
    """Positive or negative; None for an equivocal one."""
    return None if one.category is Category.EQUIVOCAL else one.positive


def _fold(before: Result, after: Result) -> Decimal | None:
    """How many times the later number is of the earlier one, in one unit."""
    first, second = before.value, after.value
    if not isinstance(first, Quantity) or not isinstance(second, Quantity) or first.unit != second.unit:
        return None
    if first.number <= 0:
        return None if second.number <= 0 else Decimal("Infinity")
    return second.number / first.number


def _least_fold(before: Result, after: Result) -> Decimal | None:
    """How many times the later number is of the earlier one at least: "<x" before and ">x" after leave that known."""
    first, second = before.value, after.value
    if not isinstance(first, Quantity) or not isinstance(second, Quantity):
        return None
    return None if first.comparator.above or second.comparator.below else _fold(before, after)


def _most_fold(before: Result, after: Result) -> Decimal | None:
    """How many times the later number is of the earlier one at most: ">x" before and "<x" after leave that known."""
    first, second = before.value, after.value
    if not isinstance(first, Quantity) or not isinstance(second, Quantity):
        return None
    return None if first.comparator.below or second.comparator.above else _fold(before, after)
