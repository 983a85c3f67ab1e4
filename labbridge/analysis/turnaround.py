"""How long results take, stage by stage: quantiles with distribution-free intervals (binomial, of the order statistics)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from labbridge.analysis.agreement import CONFIDENCE

QUANTILES = (0.5, 0.9, 0.95)
STAGES = (("collected", "received"), ("received", "reported"), ("collected", "reported"))
HOURS = ("median_h", "low_h", "high_h", "p90_h", "p95_h")
COLUMNS = ("analyte", "stage", "month", "results", "without", *HOURS)


def by_stage(results: pd.DataFrame, *, monthly: bool = False) -> pd.DataFrame:
    """Hours by analyte and stage (and month of collection). `without`: results of which one of the two times is missing, or
    which ends before it begins: they are counted, and take no part."""
    months = pd.to_datetime(results["day"]).dt.strftime("%Y-%m") if monthly else "all"
    rows = []
    for (analyte, month), group in results.assign(month=months).groupby(["analyte", "month"], sort=True):
        for begins, ends in STAGES:
            hours = (group[ends] - group[begins]).dt.total_seconds() / 3600
            rows.append(_row((analyte, f"{begins} to {ends}", month), hours))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def stages(frame: pd.DataFrame) -> pd.DataFrame:
    """The same of stages that were measured elsewhere: columns stage and hours."""
    rows = [_row(("", stage, "all"), group["hours"]) for stage, group in frame.groupby("stage", sort=False)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(key: tuple[Any, ...], hours: pd.Series[float]) -> tuple[Any, ...]:
    usable = hours[hours >= 0].to_numpy()
    if not len(usable):
        return (*key, 0, len(hours), None, None, None, None, None)
    median, *upper = (float(np.quantile(usable, q, method="inverted_cdf")) for q in QUANTILES)
    return (*key, len(usable), len(hours) - len(usable), median, *around_median(usable), *upper)


def around_median(values: np.ndarray[Any, Any]) -> tuple[float | None, float | None]:
    """The order statistics between which the median lies with 95 % probability at least; nothing below six values."""
    count = len(values)
    tail = (1 - CONFIDENCE) / 2
    low = int(stats.binom.ppf(tail, count, 0.5)) - 1
    if low < 0 or stats.binom.cdf(low, count, 0.5) > tail:
        return None, None
    ranked = np.sort(values)
    return float(ranked[low]), float(ranked[count - 1 - low])
