"""Synthetic FHIR bodies the tests share, and short ways to read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from labbridge.fhir import incoming, structure
from labbridge.fhir.faults import Issue, Unfit
from labbridge.fhir.structure import Envelope
from labbridge.model.report import Observation as Line
from labbridge.model.report import Report
from labbridge.model.work import Feed

Body = dict[str, Any]

FEED = Feed(name="north", kind="fhir", timezone="Europe/Berlin")
LOINC = "http://loinc.org"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
MRN = "urn:oid:2.999.1"
BORN = "1969-04-17"


def observation(**elements: Any) -> Body:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "Anti-SRP"}, **elements}


def report(*results: str, **elements: Any) -> Body:
    """A DiagnosticReport with references to these results."""
    found = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Myositis panel"}, **elements}
    return {**found, "result": [ref(one) for one in results]} if results else found


def patient(id: str = "p1", number: str = "", **elements: Any) -> Body:
    """A Patient with this number as its MR; without a number by its id alone."""
    identifier = {"identifier": [{"type": concept(V2_0203, "MR"), "system": MRN, "value": number}]} if number else {}
    return {"resourceType": "Patient", "id": id, **identifier, **elements}


def specimen(id: str = "s1", **elements: Any) -> Body:
    return {"resourceType": "Specimen", "id": id, **elements}


def concept(system: str, code: str, display: str = "") -> Body:
    return {"coding": [{"system": system, "code": code, **({"display": display} if display else {})}]}


def ref(to: str, **more: Any) -> Body:
    return {"reference": to, **more}


def bundle(*resources: Body, type: str = "collection", **elements: Any) -> Body:
    """A Bundle of these; what is an entry already stays one. Those of a transaction or batch are posted."""
    entries = [one if "resourceType" not in one else {"resource": one} for one in resources]
    if type in ("transaction", "batch"):
        entries = [_posted(one) for one in entries]
    return {"resourceType": "Bundle", "type": type, "entry": entries, **elements}


def _posted(entry: Body) -> Body:
    if "request" in entry or "resource" not in entry:
        return entry
    return {**entry, "request": {"method": "POST", "url": entry["resource"]["resourceType"]}}


def entry(resource: Body, url: str = "", /, **request: str) -> Body:
    """An entry with this fullUrl, and what is asked of it."""
    found: Body = {"resource": resource}
    if url:
        found["fullUrl"] = url
    if request:
        found["request"] = request
    return found


def wire(body: Body | bytes) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


def with_json(body: Body, key: str, text: str) -> bytes:
    """A body with one more key at its top, whose value is this very text of JSON."""
    return wire(body)[:-1] + f', "{key}": {text}}}'.encode()


def issues(body: Body | bytes) -> list[Issue]:
    """What is wrong with a body, whoever says so: guard, models, or the envelope."""
    raw = wire(body)
    try:
        found = structure.checked(raw)
        if not found:
            incoming.read_reports(raw, FEED)
    except Unfit as fault:
        return list(fault.issues)
    return found


def fits(call: Callable[[], object]) -> bool:
    """Whether the models take what they are asked for."""
    try:
        call()
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def issue(body: Body | bytes) -> tuple[str, str]:
    """Code and place of the one fault of a body."""
    (found,) = issues(body)
    return found.code, found.expression


def envelope(body: Body | bytes, feed: Feed = FEED) -> Envelope:
    raw = wire(body)
    assert structure.checked(raw) == []
    return structure.read_structure(raw, feed)


def reports(body: Body | bytes, feed: Feed = FEED) -> list[Report]:
    raw = wire(body)
    assert structure.checked(raw) == []
    return incoming.read_reports(raw, feed)


def only(body: Body | bytes, feed: Feed = FEED) -> Report:
    (found,) = reports(body, feed)
    return found


def line(body: Body | bytes, feed: Feed = FEED) -> Line:
    """The one line of a body."""
    (found,) = lines(body, feed)
    return found


def lines(body: Body | bytes, feed: Feed = FEED) -> list[Line]:
    return [one for given in reports(body, feed) for order in given.orders for one in order.observations]


def refusal(body: Body | bytes, feed: Feed = FEED) -> Unfit:
    """Why a body that the models take is not taken all the same."""
    raw = wire(body)
    assert structure.checked(raw) == []
    with pytest.raises(Unfit) as caught:
        _read(raw, feed)
    return caught.value


def _read(raw: bytes, feed: Feed) -> None:
    structure.read_structure(raw, feed).resources()
    incoming.read_reports(raw, feed)
