"""C3: one antibody's results as one state, by family and tier (clinical.md C3, C10.2, C10.9, C10.22, C10.23)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from labbridge.interpret.categories import reactive
from labbridge.interpret.evidence import AntibodyEvidence, AntibodyState, BestSource
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Analyte, Category, Family, Result
from labbridge.model.values import Quantity

_POSITIVE = (Category.POS_LOW, Category.POS_STRONG)
TIER1 = (Family.IP, Family.CBA)
_NO_NUMBER = Decimal(-1)
_GRADES = tuple(Category)
_STATES = {category: AntibodyState(category.value) for category in Category}
_SOURCES = {Family.QUANT: BestSource.QUANT, Family.BLOT: BestSource.BLOT}


class Graded(msgspec.Struct, frozen=True):
    """A usable antibody result with its category; day, family and sign are what most readers ask for. `reactive`: positive,
    or a positive pattern on tissue, which by itself is equivocal (C2)."""

    result: Result
    category: Category
    day: date
    family: Family
    positive: bool
    reactive: bool


def graded(result: Result, category: Category) -> Graded:
    """A result of a known method, graded."""
    assert result.method is not None
    family, positive = result.method.family, category in _POSITIVE
    seen = reactive(result) if family is Family.TISSUE else positive
    return Graded(result, category, result.collected.day, family, positive, seen)


class Reduced(msgspec.Struct, frozen=True):
    """One family's results of the window as one: the latest counts; `discordant` where they contradict each other."""

    latest: Graded
    discordant: bool
    all: tuple[Graded, ...]


def aggregate(
    analyte: Analyte, graded: Sequence[Graded], *, known: bool, ivig: date | None, policy: Policy
) -> AntibodyEvidence:
    """The state of one antibody from its usable, unexpired results."""
    if not graded:
        return AntibodyEvidence(analyte=analyte, known=known)
    newest = max(one.day for one in _specific(graded))
    reach = policy.days("aggregation_window_d")
    window = [one for one in graded if abs((newest - one.day).days) <= reach]
    if len(window) == 1 and window[0].family in _SOURCES:
        latest, evidence = window, _single(analyte, window[0], known)
    else:
        latest, evidence = _of_families(analyte, window, known, policy)
    if evidence.confirmed or evidence.discordant or evidence.state is AntibodyState.NEG:
        return evidence
    earlier = _confirmed_before(graded, latest, ivig, policy)
    return evidence if earlier is None else _confirmed_by(evidence, earlier)


def _specific(graded: Sequence[Graded]) -> Sequence[Graded]:
    """Those that say which state stands and when: tissue only supports, and counts by itself where there is nothing else
    (C2)."""
    return [one for one in graded if one.family is not Family.TISSUE] or graded


def _single(analyte: Analyte, one: Graded, known: bool) -> AntibodyEvidence:
    """One result of a blot or a quantitative method: its category is the state."""
    return AntibodyEvidence(
        analyte=analyte,
        state=_STATES[one.category],
        known=known,
        source=_SOURCES[one.family],
        families=frozenset((one.family,)),
        results=(one.result,),
    )


def _of_families(
    analyte: Analyte, window: Sequence[Graded], known: bool, policy: Policy
) -> tuple[list[Graded], AntibodyEvidence]:
    """The latest result of each family, and what they add up to."""
    in_time = sorted(window, key=_order)
    families = {
        family: reduced([one for one in in_time if one.family is family], known, policy)
        for family in dict.fromkeys(one.family for one in in_time)
    }
    tissue = families.pop(Family.TISSUE, None)
    evidence = _judged(analyte, families, tissue)
    every = frozenset(one.family for one in window)
    latest = [one.latest for one in families.values()]
    return latest, msgspec.structs.replace(evidence, known=known, families=every)


def once_positive(analyte: Analyte, graded: Sequence[Graded], *, ivig: date | None, policy: Policy) -> bool:
    """Whether the antibody was ever strong or confirmed as its results stood on a day, and not refuted (C10.4)."""
    for day in sorted({one.day for one in graded if one.reactive}):
        held = [one for one in graded if 0 <= (day - one.day).days <= policy.days("expiry_d")]
        then = aggregate(analyte, held, known=False, ivig=ivig, policy=policy)
        if then.state is AntibodyState.POS_STRONG and not _refuted(graded, day, policy):
            return True
    return False


