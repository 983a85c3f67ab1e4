"""`labbridge replay --archive`: some knowledge, and another beside it, over a study store, by as many processes as there are
processors or over a Dask cluster. The patients are gone through as those of the store are (past.py); nothing is sent."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec

from labbridge import wires
from labbridge.drafting import Reader
from labbridge.errors import Refused
from labbridge.hl7 import incoming
from labbridge.interpret import Interpreter
from labbridge.knowledge.documents import Source
from labbridge.model.replay import Sum, Told
from labbridge.model.report import Report
from labbridge.model.work import Case, Kept
from labbridge.normalise import Normaliser
from labbridge.past import Known, Past, differences
from labbridge.replaying import NICE, Batch, add, told_of
from labbridge.rows import archive
from labbridge.sources import understood
from labbridge.states import State

if TYPE_CHECKING:
    from labbridge.analysis.study import Placed, Study

BUCKETS = 64  # as many as there are partitions of the live store
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DASK = "Dask is not installed; install labbridge[dask]"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a process has to know: where the study is and where what comes of it goes, both knowledges as texts, and the
    language of the comments. `key` tells one replay from another."""

    study: str
    out: str
    before: list[Source]
    after: list[Source]
    language: str
    key: str


def replay(
    study: Path, out: Path, before: Sequence[Source], after: Sequence[Source], *,
    language: str = "en", processes: int = 0, scheduler: str = "",
) -> Iterator[Batch | Sum]:  # fmt: skip
    """Each bucket as it is done, last the sum; tables of both in `out` (analysis/replayed.py). What of this replay is there
    already is not done again. Refused where `out` holds another one."""
    from labbridge.analysis.study import Study

    pieces = Study.open(study).pieces()
    found = Sum(before=understood(before).version, after=understood(after).version)
    told = [found.before, found.after, language, *(f"{one.digest} {one.piece}" for one in pieces)]
    key = hashlib.sha256("\n".join(told).encode()).hexdigest()
    _claim(out, key)
    job = Job(
        study=str(study.resolve()), out=str(out.resolve()), before=list(before), after=list(after), language=language,
        key=key,
    )  # fmt: skip
    began = perf_counter()
    buckets = range(BUCKETS)
    for batch in _on_cluster(job, buckets, scheduler) if scheduler else _here(job, buckets, processes):
        add(found, batch)
        yield batch
    found.seconds = perf_counter() - began
    yield found


def _claim(out: Path, key: str) -> None:
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    mark = out / "replay.key"
    if not mark.exists():
        if any(out.iterdir()):
            raise Refused(f"{out}: this folder holds something else; name a new one")
        mark.write_text(key, encoding="ascii")
    elif mark.read_text(encoding="ascii") != key:
        raise Refused(f"{out}: this folder holds another replay; name a new one")


def _here(job: Job, buckets: Iterable[int], processes: int) -> Iterator[Batch]:
    count = processes or os.cpu_count() or 1
    if count == 1:
        yield from map(_Going(job), buckets)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(count, os.nice, (NICE,)) as pool:
        yield from pool.imap_unordered(_Going(job), buckets)


def _on_cluster(job: Job, buckets: Iterable[int], scheduler: str) -> Iterator[Batch]:
    """The same over a cluster whose workers have this version installed and see the folders under the same names."""
    try:
        from dask.distributed import Client, as_completed
    except ImportError as fault:
        raise Refused(DASK) from fault
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as fault:
        raise Refused(f"{scheduler}: no scheduler of Dask answers there") from fault
    with client:
        sent = client.scatter(job, broadcast=True)
        futures = [client.submit(go_through, sent, bucket, pure=False) for bucket in buckets]
        for future in as_completed(futures):
            yield future.result()


