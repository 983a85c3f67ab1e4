"""The offline checker (reliability.md 2.3): histories and the database in, violations out.

It reads JSON lines and SQL and nothing of labbridge: a fault of the product's own reading cannot hide here. Each check is a
function of the evidence; `CHECKS` names them, and tests/faults/test_faults_checker.py plants one violation of each.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import checker_out
from tests.faults.beside import Database
from tests.faults.evidence import Evidence, load

Found = Iterator[str]
CHAIN = 2**40  # of several nodes each has a chain of seals of its own, numbered from so many times its number on
RESULTS = {"plain": (0, 0), "serology": (3, 1)}  # of a message of this kind: the first of its patient, and a later one


@dataclass
class Verdict:
    """`violations` by check; `figures` what was counted; `exposures` messages in flight at the kills."""

    violations: dict[str, list[str]]
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return sum(map(len, self.violations.values()))

    def sentences(self) -> list[str]:
        return [f"{name}: {len(found)} ({', '.join(found[:3])})" for name, found in sorted(self.violations.items())]


# ---------------------------------------------------------------- the way in


def acked_but_lost(seen: Evidence) -> Found:
    """C1: a positive answer, and the message is not stored, or stored as refused."""
    for id in seen.positive:
        rows = seen.journal_by_id.get(id, [])
        if not any(row["digest"].hex() == seen.sent[id]["sha"] and row["state"] != "quarantined" for row in rows):
            yield id


def bytes_differ(seen: Evidence) -> Found:
    """C1b: what is stored is not what was sent under that id, or not what its digest says."""
    for row in seen.journal:
        if row["reason"] not in ("oversize", "not_hl7") and hashlib.sha256(row["raw"]).digest() != row["digest"]:
            yield f"M{row['id']}"


def phantom(seen: Evidence) -> Found:
    """C2: a row that nobody sent."""
    for row in seen.journal:
        if row["digest"].hex() not in seen.sent_shas and row["reason"] not in ("oversize", "not_hl7"):
            yield f"M{row['id']}"


def stored_twice(seen: Evidence) -> Found:
    """C3: two rows of one sender, control id and bytes."""
    for key, count in Counter((row["sender"], row["control_id"], row["digest"]) for row in seen.journal).items():
        if count > 1 and key[1]:
            yield key[1]


def waits_twice(seen: Evidence) -> Found:
    """C3c: two rows of work of one message and patient."""
    for (message, lane), count in Counter((row["message"], row["lane"]) for row in seen.work).items():
        if count > 1:
            yield f"M{message} {lane}"


def done_twice(seen: Evidence) -> Found:
    """C3d: processed more than once: a second line of the audit says so, or its results are there more often than it has."""
    ended = Counter(row["subject"] for row in seen.audit if row["action"] == "done")
    patients = Counter(f"M{row['message']}" for row in seen.work)
    again = {row["subject"] for row in seen.audit if row["action"] == "reprocessed"}
    yield from (key for key, count in ended.items() if count > max(1, patients[key]) and key not in again)
    by_sha = {one["sha"]: one for one in seen.sends if one["kind"] in RESULTS and one["pseq"] >= 0}
    kind = {row["id"]: by_sha.get(row["digest"].hex()) for row in seen.journal}
    for row in seen.results:
        sent = kind.get(row["message"])
        if sent is not None and row["count"] != RESULTS[sent["kind"]][sent["pseq"] > 0]:
            yield f"M{row['message']} has {row['count']} results"


def answered_differently(seen: Evidence) -> Found:
    """C3b: the same bytes again were answered with another class of code."""
    for id, codes in seen.codes.items():
        if len({code in ("AA", "CA") for code in codes}) > 1:
            yield id


def order_in(seen: Evidence) -> Found:
    """C4: received, or processed, in another order than its patient's messages were sent in."""
    for name, sequence in (("received", seen.received_order), ("processed", seen.processed_order)):
        last: dict[str, int] = {}
        for event in sequence:
            if event["pseq"] < last.get(event["pat"], -1):
                yield f"{name} {event['id']}"
            last[event["pat"]] = event["pseq"]


def refused_but_processed(seen: Evidence) -> Found:
    """C5: a negative answer, and the message was processed."""
    for id in seen.negative:
        if any(row["state"] != "quarantined" for row in seen.journal_by_id.get(id, [])):
            yield id


def refused_and_gone(seen: Evidence) -> Found:
    """C5b: a negative answer, and nothing in quarantine."""
    yield from (id for id in seen.negative if id not in seen.journal_by_id)


def another_message(seen: Evidence) -> Found:
    """C10: an answer that names another message than the one it answers."""
    yield from (f"{one['id']}<{one['msa2']}" for one in seen.replies if one["msa2"] != one["id"])


def left_waiting(seen: Evidence) -> Found:
    """C4b: at rest, and a message still waits to be processed although nothing of its lane is parked before it."""
    parked: set[str] = set()
    for row in seen.work:
        if row["state"] == "parked":
            parked.add(row["lane"])
        elif row["state"] == "kept" and row["lane"] not in parked:
            yield f"M{row['message']}"


