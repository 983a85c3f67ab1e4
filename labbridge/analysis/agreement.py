"""How two methods for one antibody agree (42 CFR 493.1281), and where they do not, kit by kit and lot by lot.

Two results are a pair where they are of one patient and antibody, by different assays, and their specimens were taken
within so many days of each other; each result is in one pair of two assays at most, the nearest first. Equivocal results
agree with nothing and contradict nothing: they are counted beside the table of four fields.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import pandas as pd
from scipy import stats

from labbridge.model.result import Category

POSITIVE = (Category.POS_LOW.value, Category.POS_STRONG.value)
NEGATIVE, EQUIVOCAL = Category.NEG.value, Category.EQUIVOCAL.value
CONFIDENCE = 0.95
KEY = ("analyte", "antigen", "first", "second")


def share(found: int, of: int) -> tuple[float | None, float | None, float | None]:
    """A proportion with its exact 95 % interval (Clopper and Pearson); nothing where nothing was counted."""
    if not of:
        return None, None, None
    exact = stats.binomtest(found, of).proportion_ci(CONFIDENCE, method="exact")
    return found / of, float(exact.low), float(exact.high)


def kappa(both: int, first: int, second: int, neither: int) -> tuple[float | None, float | None, float | None]:
    """Cohen's kappa of a table of four fields with its 95 % interval by its large-sample standard error, as
    statsmodels has it (cohens_kappa); nothing where chance alone always agrees."""
    count = both + first + second + neither
    if not count:
        return None, None, None
    p = [[both / count, first / count], [second / count, neither / count]]
    rows, columns = [sum(line) for line in p], [p[0][0] + p[1][0], p[0][1] + p[1][1]]
    seen, chance = p[0][0] + p[1][1], sum(r * c for r, c in zip(rows, columns, strict=True))
    if chance >= 1:
        return None, None, None
    found = (seen - chance) / (1 - chance)
    same = sum(p[i][i] * (1 - (rows[i] + columns[i]) * (1 - found)) ** 2 for i in (0, 1))
    other = (1 - found) ** 2 * sum(p[i][j] * (columns[i] + rows[j]) ** 2 for i, j in ((0, 1), (1, 0)))
    error = sqrt(max(same + other - (found - chance * (1 - found)) ** 2, 0.0)) / ((1 - chance) * sqrt(count))
    reach = float(stats.norm.ppf((1 + CONFIDENCE) / 2)) * error
    return found, found - reach, min(found + reach, 1.0)


def pairs(results: pd.DataFrame, days: int) -> pd.DataFrame:
    """The pairs of assays: patient, day, analyte, antigen, first and second assay in alphabetical order, the category by
    each and the lots. `results`: the table of a replay (analysis/replayed.py)."""
    graded = results[results["category"] != ""].sort_values("day", kind="stable")
    found = [
        _of_assays(group[group["assay"] == first], group[group["assay"] == second], days)
        for _key, group in graded.groupby(["analyte", "antigen"], sort=True)
        for first, second in _twos(sorted(group["assay"].unique()))
    ]
    columns = ["patient", "day", *KEY, "by_first", "by_second", "lot_first", "lot_second"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _twos(names: list[str]) -> list[tuple[str, str]]:
    return [(one, other) for place, one in enumerate(names) for other in names[place + 1 :] if one and other]


def _of_assays(first: pd.DataFrame, second: pd.DataFrame, days: int) -> pd.DataFrame:
    taken = ["patient", "day", "analyte", "antigen", "assay", "category", "lot"]
    both = first[taken].merge(second[taken], on=["patient", "analyte", "antigen"], suffixes=("_first", "_second"))
    apart = (pd.to_datetime(both["day_first"]) - pd.to_datetime(both["day_second"])).abs().dt.days
    both = both.assign(apart=apart)[apart <= days].sort_values("apart", kind="stable")
    both = both.drop_duplicates(["patient", "day_first"]).drop_duplicates(["patient", "day_second"])
    names = {"assay_first": "first", "assay_second": "second", "day_first": "day"}
    return both.rename(columns={**names, "category_first": "by_first", "category_second": "by_second"})


def concordance(found: pd.DataFrame, by: tuple[str, ...] = KEY) -> pd.DataFrame:
    """Positive, negative and overall agreement of the second assay with the first, kappa, each with its 95 % interval."""
    rows = [_four(dict(zip(by, key, strict=True)), group) for key, group in found.groupby(list(by), sort=True)]
    return pd.DataFrame(rows, columns=[*by, *_FOUR])


_FOUR = (
    "pairs", "both_positive", "first_only", "second_only", "both_negative", "equivocal",
    "positive_agreement", "ppa_low", "ppa_high", "negative_agreement", "npa_low", "npa_high",
    "overall_agreement", "opa_low", "opa_high", "kappa", "kappa_low", "kappa_high",
)  # fmt: skip


def _four(key: dict[str, Any], group: pd.DataFrame) -> dict[str, Any]:
    first, second = group["by_first"].isin(POSITIVE), group["by_second"].isin(POSITIVE)
    doubtful = (group["by_first"] == EQUIVOCAL) | (group["by_second"] == EQUIVOCAL)
    sure = ~doubtful
    a, b = int((first & second & sure).sum()), int((first & ~second & sure).sum())
    c, d = int((~first & second & sure).sum()), int((~first & ~second & sure).sum())
    cells = (len(group), a, b, c, d, int(doubtful.sum()))
    told = (*share(a, a + b), *share(d, c + d), *share(a + d, a + b + c + d), *kappa(a, b, c, d))
    return key | dict(zip(_FOUR, (*cells, *told), strict=True))


def discordance(found: pd.DataFrame) -> pd.DataFrame:
    """Pairs of which one is positive and one negative, by pair of assays: their share with its exact 95 % interval, and the
    exact test of McNemar whether one assay is positive more often than the other."""
    table = concordance(found)
    apart, sure = table["first_only"] + table["second_only"], table["pairs"] - table["equivocal"]
    rows = [share(int(x), int(n)) for x, n in zip(apart, sure, strict=True)]
    told = table[[*KEY, "pairs", "equivocal", "first_only", "second_only"]].assign(discordant=apart)
    for place, name in enumerate(("share", "low", "high")):
        told[name] = [row[place] for row in rows]
    told["mcnemar_p"] = [_mcnemar(int(b), int(c)) for b, c in zip(told["first_only"], told["second_only"], strict=True)]
    return told


def _mcnemar(first: int, second: int) -> float | None:
    return float(stats.binomtest(first, first + second).pvalue) if first + second else None
