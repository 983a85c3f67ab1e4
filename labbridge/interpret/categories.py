"""C2: the category of one usable antibody result, from its number and limits, else from its words."""

from __future__ import annotations

from labbridge.model.result import Category, Family, Limits, Result
from labbridge.model.values import Comparator, Grade, Quantity, Titre, Word

_OF_GRADE = {
    Grade.NEG: Category.NEG,
    Grade.EQUIVOCAL: Category.EQUIVOCAL,
    Grade.POS_LOW: Category.POS_LOW,
    Grade.POSITIVE: Category.POS_LOW,  # a bare "positive" on blot or quant is not assumed to be strong
    Grade.POS_STRONG: Category.POS_STRONG,
}
_SINGLE_GRADE = (Family.IP, Family.CBA)


def category(result: Result) -> Category | None:
    """NEG, EQUIVOCAL, POS_LOW or POS_STRONG; None where a comparator leaves it open (RESULT_CENSORED, C1.6).

    A numeric value with limits comes before the words. Immunoprecipitation and cell-based assays know one positive.
    Positive tissue is EQUIVOCAL by itself.
    """
    family = result.method.family if result.method else None
    found = as_reported(result)
    if found is not None and found.positive:
        if family in _SINGLE_GRADE:
            return Category.POS_STRONG
        if family is Family.TISSUE:
            return Category.EQUIVOCAL
    return found


def as_reported(result: Result) -> Category | None:
    """The category by number or words alone, before the method's family has its say."""
    value = result.value
    if isinstance(value, Quantity) and result.limits is not None:
        return _banded(value, result.limits)
    if isinstance(value, Titre):
        return Category.NEG if value.comparator.below else Category.POS_LOW
    grade = value.grade if isinstance(value, Word) else result.grade
    return _OF_GRADE[grade] if grade is not None else None


def reactive(result: Result) -> bool:
    """Positive; or on tissue a positive pattern, which by itself is equivocal. A doubtful one supports nothing."""
    found = as_reported(result)
    return found is not None and found.positive


def _banded(value: Quantity, limits: Limits) -> Category | None:
    if value.comparator is Comparator.EQUAL:
        return _at(value, limits)
    first, last = limits.bands[0], limits.bands[-1]
    if value.comparator.below:
        excluded = value.comparator is Comparator.LESS or first.above_only
        negative = value.number <= first.low if excluded else value.number < first.low
        return Category.NEG if negative else None
    open_at_limit = last.above_only and value.comparator is Comparator.GREATER_OR_EQUAL
    strong = value.number > last.low if open_at_limit else value.number >= last.low
    return Category.POS_STRONG if strong and last.category is Category.POS_STRONG else None


def _at(value: Quantity, limits: Limits) -> Category:
    found = Category.NEG
    for band in limits.bands:
        if value.number < band.low or (band.above_only and value.number == band.low):
            break
        found = band.category
    return found
