"""Which case a result belongs to, and whether its case changes (architecture.md, rule 3; clinical.md C10.15)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from labbridge.knowledge.policy import Policy
from labbridge.model.history import History
from labbridge.model.outcome import Outcome, Severity
from labbridge.model.report import Patient
from labbridge.model.result import PatientResults, Result
from labbridge.model.work import Case, CaseChange, Draft, StoredHistory
from labbridge.review import identity, offering
from labbridge.states import CaseState


class Arrived(msgspec.Struct, frozen=True):
    """What one report brought, the calendar day it was received on in its feed's time zone, the language of the comments on
    its feed, and how long a comment waits for the rest of a panel."""

    found: PatientResults
    today: date
    language: str = "en"
    settle: timedelta = timedelta()


class Entry(msgspec.Struct, frozen=True):
    """A case that new results touch, or (case None) the one they may open on `opened_day`."""

    case: Case | None
    opened_day: date


def touched(arrived: Arrived, history: StoredHistory, policy: Policy) -> list[Entry]:
    """The cases to evaluate again, oldest first: those whose window holds a new result, those opened later (an older
    result that changes, changes what they rest on), damaged ones, and one for each stretch of days that none covers yet."""
    window = policy.days("case_window_d")
    days = sorted({result.collected.day for result in arrived.found.results})
    cases = [case for case in history.cases if case.state is not CaseState.CLOSED]
    if not days:  # context alone: it concerns the newest case
        return [Entry(case, case.opened_day) for case in cases if case.damaged or case is cases[-1]]
    entries = [Entry(c, c.opened_day) for c in cases if c.damaged or (c.opened_day - days[0]).days >= -window]
    return _with_new(entries, days, window)


def _with_new(entries: list[Entry], days: Sequence[date], window: int) -> list[Entry]:
    for day in days:
        if not any(abs((entry.opened_day - day).days) <= window for entry in entries):
            entries.append(Entry(None, day))
    return sorted(entries, key=lambda entry: (entry.opened_day, entry.case is None))


class Again(msgspec.Struct, frozen=True):
    """What is to be evaluated anew once it is known otherwise who the patient is: every case and stretch of days, and the
    cases that another one covers now (`covered`)."""

    entries: list[Entry]
    covered: list[Case]


def again(history: StoredHistory, sent: Patient, lane: str, policy: Policy) -> Again:
    """Of two cases within one window the one that speaks to the LIS already stays, else the older."""
    window = policy.days("case_window_d")
    kept: list[Case] = []
    covered: list[Case] = []
    for case in sorted(history.cases, key=lambda one: (not _spoke(one), one.opened_day, one.key)):
        near = any(abs((case.opened_day - other.opened_day).days) <= window for other in kept)
        (covered if near and not _spoke(case) else kept).append(case)
    parts = identity.usable(history, sent, lane).parts
    days = sorted({one.collected.day for part in parts for one in part.results if not one.historical})
    entries = _with_new([Entry(case, case.opened_day) for case in kept], days, window)
    return Again(entries, [case for case in covered if case.state is not CaseState.CLOSED])


def _spoke(case: Case) -> bool:
    return bool(case.posted or case.unsent)


def history_of(entry: Entry, arrived: Arrived, history: StoredHistory, policy: Policy) -> History:
    """What an evaluation of this case looks at: everything collected up to the end of its window.

    While anything that identifies the patient disagrees with what is held, nothing held is used.
    """
    last = entry.opened_day + timedelta(days=policy.days("case_window_d"))
    found = everything(arrived, history)
    return msgspec.structs.replace(
        found,
        results=tuple(result for result in found.results if _until(result, last)),
        posted=entry.case.posted if entry.case else (),
        told=frozenset(ref for case in history.cases if case != entry.case for ref in case.outcome.changes),
    )


def everything(arrived: Arrived, history: StoredHistory) -> History:
    """All that is known of the patient, whenever it was collected."""
    sent = arrived.found.patient
    usable = identity.usable(history, sent, arrived.found.lane)
    stored = [result for part in usable.parts for result in part.results]
    context = [item for part in usable.parts for item in part.context]
    held = {result.ref for result in stored}
    return History(
        patient=sent if usable.against else identity.merged(identity.trusted(history), sent),
        results=(*stored, *(result for result in arrived.found.results if result.ref not in held)),
        context=(*context, *arrived.found.context),
        decided=history.decided,
        known=frozenset() if usable.against else history.known,
        identity=usable.against,
        today=arrived.today,
        language=arrived.language,
    )


def _until(result: Result, last: date) -> bool:
    return result.collected.day <= last


def offer(entry: Entry, arrived: Arrived, history: StoredHistory, outcome: Outcome) -> Outcome:
    """The outcome with when it is offered, beside what was posted of the patient's other cases."""
    own = entry.case.key if entry.case else None
    elsewhere = [one for case in history.cases if case.key != own for one in case.posted]
    return offering.offered(outcome, elsewhere, arrived.today, arrived.settle)


