"""`labbridge replay`: another knowledge over the stored past, beside the one in force. What would change is told, patient by
patient and in sum; nothing is written and nothing is sent (clinical.md C12, R4)."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date
from functools import partial
from time import perf_counter
from typing import Any

import msgspec

from labbridge.config import Config
from labbridge.drafting import Reader
from labbridge.feed_settings import feed_of
from labbridge.knowledge.documents import Source
from labbridge.model.replay import Sum, Told
from labbridge.model.work import Case
from labbridge.past import Difference, Known, Past, Posted, differences
from labbridge.processing import Settings, reader_of
from labbridge.review import wordings
from labbridge.store import links, opening
from labbridge.store import past as stored
from labbridge.store.connection import Connection
from labbridge.store.past import Group

NICE = 10
AT_ONCE = 100  # patients that a process takes in one go


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What some patients came to, in one process."""

    patients: int
    messages: int
    results: int
    cases: int
    parked: int
    patients_changed: int
    told: list[Told]


def replay(
    config: Config,
    before: Sequence[Source],
    after: Sequence[Source],
    since: date | None,
    processes: int = 0,
    *,
    messages: frozenset[int] | None = None,
) -> Iterator[Told | Sum]:
    """Each case that would change, patients in the order of their first message; last the sum. Processes: as many as there
    are processors, without a number. `messages`: only the patients of whom one of these came."""
    settings = settings_of(config)
    found = Sum(before=reader_of(settings, before).interpret.knowledge.version, after="")
    found.after = reader_of(settings, after).interpret.knowledge.version
    began = perf_counter()
    with closing(opening.reader(settings.store)) as reader:
        groups = stored.patients(reader, since)
    if messages is not None:
        groups = [one for one in groups if not messages.isdisjoint(one.messages)]
    count = processes or os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with context.Pool(count, _begin, (settings, list(before), list(after))) as pool:
        for batch in pool.imap(_go_through, _in_parts(groups)):
            add(found, batch)
            yield from batch.told
    found.seconds = perf_counter() - began
    yield found


def settings_of(config: Config) -> Settings:
    """What a process has to know to read as the service does."""
    feeds = tuple(feed_of(name, section) for name, section in config.feeds.items())
    languages = {name: config.language_of(name) for name in config.feeds}
    store = opening.absolute(config.store.url)
    return Settings(store, config.knowledge.site, feeds, config.application, False, languages)


def _in_parts(groups: Sequence[Group]) -> Iterator[Sequence[Group]]:
    return (groups[start : start + AT_ONCE] for start in range(0, len(groups), AT_ONCE))


def add(found: Sum, batch: Batch) -> None:
    """Count what some patients came to."""
    for name in ("patients", "messages", "results", "cases", "parked", "patients_changed"):
        setattr(found, name, getattr(found, name) + getattr(batch, name))
    found.cases_changed += len(batch.told)
    for one in batch.told:
        _count(found.parts, one.changed)
        gone, come = (Counter(side.get("flags", ())) for side in (one.before, one.after))
        _count(found.flags, (f"+{name}" for name in (come - gone).elements()))
        _count(found.flags, (f"-{name}" for name in (gone - come).elements()))


