"""The envelope of a body: what is taken, from whom, under which id, and what is asked of each entry."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from fhir.resources.R4B import get_fhir_model_class
from fhir_bodies import (
    FEED,
    MRN,
    REASON,
    Body,
    bundle,
    entry,
    envelope,
    observation,
    patient,
    ref,
    refusal,
    report,
    specimen,
    wire,
)

from labbridge.fhir import structure
from labbridge.fhir.faults import Unfit
from labbridge.fhir.resources import READ
from labbridge.model.work import PostedResource

HEADER: Body = {
    "resourceType": "MessageHeader", "id": "h1", "eventUri": "urn:e", "source": {"endpoint": "urn:s", "name": "MYOLIS"},
}  # fmt: skip
TAG = {"system": REASON, "code": "HTEST"}
COMPOSITION: Body = {
    "resourceType": "Composition", "status": "final", "type": {"text": "x"}, "date": "2026-04-17",
    "author": [{"display": "x"}], "title": "x",
}  # fmt: skip


def told(body: Body, **settings: object) -> tuple[str, int, str]:
    fault = refusal(body, msgspec.structs.replace(FEED, **settings))
    return fault.code, fault.status, fault.location


# ---------------------------------------------------------------- types


@pytest.mark.parametrize("type", sorted(structure.BUNDLES))
def test_every_bundle_that_brings_something_is_taken(type: str) -> None:
    first = {"message": [HEADER], "document": [COMPOSITION]}.get(type, [])
    found = envelope(bundle(*first, observation(), type=type, identifier={"value": "1"}))
    assert found.message_type == f"FHIR {type}"


@pytest.mark.parametrize("type", ["searchset", "history", "transaction-response", "batch-response", "subscription"])
def test_any_other_bundle_is_refused(type: str) -> None:
    assert told(bundle(observation(), type=type)) == ("not-supported", 422, "Bundle.type")


@pytest.mark.parametrize("body", [observation(), report(), patient("p1", "1")])
def test_results_and_patients_are_taken_alone(body: Body) -> None:
    found = envelope(body)
    assert found.message_type == f"FHIR {body['resourceType']}"
    assert found.contents.bundle is None


@pytest.mark.parametrize(
    "body", [specimen(), HEADER, COMPOSITION, {"resourceType": "Binary", "contentType": "text/plain"}]
)
def test_nothing_else_is_taken_alone(body: Body) -> None:
    assert told(body) == ("not-supported", 422, "resourceType")


@pytest.mark.parametrize("entries", [[], [observation()], [observation(), HEADER]])
def test_a_message_begins_with_its_header(entries: list[Body]) -> None:
    assert told(bundle(*entries, type="message")) == ("processing", 422, "Bundle.entry[0].resource")


def test_an_empty_bundle_is_taken_into_its_senders_lane() -> None:
    found = envelope({"resourceType": "Bundle", "type": "collection"})
    assert (found.lanes, found.identity, found.resources(), dict(found.owners)) == (("f:north|",), False, (), {})


# ---------------------------------------------------------------- test data


@pytest.mark.parametrize("label", ["security", "tag"])
@pytest.mark.parametrize("where", ["body", "entry", "alone"])
def test_test_data_is_refused_on_a_production_feed_wherever_it_is_marked(label: str, where: str) -> None:
    marked = {"meta": {label: [{"system": REASON, "code": "OTHER"}, TAG]}}
    body, place = {
        "body": (bundle(observation(), **marked), "Bundle.meta"),
        "entry": (bundle(observation(), patient(**marked)), "Bundle.entry[1].resource.meta"),
        "alone": (observation(**marked), "Observation.meta"),
    }[where]
    assert told(body) == ("business-rule", 422, place)
    assert told(body, processing_id="P") == ("business-rule", 422, place)
    for other in "TD":
        assert envelope(body, msgspec.structs.replace(FEED, processing_id=other)).lanes


def test_what_is_not_marked_is_no_test_data() -> None:
    assert envelope(observation(meta={"tag": [{"system": REASON, "code": "TREAT"}], "versionId": "1"})).lanes


# ---------------------------------------------------------------- sender and id


@pytest.mark.parametrize(
    ("configured", "wanted"), [("", "MYOLIS|"), ("MYOLIS|LABA", "MYOLIS|LABA"), ("myolis|LABA", "myolis|LABA")]
)
def test_the_sender_is_the_feeds_else_the_messages(configured: str, wanted: str) -> None:
    feed = msgspec.structs.replace(FEED, sender=configured)
    assert envelope(bundle(HEADER, observation(), type="message"), feed).sender == wanted


def test_the_sender_of_anything_else_is_the_feeds_name() -> None:
    assert envelope(observation()).sender == "north|"


def test_another_sender_than_the_feeds_is_refused() -> None:
    assert told(bundle(HEADER, type="message"), sender="OTHERLIS|LABA") == (
        "business-rule", 422, "Bundle.entry[0].resource.source.name",
    )  # fmt: skip


def test_a_source_without_a_name_is_the_feeds() -> None:
    nameless = {**HEADER, "source": {"endpoint": "urn:s"}}
    feed = msgspec.structs.replace(FEED, sender="MYOLIS|LABA")
    assert envelope(bundle(nameless, type="message"), feed).sender == "MYOLIS|LABA"
    assert envelope(bundle(nameless, type="message")).sender == "north|"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (bundle(observation(), identifier={"system": "urn:m", "value": "B1"}), "urn:m|B1"),
        (bundle(observation(), identifier={"value": "B1"}), "|B1"),
        (bundle(HEADER, type="message"), "h1"),
        (bundle(HEADER, type="message", identifier={"value": "B1"}), "|B1"),
        (bundle(observation(), identifier={"value": "x" * 499}), "|" + "x" * 499),
    ],
)
def test_the_id_of_a_body_is_its_identifier_else_its_headers_id(body: Body, wanted: str) -> None:
    assert envelope(body).control_id == wanted


def test_an_id_too_long_for_an_index_is_its_digest() -> None:
    name = "|" + "x" * 500
    found = envelope(bundle(observation(), identifier={"value": "x" * 500})).control_id
    assert found == hashlib.sha256(name.encode()).hexdigest()


@pytest.mark.parametrize("body", [observation(), bundle(observation()), bundle(identifier={"system": "urn:m"})])
def test_without_an_id_it_is_the_digest_of_the_bytes(body: Body) -> None:
    found = envelope(body)
    assert found.digest == hashlib.sha256(wire(body)).digest()
    assert found.control_id == found.digest.hex()


def test_a_byte_order_mark_is_no_part_of_the_body() -> None:
    raw = b"\xef\xbb\xbf" + wire(bundle(observation(subject=ref("Patient/1"))))
    assert structure.checked(raw) == []
    assert structure.read_structure(raw, FEED).lanes == ("p:north/Patient|1",)


# ---------------------------------------------------------------- what is asked


def posted(*entries: Body, type: str = "transaction") -> tuple[PostedResource, ...]:
    return envelope(bundle(*entries, type=type)).resources()


TOKEN = f"{MRN}|88"


@pytest.mark.parametrize("type", ["transaction", "batch"])
def test_what_a_transaction_or_batch_asks_for(type: str) -> None:
    who = patient("p1", "88")
    found = posted(
        entry(who, method="POST", url="Patient"),
        entry(who, method="POST", url="Patient", ifNoneExist=f"identifier={TOKEN}"),
        entry(who, method="POST", url="Patient", ifNoneExist="identifier=urn%3Aoid%3A2.999.1%7C88"),
        entry(who, method="PUT", url="Patient/p1"),
        entry(who, method="PUT", url="Patient/p1/_history/2"),
        entry(observation(), method="POST", url="Observation"),
        type=type,
    )
    assert found == (
        PostedResource(0, "POST", "Patient", known_by=(TOKEN,)),
        PostedResource(1, "POST", "Patient", known_by=(TOKEN,), only_if_none=TOKEN),
        PostedResource(2, "POST", "Patient", known_by=(TOKEN,), only_if_none=TOKEN),
        PostedResource(3, "PUT", "Patient", id="p1", known_by=(TOKEN,)),
        PostedResource(4, "PUT", "Patient", id="p1", known_by=(TOKEN,)),
        PostedResource(5, "POST", "Observation"),
    )


def test_of_any_other_body_all_is_kept() -> None:
    assert envelope(patient("p1", "88")).resources() == (PostedResource(-1, "POST", "Patient", known_by=(TOKEN,)),)
    found = posted(patient("p1", "88"), {"resourceType": "Practitioner"}, type="collection")
    assert [(one.entry, one.method, one.kind) for one in found] == [(0, "POST", "Patient"), (1, "POST", "Practitioner")]


def test_identifiers_are_told_once_and_with_their_systems() -> None:
    some = [{"system": "urn:a", "value": "1"}, {"value": "2"}, {"system": "urn:a"}, {"system": "urn:a", "value": "1"}]
    assert posted(patient("p1", identifier=some))[0].known_by == ("urn:a|1", "|2")


@pytest.mark.parametrize(
    "condition",
    [
        f"identifier={TOKEN}&active=true",
        "name=Doe",
        "identifier=",
        "identifier",
        "_id=1",
        f"identifier:exact={TOKEN}",
        "x",
    ],
)
def test_a_condition_that_is_not_understood_is_refused(condition: str) -> None:
    body = bundle(
        observation(), entry(patient(), method="POST", url="Patient", ifNoneExist=condition), type="transaction"
    )
    assert told(body) == ("not-supported", 422, "Bundle.entry[1].request.ifNoneExist")


@pytest.mark.parametrize("type", ["transaction", "batch"])
@pytest.mark.parametrize(
    ("given", "code", "place"),
    [
        ({"resource": observation()}, "processing", "Bundle.entry[1]"),
        ({"request": {"method": "DELETE", "url": "Observation/1"}}, "not-supported", "Bundle.entry[1].request.method"),
        ({"request": {"method": "GET", "url": "Observation/1"}}, "not-supported", "Bundle.entry[1].request.method"),
        (entry(observation(), method="PATCH", url="x"), "not-supported", "Bundle.entry[1].request.method"),
        ({"request": {"method": "POST", "url": "Observation"}}, "processing", "Bundle.entry[1].resource"),
    ],
)
def test_an_entry_that_asks_for_what_is_not_done_is_told(type: str, given: Body, code: str, place: str) -> None:
    body = bundle(observation(), type=type)
    body["entry"].append(given)
    assert [(one.code, one.expression) for one in structure.unasked(envelope(body).contents)] == [(code, place)]


def test_what_is_no_transaction_or_batch_asks_for_nothing() -> None:
    for body in (
        observation(),
        bundle({"fullUrl": "urn:uuid:1"}, observation()),
        bundle(observation(), type="transaction"),
    ):
        assert structure.unasked(envelope(body).contents) == []


def test_an_entry_that_is_left_out_is_not_seen() -> None:
    body = wire(bundle(patient("p1", "88"), patient("p2", "99"), type="batch"))
    found = structure.read_structure(body, FEED, (0,))
    assert (found.lanes, [one.entry for one in found.resources()]) == ((f"p:{MRN}|99",), [1])


# ---------------------------------------------------------------- what is read of a resource


def test_a_body_that_no_model_was_asked_about_is_refused_with_its_place() -> None:
    for body, place in (
        (observation(subject=5), "Observation.subject"),
        (bundle(observation(), observation(component=[{"valueString": 5}])),
         "Bundle.entry[1].resource.component[0].valueString"),
        ({"resourceType": "Bundle", "entry": [5]}, "Bundle.entry[0]"),
        (bundle(observation(), observation(id=5)), "Bundle.entry[1].resource.id"),
    ):  # fmt: skip
        with pytest.raises(Unfit) as caught:
            structure.read_structure(wire(body), FEED)
        assert (caught.value.code, caught.value.location) == ("processing", place)


@pytest.mark.parametrize("kind", sorted(READ))
def test_every_element_that_is_read_is_one_of_r4(kind: str) -> None:
    wanted = set(READ[kind].__struct_encode_fields__)
    assert wanted <= set(get_fhir_model_class(kind).model_construct().get_alias_mapping())
