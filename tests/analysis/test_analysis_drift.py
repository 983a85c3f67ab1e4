"""A lot that reads higher is found with its lot; a laboratory in which nothing changed is left alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from labbridge.analysis import drift
from labbridge.sources import load

FIRST = date(2022, 1, 3)


def results(shares: list[float], each: int, seed: int, **more: str) -> pd.DataFrame:
    """Lots one after the other, each with its share of positives, a result a day."""
    random = Random(seed)
    rows = []
    for lot, share in enumerate(shares):
        for number in range(each):
            day = FIRST + timedelta(days=lot * each + number)
            rows.append(
                {
                    "day": day, "received": datetime(day.year, day.month, day.day, 9, tzinfo=UTC),
                    "result": f"{lot}-{number}",
                    "analyte": "SRP", "antigen": "", "assay": "blot", "lot": f"L{lot}", "pattern": "",
                    "category": "POS_LOW" if random.random() < share else "NEG", **more,
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


LIMITS = drift.Limits.of(load().policy)


def watched(frame: pd.DataFrame) -> drift.Watched:
    (one,) = drift.series(frame)
    found = drift.watched(one, LIMITS)
    assert found is not None
    return found


def test_the_lot_that_reads_higher_is_named() -> None:
    found = drift.alarms(watched(results([0.05, 0.05, 0.25, 0.05], 300, 1)))
    assert set(found["direction"]) == {"rising"}
    assert found["lot"].iloc[0] == "L2"


def test_a_share_that_falls_is_found() -> None:
    found = drift.alarms(watched(results([0.4, 0.4, 0.15, 0.15], 200, 2)))
    assert found["direction"].iloc[0] == "falling"
    assert found["lot"].iloc[0] == "L2"


def test_where_nothing_changes_alarms_are_as_rare_as_they_should_be() -> None:
    """Twelve laboratories in which nothing changes: alarms in no more than five standard errors above what is allowed. The
    baseline is an estimate and not the truth, for which there is more than that."""
    count = 12
    alarmed = sum(not drift.alarms(watched(results([0.2] * 4, 120, 100 + seed))).empty for seed in range(count))
    allowed = 2 * LIMITS.false_alarm
    assert alarmed / count <= allowed + 5 * (allowed * (1 - allowed) / count) ** 0.5


def test_shares_by_month_with_their_exact_interval() -> None:
    (one,) = drift.series(results([0.2], 59, 3))
    found = drift.monthly(one)
    assert found["month"].tolist() == ["2022-01", "2022-02", "2022-03"]
    assert found["results"].sum() == 59
    for row in found.itertuples():
        assert row.share == row.hits / row.results
        assert (row.low, row.high) == pytest.approx(proportion_confint(row.hits, row.results, method="beta"), abs=1e-9)


def test_the_negative_share_of_hep2() -> None:
    frame = results([0.0], 8, 4, analyte="ANA_HEP2", assay="hep2_iif", category="")
    frame["pattern"] = ["NEG"] * 6 + ["NUCLEAR", "CYTO_COMPAT"]
    (one,) = drift.series(frame)
    assert (one.name, one.counted) == ("HEp-2 hep2_iif", "negative")
    assert drift.monthly(one)["hits"].tolist() == [6]


def test_of_too_few_results_nothing_is_said() -> None:
    (one,) = drift.series(results([0.2], LIMITS.least, 5))
    assert drift.watched(one, LIMITS) is None
    (one,) = drift.series(results([0.2], 4 * LIMITS.least, 5))
    assert drift.watched(one, LIMITS) is not None


def test_a_baseline_without_a_hit_is_watched_all_the_same() -> None:
    found = watched(results([0.0, 0.0, 0.0, 0.6], 150, 6))
    assert found.expected == drift.RARE
    assert drift.alarms(found)["lot"].iloc[0] == "L3"


def test_by_lot() -> None:
    found = drift.by_lot(results([0.0, 1.0], 10, 7))
    assert found[["lot", "results", "positive", "share"]].values.tolist() == [["L0", 10, 0, 0.0], ["L1", 10, 10, 1.0]]


def test_each_sum_says_whether_it_raised_an_alarm_and_of_which_assay() -> None:
    """What `labbridge report drift --mark` tells the service: quiet series too, so that an alarm can end."""
    rising = drift.alarmed(watched(results([0.05, 0.05, 0.25, 0.05], 300, 1)))
    quiet = drift.alarmed(watched(results([0.2] * 4, 120, 103)))
    for found in (rising, quiet):
        assert [statistic for *_about, statistic, _alarm in found] == ["positive_rising", "positive_falling"]
        assert len({tuple(about) for *about, _statistic, _alarm in found}) == 1
    assert rising[0][-1] is True
    assert [alarm for *_about, alarm in quiet] == [False, False]
