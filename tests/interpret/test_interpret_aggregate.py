"""C3: one state of an antibody from all its results (clinical.md C3, C10.1, C10.2, C10.4, C10.9, C10.22, C10.23)."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from interpret_build import METHODS, stated
from interpret_lab import another, at, hmgcr, of_srp, on, seen, srp, undated

from labbridge.interpret.evidence import AntibodyEvidence, BestSource
from labbridge.model.result import ContextKind, Family, Method, Result, Status
from labbridge.model.values import Grade, Word

CONFIRMED = ("POS_STRONG", True, False)
DISCORDANT = ("EQUIVOCAL", False, True)
NOT_TESTED = ("NOT_TESTED", False, False)


def verdict(found: AntibodyEvidence) -> tuple[str, bool, bool]:
    """State, confirmed, discordant."""
    return (found.state.value, found.confirmed, found.discordant)


def of_hmgcr(*results: Result, **fields: Any) -> AntibodyEvidence:
    return seen(*results, **fields).hmgcr


def tissue(grade: Grade, day: int = 0, analyte: str = "HMGCR") -> Result:
    make = hmgcr if analyte == "HMGCR" else srp
    return make("POS_LOW", "tissue", day, value=Word(grade, "as sent"), limits=None, number=grade.value)


# ---------------------------------------------------------------- C3.1 to C3.4

FAMILIES = ("blot", "quant", "ip", "cba")
TIER = {"ip": 1, "cba": 1, "quant": 2, "blot": 3}
CATEGORIES = ("NEG", "EQUIVOCAL", "POS_LOW", "POS_STRONG")


def effective(family: str, category: str) -> str:
    """Tier 1 knows one positive."""
    return "POS_STRONG" if TIER[family] == 1 and category.startswith("POS") else category


def as_c3_says(one: tuple[str, str], two: tuple[str, str]) -> tuple[str, bool, bool]:
    """Two families on one day, read off C3.1 to C3.4 and C10.23."""
    both = {family: effective(family, category) for family, category in (one, two)}
    first = {category for family, category in both.items() if TIER[family] == 1}
    positive = [family for family, category in both.items() if category.startswith("POS")]
    if {"NEG", "POS_STRONG"} <= first:
        return DISCORDANT
    if "POS_STRONG" in first:
        return CONFIRMED
    if "NEG" in first:
        return ("NEG", False, False)
    if len(positive) == 2:
        return CONFIRMED
    if positive and "NEG" in both.values():
        return DISCORDANT
    return (both[min(both, key=lambda family: TIER[family])], False, False)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("category", CATEGORIES)
def test_one_family_is_its_category(family: str, category: str) -> None:
    its = effective(family, category)
    assert verdict(of_srp(srp(category, family))) == (its, TIER[family] == 1 and its == "POS_STRONG", False)


@pytest.mark.parametrize("two", [(a, b) for a in FAMILIES for b in FAMILIES if a != b], ids="-".join)
def test_two_families_in_every_combination(two: tuple[str, str]) -> None:
    wrong = []
    for first in CATEGORIES:
        for second in CATEGORIES:
            found = verdict(of_srp(srp(first, two[0]), srp(second, two[1])))
            wanted = as_c3_says((two[0], first), (two[1], second))
            if found != wanted:
                wrong.append((first, second, wanted, found))
    assert wrong == []


@pytest.mark.parametrize(
    ("results", "wanted", "source", "resolved"),
    [
        ([srp("POS_LOW"), srp("POS_LOW", "quant")], CONFIRMED, BestSource.QUANT, False),
        ([srp("POS_STRONG"), srp("NEG", "quant")], DISCORDANT, BestSource.QUANT, False),
        ([srp("POS_STRONG"), srp("EQUIVOCAL", "quant")], ("EQUIVOCAL", False, False), BestSource.QUANT, False),
        ([srp("EQUIVOCAL"), srp("NEG", "quant")], ("NEG", False, False), BestSource.QUANT, False),
        ([srp("EQUIVOCAL"), srp("POS_LOW", "quant")], ("POS_LOW", False, False), BestSource.QUANT, False),
        ([srp("POS_STRONG"), srp("NEG", "ip")], ("NEG", False, False), BestSource.TIER1, True),
        ([srp("NEG"), srp("POS_STRONG", "ip")], CONFIRMED, BestSource.TIER1, True),
        ([srp("POS_LOW"), srp("NEG", "quant"), srp("POS_STRONG", "ip")], CONFIRMED, BestSource.TIER1, True),
        ([srp("POS_LOW"), srp("POS_STRONG", "ip")], CONFIRMED, BestSource.TIER1, False),
        ([srp("EQUIVOCAL"), srp("NEG", "ip")], ("NEG", False, False), BestSource.TIER1, False),
        ([srp("NEG"), srp("EQUIVOCAL", "ip")], ("EQUIVOCAL", False, False), BestSource.TIER1, False),
    ],
)
def test_several_families(
    results: list[Result], wanted: tuple[str, bool, bool], source: BestSource, resolved: bool
) -> None:
    for order in permutations(results):
        found = of_srp(*order)
        assert (verdict(found), found.source, found.resolved) == (wanted, source, resolved)


# ---------------------------------------------------------------- C10.23: tier 1 is not absolute


@pytest.mark.parametrize(
    ("results", "wanted"),
    [
        ([srp("POS_STRONG"), srp("POS_STRONG", "quant"), srp("NEG", "ip")], DISCORDANT),
        ([srp("POS_LOW"), srp("POS_LOW", "quant"), srp("NEG", "cba")], DISCORDANT),
        ([srp("POS_STRONG"), srp("EQUIVOCAL", "quant"), srp("NEG", "ip")], ("NEG", False, False)),
        ([srp("POS_STRONG"), srp("POS_LOW", "quant"), srp("NEG", "ip"), srp("NEG", "cba")], ("NEG", False, False)),
        ([srp("POS_STRONG", "ip"), srp("NEG", "cba")], DISCORDANT),
        ([srp("POS_STRONG", "ip"), srp("NEG", "cba"), srp("POS_STRONG")], DISCORDANT),
        ([srp("POS_STRONG", "ip"), srp("NEG", "ip", 5)], DISCORDANT),  # the same reference method against itself
    ],
)
def test_tier_one_is_not_absolute(results: list[Result], wanted: tuple[str, bool, bool]) -> None:
    found = of_srp(*results)
    assert verdict(found) == wanted
    assert found.resolved is (wanted[0] == "NEG")


def test_a_family_at_odds_with_itself_is_no_plain_negative_for_tier_one() -> None:
    """Blot positive and negative, ELISA positive, one immunoprecipitation negative: nothing is settled."""
    blots = [srp("POS_STRONG", day=-3), srp("NEG", day=0)]
    assert verdict(of_srp(*blots, srp("POS_LOW", "quant"), srp("NEG", "ip"))) == DISCORDANT
    assert verdict(of_srp(*blots, srp("NEG", "ip"))) == ("NEG", False, False)


# ---------------------------------------------------------------- C10.2: inside one family

OTHER_BLOT = another("blot", code="dot_blot")
OTHER_MAKER = another("blot", manufacturer="alphadia")


@pytest.mark.parametrize(
    ("first", "second", "apart", "method", "wanted"),
    [
        ("POS_STRONG", "NEG", 0, None, DISCORDANT),
        ("NEG", "POS_STRONG", 0, None, DISCORDANT),
        ("POS_STRONG", "NEG", 13, None, DISCORDANT),
        ("NEG", "POS_STRONG", 13, None, DISCORDANT),
        ("POS_STRONG", "NEG", 14, None, DISCORDANT),  # positive, then negative
        ("NEG", "POS_STRONG", 14, None, ("POS_STRONG", False, False)),  # left to the trend rules
        ("POS_STRONG", "NEG", 30, None, DISCORDANT),
        ("NEG", "POS_LOW", 30, None, ("POS_LOW", False, False)),
        ("POS_STRONG", "NEG", 31, None, ("NEG", False, False)),  # sequential
        ("NEG", "POS_STRONG", 30, OTHER_BLOT, DISCORDANT),
        ("NEG", "POS_STRONG", 30, OTHER_MAKER, DISCORDANT),
        ("POS_STRONG", "NEG", 31, OTHER_BLOT, ("NEG", False, False)),
        ("POS_STRONG", "EQUIVOCAL", 0, None, ("EQUIVOCAL", False, False)),
        ("EQUIVOCAL", "NEG", 0, OTHER_BLOT, ("NEG", False, False)),
        ("POS_STRONG", "POS_LOW", 5, None, ("POS_LOW", False, False)),  # agreeing: the latest counts
        ("POS_LOW", "POS_STRONG", 5, OTHER_BLOT, ("POS_STRONG", False, False)),  # a second blot confirms nothing
    ],
)
def test_two_results_of_one_family(
    first: str, second: str, apart: int, method: Method | None, wanted: tuple[str, bool, bool]
) -> None:
    later: dict[str, Any] = {"method": method} if method else {}
    results = [srp(first, day=-apart, collected=at(-apart, 8)), srp(second, collected=at(0, 9), number="b", **later)]
    assert verdict(of_srp(*results)) == verdict(of_srp(*reversed(results))) == wanted


@pytest.mark.parametrize(
    ("apart", "wanted"), [(13, DISCORDANT), (14, ("NEG", False, False)), (30, ("NEG", False, False))]
)
def test_in_monitoring_a_positive_may_become_negative(apart: int, wanted: tuple[str, bool, bool]) -> None:
    found = of_srp(srp("POS_STRONG", day=-apart), srp("NEG"), known=frozenset({"SRP"}))
    assert verdict(found) == wanted
    assert found.known


def test_elisa_and_clia_are_one_family() -> None:
    clia = another("quant", code="clia")
    found = of_srp(srp("POS_LOW", "quant"), srp("POS_LOW", "quant", number="b", method=clia))
    assert verdict(found) == ("POS_LOW", False, False)
    assert found.families == {Family.QUANT}


def test_a_family_at_odds_leaves_the_antibody_open_whatever_another_family_says() -> None:
    results = [srp("POS_STRONG", day=-1), srp("NEG"), srp("POS_LOW", "quant")]
    for order in permutations(results):
        assert verdict(of_srp(*order)) == DISCORDANT


def test_three_methods_are_reduced_family_by_family_first() -> None:
    """Two negative blots and one positive ELISA: one family against another, not two votes against one."""
    results = [srp("NEG"), srp("NEG", number="b", method=OTHER_BLOT), srp("POS_STRONG", "quant")]
    assert verdict(of_srp(*results)) == DISCORDANT


# ---------------------------------------------------------------- the window of 30 days, and expiry (C3.5, C10.1)


@pytest.mark.parametrize(("apart", "wanted"), [(30, DISCORDANT), (31, ("NEG", False, False))])
def test_families_are_compared_within_30_days(apart: int, wanted: tuple[str, bool, bool]) -> None:
    found = of_srp(srp("POS_LOW", day=-apart), srp("NEG", "quant"))
    assert verdict(found) == wanted
    assert found.families == ({Family.BLOT, Family.QUANT} if apart == 30 else {Family.QUANT})


@pytest.mark.parametrize(("age", "state"), [(180, "POS_STRONG"), (181, "NOT_TESTED")])
def test_a_result_expires_after_180_days(age: int, state: str) -> None:
    found = seen(srp("POS_STRONG", day=-age), hmgcr("NEG"))
    assert found.srp.state.value == state
    assert found.srp.prior
    assert (found.anchor, found.suspicion_implied) == (on(0), True)


def test_a_low_srp_of_long_ago_and_a_low_hmgcr_are_not_dual() -> None:
    found = seen(srp("POS_LOW", day=-2000), hmgcr("POS_LOW"))
    assert (found.srp.state.value, found.hmgcr.state.value) == ("NOT_TESTED", "POS_LOW")


# ---------------------------------------------------------------- tissue (C2)


@pytest.mark.parametrize(
    ("grade", "state"), [(Grade.POSITIVE, "EQUIVOCAL"), (Grade.EQUIVOCAL, "EQUIVOCAL"), (Grade.NEG, "NEG")]
)
@pytest.mark.parametrize("analyte", ["SRP", "HMGCR"])
def test_tissue_alone(analyte: str, grade: Grade, state: str) -> None:
    found = of_srp(tissue(grade, analyte="SRP")) if analyte == "SRP" else of_hmgcr(tissue(grade))
    assert (verdict(found), found.source) == ((state, False, False), BestSource.TISSUE)


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("grade", [Grade.NEG, Grade.EQUIVOCAL, Grade.POSITIVE])
def test_tissue_beside_a_specific_assay(category: str, grade: Grade) -> None:
    """It confirms a positive anti-HMGCR and nothing else, and never contradicts."""
    supported = grade is Grade.POSITIVE and category.startswith("POS")
    assert verdict(of_hmgcr(hmgcr(category), tissue(grade))) == (CONFIRMED if supported else (category, False, False))
    assert verdict(of_srp(srp(category), tissue(grade, analyte="SRP"))) == (category, False, False)


def test_tissue_confirms_a_blot_of_hmgcr_too() -> None:
    assert verdict(of_hmgcr(hmgcr("POS_LOW", "blot"), tissue(Grade.POS_STRONG))) == CONFIRMED


def test_tissue_of_long_ago_supports_nothing() -> None:
    assert verdict(of_hmgcr(hmgcr("POS_LOW"), tissue(Grade.POSITIVE, -31))) == ("POS_LOW", False, False)


# ---------------------------------------------------------------- C10.9: confirmation outlives the window


@pytest.mark.parametrize(("apart", "confirmed"), [(30, True), (31, True), (100, True), (180, True), (181, False)])
def test_a_positive_of_another_family_confirms_for_180_days(apart: int, confirmed: bool) -> None:
    earlier, later = srp("POS_LOW", day=-apart), srp("POS_LOW", "quant")
    found = of_srp(earlier, later)
    assert verdict(found) == (CONFIRMED if confirmed else ("POS_LOW", False, False))
    assert [one.ref for one in found.results] == ([later.ref, earlier.ref] if confirmed else [later.ref])


@pytest.mark.parametrize(
    ("between", "confirmed"),
    [
        ([], True),
        ([srp("NEG", day=-20)], False),
        ([srp("NEG", "quant", day=-40)], False),
        ([srp("EQUIVOCAL", day=-40)], True),
        ([srp("NEG", day=-90)], True),  # before both
        ([tissue(Grade.NEG, -35, "SRP")], True),  # negative tissue says nothing
    ],
)
def test_no_negative_in_between(between: list[Result], confirmed: bool) -> None:
    found = of_srp(srp("POS_LOW", day=-60), *between, srp("POS_LOW", "quant"))
    assert found.confirmed is confirmed


@pytest.mark.parametrize(
    ("infusion", "confirmed"), [(-151, True), (-150, False), (-60, False), (-1, False), (0, False), (1, True)]
)
def test_immunoglobulins_confirm_nothing(infusion: int, confirmed: bool) -> None:
    """Neither result within 90 days after an infusion."""
    results = (srp("POS_LOW", day=-60), srp("POS_LOW", "quant"))
    given = stated(ContextKind.IVIG_DATE, on(infusion).isoformat(), on(-200))
    assert of_srp(*results, context=(given,)).confirmed is confirmed


def test_what_does_not_confirm_later() -> None:
    assert not of_srp(srp("POS_STRONG", day=-60), srp("POS_LOW")).confirmed  # the same family
    assert not of_srp(srp("EQUIVOCAL", day=-60), srp("POS_LOW", "quant")).confirmed
    assert not of_srp(srp("POS_STRONG", day=-60), srp("NEG", "quant")).confirmed
    assert not of_hmgcr(tissue(Grade.POSITIVE, -60), hmgcr("POS_LOW")).confirmed


def test_a_confirmation_reaches_over_an_equivocal_of_today() -> None:
    found = of_srp(srp("POS_STRONG", "ip", -60), srp("POS_LOW"), srp("EQUIVOCAL", "quant"))
    assert verdict(found) == CONFIRMED


def test_a_dispute_of_today_is_not_settled_by_an_old_positive() -> None:
    found = of_srp(srp("POS_STRONG", "ip", -60), srp("POS_LOW"), srp("NEG", "quant"))
    assert verdict(found) == DISCORDANT


# ---------------------------------------------------------------- C10.22: the families used, and what it rests on


def test_every_family_of_the_window_counts_as_used() -> None:
    found = of_hmgcr(hmgcr("POS_LOW"), tissue(Grade.NEG), hmgcr("NEG", "cba", -30), hmgcr("NEG", "blot", -31))
    assert found.families == {Family.QUANT, Family.TISSUE, Family.CBA}


def test_the_deciding_result_comes_first_the_others_newest_first() -> None:
    decider, older, newest = srp("POS_STRONG", "ip", -5), srp("POS_LOW", day=-10), srp("POS_LOW", "quant")
    assert of_srp(older, newest, decider).results == (decider, newest, older)


def test_on_one_day_the_time_decides_where_all_have_one() -> None:
    early, late = srp("POS_LOW", collected=at(0, 8)), srp("POS_STRONG", collected=at(0, 16))
    assert of_srp(early, late).state == of_srp(late, early).state == "POS_STRONG"
    assert of_srp(srp("POS_LOW", collected=at(0, 16)), srp("POS_STRONG", collected=at(0, 8))).state == "POS_LOW"


def test_without_times_the_order_given_does_not_matter() -> None:
    both = [srp("POS_LOW", collected=undated(0)), srp("POS_STRONG", collected=undated(0))]
    assert of_srp(*both) == of_srp(*reversed(both))


def test_no_result_is_not_tested() -> None:
    found = of_srp()
    assert (verdict(found), found.source, found.families) == (NOT_TESTED, BestSource.NONE, frozenset())


# ---------------------------------------------------------------- C10.4: positive once, negative now


@pytest.mark.parametrize(
    ("earlier", "once"),
    [
        ([srp("POS_STRONG", day=-90)], True),
        ([srp("POS_STRONG", day=-2000)], True),  # history has no end
        ([srp("POS_LOW", day=-90)], False),
        ([srp("EQUIVOCAL", day=-90)], False),
        ([srp("POS_LOW", day=-90), srp("POS_LOW", "quant", -90)], True),  # confirmed then
        ([srp("POS_LOW", day=-150), srp("POS_LOW", "quant", -90)], True),  # confirmed over the window (C10.9)
        ([srp("POS_STRONG", "ip", -90)], True),
        ([srp("POS_STRONG", day=-90), srp("NEG", "quant", -90)], False),  # open from the first day on
        ([srp("POS_STRONG", day=-90), srp("NEG", "ip", -85)], False),  # refuted
        ([srp("POS_STRONG", day=-90), srp("NEG", "ip", -45)], False),  # on the new specimen of 4 to 6 weeks
        ([srp("POS_STRONG", day=-400), srp("NEG", "ip", -219)], True),  # too late to speak of that result
        ([srp("POS_STRONG", day=-90), srp("POS_LOW", "quant", -90), srp("NEG", "ip", -85)], True),  # C10.23
        ([srp("POS_STRONG", day=-90, status=Status.WITHDRAWN)], False),
    ],
)
def test_positive_once_and_negative_now(earlier: list[Result], once: bool) -> None:
    found = of_srp(*earlier, srp("NEG"))
    assert (found.state.value, found.once_positive) == ("NEG", once)


def test_a_reference_method_that_decides_today_refutes() -> None:
    assert not of_srp(srp("POS_STRONG", day=-3), srp("NEG", "ip")).once_positive


def test_positive_now_is_not_once_positive() -> None:
    assert not of_srp(srp("POS_STRONG", day=-90), srp("POS_STRONG")).once_positive
    assert not of_srp(srp("POS_STRONG", day=-200), hmgcr("NEG")).once_positive  # not tested now


def test_the_methods_used_here_are_of_the_tiers_of_c2() -> None:
    assert {family: METHODS[family].tier for family in (*FAMILIES, "tissue")} == {**TIER, "tissue": None}
