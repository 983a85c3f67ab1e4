"""The ledger of retests beside the drafts: what the cases of a patient recommend now, and what that makes of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from labbridge.interpret import Interpreter, retested
from labbridge.model.history import History
from labbridge.model.outcome import Outcome
from labbridge.model.retests import Heard, RetestStep
from labbridge.model.work import Case, CaseChange, Kept, StoredHistory
from labbridge.review import retests, worklist
from labbridge.states import CaseState


class Evaluated(msgspec.Struct, frozen=True):
    """A case that was evaluated: what was looked at, what was found, and what is written of it (None: it stays as it is)."""

    entry: worklist.Entry
    looked_at: History
    outcome: Outcome
    change: CaseChange | None


def steps(
    evaluated: Sequence[Evaluated], arrived: worklist.Arrived, history: StoredHistory, *, message: Kept,
    interpret: Interpreter, at: datetime, covered: Sequence[Case] = (),
) -> tuple[RetestStep, ...]:  # fmt: skip
    """What becomes of the retests of a patient. Nothing while it is not known whose the results are."""
    if not history.retests and not any(one.outcome.retests for one in evaluated):
        return ()
    if any(one.looked_at.identity for one in evaluated):
        return ()
    policy = interpret.knowledge.policy
    heard = retested.heard(worklist.everything(arrived, history), policy) if history.retests else Heard()
    now = retests.Now(
        cases=_speaking(evaluated, history, covered, (interpret, message.feed)),
        heard=heard,
        message=message.key,
        lane=arrived.found.lane,
        at=at,
        window_d=policy.days("case_window_d"),
    )
    return retests.settled(history.retests, now)


def _speaking(
    evaluated: Sequence[Evaluated], history: StoredHistory, covered: Sequence[Case], by: tuple[Interpreter, str]
) -> tuple[retests.Speaking, ...]:
    """The open cases as they speak now: those evaluated, then the others as they were left."""
    silent = {case.key for case in covered} | {one.entry.case.key for one in evaluated if one.entry.case is not None}
    now = [_evaluated(one, *by) for one in evaluated if one.change is not None or one.entry.case is not None]
    before = [
        retests.Speaking(case=case.key, version=case.version, day=case.opened_day, feed=case.feed, outcome=case.outcome)
        for case in history.cases
        if case.key not in silent and case.state is not CaseState.CLOSED
    ]
    return (*now, *before)


def _evaluated(one: Evaluated, interpret: Interpreter, feed: str) -> retests.Speaking:
    case, outcome = one.entry.case, one.outcome
    policy, results = interpret.knowledge.policy, one.looked_at.results
    return retests.Speaking(
        case=case.key if case is not None else 0,
        version=(case.version if case is not None else 0) + (one.change is not None),
        day=one.entry.opened_day,
        feed=case.feed if case is not None else feed,
        outcome=outcome,
        evaluated=True,
        written=one.change is not None,
        raised={retest.analyte: retested.raised(outcome, retest, results, policy) for retest in outcome.retests},
        waits=retested.waits(outcome, results, interpret.knowledge),
    )
