"""The groups of a message, by its own grammar: whose result an OBX is, which tube, which order (HL7 v2 chapters 3, 7, 13).

ORU^R01, R30-R32 and OUL^R21 carry results below their order; in OUL^R22 and R23 the specimen comes first, then its orders,
an OBR before its ORC; in OUL^R24 the specimen stands between an order and its results. ADT names patients only.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7.reader import Message, Segment
from labbridge.hl7.sizes import erl
from labbridge.model.report import Identifier, PlacedNote
from labbridge.notes import note

# Segments of these messages, 2.1 to 2.9, that this service reads past; Z-segments are anybody's.
PASSED_OVER = frozenset(
    "SFT UAC PD1 NK1 ARV PRT ROL PV1 PV2 TQ1 TQ2 CTD CTI FT1 TXA SAC ACC IN1 IN2 IN3 GT1 AL1 DG1 DB1 PDA EVN INV PR1 DRG"
    " UB1 UB2 CX1 BLG".split()
)


class Grammar(msgspec.Struct, frozen=True):
    """What a message type says of its groups. `specimen_first`: SPM before its orders; `between`: SPM between an order and
    its results; `unnamed`: the patient may be left out; `identity`: patients alone, with MRG where `merges`."""

    specimen_first: bool = False
    between: bool = False
    unnamed: bool = False
    identity: bool = False
    merges: bool = False


GRAMMARS = {
    "ORU^R01": Grammar(),
    "ORU^R30": Grammar(),
    "ORU^R31": Grammar(),
    "ORU^R32": Grammar(),
    "OUL^R21": Grammar(unnamed=True),
    "OUL^R22": Grammar(specimen_first=True, unnamed=True),
    "OUL^R23": Grammar(specimen_first=True, unnamed=True),
    "OUL^R24": Grammar(between=True, unnamed=True),
    "ADT^A08": Grammar(identity=True),
    "ADT^A18": Grammar(identity=True, merges=True),
    "ADT^A31": Grammar(identity=True),
    "ADT^A34": Grammar(identity=True, merges=True),
    "ADT^A40": Grammar(identity=True, merges=True),
}


class ObservationGroup:
    """An OBX with the NTEs that follow it, its dilution (TCD) and the substances it was made with (SID)."""

    __slots__ = ("notes", "obx", "sids", "tcd")

    def __init__(self, obx: Segment) -> None:
        self.obx = obx
        self.notes: list[Segment] = []
        self.tcd: Segment | None = None
        self.sids: list[Segment] = []


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
    """A PID with its orders; no PID where the message names no patient. OBX before the first order (2.6 on) are about
    the patient: `observations`. `merged` is the MRG of an identity message: the patient that is so no longer. `lanes` holds
    the patient's own lane, and after it that of the merged one."""

    __slots__ = ("identifiers", "lanes", "merged", "observations", "orders", "pid")

    def __init__(self, pid: Segment | None) -> None:
        self.pid = pid
        self.identifiers: tuple[Identifier, ...] = ()
        self.lanes: tuple[str, ...] = ()
        self.merged: Segment | None = None
        self.observations: list[ObservationGroup] = []
        self.orders: list[OrderGroup] = []


class _Walk:
    """Where the reading of the groups stands."""

    __slots__ = (
        "document", "grammar", "notes_to", "observation", "odd", "orc", "orc_first", "order", "patient", "patients",
        "specimen", "taken", "tube", "version",
    )  # fmt: skip

    def __init__(self, grammar: Grammar, version: str) -> None:
        self.grammar, self.version = grammar, version
        self.document: Segment | None = None
        self.patients: list[PatientGroup] = []
        self.patient: PatientGroup | None = None
        self.orc: Segment | None = None
        self.orc_first: bool | None = None
        self.order: OrderGroup | None = None
        self.specimen: SpecimenGroup | None = None  # the specimen the next order is of
        self.taken = False  # an order of it has come
        self.tube: SpecimenGroup | None = None  # the specimen the next OBX is about
        self.observation: ObservationGroup | None = None
        self.notes_to: list[Segment] = []
        self.odd: list[PlacedNote] = []


