"""A patient's stored messages gone through again by some knowledge, in memory: what is held and which cases stand, as
processing would have left them. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

import msgspec

from labbridge import drafting
from labbridge.drafting import Progress, Reader
from labbridge.errors import Park
from labbridge.model.outcome import PostedComment
from labbridge.model.report import Identifier, Patient, Report
from labbridge.model.result import ContextItem, Result
from labbridge.model.work import Case, CaseChange, Drafted, HeldPart, Kept, Link, StoredHistory, Verdict
from labbridge.ports import Clock, Work
from labbridge.review.worklist import said
from labbridge.states import CaseState, Reason, State

Step = Callable[[Progress, Work, Reader, Clock], None]
STEPS: tuple[Step, ...] = (drafting.read, drafting.normalise, drafting.interpret)


class Posted(msgspec.Struct, frozen=True):
    """A comment that left, and the case it was of: its lane and day."""

    lane: str
    opened_day: date
    comment: PostedComment


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What persons decided of a patient's lanes, what they posted, which links they took back, and which texts of comments
    are our own: knowledge does not change that."""

    verdicts: dict[tuple[str, str], Verdict] = {}
    posted: tuple[Posted, ...] = ()
    undone: tuple[Link, ...] = ()
    own_texts: Callable[[Sequence[bytes]], frozenset[bytes]] = lambda _digests: frozenset()


class Past:
    """ports.Work as far as drafting asks it, for the lanes of one patient."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._parts: dict[tuple[str, str], tuple[list[Result], list[ContextItem]]] = {}
        self._patients: dict[str, Patient] = {}
        self._links: list[Link] = list(known.undone)
        self._verdicts = dict(known.verdicts)
        self._merged: dict[str, str] = {}
        self._now = datetime.min.replace(tzinfo=UTC)
        self.cases: list[Case] = []
        self.parked: dict[int, Reason] = {}

    def go_through(self, messages: Iterable[Kept], reader: Reader) -> None:
        """Each message in its turn. What parks is left out, and so is what once stopped the service (its state says so)."""
        for message in messages:
            if message.state is State.PARKED:
                self.parked[message.key] = Reason.CRASHED
                continue
            self._take(Progress(message, reader.feeds.get(message.feed)), reader, STEPS)

    def go_through_read(self, messages: Iterable[tuple[Kept, Report]], reader: Reader) -> None:
        """The same of messages that are read already: rows of an archive."""
        for message, report in messages:
            self._take(Progress(message, reader.feeds.get(message.feed), report=report), reader, STEPS[1:])

    def _take(self, one: Progress, reader: Reader, steps: Sequence[Step]) -> None:
        message = one.message
        self._now = message.received
        try:
            for step in steps:
                step(one, self, reader, _At(message.received))  # type: ignore[arg-type]
        except Park as fault:
            self.parked[message.key] = fault.reason
            return
        if one.drafted is not None:
            self._keep(one.drafted)

    @property
    def held(self) -> list[Result]:
        """The result versions that are held, in the order in which they came."""
        return [result for results, _context in self._parts.values() for result in results]

    @property
    def results(self) -> int:
        """How many result versions are held."""
        return len(self.held)

    # ---------------------------------------------------------------- what drafting asks

    def own_texts(self, digests: Sequence[bytes]) -> frozenset[bytes]:
        return self._known.own_texts(digests)

    def history(self, patient: Identifier | None, lane: str) -> StoredHistory:
        lanes = self._lanes(lane)
        return StoredHistory(
            patient=self._patients.get(f"p:{patient.authority}|{patient.id}") if patient else None,
            lanes=lanes,
            parts=tuple(
                HeldPart(lane=of, who=who, results=tuple(results), context=tuple(context))
                for one in lanes
                for (of, who), (results, context) in self._parts.items()
                if of == one
            ),
            cases=tuple(sorted(self._cases(lanes), key=lambda case: (case.opened_day, case.key))),
            verdicts={key: verdict for key, verdict in self._verdicts.items() if key[0] in lanes},
            links=tuple(one for one in self._links if {one.prior, one.surviving} & set(lanes)),
        )

    def _cases(self, lanes: tuple[str, ...]) -> Iterator[Case]:
        """The cases with what had been posted of them by then; one whose last version was posted is signed."""
        for case in self.cases:
            if case.lane not in lanes:
                continue
            posted = tuple(
                one.comment
                for one in self._known.posted
                if (one.lane, one.opened_day) == (case.lane, case.opened_day) and one.comment.posted <= self._now
            )
            signed = any(one.posted >= case.updated for one in posted)
            state = CaseState.SIGNED if signed and case.state is not CaseState.HELD else case.state
            yield msgspec.structs.replace(case, posted=posted, state=state)

    def _lanes(self, lane: str) -> tuple[str, ...]:
        first = self._merged.get(lane, lane)
        return (first, *sorted(one for one, into in self._merged.items() if into == first))

    # ---------------------------------------------------------------- what drafting brings

    def _keep(self, drafted: Drafted) -> None:
        found = drafted.results
        results, context = self._parts.setdefault((found.lane, drafted.who), ([], []))
        results += found.results
        context += found.context
        if drafted.patient is not None and drafted.patient.key is not None:
            key = drafted.patient.key
            self._patients[f"p:{key.authority}|{key.id}"] = drafted.patient
        for stated in drafted.same:
            self._verdicts[stated] = Verdict.SAME
        if drafted.link is not None:
            self._join(drafted.link)
        for change in drafted.cases:
            self._change(change, drafted)

    def _join(self, link: Link) -> None:
        if any(one.message == link.message and one.prior == link.prior for one in self._links):
            return
        self._links.append(link)
        self._merged = {lane: link.last if into == link.prior else into for lane, into in self._merged.items()}
        self._merged[link.prior] = link.last

    def _change(self, change: CaseChange, drafted: Drafted) -> None:
        before = next((one for one in self.cases if one.key == change.case), None)
        now = Case(
            key=before.key if before else len(self.cases) + 1,
            version=before.version + 1 if before else 1,
            state=change.state,
            patient=change.draft.outcome.patient,
            lane=before.lane if before else drafted.results.lane,
            feed=before.feed if before else drafted.message.feed,
            opened_day=change.opened_day,
            outcome=change.draft.outcome,
            text=change.draft.text,
            updated=drafted.message.received,
        )
        if before is not None:
            self.cases[self.cases.index(before)] = now
        else:
            self.cases.append(now)


class _At:
    """ports.Clock at the moment a message was received."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


