"""Whatever is sent: nothing but Unfit leaves, and every refusal can be told with its place and without a value."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from fhir_bodies import (
    FEED,
    LOINC,
    MRN,
    V2_0203,
    Body,
    bundle,
    concept,
    entry,
    fits,
    observation,
    patient,
    ref,
    report,
    specimen,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.fhir import guard, incoming, models, structure
from labbridge.fhir.faults import STATUS, Unfit, outcome
from labbridge.fhir.resources import READ
from labbridge.fhir.validating import STATUSES
from labbridge.model.report import Report

PLACE = re.compile(r"(?:_?[A-Za-z][A-Za-z0-9]*(?:\[\d+\])*(?:\.|$))*")

VALID: list[Body] = [
    bundle(
        entry(patient("p1", "88", birthDate="1969-04-17", gender="female", name=[{"family": "Doe"}]), "urn:uuid:1"),
        entry(specimen("s1", type=concept("urn:t", "SER"), identifier=[{"value": "T1"}], note=[{"text": "x"}],
                       collection={"collectedDateTime": "2026-04-17", "quantity": {"value": 2}}), "urn:uuid:2"),
        entry(observation(id="o1", subject=ref("urn:uuid:1"), specimen=ref("urn:uuid:2"), code=concept(LOINC, "1"),
                          valueQuantity={"value": 58, "comparator": ">", "unit": "U/L"}, method={"text": "blot"},
                          referenceRange=[{"low": {"value": 1}, "high": {"value": 5}}],
                          interpretation=[{"text": "H"}], issued="2026-04-17T07:05:00Z"), "urn:uuid:3"),
        entry(observation(id="o2", subject=ref("Patient/p1"), hasMember=[ref("Observation/o1")],
                          component=[{"code": {"text": "a"}, "valueRatio": {"numerator": {"value": 1},
                                                                           "denominator": {"value": 320}}}]),
              "urn:uuid:4"),
        entry(report("urn:uuid:3", "Observation/o2", subject=ref("urn:uuid:1"), specimen=[ref("urn:uuid:2")],
                     basedOn=[{"identifier": {"value": "P1"}}], identifier=[{"value": "F1"}]), "urn:uuid:5"),
        type="transaction", identifier={"system": "urn:m", "value": "B1"}, timestamp="2026-04-17T07:05:00Z",
    ),
    observation(contained=[patient("p", "1"), specimen("s")], subject=ref("#p"), specimen=ref("#s"), valueInteger=320),
    report("#o", contained=[observation(id="o", valueString="x")], subject={"identifier": {"system": MRN, "value": "1"}}),
    bundle({"resourceType": "MessageHeader", "eventUri": "urn:e", "source": {"endpoint": "urn:s", "name": "LIS"}},
           {"resourceType": "Condition", "subject": ref("Patient/1"), "code": {"coding": [{"code": "MYALGIA"}]}},
           {"resourceType": "MedicationStatement", "status": "active", "subject": ref("Patient/1"),
            "medicationCodeableConcept": {"coding": [{"code": "STATIN"}]}}, type="message"),
    patient("p1", identifier=[{"type": concept(V2_0203, "PI"), "value": "3"}]),
]  # fmt: skip


def places(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    items: Any = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, one in items:
        yield from places(one, (*path, key))


def at(tree: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        tree = tree[key]
    return tree


def subtrees() -> list[Any]:
    return [at(body, place) for body in VALID for place in places(body)]


KEYS = sorted({str(key) for body in VALID for place in places(body) for key in place if isinstance(key, str)})
WORDS = [
    *READ, "Bundle", "Parameters", "Binary", "Blutbild", *sorted(STATUSES["DiagnosticReport"]), *("<", "<=", ">", ">="),
    "Patient/p1", "Patient/p2", "#p", "#", "urn:uuid:1", "urn:uuid:9", "https://a.example/fhir/Patient/p1/_history/2",
    f"Patient?identifier={MRN}|88", "2026", "2026-04", "2026-04-17T24:00:00Z", "2026-04-17T07:05+01:00", "Y", "",
    "document", "batch", "searchset", "x" * 600, "\0", "\ud800", "١٢",
]  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**70), 10**70)
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=9)
)
fragments = scalars | st.sampled_from(subtrees()) | st.builds(list) | st.builds(dict) | st.lists(scalars, max_size=3)


def _put(body: Any, place: tuple[str | int, ...], one: Any) -> Any:
    if not place:
        return one
    at(body, place[:-1])[place[-1]] = one
    return body


def _drop(body: Any, place: tuple[str | int, ...], _one: Any) -> Any:
    if place:
        del at(body, place[:-1])[place[-1]]
    return body


def _add(body: Any, place: tuple[str | int, ...], one: Any) -> Any:
    inner = at(body, place)
    if isinstance(inner, list):
        inner.append(one)
    elif isinstance(inner, dict):
        inner[KEYS[sum(len(str(one)) for one in place) % len(KEYS)] if not isinstance(one, str) else one[:30]] = one
    return body


CHANGES: list[Callable[..., Any]] = [_put, _put, _drop, _add]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid body changed in one to four places."""
    body: Any = copy.deepcopy(draw(st.sampled_from(VALID)))
    for _change in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(list(places(body))))
        body = draw(st.sampled_from(CHANGES))(body, place, copy.deepcopy(draw(fragments)))
    return json.dumps(body).encode()


