"""Limits: bands that turn a number into a category, the laboratory's own verdict, and CK's upper limit."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from labbridge.knowledge.policy import Policy
from labbridge.knowledge.terminology import Terminology
from labbridge.model.report import Patient, Timestamp
from labbridge.model.result import Analyte, Band, Category, Family, Limits, Method
from labbridge.model.values import Comparator, Grade, Missing, Quantity, Titre, Value
from labbridge.normalise.ranges import Interval, within


def sent_bands(method: Method | None, sent: Interval | None, policy: Policy) -> Limits | None:
    """The bands of a cut-off sent with a quantitative result; it beats the kit's own. A blot's range is only its
    laboratory's verdict and moves no band."""
    quantitative = method is not None and method.family is Family.QUANT
    if quantitative and sent is not None and sent.high is not None and sent.usable:
        return _of_cut_off(sent.high, not sent.high_excluded, "sent", policy)
    return None


def own_bands(
    method: Method | None, analyte: Analyte, value: Value | Missing, terminology: Terminology, policy: Policy
) -> Limits | None:
    """The bands of the kit, else of a method that has its own; None where nothing says so. A kit's limits say nothing of
    a number in another unit, or in none."""
    if method is None:
        return None
    kit = terminology.kits.get(method.assay)
    if kit is not None and kit.units and isinstance(value, Quantity) and value.unit not in kit.units:
        return None
    if method.family is Family.QUANT:
        if kit is not None and kit.cut_off is not None and kit.analyte in ("", analyte.value):
            return _of_cut_off(kit.cut_off, False, kit.id, policy)
        return None
    if kit is not None and kit.bands:
        return Limits(kit.bands, kit.id)
    row = terminology.methods.get(method.code)
    return Limits(row.bands, f"method:{row.id}") if row is not None and row.bands else None


def _of_cut_off(cut_off: Decimal, cut_off_negative: bool, source: str, policy: Policy) -> Limits:
    strong = cut_off * policy.number("quant_strong_fold")
    low = Band(Category.POS_LOW, cut_off, above_only=cut_off_negative)
    return Limits((low, Band(Category.POS_STRONG, strong)), source)


def ours(value: Value | Missing, limits: Limits | None) -> bool | None:
    """Whether a value is negative by its bands, a titre by its screening dilution; None where that is left open."""
    if isinstance(value, Titre):
        return value.comparator.below
    return below_first_band(value, limits) if limits is not None else None


def below_first_band(value: Value | Missing, limits: Limits) -> bool | None:
    """Whether a number is negative by its bands; None where its comparator leaves that open."""
    if not isinstance(value, Quantity):
        return None
    first = limits.bands[0]
    under = value.number <= first.low if first.above_only else value.number < first.low
    if value.comparator is Comparator.EQUAL:
        return under
    if value.comparator.below:
        return True if value.number <= first.low else None
    return None if under else False


def verdict(value: Value | None, sent: Interval | None, grade: Grade | None, flag: Grade | None) -> bool | None:
    """The performing laboratory's own verdict, negative or not: its range, else its words, else its flag."""
    inside = within(value, sent)
    if inside is not None:
        return inside
    words = grade or flag
    return None if words is None else words is Grade.NEG


class UpperLimit(msgspec.Struct, frozen=True):
    """CK's limits in U/L. `assumed`: by age and sex from the policy; `sent_unusable`: one was sent and not used."""

    upper: Decimal | None
    lower: Decimal | None = None
    assumed: bool = False
    sent_unusable: bool = False


def ck_limit(
    sent: Interval | None, factor: Decimal | None, patient: Patient, collected: Timestamp, policy: Policy
) -> UpperLimit:
    """The limit sent with the result, at any age; else the policy's by age and sex (clinical.md C2, C10.30, C10.31)."""
    usable = _sent(sent, factor, policy)
    if usable is not None:
        return usable
    age = patient.age_on(collected.day)
    unusable = sent is not None and sent.high is not None and factor is not None
    lower = sent.low * factor if sent is not None and sent.high is None and sent.low is not None and factor else None
    if age is not None and age < policy.number("infant_until"):
        return UpperLimit(None, lower, sent_unusable=unusable)
    return UpperLimit(policy.number(_fallback(patient.sex, age, policy)), lower, assumed=True, sent_unusable=unusable)


def _sent(sent: Interval | None, factor: Decimal | None, policy: Policy) -> UpperLimit | None:
    if sent is None or sent.high is None or factor is None or sent.high == sent.low:
        return None
    upper = sent.high * factor
    if not policy.number("ck_sent_limit_least") <= upper <= policy.number("ck_sent_limit_most"):
        return None
    return UpperLimit(upper, None if sent.low is None else sent.low * factor)


def _fallback(sex: str, age: int | None, policy: Policy) -> str:
    """Sex unknown counts as male, age unknown as adult: the higher limit, so that nothing is raised by guessing."""
    female = sex == "F"
    if age is not None and age < policy.number("adult_from"):
        return "ck_fallback_limit_girl" if female else "ck_fallback_limit_boy"
    if female:
        return "ck_fallback_limit_female"
    older = age is not None and age >= policy.number("ck_fallback_older_from")
    return "ck_fallback_limit_male_older" if older else "ck_fallback_limit_male"
