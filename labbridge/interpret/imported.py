"""What earlier results from an archive say beside the others: they inform, and by themselves call for nothing.

They take their part in states, trends and what is known of a patient as any result does (clinical.md C3, C7, C10.5). What
the same results would call for alone is left out: somebody answered for it in its time. A finding stays where a result of
ours stands behind it, or where it takes one of ours to come to it.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from labbridge.model.history import History
from labbridge.model.outcome import Flag, Outcome, Retest

Said = tuple[str, ...]


def without_earlier(history: History, whole: Outcome, interpret: Callable[[History], Outcome]) -> Outcome:
    """The outcome of a history (`whole`), without what its historical results alone call for."""
    earlier = tuple(one for one in history.results if one.historical)
    if not earlier:
        return whole
    ours = tuple(one for one in history.results if not one.historical)
    before = interpret(msgspec.structs.replace(history, results=earlier))
    alone = interpret(msgspec.structs.replace(history, results=ours))
    refs = frozenset(one.ref for one in ours)
    flags = _flags(whole, before, alone, refs)
    held = tuple(name for name in whole.held if name not in before.held or name in alone.held)
    found = msgspec.structs.replace(
        whole,
        flags=flags,
        retests=_retests(whole, before, flags),
        held=held,
        hold=whole.hold and (bool(held) or alone.hold or not before.hold),
        prompts_from=whole.prompts_from if flags else None,
    )
    return _spoken(found, before, refs, _newest(history, whole))


def _flags(whole: Outcome, before: Outcome, alone: Outcome, refs: frozenset[str]) -> tuple[Flag, ...]:
    gone = {_flag(one) for one in before.flags} - {_flag(one) for one in alone.flags}
    return tuple(one for one in whole.flags if not refs.isdisjoint(one.evidence) or _flag(one) not in gone)


def _flag(one: Flag) -> Said:
    return (one.code, one.severity.value, one.analyte)


def _retests(whole: Outcome, before: Outcome, flags: tuple[Flag, ...]) -> tuple[Retest, ...]:
    reasons = {one.code for one in flags}
    gone = {_retest(one) for one in before.retests}
    return tuple(one for one in whole.retests if one.reason in reasons or _retest(one) not in gone)


def _retest(one: Retest) -> Said:
    return (one.analyte, one.reason, *one.families)


def _newest(history: History, whole: Outcome) -> str:
    """The newest result of ours that the outcome was written from; empty where there is none."""
    used = [one for one in history.results if one.ref in whole.used and not one.historical]
    return max(used, key=lambda one: (one.collected.day, one.received, one.ref)).ref if used else ""


def _spoken(found: Outcome, before: Outcome, refs: frozenset[str], newest: str) -> Outcome:
    """The comment stays where it hangs on a result of ours, or says what the earlier ones alone do not; then it hangs on
    one of ours, because no answer can be given to an archive."""
    said = before.comment.comment_class if before.comment else ""
    if found.comment is None or found.subject in refs:
        return found if found.subject in refs else msgspec.structs.replace(found, subject=newest)
    if newest and found.comment.comment_class != said:
        return msgspec.structs.replace(found, subject=newest)
    return msgspec.structs.replace(found, comment=None, subject=newest, settles=False)
