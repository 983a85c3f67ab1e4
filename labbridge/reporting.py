"""`labbridge report`: what a report is made from is fetched, from the live store or from a replay over an archive; then it
is made and written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from labbridge.config import Config
from labbridge.errors import Refused
from labbridge.knowledge.policy import Policy
from labbridge.show import table
from labbridge.sources import load
from labbridge.store import opening, reported, retests
from labbridge.store.connection import Connection

if TYPE_CHECKING:
    from labbridge.analysis.page import Report
    from labbridge.analysis.reports import Asked

NAMES = (
    "concordance", "discordance", "retest-yield", "drift", "turnaround", "unmapped", "comments", "look-back",
    "reconciliation",
)  # fmt: skip
OF_STORE = ("retest-yield", "reconciliation")
RESULTS = ("concordance", "discordance", "drift", "turnaround", "look-back")
TERMINAL_ROWS = 40


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a report. `since` and `until` are days of collection (of receipt for reconciliation), both included;
    `replayed` and `study` are folders of an archive, in the place of the live store."""

    name: str
    since: date | None = None
    until: date | None = None
    replayed: Path | None = None
    study: Path | None = None
    counts: Path | None = None
    assay: str = ""
    lot: str = ""


def report(wanted: Wanted, config: Config) -> Report:
    """The report. Refused where what it is made from is not there, with what would be."""
    from labbridge.analysis import drift, reports

    policy = load(config.knowledge.site).policy
    asked = reports.Asked(
        rests_on=_rests_on(wanted),
        days=policy.days("aggregation_window_d"),
        limits=drift.Limits.of(policy),
        since=wanted.since,
        lot=wanted.lot,
        assay=wanted.assay,
    )
    if wanted.name == "look-back" and not (wanted.since or wanted.lot):
        raise Refused("Since when, or of which lot? --from DAY, --lot LOT")
    of_archive = wanted.replayed is not None or wanted.study is not None
    if of_archive and wanted.name in OF_STORE:
        raise Refused(f"{wanted.name} is about the live store: leave --replay and --study out")
    if of_archive:
        return reports.made(wanted.name, _of_archive(wanted, asked))
    if not opening.present(config.store.url):
        raise Refused(f"{config.store.named}: there is no store yet; --replay FOLDER reports on an archive")
    with closing(opening.reader(config.store.url)) as rows:
        return reports.made(wanted.name, _of_store(wanted, asked, rows, config, policy=policy))


def _rests_on(wanted: Wanted) -> str:
    where = "the live store" if wanted.replayed is None and wanted.study is None else "a replayed archive"
    if wanted.replayed is None and wanted.study is not None:
        where = "an archive"
    days = (
        f", from {wanted.since or 'the beginning'} to {wanted.until or 'the end'}"
        if wanted.since or wanted.until
        else ""
    )
    return f"From {where}{days}."


# ---------------------------------------------------------------- an archive


def _of_archive(wanted: Wanted, asked: Asked) -> Asked:
    import pandas as pd

    from labbridge.analysis import replayed
    from labbridge.analysis.study import Study, summary

    if wanted.name == "unmapped":
        if wanted.study is None:
            raise Refused("Which codes no table names is known of the study: --study FOLDER")
        found = summary(Study.open(wanted.study).pieces())["not_understood"]
        codes = pd.DataFrame(found, columns=["column", "text", "rows", "why"])
        return msgspec.structs.replace(asked, codes=codes.sort_values("rows", ascending=False, ignore_index=True))
    if wanted.replayed is None:
        raise Refused("Results are understood by a replay: `labbridge replay --archive`, then --replay FOLDER")
    if wanted.name == "comments":
        cases = replayed.frame(wanted.replayed, "cases", ["opened", "feed", "after_comment", "after_srp"])
        cases = cases[cases["after_srp"].notna()].rename(columns={"after_comment": "comment"})
        return msgspec.structs.replace(asked, cases=_between(cases, "opened", wanted))
    results = replayed.frame(wanted.replayed, "results", None)
    return msgspec.structs.replace(asked, results=_between(results, "day", wanted))


def _between(frame: Any, column: str, wanted: Wanted) -> Any:
    if wanted.since is not None:
        frame = frame[frame[column] >= wanted.since]
    return frame[frame[column] <= wanted.until] if wanted.until is not None else frame


# ---------------------------------------------------------------- the live store


