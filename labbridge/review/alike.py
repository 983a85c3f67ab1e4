"""Cases that may be signed together: like with like, with no word changed, and never where an antibody is positive
(standards.md 4.3). Raises Refused with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.errors import Refused
from labbridge.model.outcome import Outcome, Severity
from labbridge.model.review import Disposition
from labbridge.model.work import Case
from labbridge.model.worklist import Listed
from labbridge.review import second
from labbridge.review.decisions import OPEN

MOST = 25
SETTLED = {"NEG", "NOT_TESTED"}


def single(case: Case | Listed) -> str:
    """Why a case is signed by itself; empty where it may be signed together with others."""
    outcome = case.outcome
    if not {outcome.states.SRP, outcome.states.HMGCR} <= SETTLED:
        return "An antibody is positive or not settled"
    if any(flag.severity is Severity.CRITICAL for flag in outcome.flags):
        return "A finding is critical"
    if second.needed(case):
        return "Two persons sign it"
    if outcome.comment is None or outcome.hold or case.state not in OPEN or case.disposition is not Disposition.NONE:
        return "There is nothing to sign now"
    return ""


def like(one: Outcome, other: Outcome) -> bool:
    """The same rules held, with the same findings, recommendations and comment: what differs are the numbers in it."""
    return _kind(one) == _kind(other)


def check(cases: Sequence[Case], worded: Sequence[int] = ()) -> None:
    """Refused unless these may be signed together. `worded` are those whose words a person changed."""
    if not 2 <= len(cases) <= MOST:
        raise Refused(f"2 to {MOST} cases are signed together")
    for case in cases:
        reason = "Its words were changed" if case.key in worded else single(case)
        if reason:
            raise Refused(f"C{case.key} is signed by itself: {reason}")
        if not like(case.outcome, cases[0].outcome):
            raise Refused(f"C{case.key} is not like C{cases[0].key}: they are not signed together")


def _kind(outcome: Outcome) -> tuple[object, ...]:
    flags = sorted((flag.code, flag.analyte, flag.severity) for flag in outcome.flags)
    comment = outcome.comment
    said = (comment.comment_class, comment.language, comment.addendum_classes) if comment else None
    return sorted(outcome.fired), outcome.states, flags, outcome.retests, said
