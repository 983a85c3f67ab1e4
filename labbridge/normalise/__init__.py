"""From a report as sent to results that mean something: analyte, method, unit, value, limits, specimen, status.

What can be read but not understood is kept with its problem, and holds its analyte; nothing is guessed.
"""

from __future__ import annotations

from datetime import datetime

from labbridge.knowledge.build import Knowledge
from labbridge.model.report import Observation, Order, PlacedNote, Report
from labbridge.model.result import ContextItem, PatientResults, Result, Unmapped
from labbridge.model.work import Feed
from labbridge.normalise import context, specimens
from labbridge.normalise.identify import Identifier
from labbridge.normalise.methods import Methods
from labbridge.normalise.results import OrderReading, Sighting
from labbridge.normalise.sent import continued, unit_of
from labbridge.notes import note

LONGEST_NAME = 200  # characters of a name that is listed: a test's name, not a text in its place


class Normaliser:
    """Normalises reports by one Knowledge; remembers what it has looked up of codes and methods."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._terminology, self._policy = knowledge.terminology, knowledge.policy
        self._identifier = Identifier(knowledge.terminology)
        self._methods = Methods(knowledge.terminology)

    def __call__(
        self, report: Report, feed: Feed, received: datetime, ref: str
    ) -> tuple[PatientResults, tuple[PlacedNote, ...]]:
        """The results of a report received at a moment; `ref` names the message. Notes carry code and place only."""
        results: list[Result] = []
        facts: list[ContextItem] = []
        notes: list[PlacedNote] = []
        unmapped: list[Unmapped] = []
        for order in report.orders:
            sightings, stated = self._sort(report, order, feed, unmapped=unmapped, notes=notes, received=received)
            facts += stated
            if not sightings:
                continue
            tube = specimens.tube(order, self._terminology.words)
            if tube.control:
                notes.append(note("N108", order.at))
                continue
            reading = OrderReading(report, order, tube, feed, received, ref, self._terminology, self._policy)
            results += reading.results(sightings)
            notes += reading.notes
        found = PatientResults(
            lane=report.lane,
            patient=report.patient,
            results=tuple(results),
            context=tuple(facts),
            unmapped=tuple(unmapped),
        )
        return found, tuple(notes)

    def _sort(
        self,
        report: Report,
        order: Order,
        feed: Feed,
        *,
        unmapped: list[Unmapped],
        notes: list[PlacedNote],
        received: datetime,
    ) -> tuple[list[Sighting], list[ContextItem]]:
        """The order's observations of our analytes, and its context facts; the rest is listed as unmapped."""
        sightings: list[Sighting] = []
        facts: list[ContextItem] = []
        stated = report.sent.moment if report.sent else received
        specimen = tuple(coding for one in order.specimens for coding in one.type)
        for observation in continued(order.observations, notes):
            found = self._identifier.identify(report.sender, observation.codes, unit_of(observation), specimen)
            if found.context is not None:
                read = context.items(observation, found.context, stated, self._terminology.words)
                if not read and observation.values:
                    notes.append(note("N201", f"{observation.at}-5"))
                facts += read
            elif found.analyte is None or found.code is None:
                unmapped.append(_unmapped(observation))
                if found.note != "N101":
                    notes.append(note(found.note, f"{observation.at}-3"))
            else:
                method = self._methods.of(observation, found.code, found.analyte.analyte, feed)
                sightings.append(Sighting(observation, found.analyte, found.code, method))
        return sightings, facts


def _unmapped(observation: Observation) -> Unmapped:
    """The code as it is listed: by its first coding, and by its name where that has no code."""
    first = observation.codes[0] if observation.codes else None
    code, system, name = (first.code, first.system, first.display) if first else ("", "", "")
    name = name[:LONGEST_NAME]
    return Unmapped(system=system, code=code, label="" if code else name, name=name, unit=unit_of(observation))
