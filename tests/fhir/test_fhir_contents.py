"""What refers to what in a body: entries, contained resources, conditions; and what must not be taken for another."""

from __future__ import annotations

import pytest
from fhir_bodies import MRN, Body, bundle, concept, entry, envelope, observation, patient, ref, report, specimen

from labbridge.fhir.contents import Contents, named, server_of
from labbridge.fhir.resources import Identifier, Reference

UUID = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
HERE, THERE = "https://lab.example/fhir/", "https://other.example/fhir/"


def contents(*resources: Body) -> Contents:
    return envelope(bundle(*resources)).contents


def found(target: Body, reference: str, *, by: Body | None = None) -> bool:
    """Whether an observation's reference finds a target in front of it."""
    body = contents(target, by or observation())
    node = body.resolve(body.nodes[1], Reference(reference=reference))
    assert node in (None, body.nodes[0])
    return node is not None


@pytest.mark.parametrize(
    ("url", "id", "reference", "there"),
    [
        (UUID, "", UUID, True),
        (UUID, "p1", UUID, True),
        (UUID, "p1", "Patient/p1", True),
        (UUID, "p1", UUID.replace("0c", "0d"), False),
        (UUID, "p1", UUID.upper(), False),
        ("urn:oid:2.999.7", "", "urn:oid:2.999.7", True),
        ("", "p1", "Patient/p1", True),
        ("", "p1", "Patient/p1/_history/3", True),
        ("", "p1", "Patient/p2", False),
        ("", "p1", "patient/p1", False),
        ("", "p1", "p1", False),
        ("", "p1", "Group/p1", False),
        ("", "p1", HERE + "Patient/p1", True),
        ("Patient/p1", "", "Patient/p1", True),
        (HERE + "Patient/p1", "", "Patient/p1", True),
        (HERE + "Patient/p1", "p1", HERE + "Patient/p1", True),
        (HERE + "Patient/p1", "p1", HERE + "Patient/p1/_history/2", True),
        (HERE + "Patient/p1", "p1", "Patient/p1/_history/2", True),
        (HERE + "Patient/p1/_history/1", "p1", HERE + "Patient/p1", True),
        (HERE + "Patient/p1", "p1", THERE + "Patient/p1", False),
        (HERE + "Patient/p1", "p1", "http://lab.example/fhir/Patient/p1", False),
        (HERE + "Patient/p1", "p1", HERE + "v2/Patient/p1", False),
        (HERE + "Patient/p1", "p1", "#p1", False),
        (HERE + "Patient/p1", "p1", "", False),
        (HERE + "Patient/p1", "p1", "#", False),
    ],
)
def test_an_entry_is_found_by_its_url_or_its_type_and_id(url: str, id: str, reference: str, there: bool) -> None:
    target = patient(id)
    if not id:
        del target["id"]
    assert found(entry(target, url), reference) is there


def test_of_two_servers_a_relative_reference_means_the_one_it_stands_on() -> None:
    two = (entry(patient("1", "A"), HERE + "Patient/1"), entry(patient("1", "B"), THERE + "Patient/1"))
    body = contents(*two, entry(observation(id="o"), THERE + "Observation/o"), observation())
    mine, whose, somebody = body.nodes[1], body.nodes[2], body.nodes[3]
    assert body.resolve(whose, Reference(reference="Patient/1")) is mine
    assert body.resolve(whose, Reference(reference=HERE + "Patient/1")) is body.nodes[0]
    assert body.resolve(somebody, Reference(reference="Patient/1")) is None


def test_of_two_with_one_id_and_other_contents_neither_is_meant() -> None:
    body = contents(patient("1", "A"), patient("1", "B"), observation())
    assert body.resolve(body.nodes[2], Reference(reference="Patient/1")) is None


def test_of_two_that_say_the_same_the_first_is_meant() -> None:
    body = contents(patient("1", "A"), patient("1", "A"), observation())
    assert body.resolve(body.nodes[2], Reference(reference="Patient/1")) is body.nodes[0]


# ---------------------------------------------------------------- contained


def test_a_contained_resource_is_found_by_its_container_alone() -> None:
    inside = observation(contained=[specimen("s1"), patient("p1")])
    body = contents(inside, observation())
    holder, other = body.nodes
    whom = body.resolve(holder, Reference(reference="#p1"))
    assert whom is not None
    assert (whom.kind, whom.at, whom.entry) == ("Patient", "Bundle.entry[0].resource.contained[1]", -1)
    assert body.resolve(other, Reference(reference="#p1")) is None
    assert body.resolve(holder, Reference(reference="Patient/p1")) is None
    assert body.resolve(holder, Reference(reference="#p2")) is None


