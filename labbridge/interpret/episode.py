"""The episode: everything one evaluation rests on, from a patient's history (clinical.md C1-C3, C10.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import msgspec

from labbridge.interpret import ck, hep2, validity
from labbridge.interpret.aggregate import Graded, aggregate, once_positive
from labbridge.interpret.categories import category
from labbridge.interpret.evidence import AntibodyEvidence, AntibodyState, Episode, Hep2Evidence, Raised
from labbridge.interpret.validity import Settled
from labbridge.knowledge.policy import Policy
from labbridge.model.history import History
from labbridge.model.result import Analyte, Category, ContextItem, ContextKind, Result

_UNSETTLED = (AntibodyState.POS_LOW, AntibodyState.POS_STRONG, AntibodyState.EQUIVOCAL)


def episode(history: History, policy: Policy, known: frozenset[str] = frozenset()) -> Episode:
    """The evidence of a history as of its day. `known`: antibodies known from the results held (C10.5 b)."""
    settled = validity.settle(history.results, history.today, history.decided, policy)
    return _Evaluation(history, settled, policy, known).episode()


def before(history: History, day: date) -> History:
    """The history as it stood with the results collected up to a day, evaluated as of the last of them (C10.5 b)."""
    results = tuple(one for one in history.results if one.collected.day <= day)
    last = max((one.collected.day for one in results), default=day)
    context = tuple(one for one in history.context if one.kind is ContextKind.IVIG_DATE)
    return msgspec.structs.replace(history, results=results, context=context, posted=(), known=frozenset(), today=last)


class _Evaluation:
    """One evaluation: the settled results by analyte, and what its parts need of each other."""

    def __init__(self, history: History, settled: Settled, policy: Policy, known: frozenset[str]) -> None:
        self._history, self._settled, self._policy = history, settled, policy
        self._facts = _latest_context(history.context)
        self._censored: list[Raised] = []
        self._graded: dict[Analyte, list[Graded]] = {}
        self._of: dict[Analyte, list[Result]] = {analyte: [] for analyte in Analyte}
        for result in settled.usable:
            self._of[result.analyte].append(result)
        self._known = known | history.known | _known_by_context(history.context)
        self._pending = frozenset(one.analyte for one in settled.pending)
        self._posted = frozenset(ref for comment in history.posted for ref in comment.used)

    def episode(self) -> Episode:
        antibodies = {analyte: self._grade(analyte) for analyte in (Analyte.SRP, Analyte.HMGCR)}
        specific = [one.result for graded in antibodies.values() for one in graded] + self._of[Analyte.HEP2]
        anchor = max((one.collected.day for one in (*specific, *self._of[Analyte.CK])), default=None)
        srp = self._antibody(Analyte.SRP, antibodies, anchor)
        hmgcr = self._antibody(Analyte.HMGCR, antibodies, anchor)
        fluorescence = hep2.evidence([one for one in self._of[Analyte.HEP2] if self._alive(one, anchor)], self._policy)
        current = [one for one in specific if self._alive(one, anchor)]
        index = max((one.collected.day for one in current), default=None)
        unsettled = srp.state in _UNSETTLED or hmgcr.state in _UNSETTLED
        when = ck.When(index, anchor, self._history.today)
        monitoring = _monitoring(srp, hmgcr)
        creatine = ck.evidence(
            self._of[Analyte.CK], self._policy, when=when, monitoring=monitoring, recentre=not unsettled
        )
        found = (*self._settled.raised, *self._censored, *self._identity())
        raised = tuple(one for one in found if self._in_scope(one, when))
        creatine = msgspec.structs.replace(creatine, pending=self._waits(Analyte.CK, raised))
        positive, negative = self._others(anchor)
        return Episode(
            today=self._history.today,
            anchor=anchor,
            srp=self._with_waiting(srp, raised),
            hmgcr=self._with_waiting(hmgcr, raised),
            hep2=msgspec.structs.replace(fluorescence, pending=self._waits(Analyte.HEP2, raised)),
            ck=creatine,
            other_positive=positive,
            other_negative=len(negative),
            other_pending=Analyte.OTHER_MSA in self._pending,
            synthetase_negative=any(one.synthetase for one in negative),
            suspicion=self._stated(ContextKind.SUSPECT_IIM) == "Y",
            suspicion_implied=srp.prior or hmgcr.prior or fluorescence.unspecified,
            age_years=self._history.patient.age_on(anchor or self._history.today),
            statin=self._stated(ContextKind.STATIN),
            ivig=self._ivig(),
            raised=raised,
            notes=self._settled.notes,
            used=_used(srp, hmgcr, fluorescence, creatine.result, positive),
        )

    # ---------------------------------------------------------------- antibodies

    def _grade(self, analyte: Analyte) -> list[Graded]:
        """The usable results with their category; a comparator that leaves it open holds (C1.6)."""
        found = []
        for result in self._of[analyte]:
            its = category(result)
            if its is None:
                day = result.collected.day
                if result.ref not in self._history.decided:
                    self._censored.append(
                        Raised(code="RESULT_CENSORED", analyte=analyte.value, refs=(result.ref,), hold=True, day=day)
                    )
            else:
                found.append(Graded(result, its))
        return found

    def _antibody(
        self, analyte: Analyte, antibodies: Mapping[Analyte, Sequence[Graded]], anchor: date | None
    ) -> AntibodyEvidence:
        graded, ivig = antibodies[analyte], self._ivig()
        alive = [one for one in graded if self._alive(one.result, anchor)]
        found = aggregate(analyte, alive, known=analyte.value in self._known, ivig=ivig, policy=self._policy)
        negative = found.state is AntibodyState.NEG
        partner_on_file = any(results for other, results in antibodies.items() if other is not analyte)
        return msgspec.structs.replace(
            found,
            prior=bool(graded),
            once_positive=negative and once_positive(analyte, graded, ivig=ivig, policy=self._policy),
            partner_tested=partner_on_file or self._stated(ContextKind.KNOWN_MSA_PARTNER) == "Y",
        )

    def _alive(self, result: Result, anchor: date | None) -> bool:
        return anchor is None or (anchor - result.collected.day).days <= self._policy.days("expiry_d")

    def _with_waiting(self, found: AntibodyEvidence, raised: tuple[Raised, ...]) -> AntibodyEvidence:
        return msgspec.structs.replace(found, pending=self._waits(found.analyte, raised))

    def _waits(self, analyte: Analyte, raised: tuple[Raised, ...]) -> bool:
        """Ordered and not final, or held: never reported as missing, negative or positive (C1.7)."""
        held = any(one.hold and one.analyte == analyte.value for one in raised)
        return analyte in self._pending or held

    # ---------------------------------------------------------------- companions, context

    def _identity(self) -> tuple[Raised, ...]:
        """What disagrees with the stored patient holds everything (C10.36)."""
        disagreement = self._history.identity
        return (Raised(code="IDENTITY_MISMATCH", analyte="", hold=True, text=disagreement),) if disagreement else ()

    def _others(self, anchor: date | None) -> tuple[tuple[Result, ...], list[Result]]:
        """Other myositis-specific antibodies of the episode: positive ones, and one result for each antigen negative."""
        graded = [(one, category(one)) for one in self._of[Analyte.OTHER_MSA] if self._alive(one, anchor)]
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

    def _stated(self, kind: ContextKind) -> str:
        found = self._facts.get(kind)
        return found.value if found else ""

    def _ivig(self) -> date | None:
        stated = self._stated(ContextKind.IVIG_DATE)
        return date.fromisoformat(stated) if stated else None

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


def _latest_context(items: Sequence[ContextItem]) -> dict[ContextKind, ContextItem]:
    found: dict[ContextKind, ContextItem] = {}
    for item in sorted(items, key=lambda item: (item.stated, item.value)):
        found[item.kind] = item
    return found


def _known_by_context(items: Sequence[ContextItem]) -> frozenset[str]:
    return frozenset(item.value for item in items if item.kind is ContextKind.KNOWN_MSA)


def _monitoring(srp: AntibodyEvidence, hmgcr: AntibodyEvidence) -> bool:
    """An antibody is known, and the other is not new: then the latest CK counts, not the highest."""
    return any(
        one.known and not (not other.known and other.state in _UNSETTLED) for one, other in ((srp, hmgcr), (hmgcr, srp))
    )


def _used(
    srp: AntibodyEvidence,
    hmgcr: AntibodyEvidence,
    fluorescence: Hep2Evidence,
    ck_result: Result | None,
    others: tuple[Result, ...],
) -> tuple[Result, ...]:
    found = (*srp.results, *hmgcr.results, fluorescence.result, ck_result, *others)
    return tuple(one for one in found if one is not None)
