"""The envelope and the groups of a message: all that receive() answers for (reliability.md 3.1), and no meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7 import reader
from labbridge.hl7.reader import Message, Segment
from labbridge.model.report import Identifier, PlacedNote
from labbridge.model.work import Feed
from labbridge.notes import note

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9")
READ_AS = "2.5.1"  # what an unknown version is read as
NULL = '""'

MAX_SEGMENTS = 20_000
MAX_FIELDS = 512
MAX_REPETITIONS = 1_000
MAX_COMPONENTS = 128
MAX_FIELD_BYTES = 2**20
MAX_ATTACHMENT_BYTES = 12 * 2**20

# Segments of ORU^R01, 2.3 to 2.9, that this service reads past (HL7 v2 chapter 7); Z-segments are anybody's.
PASSED_OVER = frozenset(
    "SFT UAC PD1 NK1 ARV PRT ROL PV1 PV2 TQ1 TQ2 CTD CTI FT1 TXA SAC ACC IN1 IN2 IN3 GT1 AL1 DG1 DB1 PDA".split()
)


class ObservationGroup:
    """An OBX with the NTEs that follow it."""

    __slots__ = ("notes", "obx")

    def __init__(self, obx: Segment) -> None:
        self.obx = obx
        self.notes: list[Segment] = []


class SpecimenGroup:
    """An SPM with the OBX about the tube, and NTEs."""

    __slots__ = ("notes", "observations", "spm")

    def __init__(self, spm: Segment) -> None:
        self.spm = spm
        self.observations: list[ObservationGroup] = []
        self.notes: list[Segment] = []


class OrderGroup:
    """An OBR with its ORC, notes, results and specimens."""

    __slots__ = ("notes", "obr", "observations", "orc", "specimens")

    def __init__(self, orc: Segment | None, obr: Segment) -> None:
        self.orc, self.obr = orc, obr
        self.notes: list[Segment] = []
        self.observations: list[ObservationGroup] = []
        self.specimens: list[SpecimenGroup] = []


class PatientGroup:
    """A PID with its orders. OBX before the first order (2.6 on) are about the patient: `observations`."""

    __slots__ = ("identifiers", "lane", "observations", "orders", "pid")

    def __init__(self, pid: Segment) -> None:
        self.pid = pid
        self.identifiers: tuple[Identifier, ...] = ()
        self.lane = ""
        self.observations: list[ObservationGroup] = []
        self.orders: list[OrderGroup] = []


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message before anything in it is understood. `lanes`: one per patient, in order."""

    message: Message
    patients: list[PatientGroup]
    sender: str
    control_id: str
    message_type: str
    version: str
    digest: bytes
    lanes: tuple[str, ...]
    notes: tuple[PlacedNote, ...]


def read_structure(raw: bytes, feed: Feed) -> Envelope:
    """The envelope of a message of this feed. Raises Refuse with code and place for what 3.1 refuses."""
    message = reader.read(raw, feed.charset)
    _check_sizes(message)
    msh = message.msh
    message_type = _message_type(message)
    _check_header(message, feed)
    patients, odd = groups(message)
    sender = sender_of(message)
    for patient in patients:
        patient.identifiers = identifiers(message, patient.pid)
        patient.lane = lane_of(patient.identifiers)
    notes = message.notes + odd
    if message.component(msh.field(12), 1) not in VERSIONS:
        notes += (note("N007", "MSH-12"),)
    if len(patients) > 1:
        notes += (note("N015", "PID"),)
    return Envelope(
        message=message,
        patients=patients,
        sender=sender,
        control_id=msh.field(10),
        message_type=message_type,
        version=version_of(message),
        digest=hashlib.sha256(raw).digest(),
        lanes=tuple(dict.fromkeys(patient.lane for patient in patients)),
        notes=notes,
    )


# ---------------------------------------------------------------- header


def _message_type(message: Message) -> str:
    kind = message.component(message.msh.field(9), 1)
    event = message.component(message.msh.field(9), 2)
    if not kind:
        raise Refuse("MSH-9 is missing", code="101", location="MSH^1^9")
    if kind in ("ACK", "MCF"):  # an acknowledgement is never acknowledged
        raise Refuse("An acknowledgement came in on a result feed", code="200", location="MSH^1^9", answer=False)
    if kind != "ORU":
        raise Refuse("This message type is not taken", code="200", location="MSH^1^9^1^1", reject=True)
    if event not in ("R01", ""):
        raise Refuse("This event is not taken", code="201", location="MSH^1^9^1^2", reject=True)
    return f"{kind}^{event or 'R01'}"