def test_a_contained_resource_refers_to_its_neighbours_and_to_entries() -> None:
    inside = report(contained=[observation(id="o1"), specimen("s1")], id="r1")
    body = contents(entry(inside, HERE + "DiagnosticReport/r1"), entry(patient("1"), HERE + "Patient/1"),
                    entry(patient("1", "B"), THERE + "Patient/1"))  # fmt: skip
    within = body.resolve(body.nodes[0], Reference(reference="#o1"))
    assert within is not None
    beside = body.resolve(within, Reference(reference="#s1"))
    assert beside is not None
    assert beside.kind == "Specimen"
    assert body.resolve(within, Reference(reference="Patient/1")) is body.nodes[1]


def test_a_contained_resource_of_a_body_that_is_no_bundle_is_found() -> None:
    body = envelope(observation(contained=[patient("p1")], subject=ref("#p1"))).contents
    whom = body.resolve(body.nodes[0], Reference(reference="#p1"))
    assert whom is not None
    assert whom.at == "Observation.contained[0]"


def test_a_contained_resource_without_an_id_is_found_by_nothing() -> None:
    inside = patient()
    del inside["id"]
    body = envelope(observation(contained=[inside])).contents
    assert body.resolve(body.nodes[0], Reference(reference="#")) is None


# ---------------------------------------------------------------- by identifier


@pytest.mark.parametrize(
    ("reference", "there"),
    [
        (f"Patient?identifier={MRN}|88", True),
        (f"Patient?identifier={MRN}%7C88", True),
        ("Patient?identifier=urn%3Aoid%3A2.999.1%7C88", True),
        (f"Patient?identifier={MRN}|89", False),
        ("Patient?identifier=|88", False),
        ("Patient?identifier=urn:oid:2.999.2|88", False),
        (f"Specimen?identifier={MRN}|88", False),
        (f"Patient?identifier={MRN}|88&active=true", False),
        ("Patient?name=x", False),
    ],
)  # fmt: skip
def test_a_conditional_reference_finds_by_system_and_value(reference: str, there: bool) -> None:
    assert found(patient("p1", "88"), reference) is there


def test_a_conditional_reference_without_a_system_finds_one_without() -> None:
    assert found(patient("p1", identifier=[{"value": "88"}]), "Patient?identifier=|88")


def test_a_conditional_reference_that_two_meet_means_neither() -> None:
    shared = {"system": "urn:visit", "value": "V9"}
    two = [patient(id, identifier=[{"system": MRN, "value": id}, shared]) for id in "ab"]
    body = contents(*two, observation())
    assert body.resolve(body.nodes[2], Reference(reference="Patient?identifier=urn:visit|V9")) is None
    assert body.resolve(body.nodes[2], Reference(reference=f"Patient?identifier={MRN}|b")) is body.nodes[1]


def test_an_identifier_alone_refers_to_nothing_in_the_body() -> None:
    body = contents(patient("p1", "88"), observation())
    assert body.resolve(body.nodes[1], Reference(identifier=Identifier(system=MRN, value="88"))) is None
    assert body.resolve(body.nodes[1], None) is None


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ("reference", "name", "server"),
    [
        ("Patient/1", "Patient/1", ""),
        ("https://a.example/fhir/Patient/1", "Patient/1", "https://a.example/fhir/"),
        ("https://a.example/fhir/Patient/1/_history/5", "Patient/1", "https://a.example/fhir/"),
        ("Patient/1/_history/5", "Patient/1", ""),
        ("fhir/Patient/1", "Patient/1", ""),
        (UUID, UUID, ""),
        ("Patient?identifier=x", "Patient?identifier=x", ""),
        ("Patient/" + "x" * 65, "Patient/" + "x" * 65, ""),
        ("", "", ""),
    ],
)
def test_name_and_server_of_a_reference(reference: str, name: str, server: str) -> None:
    assert (named(reference), server_of(reference)) == (name, server)


def test_a_long_reference_is_read_in_one_go() -> None:
    for long in ("A/" * 2**20, "Aa" * 2**20, "http://" + "a/" * 2**20, "Patient/" + "1/" * 2**20):
        assert named(long) == long


def test_what_is_read_is_numbered_as_it_was_sent() -> None:
    body = contents({"fullUrl": UUID}, {"resource": {"resourceType": "Practitioner"}}, observation(), patient())
    assert [(node.entry, node.kind) for node in body.nodes] == [
        (1, "Practitioner"), (2, "Observation"), (3, "Patient"),
    ]  # fmt: skip
    assert body.nodes[0].resource is None
    assert [node.entry for node in body.of("Patient", "Observation")] == [2, 3]


def test_a_coded_identifier_type_is_read() -> None:
    (node,) = contents(patient("p1", identifier=[{"type": concept("x", "MR"), "value": "1"}])).nodes
    assert node.resource.identifier[0].type.coding[0].code == "MR"  # type: ignore[union-attr]
