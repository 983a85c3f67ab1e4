"""What is held of a patient, settled (C1) and graded (C2) once, and looked at as of any day (clinical.md C2, C3, C10.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from operator import attrgetter
from typing import Generic, TypeVar

import msgspec

from labbridge.interpret import ck, course, hep2, validity
from labbridge.interpret.aggregate import Graded, aggregate, graded, once_positive
from labbridge.interpret.categories import category
from labbridge.interpret.evidence import (
    AntibodyEvidence,
    AntibodyState,
    CkEvidence,
    Hep2Evidence,
    Hep2State,
    Raised,
)
from labbridge.knowledge.policy import Policy
from labbridge.model.history import History
from labbridge.model.result import Analyte, Category, ContextItem, ContextKind, Result

T = TypeVar("T")
ANTIBODIES = (Analyte.SRP, Analyte.HMGCR)
_UNSETTLED = (AntibodyState.POS_LOW, AntibodyState.POS_STRONG, AntibodyState.EQUIVOCAL)


class Core(msgspec.Struct, frozen=True):
    """What the core table reads, as of the newest result up to a day. `cks` are the valid ones, `doubted` those set aside
    as too low (O3)."""

    when: ck.When
    srp: AntibodyEvidence
    hmgcr: AntibodyEvidence
    hep2: Hep2Evidence
    ck: CkEvidence = CkEvidence()
    cks: tuple[Result, ...] = ()
    doubted: tuple[course.Doubted, ...] = ()


class InTime(Generic[T]):
    """Things of a day, given oldest first."""

    def __init__(self, things: list[T], day: Callable[[T], date]) -> None:
        self.all = things
        self.days = [day(one) for one in things]

    def until(self, last: date | None, first: date | None = None) -> list[T]:
        """Those up to a day, from another day on."""
        end = len(self.days) if last is None else bisect_right(self.days, last)
        return self.all[0 if first is None else bisect_left(self.days, first) : end]

    def newest(self, last: date | None) -> date | None:
        """The day of the newest one up to a day."""
        end = len(self.days) if last is None else bisect_right(self.days, last)
        return self.days[end - 1] if end else None


class Held:
    """A history's results by analyte, and its context. `graded`: the antibody results with their category."""

    def __init__(self, history: History, policy: Policy) -> None:
        self.history, self.policy = history, policy
        self.settled = validity.settle(history.results, history.today, history.decided, policy)
        self.of: dict[Analyte, list[Result]] = {analyte: [] for analyte in Analyte}
        for result in self.settled.usable:
            self.of[result.analyte].append(result)
        for results in self.of.values():
            ck.put_in_order(results)
        self.censored: list[Raised] = []
        self.graded = {analyte: InTime(self._grade(analyte), _graded_day) for analyte in ANTIBODIES}
        for other in self.of[Analyte.OTHER_MSA]:
            if category(other) is None:
                self._leave_open(other)
        self.slides = InTime(self.of[Analyte.HEP2], _day)
        self.cks = InTime(self.of[Analyte.CK], _day)
        self._context = _latest(history.context)
        self._infusions = [
            date.fromisoformat(one.value) for one in history.context if one.kind is ContextKind.IVIG_DATE
        ]

    def _grade(self, analyte: Analyte) -> list[Graded]:
        """The usable results with their category; a comparator that leaves it open holds (C1.6)."""
        found = []
        for result in self.of[analyte]:
            its = category(result)
            if its is not None:
                found.append(graded(result, its))
            else:
                self._leave_open(result)
        return found

    def _leave_open(self, result: Result) -> None:
        if result.ref not in self.history.decided:
            raised = Raised(
                code="RESULT_CENSORED",
                analyte=result.analyte.value,
                refs=(result.ref,),
                hold=True,
                day=result.collected.day,
            )
            self.censored.append(raised)

    # ---------------------------------------------------------------- as of a day

    def days(self) -> list[date]:
        """The collection days of usable antibody, HEp-2 and CK results, in order; the last is the anchor (C10.1)."""
        tested = (one.days for one in self.graded.values())
        return sorted({*self.slides.days, *self.cks.days, *chain.from_iterable(tested)})

    def core(self, known: frozenset[str], until: date | None = None) -> Core:
        """The evidence of the core table from the results collected up to a day (None: all), as of the last of them.

        As of an earlier day only what can reach the core table is looked at: state and confirmation of the antibodies, HEp-2
        and CK.
        """
        return self.with_ck(self.serology(known, until), until)

    def serology(self, known: frozenset[str], until: date | None = None) -> Core:
        """The same without CK."""
        index = _newest(self.slides.newest(until), *(one.newest(until) for one in self.graded.values()))
        anchor = _newest(index, self.cks.newest(until))
        oldest = self._oldest(anchor)
        index = index if index is not None and oldest is not None and index >= oldest else None
        srp, hmgcr = (self._antibody(analyte, known, anchor, until) for analyte in ANTIBODIES)
        slide = self._slide(hep2.evidence(self.slides.until(until, oldest), self.policy), anchor)
        when = ck.When(index, anchor, self.history.today if until is None else anchor or until)
        return Core(when, srp, hmgcr, slide)

    def with_ck(self, core: Core, until: date | None = None) -> Core:
        """The evidence with the CK of its window; what is too low to be true is set aside."""
        srp, hmgcr, anchor = core.srp, core.hmgcr, core.when.anchor
        first = None
        if until is not None and anchor is not None:
            first = _back(anchor, self.policy.days("expiry_d") + self.policy.days("ck_window_d"))
        every = self.cks.until(until, first)
        if not every:
            return core
        doubted = course.too_low(
            every,
            self.creatinines(),
            self.history.patient,
            beside_strong=lambda day: self._beside_strong(core, day, until),
            policy=self.policy,
        )
        aside = {one.result.ref for one in doubted}
        cks = [one for one in every if one.ref not in aside] if aside else every
        unsettled = srp.state in _UNSETTLED or hmgcr.state in _UNSETTLED
        found = ck.evidence(
            self._reaching(cks, core.when),
            self.policy,
            when=core.when,
            monitoring=_monitoring(srp, hmgcr),
            recentre=not unsettled,
        )
        return Core(core.when, srp, hmgcr, core.hep2, found, tuple(cks), tuple(doubted))

    def _beside_strong(self, core: Core, day: date, until: date | None) -> bool:
        """Whether an antibody is strong beside a CK of that day: by its state where the CK belongs to the episode, else by
        the results of the time (O3)."""
        window = self.policy.days("ck_window_d")
        if any(one is not None and abs((one - day).days) <= window for one in (core.when.anchor, core.when.index)):
            return AntibodyState.POS_STRONG in (core.srp.state, core.hmgcr.state)
        near = (one for tested in self.graded.values() for one in tested.until(until))
        return any(one.category is Category.POS_STRONG and abs((one.day - day).days) <= window for one in near)

    def _reaching(self, cks: list[Result], when: ck.When) -> list[Result]:
        """The CKs that can take part: those of the windows, and those that may make one of them persistent."""
        centre = when.index or when.today
        reach = self.policy.days("ck_persistent_most_d") + 2 * self.policy.days("ck_window_d")
        first = _back(min(centre, when.anchor or centre), reach)
        return [one for one in cks if one.collected.day >= first]

    def _oldest(self, anchor: date | None) -> date | None:
        """The first day whose results still count (C10.1)."""
        return None if anchor is None else _back(anchor, self.policy.days("expiry_d"))

    def _antibody(
        self, analyte: Analyte, known: frozenset[str], anchor: date | None, until: date | None
    ) -> AntibodyEvidence:
        ours, ivig = self.graded[analyte], self.ivig(anchor)
        alive = ours.until(until, self._oldest(anchor))
        found = aggregate(analyte, alive, known=analyte.value in known, ivig=ivig, policy=self.policy)
        if until is not None and ivig is None:
            return found
        every = ours.until(until)
        negative = found.state is AntibodyState.NEG
        partner_on_file = any(
            one.newest(until) is not None for other, one in self.graded.items() if other is not analyte
        )
        return msgspec.structs.replace(
            found,
            prior=bool(every),
            passive=found.state.positive and not found.known and self._newly_positive(every, found, ivig),
            once_positive=negative and once_positive(analyte, every, ivig=ivig, policy=self.policy),
            partner_tested=partner_on_file or self.stated(ContextKind.KNOWN_MSA_PARTNER) == "Y",
        )

    def _newly_positive(self, ours: Sequence[Graded], found: AntibodyEvidence, ivig: date | None) -> bool:
        """Its newest positive lies within the window of an infusion, and there was none before it (C6 O1, C10.6)."""
        if ivig is None or any(one.reactive and one.day < ivig for one in ours):
            return False
        behind = {one.ref for one in found.results}
        newest = max((one.day for one in ours if one.positive and one.result.ref in behind), default=None)
        return newest is not None and self._after_ivig(newest, ivig)

    def _after_ivig(self, day: date, ivig: date | None) -> bool:
        return ivig is not None and 0 <= (day - ivig).days <= self.policy.days("ivig_window_d")

    def _slide(self, found: Hep2Evidence, anchor: date | None) -> Hep2Evidence:
        """The HEp-2 finding, and whether an infusion may have brought its cytoplasm (O1)."""
        ivig = self.ivig(anchor)
        if ivig is None or found.state is not Hep2State.CYTO_COMPAT or found.result is None:
            return found
        return msgspec.structs.replace(found, passive=self._after_ivig(found.result.collected.day, ivig))

    # ---------------------------------------------------------------- context

    def creatinines(self) -> list[Result]:
        """None counts during a recorded pregnancy (C10.28)."""
        return [] if self.stated(ContextKind.PREGNANT) == "Y" else self.of[Analyte.CREATININE]

    def stated(self, kind: ContextKind) -> str:
        """What was stated last of a kind of context; empty where nothing was."""
        found = self._context.get(kind)
        return found.value if found else ""

    def ivig(self, anchor: date | None) -> date | None:
        """The last infusion up to the anchor: a later one can have changed nothing; else the last one."""
        before = [day for day in self._infusions if anchor is None or day <= anchor]
        return max(before or self._infusions, default=None)


def _latest(items: Sequence[ContextItem]) -> dict[ContextKind, ContextItem]:
    return {item.kind: item for item in sorted(items, key=lambda item: (item.stated, item.value))}


def _newest(*days: date | None) -> date | None:
    return max((day for day in days if day is not None), default=None)


def _day(one: Result) -> date:
    return one.collected.day


_graded_day = attrgetter("day")


def _monitoring(srp: AntibodyEvidence, hmgcr: AntibodyEvidence) -> bool:
    """An antibody is known, and the other is not new: then the latest CK counts, not the highest."""
    return any(
        one.known and not (not other.known and other.state in _UNSETTLED) for one, other in ((srp, hmgcr), (hmgcr, srp))
    )


def _back(day: date, days: int) -> date:
    return date.fromordinal(max(1, day.toordinal() - days))
