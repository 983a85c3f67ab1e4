"""The engine and the second opinion say the same of generated cases, except where a point is awaited.

`OPINION_EXAMPLES=200000 pytest tests/opinion/test_opinion_agrees.py` makes the long run.
"""

from __future__ import annotations

import os
from functools import lru_cache

from hypothesis import HealthCheck, given, note, settings
from opinion import evaluate
from opinion_awaited import AWAITED
from opinion_cases import cases
from opinion_record import Case, Opinion, Retest

from labbridge.offline import Readers, case_history
from labbridge.sources import load

EXAMPLES = int(os.environ.get("OPINION_EXAMPLES", "400"))


@lru_cache
def readers() -> Readers:
    return Readers.of(load())


def engine(case: Case) -> Opinion:
    """The real engine, as `labbridge validate` runs it."""
    outcome = readers().interpret(case_history(case, readers()))
    comment = outcome.comment
    return Opinion(
        states={name: getattr(outcome.states, name) for name in ("SRP", "HMGCR", "HEP2", "CK")},
        flags={(flag.code, flag.analyte, flag.severity.value) for flag in outcome.flags},
        retests={entry.analyte: (entry.families, entry.priority.value, entry.not_before) for entry in outcome.retests},
        comment=comment.comment_class if comment else "NONE",
        addenda=list(comment.addendum_classes) if comment else [],
        hold=outcome.hold,
        held=set(outcome.held),
    )


def plain(entry: Retest) -> Retest:
    """A new specimen has no place in the order of methods."""
    families = sorted(entry[0], key=lambda family: family == "same_new_specimen")
    return tuple(families), entry[1], entry[2]


def differences(ours: Opinion, theirs: Opinion) -> list[tuple[str, object, object]]:
    compared = [
        ("states", ours["states"], theirs["states"]),
        ("flags", *({(code, severity) for code, _, severity in one["flags"]} for one in (ours, theirs))),
        ("retests", *({analyte: plain(e) for analyte, e in one["retests"].items()} for one in (ours, theirs))),
        ("comment", ours["comment"], theirs["comment"]),
        ("addenda", ours["addenda"], theirs["addenda"]),
        ("hold", ours["hold"], theirs["hold"]),
    ]
    return [(name, mine, other) for name, mine, other in compared if mine != other]


@settings(
    max_examples=EXAMPLES,
    derandomize="OPINION_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(cases())
def test_the_engine_agrees_with_the_second_opinion(case: Case) -> None:
    ours, theirs = evaluate(case), engine(case)
    found = differences(ours, theirs)
    if any(awaited(case, ours, theirs) for awaited in AWAITED):
        return
    for name, mine, other in found:
        note(f"{name}\n  opinion {mine}\n  engine  {other}")
    assert not found
