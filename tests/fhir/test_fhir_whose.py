"""Whose results they are: one lane per patient, and never one patient's result with another."""

from __future__ import annotations

import sys

import msgspec
import pytest
from fhir_bodies import (
    BORN,
    FEED,
    MRN,
    V2_0203,
    Body,
    bundle,
    concept,
    entry,
    envelope,
    lines,
    observation,
    only,
    patient,
    ref,
    refusal,
    report,
    reports,
    specimen,
    wire,
)

from labbridge.fhir import incoming
from labbridge.fhir.whose import lane_of
from labbridge.model.report import Identifier
from labbridge.model.values import SentText

ALONE = ("business-rule", 422)
OWN = f"p:{MRN}|"


def lanes(*resources: Body) -> tuple[str, ...]:
    return envelope(bundle(*resources)).lanes


def lane(*resources: Body) -> str:
    (found,) = lanes(*resources)
    return found


def texts(*resources: Body) -> dict[str, list[str]]:
    """The values of each lane."""
    return {
        one.lane: [value.text for order in one.orders for line in order.observations for value in line.values
                   if isinstance(value, SentText)]
        for one in reports(bundle(*resources))
    }  # fmt: skip


def of(who: str, value: str, **more: object) -> Body:
    return observation(subject=ref(who), valueString=value, **more)


# ---------------------------------------------------------------- one lane per patient


def test_each_patient_has_a_lane_in_order_of_appearance() -> None:
    body = [patient("a", "1"), patient("b", "2"), of("Patient/b", "x"), of("Patient/a", "y"), of("Patient/b", "z")]
    assert texts(*body) == {OWN + "2": ["x", "z"], OWN + "1": ["y"]}


@pytest.mark.parametrize("number", ["1", "x" * 600])
def test_a_lane_is_never_longer_than_an_index_bears(number: str) -> None:
    found = lane(patient("a", number), of("Patient/a", "x"))
    assert found.startswith("p:")
    assert len(found) <= 600


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ([("PI", "2"), ("MR", "1")], "1"),
        ([("XX", "3"), ("PI", "2")], "2"),
        ([("XX", "3"), ("YY", "4")], "3"),
        ([("", "3")], "3"),
        ([("MR", " 1 ")], "1"),
        ([("MR", "1"), ("MR", "9")], "1"),
    ],
)
def test_the_lane_is_that_of_the_mr_else_the_pi_else_the_first(sent: list[tuple[str, str]], wanted: str) -> None:
    identifiers = [
        {"system": MRN, "value": value, **({"type": concept(V2_0203, kind)} if kind else {})} for kind, value in sent
    ]
    assert lane(patient("a", identifier=identifiers), of("Patient/a", "x")) == OWN + wanted


def test_an_old_identifier_is_none() -> None:
    old = {"use": "old", "system": MRN, "value": "1", "type": concept(V2_0203, "MR")}
    assert lane(patient("a", identifier=[old, {"system": MRN, "value": "2"}]), of("Patient/a", "x")) == OWN + "2"
    assert lane(patient("a", identifier=[old]), of("Patient/a", "x")) == "p:north/Patient|a"


def test_a_system_goes_by_the_name_that_the_feed_gives_it() -> None:
    feed = msgspec.structs.replace(FEED, authorities={MRN: "LABA"})
    assert envelope(bundle(patient("a", "1"), of("Patient/a", "x")), feed).lanes == ("p:LABA|1",)


@pytest.mark.parametrize(
    ("sender", "authority"), [("", "north"), ("LIS|LABA", "LABA"), ("LIS|", "LIS"), ("|LABA", "LABA")]
)
def test_an_identifier_without_a_system_is_of_its_sender_and_of_nobody_else(sender: str, authority: str) -> None:
    feed = msgspec.structs.replace(FEED, sender=sender)
    body = bundle(patient("a", identifier=[{"value": "1"}]), of("Patient/a", "x"))
    assert envelope(body, feed).lanes == (f"p:{authority}|1",)


# ---------------------------------------------------------------- how a patient is named


