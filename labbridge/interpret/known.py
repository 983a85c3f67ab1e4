"""C10.5 b: which antibodies the results held make known, recomputed from them and never read from what was posted.

Known is what was confirmed, or concordant with CK, as the results stood more than 30 days before the anchor; and what was
known before that. Looked at are the days at which an evaluation would have stood: the last result more than 30 days before
the anchor, the last one more than 30 days before that, and so on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date

from labbridge.interpret import ck
from labbridge.interpret.aggregate import TIER1, Graded
from labbridge.interpret.categories import category
from labbridge.interpret.evidence import Episode
from labbridge.interpret.facts import REGISTRY, FactValue, on_demand
from labbridge.interpret.held import ANTIBODIES, Core, Held
from labbridge.knowledge.decisions import Decisions, Rule
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Analyte, Category, Family

CONCORDANT = "MSA_POS_CONCORDANT"


class Concordance:
    """The rules that find an antibody concordant with CK, asked of the results as they stood on an earlier day."""

    def __init__(self, decisions: Decisions) -> None:
        active = [rule for rule in decisions.rules if rule.status == "active"]
        self._rules = [rule for rule in active if any(CONCORDANT in flag for flag in rule.then.flags)]
        self._unconfirmed = [
            rule for rule in self._rules if rule.when.get(f"{rule.about.lower()}_confirmed") is not True
        ]
        self._bands = frozenset(band for rule in self._rules for band in _allowed(rule, "ck"))

    def known(self, held: Held) -> frozenset[str]:
        """The antibodies that the results collected more than 30 days before the anchor make known."""
        days = held.days()
        if not days:
            return frozenset()
        apart = held.policy.days("known_before_d")
        last = date.fromordinal(days[-1].toordinal() - apart - 1)
        patterns = {one.hep2.pattern.value for one in held.slides.until(last) if one.hep2 is not None} | {"NOT_TESTED"}
        able = {rule.about for rule in self._unconfirmed if not patterns.isdisjoint(_allowed(rule, "hep2"))}
        earlier = {
            one.value: _Earlier(held.graded[one].until(last), held.policy, concordant=one.value in able)
            for one in ANTIBODIES
        }
        every = frozenset(name for name, one in earlier.items() if one.able)
        found: frozenset[str] = frozenset()
        if not every:
            return found
        high = [one.collected.day for one in held.cks.until(last) if ck.band_of(one, held.policy) in self._bands]
        for day in _stood(days, min(one.first for one in earlier.values() if one.first is not None), apart):
            if any(earlier[name].may_tell(day, high) for name in every - found):
                found |= self._told(held, found, day)
            if found == every:
                break
        return found

    def _told(self, held: Held, known: frozenset[str], day: date) -> frozenset[str]:
        """What an evaluation on that day says. CK is looked at where all else holds."""
        core = held.serology(known, until=day)
        now = (core.srp, core.hmgcr)
        found = {one.analyte.value for one in now if one.confirmed or one.known}
        if any(one.state.positive and not one.known for one in now):
            facts = on_demand(_episode(held, core), held.policy)
            near = [rule for rule in self._rules if rule.about and _holds(rule, facts, ck=False)]
            if near:
                facts = on_demand(_episode(held, held.with_ck(core, until=day)), held.policy)
                found |= {rule.about for rule in near if _holds(rule, facts, ck=True)}
        return frozenset(found)


class _Earlier:
    """The earlier results of one antibody, and whether those up to a day can make it known at all: a cheap question before
    the whole evaluation."""

    def __init__(self, results: Sequence[Graded], policy: Policy, *, concordant: bool) -> None:
        """`concordant`: a HEp-2 on file would not stand in the way of it."""
        self._policy = policy
        self._days = [one.day for one in results]
        self.first = self._days[0] if results else None
        strong = [one.day for one in results if one.category is Category.POS_STRONG]
        self._strong = strong if concordant else []
        families = {one.family for one in results if one.positive}
        tissue = any(one.family is Family.TISSUE for one in results)
        self._confirmable = len(families) > 1 or not families.isdisjoint(TIER1) or (bool(families) and tissue)
        self.able = self._confirmable or bool(self._strong)

    def may_tell(self, day: date, high: list[date]) -> bool:
        """Two families positive, one of the first tier, tissue beside another (C3.2, C10.9); or strong among the newest
        results, and a CK high enough within reach of them or of the day."""
        if self._confirmable:
            return True
        place = bisect_right(self._days, day)
        if not place or not self._strong or not high:
            return False
        newest = self._days[place - 1]
        window, reach = self._policy.days("aggregation_window_d"), self._policy.days("ck_window_d")
        if not any(0 <= (newest - one).days <= window for one in self._strong):
            return False
        return any((newest - one).days <= reach and one <= day for one in high)


def _stood(days: list[date], first: date, apart: int) -> list[date]:
    """The days an evaluation would have stood at before this one, oldest first; none before the first antibody result."""
    found: list[date] = []
    day = days[-1]
    for earlier in reversed(days):
        if earlier < first:
            break
        if (day - earlier).days > apart:
            found.append(earlier)
            day = earlier
    return found[::-1]


def _episode(held: Held, core: Core) -> Episode:
    when = core.when
    positive = tuple(
        one
        for one in held.of[Analyte.OTHER_MSA]
        if one.collected.day <= when.today and (its := category(one)) is not None and its.positive
    )
    return Episode(
        today=when.today,
        anchor=when.anchor,
        srp=core.srp,
        hmgcr=core.hmgcr,
        hep2=core.hep2,
        ck=core.ck,
        other_positive=positive,
        age_years=held.history.patient.age_on(when.today),
        ivig=held.ivig(when.anchor),
    )


def _allowed(rule: Rule, fact: str) -> tuple[FactValue, ...]:
    """The values of a fact that a rule allows; every value of it where it does not ask."""
    values = rule.when.get(fact, REGISTRY[fact].domain)
    return values if isinstance(values, tuple) else (values,)


def _holds(rule: Rule, facts: Mapping[str, FactValue], *, ck: bool) -> bool:
    """Whether the conditions of a rule on CK hold; else whether all others do."""
    asked = [name for name in rule.when if name.startswith("ck") is ck]
    return all(facts[name] in _allowed(rule, name) for name in asked)
