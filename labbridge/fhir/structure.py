"""The envelope of a body: what it is, whose it is, and by which key it is ordered. All that receiving answers for
(reliability.md 3.1), and no meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from urllib.parse import unquote

import msgspec

from labbridge.fhir import contents, guard, validating
from labbridge.fhir.contents import Contents, Node
from labbridge.fhir.faults import Issue, unfit
from labbridge.fhir.resources import UNSENT, MessageHeader, Patient, Reference, Specimen
from labbridge.fhir.resources import Identifier as Sent
from labbridge.model.report import EntityId, Identifier
from labbridge.model.work import Feed, PostedResource

BUNDLES = frozenset(("transaction", "batch", "collection", "message", "document"))
ALONE = frozenset(("Observation", "DiagnosticReport", "Patient"))
WRITES = frozenset(("POST", "PUT"))
RESULTS = ("Observation", "DiagnosticReport")
OF_A_PATIENT = (*RESULTS, "MedicationStatement", "Condition")
LONGEST_LANE = 500  # characters
NO_NUMBER = EntityId()
TEST = "HTEST"  # v3-ActReason: test health data


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a body before anything in it is understood. `lanes`: one per patient, in order of appearance;
    `owners`: the lane of each node that is a result or a fact, by its place. `identity`: it speaks of patients alone."""

    contents: Contents
    sender: str
    control_id: str
    message_type: str
    digest: bytes
    lanes: tuple[str, ...]
    owners: Mapping[str, str]
    identity: bool = False
    resources: tuple[PostedResource, ...] = ()


def checked(raw: bytes) -> list[Issue]:
    """The body held against guard and models. Unfit where it is no JSON; else what the models say of it."""
    return validating.issues(guard.load(raw))


def read_structure(raw: bytes, feed: Feed, left_out: Collection[int] = ()) -> Envelope:
    """The envelope of a body that `checked` has passed. Unfit with the place for what it does not see. `left_out`: entries
    that are not read."""
    found = contents.read(raw, left_out)
    digest = hashlib.sha256(raw).digest()
    _check_type(found, feed)
    owners = {node.at: _lane_of(found, node, feed) for node in _of_patients(found)}
    lanes = tuple(dict.fromkeys(owners.values()))
    identity = not lanes
    if identity:
        owners = {node.at: lane_of(identifiers(node, feed)) for node in found.of("Patient") if identifiers(node, feed)}
        lanes = tuple(dict.fromkeys(owners.values()))
    sender = sender_of(found, feed)
    return Envelope(
        contents=found,
        sender=sender,
        control_id=_control_id(found) or digest.hex(),
        message_type=f"FHIR {found.bundle.type}" if found.bundle else f"FHIR {found.kind}",
        digest=digest,
        lanes=lanes or (_lane("f", sender),),
        owners=owners,
        identity=identity and bool(lanes),
        resources=tuple(_posted(found)),
    )


def _check_type(found: Contents, feed: Feed) -> None:
    bundle = found.bundle
    if bundle is None and found.kind not in ALONE:
        text = "This resource is not taken alone; send Observation, DiagnosticReport, Patient, or a Bundle"
        raise unfit("not-supported", text, "resourceType")
    if bundle is not None and bundle.type not in BUNDLES:
        raise unfit(
            "not-supported", f"A Bundle of this type is not taken; {', '.join(sorted(BUNDLES))} are", "Bundle.type"
        )
    if bundle is not None and bundle.type == "message" and not (found.nodes and found.nodes[0].kind == "MessageHeader"):
        raise unfit("required", "The first entry of a message is its MessageHeader", "Bundle.entry[0].resource")
    marked = (*found.meta.security, *found.meta.tag)
    if feed.processing_id == "P" and any(one.code == TEST for one in marked):
        raise unfit("business-rule", "Test data (HTEST) on a production feed", f"{found.kind}.meta")
    header = next(found.of("MessageHeader"), None)
    if header is not None and feed.sender and isinstance(header.resource, MessageHeader):
        name = header.resource.source.name
        if name and name.casefold() != feed.sender.partition("|")[0].casefold():
            raise unfit("business-rule", "Another sender than this feed's", f"{header.at}.source.name")


def sender_of(found: Contents, feed: Feed) -> str:
    """`application|facility`: the feed's, else the name of the message's source, else the feed's own name."""
    if feed.sender:
        return feed.sender
    header = next(found.of("MessageHeader"), None)
    name = header.resource.source.name if header is not None and isinstance(header.resource, MessageHeader) else ""
    return f"{name or feed.name}|"


def _control_id(found: Contents) -> str:
    bundle = found.bundle
    if bundle is None:
        return ""
    if bundle.identifier is not None and bundle.identifier.value:
        return contents.token(bundle.identifier)
    header = next(found.of("MessageHeader"), None)
    return header.resource.id if header is not None and isinstance(header.resource, MessageHeader) else ""


# ---------------------------------------------------------------- whose


def _of_patients(found: Contents) -> Iterator[Node]:
    return (node for node in found.of(*OF_A_PATIENT) if node.resource is not None)


def _lane_of(found: Contents, node: Node, feed: Feed) -> str:
    """The lane of the patient of a result; of one that names none its specimen's, else its sender's."""
    who = patient_of(found, node, feed)
    if who:
        return lane_of(who)
    specimen = specimen_of(found, node)
    tube = specimen_number(specimen.resource, feed) if specimen is not None else NO_NUMBER
    return _lane("s", f"{tube.namespace}|{tube.id}") if tube else _lane("f", sender_of(found, feed))