@pytest.mark.parametrize(
    ("subject", "wanted"),
    [
        (ref("Patient/77"), "p:north/Patient|77"),
        (ref("Patient/77/_history/2"), "p:north/Patient|77"),
        (ref("https://a.example/fhir/Patient/77"), "p:https://a.example/fhir/Patient|77"),
        (ref("https://b.example/fhir/Patient/77"), "p:https://b.example/fhir/Patient|77"),
        ({"identifier": {"system": MRN, "value": "88"}}, OWN + "88"),
        ({"identifier": {"system": MRN, "value": "88"}, "type": "Patient"}, OWN + "88"),
        (ref("Patient/77", identifier={"system": MRN, "value": "88"}), OWN + "88"),
        ({"identifier": {"system": MRN, "value": "88"}, "type": "Group"}, "f:north|"),
        ({"identifier": {"system": MRN}}, "f:north|"),
        ({"display": "Jo Doe"}, "f:north|"),
        (ref("Group/77"), "f:north|"),
        (ref("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"), "f:north|"),
        (ref("#p9"), "f:north|"),
        (ref("Patient?identifier=urn:oid:2.999.1|88"), "f:north|"),
        (None, "f:north|"),
    ],
)  # fmt: skip
def test_a_patient_who_is_not_in_the_body(subject: Body | None, wanted: str) -> None:
    sent = observation(valueString="x", **({"subject": subject} if subject else {}))
    assert lane(sent) == wanted
    found = only(sent)
    assert found.lane == wanted
    assert bool(found.patient.identifiers) == wanted.startswith("p:")
    assert [one.code for one in found.notes] == ([] if wanted.startswith("p:") else ["N019"])


@pytest.mark.parametrize("subject", ["Patient/p1", "urn:uuid:1", "Patient?identifier=urn:oid:2.999.1|88"])
def test_a_patient_who_is_in_the_body_is_found_however_named(subject: str) -> None:
    found = only(bundle(entry(patient("p1", "88", birthDate=BORN), "urn:uuid:1"), of(subject, "x")))
    assert (found.lane, str(found.patient.birth_date)) == (OWN + "88", BORN)


def test_a_contained_patient_is_the_patient() -> None:
    found = only(observation(contained=[patient("p", "88", gender="female")], subject=ref("#p"), valueString="x"))
    assert (found.lane, found.patient.sex) == (OWN + "88", "F")


def test_a_patient_by_id_alone_is_the_one_that_references_name_later() -> None:
    posted = entry(patient("77"), "https://a.example/fhir/Patient/77")
    first = lane(posted, entry(of("Patient/77", "x"), "https://a.example/fhir/Observation/1"))
    assert first == lane(of("https://a.example/fhir/Patient/77", "y"))
    assert lane(patient("77"), of("Patient/77", "x")) == lane(of("Patient/77", "y"))


def test_a_group_in_the_body_is_no_patient() -> None:
    group = {"resourceType": "Group", "id": "g", "type": "person", "actual": True}
    assert lane(entry(group, "urn:uuid:7"), of("urn:uuid:7", "x")) == "f:north|"


# ---------------------------------------------------------------- nobody is named


@pytest.mark.parametrize(
    "tube",
    [
        specimen("s1", accessionIdentifier={"system": "urn:acc", "value": "T7"}, identifier=[{"value": "no"}]),
        specimen("s1", identifier=[{"system": "urn:acc", "value": "T7"}, {"value": "other"}]),
    ],
)
def test_a_result_that_names_nobody_is_kept_under_its_specimen(tube: Body) -> None:
    assert lane(tube, observation(specimen=ref("Specimen/s1"))) == "s:urn:acc|T7"
    assert lane(tube, report(specimen=[ref("Specimen/s1")])) == "s:urn:acc|T7"


@pytest.mark.parametrize("tube", [specimen("s1"), specimen("s1", identifier=[{"system": "urn:acc"}]), patient("s1")])
def test_a_specimen_without_a_number_names_nothing(tube: Body) -> None:
    reference = f"{tube['resourceType']}/s1"
    assert lane(tube, observation(specimen=ref(reference))) == "f:north|"


