"""What receiving makes of a FHIR body: an arrival to keep, and the answer to give once it is kept.

The reading takes a processor for milliseconds and is done where nobody waits for it (feeds/fhir_readers.py); the answer is a
few lines of JSON.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import structs

from labbridge.fhir import guard, structure, validating
from labbridge.fhir.faults import STATUS, Issue, Unfit, outcome, unfit
from labbridge.model.work import Arrival, AuditEvent, Feed, PostedResource, Receipt
from labbridge.notes import note
from labbridge.states import Reason, State

_ENTRY = re.compile(r"Bundle\.entry\[(\d+)\]")
SEVERAL = Issue("multiple-matches", "More than one resource meets the condition", "")
TYPE = "application/fhir+json; charset=utf-8"


class Posted(msgspec.Struct, frozen=True):
    """A body as far as it is read before it is kept. `bundle`: its type, empty for a single resource. `refused`: why an
    entry of a batch is not taken. `issues`: why nothing of it is, with the HTTP status. `header`: id and event of a
    message."""

    arrival: Arrival
    bundle: str = ""
    refused: dict[int, Issue] = {}
    issues: tuple[Issue, ...] = ()
    status: int = 0
    header: tuple[str, dict[str, Any]] | None = None

    @property
    def taken(self) -> bool:
        return not self.issues


class Wanted(msgspec.Struct, frozen=True):
    """What the address of a request says that its body is: a resource type (empty: a Bundle), of PUT its id; `message`: it
    was sent to $process-message."""

    kind: str = ""
    id: str = ""
    message: bool = False


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer: status, body, and headers beside the content type."""

    status: int
    body: bytes
    headers: dict[str, str] = {}


# ---------------------------------------------------------------- read


def read(raw: bytes, feed: Feed, address: str, now: datetime, wanted: Wanted) -> Posted:
    """A body of this feed: its envelope, or the faults it is refused for."""
    try:
        return _read(raw, feed, address, now, wanted)
    except Unfit as fault:
        return refused(raw, feed, address, now, fault)


def _read(raw: bytes, feed: Feed, address: str, now: datetime, wanted: Wanted) -> Posted:
    body = guard.load(raw)
    _check_wanted(body, wanted)
    batch = body.get("resourceType") == "Bundle" and body.get("type") == "batch"
    apart = _apart(validating.issues(body), batch)
    envelope = structure.read_structure(raw, feed, apart)
    more = _apart([one for one in structure.unasked(envelope.contents) if _entry(one) not in apart], batch)
    if more:
        apart |= more
        envelope = structure.read_structure(raw, feed, apart)
    bundle = envelope.contents.bundle
    resources = tuple(one for one in envelope.resources() if one.entry not in apart)
    if wanted.id:
        resources = (structs.replace(resources[0], method="PUT", id=wanted.id),)
    arrival = Arrival(
        raw=raw,
        feed=feed.name,
        peer=address,
        sender=envelope.sender,
        control_id=envelope.control_id,
        message_type=envelope.message_type,
        digest=envelope.digest,
        length=len(raw),
        lanes=envelope.lanes,
        received=now,
        notes=tuple(note("N021", f"Bundle.entry[{entry}]") for entry in sorted(apart)),
        resources=resources,
    )
    header = structure.event(envelope.contents, body)
    return Posted(arrival, bundle.type if bundle else "", apart, header=header)


def _check_wanted(body: dict[str, Any], wanted: Wanted) -> None:
    kind = body.get("resourceType")
    if wanted.kind and kind != wanted.kind:
        raise unfit("invalid", f"This address takes {wanted.kind}", "resourceType")
    if not wanted.kind and kind != "Bundle":
        raise unfit(
            "invalid", "This address takes a Bundle; a single resource goes to the address of its type", "resourceType"
        )
    if wanted.id and body.get("id") != wanted.id:
        raise unfit("invalid", "The id is not that of the address", f"{wanted.kind}.id")
    if wanted.message and body.get("type") != "message":
        raise unfit("invalid", "$process-message takes a Bundle of type message", "Bundle.type")


def _apart(issues: Sequence[Issue], batch: bool) -> dict[int, Issue]:
    """The faults of a batch by the entry they are in, each with its first one. Unfit where one concerns all of the body."""
    found: dict[int, Issue] = {}
    for one in issues:
        entry = _entry(one)
        if not batch or entry is None:
            raise Unfit(issues)
        found.setdefault(entry, one)
    return found


def _entry(issue: Issue) -> int | None:
    found = _ENTRY.match(issue.expression)
    return int(found[1]) if found else None