# ---------------------------------------------------------------- two pasts


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A case that stands otherwise: as it would be by what is in force, and by the other knowledge (None: it would not be
    there). `opened_day` tells which one it is; `changed` what of it is another: findings, retests, comment, hold."""

    patient: Identifier | None
    lane: str
    opened_day: str
    changed: tuple[str, ...]
    before: Case | None
    after: Case | None


def differences(before: Past, after: Past) -> list[Difference]:
    """The cases of a patient that the two do not say the same of, in the order of their days."""
    ours, theirs = ({(one.lane, one.opened_day): one for one in past.cases} for past in (before, after))
    found = []
    for lane, day in sorted({*ours, *theirs}):
        one, other = ours.get((lane, day)), theirs.get((lane, day))
        changed = _changed(one, other)
        if changed:
            patient = next((case.patient for case in (one, other) if case is not None), None)
            found.append(
                Difference(
                    patient=patient, lane=lane, opened_day=day.isoformat(), changed=changed, before=one, after=other
                )
            )
    return found


PARTS = ("states", "findings", "retests", "comment", "hold", "held")
"""The parts of review.worklist.said, in its order."""


def _changed(one: Case | None, other: Case | None) -> tuple[str, ...]:
    if one is None or other is None:
        return ("case",)
    return tuple(name for name, a, b in zip(PARTS, said(one.outcome), said(other.outcome), strict=True) if a != b)
