"""Whose a result or a fact is: the patient that it names, or that what holds it names; of one that names none the
specimen's or the sender's lane."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from labbridge.fhir import contents
from labbridge.fhir.contents import Contents, Node
from labbridge.fhir.faults import unfit
from labbridge.fhir.resources import DiagnosticReport, Observation, Patient, Reference, Specimen
from labbridge.fhir.resources import Identifier as Sent
from labbridge.model.lanes import lane, lane_of
from labbridge.model.report import EntityId, Identifier
from labbridge.model.work import Feed

RESULTS = ("Observation", "DiagnosticReport")
OF_A_PATIENT = (*RESULTS, "MedicationStatement", "Condition")
LEVELS = 8  # panels within panels
NO_NUMBER = EntityId()

Who = tuple[Identifier, ...]
_URN = "urn:"


def owners(found: Contents, feed: Feed) -> dict[str, str]:
    """The lane of each result and fact by its place, in order. Unfit where a report or panel of one patient holds a result
    of another."""
    who = {node.at: patient_of(found, node, feed) for node in found.of(*OF_A_PATIENT) if node.resource is not None}
    held = {node.at: list(_held(found, node)) for node in found.of(*RESULTS)}
    _handed_down(found, feed, who, held)
    for _level in range(LEVELS):
        if not _handed_up(who, held):
            break
    _handed_down(found, feed, who, held)
    nodes = {node.at: node for node in found.nodes}
    return {at: lane_of(one) if one else _unnamed(found, nodes[at], feed) for at, one in who.items()}


def _held(found: Contents, holder: Node) -> Iterator[Node]:
    """The results in this body that a report or a panel refers to."""
    sent = holder.resource
    if isinstance(sent, DiagnosticReport | Observation):
        for reference in sent.result if isinstance(sent, DiagnosticReport) else sent.has_member:
            member = found.resolve(holder, reference)
            if member is not None and isinstance(member.resource, Observation):
                yield member


def _handed_down(found: Contents, feed: Feed, who: dict[str, Who], held: dict[str, list[Node]]) -> None:
    """A result that names no patient is of the patient that its report or panel names. Two names of one patient have an
    identifier in common."""
    waiting = [at for at in reversed(held) if who[at]]
    while waiting:
        at = waiting.pop()
        for member in held[at]:
            own = who.get(member.at) or patient_of(found, member, feed)
            if own and not _same(own, who[at]):
                raise unfit("business-rule", "A report or panel holds a result of another patient", f"{at}.subject")
            if member.at in who and not own:
                who[member.at] = who[at]
                waiting.append(member.at)
            elif member.at in who:
                who[member.at] = who[at]


def _handed_up(who: dict[str, Who], held: dict[str, list[Node]]) -> bool:
    """A report or panel that names no patient is of the patient that its results name, if they name one. Whether any
    was."""
    before = sum(map(bool, who.values()))
    for at, members in held.items():
        who[at] = who[at] or _alone([who.get(one.at, ()) for one in members])
    return sum(map(bool, who.values())) > before


def _same(one: Who, other: Who) -> bool:
    """An identifier of one is of the other too, whatever type it was given."""
    return bool({(each.authority, each.id) for each in one} & {(each.authority, each.id) for each in other})


def _alone(named: list[Who]) -> Who:
    """The patient of these, if all that name one name the same."""
    lanes = {lane_of(one): one for one in named if one}
    return next(iter(lanes.values())) if len(lanes) == 1 else ()


def patients(found: Contents, feed: Feed) -> dict[str, str]:
    """The lane of each Patient by its place."""
    return {node.at: lane_of(who) for node in found.of("Patient") if (who := identifiers(node, feed))}


def people(found: Contents, feed: Feed, owned: Mapping[str, str]) -> dict[str, Node]:
    """The Patient of each lane. Unfit where two of one lane differ in birth date or sex: whose the results are cannot be
    told."""
    known: dict[str, dict[str, Node]] = {}
    lanes: dict[str, str] = {}
    for node in found.nodes:
        target = node if node.kind == "Patient" else found.resolve(node, getattr(node.resource, "subject", None))
        if target is None or target.kind != "Patient":
            continue
        if target.at not in lanes:
            lanes[target.at] = lane_of(who) if (who := identifiers(target, feed)) else ""
        if lanes[target.at]:
            known.setdefault(owned.get(node.at) or lanes[target.at], {}).setdefault(target.at, target)
    for some in known.values():
        if _differ([node.resource for node in some.values() if isinstance(node.resource, Patient)]):
            text = "Two Patients share an identifier and differ in birth date or sex"
            raise unfit("business-rule", text, next(iter(some)))
    return {name: next(iter(some.values())) for name, some in known.items()}


def _differ(some: list[Patient]) -> bool:
    """Whether what is stated of one contradicts what is stated of another: 1969 and 1969-04-17 do not."""
    born = sorted({one.birth_date for one in some if one.birth_date}, key=len)
    sexes = {one.gender for one in some if one.gender not in ("", "unknown")}
    return len(sexes) > 1 or any(not born[-1].startswith(one) for one in born)


def sender_of(found: Contents, feed: Feed) -> str:
    """`application|facility`: the feed's, else the name of the message's source, else the feed's own name."""
    if feed.sender:
        return feed.sender
    return f"{found.source or feed.name}|"


