"""HEp-2: which finding counts, and whether its titre corroborates (clinical.md C2, C10.1, C10.19, C10.20, C10.32)."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest
from interpret_build import ck, hep2
from interpret_lab import at, on, seen, srp, timed, undated

from labbridge.interpret.evidence import Hep2Evidence
from labbridge.model.result import Hep2Class, Result
from labbridge.model.values import Comparator, Missing, Titre, Value

STATED = [one for one in Hep2Class if one is not Hep2Class.UNSPECIFIED]


def of(*results: Result, **fields: Any) -> Hep2Evidence:
    return seen(*results, **fields).hep2


def slide(pattern: str, day: int = 0, name: str = "", **finding: Any) -> Result:
    return hep2(pattern, f"H{day}{pattern}{name}", on(day), **finding)


def titred(pattern: str, value: Value | Missing) -> Result:
    return msgspec.structs.replace(slide(pattern), value=value)


@pytest.mark.parametrize("pattern", STATED)
def test_the_pattern_is_the_state(pattern: Hep2Class) -> None:
    found = of(slide(pattern.value))
    assert (found.state.value, found.unspecified) == (pattern.value, False)


def test_positive_without_a_pattern_is_not_tested_and_a_suspicion() -> None:
    found = seen(slide("UNSPECIFIED"))
    assert (found.hep2.state.value, found.hep2.unspecified) == ("NOT_TESTED", True)
    assert found.suspicion_implied
    assert not found.suspicion
    assert not seen(slide("NUCLEAR")).suspicion_implied


def test_no_hep2_is_not_tested() -> None:
    assert of(srp("NEG")) == Hep2Evidence()


@pytest.mark.parametrize("stated", [True, False])
def test_a_cytoplasm_that_is_not_described_is_said_to_be(stated: bool) -> None:
    assert of(slide("CYTO_OTHER", pattern_stated=stated)).pattern_stated is stated


# ---------------------------------------------------------------- which one counts


@pytest.mark.parametrize(("age", "state"), [(180, "CYTO_COMPAT"), (181, "NOT_TESTED")])
def test_it_expires_after_180_days(age: int, state: str) -> None:
    """A pattern of years ago does not remove the confirmation of today's blot."""
    assert of(slide("CYTO_COMPAT", -age), srp("POS_STRONG")).state.value == state


def test_it_expires_by_a_later_ck_too() -> None:
    assert of(slide("CYTO_COMPAT"), ck(2, day=on(181)), today=on(181)).state.value == "NOT_TESTED"


@pytest.mark.parametrize("later", STATED)
@pytest.mark.parametrize("earlier", STATED)
def test_the_latest_counts(earlier: Hep2Class, later: Hep2Class) -> None:
    assert of(slide(earlier.value, -20), slide(later.value, 0)).state.value == later.value


@pytest.mark.parametrize(
    ("earlier", "state", "unspecified"),
    [
        ("CYTO_COMPAT", "CYTO_COMPAT", False),
        ("CYTO_OTHER", "CYTO_OTHER", False),
        ("NUCLEAR", "NUCLEAR", False),
        ("NEG", "NOT_TESTED", True),  # positive now: the old negative is not true any more
    ],
)
def test_a_later_positive_without_a_pattern(earlier: str, state: str, unspecified: bool) -> None:
    found = of(slide(earlier, -20), slide("UNSPECIFIED", 0))
    assert (found.state.value, found.unspecified) == (state, unspecified)


def test_a_later_pattern_ends_the_question() -> None:
    found = of(slide("UNSPECIFIED", -20), slide("NEG", 0))
    assert (found.state.value, found.unspecified) == ("NEG", False)


def test_the_pattern_before_last_does_not_come_back() -> None:
    found = of(slide("CYTO_COMPAT", -40), slide("NEG", -20), slide("UNSPECIFIED", 0))
    assert (found.state.value, found.unspecified) == ("NOT_TESTED", True)


def test_on_one_day_the_time_decides_where_all_have_one() -> None:
    early, late = timed(slide("CYTO_COMPAT"), at(0, 8)), timed(slide("NEG"), at(0, 9))
    for order in permutations([early, late]):
        assert of(*order).state == "NEG"


def test_simultaneous_slides_show_what_tells_most() -> None:
    slides = [timed(slide(one.value), undated(0)) for one in STATED]
    slides.append(timed(slide("NEG", name="b"), at(0, 20)))
    for order in permutations(slides):
        assert of(*order).state == "CYTO_COMPAT"


# ---------------------------------------------------------------- the titre (C10.20)


def titre(number: int, comparator: str = "=") -> Titre:
    return Titre(Decimal(number), Comparator(comparator))


@pytest.mark.parametrize(
    ("value", "low"),
    [
        (titre(80), True),
        (titre(159), True),
        (titre(160), False),
        (titre(1280), False),
        (titre(80, "<"), True),  # below the screening dilution, whatever the note describes
        (titre(320, "<"), True),  # not shown to reach it
        (titre(80, ">"), True),
        (titre(160, ">"), False),
        (titre(160, ">="), False),
        (Missing.ABSENT, False),  # no titre is not a low one
    ],
)
def test_a_titre_below_the_policy_s_does_not_corroborate(value: Value | Missing, low: bool) -> None:
    found = of(titred("CYTO_COMPAT", value))
    assert found.titre_low is low
    assert found.state == "CYTO_COMPAT"  # for opening tests any titre counts


def test_a_negative_has_no_low_titre() -> None:
    assert not of(slide("NEG")).titre_low