def _refuted(graded: Sequence[Graded], day: date, policy: Policy) -> bool:
    """A tier-1 method was negative in the time a confirmation may take; not where one was positive until that day, nor
    against a positive of both other families (C10.23)."""
    most = policy.days("confirmation_window_d")
    families = {one.family for one in graded if one.positive and 0 <= (day - one.day).days <= most}
    if families.issuperset((Family.BLOT, Family.QUANT)) or any(
        _first(one) and one.positive and one.day <= day for one in graded
    ):
        return False
    return any(_first(one) and one.category is Category.NEG and abs((one.day - day).days) <= most for one in graded)


def _first(one: Graded) -> bool:
    return one.family in TIER1


def _order(one: Graded) -> tuple[object, ...]:
    stamp = one.result.collected
    moment = stamp.moment if stamp.has_time else None
    return (one.day, moment.timestamp() if moment else 0.0, one.result.received, one.result.ref)


def reduced(results: list[Graded], known: bool, policy: Policy) -> Reduced:
    """One family's results, oldest first, as one."""
    pairs = [(earlier, later) for place, earlier in enumerate(results) for later in results[place + 1 :]]
    discordant = any(_discordant(earlier, later, known, policy) for earlier, later in pairs)
    return Reduced(latest_of(results), discordant, tuple(results))


def latest_of(results: Sequence[Graded]) -> Graded:
    """Of results, oldest first: the latest by day, and by time where all of the last day have one; of simultaneous ones the
    highest (C10.32)."""
    last = results[-1].day
    near = [one for one in results if one.day == last]
    if len(near) == 1 or all(one.result.collected.has_time for one in near):
        return results[-1]
    return max(near, key=lambda one: (_GRADES.index(one.category), _amount(one), _order(one)))


def _amount(one: Graded) -> Decimal:
    value = one.result.value
    return value.number if isinstance(value, Quantity) else _NO_NUMBER


def _discordant(earlier: Graded, later: Graded, known: bool, policy: Policy) -> bool:
    """A positive and a negative of one family (C10.2): by different methods or makers; by the same method within 14
    days; or, outside monitoring, positive and then negative."""
    signs = {earlier.reactive, later.reactive}
    if signs != {True, False} or Category.NEG not in (earlier.category, later.category):
        return False
    mine, theirs = earlier.result.method, later.result.method
    assert mine is not None
    assert theirs is not None
    if mine.code != theirs.code or mine.manufacturer != theirs.manufacturer:
        return True
    if (later.day - earlier.day).days < policy.days("repeat_same_method_d"):
        return True
    return earlier.reactive and not known


def _judged(analyte: Analyte, families: dict[Family, Reduced], tissue: Reduced | None) -> AntibodyEvidence:
    first = {family: one for family, one in families.items() if family in TIER1}
    if not families:
        assert tissue is not None
        return _alone(analyte, tissue)
    deciding = _deciding(first, families)
    if deciding is not None:
        return _decided(analyte, deciding, families)
    best = _best(families)
    supported = analyte is Analyte.HMGCR and tissue is not None and tissue.latest.reactive and not tissue.discordant
    opposed = _opposed(families.values()) and (bool(first) or not supported)  # what tier 1 left open no tissue decides
    if opposed or any(one.discordant for one in families.values()):
        return _evidence(analyte, AntibodyState.EQUIVOCAL, best, families, discordant=True)
    positive = [family for family, one in families.items() if one.latest.category.positive]
    confirmed = len(positive) > 1 or (bool(positive) and supported)  # of two families, one is always tier 2 or better
    if confirmed:
        found = _evidence(analyte, AntibodyState.POS_STRONG, _best(families, positive), families, confirmed=True)
        support = tissue.all if tissue is not None and supported else ()
        return msgspec.structs.replace(found, results=(*found.results, *(one.result for one in reversed(support))))
    return _evidence(analyte, AntibodyState(best.latest.category.value), best, families)


def _deciding(first: dict[Family, Reduced], families: dict[Family, Reduced]) -> Reduced | None:
    """The tier-1 result that decides; None where there is none, or where it does not decide by itself (C10.23)."""
    signed = [one for one in first.values() if one.latest.category is not Category.EQUIVOCAL]
    if not signed or any(one.discordant for one in first.values()) or _opposed(signed):
        return None
    against = [families.get(family) for family in (Family.BLOT, Family.QUANT)]
    both_positive = all(one is not None and (one.latest.category.positive or one.discordant) for one in against)
    if signed[0].latest.category is Category.NEG and both_positive and len(signed) == 1:
        return None
    return max(signed, key=lambda one: _order(one.latest))