def parked_for_nothing(seen: Evidence) -> Found:
    """C4d: parked as if it had stopped the worker, by kills that it had no part in."""
    yield from (f"M{row['message']}" for row in seen.work if row["state"] == "parked" and row["reason"] == "crashed")


def versions_in_order(seen: Evidence) -> Found:
    """C4e: a version of a case speaks of an older message than the version before it."""
    for before, after in itertools.pairwise(seen.drafts):
        if before["case"] == after["case"] and (after["subject_message"] or 0) < (before["subject_message"] or 0):
            yield f"C{after['case']}@{after['version']}"


def two_cases(seen: Evidence) -> Found:
    """C4c: a patient whose results all fall on one day has two cases: a message did not see the one before it."""
    for lane, count in Counter(row["lane"] for row in seen.cases).items():
        if count > 1:
            yield lane


# ---------------------------------------------------------------- the books


def books(seen: Evidence) -> Found:
    """C11: received = stored + quarantined + duplicate + oversize, each as the tables say."""
    tally = Counter[str]()
    for row in seen.tally:
        tally[row["name"]] += row["count"]
    refused = sum(row["state"] == "quarantined" for row in seen.journal)
    wanted = {
        "stored": (tally["stored"], len(seen.journal) - refused),
        "quarantined and oversize": (tally["quarantined"] + tally["oversize"], refused),
        "duplicate": (tally["duplicate"], sum(row["duplicates"] for row in seen.journal)),
    }
    yield from (
        f"{name}: {counted} counted, {there} there" for name, (counted, there) in wanted.items() if counted != there
    )
    if seen.metrics is not None:
        total = sum(tally[name] for name in ("stored", "quarantined", "oversize", "duplicate"))
        if seen.metrics != total:
            yield f"metrics say {seen.metrics} received, the tables {total}"


def answers_counted(seen: Evidence) -> Found:
    """C11b: more answers were given than messages received."""
    rows = len(seen.journal) + sum(row["duplicates"] for row in seen.journal)
    if len(seen.replies) > rows:
        yield f"{len(seen.replies)} answers, {rows} received"


def audited(seen: Evidence) -> Found:
    """C12: a gap in the audit, other lines than were sealed, or a state without its line in it."""
    ids = [row["id"] for row in seen.audit]
    if seen.numbered:
        yield from (f"line {one + 1} is missing" for one, after in itertools.pairwise(ids) if after != one + 1)
        if ids and ids[0] != 1:
            yield "it does not begin at 1"
    sealed = sum({row["id"] // CHAIN: row["entries"] for row in seen.seals}.values())
    if seen.seals and sealed != len(ids):
        yield f"{sealed} lines were sealed, {len(ids)} are there"
    lines = {(row["subject"], row["action"]) for row in seen.audit}
    for row in seen.journal:
        if not {(f"M{row['id']}", "received"), (f"M{row['id']}", "refused")} & lines:
            yield f"M{row['id']} came without a line"
    for row in seen.work:
        if row["state"] in ("done", "parked") and (f"M{row['message']}", row["state"]) not in lines:
            yield f"M{row['message']} is {row['state']} without a line"


def sound(seen: Evidence) -> Found:
    """The database itself: PRAGMA integrity_check."""
    if seen.integrity != "ok":
        yield seen.integrity


def recovery(seen: Evidence) -> Found:
    """C13: how long after a start the first message was accepted, at the 99th percentile."""
    times = sorted(seen.recovery_s)
    if times and times[min(len(times) - 1, int(len(times) * 0.99))] > seen.recovery_bound_s:
        yield f"{times[-1]:.1f} s"


CHECKS = {
    "C1": acked_but_lost,
    "C1b": bytes_differ,
    "C2": phantom,
    "C3": stored_twice,
    "C3b": answered_differently,
    "C3c": waits_twice,
    "C3d": done_twice,
    "C4": order_in,
    "C4b": left_waiting,
    "C4c": two_cases,
    "C4d": parked_for_nothing,
    "C4e": versions_in_order,
    "C5": refused_but_processed,
    "C5b": refused_and_gone,
    **checker_out.CHECKS,
    "C10": another_message,
    "C11": books,
    "C11b": answers_counted,
    "C12": audited,
    "integrity": sound,
    "C13": recovery,
}


def check(folder: Path, database: Database, *, without: Sequence[str] = (), recovery_bound_s: float = 60.0) -> Verdict:
    """Judge what an experiment left. `without`: checks whose rule the experiment itself breaks (a LIS that is away leaves
    comments waiting)."""
    return judge(load(folder, database, recovery_bound_s), without)


def judge(seen: Evidence, without: Sequence[str] = ()) -> Verdict:
    found = {name: list(look(seen)) for name, look in CHECKS.items() if name not in without}
    return Verdict({name: some for name, some in found.items() if some}, seen.figures())
