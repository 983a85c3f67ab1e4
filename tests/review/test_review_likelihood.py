"""Odds form (clinical.md E1): table E3 from the shipped rows, what counts beside what, and that CK is never evidence."""

from __future__ import annotations

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_figures import FIGURES, facts, prior, probability, ratio

from labbridge.interpret.facts import REGISTRY
from labbridge.knowledge.probabilities import Likelihood
from labbridge.review.likelihood import independent, likelihoods_of, posterior, prior_of

# ---------------------------------------------------------------- E3: thirty cells

PRIORS = {"0.8%": "prior-no-ck", "5%": "prior-raised-ck", "30%": "prior-strong-suspicion"}
COLUMNS = {
    "SRP blot strong": ("srp-blot-strong",),
    "+ H+": ("srp-blot-strong", "srp-hep2-compatible"),
    "+ H0": ("srp-blot-strong", "srp-hep2-not-compatible"),
    "SRP blot low": ("srp-blot-low",),
    "low + H+": ("srp-blot-low", "srp-hep2-compatible"),
    "low then ELISA+": ("srp-blot-low", "srp-elisa-positive"),
    "low then ELISA-": ("srp-blot-low", "srp-elisa-negative"),
    "blot NEG": ("srp-blot-negative",),
    "HMGCR strong": ("hmgcr-strong",),
    "HMGCR low": ("hmgcr-low",),
}
E3 = {
    "0.8%": "12 48 2.5 1.2 7.5 38 0.2 0.1 33 7.5",
    "5%": "47 86 14 7.3 35 80 1.2 0.8 76 35",
    "30%": "88 98 58 39 81 97 8.8 6.0 96 81",
}
CELLS = [
    (row, column, printed) for row, line in E3.items() for column, printed in zip(COLUMNS, line.split(), strict=True)
]
OTHERWISE = {("5%", "+ H0"): "15", ("5%", "HMGCR low"): "34"}
"""Cells whose last digit E3 prints otherwise than its own figures give: 14.53 % and 34.48 %."""


def percent(value: float, like: str) -> str:
    """The probability in percent, with as many decimals as this one is printed with."""
    return f"{100 * value:.{len(like.partition('.')[2])}f}"


@pytest.mark.parametrize(("row", "column", "printed"), CELLS)
def test_table_e3(row: str, column: str, printed: str) -> None:
    found = percent(probability(PRIORS[row], *COLUMNS[column]), printed)
    assert found == OTHERWISE.get((row, column), printed)
    assert abs(float(found) - float(printed)) < 1.01 * 10 ** -len(printed.partition(".")[2])


def test_all_thirty_cells_were_compared_and_two_are_printed_otherwise() -> None:
    assert len(CELLS) == 30
    assert {cell for cell in OTHERWISE if cell in {(row, column) for row, column, _printed in CELLS}} == set(OTHERWISE)
    assert probability("prior-raised-ck", *COLUMNS["+ H0"]) == pytest.approx(0.1453, abs=5e-5)
    assert probability("prior-raised-ck", *COLUMNS["HMGCR low"]) == pytest.approx(0.3448, abs=5e-5)


# ---------------------------------------------------------------- E3: against what was observed


def test_picards_patients_are_met_by_a_prior_near_eight_percent() -> None:
    """60 % of the dot-positive had myositis, 91 % with and 22 % without the HEp-2 pattern."""
    strong, present, absent = map(ratio, ("srp-blot-strong", "srp-hep2-compatible", "srp-hep2-not-compatible"))
    assert posterior(0.08, [strong]) == pytest.approx(0.60, abs=0.01)
    assert posterior(0.08, [strong, present]) == pytest.approx(0.91, abs=0.01)
    assert posterior(0.08, [strong, absent]) == pytest.approx(0.22, abs=0.01)
    assert posterior(prior("prior-raised-ck"), [strong]) < 0.60 < posterior(prior("prior-strong-suspicion"), [strong])


