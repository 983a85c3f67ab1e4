"""What may be decided of a case in its state, and what a signature is bound to. Raises Refused with a sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from labbridge.errors import Refused
from labbridge.model.review import Decided, Decision, Disposition
from labbridge.model.work import Case
from labbridge.review.policies import check_whole
from labbridge.states import CaseState

LONGEST_TEXT, LONGEST_WHY = 4000, 500
LONGEST_HOLD = timedelta(days=90)
OPEN = frozenset({CaseState.NEW, CaseState.REOPENED})
UNDECIDED = OPEN | {CaseState.HELD}

ALLOWED: Mapping[Decided, frozenset[CaseState]] = {
    Decided.WORDING: OPEN,
    Decided.HOLD: UNDECIDED,
    Decided.REFER: UNDECIDED,
    Decided.RETEST: UNDECIDED,
    Decided.NO_ACTION: UNDECIDED,
    Decided.REJECT: UNDECIDED,
    Decided.RETURN: UNDECIDED,
    Decided.UNDO: frozenset({CaseState.SIGNED}),
    Decided.CORRECT: frozenset({CaseState.SIGNED}),
}
DISPOSITION: Mapping[Decided, Disposition] = {
    Decided.HOLD: Disposition.HELD,
    Decided.REFER: Disposition.REFERRED,
    Decided.RETEST: Disposition.WAITING_RETEST,
    Decided.NO_ACTION: Disposition.DONE,
    Decided.REJECT: Disposition.DONE,
    Decided.RETURN: Disposition.NONE,
}
NEEDS_WHY = frozenset(
    {Decided.WORDING, Decided.HOLD, Decided.REFER, Decided.NO_ACTION, Decided.REJECT, Decided.CORRECT}
)

_encode = msgspec.json.Encoder(order="deterministic").encode


def check(case: Case, decision: Decision) -> Decision:
    """The decision as it is to be kept. Refused where the case has changed since it was shown, where its state does not
    allow it, and where something that belongs to it is missing."""
    check_whole(case)
    if case.version != decision.version:
        raise Refused(f"C{case.key} is at version {case.version} now, not {decision.version}: read it again")
    if case.state not in ALLOWED[decision.kind]:
        raise Refused(f"C{case.key} is {case.state}: {decision.kind.replace('_', ' ')} is not possible now")
    why = " ".join(decision.why.split())
    if decision.kind in NEEDS_WHY and not why:
        raise Refused("Say why, for who reads it later")
    if len(why) > LONGEST_WHY or not why.isprintable():
        raise Refused(f"A reason has at most {LONGEST_WHY} printable characters")
    return msgspec.structs.replace(decision, why=why, text=_text(decision), until=_until(decision))


def _text(decision: Decision) -> str:
    if decision.kind is Decided.WORDING:
        return wording(decision.text)
    text = " ".join(decision.text.split())
    if decision.kind in (Decided.REFER, Decided.RETEST) and not text:
        raise Refused("Say to whom it is referred" if decision.kind is Decided.REFER else "Say which retest is advised")
    if len(text) > LONGEST_WHY or not text.isprintable():
        raise Refused(f"At most {LONGEST_WHY} printable characters")
    return text


def wording(text: str) -> str:
    """A comment in a person's words: one line of prose, as the drafted ones are."""
    found = " ".join(text.split())
    if not found:
        raise Refused("A comment without words says nothing; choose no action instead")
    if len(found) > LONGEST_TEXT or not found.isprintable():
        raise Refused(f"A comment has at most {LONGEST_TEXT} printable characters")
    return found


def _until(decision: Decision) -> datetime | None:
    if decision.kind is not Decided.HOLD:
        return None
    if decision.until is None or not timedelta() < decision.until - decision.at <= LONGEST_HOLD:
        raise Refused(f"Say until when it is held: a moment to come, at most {LONGEST_HOLD.days} days from now")
    return decision.until.astimezone(UTC)  # the worklist compares moments as they are written


def screen(case: Case, text: str) -> bytes:
    """What a signature is for: the case's version with its findings, and the words that leave. Whoever shows it and whoever
    signs it count the same."""
    seen = (
        case.key,
        case.version,
        case.outcome.states,
        case.outcome.flags,
        case.outcome.retests,
        case.outcome.used,
        text,
    )
    return hashlib.sha256(_encode(seen)).digest()


def check_screen(case: Case, text: str, shown: bytes) -> None:
    """Refused where what would leave is not what the person had before them."""
    if screen(case, text) != shown:
        raise Refused(f"C{case.key} is not as it was on the screen: read it again before signing")