def patient_to_keep(arrived: Arrived, history: StoredHistory) -> Patient | None:
    """The patient as now known; None while a message disagrees with what is held."""
    sent = arrived.found.patient
    disagrees = identity.usable(history, sent, arrived.found.lane).against
    return None if disagrees else identity.merged(identity.trusted(history), sent)


def change(entry: Entry, outcome: Outcome, held: frozenset[str]) -> CaseChange | None:
    """The draft to write, or None where the case stays as it is (or does not need to be opened). `held` are the refs of the
    patient's results by now: a case that was written from any other one, or is damaged, is never left as it is, and a signed
    one is a person's again, also where there is nothing left to say."""
    case = entry.case
    if case is None:
        return (
            _written(0, CaseState.HELD if outcome.hold else CaseState.NEW, entry, outcome) if opens(outcome) else None
        )
    stands = held.issuperset(case.outcome.used) and not case.damaged
    if stands and case.state is not CaseState.CLOSED and said(case.outcome) == said(outcome):
        return None
    if stands and case.state is CaseState.SIGNED and not supersedes(outcome, case):
        return None
    waiting = CaseState.REOPENED if case.posted else CaseState.NEW
    return _written(case.version, CaseState.HELD if outcome.hold else waiting, entry, outcome)


def closed(case: Case) -> CaseChange:
    """The case as it was, closed: another case of the patient covers its days."""
    entry = Entry(case, case.opened_day)
    return _written(case.version, CaseState.CLOSED, entry, msgspec.structs.replace(case.outcome, comment=None))


def opens(outcome: Outcome) -> bool:
    """A result needs a case when there is something to say, to decide, or to see (severity minor and above), and more than
    what alone opens none (C10.16, C10.18)."""
    seen = any(flag.severity is not Severity.INFO and flag.code not in outcome.quiet for flag in outcome.flags)
    says = outcome.comment is not None and outcome.comment.comment_class not in outcome.quiet
    return says or outcome.hold or seen


def said(outcome: Outcome) -> tuple[object, ...]:
    """What a reader of the case sees; two outcomes that say the same are one draft."""
    flags = frozenset((flag.code, flag.analyte, flag.severity) for flag in outcome.flags)
    comment = (outcome.comment.comment_class, outcome.comment.full_text) if outcome.comment else None
    return (outcome.states, flags, outcome.retests, comment, outcome.hold, outcome.held)


def supersedes(outcome: Outcome, case: Case) -> bool:
    """A released comment is replaced only if its class, a named result or a recommendation changes, or if what it
    was written from was corrected or withdrawn (clinical.md C10.15); never because its receiver reads another language by
    now, or because the sample has grown old since."""
    if outcome.hold:
        return True
    if outcome.comment is None:
        return False
    before = case.outcome.comment
    if before is None:
        return True
    told = (outcome.comment.comment_class, outcome.states, outcome.retests)  # two texts of one meaning differ
    if told != (before.comment_class, case.outcome.states, case.outcome.retests):
        return True
    same_results = set(outcome.used) == set(case.outcome.used)
    return before.language == outcome.comment.language and before.text != outcome.comment.text and not same_results


def _written(version: int, state: CaseState, entry: Entry, outcome: Outcome) -> CaseChange:
    message, at = _place(outcome.subject)
    return CaseChange(
        case=entry.case.key if entry.case else None,
        version=version,
        state=state,
        opened_day=entry.opened_day,
        unsent=entry.case.unsent if entry.case else 0,
        draft=Draft(
            outcome=outcome,
            text=outcome.comment.full_text if outcome.comment else "",
            subject_message=message,
            subject_at=at,
        ),
    )


def _place(ref: str) -> tuple[int | None, str]:
    """Message key and place of a ref `M17:OBX[3]`."""
    key, colon, at = ref.partition(":")
    return (int(key[1:]), at) if colon and key[:1] == "M" and key[1:].isdigit() else (None, ref)
