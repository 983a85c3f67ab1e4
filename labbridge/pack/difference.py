"""What is otherwise than in an earlier pack: rows, cases with their outcome and verdict, and coverage that was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from labbridge.pack.coverage import places
from labbridge.pack.form import (
    Before,
    Case,
    Changed,
    ChangedCase,
    ChangedRow,
    Coverage,
    Difference,
    Pack,
    Places,
    Row,
    Word,
)
from labbridge.pack.given import brief
from labbridge.review.wordings import differences

T = TypeVar("T")
TEXTS = ("says", "why", "comment", "given", "expected")


def difference(before: Pack, now: Pack, sha256: str) -> Difference:
    """From an earlier pack, whose file has this SHA-256, to one whose own difference is not known yet."""
    old_rows, rows = {one.id: one for one in before.rows}, {one.id: one for one in now.rows}
    old_cases, cases = {one.id: one for one in before.cases}, {one.id: one for one in now.cases}
    return Difference(
        before=Before(
            sha256=sha256,
            at=before.at,
            tester=before.tester,
            software=before.software,
            knowledge=before.knowledge,
        ),
        new_rows=tuple(id for id in rows if id not in old_rows),
        gone_rows=tuple(id for id in old_rows if id not in rows),
        changed_rows=tuple(ChangedRow(id=id, changes=found) for id, found in _both(old_rows, rows, _of_row) if found),
        new_cases=tuple(id for id in cases if id not in old_cases),
        gone_cases=tuple(id for id in old_cases if id not in cases),
        changed_cases=tuple(
            ChangedCase(id=id, changes=found) for id, found in _both(old_cases, cases, _of_case) if found
        ),
        lost=_lost(before.coverage, now.coverage),
    )


def _both(
    before: Mapping[str, T], now: Mapping[str, T], told: Callable[[T], dict[str, str]]
) -> Iterator[tuple[str, tuple[Changed, ...]]]:
    """What stands in both packs, with what each of the two tells of it and the other does not."""
    for id, one in now.items():
        if id in before:
            yield id, tuple(_changes(told(before[id]), told(one)))


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Changed]:
    for what, after in now.items():
        if before[what] != after:
            parts = differences(before[what], after) if what in TEXTS and before[what] and after else ()
            words = tuple(Word(one.kind, one.text) for one in parts)  # type: ignore[arg-type]
            yield Changed(what=what, before=before[what], after=after, words=words)


def _of_row(row: Row) -> dict[str, str]:
    return {
        "version": "" if row.version is None else str(row.version),
        "sha256": row.sha256,
        "status": row.status,
        "says": row.says,
        "why": row.why,
        "citations": ", ".join(row.citations),
        "reviewed": ", ".join(row.reviewed),
    }


def _of_case(case: Case) -> dict[str, str]:
    outcome, comment = case.outcome, case.outcome.get("comment") or {}
    flags = (f"{one['code']} {one['severity']}{_about(one)}" for one in outcome.get("flags", ()))
    text = " ".join((comment.get("text", ""), *comment.get("addenda", ())))
    return {
        "given": brief(case.given),
        "expected": brief(case.expected),
        "passed": {True: "passed", False: "failed", None: "no expectation"}[case.passed],
        "states": brief(outcome.get("states")),
        "flags": "; ".join(flags),
        "retests": "; ".join(map(_retest, outcome.get("retests", ()))),
        "comment": f"{comment['class']}: {text}" if comment else "",
        "hold": brief(outcome.get("hold")),
        "pathway": brief((outcome.get("pathway") or {}).get("at")),
    }


def _about(flag: Mapping[str, Any]) -> str:
    return f" ({flag['analyte']})" if flag.get("analyte") else ""


def _retest(one: Mapping[str, Any]) -> str:
    waits = f", not before {one['not_before']}" if one.get("not_before") else ""
    return f"{one['analyte']} by {' or '.join(one['families'])}, {one['priority']}{waits}: {one['reason']}"


def _lost(before: Coverage, now: Coverage) -> Places:
    """What was exercised then, is still there, and is exercised no more. A wording is known by its text."""
    was = places(before.rules, before.comments, before.nodes, exercised=True)
    covered = places(now.rules, now.comments, now.nodes, exercised=True)
    left = now.uncovered
    worded = _texts(was) - _texts(covered)
    return Places(
        rules=_still(was.rules, left.rules),
        values=_still(was.values, left.values),
        conditions=_still(was.conditions, left.conditions),
        comments=_still(was.comments, left.comments),
        wordings=tuple(one for one in left.wordings if (one.comment, one.text) in worded),
        nodes=_still(was.nodes, left.nodes),
    )


def _texts(found: Places) -> set[tuple[str, str]]:
    return {(one.comment, one.text) for one in found.wordings}


def _still(was: tuple[T, ...], left: tuple[T, ...]) -> tuple[T, ...]:
    known = set(was)
    return tuple(one for one in left if one in known)
