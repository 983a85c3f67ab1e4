"""Turnaround: quantiles, and the interval of the median as scipy has it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from labbridge.analysis import turnaround

NOON = datetime(2024, 3, 5, 12, tzinfo=UTC)


def results(hours: list[float | None], analyte: str = "CK") -> pd.DataFrame:
    """Results received at noon that took so many hours; None: never reported."""
    frame = pd.DataFrame(
        {
            "analyte": analyte,
            "day": date(2024, 3, 5),
            "collected": NOON - timedelta(hours=1),
            "received": NOON,
            "reported": [NOON + timedelta(hours=one) if one is not None else None for one in hours],
        }
    )
    for name in ("collected", "received", "reported"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def stage(frame: pd.DataFrame, name: str) -> dict[str, object]:
    (row,) = frame[frame["stage"] == name].to_dict("records")
    return row


def test_each_stage_by_its_hours() -> None:
    found = turnaround.by_stage(results([float(hour) for hour in range(1, 101)]))
    assert found["stage"].tolist() == ["collected to received", "received to reported", "collected to reported"]
    row = stage(found, "received to reported")
    assert (row["results"], row["median_h"], row["p90_h"], row["p95_h"]) == (100, 50.0, 90.0, 95.0)
    assert stage(found, "collected to reported")["median_h"] == 51.0


@pytest.mark.parametrize("count", [6, 7, 20, 101, 1000])
def test_the_interval_of_the_median_as_scipy_has_it(count: int) -> None:
    values = np.random.default_rng(count).exponential(10, count)
    theirs = stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    assert turnaround.around_median(values) == pytest.approx((theirs.low, theirs.high))


def test_of_five_values_there_is_no_such_interval() -> None:
    assert turnaround.around_median(np.arange(5.0)) == (None, None)


def test_what_is_missing_or_backwards_is_counted_and_left_out() -> None:
    row = stage(turnaround.by_stage(results([5.0, None, -2.0, 7.0])), "received to reported")
    assert (row["results"], row["without"], row["median_h"]) == (2, 2, 5.0)
    nothing = stage(turnaround.by_stage(results([None])), "received to reported")
    assert (nothing["results"], nothing["without"]) == (0, 1)
    assert pd.isna(nothing["median_h"])


def test_by_month_and_analyte() -> None:
    frame = pd.concat([results([1.0]), results([2.0], "SRP")])
    found = turnaround.by_stage(frame, monthly=True)
    assert set(zip(found["analyte"], found["month"], strict=True)) == {("CK", "2024-03"), ("SRP", "2024-03")}


def test_stages_that_were_measured_elsewhere() -> None:
    frame = pd.DataFrame({"stage": ["received to drafted"] * 3, "hours": [0.1, 0.2, 0.3]})
    (row,) = turnaround.stages(frame).to_dict("records")
    assert (row["stage"], row["results"], row["median_h"]) == ("received to drafted", 3, 0.2)