def test_the_predictive_value_of_loose_testing_lies_between_the_rows() -> None:
    """UK 2022 (E30): 66 % of anti-HMGCR positives."""
    assert probability("prior-no-ck", "hmgcr-strong") < 0.66 < probability("prior-raised-ck", "hmgcr-strong")


# ---------------------------------------------------------------- which rows count

SRP_CASES = [
    ({"srp": "POS_STRONG", "srp_source": "blot"}, "srp-blot-strong"),
    ({"srp": "POS_LOW", "srp_source": "blot"}, "srp-blot-low"),
    ({"srp": "EQUIVOCAL", "srp_source": "blot"}, "srp-blot-equivocal"),
    ({"srp": "NEG", "srp_source": "blot"}, "srp-blot-negative"),
    ({"srp": "POS_STRONG", "srp_source": "quant"}, "srp-elisa-positive"),
    ({"srp": "POS_LOW", "srp_source": "quant"}, "srp-elisa-positive"),
    ({"srp": "NEG", "srp_source": "quant"}, "srp-elisa-negative"),
    ({"srp": "EQUIVOCAL", "srp_source": "quant"}, ""),
    ({"srp": "NEG", "srp_source": "tier1"}, ""),
    ({"srp": "EQUIVOCAL", "srp_source": "tissue"}, ""),
    ({"srp": "NOT_TESTED", "srp_source": "none"}, ""),
    ({"srp": "KNOWN", "srp_source": "blot"}, ""),
]
HMGCR_CASES = [
    ({"hmgcr": "POS_STRONG", "hmgcr_source": "quant"}, "hmgcr-strong"),
    ({"hmgcr": "POS_LOW", "hmgcr_source": "quant"}, "hmgcr-low"),
    ({"hmgcr": "NEG", "hmgcr_source": "quant"}, "hmgcr-negative"),
    ({"hmgcr": "EQUIVOCAL", "hmgcr_source": "quant"}, ""),
    ({"hmgcr": "POS_STRONG", "hmgcr_source": "blot"}, ""),  # E35: no figure was found
    ({"hmgcr": "POS_LOW", "hmgcr_source": "blot"}, ""),
    ({"hmgcr": "NEG", "hmgcr_source": "blot"}, ""),
    ({"hmgcr": "KNOWN", "hmgcr_source": "quant"}, ""),
]


def ids(antibody: str, **said: str | bool) -> list[str]:
    return [one.id for one in likelihoods_of(FIGURES, antibody, facts(**said))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("antibody", "said", "wanted"), [("SRP", *one) for one in SRP_CASES] + [("HMGCR", *one) for one in HMGCR_CASES]
)
def test_a_state_has_the_ratio_of_its_own_method(antibody: str, said: dict[str, str], wanted: str) -> None:
    assert ids(antibody, **said) == ([wanted] if wanted else [])


def test_what_is_known_of_one_antibody_is_no_evidence_of_the_other() -> None:
    assert ids("HMGCR", srp="POS_STRONG", srp_source="blot") == []
    assert ids("SRP", hmgcr="POS_STRONG", hmgcr_source="quant") == []


@pytest.mark.parametrize("state", REGISTRY["srp"].domain)
@pytest.mark.parametrize("source", REGISTRY["srp_source"].domain)
@pytest.mark.parametrize("pattern", REGISTRY["hep2"].domain)
def test_hep2_counts_beside_a_positive_srp_blot_and_nowhere_else(state: str, source: str, pattern: str) -> None:
    found = [one for one in ids("SRP", srp=state, srp_source=source, hep2=pattern) if "hep2" in one]
    if state in ("POS_LOW", "POS_STRONG") and source == "blot" and pattern != "NOT_TESTED":
        assert found == ["srp-hep2-compatible" if pattern == "CYTO_COMPAT" else "srp-hep2-not-compatible"]
    else:
        assert found == []