def _check_header(message: Message, feed: Feed) -> None:
    msh = message.msh
    for number in (10, 11, 12):
        if msh.field(number).strip() in ("", NULL):
            raise Refuse(f"MSH-{number} is missing", code="101", location=f"MSH^1^{number}")
    if message.component(msh.field(11), 1) != feed.processing_id:
        text = f"This feed takes processing id {feed.processing_id} only"
        raise Refuse(text, code="202", location="MSH^1^11", reject=True)
    if feed.sender and sender_of(message) != feed.sender:
        raise Refuse("The sender is not the one of this feed", code="207", location="MSH^1^3", reject=True)


def version_of(message: Message) -> str:
    """The version the message is read as: MSH-12, or 2.5.1 where that is none we know."""
    version = message.component(message.msh.field(12), 1)
    return version if version in VERSIONS else READ_AS


def sender_of(message: Message) -> str:
    """MSH-3|MSH-4, the namespace id of each."""
    return f"{message.component(message.msh.field(3), 1)}|{message.component(message.msh.field(4), 1)}"


def identifiers(message: Message, pid: Segment) -> tuple[Identifier, ...]:
    """PID-3 as identifiers. The assigning authority is CX.4: its name, else its universal id (two authorities must never
    become one patient), else the sending facility."""
    facility = message.component(message.msh.field(4), 1)
    found = []
    for repetition in message.repetitions(pid.field(3)):
        value, name, universal, kind = (
            _valued(message.component(repetition, *place)) for place in ((1,), (4,), (4, 2), (5,))
        )
        if value:
            found.append(Identifier(name or universal or facility, value, kind))
    if not found:
        raise Refuse("PID-3 holds no identifier", code="101", location=f"PID^{pid.occurrence}^3")
    return tuple(found)


def _valued(text: str) -> str:
    """Text, without the blanks around it; empty also for the HL7 null."""
    text = text.strip()
    return "" if text == NULL else text


def lane_of(identifiers: tuple[Identifier, ...]) -> str:
    """The unit of order: the identifier history is kept under (MR, then PI, else the first)."""
    for wanted in ("MR", "PI"):
        for identifier in identifiers:
            if identifier.type == wanted:
                return f"p:{identifier.authority}|{identifier.id}"
    return f"p:{identifiers[0].authority}|{identifiers[0].id}"


# ---------------------------------------------------------------- sizes


def _check_sizes(message: Message) -> None:
    if len(message.segments) > MAX_SEGMENTS:
        raise Refuse(f"More than {MAX_SEGMENTS} segments", code="207")
    marks = message.delimiters
    for segment in message.segments:
        text = segment.text
        if segment.length > MAX_FIELDS:
            raise Refuse(f"More than {MAX_FIELDS} fields", code="207", location=_erl(segment))
        if (
            len(text) > MAX_FIELD_BYTES // 4
            or text.count(marks.component) >= MAX_COMPONENTS
            or text.count(marks.repetition) >= MAX_REPETITIONS
            or (marks.subcomponent and text.count(marks.subcomponent) >= MAX_COMPONENTS)
        ):
            _check_fields(message, segment)


def _check_fields(message: Message, segment: Segment) -> None:
    """Only for segments long enough to hold too much: each field on its own."""
    marks = message.delimiters
    first = 3 if segment.name == "MSH" else 1
    for number in range(first, segment.length + 1):
        field = segment.field(number)
        if len(field.encode(message.charset)) > _longest(segment, number):
            raise Refuse("A field is too long", code="104", location=_erl(segment, number))
        repetitions = field.split(marks.repetition)
        if len(repetitions) > MAX_REPETITIONS:
            raise Refuse(f"More than {MAX_REPETITIONS} repetitions", code="207", location=_erl(segment, number))
        for repetition in repetitions:
            components = repetition.split(marks.component)
            too_many = len(components) > MAX_COMPONENTS or (
                marks.subcomponent and any(part.count(marks.subcomponent) >= MAX_COMPONENTS for part in components)
            )
            if too_many:
                raise Refuse(f"More than {MAX_COMPONENTS} components", code="207", location=_erl(segment, number))


def _longest(segment: Segment, number: int) -> int:
    attachment = segment.name == "OBX" and number == 5 and segment.field(2) == "ED"
    return MAX_ATTACHMENT_BYTES if attachment else MAX_FIELD_BYTES


def _erl(segment: Segment, field: int | None = None) -> str:
    place = f"{segment.name}^{segment.occurrence}"
    return f"{place}^{field}" if field else place


# ---------------------------------------------------------------- groups