def _unnamed(found: Contents, node: Node, feed: Feed) -> str:
    """The lane of a result that names no patient: its specimen's, else its sender's."""
    specimen = specimen_of(found, node)
    tube = specimen_number(specimen.resource, feed) if specimen is not None else NO_NUMBER
    return lane("s", f"{tube.namespace}|{tube.id}") if tube else lane("f", sender_of(found, feed))


def patient_of(found: Contents, node: Node, feed: Feed) -> tuple[Identifier, ...]:
    """The identifiers of a node's patient: the Patient's in this body, else those of the reference itself. A bare reference
    names the patient by the sender's own id, which is an identifier of that sender and of nobody else."""
    reference: Reference | None = getattr(node.resource, "subject", None)
    if reference is None:
        return ()
    if not reference.reference.startswith(_URN):
        return _patient_of(found, node, reference, feed)
    known = found.patients.get(reference.reference)  # of the whole body, wherever it stands
    if known is None:
        known = found.patients[reference.reference] = _patient_of(found, node, reference, feed)
    return known


def _patient_of(found: Contents, node: Node, reference: Reference, feed: Feed) -> tuple[Identifier, ...]:
    target = found.resolve(node, reference)
    if target is not None:
        return identifiers(target, feed) if target.kind == "Patient" else ()
    if reference.type not in ("", "Patient"):
        return ()
    if reference.identifier is not None and reference.identifier.value:
        return (_identifier(reference.identifier, feed),)
    name = contents.named(reference.reference)
    kind, slash, id = name.partition("/")
    if not slash or kind != "Patient" or not id:
        return ()
    return (_by_id(contents.server_of(reference.reference), id, feed),)


def identifiers(node: Node, feed: Feed) -> tuple[Identifier, ...]:
    """A Patient's identifiers, none that is old; the sender's own id where there is no other."""
    patient = node.resource
    if not isinstance(patient, Patient):
        return ()
    found = tuple(_identifier(one, feed) for one in patient.identifier if one.value.strip() and one.use != "old")
    if found or not patient.id:
        return found
    return (_by_id(contents.server_of(node.url), patient.id, feed),)


def _by_id(server: str, id: str, feed: Feed) -> Identifier:
    """A patient by the id on a server: the one that was named, else the sender's own."""
    return Identifier(f"{server or f'{feed.sender or feed.name}/'}Patient", id)


def _identifier(sent: Sent, feed: Feed) -> Identifier:
    """The assigning authority is the system, under the name that the feed gives it; without a system the sender's."""
    kind = next((one.code for one in sent.type.coding if one.code), "")
    application, _bar, facility = feed.sender.partition("|")
    authority = feed.authorities.get(sent.system, sent.system) or facility or application or feed.name
    return Identifier(authority, sent.value.strip(), kind)


def specimen_of(found: Contents, node: Node) -> Node | None:
    """The specimen of a result, where it is in this body."""
    reference = getattr(node.resource, "specimen", None)
    if isinstance(reference, tuple):
        reference = reference[0] if reference else None
    target = found.resolve(node, reference)
    return target if target is not None and target.kind == "Specimen" else None


def specimen_number(specimen: object, feed: Feed) -> EntityId:
    """The tube's number: the laboratory's own before that of who took it."""
    if not isinstance(specimen, Specimen):
        return NO_NUMBER
    return number(specimen.accession_identifier, feed) or entity(specimen.identifier, feed, "FILL", "", "PLAC")


def number(sent: Sent | None, feed: Feed) -> EntityId:
    """An order or specimen number. Its namespace is the system, under the name that the feed gives it: a result whose
    number has that name on another wire too is the same result."""
    if sent is None or not sent.value:
        return NO_NUMBER
    return EntityId(sent.value, feed.authorities.get(sent.system, sent.system))


def entity(sent: Iterable[Sent], feed: Feed, *kinds: str) -> EntityId:
    """The number of the first of these types (table 0203); an empty one stands for those without a type."""
    for kind in kinds:
        for one in sent:
            codes = {coding.code for coding in one.type.coding if coding.code}
            if one.value and (kind in codes if kind else not codes):
                return number(one, feed)
    return NO_NUMBER
