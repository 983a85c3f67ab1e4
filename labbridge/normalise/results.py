"""The observations of one order as results: number and grade of one test together, HEp-2 as one finding."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from labbridge.knowledge.policy import Policy
from labbridge.knowledge.terminology import AnalyteRow, CodeRow, Terminology, UnitRow
from labbridge.knowledge.words import fold
from labbridge.model.report import Observation, Order, PlacedNote, Report, Timestamp
from labbridge.model.result import Analyte, Family, Limits, Material, Method, Problem, Result, Status
from labbridge.model.values import Comparator, Missing, Quantity, Titre, Value, Word
from labbridge.model.work import Feed
from labbridge.normalise import flags, fluorescence, limits, specimens, values
from labbridge.normalise.comparisons import writing
from labbridge.normalise.flags import AbnormalFlags, Flags
from labbridge.normalise.fluorescence import TITRES, Line
from labbridge.normalise.methods import NOTE_OF
from labbridge.normalise.ranges import Interval, Reference, References
from labbridge.normalise.sent import texts_of
from labbridge.normalise.specimens import Tube
from labbridge.normalise.values import Asked, Read
from labbridge.notes import note

ONE = Decimal(1)
REFUSED = "refuse"  # units.yaml: the unit of another quantity
TITRE = "titre"  # units.yaml: the unit of a titre
_STATUS_RANK = (Status.UNKNOWN, Status.CORRECTED, Status.FINAL, Status.PENDING, Status.CANCELLED, Status.WITHDRAWN)
_NUMERIC = (Analyte.CK, Analyte.CREATININE)


class Sighting(msgspec.Struct, frozen=True):
    """An observation that was identified: its unit as sent, its analyte, the row of its code, and its method where one is
    known. `mapped` False: no table names its code, and its name and unit speak of the analyte."""

    observation: Observation
    unit: str
    analyte: AnalyteRow
    code: CodeRow
    method: Method | None
    mapped: bool = True


class Collected(msgspec.Struct, frozen=True):
    """When the specimen was taken. `estimated`: a later time stands for it; `implausible`: no specimen can be of then."""

    time: Timestamp
    estimated: bool = False
    implausible: bool = False


class Tables(msgspec.Struct, frozen=True):
    """What results are read by: the terminology and the policy's numbers, and with them ranges and flags."""

    terminology: Terminology
    policy: Policy
    references: References
    flags: AbnormalFlags