class _Going:
    """go_through with its job, to be handed to a pool."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __call__(self, bucket: int) -> Batch:
        return go_through(self._job, bucket)


# ---------------------------------------------------------------- one process


class _Worker(msgspec.Struct):
    key: str
    study: Study
    before: Reader
    after: Reader


_worker: list[_Worker] = []


def go_through(job: Job, bucket: int) -> Batch:
    """The patients of a bucket by both knowledges; their tables are written, and what they came to is given back."""
    from labbridge.analysis import replayed

    out = Path(job.out)
    kept = replayed.about(out, f"cases-{bucket:02}")
    if kept:
        return msgspec.json.decode(kept, type=Batch)
    worker = _worker_of(job)
    results: list[dict[str, Any]] = []
    cases: list[dict[str, Any]] = []
    sums = [_of_patient(lane, placed, worker, results, cases) for lane, placed in _patients(worker.study, bucket)]
    batch = _together(sums)
    replayed.write(out, f"results-{bucket:02}", results, replayed.RESULTS)
    about = msgspec.json.encode(msgspec.structs.replace(batch, told=[]))
    replayed.write(out, f"cases-{bucket:02}", cases, replayed.CASES, about)
    return batch


def _worker_of(job: Job) -> _Worker:
    from labbridge.analysis.study import Study

    if not _worker or _worker[0].key != job.key:
        study = Study.open(Path(job.study))
        before = _reader(job.before, job, study)
        after = before if job.before == job.after else _reader(job.after, job, study)
        _worker[:] = [_Worker(job.key, study, before, after)]
    return _worker[0]


def _reader(texts: Sequence[Source], job: Job, study: Study) -> Reader:
    knowledge, feed = understood(texts), study.settings.feed
    codes = frozenset(one.code for one in knowledge.terminology.comment)
    languages = {feed.name: job.language}
    return Reader(Normaliser(knowledge), Interpreter(knowledge), {feed.name: feed}, "", codes, languages)


def _patients(study: Study, bucket: int) -> Iterator[tuple[str, list[Placed]]]:
    for lane, placed in groupby(study.bucket(bucket), key=lambda one: one.lane):
        yield lane, list(placed)


def _of_patient(
    lane: str, placed: list[Placed], worker: _Worker, results: list[dict[str, Any]], cases: list[dict[str, Any]]
) -> Batch:
    from labbridge.analysis import replayed

    messages = list(messages_of(placed, worker.study))
    before = Past(Known())
    before.go_through_read(messages, worker.before)
    after = before
    if worker.after is not worker.before:
        after = Past(Known())
        after.go_through_read(messages, worker.after)
    feed, patient = worker.study.settings.feed.name, lane.removeprefix("p:")
    found = differences(before, after) if after is not before else []
    for one, usable in replayed.standing(after.held, worker.after.interpret.knowledge.policy):
        results.append(replayed.line(one, patient, feed, usable=usable))
    changed = {(one.lane, one.opened_day): one.changed for one in found}
    cases += [_case_row(before, after, key, changed) for key in _keys(before, after)]
    return Batch(
        patients=1, messages=len(messages), results=len(placed), cases=len(after.cases), parked=len(after.parked),
        patients_changed=bool(found), told=[told_of(one, {}) for one in found],
    )  # fmt: skip


def messages_of(placed: Sequence[Placed], study: Study) -> Iterator[tuple[Kept, Report]]:
    """The rows of a patient as messages: what came at one moment together, unless it says the same thing twice; a message
    of HL7 v2 as it stood."""
    feed, authority = study.settings.feed, study.settings.authority
    for key, some in enumerate(at_once(placed), 1):
        received = EPOCH + timedelta(microseconds=some[0].moment)
        if some[0].message:
            reports = incoming.read_reports(some[0].message, feed, wires.EPOCH)
            report = next(one for one in reports if one.lane == some[0].lane)
        else:
            report = archive.report([one.row for one in some], feed, authority)
        yield Kept(
            key=key, raw=b"", feed=feed.name, sender=report.sender, control_id="", lane=report.lane, received=received,
            state=State.KEPT,
        ), report  # fmt: skip


def at_once(placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Rows of a patient by the moment they came at; what says the same thing twice at one moment, one after the other."""
    some: list[Placed] = []
    said: set[tuple[str, ...]] = set()
    for one in placed:
        row = one.row
        same = (row.order, row.specimen_id if not row.order else "", row.system, row.code, row.name)
        if some and (one.moment != some[0].moment or one.message or some[0].message or same in said):
            yield some
            some, said = [], set()
        some.append(one)
        said.add(same)
    if some:
        yield some


Key = tuple[str, date]


def _keys(before: Past, after: Past) -> list[Key]:
    return sorted({(one.lane, one.opened_day) for past in (before, after) for one in past.cases})


def _case_row(before: Past, after: Past, key: Key, changed: dict[tuple[str, str], tuple[str, ...]]) -> dict[str, Any]:
    sides = [next((one for one in past.cases if (one.lane, one.opened_day) == key), None) for past in (before, after)]
    lane, day = key
    row: dict[str, Any] = {
        "patient": lane.removeprefix("p:"), "opened": day,
        "feed": next(one.feed for one in sides if one is not None),
        "changed": " ".join(changed.get((lane, day.isoformat()), ())),
    }  # fmt: skip
    for when, case in zip(("before", "after"), sides, strict=True):
        row.update(_side_row(when, case))
    return row


def _side_row(when: str, case: Case | None) -> dict[str, Any]:
    """A case as columns; all of them null where there is none."""
    if case is None:
        return {}
    outcome = case.outcome
    states = {name: getattr(outcome.states, name.upper()) for name in ("srp", "hmgcr", "hep2", "ck")}
    flags = sorted({one.code for one in outcome.flags})
    retests = sorted({f"{one.analyte}:{one.reason}" for one in outcome.retests})
    found = {**states, "flags": " ".join(flags), "retests": " ".join(retests), "hold": outcome.hold}
    found["comment"] = outcome.comment.comment_class if outcome.comment else ""
    return {f"{when}_{name}": value for name, value in found.items()}


def _together(batches: Sequence[Batch]) -> Batch:
    told: list[Told] = [one for batch in batches for one in batch.told]
    names = ("patients", "messages", "results", "cases", "parked", "patients_changed")
    return Batch(**{name: sum(getattr(batch, name) for batch in batches) for name in names}, told=told)
