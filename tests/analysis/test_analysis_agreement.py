"""Agreement of methods: pairs as they are to be made, and figures held against scipy, statsmodels and published tables."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.proportion import proportion_confint

from labbridge.analysis import agreement
from labbridge.review import proportions

DAY = date(2024, 3, 5)


def result(
    patient: str, assay: str, category: str, *, day: int = 0, lot: str = "", analyte: str = "SRP"
) -> dict[str, object]:
    return {
        "patient": patient, "analyte": analyte, "antigen": "", "assay": assay, "category": category, "lot": lot,
        "day": DAY + timedelta(days=day),
    }  # fmt: skip


def both(*cells: tuple[str, str, int]) -> pd.DataFrame:
    """So many patients with a category by the blot and one by the ELISA."""
    rows = []
    for number, (first, second, count) in enumerate(cells):
        for one in range(count):
            patient = f"P{number}-{one}"
            rows += [result(patient, "blot", first), result(patient, "elisa", second, lot="E1")]
    return pd.DataFrame(rows)


FOUR = both(("POS_STRONG", "POS_LOW", 40), ("POS_LOW", "NEG", 9), ("NEG", "POS_STRONG", 5), ("NEG", "NEG", 446))


def test_the_four_fields_and_their_shares() -> None:
    (row,) = agreement.concordance(agreement.pairs(FOUR, 30)).to_dict("records")
    assert (row["first"], row["second"], row["pairs"]) == ("blot", "elisa", 500)
    cells = (row["both_positive"], row["first_only"], row["second_only"], row["both_negative"], row["equivocal"])
    assert cells == (40, 9, 5, 446, 0)
    for name, low, high, found, of in (
        ("positive_agreement", "ppa_low", "ppa_high", 40, 49),
        ("negative_agreement", "npa_low", "npa_high", 446, 451),
        ("overall_agreement", "opa_low", "opa_high", 486, 500),
    ):
        assert row[name] == found / of
        expected = proportion_confint(found, of, method="beta")
        assert (row[low], row[high]) == pytest.approx(expected, abs=1e-9)


def test_kappa_as_statsmodels_has_it() -> None:
    (row,) = agreement.concordance(agreement.pairs(FOUR, 30)).to_dict("records")
    theirs = cohens_kappa(np.array([[40, 9], [5, 446]]))
    assert row["kappa"] == pytest.approx(theirs.kappa)
    assert (row["kappa_low"], row["kappa_high"]) == pytest.approx((theirs.kappa_low, theirs.kappa_upp))


@pytest.mark.parametrize("seed", range(30))
def test_kappa_of_any_table_as_statsmodels_has_it(seed: int) -> None:
    random = Random(seed)
    table = [[random.randrange(1, 200) for _column in range(2)] for _row in range(2)]
    found, low, high = agreement.kappa(*table[0], *table[1])
    theirs = cohens_kappa(np.array(table))
    assert found == pytest.approx(theirs.kappa)
    assert low == pytest.approx(theirs.kappa_low)
    assert high == pytest.approx(min(theirs.kappa_upp, 1.0))


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(81, 263, 0.2527, 0.3676), (15, 148, 0.0578, 0.1617), (0, 20, 0.0, 0.1684), (1, 29, 0.0009, 0.1776)],
)
def test_exact_intervals_are_those_of_clopper_and_pearson(found: int, of: int, low: float, high: float) -> None:
    share, *interval = agreement.share(found, of)
    assert share == found / of
    assert interval == pytest.approx([low, high], abs=5e-5)
    assert interval == pytest.approx(proportions.exact(found, of), abs=1e-9)


def test_nothing_is_said_of_nothing() -> None:
    assert agreement.share(0, 0) == (None, None, None)
    assert agreement.kappa(0, 0, 0, 0) == (None, None, None)
    assert agreement.kappa(12, 0, 0, 0) == (None, None, None)  # chance alone always agrees
    assert agreement.pairs(FOUR.head(0), 30).empty
    assert agreement.concordance(agreement.pairs(FOUR.head(0), 30)).empty


def test_mcnemar_as_statsmodels_has_it() -> None:
    (row,) = agreement.discordance(agreement.pairs(FOUR, 30)).to_dict("records")
    assert (row["discordant"], row["share"]) == (14, 14 / 500)
    assert row["mcnemar_p"] == pytest.approx(mcnemar([[40, 9], [5, 446]], exact=True).pvalue)
    assert (row["low"], row["high"]) == pytest.approx(proportion_confint(14, 500, method="beta"), abs=1e-9)


def test_equivocal_results_are_counted_beside() -> None:
    frame = both(("POS_LOW", "EQUIVOCAL", 3), ("EQUIVOCAL", "NEG", 2), ("NEG", "NEG", 5))
    (row,) = agreement.concordance(agreement.pairs(frame, 30)).to_dict("records")
    assert (row["pairs"], row["equivocal"], row["both_negative"], row["overall_agreement"]) == (10, 5, 5, 1.0)


@pytest.mark.parametrize(("apart", "count"), [(0, 1), (30, 1), (31, 0)])
def test_how_far_apart_a_pair_may_be(apart: int, count: int) -> None:
    frame = pd.DataFrame([result("P1", "blot", "NEG"), result("P1", "elisa", "NEG", day=apart)])
    assert len(agreement.pairs(frame, 30)) == count


def test_each_result_is_in_one_pair_the_nearest_first() -> None:
    frame = pd.DataFrame(
        [
            result("P1", "blot", "POS_LOW"),
            result("P1", "elisa", "NEG", day=9, lot="far"),
            result("P1", "elisa", "POS_LOW", day=2, lot="near"),
            result("P2", "blot", "NEG"),
        ]
    )
    found = agreement.pairs(frame, 30)
    assert found["lot_second"].tolist() == ["near"]


def test_other_patients_analytes_and_antigens_make_no_pair() -> None:
    frame = pd.DataFrame(
        [result("P1", "blot", "NEG"), result("P2", "elisa", "NEG"), result("P1", "elisa", "NEG", analyte="HMGCR")]
    )
    assert agreement.pairs(frame, 30).empty


def test_three_assays_are_three_pairs() -> None:
    frame = pd.DataFrame([result("P1", assay, "NEG") for assay in ("elisa", "blot", "ip")])
    found = agreement.concordance(agreement.pairs(frame, 30))
    assert list(zip(found["first"], found["second"], strict=True)) == [
        ("blot", "elisa"),
        ("blot", "ip"),
        ("elisa", "ip"),
    ]


def test_results_without_a_category_or_an_assay_take_no_part() -> None:
    frame = pd.DataFrame([result("P1", "blot", ""), result("P1", "elisa", "NEG"), result("P1", "", "NEG")])
    assert agreement.pairs(frame, 30).empty


def test_agreement_by_lot() -> None:
    pairs = agreement.pairs(FOUR, 30)
    (row,) = agreement.concordance(pairs, (*agreement.KEY, "lot_second")).to_dict("records")
    assert (row["lot_second"], row["pairs"]) == ("E1", 500)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Of a share of 0.9 among 50, the exact interval holds it in at least 95 % of all draws: computed, not drawn."""
    covered = sum(
        stats.binom.pmf(found, 50, 0.9)
        for found in range(51)
        if (interval := agreement.share(found, 50))[1] is not None and interval[1] <= 0.9 <= (interval[2] or 0)
    )
    assert covered >= 0.95
