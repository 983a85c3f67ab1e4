"""GET below /fhir: what is held comes back as it was sent, in its newest version, to who may see it, and is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from feeds_fhir import FEED, HL7, SITE, Site, bundle, entry, observation, plain
from reads_fhir import MRN, RESULT, Program, hl7, ids, link, message

from labbridge.fhir.routes import PARAMETERS, ROUTES

BOTH = f"{FEED.name} {HL7.name}"


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    found = Site(url, (HL7,))
    yield found
    found.close()


async def sent(site: Site, **changes: Any) -> str:
    """A result with its patient by a transaction; its id."""
    number = changes.pop("number", "F1")
    found = await site.post(bundle(entry(observation(number, **changes))))
    assert found.status_code == 200, found.text
    return str(plain(found)["entry"][1]["response"]["location"].split("/")[1])


# ---------------------------------------------------------------- what it says it does


async def test_metadata_is_open_and_says_what_the_table_of_routes_says(site: Site) -> None:
    program = Program(site)
    program.token = "none"
    found = await program.get("/fhir/metadata")
    assert (found["kind"], found["fhirVersion"]) == ("instance", "4.0.1")
    rest = found["rest"][0]
    assert "no Subscriptions" in rest["documentation"]
    listed = {one["type"]: one for one in rest["resource"]}
    assert set(listed) == {one.type for one in ROUTES if one.type}
    for kind, parameters in PARAMETERS.items():
        assert {one["name"] for one in listed[kind]["searchParam"]} == {one.name for one in parameters}
        assert {"read", "search-type"} <= {one["code"] for one in listed[kind]["interaction"]}
    assert {one["name"] for one in rest["operation"]} == {"process-message", "interpret"}


async def test_each_thing_that_is_listed_answers_and_nothing_else_does(site: Site) -> None:
    await sent(site)
    program = Program(site)
    values = {"date": "ge2000", "token": "x", "reference": "Patient/P1", "number": "1"}
    for one in (await program.get("/fhir/metadata"))["rest"][0]["resource"]:
        for parameter in one.get("searchParam", ()):
            to = f"/fhir/{one['type']}?{parameter['name']}={values[parameter['type']]}"
            assert (await program.ask("GET", to)).status_code == 200, to
    for method, to, status in (
        ("GET", "/fhir/Specimen", 404),
        ("GET", "/fhir/Subscription", 404),
        ("GET", "/fhir", 405),
        ("GET", "/fhir/Observation/M1-1/_history/1", 404),
        ("GET", "/fhir/Observation/_search", 405),
        ("DELETE", "/fhir/Observation/M1-1", 405),
        ("PATCH", "/fhir/Observation/M1-1", 405),
        ("POST", "/fhir/DetectedIssue", 405),
        ("PUT", "/fhir/AuditEvent/A1", 405),
        ("POST", "/fhir/$everything", 404),
    ):
        assert (await program.refused(to, method))[0] == status, (method, to)


async def test_the_openapi_document_has_every_address(site: Site) -> None:
    found = await Program(site).get("/fhir/openapi.json")
    told = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert told == {(one.method, f"/{one.path}") for one in ROUTES}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Observation?subject=Patient/P1", "The search parameter subject is not known here"),
        ("Observation?code:text=x", "No modifier of code is understood here"),
        ("Observation?patient.name=x", "The search parameter patient.name is not known here"),
        ("Observation?_include=Observation:patient", "The search parameter _include is not known here"),
        ("Observation?_sort=date", "The search parameter _sort is not known here"),
        ("Observation?date=ne2026", "date is a date"),
        ("Observation?date=2026-02-30", "date is no date that there is"),
        ("Observation?code=", "code has an empty value"),
        ("Observation?_count=0", "_count is a number"),
        ("Observation?cursor=AAAA", "This is no page of a search with this token"),
        ("Observation?PT7788%20X=1", "A search parameter is not known here"),
        ("Observation?code=%FF", "The search is no UTF-8"),
        ("Observation/M1-1?_summary=true", "The search parameter _summary is not known here"),
    ],
)
async def test_what_is_not_understood_is_refused_by_its_name(tmp_path: Path, query: str, said: str) -> None:
    site = Site(f"sqlite:///{tmp_path / 'store.db'}")
    try:
        status, text = await Program(site).refused(f"/fhir/{query}")
        assert (status, text[: len(said)]) == (400, said)
        assert "PT7788" not in text
    finally:
        site.close()


# ---------------------------------------------------------------- read


async def test_a_result_comes_back_with_its_senders_elements_and_digits(site: Site) -> None:
    raw = json.dumps(bundle(entry(observation(note=[{"text": "second tube"}])))).replace("58.0", "58.00")
    await site.post(raw.encode())
    found = await Program(site).get("/fhir/Observation/M1-1")
    assert str(found["valueQuantity"]["value"]) == "58.00"
    assert found["note"] == [{"text": "second tube"}]
    assert found["identifier"] == [{"system": RESULT, "value": "F1"}]
    assert found["meta"]["versionId"] == "1"
    assert found["meta"]["lastUpdated"] == "2026-11-13T12:00:00.000+00:00"
    assert found["subject"] == {"reference": "Patient/P1"}
    who = await Program(site, name="second").get("/fhir/Patient/P1")
    assert who["identifier"] == [{"system": MRN, "value": "PT1"}]
    assert (who["gender"], who["birthDate"], who["name"][0]["family"]) == ("male", "1969-04-17", "TEST")


async def test_what_a_result_refers_to_in_its_body_comes_with_it(site: Site) -> None:
    tube, ward = "urn:uuid:6f0c0b1e-0000-4000-8000-000000000002", "urn:uuid:6f0c0b1e-0000-4000-8000-000000000003"
    specimen = {"resourceType": "Specimen", "subject": {"reference": patient_url()}, "receivedTime": "2026-11-10"}
    specimen["collection"] = {"collector": {"reference": ward}}
    person = {"resourceType": "Practitioner", "name": [{"text": "SYNTHETIC"}]}
    body = bundle(
        entry(observation(specimen={"reference": tube})),
        entry(specimen) | {"fullUrl": tube},
        entry(person) | {"fullUrl": ward},
    )
    assert (await site.post(body)).status_code == 200
    found = await Program(site).get("/fhir/Observation/M1-1")
    assert found["specimen"] == {"reference": "#e2"}
    held = {one["id"]: one for one in found["contained"]}
    assert set(held) == {"e2", "e3"}
    assert held["e2"]["subject"] == {"reference": "Patient/P1"}
    assert held["e2"]["collection"] == {"collector": {"reference": "#e3"}}


def patient_url() -> str:
    return str(bundle()["entry"][0]["fullUrl"])


async def test_a_superseded_result_is_gone_and_says_what_stands_in_its_place(site: Site) -> None:
    first = await sent(site)
    second = await sent(site, status="corrected", value="61")
    program = Program(site)
    assert await program.refused(f"/fhir/Observation/{first}") == (
        410,
        f"Superseded: Observation/{second} stands in its place",
    )
    assert await program.found("Observation") == [second]
    assert await program.found(f"Observation?_id={first},{second}") == [second]


async def test_an_update_is_the_same_resource_in_another_version(site: Site) -> None:
    body = observation() | {"id": "srp-1"}
    await site.post(body, "/fhir/Observation/srp-1", "PUT")
    await site.post(body | {"status": "amended"}, "/fhir/Observation/srp-1", "PUT")
    found = await Program(site).get("/fhir/Observation/srp-1")
    assert (found["status"], found["meta"]["versionId"]) == ("amended", "2")
    assert await Program(site, name="second").found("Observation") == ["srp-1"]


async def test_a_report_refers_to_its_results_by_their_addresses(site: Site) -> None:
    url = "urn:uuid:6f0c0b1e-0000-4000-8000-000000000009"
    report = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": RESULT, "value": "R1"}],
        "status": "final",
        "code": {"text": "Myositis antibodies"},
        "subject": {"reference": patient_url()},
        "effectiveDateTime": "2026-11-10",
        "issued": "2026-11-13T12:00:00Z",
        "result": [{"reference": url}],
    }
    await site.post(bundle(entry(observation()) | {"fullUrl": url}, entry(report)))
    program = Program(site)
    (found,) = (await program.get(f"/fhir/DiagnosticReport?identifier={RESULT}|R1"))["entry"]
    assert found["resource"]["result"] == [{"reference": "Observation/M1-1"}]
    assert found["fullUrl"] == f"{SITE}/fhir/DiagnosticReport/M1-2"


# ---------------------------------------------------------------- HL7 v2


async def test_a_message_of_hl7_is_read_as_observations_of_its_order(site: Site) -> None:
    key = hl7(
        site,
        message(
            "NM|2157-6^Creatine kinase^LN|1|9800.0|U/L^^UCUM|26-170|HH|||F|||20261109083000+0100",
            "SN|ANAT^titre^L|1|<^1^:^80|||N|||F|||20261109083000+0100",
            "CE|ANAP^pattern^L|1|AC-19^Cytoplasmic dense fine speckled^ICAP||||||P",
            "ST|NOTE^remark^L|1|||||||X",
        ),
    )
    program = Program(site, feed=BOTH)
    assert await program.found(f"Observation?identifier=FL9&_id=M{key}-OBX1") == []
    assert await program.found(f"DiagnosticReport?identifier=FL9&_id=M{key}-OBR1") == [f"M{key}-OBR1"]
    found = await program.get(f"/fhir/Observation?_id=M{key}-OBX1")
    (ck,) = [one["resource"] for one in found["entry"]]
    assert "identifier" not in ck  # the order's number is that of four results
    assert ck["valueQuantity"] == {
        "value": Decimal("9800.0"),
        "unit": "U/L",
        "system": "http://unitsofmeasure.org",
        "code": "U/L",
    }
    assert str(ck["valueQuantity"]["value"]) == "9800.0"
    assert ck["code"]["coding"] == [{"system": "http://loinc.org", "code": "2157-6", "display": "Creatine kinase"}]
    assert (ck["status"], ck["effectiveDateTime"]) == ("final", "2026-11-09T08:30:00+01:00")
    assert ck["referenceRange"] == [{"text": "26-170"}]
    assert ck["interpretation"][0]["coding"][0]["code"] == "HH"
    titre = await program.get(f"/fhir/Observation/M{key}-OBX2")
    assert titre["valueRatio"] == {"numerator": {"value": 1, "comparator": "<"}, "denominator": {"value": 80}}
    pattern = await program.get(f"/fhir/Observation/M{key}-OBX3")
    assert pattern["valueCodeableConcept"]["coding"][0]["code"] == "AC-19"
    assert pattern["status"] == "preliminary"
    nothing = await program.get(f"/fhir/Observation/M{key}-OBX4")
    assert nothing["status"] == "cancelled"
    assert nothing["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    report = await program.get(f"/fhir/DiagnosticReport/M{key}-OBR1")
    assert [one["reference"] for one in report["result"]] == [f"Observation/M{key}-OBX{n}" for n in (1, 2, 3, 4)]


async def test_one_order_and_code_again_is_a_newer_version_whatever_else_it_says(site: Site) -> None:
    first = hl7(site, message("NM|SRPB^SRP^L|1|58|||A|||P", "NM|HMGCRC^HMGCR^L|1|3|||N|||F"))
    second = hl7(site, message("NM|SRPB^SRP^L|1|61|||A|||F", control="S2"))
    program = Program(site, feed=HL7.name)
    assert await program.found("Observation?code=SRPB") == [f"M{second}-OBX1"]
    assert await program.found("Observation?code=HMGCRC") == [f"M{first}-OBX2"]
    assert (await program.refused(f"/fhir/Observation/M{first}-OBX1"))[0] == 410


async def test_messages_without_results_of_ours_and_another_patients_are_not_read(site: Site) -> None:
    hl7(site, message("NM|GLU^Glucose^L|1|5|||N|||F"), reason="nothing_of_ours")
    hl7(site, message("NM|SRPB^SRP^L|1|5|||N|||F", control="S2"), reason="other_patient")
    assert await Program(site, feed=HL7.name).found("Observation") == []


# ---------------------------------------------------------------- who


async def test_another_feeds_results_are_not_there(site: Site) -> None:
    await sent(site)
    program = Program(site, feed="clinic")
    assert await program.found("Observation") == []
    assert await program.found("Patient") == []
    for to in ("Observation/M1-1", "Patient/P1"):
        assert (await program.refused(f"/fhir/{to}"))[0] == 404


@pytest.mark.parametrize(
    ("scope", "to", "status"),
    [
        ("ingest", "Observation", 403),
        ("system/Observation.r", "Observation/M1-1", 200),
        ("system/Observation.r", "Observation", 403),
        ("system/Observation.s", "Observation/M1-1", 403),
        ("system/Observation.rs", "Patient/P1", 403),
        ("system/*.read", "Patient/P1", 200),
        ("system/Observation.rs", "AuditEvent", 403),
        ("system/AuditEvent.rs", "AuditEvent", 200),
    ],
)
async def test_a_scope_is_needed_for_each_type_and_for_reading_and_searching(
    tmp_path: Path, scope: str, to: str, status: int
) -> None:
    site = Site(f"sqlite:///{tmp_path / 'store.db'}")
    try:
        await sent(site)
        assert (await Program(site, scope).ask("GET", f"/fhir/{to}")).status_code == status
        assert (await Program(site, name="none").ask("GET", f"/fhir/{to}", Authorization="")).status_code == 401
    finally:
        site.close()


async def test_who_sees_a_patient_is_written_down_and_read_by_auditors(site: Site) -> None:
    await sent(site)
    program = Program(site)
    await program.get("/fhir/Observation/M1-1")
    await program.get(f"/fhir/Observation?patient.identifier={MRN}|PT1")
    await program.get("/fhir/Observation?code=nothing")
    rows = site.rows.execute("SELECT actor, action, subject, detail FROM audit WHERE action LIKE 'fhir%' ORDER BY id")
    assert rows.fetchall() == [
        ("reader", "fhir read", "Patient/P1", "Observation/M1-1"),
        ("reader", "fhir search", "Patient/P1", "Observation?patient.identifier: 1"),
        ("reader", "fhir search", "Observation", "Observation?code: 0"),
    ]
    auditor = Program(site, "system/AuditEvent.rs", name="auditor")
    pages = await auditor.pages("AuditEvent?_count=2&date=ge2026-11-13")
    assert len(pages) > 1
    first = await auditor.get(f"/fhir/AuditEvent/{pages[0][0]}")
    assert first["agent"][0]["who"]["display"] == "Ada Martin"
    everything = [one for page in pages for one in page]
    assert len(set(everything)) == len(everything)
    read = [
        one["resource"]
        for one in (await auditor.get("/fhir/AuditEvent?_count=200"))["entry"]
        if one["resource"].get("action") == "R"
    ]
    assert [one["entity"][0].get("what", {}).get("reference") for one in read] == ["Patient/P1", None]


# ---------------------------------------------------------------- search


async def test_a_search_finds_what_every_parameter_asks_for(site: Site) -> None:
    await sent(site, number="F1")
    site.clock.forward(days=1)
    await sent(site, number="F2", code="HMGCRC", effectiveDateTime="2026-11-12")
    program = Program(site)
    for query, wanted in {
        "code=SRPB": ["M1-1"],
        "code=https://laba.example/codes|SRPB": ["M1-1"],
        "code=|SRPB": [],
        "code=https://laba.example/codes|": ["M1-1", "M2-1"],
        "code=SRPB,HMGCRC": ["M1-1", "M2-1"],
        "code=SRPB&code=HMGCRC": [],
        "status=final": ["M1-1", "M2-1"],
        "status=corrected": [],
        "date=2026-11-10": ["M1-1"],
        "date=2026-11": ["M1-1", "M2-1"],
        "date=gt2026-11-10": ["M2-1"],
        "date=ge2026-11-10&date=lt2026-11-12": ["M1-1"],
        "date=le2026-11-10T08:15:00Z": ["M1-1"],
        "date=lt2026-11-10T08:15:00Z": [],
        "_lastUpdated=2026-11-13": ["M1-1"],
        "_lastUpdated=gt2026-11-13": ["M2-1"],
        f"identifier={RESULT}|F2": ["M2-1"],
        "identifier=F2": ["M2-1"],
        f"identifier={RESULT}|F9": [],
        "patient=Patient/P1": ["M1-1", "M2-1"],
        "patient=P1&code=SRPB": ["M1-1"],
        f"patient={SITE}/fhir/Patient/P1": ["M1-1", "M2-1"],
        "patient=P99": [],
        f"patient.identifier={MRN}|PT1": ["M1-1", "M2-1"],
        f"patient.identifier={MRN}|PT2": [],
        "_id=M2-1": ["M2-1"],
        "_format=json": ["M1-1", "M2-1"],
    }.items():
        assert await program.found(f"Observation?{query}") == wanted, query


async def test_a_patient_is_found_by_number(site: Site) -> None:
    await sent(site)
    hl7(site, message("NM|SRPB^SRP^L|1|5|||N|||F", patient="PT2"))
    program = Program(site, feed=BOTH)
    assert await program.found(f"Patient?identifier={MRN}|PT1") == ["P1"]
    assert await program.found("Patient") == ["P1", "P2"]
    assert (await program.get("/fhir/Patient/P2"))["identifier"][0]["assigner"] == {"display": "LABA"}


async def test_a_search_by_form_keeps_the_patient_out_of_every_address(site: Site) -> None:
    for number in ("F1", "F2", "F3"):
        await sent(site, number=number)
    form = f"patient.identifier={MRN}%7CPT1&_count=2".encode()
    program = Program(site)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    page = json.loads((await program.ask("POST", "/fhir/Observation/_search", form, **headers)).content)
    assert ids(page) == ["M1-1", "M2-1"]
    assert "PT1" not in json.dumps(page["link"])
    assert await program.found(link(page, "next").removeprefix(f"{SITE}/fhir/")) == ["M3-1"]
    assert "total" not in page


async def test_pages_hold_still_while_results_come_in(site: Site) -> None:
    for number in range(7):
        await sent(site, number=f"F{number}")
    program = Program(site)
    page = await program.get("/fhir/Observation?_count=2")
    seen = ids(page)
    late = 7
    while to := link(page, "next"):
        await sent(site, number=f"F{late}")
        late += 1
        again = await program.get(to)
        page = await program.get(to)
        assert ids(again) == ids(page)
        seen += ids(page)
    assert seen == [f"M{key}-1" for key in range(1, 8)]


async def test_a_message_of_many_results_is_shared_by_pages(site: Site) -> None:
    await site.post(bundle(*(entry(observation(f"F{number}")) for number in range(5))))
    await site.post(bundle(*(entry(observation(f"G{number}")) for number in range(2))))
    pages = await Program(site).pages("Observation?_count=3")
    assert pages == [["M1-1", "M1-2", "M1-3"], ["M1-4", "M1-5", "M2-1"], ["M2-2"]]


async def test_a_page_is_no_other_programs_and_cannot_be_forged(site: Site) -> None:
    for number in ("F1", "F2"):
        await sent(site, number=number)
    program, other = Program(site), Program(site, name="other")
    to = link(await program.get("/fhir/Observation?_count=1"), "next")
    assert (await other.refused(to))[0] == 400
    assert (await program.refused(to[:-6] + "AAAAAA"))[0] == 400
    assert (await program.refused(to.replace("/Observation?", "/DiagnosticReport?")))[0] == 400
    assert (await program.refused(f"{to}&code=x"))[0] == 400


async def test_what_is_no_longer_what_came_is_told_and_not_shown(site: Site) -> None:
    await sent(site, number="F1")
    await sent(site, number="F2")
    spoil = "UPDATE journal SET raw = ? WHERE id = 1"
    site.writer.submit(lambda connection: connection.execute(spoil, (b"{}",))).result()
    page = await Program(site).get("/fhir/Observation")
    assert ids(page) == ["M2-1"]
    (told,) = [one["resource"] for one in page["entry"] if one["search"]["mode"] == "outcome"]
    assert told["issue"][0]["diagnostics"].startswith("M1 cannot be shown")


async def test_answers_are_json_alone(site: Site) -> None:
    program = Program(site)
    assert (await program.ask("GET", "/fhir/Observation", Accept="application/fhir+xml")).status_code == 406
    assert (await program.ask("GET", "/fhir/Observation?_format=xml")).status_code == 406
    assert (await program.ask("GET", "/fhir/Observation", Accept="*/*")).status_code == 200


async def test_a_program_that_may_do_all_reads_what_it_wrote(site: Site) -> None:
    program = Program(site, "system/*.cruds")
    headers = {"Content-Type": "application/fhir+json"}
    body = {key: one for key, one in observation().items() if key != "subject"}
    made = await program.ask("POST", "/fhir/Observation", json.dumps(body).encode(), **headers)
    assert made.status_code == 201
    found = await program.get(made.headers["location"].partition("/_history")[0])
    assert found["identifier"] == body["identifier"]
    assert "subject" not in found
