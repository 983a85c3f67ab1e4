"""What an experiment left, read from its files: the histories of every part and the tables of the database."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tests.faults import beside, journal
from tests.faults.beside import Database, Row
from tests.faults.journal import Event

TABLES = {
    "journal": "SELECT id, sender, control_id, digest, received, state, reason, duplicates, raw FROM journal ORDER BY id",
    "work": "SELECT id, message, lane, state, reason, attempts FROM work ORDER BY id",
    "results": "SELECT message, lane, count(*) AS count FROM results WHERE kind = 'result' GROUP BY message, lane",
    "cases": "SELECT id, lane, version, state FROM cases ORDER BY id",
    "drafts": 'SELECT "case", version, subject_message, text, created FROM drafts ORDER BY "case", version',
    "outbox": 'SELECT id, "case", version, receiver, lane, control_id, raw, state, attempts, expires, updated FROM outbox'
    " ORDER BY id",
    "audit": "SELECT id, at, actor, action, subject, detail FROM audit ORDER BY id",
    "seals": "SELECT * FROM seals ORDER BY id",
    "tally": "SELECT name, labels, count FROM tally",
}
REFUSALS = {"AE", "AR", "CE", "CR"}
RECEIVED = re.compile(r"^labbridge_messages_received_total\{.*\} ([0-9.e+]+)$", re.MULTILINE)


@dataclass
class Evidence:
    """Events in the order of their time, rows in the order of their number. `numbered`: the numbers of rows have no gap
    (those of a server have one for each transaction that was undone). `metrics`: what the metrics page counted as received,
    where it was asked for."""

    senders: list[Event] = field(default_factory=list)
    lis: list[Event] = field(default_factory=list)
    nemesis: list[Event] = field(default_factory=list)
    signer: list[Event] = field(default_factory=list)
    faults: list[Event] = field(default_factory=list)
    journal: list[Row] = field(default_factory=list)
    work: list[Row] = field(default_factory=list)
    results: list[Row] = field(default_factory=list)
    cases: list[Row] = field(default_factory=list)
    drafts: list[Row] = field(default_factory=list)
    outbox: list[Row] = field(default_factory=list)
    audit: list[Row] = field(default_factory=list)
    seals: list[Row] = field(default_factory=list)
    tally: list[Row] = field(default_factory=list)
    numbered: bool = True
    integrity: str = "ok"
    metrics: int | None = None
    recovery_bound_s: float = 60.0

    # ---------------------------------------------------------------- the way in

    @cached_property
    def sends(self) -> list[Event]:
        return [one for one in self.senders if one["ev"] == "send"]

    @cached_property
    def replies(self) -> list[Event]:
        return [one for one in self.senders if one["ev"] == "reply"]

    @cached_property
    def sent(self) -> dict[str, Event]:
        """The last send of each control id."""
        return {one["id"]: one for one in self.sends}

    @cached_property
    def sent_shas(self) -> set[str]:
        return {one["sha"] for one in self.sends}

    @cached_property
    def codes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for one in self.replies:
            if one["msa2"] == one["id"]:
                found[one["id"]].append(one["code"])
        return found

    @cached_property
    def positive(self) -> list[str]:
        return [id for id, codes in self.codes.items() if "AA" in codes or "CA" in codes]

    @property
    def accepted(self) -> set[str]:
        return set(self.positive)

    @property
    def current(self) -> dict[str, str]:
        """The newest text of each lane with a case."""
        texts = {(row["case"], row["version"]): row["text"] for row in self.drafts}
        return {row["lane"]: texts.get((row["id"], row["version"]), "") for row in self.cases}

    @cached_property
    def negative(self) -> list[str]:
        """Refused, by an answer that says so: one that was damaged on its way says nothing."""
        return [id for id, codes in self.codes.items() if set(codes) <= REFUSALS]

    @cached_property
    def journal_by_id(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.journal:
            found[row["control_id"]].append(row)
        return dict(found)

    @property
    def received_order(self) -> list[Event]:
        """The sends of patients' messages, in the order in which they were kept."""
        by_sha = {one["sha"]: one for one in self.sends if one["pseq"] >= 0}
        return [by_sha[row["digest"].hex()] for row in self.journal if row["digest"].hex() in by_sha]

    @property
    def processed_order(self) -> list[Event]:
        """The same, in the order in which they were processed for the first time."""
        by_sha = {one["sha"]: one for one in self.sends if one["pseq"] >= 0}
        by_key = {f"M{row['id']}": by_sha.get(row["digest"].hex()) for row in self.journal}
        done = dict.fromkeys(row["subject"] for row in self.audit if row["action"] == "done")
        return [found for key in done if (found := by_key.get(key)) is not None]

    # ---------------------------------------------------------------- kills and recovery

    @cached_property
    def kills(self) -> list[float]:
        """When a service was killed, or its database."""
        return [one["t"] for one in self.nemesis if one["ev"] in ("kill", "down")]

    @cached_property
    def in_flight(self) -> list[int]:
        """How many messages had left their sender and had no answer, at each kill."""
        changes = sorted([(one["t"], one["id"], True) for one in self.sends]
                         + [(one["t"], one["id"], False) for one in self.replies])  # fmt: skip
        found, at, open_now = [], 0, set()
        for moment in self.kills:
            while at < len(changes) and changes[at][0] <= moment:
                (open_now.add if changes[at][2] else open_now.discard)(changes[at][1])
                at += 1
            found.append(len(open_now))
        return found

    @cached_property
    def recovery_s(self) -> list[float]:
        """From each start to the first acceptance after it, where there was one before the next start."""
        accepted = [one["t"] for one in self.replies if one["code"] in ("AA", "CA")]
        starts = [one["t"] for one in self.nemesis if one["ev"] == "start"]
        found, at = [], 0
        for start, until in itertools.pairwise([*starts, float("inf")]):
            while at < len(accepted) and accepted[at] < start:
                at += 1
            if at < len(accepted) and accepted[at] < until:
                found.append(accepted[at] - start)
        return found

    def figures(self) -> dict[str, float]:
        flights = sorted(self.in_flight)
        return {
            "acked": len(self.positive),
            "stored": len(self.journal),
            "duplicates": sum(row["duplicates"] for row in self.journal),
            "kills": len(self.kills),
            "in_flight_p10": flights[len(flights) // 10] if flights else 0,
            "in_flight": sum(flights),
            "delivered": sum(row["state"] == "acknowledged" for row in self.outbox),
            "arrivals": sum(one["ev"] == "arrival" for one in self.lis),
            "recovery_p99_s": sorted(self.recovery_s)[int(len(self.recovery_s) * 0.99)] if self.recovery_s else 0,
        }


def load(folder: Path, database: Database, recovery_bound_s: float = 60.0) -> Evidence:
    """Read all of it. A sender's history is any that has a `send` in it; a LIS's any that has an `arrival`."""
    seen = Evidence(recovery_bound_s=recovery_bound_s, numbered=isinstance(database, Path))
    for path in sorted(folder.glob("*.jsonl")):
        events = journal.read(path)
        kinds = {one["ev"] for one in events}
        if path.name == "nemesis.jsonl":
            seen.nemesis = events
        elif path.name == "signer.jsonl":
            seen.signer = events
        elif "arrival" in kinds:
            seen.lis += events
        elif "send" in kinds:
            seen.senders += events
        else:
            seen.faults += events
    seen.senders.sort(key=lambda one: float(one["t"]))
    seen.lis.sort(key=lambda one: float(one["t"]))
    _tables(seen, database)
    page = folder / "metrics.txt"
    if page.is_file():
        seen.metrics = int(sum(float(one) for one in RECEIVED.findall(page.read_text())))
    return seen


def _tables(seen: Evidence, database: Database) -> None:
    for name, rows in beside.named(database, TABLES).items():
        setattr(seen, name, rows)
    seen.integrity = beside.soundness(database)