class OrderReading:
    """Reads the sightings of one order; what all its results share is worked out once."""

    def __init__(
        self, report: Report, order: Order, tube: Tube, feed: Feed, received: datetime, ref: str, tables: Tables
    ) -> None:
        self._report, self._order, self._tube, self._feed = report, order, tube, feed
        self._received, self._ref = received, ref
        self._terminology, self._policy = tables.terminology, tables.policy
        self._references, self._flags = tables.references, tables.flags
        terminology = tables.terminology
        self._writing = writing(feed, terminology.words)
        self._collections: dict[Timestamp | None, Collected] = {}
        self.notes: list[PlacedNote] = []

    def results(self, sightings: list[Sighting]) -> list[Result]:
        found: list[Result] = []
        for group in _groups(sightings):
            first = group[0]
            if first.analyte.analyte is Analyte.HEP2 and _on_hep2(first.method):
                found.append(self._hep2(group))
            else:
                found += [self._result(one) for one in group] if len(group) == 1 else self._pair(group)
        return found

    # ---------------------------------------------------------------- one observation, or number and grade of one test

    def _pair(self, group: list[Sighting]) -> list[Result]:
        """A grade and a number of the same test in one order are one result; anything else stays several."""
        graded = [one for one in group if one.code.role == "grade"]
        counted = [one for one in group if one.code.role == "quantity"]
        if len(graded) == len(counted) == 1 and len(group) == 2:
            grade, _flags = self._read(graded[0])
            return [self._result(counted[0], words=grade, status=self._status(graded + counted))]
        return [self._result(one) for one in group]

    def _result(self, sighting: Sighting, words: Read = values.NOTHING, status: Status | None = None) -> Result:
        analyte = sighting.analyte.analyte
        read, flagged = self._read(sighting)
        grade = read.grade or words.grade
        sent = self._range(sighting).interval
        value, problems = self._value(sighting, read)
        frame = self._frame(sighting, status or self._status([sighting]))
        if analyte in _NUMERIC:
            result = msgspec.structs.replace(frame, value=value, value_text=read.text)
            limited = self._ck if analyte is Analyte.CK else self._creatinine
            return _with(limited(result, sighting, sent), problems)
        terms, policy = self._terminology, self._policy
        banded = limits.sent_bands(sighting.method, sent, policy) or limits.own_bands(
            sighting.method, analyte, value, terms, policy
        )
        said = value if isinstance(value, Quantity | Titre) else None
        negative = limits.verdict(said, sent, grade, flagged.grade)
        problems += self._antibody_problems(sighting, value, banded, negative)
        graded = msgspec.structs.replace(
            frame,
            value=value,
            value_text=read.text,
            grade=grade,
            grade_text=words.text or (read.text if read.grade else ""),
            lab_negative=negative,
            limits=banded,
        )
        return _with(graded, problems)

    def _read(self, sighting: Sighting) -> tuple[Read, Flags]:
        """The value of a line with what its flags add to it; every oddity of the two is a note."""
        observation = sighting.observation
        asked = Asked(
            self._terminology,
            self._writing,
            titres=self._in_titres(sighting),
            sentences=sighting.analyte.analyte is Analyte.HEP2,
        )
        flagged = self._flags.of(observation)
        read, more = flags.applied(values.read(observation, asked), flagged, observation.at)
        self.notes += [*(note(code, f"{observation.at}-8") for code in flagged.notes), *more]
        if read.rest:
            self.notes.append(note("N208", f"{observation.at}-5"))
        return read, flagged

    def _in_titres(self, sighting: Sighting) -> bool:
        """Whether a whole number is a titre: its unit says so, or its code does and no unit says otherwise."""
        if not sighting.unit:
            return sighting.code.role in TITRES
        if sighting.analyte.analyte is not Analyte.HEP2:
            return False
        row = self._terminology.unit(Analyte.HEP2.value, sighting.unit)
        return row is not None and row.unit == TITRE

    def _range(self, sighting: Sighting) -> Reference:
        observation, numeric = sighting.observation, sighting.analyte.analyte in _NUMERIC
        found = self._references.of(observation.reference_range, sighting.unit, self._writing, titres=not numeric)
        if found.unread:
            self.notes.append(note("N212", f"{observation.at}-7"))
        return found

    def _value(self, sighting: Sighting, read: Read) -> tuple[Value | Missing, list[Problem]]:
        """The canonical value. Only a usable result needs one: a pending or cancelled line may be empty."""
        observation, analyte = sighting.observation, sighting.analyte.analyte
        if not observation.values:
            return observation.missing or Missing.ABSENT, []
        if read.number is not None and read.number.value is not None:
            return self._quantity(sighting, read.number.value, read.number.comparator)
        if analyte not in _NUMERIC and read.grade is not None:
            return Word(read.grade, read.text), []
        if analyte not in _NUMERIC and read.titre is not None:
            return read.titre, []
        self.notes.append(note(read.note or "N201", f"{observation.at}-5"))
        return Missing.ABSENT, [read.problem or Problem.VALUE_UNREADABLE]

    def _quantity(
        self, sighting: Sighting, number: Decimal, comparator: Comparator
    ) -> tuple[Value | Missing, list[Problem]]:
        sent, analyte = sighting.unit, sighting.analyte.analyte
        if number < 0:
            return Quantity(number, sent, comparator), [Problem.VALUE_IMPLAUSIBLE]
        if analyte not in _NUMERIC:
            return Quantity(number, sent, comparator), []
        row = self._unit(sighting)
        if row is None:
            return Quantity(number, sent, comparator), [Problem.UNIT_UNKNOWN]
        amount = number * row.factor
        too_much = analyte is Analyte.CK and amount > self._policy.number("ck_implausible_above")
        return Quantity(amount, row.unit, comparator), [Problem.VALUE_IMPLAUSIBLE] if too_much else []

    def _unit(self, sighting: Sighting) -> UnitRow | None:
        """The unit's row; None where it is not listed, and where it is another quantity's (CK's mass)."""
        row = self._terminology.unit(sighting.analyte.analyte.value, sighting.unit)
        return row if row is not None and row.unit != REFUSED else None

    def _antibody_problems(
        self, sighting: Sighting, value: Value | Missing, banded: Limits | None, negative: bool | None
    ) -> list[Problem]:
        if sighting.method is None:
            return [Problem.METHOD_UNKNOWN]
        if not isinstance(value, Quantity | Titre):
            return []
        if banded is None and isinstance(value, Quantity):
            return [Problem.LIMITS_MISSING]
        ours = limits.ours(value, banded)
        if negative is not None and ours is not None and negative != ours:
            self.notes.append(note("N107", f"{sighting.observation.at}-7"))
            return [Problem.LIMITS_DIFFER]
        return []

    def _ck(self, result: Result, sighting: Sighting, sent: Interval | None) -> Result:
        row = self._unit(sighting)
        patient, collected = self._report.patient, result.collected
        found = limits.ck_limit(sent, row.factor if row else None, patient, collected, self._policy)
        if found.sent_unusable:
            self.notes.append(note("N109", f"{sighting.observation.at}-7"))
        if found.assumed:
            self.notes.append(note("N207", f"{sighting.observation.at}-7"))
        return msgspec.structs.replace(
            result, upper_limit=found.upper, lower_limit=found.lower, upper_limit_assumed=found.assumed
        )

    def _creatinine(self, result: Result, sighting: Sighting, sent: Interval | None) -> Result:
        row = self._unit(sighting)
        factor = row.factor if row else ONE
        if sent is None or not sent.usable:
            return result
        return msgspec.structs.replace(
            result,
            lower_limit=None if sent.low is None else sent.low * factor,
            upper_limit=None if sent.high is None else sent.high * factor,
        )

    # ---------------------------------------------------------------- HEp-2

    def _hep2(self, group: list[Sighting]) -> Result:
        lines = [self._line(one) for one in group]
        slide = fluorescence.read(lines, self._feed.cytoplasmic_reported_as, self._terminology.words)
        result = self._frame(group[0], self._status(group))
        usable = result.status in (Status.FINAL, Status.CORRECTED)
        self.notes += slide.notes if usable else ()
        text = next((line.read.text for line in lines if line.read.text), "")
        word: Value | Missing = Word(slide.grade, text) if slide.grade else Missing.ABSENT
        found = msgspec.structs.replace(
            result, value=slide.titre or word, value_text=text, grade=slide.grade, hep2=slide.finding
        )
        return _with(found, slide.problems if usable else ())

    def _line(self, sighting: Sighting) -> Line:
        observation = sighting.observation
        read, _flags = self._read(sighting)
        return Line(
            role=sighting.code.role,
            read=read,
            texts=tuple(texts_of(observation)),
            notes=observation.notes,
            reference=self._range(sighting),
            sent=bool(observation.values),
            at=observation.at,
        )

    # ---------------------------------------------------------------- what every result has

    def _frame(self, sighting: Sighting, status: Status) -> Result:
        """Everything of a result but its value."""
        observation, analyte = sighting.observation, sighting.analyte
        method = sighting.method
        collection = self._collection(observation)
        collected, material = collection.time, self._tube.material
        self._note_sources(sighting, collection.estimated)
        return Result(
            ref=f"{self._ref}:{observation.at}",
            key=self._key(analyte, method, collected),
            at=observation.at,
            analyte=analyte.analyte,
            antigen=analyte.antigen,
            synthetase=analyte.synthetase,
            method=method,
            unit_text=sighting.unit,
            status=status,
            status_code=observation.status,
            takes_stored_value=observation.status in self._terminology.words.stored_statuses and not observation.values,
            cancelled_for_ana=status is Status.CANCELLED and self._names_ana(observation),
            material=material,
            material_text=self._tube.text,
            material_validated=material is Material.UNSTATED or self._validated(analyte.analyte, material),
            quality_poor=self._tube.poor or specimens.poor(observation.notes, self._terminology.words),
            used_up=self._tube.empty,
            problems=_frame_problems(status, collection, sighting.mapped),
            notes=observation.notes,
            placer=self._order.placer,
            filler=self._order.filler,
            group=self._order.group,
            specimen=self._tube.id,
            laboratory=observation.laboratory,
            lots=observation.lots,
            dilution=observation.dilution,
            collected=collected,
            collected_estimated=collection.estimated,
            status_time=self._status_time(observation),
            message_time=self._report.sent.moment if self._report.sent else None,
            received=self._received,
        )

    def _note_sources(self, sighting: Sighting, estimated: bool) -> None:
        """Where the method came from, and whether the collection time is a substitute."""
        method, at = sighting.method, sighting.observation.at
        if method is not None and method.source in NOTE_OF:
            self.notes.append(note(NOTE_OF[method.source], f"{at}-17"))
        if estimated:
            self.notes.append(note("N204", at))

    def _collection(self, observation: Observation) -> Collected:
        """SPM-17, OBR-7, OBX-14; else the time the specimen or the message came, which takes no part in trends."""
        of_all = self._tube.collected or self._order.collected
        own = observation.observed if of_all is None else None
        found = self._collections.get(own)
        if found is None:
            found = self._collections[own] = self._judged(of_all or own)
        return found

    def _judged(self, stated: Timestamp | None) -> Collected:
        """Ahead of the receipt by more than clocks differ, or at an age that nobody has: implausible."""
        received = Timestamp(self._received.isoformat(), self._received, self._received.date())
        time = stated or self._order.received or self._tube.received or self._report.sent or received
        ahead = time.moment - self._received
        age = self._report.patient.age_on(time.day)
        late = ahead > timedelta(hours=int(self._policy.number("clock_skew_h")))
        implausible = late or (age is not None and not 0 <= age <= self._policy.number("age_implausible_above"))
        if ahead > timedelta() and not implausible:
            self.notes.append(note("N203", self._order.at))
        return Collected(time, estimated=stated is None, implausible=implausible)

    def _status(self, group: Iterable[Sighting]) -> Status:
        """The status of a result made of several lines: unknown first, then whatever makes it usable."""
        found = [self._status_of(one.observation) for one in group]
        if len(found) == 1:
            return found[0]
        return next(status for status in _STATUS_RANK if status in found)

    def _status_of(self, observation: Observation) -> Status:
        words = self._terminology.words
        if observation.status and observation.status != '""':
            return words.result_statuses.get(observation.status, Status.UNKNOWN)
        self.notes.append(note("N012", f"{observation.at}-11"))
        if self._order.status in words.order_statuses:
            return words.order_statuses[self._order.status]
        return Status.FINAL if self._feed.empty_status == "final" else Status.UNKNOWN

    def _key(self, analyte: AnalyteRow, method: Method | None, collected: Timestamp) -> str:
        """What stays the same over the versions of a result (clinical.md C10.12)."""
        about = f"{analyte.id}|{method.code if method else '?'}"
        if self._order.filler:
            return f"f:{self._order.filler.namespace}|{self._order.filler.id}|{about}"
        order = self._tube.id.id or self._order.placer.id
        return f"o:{order}|{about}|{collected.day.isoformat()}"

    def _status_time(self, observation: Observation) -> datetime | None:
        stamp = self._order.reported or observation.analysed
        return stamp.moment if stamp else None

    def _names_ana(self, observation: Observation) -> bool:
        texts = (*observation.notes, *self._order.notes, observation.status_text, *texts_of(observation))
        phrases = self._terminology.words.phrases.get("ana_reason", ())
        return any(phrase in fold(text) for text in texts for phrase in phrases)

    def _validated(self, analyte: Analyte, material: Material) -> bool:
        return (analyte.value, material.value) in self._terminology.validated


def _frame_problems(status: Status, collection: Collected, mapped: bool) -> tuple[Problem, ...]:
    found = [] if mapped else [Problem.CODE_UNMAPPED]
    if status is Status.UNKNOWN:
        found.append(Problem.STATUS_UNKNOWN)
    if collection.implausible:
        found.append(Problem.VALUE_IMPLAUSIBLE)
    return tuple(found)


def _with(result: Result, problems: Collection[Problem]) -> Result:
    if not problems:
        return result
    return msgspec.structs.replace(result, problems=(*result.problems, *problems))


def _groups(sightings: list[Sighting]) -> list[list[Sighting]]:
    """Sightings of one test together: HEp-2 lines of an order, and lines of one analyte by one method."""
    groups: dict[tuple[str, str], list[Sighting]] = {}
    for one in sightings:
        if one.analyte.analyte is Analyte.HEP2 and _on_hep2(one.method):
            key = (one.analyte.id, "hep2")
        else:
            key = (one.analyte.id, one.method.code if one.method else "?")
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _on_hep2(method: Method | None) -> bool:
    return method is not None and method.family is Family.HEP2_IIF
