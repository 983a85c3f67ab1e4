"""From a report as sent to results that mean something: analyte, method, unit, value, limits, specimen, status.

What can be read but not understood is kept with its problem, and holds its analyte; nothing is guessed.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.terminology import CodeRow
from labbridge.model.report import Observation, Order, PlacedNote, Report
from labbridge.model.result import Analyte, ContextItem, PatientResults, Result, Unmapped
from labbridge.model.work import Feed
from labbridge.normalise import context, specimens
from labbridge.normalise.flags import AbnormalFlags
from labbridge.normalise.identify import Identified, Identifier
from labbridge.normalise.methods import Methods
from labbridge.normalise.ranges import References
from labbridge.normalise.resemblance import Resembles
from labbridge.normalise.results import OrderReading, Sighting, Tables
from labbridge.normalise.sent import continued, unit_of
from labbridge.notes import note

HOLDING = (Analyte.SRP, Analyte.HMGCR, Analyte.HEP2, Analyte.CK)  # what an unknown code of them may not pass by
OUTSIDE = "PID[1]"  # where the observations of no order stand
LONGEST_NAME = 200  # characters of a name that is listed: a test's name, not a text in its place


class Normaliser:
    """Normalises reports by one Knowledge; remembers what it has looked up of codes, names and methods."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._terminology, self._least_ml = knowledge.terminology, knowledge.policy.number("add_on_least_ml")
        self._identifier = Identifier(knowledge.terminology)
        self._resembles = Resembles(knowledge.terminology)
        self._methods = Methods(knowledge.terminology)
        self._tables = Tables(
            knowledge.terminology,
            knowledge.policy,
            References(knowledge.terminology.words),
            AbnormalFlags(knowledge.terminology),
        )

    def __call__(
        self, report: Report, feed: Feed, received: datetime, ref: str
    ) -> tuple[PatientResults, tuple[PlacedNote, ...]]:
        """The results of a report received at a moment; `ref` names the message. Notes carry code and place only."""
        results: list[Result] = []
        sorted_out = _Sorted([], [], [])
        for order in (*report.orders, *_outside(report)):
            sightings = self._sort(report, order, feed, received, sorted_out)
            if not sightings:
                continue
            tube = specimens.tube(order, self._terminology, self._least_ml)
            if tube.control:
                sorted_out.notes.append(note("N108", order.at))
                continue
            reading = OrderReading(report, order, tube, feed, received, ref, self._tables)
            results += reading.results(sightings)
            sorted_out.notes += reading.notes
        found = PatientResults(
            lane=report.lane,
            patient=report.patient,
            results=tuple(results),
            context=tuple(sorted_out.facts),
            unmapped=tuple(sorted_out.unmapped),
        )
        return found, tuple(sorted_out.notes)

    def _sort(
        self, report: Report, order: Order, feed: Feed, received: datetime, sorted_out: _Sorted
    ) -> list[Sighting]:
        """The order's observations of our analytes, and of those that may be; its context facts and the codes that no
        table names go to `sorted_out`."""
        sightings: list[Sighting] = []
        stated = report.sent.moment if report.sent else received
        specimen = tuple(coding for one in order.specimens for coding in one.type)
        outside = order.at == OUTSIDE
        for observation in continued(order.observations, sorted_out.notes):
            unit = unit_of(observation)
            found = self._identifier.identify(report.sender, observation.codes, unit, specimen)
            if found.context is not None:
                read = context.items(observation, found.context, stated, self._terminology.words)
                if not read and observation.values:
                    sorted_out.notes.append(note("N201", f"{observation.at}-5"))
                sorted_out.facts += read
            elif found.analyte is None or found.code is None:
                sightings += self._unmapped(observation, order, found, sorted_out)
            else:
                method = self._methods.of(observation, found.code, found.analyte.analyte, feed)
                if outside:
                    sorted_out.notes.append(note("N110", observation.at))
                sightings.append(Sighting(observation, unit, found.analyte, found.code, method, mapped=not outside))
        return sightings

    def _unmapped(
        self, observation: Observation, order: Order, found: Identified, sorted_out: _Sorted
    ) -> list[Sighting]:
        """A code that no table names, or whose name contradicts it: listed, and sighted where it may be one of ours."""
        named = " ".join(coding.display for coding in order.service)
        like = None if found.not_ours else self._resembles.of(observation.codes, unit_of(observation), named)
        row = self._terminology.analytes[like.analyte] if like is not None else None
        ours = row is not None and row.analyte in HOLDING
        if not found.not_ours:
            sorted_out.unmapped.append(listed(observation, row.id if ours and row is not None else ""))
        if found.note != "N101":
            sorted_out.notes.append(note(found.note, f"{observation.at}-3"))
        if row is None or not ours:
            return []
        sorted_out.notes.append(note("N111", f"{observation.at}-3"))
        code = CodeRow(code=observation.codes[0].code if observation.codes else "", analyte=row.id)
        return [Sighting(observation, unit_of(observation), row, code, None, mapped=False)]


class _Sorted(msgspec.Struct):
    """What the observations of a report are beside results, in order of appearance."""

    facts: list[ContextItem]
    unmapped: list[Unmapped]
    notes: list[PlacedNote]


def _outside(report: Report) -> list[Order]:
    """Observations about the patient, as of an order that has no numbers: its facts are read, and a result of ours among
    them is held, because no comment could be addressed to it."""
    return [Order(at=OUTSIDE, observations=report.observations)] if report.observations else []


def listed(observation: Observation, may_be: str) -> Unmapped:
    """The code as it is listed: by its first coding, and by its name where that has no code."""
    first = observation.codes[0] if observation.codes else None
    code, system, name = (first.code, first.system, first.display) if first else ("", "", "")
    name = name[:LONGEST_NAME]
    return Unmapped(
        system=system, code=code, label="" if code else name, name=name, unit=unit_of(observation), may_be=may_be
    )
