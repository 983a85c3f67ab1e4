"""docs/reference/reports.md and its plots: every report, made of the synthetic archive that a seed gives."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from random import Random

import msgspec
import pandas as pd

from labbridge import archived
from labbridge.analysis import drift, importing, page, replayed, reports
from labbridge.analysis.columns import MEANS, Columns
from labbridge.analysis.page import Report
from labbridge.analysis.reports import Asked
from labbridge.analysis.study import Settings, Study, summary
from labbridge.model.retests import Yield
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.sources import load, read_all
from tests.bench import archive_made

ROWS, SEED = 30_000, 9
SHOWN = 12  # rows of a table
SITE = str(archive_made.SITE)
FEED = Feed(
    name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris", second_identifier="where_sent",
    cytoplasmic_reported_as="positive",
)  # fmt: skip
LOT = "D09"  # the one that the generator lets read higher
YIELDS = (
    Yield(
        rule="srp-strong-hep2-negative-ck-high@1",
        assay="euroline-16",
        band="POS_STRONG",
        confirmed=31,
        refuted=4,
        open=2,
    ),
    Yield(rule="srp-low@1", assay="euroline-16", band="POS_LOW", confirmed=6, refuted=37, equivocal=5, open=9),
    Yield(rule="hmgcr-strong@1", assay="quanta-flash-hmgcr", band="POS_STRONG", confirmed=18, refuted=1),
)
COMMANDS = {
    "retest-yield": "labbridge report retest-yield",
    "unmapped": "labbridge report unmapped --study study",
    "look-back": f"labbridge report look-back --replay out --lot {LOT}",
    "reconciliation": "labbridge report reconciliation --counts lis.csv",
}
INVENTED = {"retest-yield": "The ledger of this example is written by hand.",
            "reconciliation": "Counts drawn by a seed, with twelve planted gaps."}  # fmt: skip


@lru_cache(maxsize=1)
def made() -> dict[str, Report]:
    """The reports by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive_made.write(folder / "archive.csv", ROWS, SEED)
        study = Study.create(folder / "study", Settings(feed=FEED, authority="LABA"))
        normalise = Normaliser(load(SITE))
        files = [folder / "archive.csv"]
        list(importing.import_files(files, study, Columns(), normalise, rows=ROWS, told=lambda _n, _r, _d: None))
        texts = read_all(SITE)
        (folder / "out").mkdir()
        job = archived.Job(
            study=str(study.folder), out=str(folder / "out"), before=texts, after=texts, language="en", key="docs"
        )
        for bucket in range(archived.BUCKETS):
            archived.go_through(job, bucket)
        asked = Asked(rests_on=f"From a synthetic archive of {ROWS} results.", **_of(study, folder / "out"))
        asked = msgspec.structs.replace(asked, limits=drift.Limits.of(load(SITE).policy))
    return {name: reports.made(name, asked) for name in reports.REPORTS}


def _of(study: Study, out: Path) -> dict[str, object]:
    cases = replayed.frame(out, "cases", ["after_comment", "after_srp"])
    codes = pd.DataFrame(summary(study.pieces())["not_understood"])[["column", "text", "rows", "why"]]
    lis, received = _counts()
    return {
        "results": replayed.frame(out, "results", None),
        "cases": cases.rename(columns={"after_comment": "comment"}),
        "codes": codes.sort_values("rows", ascending=False, ignore_index=True),
        "yields": YIELDS,
        "lis": lis,
        "received": received,
        "lot": LOT,
    }


def _counts() -> tuple[pd.DataFrame, pd.DataFrame]:
    random, begin = Random(SEED), datetime(2026, 3, 1, tzinfo=UTC)
    hours = [begin + timedelta(hours=hour) for hour in range(24 * 14)]
    sent = pd.DataFrame([(feed, hour, random.randrange(5, 80)) for feed in ("cobas", "myolis") for hour in hours])
    sent.columns = pd.Index(["feed", "hour", "lis"])
    came = sent.rename(columns={"lis": "received"})
    gaps = random.sample(range(len(came)), 12)
    came.loc[gaps, "received"] -= [random.randint(1, 5) for _gap in gaps]
    return sent, came


def svg(name: str) -> str:
    """The plot of a report; of drift that of the assay whose lot reads higher."""
    found = made()[name].plots
    return next((one.svg for one in found if "euroline" in one.title), found[0].svg)


def reference() -> str:
    """The page."""
    lines = ["# Reports", "", "Printed from a synthetic archive (tests/bench/archive_made.py): nobody is in it.", ""]
    for name, report in made().items():
        command = COMMANDS.get(name, f"labbridge report {name} --replay out")
        lines += [f"## {report.title}", "", f"    {command} --out {name}.html", ""]
        for text in (*report.about, INVENTED.get(name, "")):
            lines += [text, ""] if text else []
        says = next((one.says for one in report.plots if one.svg == svg(name)), "")
        lines += [f"![{says}](../images/reports/{name}.svg)", ""]
        for title, heads, rows in page.text(report):
            lines += _table(title, heads, rows)
    return "\n".join(lines)


def _table(title: str, heads: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return [f"{title}: none.", ""]
    more = f" ({SHOWN} of {len(rows)} rows)" if len(rows) > SHOWN else ""
    body = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows[:SHOWN]]
    return [f"{title}{more}:", "", f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *body, ""]


def columns() -> str:
    """docs/reference/archive-columns.md."""
    lines = ["# Columns of an archive", ""]
    lines += [
        "A file for `labbridge import` has these columns, under these names or under those that `--columns FILE.toml`"
    ]
    lines += ["says. patient, collected, value, and code or name have to be there.", ""]
    lines += ["| column | means |", "|---|---|", *(f"| {name} | {means} |" for name, means in MEANS.items()), ""]
    return "\n".join(lines)


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/reports.md": reference,
    "docs/reference/archive-columns.md": columns,
    **{f"docs/images/reports/{name}.svg": partial(svg, name) for name in reports.REPORTS},
}
