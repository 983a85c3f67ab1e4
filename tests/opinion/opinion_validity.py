"""C1 with C10.11-C10.14 and C10.35: which version of each result counts, and which results are no result at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from typing import Any

from opinion_categories import FAMILY, text_grade
from opinion_record import Case, Line, Problem, Row, Standing, days, plain_name

KINDS: dict[str, str] = {  # C1.1; B and V are usable by C10.35
    **dict.fromkeys(["F", "C", "U", "A", "B", "V", "final", "amended", "corrected"], "usable"),
    **dict.fromkeys(["P", "R", "S", "I", "preliminary", "registered"], "pending"),
    **dict.fromkeys(["X", "N", "O", "cancelled"], "cancelled"),
    **dict.fromkeys(["D", "W", "entered-in-error"], "withdrawn"),
}
CORRECTIONS = {"C", "A", "corrected", "amended"}  # C1.2
SAME_STATUS = {"final": "F", "corrected": "C", "amended": "A"}
RANK = {"pending": 0, "usable": 1, "corrected": 2, "unknown": 3, "cancelled": 4, "withdrawn": 5}  # C10.12
PENDING_DAYS = 21  # C10.13
INTERPRETED = {"SRP", "HMGCR", "ANA_HEP2", "CK"}  # C10.13: only their preliminary values hold
PLASMA_ALLOWED = {"CK", "CREAT"}  # C1.3
UNSTATED = {"", "unknown", "blood", "serum", "serum/plasma", "plasma"}  # C10.11
ASSOCIATED = {"ro52", "ro60", "ssa", "ssb", "ku", "pmscl", "u1rnp", "cn1a"}  # C10.24: not MSA
ANA_WORDS = re.compile(r"\b(ANA|AAN|ANF|antinuclear|HEp-?2)\b", re.IGNORECASE)


def kind(line: Line) -> str:
    return KINDS.get(line.status, "unknown")


def fraction(sent: Any) -> Fraction | None:
    return None if sent is None or sent == "" else Fraction(str(sent))


def as_line(row: Row) -> Line:
    analyte, _, antigen = str(row["analyte"]).partition(":")
    texts = {
        name: str(row.get(name) or "")
        for name in ("filler", "method", "manufacturer", "value", "unit", "titre", "pattern", "note", "reason")
    }
    return Line(
        analyte=analyte,
        antigen=antigen,
        specimen=str(row.get("specimen") or ""),
        status=str(row.get("status") or ""),
        cutoff=fraction(row.get("cutoff")),
        ref_low=fraction(row.get("ref_low")),
        ref_high=fraction(row.get("ref_high")),
        collected=date.fromisoformat(str(row["collected"])),
        received=date.fromisoformat(str(row["received"])),
        **texts,
    )


def identity(line: Line) -> tuple[str, ...]:
    """C10.12: filler + analyte + method; without filler the specimen and the collection stand in for it."""
    own = (line.filler,) if line.filler else (line.specimen, line.collected.isoformat())
    return (*own, line.analyte, line.antigen, line.method)


def order_of_versions(line: Line) -> tuple[date, int, str]:
    """C10.12: result time, then rank, then value, so that the order of arrival never matters (P7)."""
    rank = "corrected" if line.status in CORRECTIONS else kind(line)
    return (line.received, RANK[rank], line.value)


@dataclass
class Thread:
    """The versions of one result, folded one after another (C1.2, C10.12)."""

    state: str = "none"
    current: Line | None = None  # the version that stands, or stood before a doubt about it
    last: Line | None = None
    corrected: bool = False
    withdrawn: bool = False
    duplicate: bool = False

    def fold(self, line: Line) -> None:
        {
            "usable": self.take_usable,
            "pending": self.take_pending,
            "cancelled": self.take_cancelled,
            "withdrawn": self.take_withdrawn,
            "unknown": self.take_unknown,
        }[kind(line)](line)

    def take_usable(self, line: Line) -> None:
        if not line.carries_a_value and self.last is not None and line.status in {"U", "B", "V"}:
            line = replace(self.last, status=line.status, received=line.received)  # C1.1: the stored value, now final
        before = self.current
        if before is None:
            self.stand(line)  # nothing usable yet: a first result, or a pending one that became final (silently)
        elif line.status in CORRECTIONS and not same(before, line):
            self.corrected = True  # also settles a conflict (C10.12)
            self.stand(line)
        elif self.state == "pending":
            self.stand(line)  # C10.13: the reopened result has become final and its hold ends by itself
        elif says_the_same(before, line):
            self.duplicate = True
            self.state = "conflict" if self.state == "conflict" else "usable"
        else:
            self.state, self.last = "conflict", line

    def stand(self, line: Line) -> None:
        self.state, self.current, self.last = "usable", line, line

    def take_pending(self, line: Line) -> None:
        if self.state == "conflict":
            return
        if self.current is None:
            self.state, self.last = "pending", line
        elif line.analyte not in INTERPRETED:
            return  # C10.13: no other preliminary value holds, so the final one stands
        elif line.received > self.current.received and line.carries_a_value and not says_the_same(line, self.current):
            self.state, self.last = "pending", line  # C10.12: a later preliminary value that differs reopens it

    def take_cancelled(self, line: Line) -> None:
        if self.current is not None:
            self.withdraw(line)  # C10.12: cancelled after usable = withdrawn
        elif self.state != "withdrawn":
            self.state, self.last = "cancelled", line

    def take_withdrawn(self, line: Line) -> None:
        # Open (C1.1): a withdrawal of a result we never saw is still told; one of an order without a value is not.
        if self.state == "pending" and self.current is None and self.last is not None and not self.last.carries_a_value:
            self.state, self.last = "cancelled", line
        else:
            self.withdraw(line)

    def withdraw(self, line: Line) -> None:
        self.state, self.current, self.last, self.withdrawn = "withdrawn", None, line, True

    def take_unknown(self, line: Line) -> None:
        # Open (C1.1): until a version of known status comes, nobody may rely on the earlier one either.
        self.state, self.last = "unknown", line


def same(before: Line, after: Line) -> bool:
    """Same status and same content: a retransmission (C1.2)."""
    statuses = [SAME_STATUS.get(line.status, line.status) for line in (before, after)]
    return statuses[0] == statuses[1] and says_the_same(before, after)


def says_the_same(one: Line, other: Line) -> bool:
    """Same value, unit, titre and pattern; a grade in another language is the same grade (C1.2, C2)."""
    values = [text_grade(line.value, FAMILY.get(line.method, "")) or line.value for line in (one, other)]
    return values[0] == values[1] and one.content[1:] == other.content[1:]


def specimen_invalid(line: Line) -> bool:
    """C1.3, C10.11: only a stated unsuitable material is invalid."""
    material = line.specimen.lower()
    if material in UNSTATED:
        return False
    return not (material == "heparin_plasma" and line.analyte in PLASMA_ALLOWED)


def dates_implausible(line: Line, today: date) -> bool:
    """C1.5, C10.32: more than a day after the result or after now; one day is clock skew."""
    return days(line.received, line.collected) > 1 or days(today, line.collected) > 1


def file_thread(thread: Thread, standing: Standing) -> None:
    """Put what stands of one result where it belongs."""
    last = thread.last
    if last is None:
        return
    if last.analyte == "CREAT" and thread.state in {"conflict", "unknown"}:
        return  # C10.28: what is wrong with a companion holds nothing; it is only not used
    for happened, shelf in (
        (thread.corrected, standing.corrected),
        (thread.withdrawn, standing.withdrawn),
        (thread.duplicate, standing.duplicates),
    ):
        if happened:
            shelf.append(last)
    if thread.state in {"cancelled", "withdrawn"}:
        if last.analyte in {"SRP", "HMGCR"} and ANA_WORDS.search(f"{last.reason} {last.note}"):
            standing.cancelled_on_ana.append(last)
    elif thread.state == "conflict":
        standing.problems.append(Problem("CONFLICTING_DUPLICATE", last))
    elif thread.state == "unknown":
        standing.problems.append(Problem("STATUS_UNKNOWN", last))
    elif thread.state == "pending":
        file_pending(last, standing, reopened=thread.current is not None)
    elif thread.current is not None:
        file_usable(thread.current, standing)


def file_pending(line: Line, standing: Standing, *, reopened: bool) -> None:
    if line.carries_a_value and line.analyte in INTERPRETED:
        # Open (C10.13): after 21 days the analyte counts as untested, but a preliminary value nobody finalised still
        # holds, since this hold ends only when the version becomes final or is cancelled.
        standing.problems.append(Problem("RESULT_NOT_FINAL", line))
    if reopened or days(line.collected, standing.today) <= PENDING_DAYS:
        standing.pending.append(line)


def file_usable(line: Line, standing: Standing) -> None:
    if specimen_invalid(line):
        standing.invalid.append(line)
    elif line.analyte == "CREAT" and dates_implausible(line, standing.today):
        return
    elif dates_implausible(line, standing.today):
        standing.problems.append(Problem("VALUE_IMPLAUSIBLE", line))
    else:
        standing.usable.append(line)


def interpreted(line: Line) -> bool:
    """A solid-phase "ANA" is no HEp-2 result (C2), Ro-52 or Ku no myositis-specific antibody (C10.24)."""
    if line.analyte == "ANA_HEP2":
        return line.method == "hep2_iif"
    return line.analyte != "OTHER_MSA" or plain_name(line.antigen) not in ASSOCIATED


def settle(case: Case) -> Standing:
    """All messages of a case reduced to what each result is now."""
    sent = (as_line(row) for row in case.get("results") or [])
    lines = sorted((line for line in sent if interpreted(line)), key=order_of_versions)
    threads: dict[tuple[str, ...], Thread] = {}
    for line in lines:
        threads.setdefault(identity(line), Thread()).fold(line)
    standing = Standing(today=date.fromisoformat(str(case["evaluate_at"])))
    for thread in threads.values():
        file_thread(thread, standing)
    age = (case.get("patient") or {}).get("age_years")
    standing.age_implausible = age is not None and not 0 <= age <= 120  # C1.5
    return standing
