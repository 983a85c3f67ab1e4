"""The reports by name: from tables of results, cases and counts to what is read of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import msgspec
import pandas as pd

from labbridge.analysis import agreement, drift, plots, reconciling, turnaround
from labbridge.analysis.page import Report, Table
from labbridge.model.retests import Yield


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a report is made from. `rests_on`: where the results are from, in a sentence; `days`: how far the specimens of
    a pair may lie apart; `limits`: those of the drift report; `lot`, `assay`, `since`: of a look-back. Tables that a report
    does not read are empty."""

    rests_on: str
    results: pd.DataFrame = msgspec.field(default_factory=pd.DataFrame)
    cases: pd.DataFrame = msgspec.field(default_factory=pd.DataFrame)
    stages: pd.DataFrame = msgspec.field(default_factory=pd.DataFrame)
    codes: pd.DataFrame = msgspec.field(default_factory=pd.DataFrame)
    yields: tuple[Yield, ...] = ()
    lis: pd.DataFrame = msgspec.field(default_factory=pd.DataFrame)
    received: pd.DataFrame = msgspec.field(default_factory=pd.DataFrame)
    days: int = 30
    limits: drift.Limits | None = None
    since: date | None = None
    lot: str = ""
    assay: str = ""


def concordance(asked: Asked) -> Report:
    pairs = agreement.pairs(asked.results, asked.days)
    table = agreement.concordance(pairs)
    lots = agreement.concordance(pairs[pairs["lot_second"] != ""], (*agreement.KEY, "lot_second"))
    names = [f"{row.analyte} {row.first} / {row.second} (n = {row.pairs})" for row in table.itertuples()]
    shares = table.rename(columns={"overall_agreement": "share", "opa_low": "low", "opa_high": "high"})
    says = "Overall agreement of each pair of assays with its exact 95 % interval."
    return Report(
        name="concordance",
        title="Concordance of methods",
        about=(
            "For the comparison that 42 CFR 493.1281(a) asks for twice a year where a laboratory tests by several methods.",
            f"Results of one patient whose specimens were taken within {asked.days} days are a pair, each once. Agreement "
            "is of the second assay with the first; equivocal results are counted beside. Intervals of shares are exact "
            "(Clopper and Pearson), those of kappa by its large-sample standard error.",
        ),
        rests_on=asked.rests_on,
        tables=(Table("By pair of assays", table), Table("By lot of the second assay", lots)),
        plots=(plots.forest(shares, names, "overall agreement", title="Agreement by pair of assays", says=says),)
        if len(table)
        else (),
    )


def discordance(asked: Asked) -> Report:
    table = agreement.discordance(agreement.pairs(asked.results, asked.days))
    names = [f"{row.analyte} {row.first} / {row.second}" for row in table.itertuples()]
    says = "Share of pairs of which one assay is positive and the other negative, with its exact 95 % interval."
    return Report(
        name="discordance",
        title="Discordance by pair of assays",
        about=(
            "first_only: the first assay is positive and the second negative. McNemar's exact test asks whether one of the "
            "two is positive more often than the other.",
        ),
        rests_on=asked.rests_on,
        tables=(Table("By pair of assays", table),),
        plots=(plots.forest(table, names, "share discordant", title="Discordant pairs", says=says),)
        if len(table)
        else (),
    )


def retest_yield(asked: Asked) -> Report:
    rows = [
        (one.rule, one.assay, one.band, one.closed, one.confirmed, one.refuted, one.equivocal,
         *agreement.share(one.confirmed, one.closed), one.open, one.cancelled)
        for one in asked.yields
    ]  # fmt: skip
    heads = [
        "rule",
        "assay",
        "signal",
        "closed",
        "confirmed",
        "refuted",
        "equivocal",
        "share",
        "low",
        "high",
        "open",
        "cancelled",
    ]
    table = pd.DataFrame(rows, columns=heads)
    closed = table[table["closed"] > 0]
    names = [f"{row.assay} {row.signal} (n = {row.closed})" for row in closed.itertuples()]
    says = "Share of closed retests that confirmed the first result, with its exact 95 % interval."
    return Report(
        name="retest-yield",
        title="What became of retests",
        about=("By the rule that recommended them, and the assay and signal of the result behind it.",),
        rests_on=asked.rests_on,
        tables=(Table("By rule, assay and signal", table),),
        plots=(plots.forest(closed, names, "share confirmed", title="Confirmed retests", says=says),)
        if len(closed)
        else (),
    )