# ---------------------------------------------------------------- reports and panels


def test_a_result_that_names_nobody_is_its_reports_patients() -> None:
    sent = [patient("a", "1"), observation(id="o", valueString="x"), report("Observation/o", subject=ref("Patient/a"))]
    assert texts(*sent) == {OWN + "1": ["x"]}


def test_a_report_that_names_nobody_is_its_results_patients() -> None:
    sent = [patient("a", "1"), of("Patient/a", "x", id="o"), report("Observation/o")]
    assert texts(*sent) == {OWN + "1": ["x"]}
    assert len(only(bundle(*sent)).orders) == 1


def test_the_patient_goes_down_through_panels_and_up_again() -> None:
    panel = observation(id="panel", hasMember=[ref("Observation/x"), ref("Observation/y")])
    x, y = observation(id="x", valueString="x"), observation(id="y", valueString="y")
    top = report("Observation/panel", subject=ref("Patient/a"))
    assert texts(patient("a", "1"), panel, x, y, top) == {OWN + "1": ["x", "y"]}
    named = of("Patient/a", "y", id="y")
    assert texts(patient("a", "1"), panel, x, named, report("Observation/panel")) == {OWN + "1": ["x", "y"]}


def test_panels_that_refer_to_each_other_come_to_an_end() -> None:
    one = of("Patient/a", "1", id="o1", hasMember=[ref("Observation/o2"), ref("Observation/o1")])
    two = observation(id="o2", valueString="2", hasMember=[ref("Observation/o1")])
    assert texts(patient("a", "1"), one, two) == {OWN + "1": ["1", "2"]}


@pytest.mark.parametrize(
    "holder",
    [
        report("Observation/o", subject=ref("Patient/a")),
        observation(hasMember=[ref("Observation/o")], subject=ref("Patient/a")),
    ],
)
def test_a_report_or_panel_with_another_patients_result_is_refused(holder: Body) -> None:
    body = bundle(patient("a", "1"), patient("b", "2"), of("Patient/b", "x", id="o"), holder)
    fault = refusal(body)
    assert (fault.code, fault.status) == ALONE
    assert fault.location == "Bundle.entry[3].resource.subject"


def test_another_patients_result_is_refused_through_a_panel_and_contained() -> None:
    people = [patient("a", "1"), patient("b", "2")]
    panel = observation(id="p", hasMember=[ref("Observation/o")])
    top = report("Observation/p", subject=ref("Patient/a"))
    assert refusal(bundle(*people, of("Patient/b", "x", id="o"), panel, top)).code == "business-rule"
    inside = report("#o", subject=ref("Patient/a"), contained=[of("Patient/b", "x", id="o")])
    assert refusal(bundle(*people, inside)).code == "business-rule"


def test_a_report_that_names_nobody_takes_none_of_several_patients_results() -> None:
    people = [patient("a", "1"), patient("b", "2")]
    results = [of("Patient/a", "x", id="x"), of("Patient/b", "y", id="y"), observation(id="z", valueString="z")]
    found = texts(*people, *results, report("Observation/x", "Observation/y", "Observation/z"))
    assert found == {OWN + "1": ["x"], OWN + "2": ["y"], "f:north|": ["z"]}


def test_two_names_of_one_patient_are_one_lane() -> None:
    both = [{"system": MRN, "value": "1", "type": concept(V2_0203, "MR")}, {"system": "urn:visit", "value": "V9"}]
    by_visit = observation(id="o", valueString="x", subject={"identifier": {"system": "urn:visit", "value": "V9"}})
    sent = [patient("a", identifier=both), by_visit, report("Observation/o", subject=ref("Patient/a"))]
    assert texts(*sent) == {OWN + "1": ["x"]}


# ---------------------------------------------------------------- people


