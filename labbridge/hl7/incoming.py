"""Result messages (ORU, OUL), 2.1 to 2.9, as reports: every field this service reads, exactly as its sender wrote it."""

from __future__ import annotations

from datetime import datetime, tzinfo
from functools import lru_cache

import msgspec

from labbridge import times
from labbridge.errors import Refuse
from labbridge.hl7 import ack, escapes
from labbridge.hl7.escapes import Delimiters
from labbridge.hl7.groups import ObservationGroup, OrderGroup, PatientGroup, SpecimenGroup
from labbridge.hl7.reader import Message, Segment
from labbridge.hl7.structure import Envelope, read_structure
from labbridge.model.report import EntityId, Observation, Order, Patient, Report, Specimen, Timestamp
from labbridge.model.values import Coding, Missing, SentAttachment, SentCoding, SentStructured, SentText, SentValue
from labbridge.model.work import Feed
from labbridge.notes import note

CODED = ("CE", "CWE", "CNE", "CF")
PARAGRAPHS = ("TX", "FT")  # in TX the repetition delimiter is the paragraph break (2.5.1, OBX-2)
ATTACHED = ("ED", "RP")
NULL = '""'
CACHED_LENGTH = 200  # characters; a longer field is read each time, so that the cache stays small


def read_reports(raw: bytes, feed: Feed, received: datetime) -> list[Report]:
    """The reports of a message, one per patient (lane), in order of appearance. Raises Refuse as receive() would.

    Several patient groups of one patient are one report: a lane of work is one report. Groups that share an identifier
    and differ in birth date or sex are refused (204): whose results they are cannot be told.
    """
    del received  # a report holds only what its sender wrote
    envelope = read_structure(raw, feed)
    reading = _Reading(envelope, feed)
    reports: dict[str, Report] = {}
    for group in envelope.patients:
        for lane in group.lanes:
            report = reading.report(group, lane)
            before = reports.get(lane)
            reports[lane] = report if before is None else _joined(before, report, group.pid)
    return list(reports.values())


def _joined(first: Report, second: Report, pid: Segment | None) -> Report:
    one, other = first.patient, second.patient
    if one.birth_date != other.birth_date or one.sex != other.sex:
        text = "Two patient groups share an identifier and differ in birth date or sex"
        raise Refuse(text, code="204", location=f"PID^{pid.occurrence}^3" if pid else "")
    return msgspec.structs.replace(
        first, orders=first.orders + second.orders, observations=first.observations + second.observations
    )


