"""Medicines and conditions beside results, under the codes of the ask-at-order-entry observations."""

from __future__ import annotations

import msgspec
import pytest
from fhir_bodies import FEED, Body, bundle, concept, line, observation, only, patient, ref, reports

from labbridge.model.report import Observation
from labbridge.model.values import Coding, SentCoding, SentText

LOCAL = "https://lab.example/codes"
LAB = msgspec.structs.replace(FEED, local_systems=(LOCAL,))
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def medicine(status: str = "active", code: Body | None = None) -> Body:
    return {
        "resourceType": "MedicationStatement", "status": status, "subject": ref("Patient/p1"),
        "medicationCodeableConcept": code or concept(LOCAL, "STATIN"),
    }  # fmt: skip


def condition(verified: str = "", code: Body | None = None, **elements: object) -> Body:
    status = {"verificationStatus": concept(VERIFICATION, verified)} if verified else {}
    return {
        "resourceType": "Condition", "subject": ref("Patient/p1"), "code": code or concept(LOCAL, "MYALGIA"),
        **status, **elements,
    }  # fmt: skip


def facts(*resources: Body) -> tuple[Observation, ...]:
    found = only(bundle(patient("p1", "88"), *resources), LAB)
    assert found.orders == ()
    return found.observations


@pytest.mark.parametrize(
    ("status", "word"),
    [("active", "Y"), ("not-taken", "N"), ("completed", "Y"), ("stopped", "Y"), ("intended", None),
     ("on-hold", "Y"), ("unknown", None), ("entered-in-error", None)],
)  # fmt: skip
def test_a_medicine_is_a_fact_where_its_status_says_so(status: str, word: str | None) -> None:
    found = facts(medicine(status))
    assert [one.values for one in found] == ([(SentText(word),)] if word else [])
    if word:
        assert (found[0].codes, found[0].status) == ((Coding("STATIN", "", "L"),), "final")
        assert found[0].at == "Bundle.entry[1].resource"


@pytest.mark.parametrize(
    ("verified", "word"),
    [("", "Y"), ("confirmed", "Y"), ("refuted", "N"), ("unconfirmed", None), ("provisional", None),
     ("differential", None), ("entered-in-error", None)],
)  # fmt: skip
def test_a_condition_is_a_fact_where_it_holds_or_was_refuted(verified: str, word: str | None) -> None:
    assert [one.values for one in facts(condition(verified))] == ([(SentText(word),)] if word else [])


@pytest.mark.parametrize(
    ("code", "known"),
    [
        (concept(LOCAL, "STATIN"), True),
        ({"coding": [{"code": "STATIN"}]}, True),
        (concept("http://www.nlm.nih.gov/research/umls/rxnorm", "36567"), False),
        ({"coding": [{"system": "urn:x", "code": "1"}, {"system": LOCAL, "code": "STATIN"}]}, True),
        ({"text": "statin"}, False),
    ],
)
def test_only_a_code_of_ours_is_a_fact(code: Body, known: bool) -> None:
    assert bool(facts(medicine(code=code))) is known
    assert bool(facts(condition(code=code))) is known


def test_a_second_code_is_what_is_known() -> None:
    both = {"coding": [{"system": LOCAL, "code": "KNOWN_MSA"}, {"system": LOCAL, "code": "SRP"}]}
    (found,) = facts(condition(code=both))
    assert (found.codes, found.values) == ((Coding("KNOWN_MSA", "", "L"),), (SentCoding((Coding("SRP", "", "L"),)),))
    assert facts(condition("refuted", code=both)) == ()


@pytest.mark.parametrize(
    ("elements", "since"),
    [
        ({"onsetDateTime": "2024-03-01", "recordedDate": "2026-04-01"}, "2024-03-01"),
        ({"recordedDate": "2026-04-01"}, "2026-04-01"),
        ({"onsetDateTime": "2024"}, None),
        ({}, None),
    ],
)
def test_a_condition_holds_since_its_onset(elements: Body, since: str | None) -> None:
    (found,) = facts(condition(**elements))
    assert (found.observed and found.observed.text) == since


def test_a_medicine_by_reference_and_a_condition_without_a_code_are_no_facts() -> None:
    by_reference = {"resourceType": "MedicationStatement", "status": "active", "subject": ref("Patient/p1"),
                    "medicationReference": ref("Medication/m")}  # fmt: skip
    nothing = {"resourceType": "Condition", "subject": ref("Patient/p1")}
    assert facts(by_reference, nothing) == ()


def test_facts_go_with_their_patient() -> None:
    body = bundle(patient("p1", "1"), patient("p2", "2"), medicine(), {**condition(), "subject": ref("Patient/p2")})
    found = reports(body, LAB)
    assert [(one.lane[-1], [each.codes[0].code for each in one.observations]) for one in found] == [
        ("1", ["STATIN"]), ("2", ["MYALGIA"]),
    ]  # fmt: skip


def test_a_fact_stands_beside_results() -> None:
    found = only(bundle(patient("p1", "1"), observation(valueString="x", subject=ref("Patient/p1")), medicine()), LAB)
    assert (len(found.orders), len(found.observations)) == (1, 1)


def test_an_observation_of_a_fact_is_a_line_of_its_own_order() -> None:
    assert line(observation(code=concept(LOCAL, "STATIN"), valueBoolean=True), LAB).values == (SentText("Y"),)
