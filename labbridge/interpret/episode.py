"""The episode: everything one evaluation rests on, from a patient's history (clinical.md C1-C3, C10.1)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from labbridge.interpret import ck, course
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
        raised = tuple(one for one in found if self._in_scope(one, core.when) and not self._replaced(one))
        positive, negative = self._others(anchor or self._history.today)
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
        near = latest is not None and any(
            abs((one.day - latest.collected.day).days) <= window for one in graded if one.positive
        )
        trend = Course(graded, core.cks, anchor, self._policy).trend(found, self._history.told)
        return msgspec.structs.replace(found, trend=trend, beside_ck=found.state.positive and near)

    # ---------------------------------------------------------------- companions, context

    def _identity(self) -> tuple[Raised, ...]:
        """What disagrees with the stored patient holds everything (C10.36)."""
        disagreement = self._history.identity
        return (Raised(code="IDENTITY_MISMATCH", analyte="", hold=True, text=disagreement),) if disagreement else ()

    def _alive(self, result: Result, anchor: date | None) -> bool:
        return anchor is None or (anchor - result.collected.day).days <= self._policy.days("expiry_d")

    def _others(self, anchor: date | None) -> tuple[tuple[Result, ...], list[Result]]:
        """Other myositis-specific antibodies of the episode: positive ones, and one result for each antigen negative."""
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
        return positive, list(negative.values())

    def _in_scope(self, raised: Raised, when: ck.When) -> bool:
        """Only versions that would take part in this evaluation say anything (C10.14), and a change of what a posted
        comment was written from (C10.15)."""
        if when.anchor is None or raised.day is None:
            return True
        if raised.analyte == Analyte.CK.value:
            near = min((day - raised.day).days for day in (when.anchor, when.index) if day is not None)
            alive = near <= self._policy.days("ck_window_d")
        else:
            alive = (when.anchor - raised.day).days <= self._policy.days("expiry_d")
        return alive or (not raised.hold and not self._posted.isdisjoint(raised.refs))

    def _replaced(self, raised: Raised) -> bool:
        """The poor specimen of an antibody result on which its state no longer rests."""
        if raised.code != "SPECIMEN_QUALITY":
            return False
        one = next((one for one in (self._core.srp, self._core.hmgcr) if one.analyte == raised.analyte), None)
        if one is None:
            return False
        graded = {each.result.ref for each in self._held.graded[one.analyte].all}
        return not graded.isdisjoint(raised.refs) and raised.refs[0] not in {each.ref for each in one.results}


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