class _Reading:
    """The message being read, with what counts for all of it: delimiters, zone, and the offset of MSH-7."""

    def __init__(self, envelope: Envelope, feed: Feed) -> None:
        self._envelope, self._feed = envelope, feed
        self._message: Message = envelope.message
        self._zone: tzinfo = times.zone(feed.timezone)
        self._times: dict[str, Timestamp | None] = {}
        self._offset = times.offset_of(self._message.component(self._message.msh.field(7), 1))

    def report(self, group: PatientGroup, lane: str) -> Report:
        notes = (*self._envelope.notes, *ack.notes(self._message.head, bool(self._feed.application_ack)))
        return Report(
            feed=self._feed.name,
            sender=self._envelope.sender,
            control_id=self._envelope.control_id,
            message_type=self._envelope.message_type,
            version=self._envelope.version,
            sent=self._time(self._message.msh.field(7)),
            lane=lane,
            patient=self._patient(group),
            orders=tuple(self._order(order) for order in group.orders),
            observations=tuple(self._observation(one) for one in group.observations),
            identity=self._envelope.identity,
            merged=group.lanes[1] if len(group.lanes) > 1 else "",
            raw_pid=self._message.raw(group.pid) if group.pid is not None else b"",
            notes=notes if group.identifiers else (*notes, note("N019", "PID-3")),
        )

    def _patient(self, group: PatientGroup) -> Patient:
        pid = group.pid
        if pid is None:
            return Patient(identifiers=group.identifiers)
        return Patient(
            identifiers=group.identifiers,
            family_name=self._part(pid.field(5)),
            given_name=self._part(pid.field(5), 2),
            birth_date=times.birth_date(self._part(pid.field(7))),
            sex=self._part(pid.field(8)),
        )

    def _order(self, group: OrderGroup) -> Order:
        obr, orc = group.obr, group.orc
        specimens = tuple(self._specimen(specimen) for specimen in group.specimens)
        return Order(
            at=obr.at,
            placer=self._entity(obr.field(2)) or self._entity(orc.field(2) if orc else ""),
            filler=self._entity(obr.field(3)) or self._entity(orc.field(3) if orc else ""),
            group=self._entity(orc.field(4) if orc else ""),
            service=self._codings(obr.field(4)),
            collected=self._time(obr.field(7)),
            received=self._time(obr.field(14)),
            reported=self._time(obr.field(22)),
            clinical_info=self._plain(obr.field(13)),
            status=self._part(obr.field(25)),
            notes=self._notes(group.notes),
            observations=tuple(self._observation(one) for one in group.observations),
            specimens=specimens or self._specimen_of_order(obr),
            raw_orc=self._message.raw(orc) if orc else b"",
            raw_obr=self._message.raw(obr),
        )

    def _observation(self, group: ObservationGroup) -> Observation:
        obx = group.obx
        fields = obx.fields(23)
        value_type = self._part(fields[2])
        values, missing = self._values(value_type, fields[5])
        units = self._codings(fields[6])
        return Observation(
            at=obx.at,
            codes=self._codings(fields[3]),
            sub_id=self._text(fields[4]),
            value_type=value_type,
            values=values,
            missing=missing,
            unit=units[0] if units else None,
            reference_range=self._text(fields[7]),
            flags=self._repeated_codings(fields[8]),
            flag_texts=self._original_texts(fields[8]),
            status=self._part(fields[11]),
            status_text=self._part(fields[11], 2),
            methods=self._repeated_codings(fields[17]),
            equipment=self._equipment(fields[18]),
            observed=self._time(fields[14]),
            analysed=self._time(fields[19]),
            laboratory=self._part(fields[23]) or self._part(fields[15]) or self._part(fields[15], 2),
            notes=self._notes(group.notes),
            lots=tuple(filter(None, [self._part(one.field(2)) for one in group.sids])) if group.sids else (),
            dilution=self._dilution(group.tcd) if group.tcd is not None else "",
            raw=self._message.raw(obx),
        )

    def _dilution(self, tcd: Segment) -> str:
        """The dilution a result was measured in, as sent: the automatic one, else that of the rerun, else the one made
        before (TCD-2 to 4, each an SN: `^1^:^10`)."""
        texts = ("".join(self._part(tcd.field(number), part) for part in range(1, 5)) for number in (2, 3, 4))
        return next(filter(None, texts), "")

    def _values(self, value_type: str, field: str) -> tuple[tuple[SentValue, ...], Missing | None]:
        if not field or self._blank(field):
            return (), Missing.ABSENT
        if field == NULL:
            return (), Missing.NULL
        if value_type in PARAGRAPHS:
            text = "\n".join(self._message.decoded(one) for one in self._message.repetitions(field))
            return (SentText(text),), None
        return tuple(self._value(value_type, one) for one in self._message.repetitions(field)), None

    def _blank(self, field: str) -> bool:
        """Nothing but delimiters and spaces: no information, however many components it has."""
        marks = self._message.delimiters
        return not field[0].isalnum() and not field.strip(f" {marks.component}{marks.repetition}{marks.subcomponent}")

    def _value(self, value_type: str, text: str) -> SentValue:
        if value_type in CODED:
            parts = self._message.components(text)
            original = self._message.decoded(parts[8]) if len(parts) > 8 else ""
            return SentCoding(self._codings(text), original)
        if value_type == "SN":
            parts = [self._message.decoded(part) for part in self._message.components(text)]
            return SentStructured(*[*parts, "", "", "", ""][:4])
        if value_type in ATTACHED:
            return SentAttachment(value_type, len(text.encode(self._message.charset)))
        return SentText(self._message.decoded(text))

    def _specimen(self, group: SpecimenGroup) -> Specimen:
        spm = group.spm
        placer, _, filler = spm.field(2).partition(self._message.delimiters.component)
        return Specimen(
            placer=self._entity_parts(placer),
            filler=self._entity_parts(filler),
            type=self._codings(spm.field(4)),
            role=self._part(spm.field(11)),
            condition=self._repeated_codings(spm.field(24)),
            notes=tuple(filter(None, (self._plain(spm.field(14)), *self._notes(group.notes)))),
            volume=self._part(spm.field(12)),
            volume_unit=self._part(spm.field(12), 2),
            collected=self._time(spm.field(17)),
            received=self._time(spm.field(18)),
            observations=tuple(self._observation(one) for one in group.observations),
        )

    def _specimen_of_order(self, obr: Segment) -> tuple[Specimen, ...]:
        """OBR-15 before 2.5: source and additive, each coded in the sub-components of its component."""
        field = obr.field(15)
        if not field:
            return ()
        coded = [Coding(*(self._part(field, number, sub) for sub in (1, 2, 3))) for number in (1, 2)]
        found = tuple(coding for coding in coded if coding.code or coding.display)
        return (Specimen(type=found),) if found else ()

    # ---- fields

    def _part(self, field: str, number: int = 1, sub: int = 1) -> str:
        """A component of the first repetition as text; empty also for the HL7 null."""
        if not field or field.isalnum():  # most fields; no delimiter is a letter or a digit
            return field if number == sub == 1 else ""
        found = self._message.component(field, number, sub)
        return "" if found == NULL else found

    def _text(self, field: str) -> str:
        """A whole field as text, its components and repetitions as they stand; empty also for the HL7 null."""
        return "" if not field or field == NULL else self._message.decoded(field)

    def _entity(self, field: str) -> EntityId:
        """An EI: the id, and its namespace, else its universal id."""
        return EntityId(self._part(field), self._part(field, 2) or self._part(field, 3)) if field else EntityId()

    def _entity_parts(self, component: str) -> EntityId:
        """An EI packed into the sub-components of a component (SPM-2)."""
        return EntityId(self._part(component), self._part(component, 1, 2) or self._part(component, 1, 3))

    def _equipment(self, field: str) -> tuple[str, ...]:
        if self._message.delimiters.repetition in field:
            return tuple(name for one in self._message.repetitions(field) for name in self._equipment(one))
        name = self._part(field) or self._part(field, 2)
        return (name,) if name else ()

    def _codings(self, field: str) -> tuple[Coding, ...]:
        if not field or field == NULL:
            return ()
        read = _cached_codings if len(field) <= CACHED_LENGTH else _codings
        return read(field, self._message.delimiters, self._message.charset)

    def _repeated_codings(self, field: str) -> tuple[Coding, ...]:
        if self._message.delimiters.repetition not in field:
            return self._codings(field)
        return tuple(coding for one in self._message.repetitions(field) for coding in self._codings(one))

    def _original_texts(self, field: str) -> tuple[str, ...]:
        """The original text (component 9) of each repetition of a coded field."""
        if field.count(self._message.delimiters.component) < 8:
            return ()
        return tuple(filter(None, (self._part(one, 9) for one in self._message.repetitions(field))))

    def _time(self, field: str) -> Timestamp | None:
        """A time, or the first time of a range (DR)."""
        if not field:
            return None
        if field not in self._times:  # a message says the same few times in every segment
            self._times[field] = times.timestamp(self._part(field), self._zone, self._offset)
        return self._times[field]

    def _plain(self, field: str) -> str:
        """A text field, or the text of a coded one: what a person would read, each repetition after the other."""
        texts = (
            self._part(one, 2) or self._part(one, 9) or self._part(one) for one in self._message.repetitions(field)
        )
        return "; ".join(filter(None, texts))

    def _notes(self, segments: list[Segment]) -> tuple[str, ...]:
        if not segments:
            return ()
        texts = (
            "\n".join(self._message.decoded(one) for one in self._message.repetitions(nte.field(3))) for nte in segments
        )
        return tuple(text for text in texts if text.strip() and text != NULL)


def _codings(field: str, delimiters: Delimiters, charset: str) -> tuple[Coding, ...]:
    """The codings of a CE or CWE: primary, alternate, and from 2.7 a second alternate (components 10 to 12)."""
    parts = [escapes.decode(part, delimiters, charset) for part in field.split(delimiters.component)]
    parts += [""] * (12 - len(parts))
    triplets = ((0, 1, 2), (3, 4, 5), (9, 10, 11))
    codings = (Coding(parts[code], parts[display], parts[system]) for code, display, system in triplets)
    return tuple(coding for coding in codings if coding.code or coding.display)


_cached_codings = lru_cache(maxsize=8192)(_codings)  # a laboratory sends the same few hundred code fields all day