def read(raw: bytes) -> list[Report] | None:
    """The reports of a body; None where it is refused, which has to be told without a value."""
    try:
        found = structure.checked(raw)
        if not found:
            structure.unasked(structure.read_structure(raw, FEED).contents)
            return incoming.read_reports(raw, FEED)
    except Unfit as fault:
        found = list(fault.issues)
    json.loads(outcome(found))
    for one in found:
        assert one.code in STATUS
        assert PLACE.fullmatch(one.expression), one.expression
    return None


def test_what_is_changed_is_taken_unchanged() -> None:
    assert all(read(json.dumps(body).encode()) for body in VALID)


@settings(max_examples=400)
@given(mutated())
def test_a_body_changed_in_a_few_places_is_read_or_refused(raw: bytes) -> None:
    found = read(raw)
    if found is not None:
        assert found
        assert all(one.lane for one in found)


@settings(max_examples=400)
@given(mutated())
def test_what_the_models_refuse_as_a_whole_is_never_built_from_within(raw: bytes) -> None:
    try:
        body = guard.load(raw)
    except Unfit:
        return
    model = models.of_type(kind) if isinstance(kind := body.get("resourceType"), str) else None
    if model is not None:
        assert not fits(lambda: models.built(model, body)) or fits(lambda: model.model_validate(body))


@settings(max_examples=150)
@given(st.sampled_from(VALID), st.data())
def test_a_body_changed_in_a_few_bytes_is_read_or_refused(body: Body, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(body).encode())
    for _change in range(data.draw(st.integers(1, 5))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(raw))


@settings(max_examples=150)
@given(st.lists(st.sampled_from(subtrees()), max_size=5))
def test_parts_put_together_are_read_or_refused(parts: list[Any]) -> None:
    read(
        json.dumps(
            {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in parts]}
        ).encode()
    )


@settings(max_examples=100)
@given(st.permutations(range(5)), st.integers(0, 4))
def test_every_result_is_read_once_whatever_the_order_of_the_entries(order: list[int], cut: int) -> None:
    body = copy.deepcopy(VALID[0])
    body["entry"] = [body["entry"][number] for number in order if number != cut]
    found = read(json.dumps(body).encode())
    assert found is not None
    sent = [
        f"Bundle.entry[{n}].resource"
        for n, one in enumerate(body["entry"])
        if one["resource"]["resourceType"] == "Observation"
    ]
    got = [line.at.partition(".component")[0] for one in found for each in one.orders for line in each.observations]
    assert sorted(got) == sorted(sent)