def refused(raw: bytes, feed: Feed, address: str, now: datetime, fault: Unfit) -> Posted:
    """What is kept of a body that is refused: all of it, with the place and the rule."""
    arrival = Arrival(
        raw=raw,
        feed=feed.name,
        peer=address,
        sender=feed.sender or f"{feed.name}|",
        control_id=hashlib.sha256(raw).hexdigest(),
        message_type="FHIR",
        digest=hashlib.sha256(raw).digest(),
        length=len(raw),
        received=now,
        state=State.QUARANTINED,
        reason=Reason.UNSUPPORTED if fault.code == "not-supported" else Reason.STRUCTURE,
        detail=fault.text,
        answer=str(fault.status),
        error_code=fault.code,
        location=fault.location,
    )
    return Posted(arrival, issues=fault.issues, status=fault.status)


def with_bytes(posted: Posted, raw: bytes) -> Posted:
    """What was read elsewhere, with the bytes that it was read from."""
    return structs.replace(posted, arrival=structs.replace(posted.arrival, raw=raw))


def event(posted: Posted) -> AuditEvent:
    """The audit's line of an arrival."""
    arrival = posted.arrival
    action, detail = ("received", arrival.message_type) if posted.taken else ("refused", arrival.detail)
    return AuditEvent(at=arrival.received, actor=arrival.feed, action=action, subject="", detail=detail)


# ---------------------------------------------------------------- answer


def answer(posted: Posted, receipt: Receipt, base: str) -> Answer:
    """What is said of a body that is on disk. `base` is the address of this server's resources."""
    if posted.issues:
        return Answer(posted.status, outcome(posted.issues))
    if receipt.several is not None:
        place = f"Bundle.entry[{receipt.several}].request.ifNoneExist" if receipt.several >= 0 else ""
        return Answer(412, outcome([structs.replace(SEVERAL, expression=place)]))
    if not posted.bundle:
        return _of_resource(posted, receipt, base)
    if posted.bundle == "message" and posted.header is not None:
        return Answer(200, _response_message(posted, receipt, base))
    if posted.bundle not in ("transaction", "batch"):
        return Answer(200, outcome([Issue("informational", f"Kept as M{receipt.key}", severity="information")]))
    return Answer(200, _response_bundle(posted, receipt))


def id_of(posted: PostedResource, receipt: Receipt) -> str:
    """The id of a resource of a body: that of the one that was there, its sender's own, else of our key and its entry."""
    known = receipt.known.get(posted.entry)
    return known or posted.id or (f"M{receipt.key}-{posted.entry}" if posted.entry >= 0 else f"M{receipt.key}")


def _of_resource(posted: Posted, receipt: Receipt, base: str) -> Answer:
    """The resource as it came, with its id: every other byte of its elements is the sender's."""
    one = posted.arrival.resources[0]
    id = id_of(one, receipt)
    there = receipt.duplicate or one.entry in receipt.known
    members = _members(posted.arrival.raw.removeprefix(guard.BOM))
    body = {"resourceType": members.pop("resourceType"), "id": msgspec.Raw(_encode(id)), **members}
    body["id"] = msgspec.Raw(_encode(id))
    headers = {"Location": f"{base}/{one.kind}/{id}/_history/1", "ETag": 'W/"1"'}
    return Answer(200 if there else 201, _encode(body), headers)


def _response_bundle(posted: Posted, receipt: Receipt) -> bytes:
    answers: dict[int, dict[str, Any]] = {}
    for one in posted.arrival.resources:
        there = receipt.duplicate or one.entry in receipt.known
        status = HTTPStatus.OK if there else HTTPStatus.CREATED
        location = f"{one.kind}/{id_of(one, receipt)}/_history/1"
        answers[one.entry] = {"status": _line(status), "location": location, "etag": 'W/"1"'}
    for entry, issue in posted.refused.items():
        told = msgspec.Raw(outcome([issue]))
        answers[entry] = {"status": _line(HTTPStatus(STATUS[issue.code])), "outcome": told}
    entries = [{"response": answers[entry]} for entry in sorted(answers)]
    body = {"resourceType": "Bundle", "id": f"M{receipt.key}", "type": f"{posted.bundle}-response"}
    return _encode(body | ({"entry": entries} if entries else {}))


def _response_message(posted: Posted, receipt: Receipt, base: str) -> bytes:
    assert posted.header is not None
    id, said = posted.header
    header = {
        "resourceType": "MessageHeader",
        "id": f"M{receipt.key}",
        **said,
        "source": {"name": "labbridge", "endpoint": base},
        "response": {"identifier": id or f"M{receipt.key}", "code": "ok"},
    }
    body = {
        "resourceType": "Bundle",
        "id": f"M{receipt.key}",
        "type": "message",
        "timestamp": posted.arrival.received.isoformat(timespec="seconds"),
        "entry": [{"fullUrl": f"{base}/MessageHeader/M{receipt.key}", "resource": header}],
    }
    return _encode(body)


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


_encode = msgspec.json.Encoder(decimal_format="number").encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