def test_a_body_of_patients_alone_says_who_they_are() -> None:
    body = bundle(patient("a", "1", birthDate=BORN), patient("b", "2"), specimen("s", subject=ref("Patient/a")))
    found = reports(body)
    assert [(one.lane, one.identity, one.orders) for one in found] == [(OWN + "1", True, ()), (OWN + "2", True, ())]
    assert str(found[0].patient.birth_date) == BORN


def test_a_patient_alone_is_an_identity() -> None:
    found = only(patient("a", "1", gender="male", name=[{"family": "Doe", "given": ["Jo", "X"]}]))
    assert (found.lane, found.identity, found.message_type) == (OWN + "1", True, "FHIR Patient")
    assert (found.patient.family_name, found.patient.given_name, found.patient.sex) == ("Doe", "Jo", "M")


def test_a_patient_who_has_nothing_to_be_known_by_is_no_identity() -> None:
    nameless = patient()
    del nameless["id"]
    found = only(nameless)
    assert (found.lane, found.identity, found.patient.identifiers) == ("f:north|", False, ())


@pytest.mark.parametrize(
    ("first", "second", "agree"),
    [
        ({"birthDate": BORN}, {"birthDate": "1969-04-18"}, False),
        ({"gender": "female"}, {"gender": "male"}, False),
        ({"birthDate": BORN, "gender": "female"}, {"birthDate": BORN, "gender": "male"}, False),
        ({"birthDate": "1969"}, {"birthDate": "1970-01-01"}, False),
        ({"birthDate": BORN}, {"birthDate": BORN}, True),
        ({"birthDate": BORN}, {}, True),
        ({"birthDate": BORN}, {"birthDate": "1969"}, True),
        ({"gender": "female"}, {"gender": "unknown"}, True),
    ],
)
@pytest.mark.parametrize("whom", ["both", "one", "nobody"])
def test_two_patients_with_one_identifier_must_agree(first: Body, second: Body, agree: bool, whom: str) -> None:
    some = {"both": ["a", "b"], "one": ["a"], "nobody": []}[whom]
    results = [of(f"Patient/{one}", one) for one in some]
    body = bundle(patient("a", "1", **first), patient("b", "1", **second), *results)
    if agree:
        assert only(body).lane == OWN + "1"
    else:
        fault = refusal(body)
        assert (fault.code, fault.status, fault.location) == (*ALONE, "Bundle.entry[0].resource")


def test_a_contained_patient_must_agree_too() -> None:
    inside = observation(contained=[patient("p", "1", birthDate="1970-01-01")], subject=ref("#p"))
    assert refusal(bundle(patient("a", "1", birthDate=BORN), inside)).code == "business-rule"


def test_two_patients_in_two_lanes_need_not_agree() -> None:
    body = bundle(patient("a", "1", birthDate=BORN), patient("b", "2", birthDate="1970-01-01"), of("Patient/a", "x"))
    assert len(lines(body)) == 1


def test_many_patients_are_read_in_one_go() -> None:
    people = [patient(f"a{number}", str(number)) for number in range(400)]
    results = [of(f"Patient?identifier={MRN}|{number}", str(number)) for number in range(400)]
    assert texts(*people, *results) == {f"{OWN}{number}": [str(number)] for number in range(400)}


def work(count: int) -> int:
    """Lines that are run for a body of so many nameless panels, each the member of the one before."""
    some = [observation(id=f"o{n}", hasMember=[ref(f"Observation/o{n + 1}")]) for n in range(count)]
    raw, steps = wire(bundle(*some)), 0

    def counting(_frame: object, _event: str, _argument: object) -> object:
        nonlocal steps
        steps += 1
        return counting

    before = sys.gettrace()
    sys.settrace(counting)  # type: ignore[arg-type]
    try:
        incoming.read_reports(raw, FEED)
    finally:
        sys.settrace(before)
    return steps


def test_the_work_grows_with_the_body_and_no_faster() -> None:
    assert work(400) < 4.5 * work(100)


def test_the_lane_of_identifiers() -> None:
    assert lane_of((Identifier("A", "1"), Identifier("B", "2", "PI"), Identifier("C", "3", "MR"))) == "p:C|3"
