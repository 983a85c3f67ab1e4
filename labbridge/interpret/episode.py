"""The episode: everything one evaluation rests on, from a patient's history (clinical.md C1-C3, C10.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from labbridge.interpret import course
from labbridge.interpret.categories import category
from labbridge.interpret.evidence import (
    AntibodyEvidence,
    CkCourse,
    Episode,
    Raised,
    Rebound,
)
from labbridge.interpret.held import Core, Held
from labbridge.interpret.known import Concordance
from labbridge.interpret.trends import Course
from labbridge.knowledge.policy import Policy
from labbridge.model.history import History
from labbridge.model.result import Analyte, Category, ContextItem, ContextKind, Result


def episode(
    history: History, policy: Policy, known: frozenset[str] = frozenset(), concordance: Concordance | None = None
) -> Episode:
    """The evidence of a history as of its day. `known`: antibodies known beside those that were recorded; `concordance`: the
    rules by which the results held make one known (C10.5 b)."""
    held = Held(history, policy)
    recorded = known | history.known | _known_by_context(history.context)
    told = concordance.known(held) if concordance is not None else frozenset()
    return _Evaluation(held, held.core(recorded | told)).episode()


class _Others(msgspec.Struct, frozen=True):
    """Other myositis-specific antibodies of the episode: positive results, one for each antigen negative, and whether there
    is any usable one."""

    positive: tuple[Result, ...]
    negative: list[Result]
    tested: bool


class _Evaluation:
    """One evaluation: what is held of the patient, and what its parts need of each other."""

    def __init__(self, held: Held, core: Core) -> None:
        self._held, self._history, self._policy = held, held.history, held.policy
        self._core = core
        self._pending = frozenset(one.analyte for one in held.settled.pending)
        self._posted = frozenset(ref for comment in self._history.posted for ref in comment.used)

    def episode(self) -> Episode:
        held, core = self._held, self._core
        anchor = core.when.anchor
        went = self._course(core, anchor)
        srp = self._followed(core.srp, core, went)
        hmgcr = self._followed(core.hmgcr, core, went)
        found = (*held.settled.raised, *held.censored, *self._identity())
        current = anchor or self._stands_for_anchor(found)
        raised = tuple(one for one in found if self._in_scope(one, current) and not self._replaced(one))
        others = self._others(current)
        positive, negative = others.positive, others.negative
        return Episode(
            today=self._history.today,
            anchor=anchor,
            srp=self._with_waiting(srp, raised),
            hmgcr=self._with_waiting(hmgcr, raised),
            hep2=msgspec.structs.replace(core.hep2, pending=self._waits(Analyte.HEP2, raised)),
            ck=msgspec.structs.replace(core.ck, pending=self._waits(Analyte.CK, raised)),
            course=went,
            other_positive=positive,
            others_all_low=all(category(one) is Category.POS_LOW for one in positive),
            other_negative=len(negative),
            other_pending=self._waits(Analyte.OTHER_MSA, raised),
            synthetase_negative=any(one.synthetase for one in negative),
            synthetase_on_file=any(
                one.synthetase and (its := category(one)) is not None and its.positive
                for one in held.of[Analyte.OTHER_MSA]
            ),
            others_tested=others.tested,
            suspicion=held.stated(ContextKind.SUSPECT_IIM) == "Y",
            suspicion_implied=srp.prior or hmgcr.prior or core.hep2.unspecified,
            age_years=self._history.patient.age_on(anchor or self._history.today),
            statin=held.stated(ContextKind.STATIN),
            ivig=held.ivig(anchor),
            raised=raised,
            notes=held.settled.notes,
            used=(used := _used(core, srp, hmgcr, went, positive)),
            outstanding=_outstanding(held.settled.pending, used),
        )

    def _with_waiting(self, found: AntibodyEvidence, raised: tuple[Raised, ...]) -> AntibodyEvidence:
        return msgspec.structs.replace(found, pending=self._waits(found.analyte, raised))

    def _waits(self, analyte: Analyte, raised: tuple[Raised, ...]) -> bool:
        """Ordered and not final, or held: never reported as missing, negative or positive (C1.7)."""
        held = any(one.hold and one.waits and one.analyte == analyte.value for one in raised)
        return analyte in self._pending or held

    # ---------------------------------------------------------------- over time

    def _course(self, core: Core, anchor: date | None) -> CkCourse:
        if anchor is None or not (core.cks or core.doubted):
            return CkCourse()
        patient, creatinines = self._history.patient, self._held.creatinines()
        return course.course(core.cks, core.doubted, creatinines, patient, anchor=anchor, policy=self._policy)

    def _followed(self, found: AntibodyEvidence, core: Core, went: CkCourse) -> AntibodyEvidence:
        """The antibody with what became of it since, and whether it is positive beside the latest CK (C7)."""
        anchor = core.when.anchor
        if anchor is None or not found.results:
            return found
        graded = self._held.graded[found.analyte].all
        window, latest = self._policy.days("ck_window_d"), went.latest
        near = (
            found.state.positive
            and latest is not None
            and any(abs((one.day - latest.collected.day).days) <= window for one in reversed(graded) if one.positive)
        )
        trend = Course(graded, core.cks, anchor, self._policy).trend(found, self._history.told)
        return msgspec.structs.replace(found, trend=trend, beside_ck=near)

    # ---------------------------------------------------------------- companions, context

    def _identity(self) -> tuple[Raised, ...]:
        """What disagrees with the stored patient holds everything (C10.36)."""
        disagreement = self._history.identity
        return (Raised(code="IDENTITY_MISMATCH", analyte="", hold=True, text=disagreement),) if disagreement else ()

    def _stands_for_anchor(self, raised: Sequence[Raised]) -> date:
        """Without a usable result of C10.1 the newest of all others says what is current; without any, today does."""
        held = self._held
        days = [one.day for one in raised if one.day is not None]
        days += [one.collected.day for one in (*held.settled.pending, *held.of[Analyte.OTHER_MSA])]
        return max((day for day in days if day <= self._history.today), default=self._history.today)

    def _alive(self, result: Result, anchor: date) -> bool:
        return (anchor - result.collected.day).days <= self._policy.days("expiry_d")

    def _others(self, anchor: date) -> _Others:
        graded = [(one, category(one)) for one in self._held.of[Analyte.OTHER_MSA] if self._alive(one, anchor)]
        newest: dict[str, date] = {}
        for one, its in graded:
            if its is not None:
                newest[one.antigen] = max(one.collected.day, newest.get(one.antigen, one.collected.day))
        window = self._policy.days("aggregation_window_d")
        current = [
            (one, its) for one, its in graded if its and (newest[one.antigen] - one.collected.day).days <= window
        ]
        positive = tuple(one for one, its in current if its.positive)
        antigens = {one.antigen for one in positive}
        negative = {one.antigen: one for one, its in current if its is Category.NEG and one.antigen not in antigens}
        return _Others(positive, list(negative.values()), bool(current))

    def _in_scope(self, raised: Raised, anchor: date) -> bool:
        """Only versions that would take part in this evaluation say anything (C10.14), and a change of what a posted
        comment was written from (C10.15)."""
        if raised.day is None:
            return True
        if raised.analyte == Analyte.CK.value:
            index, window = self._core.when.index, self._policy.days("ck_window_d")
            beside = index is not None and abs((index - raised.day).days) <= window
            alive = beside or (anchor - raised.day).days <= window
        else:
            alive = (anchor - raised.day).days <= self._policy.days("expiry_d")
        return alive or (not raised.hold and not self._posted.isdisjoint(raised.refs))

    def _replaced(self, raised: Raised) -> bool:
        """The poor specimen of a result on which nothing rests any more; one that is held may still be decided on. Of a CK
        it says something only through its band (C1.4)."""
        if raised.code != "SPECIMEN_QUALITY":
            return False
        core, analyte, ref = self._core, raised.analyte, raised.refs[0]
        rests: dict[str, tuple[Result | None, ...]] = {
            Analyte.SRP.value: core.srp.results,
            Analyte.HMGCR.value: core.hmgcr.results,
            Analyte.HEP2.value: (core.hep2.result,),
            Analyte.CK.value: (core.ck.result,),
        }
        if analyte not in rests or (analyte != Analyte.CK.value and not self._categorised(analyte, ref)):
            return False
        return ref not in {one.ref for one in rests[analyte] if one is not None}

    def _categorised(self, analyte: str, ref: str) -> bool:
        """Usable, and not waiting for a number."""
        censored = {each for one in self._held.censored for each in one.refs}
        return ref not in censored and any(one.ref == ref for one in self._held.of[Analyte(analyte)])


def _known_by_context(items: Sequence[ContextItem]) -> frozenset[str]:
    return frozenset(item.value for item in items if item.kind is ContextKind.KNOWN_MSA)


def _outstanding(pending: Sequence[Result], used: Sequence[Result]) -> tuple[str, ...]:
    """The analytes in progress of the order groups that what is used belongs to; where no group was sent, all of them."""
    groups = {one.group.id for one in used if one.group.id}
    told = {one.analyte.value for one in pending if not groups or not one.group.id or one.group.id in groups}
    return tuple(sorted(told))


def _used(
    core: Core, srp: AntibodyEvidence, hmgcr: AntibodyEvidence, went: CkCourse, others: tuple[Result, ...]
) -> tuple[Result, ...]:
    """The results that the evaluation rests on: a later change of one of them changes what was said."""
    trends = [one for found in (srp, hmgcr) for one in (*found.trend.results, *found.trend.titre_results)]
    over_time = [went.low_result, went.creatinine]
    over_time += [went.latest] if went.creatinine or went.rebound is not Rebound.NONE else []
    over_time += [went.previous] if went.rebound is not Rebound.NONE else []
    every = (*srp.results, *hmgcr.results, core.hep2.result, core.ck.result, *others, *trends, *over_time)
    return tuple(one for one in every if one is not None)