def _decided(analyte: Analyte, deciding: Reduced, families: dict[Family, Reduced]) -> AntibodyEvidence:
    positive = deciding.latest.category.positive
    others = [one for one in families.values() if one.latest.family not in TIER1]
    against = [o for o in others if o.discordant or (o.latest.category.positive != positive and _signed(o))]
    state = AntibodyState.POS_STRONG if positive else AntibodyState.NEG
    found = _evidence(analyte, state, deciding, families, confirmed=positive)
    return msgspec.structs.replace(found, resolved=bool(against))


def _signed(one: Reduced) -> bool:
    return one.latest.category is not Category.EQUIVOCAL


def _opposed(families: Iterable[Reduced]) -> bool:
    """A positive in one family and NEG in another; EQUIVOCAL opposes nothing (C3.4)."""
    categories = [one.latest.category for one in families]
    return Category.NEG in categories and any(one.positive for one in categories)


def _best(families: dict[Family, Reduced], among: Sequence[Family] | None = None) -> Reduced:
    found = [one for family, one in families.items() if among is None or family in among]
    return min(found, key=lambda one: one.latest.result.method.tier or 9 if one.latest.result.method else 9)


def _alone(analyte: Analyte, tissue: Reduced) -> AntibodyEvidence:
    """A pattern that was seen is not taken back by a section without it, where nothing else was tested."""
    results = tuple(one.result for one in reversed(tissue.all))
    state = AntibodyState.EQUIVOCAL if tissue.discordant else AntibodyState(tissue.latest.category.value)
    return AntibodyEvidence(analyte=analyte, state=state, source=BestSource.TISSUE, results=results)


def _evidence(
    analyte: Analyte,
    state: AntibodyState,
    deciding: Reduced,
    families: dict[Family, Reduced],
    *,
    confirmed: bool = False,
    discordant: bool = False,
) -> AntibodyEvidence:
    """`results`: the deciding one first, then the others of the window, newest first."""
    rest = sorted((one for reduced in families.values() for one in reduced.all), key=_order, reverse=True)
    first = deciding.latest
    return AntibodyEvidence(
        analyte=analyte,
        state=state,
        confirmed=confirmed,
        discordant=discordant,
        source=_SOURCES.get(first.family, BestSource.TIER1),
        results=(first.result, *(one.result for one in rest if one.result.ref != first.result.ref)),
    )


def _confirmed_before(
    graded: Sequence[Graded], latest: Sequence[Graded], ivig: date | None, policy: Policy
) -> Graded | None:
    """The newest positive of another family, 31 to 180 days before the newest one, no NEG between (C10.9)."""
    positives = [one for one in latest if one.positive]
    newest = max(positives, key=_order, default=None)
    if newest is None or _after_ivig(newest, ivig, policy):
        return None
    window, most = policy.days("aggregation_window_d"), policy.days("confirmation_window_d")
    earlier = [
        one
        for one in graded
        if one.positive
        and one.family is not newest.family
        and window < (newest.day - one.day).days <= most
        and not _after_ivig(one, ivig, policy)
        and not _negative_between(graded, one.day, newest.day)
    ]
    return max(earlier, key=_order, default=None)


def _negative_between(graded: Sequence[Graded], first: date, last: date) -> bool:
    """A NEG from the first day to the last; negative tissue says nothing (C2)."""
    negative = (one for one in graded if one.category is Category.NEG and one.family is not Family.TISSUE)
    return any(first <= one.day <= last for one in negative)


def _confirmed_by(evidence: AntibodyEvidence, earlier: Graded) -> AntibodyEvidence:
    """The earlier result is part of what the confirmation rests on."""
    results = (*evidence.results, *(one for one in (earlier.result,) if one not in evidence.results))
    return msgspec.structs.replace(evidence, state=AntibodyState.POS_STRONG, confirmed=True, results=results)


def _after_ivig(one: Graded, ivig: date | None, policy: Policy) -> bool:
    return ivig is not None and 0 <= (one.day - ivig).days <= policy.days("ivig_window_d")
