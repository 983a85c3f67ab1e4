"""The envelope of a body: what it is, whose it is, and by which key it is ordered. All that receiving answers for
(reliability.md 3.1), and no meaning."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from labbridge.fhir import contents, guard, validating, whose
from labbridge.fhir.contents import Contents, Node
from labbridge.fhir.faults import Issue, unfit
from labbridge.fhir.resources import UNSENT, MessageHeader
from labbridge.model.lanes import lane
from labbridge.model.work import Feed, PostedResource

BUNDLES = frozenset(("transaction", "batch", "collection", "message", "document"))
ALONE = frozenset(("Observation", "DiagnosticReport", "Patient"))
WRITES = frozenset(("POST", "PUT"))
LONGEST_ID = 500  # characters
TEST = "HTEST"  # v3-ActReason: test health data


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a body before anything in it is understood. `lanes`: one per patient, in order of appearance;
    `owners`: the lane of each node that is a result or a fact, by its place; `people`: the Patient of a lane, where one is
    in the body. `sent_id`: what its sender calls it. `identity`: it speaks of patients alone."""

    raw: bytes
    contents: Contents
    sender: str
    sent_id: str
    message_type: str
    lanes: tuple[str, ...]
    owners: Mapping[str, str]
    people: Mapping[str, Node]
    identity: bool = False

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the bytes."""
        return hashlib.sha256(self.raw).digest()

    @property
    def control_id(self) -> str:
        """What the sender calls it; of a body that bears no name its digest."""
        return self.sent_id or self.digest.hex()

    def resources(self) -> tuple[PostedResource, ...]:
        """What is asked of each resource. Unfit for a condition that is not understood."""
        return tuple(_posted(self.contents))


def checked(raw: bytes) -> list[Issue]:
    """The body held against guard and models. Unfit where it is no JSON; else what the models say of it."""
    return validating.issues(guard.load(raw))


def read_structure(raw: bytes, feed: Feed, refused: Collection[int] = ()) -> Envelope:
    """The envelope of a body that `checked` has passed. Unfit with the place for what it does not see. `refused`: entries
    that are not looked at."""
    found = contents.read(raw, refused)
    _check_type(found, feed)
    owners = whose.owners(found, feed)
    lanes = tuple(dict.fromkeys(owners.values()))
    identity = not lanes
    if identity:
        owners = whose.patients(found, feed)
        lanes = tuple(dict.fromkeys(owners.values()))
    sender = whose.sender_of(found, feed)
    return Envelope(
        raw=raw,
        contents=found,
        sender=sender,
        sent_id=_control_id(found),
        message_type=f"FHIR {found.bundle.type}" if found.bundle else f"FHIR {found.kind}",
        lanes=lanes or (lane("f", sender),),
        owners=owners,
        people=whose.people(found, feed, owners),
        identity=identity and bool(lanes),
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
        raise unfit("processing", "The first entry of a message is its MessageHeader", "Bundle.entry[0].resource")
    _check_test(found, feed)
    header = next(found.of("MessageHeader"), None)
    if header is not None and feed.sender and isinstance(header.resource, MessageHeader):
        name = header.resource.source.name
        if name and name.casefold() != feed.sender.partition("|")[0].casefold():
            raise unfit("business-rule", "Another sender than this feed's", f"{header.at}.source.name")


def _check_test(found: Contents, feed: Feed) -> None:
    """On a production feed neither the body nor any resource of it is marked as test data."""
    marked = ((found.kind, found.meta), *((node.at, node.meta) for node in found.nodes))
    place = next((at for at, meta in marked if any(one.code == TEST for one in (*meta.security, *meta.tag))), None)
    if place is not None and feed.processing_id == "P":
        raise unfit("business-rule", "Test data (HTEST) on a production feed", f"{place}.meta")


def _control_id(found: Contents) -> str:
    """What the sender calls this body; a name too long for any index by its digest."""
    name = _sent_id(found)
    return name if len(name) <= LONGEST_ID else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _sent_id(found: Contents) -> str:
    bundle = found.bundle
    if bundle is None:
        return ""
    if bundle.identifier is not None and bundle.identifier.value:
        return contents.token(bundle.identifier)
    header = next(found.of("MessageHeader"), None)
    return header.resource.id if header is not None and isinstance(header.resource, MessageHeader) else ""


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
    if name != "identifier" or "&" in wanted or "|" not in wanted:
        raise unfit(
            "not-supported",
            "Only identifier=system|value is understood here",
            f"{at.rpartition('.')[0]}.request.ifNoneExist",
        )
    return wanted


def unasked(found: Contents) -> list[Issue]:
    """The entries of a transaction or batch that ask for something else than a create or an update, or for nothing."""
    bundle = found.bundle
    if bundle is None or bundle.type not in ("transaction", "batch"):
        return []
    issues = []
    for number, entry in enumerate(bundle.entry):
        place = f"Bundle.entry[{number}]"
        if entry.request is None:
            issues.append(Issue("processing", "An entry of a transaction or batch says what is asked (bdl-3)", place))
        elif entry.request.method not in WRITES:
            issues.append(Issue("not-supported", "Only POST and PUT are taken here", f"{place}.request.method"))
        elif entry.resource is UNSENT:
            issues.append(Issue("processing", "There is nothing to create or to update", f"{place}.resource"))
    return issues


def event(found: Contents, body: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """Id and event of a message, as its answer repeats them; None of any other body. `body` is as guard.load gives it."""
    if found.bundle is None or found.bundle.type != "message":
        return None
    header = body["entry"][found.nodes[0].entry]["resource"]
    return header.get("id", ""), {key: header[key] for key in ("eventCoding", "eventUri") if key in header}