def _of_store(wanted: Wanted, asked: Asked, rows: Connection, config: Config, *, policy: Policy) -> Asked:
    replace, name = msgspec.structs.replace, wanted.name
    if name == "retest-yield":
        return replace(asked, yields=tuple(retests.yields(rows, None)))
    if name == "reconciliation":
        return _counts(wanted, asked, rows, config)
    if name == "unmapped":
        return replace(asked, codes=_codes(rows))
    if name == "comments":
        return replace(asked, cases=_cases(wanted, rows))
    if name == "turnaround":
        asked = replace(asked, stages=_stages(wanted, rows))
    frame, damaged = _results(rows, policy)
    if damaged:
        said = f"{damaged} results are no longer what was written, and were left out."
        asked = replace(asked, rests_on=f"{asked.rests_on} {said}")
    return replace(asked, results=_between(frame, "day", wanted))


def _results(rows: Connection, policy: Policy) -> tuple[Any, int]:
    """Every result that is held, and how many are damaged."""
    from labbridge.analysis import replayed

    damaged: list[int] = []
    frame = replayed.of_lines(_lines(rows, policy, damaged))
    return frame, sum(damaged)


def _lines(rows: Connection, policy: Policy, damaged: list[int]) -> Iterator[dict[str, Any]]:
    from labbridge.analysis import replayed

    for held in reported.results(rows):
        damaged.append(held.damaged)
        feeds = {one.ref: feed for feed, one in held.results}
        for one, usable in replayed.standing([one for _feed, one in held.results], policy):
            yield replayed.line(one, held.lane.removeprefix("p:"), feeds[one.ref], usable=usable)


def _cases(wanted: Wanted, rows: Connection) -> Any:
    import pandas as pd

    found = [
        (day, feed, outcome.comment.comment_class if outcome.comment else "")
        for day, feed, outcome in reported.cases(rows, wanted.since, wanted.until)
    ]
    return pd.DataFrame(found, columns=["opened", "feed", "comment"])


def _stages(wanted: Wanted, rows: Connection) -> Any:
    import pandas as pd

    frame = pd.DataFrame(reported.stages(rows, wanted.since, wanted.until), columns=["stage", "began", "ended"])
    began, ended = (pd.to_datetime(frame[name], utc=True, format="ISO8601") for name in ("began", "ended"))
    return frame.assign(hours=(ended - began).dt.total_seconds() / 3600)[["stage", "hours"]]


def _codes(rows: Connection) -> Any:
    import pandas as pd

    names = ["feed", "system", "code", "label", "name", "unit", "may_be", "rows"]
    frame = pd.DataFrame(reported.unmapped(rows), columns=names)
    return frame.assign(text=frame["code"].where(frame["code"] != "", frame["label"]), column="code")


def _counts(wanted: Wanted, asked: Asked, rows: Connection, config: Config) -> Asked:
    import pandas as pd

    from labbridge.analysis import reconciling

    if wanted.counts is None:
        raise Refused("Held against what? --counts FILE of the LIS, with the columns feed, hour and count")
    zones = {name: section.timezone for name, section in config.feeds.items()}
    lis = reconciling.counts(wanted.counts, zones)
    found = reported.received(rows, wanted.since, wanted.until)
    ours = pd.DataFrame(found, columns=["feed", "hour", "received"])
    hours = pd.to_datetime(ours["hour"], utc=True, format="%Y-%m-%dT%H")
    return msgspec.structs.replace(asked, lis=_on_days(lis, wanted), received=ours.assign(hour=hours))


def _on_days(lis: Any, wanted: Wanted) -> Any:
    days = lis["hour"].dt.date
    if wanted.since is not None:
        lis = lis[days >= wanted.since]
    return lis[lis["hour"].dt.date <= wanted.until] if wanted.until is not None else lis


# ---------------------------------------------------------------- on paper


def printed(found: Report, format: str) -> str:
    """The tables of a report for a terminal; the first one as JSON."""
    from labbridge.analysis import page

    if format == "json":
        first = found.tables[0]
        return json.dumps({"report": found.name, "rows": page.records(first.frame)}, ensure_ascii=False)
    lines = [found.title, found.rests_on]
    for title, heads, rows in page.text(found):
        shown = [tuple(row) for row in rows[:TERMINAL_ROWS]]
        lines += ["", title, table(shown, tuple(heads)) if shown else "none"]
        if len(rows) > TERMINAL_ROWS:
            lines.append("and more: --out FILE has them all")
    return "\n".join(lines)


def write(found: Report, path: Path) -> None:
    """Write it as HTML, CSV or Parquet, as the end of the file's name says."""
    from labbridge.analysis import page

    page.write(found, path)
