"""The engine and the second opinion say the same of generated cases: some that Hypothesis draws and shrinks, and many by
chance.

`OPINION_EXAMPLES=20000 OPINION_SEED=7 pytest tests/opinion/test_opinion_agrees.py` makes the long run: so many drawn by
Hypothesis, ten times as many by chance.
"""

from __future__ import annotations

import os
import random
from functools import lru_cache

from hypothesis import HealthCheck, given, note, settings
from opinion import evaluate
from opinion_cases import build, cases
from opinion_record import Case, Opinion, Retest

from labbridge.offline import Readers, case_history
from labbridge.sources import load

EXAMPLES = int(os.environ.get("OPINION_EXAMPLES", "400"))
SEED = int(os.environ.get("OPINION_SEED", "20261126"))


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
    """A new specimen and a repeat on dilution have no place in the order of methods."""
    families = sorted(entry[0], key=lambda family: family in {"same_new_specimen", "enzymatic_diluted"})
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
    found = differences(evaluate(case), engine(case))
    for name, mine, other in found:
        note(f"{name}\n  opinion {mine}\n  engine  {other}")
    assert not found


def test_the_engine_agrees_with_the_second_opinion_by_chance() -> None:
    chance, differing = random.Random(SEED), []
    for number in range(10 * EXAMPLES):
        case = build(chance.choice)
        found = differences(evaluate(case), engine(case))
        if found:
            differing.append((number, found, case))
    assert not differing[:1]