def drifting(asked: Asked) -> Report:
    limits = asked.limits
    assert limits is not None
    found = drift.series(asked.results)
    months = [drift.monthly(one) for one in found]
    watched = [seen for one in found if (seen := drift.watched(one, limits)) is not None]
    told = [drift.alarms(one) for one in watched]
    alarms = pd.concat(told, ignore_index=True) if told else pd.DataFrame(columns=["series", "direction", "day"])
    table = pd.concat(months, ignore_index=True) if months else pd.DataFrame(columns=["series", "month"])
    says = "Share by month of collection with its exact 95 % interval."
    drawn = [plots.by_month(table, "share", title="Share by month", says=says)] if len(table) else []
    return Report(
        name="drift",
        title="Drift of positivity and of the HEp-2-negative share",
        about=(
            f"The first {limits.baseline:.0%} of the results of each series are the baseline, where they are at least "
            f"{limits.least}. Behind it two cumulative sums, one up and one down, look for odds that are {limits.odds:g} "
            "times as high or as low. The probability of any false alarm of a sum is computed exactly, over the whole "
            f"series and for the baseline as it is, and is at most {limits.false_alarm:.0%} (policy.yaml; validate locally)."
            " An alarm says that something changed: the kit, the lot, the reader or the patients.",
        ),
        rests_on=asked.rests_on,
        tables=(Table("Alarms", alarms), Table("By month", table), Table("By lot", drift.by_lot(asked.results))),
        plots=(*drawn, *map(plots.sums, watched)),
        alarms=tuple(one for seen in watched for one in drift.alarmed(seen)),
    )


def turnarounds(asked: Asked) -> Report:
    own = turnaround.by_stage(asked.results) if len(asked.results) else turnaround.stages(asked.stages)
    if len(asked.results) and len(asked.stages):
        own = pd.concat([own, turnaround.stages(asked.stages)], ignore_index=True)
    monthly = turnaround.by_stage(asked.results, monthly=True) if len(asked.results) else own.head(0)
    shown = own[own["results"] > 0]
    names = [f"{row.analyte} {row.stage}".strip() for row in shown.itertuples()]
    says = "Median, 90th and 95th percentile of the hours that each stage takes."
    return Report(
        name="turnaround",
        title="Turnaround by stage",
        about=(
            "low_h and high_h enclose the median with 95 % probability, whatever the distribution. `without` counts results "
            "of which a time is missing, or which end before they begin.",
        ),
        rests_on=asked.rests_on,
        tables=(Table("By stage", own), Table("By stage and month", monthly)),
        plots=(plots.spans(shown, names, title="Hours by stage", says=says),) if len(shown) else (),
    )


def unmapped(asked: Asked) -> Report:
    table = asked.codes
    top = table.head(20)
    names = [str(row.text or row.column) for row in top.itertuples()]
    says = "Rows by the code, unit or word that no table names, most often first."
    return Report(
        name="unmapped",
        title="Codes that no table names",
        about=("What may be ours holds its patients' cases until it is mapped: docs/how-to/map-a-code.md.",),
        rests_on=asked.rests_on,
        tables=(Table("Most often first", table),),
        plots=(plots.bars(names, top["rows"].tolist(), "rows", title="Not understood", says=says),) if len(top) else (),
    )


