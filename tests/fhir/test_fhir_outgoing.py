"""What leaves for a FHIR server: every mode is valid, names what it is about, and is the same key in each correction."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import Any

import msgspec
import pytest
from fhir_letters import ABOUT, FLAG, FORM, HEP2, ORDER, PATIENT, SIGNED, SRP, TEXT, comment, note, order, resources

from labbridge.errors import Refused
from labbridge.fhir import conformance
from labbridge.fhir.outgoing import About, ServerForm, comment_bundle
from labbridge.fhir.read_back import read_back
from labbridge.model.outcome import Severity
from labbridge.model.report import EntityId, Identifier, Specimen, Timestamp

REPORT = msgspec.structs.replace(FORM, mode="report")
MODES = [("observation", "Observation", "valueString", FORM), ("report", "DiagnosticReport", "conclusion", REPORT)]


def without(raw: bytes, *names: str) -> Any:
    """A Bundle with elements taken out of its first entry."""
    body = json.loads(raw)
    for name in names:
        del body["entry"][0]["resource"][name]
    return json.dumps(body).encode()


@pytest.mark.parametrize(("mode", "kind", "element", "form"), MODES)
@pytest.mark.parametrize("correction", [False, True])
@pytest.mark.parametrize("retest", ["advise", "order", "off"])
def test_it_is_valid_in_every_mode(
    mode: str, kind: str, element: str, form: ServerForm, correction: bool, retest: str
) -> None:
    raw = comment(form=msgspec.structs.replace(form, retest=retest), correction=correction)
    assert conformance.judge(raw, TEXT) == []
    found = resources(raw)
    (written,) = found[kind]
    assert written[element] == TEXT
    assert written["status"] == ("corrected" if correction else "final")
    assert written["identifier"][0]["value"] == "LB1"
    assert written["subject"]["identifier"]["system"] == "https://laba.example/mrn"
    assert written["subject"]["identifier"]["value"] == "PT1"
    assert written["effectiveDateTime"] == "2026-11-10T09:15:00+01:00"
    assert written["issued"] == "2026-11-13T13:00:00+01:00"
    assert [one["code"] for one in written["code"]["coding"]] == ["8251-1", "LBCMT"]
    assert "Task" in found if retest == "advise" else "Task" not in found
    assert "ServiceRequest" not in found


def test_the_same_words_are_the_same_bytes_and_a_correction_has_the_same_keys() -> None:
    first, again, corrected = comment(), comment(), comment("Corrected.", correction=True)
    assert first == again
    urls = [{one["request"]["url"] for one in json.loads(raw)["entry"]} for raw in (first, corrected)]
    assert urls[0] <= urls[1]
    keys = [{one["fullUrl"] for one in json.loads(raw)["entry"]} for raw in (first, corrected)]
    assert keys[0] <= keys[1]


def test_patient_data_stands_in_no_url_of_a_request() -> None:
    for raw in (comment(), order()):
        for entry in json.loads(raw)["entry"]:
            request = " ".join(entry["request"].values())
            assert not re.search(r"PT1|FL-1|PL-1|S-1|R1\b|TEST|SYNTHETIC|mrn", request)


def test_names_and_birth_dates_do_not_leave() -> None:
    assert b"SYNTHETIC" not in comment()
    assert b'"name":"TEST' not in comment()


def test_results_orders_and_specimen_are_named_by_their_own_numbers() -> None:
    written = resources(comment())["Observation"][0]
    assert written["basedOn"][0]["identifier"] == {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]},
        "value": "PL-1",
        "assigner": {"display": "MYOCLIN"},  # whose system is not configured: it is not invented
    }
    assert written["specimen"]["identifier"]["value"] == "S-1"
    (derived,) = written["derivedFrom"]  # HEp-2 came without a number of its own
    assert derived["identifier"] == {"system": "https://laba.example/result", "value": "R1"}
    (provenance,) = resources(comment())["Provenance"]
    named = [(one["what"]["type"], one["what"]["identifier"]["value"]) for one in provenance["entity"]]
    assert named == [("Observation", "R1"), ("DiagnosticReport", "FL-1")]


def test_which_of_two_specimens_is_meant_is_not_guessed() -> None:
    two = msgspec.structs.replace(ORDER, specimens=(*ORDER.specimens, Specimen(filler=EntityId("S-2", "MYOLIS"))))
    about = msgspec.structs.replace(ABOUT, order=two)
    assert "specimen" not in resources(comment(about=about))["Observation"][0]


def test_the_provenance_says_who_and_what_with_its_versions() -> None:
    raw = comment()
    (provenance,) = resources(raw)["Provenance"]
    assembler, verifier = provenance["agent"]
    assert assembler["who"] == {"reference": "#labbridge"}
    assert [one["value"] for one in provenance["contained"][0]["version"]] == ["1.0.0", "2026.11-abc"]
    assert verifier["who"] == {"type": "Practitioner", "display": "Alex Smith"}
    urls = {one["fullUrl"] for one in json.loads(raw)["entry"]}
    assert {one["reference"] for one in provenance["target"]} <= urls
    assert provenance["meta"]["tag"][0]["code"] == "LB-0001"


def test_a_row_that_released_it_is_no_person() -> None:
    raw = comment(signed=msgspec.structs.replace(SIGNED, signer="rule A-1", by_rule=True))
    assert conformance.judge(raw, TEXT) == []
    found = resources(raw)
    assert "performer" not in found["Observation"][0]
    assert found["Provenance"][0]["agent"][1]["who"] == {"type": "Device", "display": "LABBRIDGE, rule A-1"}


def test_what_was_flagged_is_an_issue_with_its_evidence() -> None:
    (issue,) = resources(comment())["DetectedIssue"]
    assert (issue["status"], issue["severity"]) == ("final", "moderate")
    assert issue["code"]["coding"][0]["code"] == "HEP2_NEG_MSA_POS"
    assert issue["code"]["text"] == "HEp-2 is negative beside a positive antibody"
    assert issue["evidence"][0]["detail"][0]["identifier"]["value"] == "R1"
    quiet = msgspec.structs.replace(FLAG, severity=Severity.INFO)
    assert "DetectedIssue" not in resources(comment(flags=(quiet,)))


def test_a_correction_withdraws_what_is_not_so_any_more() -> None:
    raw = comment(correction=True, flags=(), retests=())
    assert conformance.judge(raw, TEXT) == []
    found = resources(raw)
    assert found["DetectedIssue"][0]["status"] == "entered-in-error"
    assert {one["status"] for one in found["Task"]} == {"cancelled"}
    assert len(found["Provenance"][0]["target"]) == 1
    standing = resources(comment(correction=True))
    assert standing["DetectedIssue"][0]["status"] == "amended"
    assert next(one["status"] for one in standing["Task"]) == "requested"


def test_a_retest_is_a_proposal_to_a_person_or_an_order() -> None:
    (task,) = resources(comment())["Task"]
    assert (task["status"], task["intent"], task["priority"]) == ("requested", "proposal", "urgent")
    assert task["restriction"]["period"]["start"] == "2026-12-01"
    assert task["input"][0]["valueCodeableConcept"]["coding"][0]["code"] == "SRPIP"
    raw = order(not_before=date(2026, 12, 1))
    assert conformance.judge(raw, "") == []
    (request,) = resources(raw)["ServiceRequest"]
    assert (request["status"], request["intent"]) == ("active", "reflex-order")
    assert request["identifier"][0]["value"] == "LBO-1"
    assert request["basedOn"][0]["identifier"]["value"] == "PL-1"
    assert request["reasonReference"][0]["identifier"]["value"] == "R1"
    assert [one["type"] for one in request["supportingInfo"]] == ["DetectedIssue", "Observation"]
    assert request["specimen"][0]["identifier"]["value"] == "S-1"
    assert "specimen" not in resources(order(new_specimen=True))["ServiceRequest"][0]


def test_our_own_system_is_the_site_s_or_one_that_nobody_else_has() -> None:
    other = msgspec.structs.replace(FORM, facility="LABB")
    assert FORM.own.startswith("urn:uuid:")
    assert FORM.own != other.own
    named = msgspec.structs.replace(FORM, systems={**FORM.systems, "LABBRIDGE": "https://laba.example/labbridge"})
    assert named.own == "https://laba.example/labbridge"


def test_a_patient_is_never_guessed() -> None:
    nobody = msgspec.structs.replace(PATIENT, identifiers=())
    with pytest.raises(Refused, match="names no patient"):
        comment(about=msgspec.structs.replace(ABOUT, patient=nobody))
    elsewhere = msgspec.structs.replace(PATIENT, identifiers=(Identifier("LABB", "PT1", "MR"),))
    with pytest.raises(Refused, match="no identifier system for the authority 'LABB'"):
        comment(about=msgspec.structs.replace(ABOUT, patient=elsewhere))


def test_a_patient_of_the_receiver_itself_is_referred_to_by_id() -> None:
    own = msgspec.structs.replace(PATIENT, identifiers=(Identifier(f"{FORM.base}/Patient", "p1"),))
    written = resources(comment(about=msgspec.structs.replace(ABOUT, patient=own)))["Observation"][0]
    assert written["subject"] == {"reference": "Patient/p1", "type": "Patient"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [("20261110", "2026-11-10"), ("2026111009", "2026-11-10"), ("202611100915+0100", "2026-11-10T09:15:00+01:00")],
)
def test_a_time_is_no_more_precise_than_it_was_sent(sent: str, expected: str) -> None:
    taken = Timestamp(sent, ORDER.collected.moment, date(2026, 11, 10), has_time=len(sent) > 8)  # type: ignore[union-attr]
    about = msgspec.structs.replace(ABOUT, order=msgspec.structs.replace(ORDER, collected=taken))
    assert resources(comment(about=about))["Observation"][0]["effectiveDateTime"] == expected


def test_without_a_time_there_is_none() -> None:
    about = msgspec.structs.replace(ABOUT, order=msgspec.structs.replace(ORDER, collected=None))
    assert "effectiveDateTime" not in resources(comment(about=about))["Observation"][0]


@pytest.mark.parametrize("text", ["", "  ", "a\x00b", "a\x0bb"])
def test_what_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        comment(text)


def test_without_a_code_nothing_is_written() -> None:
    with pytest.raises(Refused, match="No code"):
        comment_bundle(note(), ABOUT, SIGNED, msgspec.structs.replace(FORM, comment=()))


def test_the_judge_finds_what_is_wrong() -> None:
    raw = comment()
    assert conformance.judge(raw, "Something else") == ["Bundle.entry: The comment is not the one that was signed"]
    assert conformance.judge(without(raw, "code"), TEXT)
    assert conformance.judge(raw.replace(b'"status":"final"', b'"status":"posted"', 1), TEXT)
    assert conformance.judge(b"[]", TEXT)
    gone = json.loads(raw)
    gone["entry"] = gone["entry"][1:]
    assert any("There is no such entry" in one for one in conformance.judge(json.dumps(gone).encode(), ""))


def test_what_is_read_back_is_what_the_server_will_show() -> None:
    found = read_back(comment("One.\nTwo."))
    assert (found.segment, found.kind, found.lines) == ("Observation", "valueString", ("One.", "Two."))
    assert (found.status, found.key, found.placer) == ("final", "LB1", "PL-1")
    assert found.beside == ("DetectedIssue", "Task", "Provenance")
    assert read_back(comment(form=REPORT)).kind == "conclusion"


def test_results_without_numbers_are_named_by_their_report() -> None:
    about = About(patient=PATIENT, order=ORDER, result=HEP2, results={})
    found = resources(comment(about=about))
    assert "derivedFrom" not in found["Observation"][0]
    assert found["Provenance"][0]["entity"][0]["what"]["identifier"]["value"] == "FL-1"
    assert SRP.number
