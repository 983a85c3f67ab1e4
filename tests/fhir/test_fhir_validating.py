"""A body held against the models of R4, and against what they do not ask: type, place, and never a value of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from fhir_bodies import (
    FEED,
    LOINC,
    Body,
    bundle,
    concept,
    entry,
    issue,
    issues,
    observation,
    patient,
    ref,
    report,
    specimen,
    wire,
    with_json,
)

from labbridge.fhir import incoming, structure, validating
from labbridge.fhir.faults import STATUS, Unfit, outcome

BOGUS = {"resourceType": "Blutbild"}
PARAMETERS = {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": BOGUS}]}

REFUSED: dict[str, tuple[Body | bytes, str, str]] = {
    # resource types
    "no type": ({"status": "final"}, "processing", "resourceType"),
    "an empty type": ({"resourceType": ""}, "processing", "resourceType"),
    "a type that is a list": ({"resourceType": ["Observation"]}, "processing", "resourceType"),
    "a type that is a number": ({"resourceType": 4}, "processing", "resourceType"),
    "an unknown type": (BOGUS, "processing", "resourceType"),
    "a data type": ({"resourceType": "Quantity", "value": 1}, "processing", "resourceType"),
    "an abstract type": ({"resourceType": "DomainResource"}, "processing", "resourceType"),
    "the base of all types": ({"resourceType": "Resource"}, "processing", "resourceType"),
    "a type in small letters": ({"resourceType": "observation"}, "processing", "resourceType"),
    "a type in other letters": ({"resourceType": "Оbservation"}, "processing", "resourceType"),
    "a dotted type": ({"resourceType": "os.path"}, "processing", "resourceType"),
    "an unknown type in an entry": (
        bundle(observation(), {"resource": BOGUS}), "processing", "Bundle.entry[1].resource.resourceType"),
    "no type in an entry": (
        bundle({"resource": {"status": "final"}}), "processing", "Bundle.entry[0].resource.resourceType"),
    "an unknown type contained": (
        observation(contained=[patient(), BOGUS]), "processing", "Observation.contained[1].resourceType"),
    "no type contained": (
        observation(contained=[{"id": "x"}]), "processing", "Observation.contained[0].resourceType"),
    "an unknown type contained in an entry": (
        bundle(observation(contained=[BOGUS])), "processing",
        "Bundle.entry[0].resource.contained[0].resourceType"),
    "an unknown type in a Bundle in a Bundle": (
        bundle(bundle({"resource": BOGUS})), "processing",
        "Bundle.entry[0].resource.entry[0].resource.resourceType"),
    "an unknown type in an outcome": (
        bundle({"response": {"status": "200", "outcome": BOGUS}}, type="batch"), "processing",
        "Bundle.entry[0].response.outcome.resourceType"),
    "an unknown type in a parameter": (
        bundle(PARAMETERS), "processing", "Bundle.entry[0].resource.parameter[0].resource.resourceType"),
    "an unknown type where none belongs": (
        observation(method=BOGUS), "processing", "Observation.method.resourceType"),
    "a type where none belongs": (observation(method=patient()), "processing", "Observation.method"),
    # elements
    "no status": ({"resourceType": "Observation", "code": {"text": "x"}}, "processing", "Observation.status"),
    "no code": ({"resourceType": "Observation", "status": "final"}, "processing", "Observation.code"),
    "an unknown element": (observation(colour="red"), "processing", "Observation.colour"),
    "an unknown element that is no name": (observation(**{"a b": "red"}), "processing", "Observation"),
    "a text for an object": (observation(subject="Patient/1"), "processing", "Observation.subject"),
    "an object for an array": (observation(note={"text": "x"}), "processing", "Observation.note"),
    "an array for a text": (observation(status=["final"]), "processing", "Observation.status"),
    "a number for a text": (observation(valueString=5), "processing", "Observation.valueString"),
    "a text for an entry": (
        {"resourceType": "Bundle", "type": "collection", "entry": ["x"]}, "processing", "Bundle.entry[0]"),
    "two values": (observation(valueString="x", valueInteger=1), "processing", "Observation"),
    "an id of 65 characters": (observation(id="x" * 65), "processing", "Observation.id"),
    "an id of 65 characters contained": (
        observation(contained=[patient("x" * 65)]), "processing", "Observation.contained[0].id"),
    "a blank in an id": (observation(id="a b"), "processing", "Observation.id"),
    "a Bundle without a type": ({"resourceType": "Bundle"}, "processing", "Bundle.type"),
    "a lone surrogate": (with_json(observation(), "valueString", '"\\ud800"'), "processing", "Observation.valueString"),
    # bindings that the models leave
    "a status that is none": (observation(status="fertig"), "processing", "Observation.status"),
    "a status of another resource": (observation(status="appended"), "processing", "Observation.status"),
    "a status in capitals": (observation(status="FINAL"), "processing", "Observation.status"),
    "a report's status that is none": (report(status="fertig"), "processing", "DiagnosticReport.status"),
    "a status in an entry": (
        bundle(observation(), observation(status="fertig")), "processing", "Bundle.entry[1].resource.status"),
    "a status contained": (
        report(contained=[observation(id="o", status="fertig")]), "processing", "DiagnosticReport.contained[0].status"),
    "a comparator that is none": (
        observation(valueQuantity={"value": 7, "comparator": "ad"}), "processing", "Observation.valueQuantity.comparator"),
    "a comparator in a ratio": (
        observation(valueRatio={"numerator": {"value": 1, "comparator": "~"}, "denominator": {"value": 80}}), "processing",
        "Observation.valueRatio.numerator.comparator"),
    # obs-6
    "a value and why there is none": (
        observation(valueString="x", dataAbsentReason={"text": "y"}), "processing", "Observation"),
    "both in a component": (
        observation(component=[{"code": {"text": "a"}}, {"code": {"text": "b"}, "valueInteger": 1,
                                                        "dataAbsentReason": {"text": "y"}}]),
        "processing", "Observation.component[1]"),
    # numbers that are texts
    "a quantity's value": (
        observation(valueQuantity={"value": "12.30"}), "processing", "Observation.valueQuantity.value"),
    "a quantity's value in a component": (
        observation(component=[{"code": {"text": "a"}, "valueQuantity": {"value": "1"}}]), "processing",
        "Observation.component[0].valueQuantity.value"),
    "a quantity's value that is true": (
        observation(valueQuantity={"value": True}), "processing", "Observation.valueQuantity.value"),
    "a numerator": (
        observation(valueRatio={"numerator": {"value": "1"}, "denominator": {"value": 320}}), "processing",
        "Observation.valueRatio.numerator.value"),
    "a denominator": (
        observation(valueRatio={"numerator": {"value": 1}, "denominator": {"value": "320"}}), "processing",
        "Observation.valueRatio.denominator.value"),
    "the end of a range": (
        observation(valueRange={"low": {"value": 1}, "high": {"value": "5"}}), "processing",
        "Observation.valueRange.high.value"),
    "a limit": (
        observation(referenceRange=[{"text": "x"}, {"low": {"value": "1"}}]), "processing",
        "Observation.referenceRange[1].low.value"),
    "an integer": (observation(valueInteger="12"), "processing", "Observation.valueInteger"),
    "an integer that is true": (observation(valueInteger=True), "processing", "Observation.valueInteger"),
    "an integer with decimals": (observation(valueInteger=5.0), "processing", "Observation.valueInteger"),
    "a volume": (
        bundle(specimen(collection={"quantity": {"value": "5"}})), "processing",
        "Bundle.entry[0].resource.collection.quantity.value"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_fault_is_told_with_its_type_and_place(name: str) -> None:
    body, code, place = REFUSED[name]
    assert issue(body) == (code, place)
    assert STATUS[code] in (400, 422)


def test_every_fault_of_a_body_is_told() -> None:
    found = issues(bundle(observation(status="x"), report(status="y"), observation(valueQuantity={"value": "1"})))
    assert [one.expression for one in found] == [
        "Bundle.entry[0].resource.status", "Bundle.entry[1].resource.status",
        "Bundle.entry[2].resource.valueQuantity.value",
    ]  # fmt: skip


def test_what_is_asked_of_observations_is_not_asked_of_others() -> None:
    assert issues(bundle({"resourceType": "Device", "id": "d", "status": "active"}, patient())) == []


@pytest.mark.parametrize("status", sorted(validating.STATUSES["Observation"]))
def test_every_status_of_an_observation_is_taken(status: str) -> None:
    assert issues(observation(status=status)) == []


@pytest.mark.parametrize("status", sorted(validating.STATUSES["DiagnosticReport"]))
def test_every_status_of_a_report_is_taken(status: str) -> None:
    assert issues(report(status=status)) == []


@pytest.mark.parametrize("sign", sorted(validating.COMPARATORS))
def test_every_comparator_is_taken(sign: str) -> None:
    assert issues(observation(valueQuantity={"value": 7, "comparator": sign})) == []


def test_no_name_that_a_sender_may_write_as_a_type_raises() -> None:
    for name in ("Blutbild", "Code", "Decimal", "String", "Element", "BackboneElement", "FHIRAbstractModel", "__doc__"):
        assert validating.issues({"resourceType": name})[0].code == "processing"


# ---------------------------------------------------------------- nothing of the body is told

CANARY = "Kanarienvogel"
WHOLE = bundle(
    patient("p1", CANARY, birthDate="1969-04-17", gender="female", name=[{"family": CANARY, "given": [CANARY]}]),
    specimen("s1", subject=ref("Patient/p1", display=CANARY), note=[{"text": CANARY}], receivedTime="2026-04-18"),
    observation(
        id="o1", subject=ref("Patient/p1", display=CANARY), code=concept(LOINC, CANARY, CANARY),
        valueQuantity={"value": 58, "unit": CANARY, "code": CANARY}, interpretation=[concept(CANARY, CANARY, CANARY)],
        effectiveDateTime="2026-04-17", note=[{"text": CANARY}], method={"text": CANARY},
        component=[{"code": {"text": CANARY}, "valueString": CANARY}],
        referenceRange=[{"low": {"value": 1}, "text": CANARY}],
    ),
    report("Observation/o1", id="r1", subject=ref("Patient/p1"), conclusion=CANARY, issued="2026-04-18T07:05:00Z"),
    identifier={"system": CANARY, "value": CANARY}, timestamp="2026-04-18T07:05:00Z",
)  # fmt: skip
WRONG: tuple[Any, ...] = (
    CANARY,
    [CANARY],
    {CANARY: CANARY},
    {"text": CANARY},
    4711,
    True,
    [],
    {"resourceType": CANARY},
)


def places(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, one in items:
        yield (*path, key)
        yield from places(one, (*path, key))


def changed(place: tuple[str | int, ...], value: Any) -> Body:
    body = copy.deepcopy(WHOLE)
    inner: Any = body
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return body


def told(body: Body) -> bytes:
    """What is told of a body: its outcome, and the words of the error."""
    try:
        found = structure.checked(wire(body))
        if not found:
            incoming.read_reports(wire(body), FEED)
            return b""
    except Unfit as fault:
        found = list(fault.issues)
        return outcome(found) + f"{fault} {fault.text} {fault.location}".encode()
    return outcome(found)


def test_the_whole_body_is_taken() -> None:
    assert issues(WHOLE) == []


@pytest.mark.parametrize("wrong", WRONG, ids=repr)
def test_no_fault_anywhere_tells_a_value_of_the_body(wrong: Any) -> None:
    refused = 0
    for place in places(WHOLE):
        found = told(changed(place, wrong))
        refused += bool(found)
        assert CANARY.encode() not in found, place
        assert b"4711" not in found, place
    assert refused > 30


def with_key(place: tuple[str | int, ...], key: str) -> Body | None:
    """The body with one more key in the object at a place; None where no object stands there."""
    body = copy.deepcopy(WHOLE)
    inner: Any = body
    for step in place:
        inner = inner[step]
    if not isinstance(inner, dict):
        return None
    inner[key] = 1
    return body


@pytest.mark.parametrize("key", [f"{CANARY} 1", f"{CANARY}-x", CANARY, f"{CANARY}é", "19690417"])
def test_no_key_that_is_no_elements_name_is_told(key: str) -> None:
    bodies = [body for place in ((), *places(WHOLE)) if (body := with_key(place, key)) is not None]
    assert len(bodies) > 30
    for body in bodies:
        found = told(body).decode()
        assert "There is no such element here" in found
        assert key not in found


def test_an_entry_alone_is_told_by_its_number() -> None:
    assert issue(bundle(patient(), entry(observation(status="fertig"), "urn:uuid:1"))) == (
        "processing", "Bundle.entry[1].resource.status",
    )  # fmt: skip