@pytest.mark.parametrize(
    "doubt",
    [
        {"hep2": "CYTO_COMPAT", "hep2_titre_low": True},  # C10.20: it does not corroborate
        {"hep2": "NEG", "hep2_cytoplasm_stated": False},  # E40: says nothing of the cytoplasm
        {"hep2": "CYTO_OTHER", "hep2_stated": False},  # C10.19 c: the pattern is not described
    ],
)
def test_a_fluorescence_that_leaves_a_doubt_counts_for_nothing(doubt: dict[str, str | bool]) -> None:
    strong = {"srp": "POS_STRONG", "srp_source": "blot"}
    assert ids("SRP", **strong, **doubt) == ["srp-blot-strong"]


@pytest.mark.parametrize("pattern", ["CYTO_COMPAT", "CYTO_OTHER", "NUCLEAR", "NEG"])
@pytest.mark.parametrize(("state", "row"), [("POS_LOW", "hmgcr-low"), ("POS_STRONG", "hmgcr-strong")])
def test_hep2_says_nothing_of_hmgcr(pattern: str, state: str, row: str) -> None:
    """And the explanation says so."""
    found = likelihoods_of(FIGURES, "HMGCR", facts(hmgcr=state, hmgcr_source="quant", hep2=pattern))
    assert [one.default for one in found if one.test == "hep2_iif"] == [1]
    assert posterior(0.05, [one.default for one in found]) == posterior(0.05, [ratio(row)])


@pytest.mark.parametrize("pattern", REGISTRY["hep2"].domain)
def test_hep2_is_not_told_beside_an_anti_hmgcr_that_is_negative(pattern: str) -> None:
    assert ids("HMGCR", hmgcr="NEG", hmgcr_source="quant", hep2=pattern) == ["hmgcr-negative"]


@pytest.mark.parametrize(
    ("beside", "wanted"),
    [
        ({}, ""),
        ({"other_msa_tested": True}, ""),  # the partner was not looked for
        ({"other_msa_tested": True, "partner": "NEG"}, "single-msa"),
        ({"other_msa_tested": True, "partner": "EQUIVOCAL"}, "single-msa"),
        ({"partner": "NEG"}, ""),  # the others were not looked for
        ({"partner": "POS_LOW"}, "multiple-msa"),
        ({"partner": "POS_STRONG", "other_msa_tested": True}, "multiple-msa"),
        ({"multiple_msa": True}, "multiple-msa"),
        (
            {"multiple_msa": True, "other_msa_tested": True, "partner": "NEG"},
            "multiple-msa",
        ),
    ],
)
@pytest.mark.parametrize(("side", "other"), [("srp", "hmgcr"), ("hmgcr", "srp")])
@pytest.mark.parametrize("state", ["POS_LOW", "POS_STRONG"])
def test_alone_or_one_of_several(side: str, other: str, state: str, beside: dict[str, str | bool], wanted: str) -> None:
    said = {name: value for name, value in beside.items() if name != "partner"}
    said |= {side: state, f"{side}_source": "quant", other: beside.get("partner", "NOT_TESTED")}
    assert ids(side.upper(), **said)[:-1] == ([wanted] if wanted else [])
    assert ids(side.upper(), **{**said, side: "NEG"}) == [
        {"srp": "srp-elisa-negative", "hmgcr": "hmgcr-negative"}[side]
    ]


def test_what_stands_beside_an_antibody_is_nothing_without_it() -> None:
    """An anti-HMGCR blot has no ratio (E35), and so neither has its being the only antibody."""
    assert ids("HMGCR", hmgcr="POS_LOW", hmgcr_source="blot", srp="NEG", other_msa_tested=True) == []


def test_what_counts_only_beside_an_antibody() -> None:
    beside = {one.id for one in FIGURES.of(Likelihood) if one.beside}
    assert beside == {
        *("srp-hep2-compatible", "srp-hep2-not-compatible", "hmgcr-hep2"),
        *("hmgcr-tissue-present", "hmgcr-tissue-absent", "single-msa", "multiple-msa"),
    }
    assert ids("HMGCR", hmgcr="POS_LOW", hmgcr_source="blot", srp="POS_LOW", multiple_msa=True) == []