def patient_of(found: Contents, node: Node, feed: Feed) -> tuple[Identifier, ...]:
    """The identifiers of a node's patient: the Patient's in this body, else those of the reference itself. A bare reference
    names the patient by the sender's own id, which is an identifier of that sender and of nobody else."""
    reference: Reference | None = getattr(node.resource, "subject", None)
    if reference is None:
        return ()
    target = found.resolve(node, reference)
    if target is not None:
        return identifiers(target, feed) if target.kind == "Patient" else ()
    if reference.identifier is not None and reference.identifier.value:
        return (_identifier(reference.identifier, feed),)
    name = contents.named(reference.reference)
    kind, slash, id = name.partition("/")
    if not slash or kind != "Patient" or not id:
        return ()
    return (Identifier(f"{feed.sender or feed.name}/Patient", id),)


def identifiers(node: Node, feed: Feed) -> tuple[Identifier, ...]:
    """A Patient's identifiers, none that is old; the sender's own id where there is no other."""
    patient = node.resource
    if not isinstance(patient, Patient):
        return ()
    found = tuple(_identifier(one, feed) for one in patient.identifier if one.value.strip() and one.use != "old")
    if found or not patient.id:
        return found
    return (Identifier(f"{feed.sender or feed.name}/Patient", patient.id),)


def _identifier(sent: Sent, feed: Feed) -> Identifier:
    kind = next((one.code for one in sent.type.coding if one.code), "")
    return Identifier(authority(sent, feed), sent.value.strip(), kind)


def authority(sent: Sent, feed: Feed) -> str:
    """Who assigned a number, of a patient, an order or a specimen: its system, under the name that the feed gives it. A
    result whose number has that name on another wire too is the same result."""
    return feed.authorities.get(sent.system, sent.system)


def number(sent: Sent | None, feed: Feed) -> EntityId:
    """An order or specimen number."""
    return EntityId(sent.value, authority(sent, feed)) if sent is not None and sent.value else NO_NUMBER


def entity(sent: Iterable[Sent], feed: Feed, *kinds: str) -> EntityId:
    """The number of the first of these types (table 0203); an empty one stands for those without a type."""
    for kind in kinds:
        for one in sent:
            codes = {coding.code for coding in one.type.coding if coding.code}
            if one.value and (kind in codes if kind else not codes):
                return number(one, feed)
    return NO_NUMBER


def lane_of(identifiers: tuple[Identifier, ...]) -> str:
    """The unit of order: the identifier history is kept under (MR, then PI, else the first)."""
    chosen = next((one for kind in ("MR", "PI") for one in identifiers if one.type == kind), identifiers[0])
    return _lane("p", f"{chosen.authority}|{chosen.id}")


def _lane(kind: str, name: str) -> str:
    if len(name) > LONGEST_LANE:
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{kind}:{name}"


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


# ---------------------------------------------------------------- what is asked


def _posted(found: Contents) -> Iterator[PostedResource]:
    """What is asked of each entry. A Bundle that is no transaction or batch asks that all of it be kept."""
    bundle = found.bundle
    if bundle is None:
        node = found.nodes[0]
        yield PostedResource(-1, "POST", node.kind, known_by=_tokens(node))
        return
    for node in found.nodes:
        request = bundle.entry[node.entry].request
        if request is None or bundle.type not in ("transaction", "batch"):
            yield PostedResource(node.entry, "POST", node.kind, known_by=_tokens(node))
            continue
        _path, _mark, query = request.url.partition("?")
        id = request.url.partition("/")[2] if request.method == "PUT" and not query else ""
        condition = request.if_none_exist or (query if request.method == "PUT" else "")
        yield PostedResource(
            node.entry,
            request.method,
            node.kind,
            id=id.partition("/")[0],
            known_by=_tokens(node),
            only_if_none=_condition(condition, node.at) if request.method == "POST" else "",
        )


def _tokens(node: Node) -> tuple[str, ...]:
    sent = getattr(node.resource, "identifier", ())
    return tuple(dict.fromkeys(contents.token(one) for one in sent if one.value))


def _condition(query: str, at: str) -> str:
    """`identifier=system|value` of a conditional create; the only condition that is understood here."""
    name, _equals, wanted = unquote(query).partition("=")
    if not query:
        return ""
    if name != "identifier" or "&" in wanted or not wanted:
        raise unfit(
            "not-supported",
            "Only identifier=system|value is understood here",
            f"{at.rpartition('.')[0]}.request.ifNoneExist",
        )
    return wanted if "|" in wanted else f"|{wanted}"


def unasked(found: Contents) -> list[Issue]:
    """The entries of a transaction or batch that ask for something else than a create or an update, or for nothing."""
    bundle = found.bundle
    if bundle is None or bundle.type not in ("transaction", "batch"):
        return []
    issues = []
    for number, entry in enumerate(bundle.entry):
        place = f"Bundle.entry[{number}]"
        if entry.request is None:
            issues.append(Issue("invariant", "An entry of a transaction or batch says what is asked (bdl-3)", place))
        elif entry.request.method not in WRITES:
            issues.append(Issue("not-supported", "Only POST and PUT are taken here", f"{place}.request.method"))
        elif entry.resource is UNSENT:
            issues.append(Issue("required", "There is nothing to create or to update", f"{place}.resource"))
    return issues
