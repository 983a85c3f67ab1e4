"""C7 read off histories: which pairs are compared, and what a change is (L1-L6, C10.2, C10.26, C10.27, C10.33)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from interpret_build import ck, hep2, stated
from interpret_lab import another, hmgcr, on, quantity, seen, srp

from labbridge.interpret.evidence import Change, Titre, Trend
from labbridge.model.result import ContextKind, Result

KNOWN = frozenset({"SRP", "HMGCR"})


def of_srp(*results: Result, **fields: Any) -> Trend:
    return seen(*results, **fields).srp.trend


def of_hmgcr(*results: Result, **fields: Any) -> Trend:
    return seen(*results, **fields).hmgcr.trend


# ---------------------------------------------------------------- L1


@pytest.mark.parametrize(
    ("before", "change"),
    [(-13, Change.NONE), (-14, Change.BECAME_POSITIVE), (-180, Change.BECAME_POSITIVE), (-181, Change.NONE)],
)
def test_negative_to_strong_by_the_same_method_within_180_days(before: int, change: Change) -> None:
    found = of_srp(srp("NEG", day=before), srp("POS_STRONG"))
    assert found.change is change
    if change is not Change.NONE:
        assert ([one.collected.day for one in found.results], found.same_method) == ([on(0), on(before)], True)


@pytest.mark.parametrize(
    ("family", "category", "change"),
    [
        ("blot", "POS_LOW", Change.NONE),  # within run-to-run noise (C10.27)
        ("blot", "POS_STRONG", Change.BECAME_POSITIVE),
        ("quant", "POS_STRONG", Change.BECAME_POSITIVE),
    ],
)
def test_a_low_blot_is_no_seroconversion(family: str, category: str, change: Change) -> None:
    assert of_srp(srp("NEG", family, -60), srp(category, family)).change is change


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        ("11", "22", Change.BECAME_POSITIVE),
        ("11.1", "22", Change.NONE),
        ("0", "22", Change.BECAME_POSITIVE),
    ],
)
def test_a_quantitative_result_has_to_double(before: str, now: str, change: Change) -> None:
    results = (
        srp("NEG", "quant", -60, value=quantity(before)),
        srp("POS_LOW", "quant", value=quantity(now)),
    )
    assert of_srp(*results).change is change


@pytest.mark.parametrize("method", [another("quant", "clia"), another("quant", manufacturer="other")])
def test_another_method_or_manufacturer_is_no_trend(method: Any) -> None:
    found = of_srp(srp("NEG", "quant", -60), srp("POS_STRONG", "quant", method=method))
    assert (found.change, found.same_method) == (Change.METHOD_CHANGED, False)


def test_a_manufacturer_nobody_named_is_not_the_same() -> None:
    unnamed = msgspec.structs.replace(another("quant"), manufacturer="")
    pair = [srp(category, "quant", day, method=unnamed) for category, day in (("NEG", -60), ("POS_STRONG", 0))]
    assert of_srp(*pair).change is Change.METHOD_CHANGED


@pytest.mark.parametrize(("before", "change"), [(-30, Change.NONE), (-31, Change.METHOD_CHANGED)])
def test_within_30_days_other_methods_are_compared_by_c3(before: int, change: Change) -> None:
    assert of_srp(srp("NEG", "quant", before), srp("POS_STRONG", "blot")).change is change


def test_the_nearest_earlier_result_is_the_previous_one() -> None:
    assert of_srp(srp("NEG", day=-100), srp("POS_LOW", day=-40), srp("POS_STRONG")).change is Change.NONE


def test_a_change_is_told_once_and_of_what_still_counts() -> None:
    changed = (srp("NEG", day=-200), srp("POS_STRONG", day=-180))
    found = of_srp(*changed, ck(2))
    assert found.change is Change.BECAME_POSITIVE
    assert of_srp(*changed, ck(2), told=frozenset({found.results[0].ref})).change is Change.NONE
    assert of_srp(srp("NEG", day=-201), srp("POS_STRONG", day=-181), ck(2)).change is Change.NONE


def test_a_substitute_for_the_collection_day_takes_no_part() -> None:
    assert of_srp(srp("NEG", day=-60, collected_estimated=True), srp("POS_STRONG")).change is Change.NONE


def test_tissue_and_equivocal_results_have_no_sign() -> None:
    assert of_hmgcr(hmgcr("NEG", "tissue", -60), hmgcr("POS_STRONG")).change is Change.NONE
    assert of_srp(srp("EQUIVOCAL", day=-60), srp("POS_STRONG")).change is Change.NONE


# ---------------------------------------------------------------- L2, L3, C10.26


@pytest.mark.parametrize(
    ("before", "change"),
    [(-14, Change.NONE), (-31, Change.BECAME_NEGATIVE), (-365, Change.BECAME_NEGATIVE), (-366, Change.NONE)],
)
def test_positive_to_negative_within_a_year(before: int, change: Change) -> None:
    """14 to 30 days apart it is a discordance, outside monitoring (C10.2)."""
    assert of_hmgcr(hmgcr("POS_LOW", day=before), hmgcr("NEG")).change is change
    assert of_srp(srp("POS_LOW", day=before), srp("NEG")).change is change


def test_in_monitoring_two_weeks_are_a_trend() -> None:
    found = of_hmgcr(hmgcr("POS_STRONG", day=-14), hmgcr("NEG"), known=KNOWN)
    assert found.change is Change.BECAME_NEGATIVE


def test_a_known_hmgcr_negative_after_more_than_a_year() -> None:
    found = of_hmgcr(hmgcr("POS_STRONG", day=-400), hmgcr("NEG"), known=KNOWN)
    assert (found.change, found.same_method) == (Change.BECAME_NEGATIVE, True)
    assert of_srp(srp("POS_STRONG", day=-400), srp("NEG"), known=KNOWN).change is Change.NONE


def test_a_known_hmgcr_negative_by_another_method() -> None:
    before = hmgcr("POS_STRONG", day=-200, method=another("quant", "clia"))
    found = of_hmgcr(before, hmgcr("NEG"), known=KNOWN)
    assert (found.change, found.same_method) == (Change.METHOD_CHANGED, False)
    unrecorded = of_hmgcr(hmgcr("NEG"), known=KNOWN)
    assert (unrecorded.change, len(unrecorded.results)) == (Change.UNRECORDED, 1)
    assert of_hmgcr(hmgcr("NEG", "tissue"), known=KNOWN) == Trend()  # negative tissue says nothing


def test_once_positive_keeps_what_it_was_then() -> None:
    """Beyond a year there is no trend, and the comment still says what it was (C10.4)."""
    found = of_srp(srp("POS_STRONG", day=-500), srp("NEG"))
    assert (found.change, [one.collected.day for one in found.results]) == (Change.NONE, [on(0), on(-500)])


# ---------------------------------------------------------------- L5, L6


def titres(before: str, now: str, **fields: Any) -> tuple[Result, Result]:
    return (
        srp("POS_LOW", "quant", -90, value=quantity(before), **fields),
        srp("POS_STRONG", "quant", 0, value=quantity(now), **fields),
    )


@pytest.mark.parametrize(
    ("before", "now", "titre"),
    [
        ("40", "60", Titre.RISING),
        ("40", "59.9", Titre.NONE),
        ("100", "50", Titre.NONE),
        ("40", "40", Titre.NONE),
    ],
)
def test_half_as_much_again_is_rising(before: str, now: str, titre: Titre) -> None:
    assert of_srp(*titres(before, now)).titre is titre


@pytest.mark.parametrize(
    ("before", "now", "first", "second", "titre"),
    [
        ("40", "60", 20, 10, Titre.RISING_CK_FALLING),
        ("40", "60", 20, "10.1", Titre.RISING),
        ("40", "60", 20, 40, Titre.RISING),
        ("100", "50", 5, 10, Titre.FALLING_CK_RISING),
        ("100", "51", 5, 10, Titre.NONE),
        ("100", "50", 5, "9.9", Titre.NONE),
    ],
)
def test_ck_the_other_way(before: str, now: str, first: float, second: float, titre: Titre) -> None:
    found = of_srp(*titres(before, now), ck(first, "CK-1", on(-90)), ck(second, "CK-2"))
    assert found.titre is titre
    assert len(found.titre_results) == (0 if titre is Titre.NONE else 2)


@pytest.mark.parametrize(("day", "titre"), [(-60, Titre.RISING_CK_FALLING), (-59, Titre.RISING)])
def test_a_ck_belongs_to_a_sample_for_30_days(day: int, titre: Titre) -> None:
    assert of_srp(*titres("40", "60"), ck(20, "CK-1", on(day)), ck(5, "CK-2", on(25))).titre is titre


def test_a_ck_is_paired_with_the_nearest_sample() -> None:
    results = (*titres("40", "60"), ck(20, "CK-1", on(-90)), ck(30, "CK-2", on(-10)), ck(5, "CK-3", on(-2)))
    assert of_srp(*results).titre is Titre.RISING_CK_FALLING


@pytest.mark.parametrize(("limit", "titre"), [(200, Titre.RISING_CK_FALLING), (50, Titre.RISING_CK_INCOMPARABLE)])
def test_another_laboratory_has_to_agree_by_its_limit(limit: int, titre: Titre) -> None:
    """5,000 to 2,000 U/L is a fall; as multiples of the limits it is 25 to 10, or 25 to 40."""
    first = ck(25, "CK-1", on(-90), laboratory="A")
    second = ck(10, "CK-2", laboratory="B", upper_limit=limit)
    assert of_srp(*titres("40", "60"), first, second).titre is titre


def test_blots_and_two_units_are_never_compared() -> None:
    blots = (srp("POS_LOW", day=-90, value=quantity("12")), srp("POS_STRONG", value=quantity("90")))
    assert of_srp(*blots).titre is Titre.NONE
    before, now = titres("40", "60")
    assert of_srp(before, msgspec.structs.replace(now, value=quantity("60", unit="CU"))).titre is Titre.NONE


@pytest.mark.parametrize(
    ("before", "after", "titre"),
    [
        (("40", "="), ("60", ">"), Titre.RISING),
        (("40", "="), ("59", ">"), Titre.NONE),  # it may have risen so far, and it may not
        (("40", ">"), ("600", "="), Titre.NONE),
        (("40", "="), ("600", "<"), Titre.NONE),
        (("60", "="), ("30", "<"), Titre.NONE),
    ],
)
def test_a_rise_is_what_the_comparators_leave_no_doubt_of(
    before: tuple[str, str], after: tuple[str, str], titre: Titre
) -> None:
    earlier, later = titres("40", "60")
    first, second = (
        msgspec.structs.replace(one, value=quantity(number, sign))
        for one, (number, sign) in ((earlier, before), (later, after))
    )
    assert of_srp(first, second).titre is titre


# ---------------------------------------------------------------- O1, C10.6


@pytest.mark.parametrize(("infusion", "passive"), [(1, False), (0, True), (-90, True), (-91, False)])
def test_newly_positive_within_90_days_of_an_infusion(infusion: int, passive: bool) -> None:
    infused = (stated(ContextKind.IVIG_DATE, str(on(infusion))),)
    found = seen(srp("POS_LOW"), hep2("CYTO_COMPAT"), context=infused)
    assert (found.srp.passive, found.hep2.passive) == (passive, passive)
    assert found.hep2.state == "CYTO_COMPAT"


def test_positive_before_the_infusion_or_known_is_not_newly_positive() -> None:
    infused = (stated(ContextKind.IVIG_DATE, str(on(-20))),)
    assert not seen(srp("POS_LOW", day=-200), srp("POS_LOW"), context=infused).srp.passive
    assert not seen(srp("POS_LOW"), context=infused, known=KNOWN).srp.passive
    assert seen(srp("NEG", day=-200), srp("POS_LOW"), context=infused).srp.passive


def test_the_last_infusion_before_the_sample_counts() -> None:
    infused = tuple(stated(ContextKind.IVIG_DATE, str(on(day)), on(day)) for day in (-120, -30, 20))
    found = seen(srp("POS_LOW"), context=infused)
    assert (found.ivig, found.srp.passive) == (on(-30), True)


def test_negative_or_nuclear_findings_are_never_passive() -> None:
    infused = (stated(ContextKind.IVIG_DATE, str(on(-20))),)
    found = seen(srp("NEG"), hep2("NUCLEAR"), context=infused)
    assert (found.srp.passive, found.hep2.passive) == (False, False)
