"""`labbridge import`: files of earlier results into a study store, and from there into the history of the live store."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labbridge import pipeline
from labbridge.archived import at_once
from labbridge.config import Config
from labbridge.errors import Refused
from labbridge.feed_settings import feed_of
from labbridge.model.work import Arrival, AuditEvent, Feed
from labbridge.normalise import Normaliser
from labbridge.processing import SystemClock, reader_of
from labbridge.replaying import settings_of
from labbridge.rows import archive
from labbridge.show import table
from labbridge.sources import load
from labbridge.store import journal, opening
from labbridge.store.units import LocalUnits
from labbridge.store.work import StoreWork
from labbridge.store.writer import Writer

if TYPE_CHECKING:
    from labbridge.analysis.study import Placed, Study

NEEDED = ("matplotlib", "openpyxl", "pandas", "pyarrow", "scipy")
PEER, ACTOR = "archive", "import"
KEPT_AT_ONCE = 512
LISTED = 60

Told = Callable[[str, int, int], None]


def check_installed() -> None:
    """Refused where what the archive needs is not installed."""
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        raise Refused(f"{', '.join(lacking)}: not installed; the archive needs it: pip install 'labbridge[analysis]'")


def into_study(
    paths: Sequence[Path], folder: Path, config: Config, *, feed: str, columns: Path | None, rows: int, told: Told
) -> dict[str, Any]:
    """Import files into the study of a folder, which is made where there is none; what it holds now, in figures."""
    from labbridge.analysis import importing
    from labbridge.analysis.columns import read
    from labbridge.analysis.study import Settings, Study, summary

    export = read(columns)
    read_as = _feed(config, feed)
    authority = export.authority or (export.sender or read_as.sender).partition("|")[2] or config.facility
    study = Study.create(folder, Settings(feed=read_as, authority=authority))
    if paths:
        normalise = Normaliser(load(config.knowledge.site))
        for _about in importing.import_files(paths, study, export, normalise, rows=rows, told=told):
            pass
    return summary(study.pieces())


def _feed(config: Config, name: str) -> Feed:
    """The feed whose rows they are: the only one that there is, without a name; without any, one that settles nothing."""
    if name:
        if name not in config.feeds:
            raise Refused(f"There is no feed {name}; there are {', '.join(config.feeds) or 'none'}")
        return feed_of(name, config.feeds[name])
    if len(config.feeds) == 1:
        return next(feed_of(only, section) for only, section in config.feeds.items())
    if config.feeds:
        raise Refused(f"As which feed are these to be read? --feed {' or '.join(config.feeds)}")
    return Feed(name=PEER, second_identifier="where_sent")


# ---------------------------------------------------------------- the history of the live store


def into_store(folder: Path, config: Config, told: Told) -> dict[str, int]:
    """Keep what a study holds as messages of its feed and process them: results are held, and no case opens. What was kept
    before is known again. StoreRefused while the service runs: this is for the time before go-live."""
    from labbridge.analysis.study import BUCKETS, Study

    study = Study.open(folder)
    if study.settings.feed.name not in config.feeds:
        raise Refused(f"There is no feed {study.settings.feed.name} that the rows of this study could be of")
    counts = {"messages": 0, "kept": 0, "known": 0}
    with opening.held(config.store.url, alone=True) as store, closing(Writer(store.writer())) as writer:
        for bucket in range(BUCKETS):
            for some in _together(_arrivals(study, bucket)):
                receipts = writer.submit(partial(journal.keep_all, wanted=some)).result()
                counts["messages"] += len(receipts)
                counts["known"] += sum(one.duplicate for one in receipts)
            told(f"bucket {bucket + 1} of {BUCKETS}", counts["messages"], bucket + 1)
        _process(config, writer, told)
    counts["kept"] = counts["messages"] - counts["known"]
    return counts


def _process(config: Config, writer: Writer, told: Told) -> None:
    reader, clock, done = reader_of(settings_of(config)), SystemClock(), 0
    with closing(opening.reader(config.store.url)) as rows:
        work = StoreWork(rows, LocalUnits(writer))
        while count := pipeline.run_once(work, reader, clock):
            done += count
            told("processing", done, 0)
        work.leave()


def _arrivals(study: Study, bucket: int) -> Iterator[tuple[Arrival, AuditEvent]]:
    """The messages of a bucket. Those of one file are the same bytes at every import, whatever other files there are."""
    now = SystemClock().now()
    feed, audit = study.settings.feed, AuditEvent(at=now, actor=ACTOR, action="received", subject="")
    for some in _of_files(study.bucket(bucket, repeated=True)):
        raw = _packed(some, study.settings.authority)
        digest = hashlib.sha256(raw)
        yield Arrival(
            raw=raw, feed=feed.name, peer=PEER, sender=some[0].row.sender or feed.sender,
            control_id=digest.hexdigest()[:32], message_type="archive", digest=digest.digest(), length=len(raw),
            lanes=(some[0].lane,), received=now,
        ), audit  # fmt: skip


def _of_files(placed: Iterator[Placed]) -> Iterator[list[Placed]]:
    """Rows of one patient, one file and one moment. The number of a row begins with its file."""
    by_file: dict[str, list[Placed]] = {}
    lane = ""
    for one in placed:
        if one.lane != lane:
            for some in by_file.values():
                yield from at_once(some)
            by_file, lane = {}, one.lane
        by_file.setdefault(one.row.number.partition(".")[0], []).append(one)
    for some in by_file.values():
        yield from at_once(some)


def _packed(some: Sequence[Placed], authority: str) -> bytes:
    if some[0].message:
        return archive.wrapped(some[0].message)
    return archive.packed([archive.owned(one.row, authority) for one in some])


def _together(wanted: Iterator[tuple[Arrival, AuditEvent]]) -> Iterator[list[tuple[Arrival, AuditEvent]]]:
    some = []
    for one in wanted:
        some.append(one)
        if len(some) == KEPT_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


# ---------------------------------------------------------------- on paper


def printed(found: dict[str, Any], format: str) -> str:
    """What a study holds, and column by column what of it was not understood."""
    if format == "json":
        return json.dumps(found, ensure_ascii=False)
    head = f"{found['rows']} rows of {found['files']} files"
    lines = [
        head if not found["aside"] else f"{head}, {found['aside']} of them without a patient or a time: kept aside"
    ]
    if found["unread"]:
        lines.append(f"{found['unread']} messages could not be read: kept aside")
    if "history" in found:
        lines.append("history: {kept} messages kept, {known} known before".format(**found["history"]))
    rows = [(one["column"], one["rows"], one["text"], one["why"]) for one in found["not_understood"]]
    if rows:
        lines.append(table(rows[:LISTED], ("column", "rows", "text", "not understood because")))
    if len(rows) > LISTED:
        lines.append(f"and {len(rows) - LISTED} more: --format json has them all")
    return "\n".join(lines)
