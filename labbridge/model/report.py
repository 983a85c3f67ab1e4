"""What arrived: one report as its sender wrote it, before any code, unit or value is understood."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from labbridge.model.values import Coding, Missing, SentValue


class Timestamp(msgspec.Struct, frozen=True):
    """A date or time as sent, and the instant it names.

    `text` is the sender's picture, precision kept. `moment` is aware (offset of the field, else of MSH-7, else the
    feed's zone) and is midnight of the feed's zone where only a day was sent. `day` is the calendar date in the feed's
    zone, which is what clinical windows count (clinical.md C10.32). `ambiguous`: the hour occurs twice or never there.
    """

    text: str
    moment: datetime
    day: date
    has_time: bool = True
    ambiguous: bool = False


class Identifier(msgspec.Struct, frozen=True):
    """An identifier with its assigning authority (CX.4.1, else the sending facility) and type (table 0203)."""

    authority: str
    id: str
    type: str = ""


class EntityId(msgspec.Struct, frozen=True):
    """An order or specimen number with its namespace (EI). Both empty when none was sent."""

    id: str = ""
    namespace: str = ""

    def __bool__(self) -> bool:
        return bool(self.id)


class Patient(msgspec.Struct, frozen=True, kw_only=True):
    """The patient of one report. `key` is the identifier history is kept under: type MR first, then PI, else the first.

    `sex` is the code as sent (PID-8, table 0001), empty when absent. Names are only ever compared, never logged.
    `age_years` is an age stated by the sender in place of a birth date (case files, CSV).
    """

    identifiers: tuple[Identifier, ...] = ()
    family_name: str = ""
    given_name: str = ""
    birth_date: date | None = None
    age_years: int | None = None
    sex: str = ""

    def age_on(self, day: date) -> int | None:
        """Completed years of age on a day; None where neither birth date nor age is known. May be negative."""
        if self.birth_date is None:
            return self.age_years
        before = (day.month, day.day) < (self.birth_date.month, self.birth_date.day)
        return day.year - self.birth_date.year - before

    @property
    def key(self) -> Identifier | None:
        for wanted in ("MR", "PI"):
            for identifier in self.identifiers:
                if identifier.type == wanted:
                    return identifier
        return self.identifiers[0] if self.identifiers else None


class Specimen(msgspec.Struct, frozen=True, kw_only=True):
    """The tube: SPM, or OBR-15 before 2.5. `observations` are about the tube (OBX after SPM), never results. `volume` and
    `volume_unit` as sent (SPM-12)."""

    placer: EntityId = EntityId()
    filler: EntityId = EntityId()
    type: tuple[Coding, ...] = ()
    role: str = ""
    condition: tuple[Coding, ...] = ()
    notes: tuple[str, ...] = ()
    volume: str = ""
    volume_unit: str = ""
    collected: Timestamp | None = None
    received: Timestamp | None = None
    observations: tuple[Observation, ...] = ()


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One OBX (or CSV row, or FHIR Observation) as sent.

    `at` says where it stood (`OBX[3]`, counted from 1 over the whole message). `values` holds one entry per repetition;
    empty with `missing` set where no value was sent. `raw` is the segment's bytes, unchanged, for echo (standards.md
    2.6 N). `status` is OBX-11 as sent, empty if absent. `reference_range` and `unit` are text as sent. `flag_texts` are
    the original texts of coded flags (OBX-8.9). `lots` are the substances the result was made with (SID-2), `dilution`
    the one it was measured in (TCD), both as sent. `number` is the laboratory's own of this result (Observation.identifier);
    HL7 v2 sends none that is read here.
    """

    at: str
    codes: tuple[Coding, ...]
    sub_id: str = ""
    value_type: str = ""
    values: tuple[SentValue, ...] = ()
    missing: Missing | None = None
    unit: Coding | None = None
    reference_range: str = ""
    flags: tuple[Coding, ...] = ()
    flag_texts: tuple[str, ...] = ()
    status: str = ""
    status_text: str = ""
    methods: tuple[Coding, ...] = ()
    equipment: tuple[str, ...] = ()
    observed: Timestamp | None = None
    analysed: Timestamp | None = None
    laboratory: str = ""
    notes: tuple[str, ...] = ()
    lots: tuple[str, ...] = ()
    dilution: str = ""
    number: EntityId = EntityId()
    raw: bytes = b""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One OBR group: order numbers, service, times, status, notes, its results and its specimens.

    `raw_orc` and `raw_obr` are the segments' bytes, from which an outgoing comment copies the order it hangs on.
    """

    at: str
    placer: EntityId = EntityId()
    filler: EntityId = EntityId()
    group: EntityId = EntityId()
    service: tuple[Coding, ...] = ()
    collected: Timestamp | None = None
    received: Timestamp | None = None
    reported: Timestamp | None = None
    clinical_info: str = ""
    status: str = ""
    notes: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()
    specimens: tuple[Specimen, ...] = ()
    raw_orc: bytes = b""
    raw_obr: bytes = b""


class PlacedNote(msgspec.Struct, frozen=True):
    """A numbered observation about odd input (notes.py) and where it was made."""

    code: str
    at: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one message says of one patient. A message of several patients gives several reports.

    `sender` is application and facility (`MYOLIS|LABA`). `lane` is the unit of order: the patient, else the specimen,
    else the sender. `observations` are about the patient and of no order. `identity`: it says who the patient is, and
    brings no results; `merged` is the lane of the patient who was merged into this one, if any. `raw_pid` is the PID
    segment's bytes. `notes` are the odd things about the message as a whole.
    """

    feed: str
    sender: str
    control_id: str = ""
    message_type: str = ""
    version: str = ""
    sent: Timestamp | None = None
    lane: str
    patient: Patient = Patient()
    orders: tuple[Order, ...] = ()
    observations: tuple[Observation, ...] = ()
    identity: bool = False
    merged: str = ""
    raw_pid: bytes = b""
    notes: tuple[PlacedNote, ...] = ()
