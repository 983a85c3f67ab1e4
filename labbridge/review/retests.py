"""What becomes of the retests of a patient when something new is known: the ledger's next rows from the present ones.

A recommendation is one row for as long as it stands, whichever case of the patient makes it. Two of one analyte are the same
retest where their reason is the same, or where a method would settle both: what goes on for another reason is not tested
twice. A usable result of the analyte by an acceptable family that came later closes it. What is in progress or on hold is
waited for. A correction that takes the closing result away opens it again, and one that brings the recommendation back finds
its old row, with whatever was ordered for it: no order is made a second time.

Nothing here reads a store or a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from labbridge.model.outcome import Outcome, Retest
from labbridge.model.result import Family
from labbridge.model.retests import (
    LEFT,
    Answer,
    Cause,
    Heard,
    OrderState,
    Raised,
    Retested,
    RetestState,
    RetestStep,
    Withheld,
)

NEW_SPECIMEN, DILUTED, ENZYMATIC = "same_new_specimen", "enzymatic_diluted", Family.ENZYMATIC.value


class Speaking(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it speaks now: `case` is 0 where it is opened with this, `evaluated` whether it was evaluated just now,
    `written` whether that makes another version of it. `raised` has what each of its retests rests on, by analyte, `waits`
    from which day it may be ordered, where that is not at once."""

    case: int
    version: int
    day: date
    feed: str
    outcome: Outcome
    evaluated: bool = False
    written: bool = False
    raised: dict[str, Raised] = {}
    waits: dict[str, date] = {}


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What is known now: the open cases, what was heard of the patient's results, the message that brought it, in which lane
    and when, and for how many days either side of its first result a case takes others."""

    cases: tuple[Speaking, ...]
    heard: Heard
    message: int
    lane: str
    at: datetime
    window_d: int


def settled(ledger: Sequence[Retested], now: Now) -> tuple[RetestStep, ...]:
    """The steps of the ledger, in the order in which they are written: none where nothing changes."""
    turn = _Turn(ledger, now)
    for row in sorted(ledger, key=lambda one: one.key):
        turn.look_at(row)
    turn.not_twice()
    turn.advise()
    return turn.steps()


class _Turn:
    """The rows as they become. Closing and cancelling come before opening: of the open ones there is one of each."""

    def __init__(self, ledger: Sequence[Retested], now: Now) -> None:
        self._before = {row.key: row for row in ledger}
        self._rows = dict(self._before)
        self._now = now
        self._new: list[Retested] = []

    # ---------------------------------------------------------------- rows that there are

    def look_at(self, row: Retested) -> None:
        if row.open:
            self._rows[row.key] = self._open(row)
        elif row.state is RetestState.RESULTED:
            self._rows[row.key] = self._resulted(row)

    def _open(self, row: Retested) -> Retested:
        wanting = self._wanting(row)
        answer = self._answer(row, wanted=bool(wanting))
        if answer is not None:
            return self._closed(row, answer)
        if not wanting:
            waits = row.analyte in self._now.heard.waiting
            return row if waits else self._cancelled(row, self._cause(row))
        evaluated = next((one for one in wanting if one.evaluated), None)
        return row if evaluated is None else self._kept(row, evaluated)

    def _kept(self, row: Retested, case: Speaking) -> Retested:
        """It goes on. What it rests on is what is there now. Where that makes another version of the case, an order that was
        written from the result before does not leave, and is made anew with the next signature, as the comment is."""
        retest = next(one for one in case.outcome.retests if _same(row, one))
        recalled = case.written and row.order is OrderState.WAITING and self._gone(row, case)
        state = RetestState.ADVISED if recalled else row.state
        return msgspec.structs.replace(self._refreshed(row, case, retest), state=state)

    def _gone(self, row: Retested, case: Speaking | None) -> bool:
        """Whether the version of the result that it was recommended for stands no more. (An outcome names superseded
        versions too, where it tells of a correction.)"""
        now = case.raised.get(row.analyte, Raised()).ref if case is not None else ""
        standing = any(one.ref == row.raised.ref for one in self._now.heard.answers)
        return bool(row.raised.ref) and row.raised.ref != now and not standing

    def _refreshed(self, row: Retested, case: Speaking, retest: Retest) -> Retested:
        """A row as it goes on: settled by what is recommended now too, and resting on a result that is there. Its rule stays
        the one that raised it, unless the same reason is raised by another."""
        families = tuple(dict.fromkeys((*row.families, *retest.families)))
        raised, found = row.raised, case.raised.get(row.analyte, Raised())
        if self._gone(row, case) and found.ref:
            rule = found.rule if retest.reason == row.reason else raised.rule
            raised = msgspec.structs.replace(found, rule=rule)
        return msgspec.structs.replace(row, families=families, raised=raised)

    def _resulted(self, row: Retested) -> Retested:
        """The result that closed it stands, another one does, or it is open again, or it was for nothing."""
        if any(one.ref == row.closed_by for one in self._now.heard.answers):
            return row
        wanting = self._wanting(row)
        answer = self._answer(row, wanted=bool(wanting))
        if answer is not None:
            return self._closed(row, answer)
        if wanting or row.analyte in self._now.heard.waiting:
            evaluated = next((one for one in wanting if one.evaluated), None)
            again = self._reopened(row)
            return again if evaluated is None else self._kept(again, evaluated)
        return self._cancelled(row, Cause.CHANGED)

    def _wanting(self, row: Retested) -> list[Speaking]:
        """The cases that recommend it, its own first."""
        found = [
            case for case in self._now.cases if any(_same(row, one) for one in case.outcome.retests)
        ]  # fmt: skip
        return sorted(found, key=lambda case: case.case != row.case)

    def _answer(self, row: Retested, *, wanted: bool) -> Answer | None:
        """The first result that answers it: reported after it was recommended, collected within its case or later; one from
        before the day it was to wait for only where nothing is wanted any more."""
        first = row.day - timedelta(days=self._now.window_d)
        if wanted and row.not_before is not None:
            first = max(first, row.not_before)
        return next(
            (
                one
                for one in self._now.heard.answers
                if one.analyte == row.analyte and _fits(row, one) and one.message > row.message and one.day >= first
            ),
            None,
        )

    def _cause(self, row: Retested) -> Cause:
        own = next((case for case in self._now.cases if case.case == row.case), None)
        if own is None:
            return Cause.CLOSED
        return Cause.CHANGED if self._gone(row, None) else Cause.NOT_NEEDED

    def _closed(self, row: Retested, answer: Answer) -> Retested:
        return msgspec.structs.replace(
            row,
            state=RetestState.RESULTED,
            closing=answer.closing,
            closed_by=answer.ref,
            closed=self._now.at,
            cause=None,
        )

    def _cancelled(self, row: Retested, cause: Cause) -> Retested:
        return msgspec.structs.replace(
            row, state=RetestState.CANCELLED, closing=None, closed_by="", closed=self._now.at, cause=cause
        )

    def _reopened(self, row: Retested) -> Retested:
        state = RetestState.ORDERED if row.order in LEFT else RetestState.ADVISED
        return msgspec.structs.replace(row, state=state, closing=None, closed_by="", closed=None, cause=None)

    # ---------------------------------------------------------------- one of each

    def not_twice(self) -> None:
        """Two patients who are one by now may have brought the same retest each, and one that is open again may stand where
        another was raised meanwhile: the one that was ordered stays, else the older."""
        kept: list[Retested] = []
        opened = [row for row in self._rows.values() if row.open]
        for row in sorted(opened, key=lambda one: (one.order not in LEFT, one.key)):
            if any(_alike(one, row) for one in kept):
                self._rows[row.key] = self._cancelled(row, Cause.TWICE)
            else:
                kept.append(row)

    # ---------------------------------------------------------------- new ones

    def advise(self) -> None:
        for case in self._now.cases:
            if case.evaluated:
                for retest in case.outcome.retests:
                    self._recommended(case, retest)

    def _recommended(self, case: Speaking, retest: Retest) -> None:
        rows = [row for row in (*self._rows.values(), *self._new) if _same(row, retest)]
        if any(row.open for row in rows) or any(_ended_by_person(row, case.case) for row in rows):
            return
        back = next((row for row in reversed(rows) if _comes_back(row, case.case)), None)
        if back is not None:
            self._rows[back.key] = self._reopened(self._refreshed(back, case, retest))
            return
        again = any(self._tried(row, case, retest) for row in rows)
        self._new.append(self._new_row(case, retest, again=again))

    def _tried(self, row: Retested, case: Speaking, retest: Retest) -> bool:
        """It was tested for this already in a way that would settle it, in the same case, or what that gave is what raises
        it now."""
        if row.state is not RetestState.RESULTED or not (row.case == case.case or row.closed_by in case.outcome.used):
            return False
        by = next((one.family for one in self._now.heard.answers if one.ref == row.closed_by), "")
        return by in retest.families or not {NEW_SPECIMEN, DILUTED}.isdisjoint({*row.families} & {*retest.families})

    def _new_row(self, case: Speaking, retest: Retest, *, again: bool) -> Retested:
        prompt = retest.reason in case.outcome.quiet
        return Retested(
            key=0,
            case=case.case,
            version=case.version,
            lane=self._now.lane,
            feed=case.feed,
            day=case.day,
            message=self._now.message,
            analyte=retest.analyte,
            reason=retest.reason,
            families=retest.families,
            priority=retest.priority,
            not_before=retest.not_before,
            raised=case.raised.get(retest.analyte, Raised()),
            again=again,
            withheld=Withheld.AGAIN if again else Withheld.PROMPT if prompt else Withheld.NONE,
            advised=self._now.at,
            order_from=case.waits.get(retest.analyte),
        )

    # ---------------------------------------------------------------- what is written

    def steps(self) -> tuple[RetestStep, ...]:
        changed = [(self._before[key], row) for key, row in self._rows.items() if row != self._before[key]]
        by = {one.ref: one.family for one in self._now.heard.answers}
        steps = [
            RetestStep(row=row, before=before.state, recall=_recalls(before, row), by=by.get(row.closed_by, ""))
            for before, row in changed
        ]
        ends = [one for one in steps if not one.row.open]
        opens = [one for one in steps if one.row.open]
        return (*ends, *opens, *(RetestStep(row=row) for row in self._new))


def _fits(row: Retested, answer: Answer) -> bool:
    """Whether a result is by a family that was asked for: the method that raised it counts on a new specimen, and CK on
    dilution is CK, because a message seldom says how it was diluted."""
    if answer.family in row.families:
        return True
    if DILUTED in row.families and answer.family == ENZYMATIC:
        return True
    same_method = row.raised.family in ("", answer.family)
    return NEW_SPECIMEN in row.families and same_method and _of_a_new_specimen(row.raised, answer)


def _of_a_new_specimen(raised: Raised, answer: Answer) -> bool:
    if raised.specimen and answer.specimen:
        return answer.specimen != raised.specimen
    return raised.day is None or answer.day > raised.day


def _recalls(before: Retested, row: Retested) -> bool:
    return before.state is RetestState.ORDERED and row.state is not RetestState.ORDERED


def _same(row: Retested, retest: Retest) -> bool:
    """Whether a row is this recommendation: for the same reason, or settled by the same methods."""
    same = row.reason == retest.reason or not set(row.families).isdisjoint(retest.families)
    return row.analyte == retest.analyte and same


def _alike(one: Retested, other: Retested) -> bool:
    same = one.reason == other.reason or not set(one.families).isdisjoint(other.families)
    return one.analyte == other.analyte and same


def _ended_by_person(row: Retested, case: int) -> bool:
    return row.cause is Cause.PERSON and row.state is RetestState.CANCELLED and row.case == case


def _comes_back(row: Retested, case: int) -> bool:
    """A row that ended without a result and is recommended again; also in another case where the LIS may have its order."""
    ended = row.state is RetestState.CANCELLED and row.cause is not Cause.PERSON
    return ended and (row.case == case or row.order in LEFT - {OrderState.REFUSED})