def groups(message: Message, grammar: Grammar, version: str) -> tuple[list[PatientGroup], tuple[PlacedNote, ...]]:
    """The patients of a message with their orders. An OBX after SPM is about the tube, one before the first order is
    about the patient (2.6 on), one between ORC and OBR belongs to the order's document (ORU, 2.8 on). An NTE belongs to
    what precedes it.

    Refuse(100) where the order of segments leaves it open whose result something is: a result may be refused, never
    passed over.
    """
    walk = _Walk(grammar, version)
    steps = _OF_IDENTITY if grammar.identity else _OF_RESULTS
    for segment in message.segments[1:]:
        step = steps.get(segment.name)
        if step is not None:
            step(walk, segment)
        else:
            _pass_over(walk, segment)
    _end_document(walk)
    _end_specimen(walk)
    _check_whole(walk)
    return walk.patients, tuple(walk.odd)


def _check_whole(walk: _Walk) -> None:
    if not walk.patients:
        missing = ("OBR", "OBR^1") if walk.grammar.unnamed else ("PID", "PID^1")
        raise Refuse(f"{missing[0]} is missing", code="100", location=missing[1])
    for patient in walk.patients:
        if walk.grammar.merges and patient.merged is None:
            raise Refuse("MRG is missing", code="100", location="MRG^1")
        if not walk.grammar.identity and not patient.orders:
            raise Refuse("OBR is missing", code="100", location="OBR^1")


def _pass_over(walk: _Walk, segment: Segment) -> None:
    walk.notes_to = []
    if segment.name in PASSED_OVER:
        return
    if not segment.length and segment.name[0] != "Z":  # three capitals alone are a torn line of text, not a segment
        raise Refuse("A line holds nothing but an unknown segment name", code="100", location=erl(segment))
    walk.odd.append(note("N006", segment.at))


def _msh(walk: _Walk, segment: Segment) -> None:
    raise Refuse("A second MSH stands in the message", code="100", location=erl(segment))


def _dsc(walk: _Walk, segment: Segment) -> None:
    """A message that goes on in a second one is not taken: half of it must not be interpreted."""
    if segment.field(1):
        raise Refuse("A message in several parts is not taken", code="207", location="DSC^1^1", reject=True)


def _add(walk: _Walk, segment: Segment) -> None:
    """ADD goes on where the segment before it was cut: that one is not whole."""
    if segment.length and segment.text.strip(f"ADD{segment.text[3:4]} "):
        raise Refuse("A segment in several parts is not taken", code="207", location=erl(segment), reject=True)


def _pid(walk: _Walk, segment: Segment) -> None:
    _end_document(walk)
    _end_specimen(walk)
    walk.patient = PatientGroup(segment)
    walk.patients.append(walk.patient)
    walk.orc = walk.order = walk.specimen = walk.tube = walk.observation = None
    walk.notes_to = []


def _mrg(walk: _Walk, segment: Segment) -> None:
    _patient(walk, segment).merged = segment


def _orc(walk: _Walk, segment: Segment) -> None:
    _patient(walk, segment)
    _end_document(walk)
    if walk.orc_first is None:
        walk.orc_first = True
    order = walk.order
    if not walk.orc_first and order is not None and order.orc is None and not order.observations:
        order.orc = segment  # OUL: the ORC of the OBR before it
        walk.notes_to = order.notes
        return
    walk.orc, walk.order, walk.tube = segment, None, None
    walk.notes_to = []


