"""Whether an assay has become positive more or less often: shares by month, and cumulative sums over every result."""

from __future__ import annotations

from typing import Any

import msgspec
import pandas as pd

from labbridge.analysis import cusum
from labbridge.analysis.agreement import EQUIVOCAL, POSITIVE, share
from labbridge.knowledge.policy import Policy
from labbridge.model.result import Analyte, Hep2Class

KEYS = ["analyte", "antigen", "assay"]
RARE = 0.001  # in place of a share of 0 or 1 among the first


class Series(msgspec.Struct, frozen=True):
    """The results of one assay in the order of their days, and of each whether it is what is counted."""

    name: str
    counted: str
    frame: pd.DataFrame


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The policy's numbers of drift. `baseline`: the share of the results, the first ones, that the others are held against;
    `least`: results of a baseline, below which nothing is said; `odds`: the change that is looked for, as an odds ratio;
    `false_alarm`: the probability of one over the whole series that is allowed to each sum."""

    baseline: float
    least: int
    odds: float
    false_alarm: float

    @classmethod
    def of(cls, policy: Policy) -> Limits:
        return cls(
            baseline=float(policy.number("drift_baseline")) / 100,
            least=int(policy.number("drift_least")),
            odds=float(policy.number("drift_odds")),
            false_alarm=float(policy.number("drift_false_alarm")) / 100,
        )


class Watched(msgspec.Struct, frozen=True):
    """A series with its sums up and down behind the baseline. `expected` is the baseline's share."""

    series: Series
    expected: float
    first: int
    rising: cusum.Chart
    falling: cusum.Chart
    up: cusum.Course
    down: cusum.Course


def series(results: pd.DataFrame) -> list[Series]:
    """Positivity by antibody and assay, and the share of HEp-2 screens that are negative."""
    ordered = results.sort_values(["day", "received", "result"], kind="stable")
    graded = ordered[(ordered["category"] != "") & (ordered["category"] != EQUIVOCAL)]
    found = [
        Series(_named(key), "positive", group.assign(hit=group["category"].isin(POSITIVE)))
        for key, group in graded.groupby(KEYS, sort=True)
    ]
    hep2 = ordered[(ordered["analyte"] == Analyte.HEP2.value) & (ordered["pattern"] != "")]
    found += [
        Series(f"HEp-2 {_named(key)}", "negative", group.assign(hit=group["pattern"] == Hep2Class.NEG.value))
        for key, group in hep2.groupby("assay", sort=True)
    ]
    return found


def _named(key: object) -> str:
    return " ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)


def monthly(one: Series) -> pd.DataFrame:
    """Results, hits, their share and its exact 95 % interval, by month of collection."""
    months = pd.to_datetime(one.frame["day"]).dt.strftime("%Y-%m")
    counts = one.frame.assign(month=months).groupby("month")["hit"].agg(["size", "sum"])
    rows = [
        (one.name, one.counted, month, int(n), int(x), *share(int(x), int(n))) for month, n, x in counts.itertuples()
    ]
    return pd.DataFrame(rows, columns=["series", "counted", "month", "results", "hits", "share", "low", "high"])


def watched(one: Series, limits: Limits) -> Watched | None:
    """The sums of a series against its own beginning; None where that holds too few results."""
    first = int(len(one.frame) * limits.baseline)
    if first < limits.least:
        return None
    hits = one.frame["hit"].astype(int).tolist()
    expected = min(max(sum(hits[:first]) / first, RARE), 1 - RARE)
    rest = hits[first:]
    rising, falling = (
        cusum.binomial(expected, _shifted(expected, odds), len(rest), limits.false_alarm)
        for odds in (limits.odds, 1 / limits.odds)
    )
    up, down = (cusum.course(cusum.blocks(rest, chart), chart) for chart in (rising, falling))
    return Watched(one, expected, first, rising, falling, up, down)


def _shifted(share_of: float, odds: float) -> float:
    changed = share_of / (1 - share_of) * odds
    return changed / (1 + changed)


def alarms(found: Watched) -> pd.DataFrame:
    """Every alarm: the day, which way, and the lot of the result that raised it."""
    frame, rows = found.series.frame, list[tuple[Any, ...]]()
    for way, chart, its in (("rising", found.rising, found.up), ("falling", found.falling, found.down)):
        for step in its.alarms:
            row = frame.iloc[found.first + (step + 1) * chart.block - 1]
            about = (found.series.name, found.series.counted, way, row["day"], row["lot"])
            rows.append((*about, chart.limit, chart.false_alarm))
    columns = ["series", "counted", "direction", "day", "lot", "limit", "false_alarm"]
    return pd.DataFrame(rows, columns=columns).sort_values("day", kind="stable", ignore_index=True)


def alarmed(found: Watched) -> list[tuple[str, str, str, str, bool]]:
    """Analyte, antigen, method and statistic of each sum, and whether it raised an alarm."""
    first = found.series.frame.iloc[0]
    about = (str(first["analyte"]), str(first.get("antigen", "")), str(first["assay"]))
    ways = (("rising", found.up), ("falling", found.down))
    return [(*about, f"{found.series.counted}_{way}", bool(course.alarms)) for way, course in ways]


def by_lot(results: pd.DataFrame) -> pd.DataFrame:
    """Positivity by assay and lot, where lots were sent."""
    graded = results[(results["category"] != "") & (results["category"] != EQUIVOCAL) & (results["lot"] != "")]
    graded = graded.assign(hit=graded["category"].isin(POSITIVE))
    keys = ["analyte", "antigen", "assay", "lot"]
    counts = graded.groupby(keys)["hit"].agg(["size", "sum"])
    rows = [(*key, int(n), int(x), *share(int(x), int(n))) for key, n, x in counts.itertuples()]
    return pd.DataFrame(rows, columns=[*keys, "results", "positive", "share", "low", "high"])
