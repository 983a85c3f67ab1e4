"""Bundles, reports and single results as reports of the laboratory: every element this service reads, exactly as its sender
wrote it. Nothing behind this module knows which wire a result came on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import tzinfo
from functools import cached_property

import msgspec

from labbridge import times
from labbridge.fhir import facts, observations, structure, whose
from labbridge.fhir.contents import Node, outer
from labbridge.fhir.observations import codings, concept_text
from labbridge.fhir.resources import (
    UNSENT,
    Annotation,
    Component,
    Device,
    DiagnosticReport,
    Observation,
    Organization,
    Patient,
    Period,
    Reference,
    ServiceRequest,
    Specimen,
)
from labbridge.fhir.whose import entity, number
from labbridge.model.report import EntityId, Order, Report, Timestamp
from labbridge.model.report import Observation as Line
from labbridge.model.report import Patient as Who
from labbridge.model.report import Specimen as Tube
from labbridge.model.work import Feed
from labbridge.notes import note

SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
"""Patient.gender as table 0001 has it (v2-to-FHIR, ConceptMap of table 0001)."""
WITHDRAWN = "entered-in-error"


def read_reports(raw: bytes, feed: Feed, refused: Collection[int] = (), known: Collection[int] = ()) -> list[Report]:
    """The reports of a body, one per patient (lane), in order of appearance. Unfit as receiving would.

    `refused`: entries that are not looked at. `known`: entries whose results are held already, from another body.
    """
    envelope = structure.read_structure(raw, feed, refused)
    reading = _Reading(envelope, feed, known)
    return [reading.report(lane) for lane in envelope.lanes]


class _Reading:
    """The body being read, with what counts for all of it."""

    def __init__(self, envelope: structure.Envelope, feed: Feed, known: Collection[int] = ()) -> None:
        self._envelope, self._feed, self._contents = envelope, feed, envelope.contents
        self._zone: tzinfo = times.zone(feed.timezone)
        self._local = frozenset(feed.local_systems)
        self._used = {node.at for node in envelope.contents.nodes if node.entry in known}  # what no order takes (again)

    @cached_property
    def _by_lane(self) -> defaultdict[str, list[Node]]:
        found: defaultdict[str, list[Node]] = defaultdict(list)
        for node in self._contents.nodes:
            if node.at in self._envelope.owners:
                found[self._envelope.owners[node.at]].append(node)
        return found

    def report(self, lane: str) -> Report:
        envelope, found = self._envelope, self._contents
        own = self._by_lane[lane]
        who = self._patient(lane, own)
        orders = () if envelope.identity else tuple(self._orders(own))
        notes = (
            ()
            if who.identifiers or envelope.identity
            else (note("N019", f"{own[0].at if own else found.kind}.subject"),)
        )
        return Report(
            feed=self._feed.name,
            sender=envelope.sender,
            control_id=envelope.sent_id,
            message_type=envelope.message_type,
            version="4.0",
            sent=self._sent(own),
            lane=lane,
            patient=who,
            orders=orders,
            observations=tuple(facts.lines(own, self._local, self._time)) if not envelope.identity else (),
            identity=envelope.identity,
            notes=notes,
        )

    def _sent(self, own: Iterable[Node]) -> Timestamp | None:
        """The Bundle's time; of a single resource the newest time of its issue."""
        if self._contents.bundle is not None and self._contents.bundle.timestamp:
            return self._time(self._contents.bundle.timestamp)
        issued = [self._time(getattr(node.resource, "issued", "")) for node in own]
        return max((one for one in issued if one is not None), key=lambda one: one.moment, default=None)

    # ---- patient

    def _patient(self, lane: str, own: list[Node]) -> Who:
        if lane in self._envelope.people:
            return self._person(self._envelope.people[lane])
        named = (whose.patient_of(self._contents, node, self._feed) for node in own)
        return Who(identifiers=next(filter(None, named), ()))

    def _person(self, node: Node) -> Who:
        patient = node.resource
        assert isinstance(patient, Patient)
        name = next((one for one in patient.name if one.use == "official"), next(iter(patient.name), None))
        given = next((one for one in name.given if one), "") if name is not None else ""
        return Who(
            identifiers=whose.identifiers(node, self._feed),
            family_name=name.family if name is not None else "",
            given_name=given,
            birth_date=times.birth_date(patient.birth_date),
            sex=SEX.get(patient.gender, ""),
        )

    # ---- orders

    def _orders(self, own: list[Node]) -> Iterator[Order]:
        """Reports with their results, then panels with their members, then what stands alone. A result that a report in
        force holds is not withdrawn with another report."""
        for node in sorted(own, key=_withdrawn):
            if isinstance(node.resource, DiagnosticReport) and node.at not in self._used:
                members = self._members(node, node.resource.result)
                yield from self._grouped(node, members)
        panels = [node for node in own if isinstance(node.resource, Observation) and node.resource.has_member]
        for node in panels:
            if node.at not in self._used:
                assert isinstance(node.resource, Observation)
                self._used.add(node.at)
                yield from self._grouped(node, [node, *self._members(node, node.resource.has_member)])
        for node in own:
            if isinstance(node.resource, Observation) and node.at not in self._used:
                yield from self._grouped(node, [node])

    def _members(self, holder: Node, references: Iterable[Reference], depth: int = 0) -> list[Node]:
        """The results that a report or a panel refers to in this body, panels opened; each once."""
        found: list[Node] = []
        for reference in references:
            node = self._contents.resolve(holder, reference)
            if node is None or not isinstance(node.resource, Observation) or node.at in self._used:
                continue
            if self._owner(node) != self._owner(holder):  # a holder of several patients, that names none of them
                continue
            self._used.add(node.at)
            found.append(node)
            if depth < whose.LEVELS:
                found += self._members(node, node.resource.has_member, depth + 1)
        return found

    def _owner(self, node: Node) -> str:
        return self._envelope.owners[outer(node)]

    def _grouped(self, holder: Node, members: list[Node]) -> Iterator[Order]:
        """The order of a report, panel or single result: one for each specimen its results are of."""
        by_specimen: dict[str, tuple[Node | None, list[Node]]] = {}
        for node in members:
            specimen = whose.specimen_of(self._contents, node)
            by_specimen.setdefault(specimen.at if specimen else "", (specimen, []))[1].append(node)
        for specimen, some in by_specimen.values() or [(None, [])]:
            yield self._order(holder, specimen or whose.specimen_of(self._contents, holder), some)

    def _order(self, holder: Node, specimen: Node | None, members: list[Node]) -> Order:
        head = holder.resource
        assert isinstance(head, DiagnosticReport | Observation)
        tube = self._tube(specimen) if specimen is not None else None
        request = self._request(holder, head.based_on)
        effective = head.effective_date_time or _start(head.effective_period)
        effective = effective or (head.effective_instant if isinstance(head, Observation) else "")
        lines = [line for node in members for line in self._lines(node, _withdrawn(holder))]
        return Order(
            at=holder.at,
            placer=entity(head.identifier, self._feed, "PLAC") or (request.placer if request else EntityId()),
            filler=entity(head.identifier, self._feed, "FILL", ""),
            group=request.group if request else EntityId(),
            service=codings(head.code, self._local),
            collected=(tube.collected if tube else None) or self._time(effective),
            received=tube.received if tube else None,
            reported=self._time(head.issued),
            clinical_info=request.why if request else "",
            observations=tuple(lines),
            specimens=(tube,) if tube else (),
        )

    def _request(self, holder: Node, based_on: Iterable[Reference]) -> _Request | None:
        """The order that a result was made for: its number, and why it was asked for."""
        for reference in based_on:
            node = self._contents.resolve(holder, reference)
            if node is not None and isinstance(node.resource, ServiceRequest):
                asked = node.resource
                why = "; ".join(filter(None, map(concept_text, asked.reason_code)))
                return _Request(
                    entity(asked.identifier, self._feed, "PLAC", ""), number(asked.requisition, self._feed), why
                )
            if reference.identifier is not None:
                return _Request(number(reference.identifier, self._feed))
        return None

    def _tube(self, node: Node) -> Tube:
        specimen = node.resource
        assert isinstance(specimen, Specimen)
        taken = specimen.collection
        volume = taken.quantity if taken is not None else None
        return Tube(
            placer=entity(specimen.identifier, self._feed, "PLAC"),
            filler=number(specimen.accession_identifier, self._feed)
            or entity(specimen.identifier, self._feed, "FILL", ""),
            type=codings(specimen.type, self._local),
            condition=tuple(one for concept in specimen.condition for one in codings(concept)),
            notes=_texts(specimen.note),
            volume=observations.digits(volume.value) if volume is not None and volume.value is not UNSENT else "",
            volume_unit=(volume.code or volume.unit) if volume is not None else "",
            collected=self._time(taken.collected_date_time or _start(taken.collected_period)) if taken else None,
            received=self._time(specimen.received_time),
        )

    # ---- results

    def _lines(self, node: Node, withdrawn: bool) -> Iterator[Line]:
        """An Observation and its components, each a line of the order. A panel that says nothing itself is none."""
        sent = node.resource
        assert isinstance(sent, Observation)
        status = WITHDRAWN if withdrawn else sent.status
        own = self._line(sent, sent, node.at, status, node)
        if own.values or not (sent.component or sent.has_member):
            yield own
        for place, part in enumerate(sent.component):
            yield self._line(sent, part, f"{node.at}.component[{place}]", status, node)

    def _line(self, sent: Observation, part: Observation | Component, at: str, status: str, node: Node) -> Line:
        effective = sent.effective_date_time or _start(sent.effective_period) or sent.effective_instant
        return msgspec.structs.replace(
            observations.line(part, at, self._local),
            status=status,
            methods=codings(sent.method, self._local),
            equipment=self._equipment(node, sent.device),
            observed=self._time(effective),
            analysed=self._time(sent.issued),
            laboratory=self._laboratory(node, sent.performer),
            notes=_texts(sent.note) if part is sent else (),
            number=entity(sent.identifier, self._feed, "FILL", "", "PLAC") or EntityId(),
        )

    def _equipment(self, node: Node, reference: Reference | None) -> tuple[str, ...]:
        """What a result was made with, by name."""
        if reference is None:
            return ()
        target = self._contents.resolve(node, reference)
        if target is None or not isinstance(target.resource, Device):
            return (reference.display,) if reference.display else ()
        device = target.resource
        names = [one.name for one in device.device_name if one.name] or [concept_text(device.type)]
        return tuple(filter(None, names))

    def _laboratory(self, node: Node, performers: Iterable[Reference]) -> str:
        """The performing laboratory: an Organization's name, else what the first reference shows."""
        shown = ""
        for reference in performers:
            target = self._contents.resolve(node, reference)
            if target is not None and isinstance(target.resource, Organization):
                return target.resource.name
            shown = shown or reference.display
        return shown

    def _time(self, text: str) -> Timestamp | None:
        return times.timestamp(text, self._zone) if text else None


class _Request(msgspec.Struct, frozen=True):
    placer: EntityId
    group: EntityId = EntityId()
    why: str = ""


def _withdrawn(node: Node) -> bool:
    return isinstance(node.resource, DiagnosticReport) and node.resource.status == WITHDRAWN


def _start(period: Period | None) -> str:
    return (period.start or period.end) if period is not None else ""


def _texts(notes: Iterable[Annotation]) -> tuple[str, ...]:
    return tuple(one.text for one in notes if one.text.strip())