def _obr(walk: _Walk, segment: Segment) -> None:
    patient = _patient(walk, segment)
    if walk.orc_first is None:
        walk.orc_first = not walk.grammar.unnamed  # only OUL has grammars in which ORC follows OBR
    if patient.pid is None and patient.orders and not walk.grammar.specimen_first:
        patient = _unnamed(walk)  # nothing says that two orders are of one patient
    walk.order = OrderGroup(walk.orc, segment)
    if walk.grammar.specimen_first and walk.specimen is not None:
        walk.order.specimens.append(walk.specimen)
        walk.taken = True
    patient.orders.append(walk.order)
    walk.orc = walk.tube = walk.document = walk.observation = None
    walk.notes_to = walk.order.notes


def _obx(walk: _Walk, segment: Segment) -> None:
    patient = _patient(walk, segment)
    found = ObservationGroup(segment)
    walk.notes_to, walk.observation = found.notes, found
    if walk.tube is not None:
        walk.tube.observations.append(found)
    elif walk.order is not None:
        walk.order.observations.append(found)
        if walk.grammar.between and walk.order.specimens and not walk.odd.count(note("N018", walk.order.obr.at)):
            walk.odd.append(note("N018", walk.order.obr.at))
    elif walk.orc is None and walk.version >= "2.6":
        patient.observations.append(found)
    elif walk.orc is not None and walk.version >= "2.8" and not walk.grammar.unnamed:  # in OUL the ORC follows its OBR
        walk.document = segment
    else:
        raise Refuse("OBX stands before OBR", code="100", location=erl(segment))


def _tcd(walk: _Walk, segment: Segment) -> None:
    walk.notes_to = []
    if walk.observation is not None:
        walk.observation.tcd = segment


def _sid(walk: _Walk, segment: Segment) -> None:
    walk.notes_to = walk.observation.notes if walk.observation is not None else []
    if walk.observation is not None:
        walk.observation.sids.append(segment)


def _end_document(walk: _Walk) -> None:
    """An OBX after ORC is the order's document only where the order follows; else it is a result without an order."""
    if walk.document is not None:
        raise Refuse("OBR is missing after ORC", code="100", location=erl(walk.document))


def _end_specimen(walk: _Walk) -> None:
    """Where the specimen comes first, what is said of a tube is told with its orders: without any it is of nothing."""
    if walk.grammar.specimen_first and walk.specimen is not None and walk.specimen.observations and not walk.taken:
        raise Refuse("OBR is missing after SPM", code="100", location=erl(walk.specimen.observations[0].obx))


def _spm(walk: _Walk, segment: Segment) -> None:
    _end_specimen(walk)
    walk.taken = False
    walk.specimen = found = SpecimenGroup(segment)
    walk.observation = None
    walk.notes_to = found.notes
    if walk.grammar.specimen_first:
        if walk.patient is None or walk.patient.pid is None:
            _unnamed(walk)
        walk.order = walk.orc = None
        walk.tube = found
        return
    if walk.order is None:
        raise Refuse("SPM stands before OBR", code="100", location=erl(segment))
    walk.order.specimens.append(found)
    walk.tube = None if walk.grammar.between else found


def _nte(walk: _Walk, segment: Segment) -> None:
    walk.notes_to.append(segment)


def _patient(walk: _Walk, segment: Segment) -> PatientGroup:
    if walk.patient is not None:
        return walk.patient
    if walk.grammar.unnamed:
        return _unnamed(walk)
    raise Refuse(f"{segment.name} stands before PID", code="100", location=erl(segment))


def _unnamed(walk: _Walk) -> PatientGroup:
    walk.patient = PatientGroup(None)
    walk.patients.append(walk.patient)
    return walk.patient


_STEP = Callable[[_Walk, Segment], None]
_OF_ALL: dict[str, _STEP] = {"MSH": _msh, "DSC": _dsc, "ADD": _add, "PID": _pid, "NTE": _nte}
_OF_RESULTS: dict[str, _STEP] = {
    **_OF_ALL, "ORC": _orc, "OBR": _obr, "OBX": _obx, "SPM": _spm, "TCD": _tcd, "SID": _sid,
}  # fmt: skip
_OF_IDENTITY: dict[str, _STEP] = {**_OF_ALL, "MRG": _mrg, "OBX": lambda walk, segment: None}