def comments(asked: Asked) -> Report:
    classes = asked.cases["comment"].fillna("").replace("", "none") if len(asked.cases) else pd.Series(dtype=str)
    counts = classes.value_counts().sort_index()
    rows = [(name, int(count), *agreement.share(int(count), len(classes))) for name, count in counts.items()]
    table = pd.DataFrame(rows, columns=["comment", "cases", "share", "low", "high"])
    says = "Cases by the class of the comment drafted for them."
    drawn = plots.bars(
        table["comment"].tolist(), table["cases"].tolist(), "cases", title="Comments by class", says=says
    )
    return Report(
        name="comments",
        title="Comments by class",
        about=("That of the newest draft (docs/reference/rules.md); none: the case has findings and no comment.",),
        rests_on=asked.rests_on,
        tables=(Table("By class", table),),
        plots=(drawn,) if len(table) else (),
    )


AFFECTED = "patient day analyte antigen assay lot category pattern number unit status usable laboratory".split()


def _affected(asked: Asked) -> pd.DataFrame:
    """The results since the day, of the assay and lot, where these are asked for; also those that cannot be used."""
    frame = asked.results
    if asked.since is not None:
        frame = frame[frame["day"] >= asked.since]
    if asked.assay:
        frame = frame[frame["assay"] == asked.assay]
    if asked.lot:
        frame = frame[[asked.lot in lots.split() for lots in frame["lot"]]]
    return frame.sort_values(["day", "patient"], kind="stable")[AFFECTED].reset_index(drop=True)


def look_back(asked: Asked) -> Report:
    """Every result of an assay or lot since a day, for the persons who decide what is to be told and tested again."""
    table = _affected(asked)
    graded = table.assign(said=table["category"].where(table["category"] != "", table["pattern"]))
    sums = (
        graded.groupby(["analyte", "assay", "lot", "said"], as_index=False).size().rename(columns={"size": "results"})
    )
    names = [f"{row.assay} {row.lot} {row.said}" for row in sums.itertuples()]
    says = "Results of the look-back by assay, lot and category."
    return Report(
        name="look-back",
        title="Look-back",
        about=(
            "For the corrective actions of 42 CFR 493.1282(b): every result since the day, of the assay or lot, that may "
            "have been affected.",
            f"{table['patient'].nunique()} patients, {len(table)} results.",
        ),
        rests_on=asked.rests_on,
        tables=(Table("Results", table), Table("Sums", sums)),
        plots=(plots.bars(names, sums["results"].tolist(), "results", title="Results", says=says),)
        if len(sums)
        else (),
        names_patients=True,
    )


def reconciliation(asked: Asked) -> Report:
    table = reconciling.reconciled(asked.lis, asked.received)
    sums = table.groupby("feed", as_index=False)[["missing", "more"]].sum()
    names = [str(row.feed) for row in sums.itertuples()]
    says = "Messages that the LIS counted and that did not come, by feed."
    return Report(
        name="reconciliation",
        title="Reconciliation with the LIS",
        about=(
            "Every hour in which the counts of the LIS and ours differ. Counts do not show one message lost and another "
            "doubled within the same hour.",
            f"{int(table['missing'].sum())} missing and {int(table['more'].sum())} more, in {len(table)} hours.",
        ),
        rests_on=asked.rests_on,
        tables=(Table("Hours that differ", table), Table("By feed", sums)),
        plots=(plots.bars(names, sums["missing"].tolist(), "missing", title="Missing", says=says),)
        if len(sums)
        else (),
    )


REPORTS: dict[str, Callable[[Asked], Report]] = {
    "concordance": concordance,
    "discordance": discordance,
    "retest-yield": retest_yield,
    "drift": drifting,
    "turnaround": turnarounds,
    "unmapped": unmapped,
    "comments": comments,
    "look-back": look_back,
    "reconciliation": reconciliation,
}


def made(name: str, asked: Asked) -> Report:
    """A report by name; KeyError for another one. A look-back alone is about results that cannot be used as well."""
    if name != "look-back" and len(asked.results):
        asked = msgspec.structs.replace(asked, results=asked.results[asked.results["usable"]])
    return REPORTS[name](asked)
