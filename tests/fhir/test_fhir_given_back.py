"""Results as FHIR: of HL7 v2 what was sent and nothing else (standards.md 2.2 and 2.3); of FHIR the sender's own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from labbridge.fhir import given, results
from labbridge.hl7 import incoming
from labbridge.model.report import Observation, Order, Patient, Report
from labbridge.model.work import Feed

FEED = Feed(name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris")
COMMA = Feed(name="myolis", sender="MYOLIS|LABA", timezone="Europe/Paris", decimal_mark=",")
WARD = Feed(name="ward", kind="fhir", sender="MYOLIS|LABA", authorities={"https://laba.example/mrn": "LABA"})
NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)


def read(*lines: str, order: str = "F", feed: Feed = FEED, collected: str = "20261109083000+0100") -> Report:
    head = (
        "MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261112160000+0100||ORU^R01^ORU_R01|S1|P|2.5.1",
        "PID|1||PT1^^^LABA^MR||TEST^SYNTHETIC^^^^^L||19690417|M",
        f"OBR|1|PL1^CLIN|FL1^MYOLIS|MYO^Myositis^L|||{collected}|||||||||||||||20261112160000+0100||LAB|{order}",
        *(f"OBX|{number}|{line}" for number, line in enumerate(lines, 1)),
        "SPM|1|S1&CLIN^S1-01&MYOLIS||SER^Serum^HL70487",
    )
    (found,) = incoming.read_reports(("\r".join(head) + "\r").encode(), feed, NOW)
    return found


def shown(line: str, feed: Feed = FEED, **more: str) -> dict[str, Any]:
    report = read(line, feed=feed, **more)
    ((order, one),) = list(results.lines(report))
    return results.observation(one, order, feed)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("NM|CK^CK^L|1|0012.30|U/L^^UCUM|||||F", {"valueString": "0012.30"}),
        ("NM|CK^CK^L|1|+12.30||||||F", {"valueQuantity": {"value": "12.30"}}),
        ("NM|CK^CK^L|1|12,30||||||F", {"valueString": "12,30"}),
        ("NM|CK^CK^L|1|FOO||||||F", {"valueString": "FOO"}),
        (
            "NM|CK^CK^L|1|5|CU^chemiluminescent unit^L|||||F",
            {"valueQuantity": {"value": "5", "unit": "chemiluminescent unit"}},
        ),
        ("SN|CK^CK^L|1|>^100|U/L^^UCUM|||||F", {"valueQuantity": {"value": "100", "comparator": ">"}}),
        (
            "SN|T^titre^L|1|^1^:^320||||||F",
            {"valueRatio": {"numerator": {"value": "1"}, "denominator": {"value": "320"}}},
        ),
        (
            "SN|T^titre^L|1|^1^/^320||||||F",
            {"valueRatio": {"numerator": {"value": "1"}, "denominator": {"value": "320"}}},
        ),
        ("SN|T^x^L|1|^1^-^3||||||F", {"valueRange": {"low": {"value": "1"}, "high": {"value": "3"}}}),
        ("SN|T^x^L|1|^1^+||||||F", {"valueString": "1+"}),
        ("SN|T^x^L|1|<>^1||||||F", {"valueString": "<>1"}),
        ("ST|T^x^L|1|1:320||||||F", {"valueString": "1:320"}),
        ("TX|T^x^L|1|one~two||||||F", {"valueString": "one\ntwo"}),
        (
            "CE|P^x^L|1|AC-19^Fine^ICAP||||||F",
            {"valueCodeableConcept": {"coding": [{"code": "AC-19", "display": "Fine"}]}},
        ),
        ("NM|CK^CK^L|1|||||||F", {"dataAbsentReason": {"coding": [{"code": "unknown"}]}}),
        ('NM|CK^CK^L|1|""||||||F', {"dataAbsentReason": {"coding": [{"code": "unknown"}]}}),
        ("ED|D^x^L|1|^AP^PDF^Base64^AAAA||||||F", {"dataAbsentReason": {"coding": [{"code": "unsupported"}]}}),
    ],
)
def test_a_value_keeps_its_form_and_digits(line: str, wanted: dict[str, Any]) -> None:
    found = shown(line)
    (name,) = wanted
    assert _within(wanted[name], found[name]), found[name]
    assert sum(key.startswith("value") for key in found) == (name != "dataAbsentReason")


def _within(wanted: Any, found: Any) -> bool:
    """Whether all that is wanted is there; numbers by their digits."""
    if isinstance(wanted, dict):
        return all(key in found and _within(value, found[key]) for key, value in wanted.items())
    if isinstance(wanted, list):
        return len(wanted) == len(found) and all(map(_within, wanted, found))
    return bool(wanted == str(found))


def test_a_comma_is_a_decimal_mark_where_the_feed_says_so() -> None:
    assert str(shown("NM|CK^CK^L|1|12,30||||||F", COMMA)["valueQuantity"]["value"]) == "12.30"


def test_several_codes_are_components() -> None:
    found = shown("CE|P^Pattern^L|1|AC-1^One^ICAP~AC-19^Other^ICAP||||||F")
    codes = [one["valueCodeableConcept"]["coding"][0]["code"] for one in found["component"]]
    assert codes == ["AC-1", "AC-19"]
    assert all(one["code"]["text"] == "Pattern" for one in found["component"])
    assert "valueCodeableConcept" not in found


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        *(("A", "amended"), ("C", "corrected"), ("D", "entered-in-error"), ("F", "final"), ("P", "preliminary")),
        *(
            ("W", "entered-in-error"),
            ("X", "cancelled"),
            ("I", "registered"),
            ("R", "preliminary"),
            ("S", "preliminary"),
        ),
        *(("U", "final"), ("", "unknown"), ("Q", "unknown")),
    ],
)
def test_a_status_is_never_more_final_than_was_said(sent: str, status: str) -> None:
    """Code in the wild maps unknown to final, W to amended, D to cancelled, U to corrected (standards.md 2.2)."""
    assert shown(f"NM|CK^CK^L|1|5||||||{sent}")["status"] == status


@pytest.mark.parametrize("line", ["NM|CK^CK^L|1|5||||||N", "NM|CK^CK^L|1|5||||||O", "NM|CK^CK^L|1|||||||U"])
def test_what_is_no_result_and_what_brings_no_value_of_its_own_is_not_shown(line: str) -> None:
    assert list(results.lines(read(line))) == []


def test_where_nothing_was_said_nothing_is_guessed() -> None:
    found = shown("ST|CK^CK^L|1|high||||||F", collected="")
    assert not {"effectiveDateTime", "referenceRange", "interpretation", "method", "device", "performer"} & set(found)
    code = results.observation(Observation(at="OBX[1]", codes=()), None, FEED)["code"]
    assert code["extension"][0]["valueCode"] == "unknown"


@pytest.mark.parametrize(
    ("sent", "shown_as"),
    [
        ("20261109083000+0100", "2026-11-09T08:30:00+01:00"),
        ("20261109", "2026-11-09"),
    ],
)
def test_a_time_has_the_precision_it_was_sent_in(sent: str, shown_as: str) -> None:
    assert shown("NM|CK^CK^L|1|5||||||F", collected=sent)["effectiveDateTime"] == shown_as


@pytest.mark.parametrize(
    ("sent", "status"), [("F", "final"), ("C", "corrected"), ("A", "unknown"), ("M", "unknown"), ("", "unknown")]
)
def test_a_report_has_the_status_of_its_order(sent: str, status: str) -> None:
    (order,) = read("NM|CK^CK^L|1|5||||||F", order=sent).orders
    found = results.report(order, ["Observation/M1-OBX1"], FEED)
    assert found["status"] == status
    assert found["identifier"][0]["value"] == "FL1"
    assert found["result"] == [{"reference": "Observation/M1-OBX1"}]
    assert found["specimen"] == [{"identifier": found["specimen"][0]["identifier"], "display": "Serum"}]


def test_a_patient_says_what_is_known_and_no_more() -> None:
    assert results.patient(Patient(), FEED) == {"resourceType": "Patient", "identifier": []}
    found = results.patient(read("NM|CK^CK^L|1|5||||||F").patient, FEED)
    assert found["identifier"][0]["assigner"] == {"display": "LABA"}
    assert found["birthDate"] == "1969-04-17"
    mapped = results.patient(read("NM|CK^CK^L|1|5||||||F").patient, WARD)
    assert mapped["identifier"][0]["system"] == "https://laba.example/mrn"
    assert Order(at="OBR[1]").filler.id == ""


# ---------------------------------------------------------------- FHIR


def body(*entries: dict[str, Any], kind: str = "transaction") -> bytes:
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).encode()


WHO = {"resourceType": "Patient", "identifier": [{"system": "https://laba.example/mrn", "value": "PT1"}]}
RESULT = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "CK"},
    "subject": {"reference": "urn:uuid:p"},
}


def entry(resource: dict[str, Any], url: str = "", method: str = "POST", to: str = "") -> dict[str, Any]:
    found = {"resource": resource, "request": {"method": method, "url": to or resource["resourceType"]}}
    return found | ({"fullUrl": url} if url else {})


def test_an_entry_has_the_id_of_the_answer_to_its_sender() -> None:
    raw = body(entry(WHO, "urn:uuid:p"), entry(RESULT), entry({**RESULT, "id": "a"}, method="PUT", to="Observation/a"))
    found = given.resources(given.Kept(raw, 7), WARD)
    assert [(one.id, one.own, one.lane) for one in found] == [("M7-1", False, "p:LABA|PT1"), ("a", True, "p:LABA|PT1")]


def test_a_single_resource_is_its_senders_only_where_it_was_put() -> None:
    raw = json.dumps({**RESULT, "id": "a", "subject": {"reference": "Patient/1"}}).encode()
    (posted,) = given.resources(given.Kept(raw, 7), WARD)
    (put,) = given.resources(given.Kept(raw, 7, named=frozenset({"Observation/a"})), WARD)
    assert (posted.id, put.id) == ("M7", "a")


def test_entries_that_were_refused_or_known_are_not_there_and_name_their_patient_still() -> None:
    raw = body(entry(WHO, "urn:uuid:p"), entry(RESULT), entry(RESULT))
    found = given.resources(given.Kept(raw, 7, refused=frozenset({1}), known=frozenset({0})), WARD)
    assert [(one.id, one.lane) for one in found] == [("M7-2", "p:LABA|PT1")]


def test_a_contained_resource_of_a_contained_one_stands_beside_it() -> None:
    maker = {"resourceType": "Organization", "id": "o", "name": "SYNTHETIC"}
    device = {"resourceType": "Device", "contained": [maker], "owner": {"reference": "#o"}, "meta": {"versionId": "1"}}
    own = {"resourceType": "Specimen", "id": "s"}
    result = {**RESULT, "contained": [own], "specimen": {"reference": "#s"}, "device": {"reference": "urn:uuid:d"}}
    raw = body(entry(WHO, "urn:uuid:p"), entry(result), entry(device, "urn:uuid:d"))
    (found,) = given.resources(given.Kept(raw, 7), WARD)
    assert found.body["specimen"] == {"reference": "#s"}
    assert found.body["device"] == {"reference": "#e2"}
    held = {one["id"]: one for one in found.body["contained"]}
    assert set(held) == {"s", "e2", "e2-o"}
    assert held["e2"]["owner"] == {"reference": "#e2-o"}
    assert "meta" not in held["e2"]


def test_the_subject_is_the_patient_as_this_server_names_one() -> None:
    raw = body(entry(WHO, "urn:uuid:p"), entry({**RESULT, "focus": [{"reference": "urn:uuid:p"}]}))
    (found,) = given.resources(given.Kept(raw, 7), WARD)
    named = given.of_patient(found.body, "Patient/P3")
    assert named["subject"] == {"reference": "Patient/P3"}
    assert named["focus"] == [{"reference": "Patient/P3"}]
    nobody = given.of_patient(found.body, "")
    assert "subject" not in nobody