def _count(counts: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        counts[name] = counts.get(name, 0) + 1


# ---------------------------------------------------------------- one process


class _Worker(msgspec.Struct, frozen=True):
    before: Reader
    after: Reader
    connection: Connection


_worker: list[_Worker] = []


def _begin(settings: Settings, before: list[Source], after: list[Source]) -> None:
    os.nice(NICE)  # messages go first
    connection = opening.reader(settings.store)
    _worker.append(_Worker(reader_of(settings, before), reader_of(settings, after), connection))


def _go_through(groups: Sequence[Group]) -> Batch:
    (worker,) = _worker
    messages = results = cases = parked = changed = 0
    told: list[Told] = []
    for group in groups:
        kept = list(stored.kept(worker.connection, group))
        known = known_of(worker.connection, group)
        pasts = Past(known), Past(known)
        for past, reader in zip(pasts, (worker.before, worker.after), strict=True):
            past.go_through(kept, reader)
        found = differences(*pasts)
        keys = stored.cases_of(worker.connection, group.lanes) if found else {}
        told += [told_of(one, keys) for one in found]
        messages, results = messages + len(kept), results + pasts[1].results
        cases, parked, changed = cases + len(pasts[1].cases), parked + len(pasts[1].parked), changed + bool(found)
    return Batch(
        patients=len(groups),
        messages=messages,
        results=results,
        cases=cases,
        parked=parked,
        patients_changed=changed,
        told=told,
    )


def known_of(connection: Connection, group: Group) -> Known:
    """What of a patient no knowledge changes."""
    posted = stored.posted(connection, group.lanes)
    return Known(
        verdicts=links.verdicts_of(connection, group.lanes),
        posted=tuple(Posted(lane, date.fromisoformat(day), comment) for lane, day, comment in posted),
        undone=stored.undone(connection, group.lanes),
        own_texts=partial(stored.own_texts, connection),
    )


def told_of(one: Difference, keys: dict[tuple[str, str], int]) -> Told:
    """A case that would change, by the key that it has in the store, if any."""
    key = keys.get((one.lane, one.opened_day))
    patient = f"{one.patient.authority}|{one.patient.id}" if one.patient else ""
    feed = next(case.feed for case in (one.before, one.after) if case is not None)
    return Told(
        case=f"C{key}" if key else "",
        feed=feed,
        lane=one.lane,
        patient=patient,
        changed=one.changed,
        before=side_of(one.before),
        after=side_of(one.after),
    )


def side_of(case: Case | None) -> dict[str, Any]:
    """A case as it is compared; empty where there is none."""
    if case is None:
        return {}
    outcome = case.outcome
    flags = [":".join(filter(None, (flag.code, flag.severity.value, flag.analyte))) for flag in outcome.flags]
    return {
        "states": msgspec.to_builtins(outcome.states),
        "flags": sorted(flags),
        "retests": [f"{one.analyte}:{'/'.join(one.families)}:{one.priority.value}" for one in outcome.retests],
        "comment": outcome.comment.comment_class if outcome.comment else None,
        "text": case.text,
        "hold": outcome.hold,
    }


# ---------------------------------------------------------------- on paper


def printed(one: Told | Sum, format: str) -> str:
    """A line of JSON, or lines for people."""
    if format == "json":
        kind = {"sum": msgspec.to_builtins(one)} if isinstance(one, Sum) else msgspec.to_builtins(one)
        return json.dumps(kind, ensure_ascii=False)
    return _sum(one) if isinstance(one, Sum) else _case(one)


def _case(one: Told) -> str:
    lines = [f"{one.case or 'a new case'}  {one.patient}  changes: {', '.join(one.changed)}"]
    for name in ("flags", "retests"):
        gone, come = (Counter(side.get(name, ())) for side in (one.before, one.after))
        lines += [f"  - {text}" for text in sorted((gone - come).elements())]
        lines += [f"  + {text}" for text in sorted((come - gone).elements())]
    classes = tuple(side.get("comment") or "none" for side in (one.before, one.after))
    if classes[0] != classes[1]:
        lines.append(f"  comment {classes[0]} becomes {classes[1]}")
    texts = tuple(str(side.get("text", "")) for side in (one.before, one.after))
    if texts[0] != texts[1]:
        lines.append(f"  text: {in_words(*texts)}")
    return "\n".join(lines)


MARKS = {"same": "{}", "deleted": "[-{}-]", "inserted": "{{+{}+}}"}


def in_words(before: str, after: str) -> str:
    """One text made of both: what goes in [-...-], what comes in {+...+}."""
    return " ".join(MARKS[one.kind].format(one.text) for one in wordings.differences(before, after))


def _sum(one: Sum) -> str:
    rate = one.results / one.seconds if one.seconds else 0.0
    lines = [
        f"{one.patients} patients, {one.messages} messages, {one.results} results: {rate:.0f} results a second, each twice",
        f"in force {one.before}, beside it {one.after}",
        f"{one.patients_changed} patients and {one.cases_changed} of {one.cases} cases would change",
    ]
    lines += [f"  {name} of {count} cases" for name, count in sorted(one.parts.items())]
    lines += [f"  {name} {count} times" for name, count in sorted(one.flags.items())]
    if one.parked:
        lines.append(f"{one.parked} messages wait for a person and were left out")
    return "\n".join([*lines, "nothing was written, and nothing sent"])