class _Walk:
    """Where the reading of the groups stands."""

    __slots__ = ("document", "notes_to", "odd", "orc", "order", "patient", "patients", "specimen", "version")

    def __init__(self, version: str) -> None:
        self.version = version
        self.document: Segment | None = None
        self.patients: list[PatientGroup] = []
        self.patient: PatientGroup | None = None
        self.orc: Segment | None = None
        self.order: OrderGroup | None = None
        self.specimen: SpecimenGroup | None = None
        self.notes_to: list[Segment] = []
        self.odd: list[PlacedNote] = []


def groups(message: Message) -> tuple[list[PatientGroup], tuple[PlacedNote, ...]]:
    """The patient groups of an ORU^R01, 2.3 to 2.9. An OBX after SPM is about the tube, one before the first order is
    about the patient (2.6 on), one between ORC and OBR belongs to the order's document (2.8 on). An NTE belongs to what
    precedes it.

    Refuse(100) where the order of segments leaves it open whose result something is: a result may be refused, never
    passed over.
    """
    walk = _Walk(version_of(message))
    for segment in message.segments[1:]:
        step = _STEPS.get(segment.name)
        if step is not None:
            step(walk, segment)
        else:
            _pass_over(walk, segment)
    _end_document(walk)
    if not walk.patients:
        raise Refuse("PID is missing", code="100", location="PID^1")
    for patient in walk.patients:
        if not patient.orders:
            raise Refuse("OBR is missing", code="100", location="OBR^1")
    return walk.patients, tuple(walk.odd)


def _pass_over(walk: _Walk, segment: Segment) -> None:
    walk.notes_to = []
    if segment.name in PASSED_OVER:
        return
    if not segment.length and segment.name[0] != "Z":  # three capitals alone are a torn line of text, not a segment
        raise Refuse("A line holds nothing but an unknown segment name", code="100", location=_erl(segment))
    walk.odd.append(note("N006", segment.at))


def _msh(walk: _Walk, segment: Segment) -> None:
    raise Refuse("A second MSH stands in the message", code="100", location=_erl(segment))


def _dsc(walk: _Walk, segment: Segment) -> None:
    """A message that goes on in a second one is not taken: half of it must not be interpreted."""
    if segment.field(1):
        raise Refuse("A message in several parts is not taken", code="207", location="DSC^1^1", reject=True)


def _pid(walk: _Walk, segment: Segment) -> None:
    _end_document(walk)
    walk.patient = PatientGroup(segment)
    walk.patients.append(walk.patient)
    walk.orc = walk.order = walk.specimen = None
    walk.notes_to = []


def _orc(walk: _Walk, segment: Segment) -> None:
    _patient(walk, segment)
    _end_document(walk)
    walk.orc, walk.order, walk.specimen = segment, None, None
    walk.notes_to = []


def _obr(walk: _Walk, segment: Segment) -> None:
    patient = _patient(walk, segment)
    walk.order = OrderGroup(walk.orc, segment)
    patient.orders.append(walk.order)
    walk.orc = walk.specimen = walk.document = None
    walk.notes_to = walk.order.notes


def _obx(walk: _Walk, segment: Segment) -> None:
    patient = _patient(walk, segment)
    found = ObservationGroup(segment)
    walk.notes_to = found.notes
    if walk.specimen is not None:
        walk.specimen.observations.append(found)
    elif walk.order is not None:
        walk.order.observations.append(found)
    elif walk.orc is None and walk.version >= "2.6":
        patient.observations.append(found)
    elif walk.orc is not None and walk.version >= "2.8":
        walk.document = segment
    else:
        raise Refuse("OBX stands before OBR", code="100", location=_erl(segment))


def _end_document(walk: _Walk) -> None:
    """An OBX after ORC is the order's document only where the order follows; else it is a result without an order."""
    if walk.document is not None:
        raise Refuse("OBR is missing after ORC", code="100", location=_erl(walk.document))


def _spm(walk: _Walk, segment: Segment) -> None:
    if walk.order is None:
        raise Refuse("SPM stands before OBR", code="100", location=_erl(segment))
    walk.specimen = SpecimenGroup(segment)
    walk.order.specimens.append(walk.specimen)
    walk.notes_to = walk.specimen.notes


def _nte(walk: _Walk, segment: Segment) -> None:
    walk.notes_to.append(segment)


def _patient(walk: _Walk, segment: Segment) -> PatientGroup:
    if walk.patient is None:
        raise Refuse(f"{segment.name} stands before PID", code="100", location=_erl(segment))
    return walk.patient


_STEPS: dict[str, Callable[[_Walk, Segment], None]] = {
    "MSH": _msh,
    "DSC": _dsc,
    "PID": _pid,
    "ORC": _orc,
    "OBR": _obr,
    "OBX": _obx,
    "SPM": _spm,
    "NTE": _nte,
}
