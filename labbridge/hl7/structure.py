"""The envelope of a message: type, version, sender, patients and lanes. All that receive() answers for (reliability.md
3.1), and no meaning."""

from __future__ import annotations

import hashlib

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7 import reader, sizes
from labbridge.hl7.groups import GRAMMARS, Grammar, OrderGroup, PatientGroup, groups
from labbridge.hl7.head import head
from labbridge.hl7.reader import Message, Segment
from labbridge.model.lanes import lane, lane_of
from labbridge.model.report import Identifier, PlacedNote
from labbridge.model.work import Feed
from labbridge.notes import note

VERSIONS = frozenset("2.1 2.2 2.3 2.3.1 2.4 2.5 2.5.1 2.6 2.7 2.7.1 2.8 2.8.1 2.8.2 2.9".split())
READ_AS = "2.5.1"  # what an unknown version is read as
NULL = '""'
ANSWERS = {"ORL": ("O22", ""), "ORR": ("O02", "")}  # to orders (order_answers.py)
RESULTS = "ORU"
EVENTS = {
    kind: frozenset(one.partition("^")[2] for one in GRAMMARS if one.startswith(kind)) for kind in ("ORU", "OUL", "ADT")
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a message before anything in it is understood. `lanes`: one per patient, in order. `identity`: it
    speaks of patients alone (ADT)."""

    message: Message
    patients: list[PatientGroup]
    sender: str
    control_id: str
    message_type: str
    version: str
    digest: bytes
    lanes: tuple[str, ...]
    identity: bool = False
    notes: tuple[PlacedNote, ...]


def read_structure(raw: bytes, feed: Feed) -> Envelope:
    """The envelope of a message of this feed. Raises Refuse with code and place for what 3.1 refuses."""
    message = reader.read(raw, feed.charset)
    sizes.check(message)
    message_type, sender = _message_type(message), sender_of(message)
    sent_version = _check_header(message, sender, feed)
    version = _read_as(sent_version)
    if message_type not in GRAMMARS:
        return _answer(message, hashlib.sha256(raw).digest(), version)
    patients, notes = _patients(message, GRAMMARS[message_type], version, sender)
    if sent_version != version:
        notes += (note("N007", "MSH-12"),)
    if len(patients) > 1:
        notes += (note("N015", "PID"),)
    return Envelope(
        message=message,
        patients=patients,
        sender=sender,
        control_id=message.msh.field(10),
        message_type=message_type,
        version=version,
        digest=hashlib.sha256(raw).digest(),
        lanes=tuple(dict.fromkeys(lane for patient in patients for lane in patient.lanes)),
        identity=GRAMMARS[message_type].identity,
        notes=message.notes + notes,
    )


def is_answer(raw: bytes) -> bool:
    """Whether a message that was kept is the answer to an order."""
    return head(raw).message_type.partition("^")[0] in ANSWERS


def _answer(message: Message, digest: bytes, version: str) -> Envelope:
    """An answer to an order speaks of orders, whichever patients it names: its lane is its sender's."""
    if not any(segment.name == "MSA" for segment in message.segments):
        raise Refuse("An answer needs an MSA", code="100", location="MSA^1")
    sender = sender_of(message)
    return Envelope(
        message=message,
        patients=[],
        sender=sender,
        control_id=message.msh.field(10),
        message_type=_message_type(message),
        version=version,
        digest=digest,
        lanes=(lane("o", sender),),
        notes=message.notes,
    )


def patients_of(message: Message) -> list[PatientGroup]:
    """The patients of a message that was read before, with their lanes, whatever its feed; of an answer to an order there
    are none. Refuse as read_structure."""
    if _message_type(message) not in GRAMMARS:
        return []
    grammar, version = GRAMMARS[_message_type(message)], message.component(message.msh.field(12), 1)
    return _patients(message, grammar, _read_as(version), sender_of(message))[0]


def _patients(
    message: Message, grammar: Grammar, version: str, sender: str
) -> tuple[list[PatientGroup], tuple[PlacedNote, ...]]:
    found, odd = groups(message, grammar, version)
    facility = sender.partition("|")[2]
    for patient in found:
        patient.identifiers = _identified(message, patient, facility, unnamed=grammar.unnamed)
        own = lane_of(patient.identifiers) if patient.identifiers else _unnamed_lane(message, patient, sender)
        patient.lanes = (own,)
        if patient.merged is not None:  # the patient who was merged waits for an identity message too
            patient.lanes = (own, lane_of(_merged(message, patient.merged, facility)))
    return found, odd


# ---------------------------------------------------------------- header


def _message_type(message: Message) -> str:
    """MSH-9 as `ORU^R01`. A result message without an event is R01: before 2.3 there was no other."""
    msh = message.msh
    if msh.field(10).strip() in ("", NULL):
        raise Refuse("MSH-10 is missing", code="101", location="MSH^1^10")
    kind = message.component(msh.field(9), 1)
    event = message.component(msh.field(9), 2)
    if not kind:
        raise Refuse("MSH-9 is missing", code="101", location="MSH^1^9")
    if kind in ("ACK", "MCF"):  # an acknowledgement is never acknowledged
        raise Refuse("An acknowledgement came in on a result feed", code="200", location="MSH^1^9", answer=False)
    if kind in ANSWERS and event in ANSWERS[kind]:
        return f"{kind}^{event or ANSWERS[kind][0]}"
    if kind not in EVENTS:
        raise Refuse("This message type is not taken", code="200", location="MSH^1^9^1^1", reject=True)
    event = event or ("R01" if kind == RESULTS else "")
    if event not in EVENTS[kind]:
        raise Refuse("This event is not taken", code="201", location="MSH^1^9^1^2", reject=True)
    return f"{kind}^{event}"


def _check_header(message: Message, sender: str, feed: Feed) -> str:
    """The version as sent, once the rest of the header is seen to be right for this feed."""
    msh = message.msh
    for number in (11, 12):
        if msh.field(number).strip() in ("", NULL):
            raise Refuse(f"MSH-{number} is missing", code="101", location=f"MSH^1^{number}")
    if message.component(msh.field(11), 1) != feed.processing_id:
        text = f"This feed takes processing id {feed.processing_id} only"
        raise Refuse(text, code="202", location="MSH^1^11", reject=True)
    if feed.sender and sender != feed.sender:
        raise Refuse("The sender is not the one of this feed", code="207", location="MSH^1^3", reject=True)
    if msh.field(14).strip() not in ("", NULL):
        raise Refuse("A message in several parts is not taken", code="207", location="MSH^1^14", reject=True)
    return message.component(msh.field(12), 1)


def _read_as(version: str) -> str:
    """MSH-12, or 2.5.1 where that is none we know."""
    return version if version in VERSIONS else READ_AS


def sender_of(message: Message) -> str:
    """MSH-3|MSH-4, the namespace id of each."""
    return f"{message.component(message.msh.field(3), 1)}|{message.component(message.msh.field(4), 1)}"


# ---------------------------------------------------------------- patients


def _identified(message: Message, patient: PatientGroup, facility: str, *, unnamed: bool) -> tuple[Identifier, ...]:
    """The patient's identifiers. None at all is a fault of the message, unless its grammar leaves the patient open."""
    pid = patient.pid
    found = identifiers(message, pid.field(3), facility) if pid is not None else ()
    if not found and not unnamed:
        occurrence = pid.occurrence if pid is not None else 1
        raise Refuse("PID-3 holds no identifier", code="101", location=f"PID^{occurrence}^3")
    return found


def _merged(message: Message, merged: Segment, facility: str) -> tuple[Identifier, ...]:
    found = identifiers(message, merged.field(1), facility)
    if not found:
        raise Refuse("MRG-1 holds no identifier", code="101", location=f"MRG^{merged.occurrence}^1")
    return found


def identifiers(message: Message, field: str, facility: str) -> tuple[Identifier, ...]:
    """A CX field as identifiers. The assigning authority is CX.4: its name, else its universal id (two authorities must
    never become one patient), else the sending facility."""
    found = []
    for repetition in message.repetitions(field):
        value, _check, _scheme, authority, kind = (*message.components(repetition), "", "", "", "", "")[:5]
        value = _valued(message.component(value, 1))
        if value:
            name = _valued(message.component(authority, 1)) or _valued(message.component(authority, 1, 2))
            found.append(Identifier(name or facility, value, _valued(message.component(kind, 1))))
    return tuple(found)


def _valued(text: str) -> str:
    """Text, without the blanks around it; empty also for the HL7 null."""
    text = text.strip()
    return "" if text == NULL else text


def _unnamed_lane(message: Message, patient: PatientGroup, sender: str) -> str:
    """Where no patient is named: the specimen, else the sender (architecture.md, Scale)."""
    for order in patient.orders:
        specimen = specimen_id(message, order)
        if specimen:
            return lane("s", specimen)
    return lane("f", sender)


def specimen_id(message: Message, order: OrderGroup) -> str:
    """SPM-2, the filler's number before the placer's: `namespace|id`; empty where none was sent."""
    for specimen in order.specimens:
        for component in (2, 1):
            number, namespace = (_valued(message.component(specimen.spm.field(2), component, sub)) for sub in (1, 2))
            if number:
                return f"{namespace}|{number}"
    return ""