@pytest.mark.parametrize(("ck", "suspicion"), list(product(REGISTRY["ck"].domain, (True, False))))
def test_ck_chooses_the_prior_and_is_no_likelihood_ratio(ck: str, suspicion: bool) -> None:
    said = {"srp": "POS_STRONG", "srp_source": "blot", "hep2": "CYTO_COMPAT"}
    assert ids("SRP", **said, ck=ck, suspicion=suspicion) == ids("SRP", **said)
    found = prior_of(FIGURES, facts(ck=ck, suspicion=suspicion))
    assert (found is None) == (ck == "NORMAL")


def test_no_row_of_evidence_asks_for_ck() -> None:
    asked = {name for one in FIGURES.of(Likelihood) for maps in one.when.values() for when in maps for name in when}
    assert not any("ck" in name.split("_") for name in asked)
    assert asked  # so that it can fail


def test_without_its_facts_a_case_has_neither_prior_nor_evidence() -> None:
    """An outcome from before there were such facts."""
    assert prior_of(FIGURES, {}) is None
    assert likelihoods_of(FIGURES, "SRP", {}) == ()


# ---------------------------------------------------------------- odds

EVERY = FIGURES.of(Likelihood)
probabilities = st.floats(0.0001, 0.9999)
ratios = st.lists(st.floats(0.001, 1000), max_size=3)


@given(probabilities, ratios)
def test_a_posterior_is_a_probability(before: float, found: list[float]) -> None:
    assert 0 < posterior(before, found) < 1


@given(probabilities, ratios)
def test_odds_multiply(before: float, found: list[float]) -> None:
    after, odds = posterior(before, found), before / (1 - before)
    for one in found:
        odds *= one
    assert after / (1 - after) == pytest.approx(odds, rel=1e-6)


@given(probabilities, probabilities, ratios)
def test_a_higher_prior_gives_a_higher_posterior(one: float, other: float, found: list[float]) -> None:
    low, high = sorted((one, other))
    assert posterior(low, found) <= posterior(high, found)
    if high > low * 1.001:
        assert posterior(low, found) < posterior(high, found)


@given(probabilities, st.floats(0.001, 1000), st.floats(0.001, 1000), ratios)
def test_a_higher_ratio_gives_a_higher_posterior(before: float, one: float, other: float, found: list[float]) -> None:
    low, high = sorted((one, other))
    assert posterior(before, [low, *found]) <= posterior(before, [high, *found])
    if high > low * 1.001 and posterior(before, [high, *found]) < 0.999:
        assert posterior(before, [low, *found]) < posterior(before, [high, *found])


@given(probabilities, ratios)
def test_a_ratio_of_one_says_nothing(before: float, found: list[float]) -> None:
    assert posterior(before, [*found, 1.0]) == pytest.approx(posterior(before, found))


@given(probabilities, st.lists(st.floats(0.001, 1000), min_size=2, max_size=4))
def test_the_order_of_the_evidence_changes_no_bit(before: float, found: list[float]) -> None:
    assert {posterior(before, order) for order in permutations(found)} == {posterior(before, found)}


@given(st.permutations(EVERY))
def test_of_one_test_one_result_counts(order: list[Likelihood]) -> None:
    kept = independent(order)
    assert [one.test for one in kept] == sorted({one.test for one in order})
    for one in kept:
        assert one is next(other for other in order if other.test == one.test)


@given(st.sampled_from(EVERY), st.sampled_from(EVERY), probabilities)
def test_a_second_test_of_a_family_changes_nothing(one: Likelihood, other: Likelihood, before: float) -> None:
    alone, both = independent([one]), independent([one, other])
    values = [posterior(before, [each.default for each in kept]) for kept in (alone, both)]
    assert (values[0] == values[1]) == (one.test == other.test or other.default == 1)
    assert {each.test for each in both} == {one.test, other.test}
