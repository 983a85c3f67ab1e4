"""Reading by FHIR from the running service: results of both wires, what was found in them, and $interpret, of which nothing
stays."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.checks import schemathesis_run
from tests.service.reading_parts import FORM, Site, body_of

CORRECTED = "08-corrected-after-comment"
DISCORDANT = "02-srp-hep2-negative"
CALLS = 120  # of schemathesis
OURS = "http://loinc.org|8251-1"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("reads"))
    try:
        found.start()
        found.send_hl7([f"{CORRECTED}/1a-serology.hl7", f"{CORRECTED}/1b-ck.hl7"])
        yield found
    finally:
        found.service.close()


def kept(site: Site) -> dict[str, object]:
    """The counts of what is kept; without ages."""
    return {name: one for name, one in site.service.counts().items() if not name.endswith("_s")}


def test_what_came_by_hl7_is_read_with_its_findings(site: Site) -> None:
    results = site.found("Observation?_count=200")
    assert results
    assert all(one["subject"]["reference"] == "Patient/P1" for one in results)
    (who,) = site.found("Patient")
    assert who["id"] == "P1"
    issues = site.found("DetectedIssue?patient=P1")
    assert {one["status"] for one in issues} == {"preliminary"}
    addresses = {f"Observation/{one['id']}" for one in results}
    assert all(one["reference"] in addresses for issue in issues for one in issue.get("implicated", ()))
    assert any(issue.get("implicated") for issue in issues)
    assert all(issue["code"]["text"] for issue in issues)
    one = site.get(f"DetectedIssue/{issues[0]['id']}")
    assert one == issues[0]


def test_a_comment_is_there_once_it_was_released_and_not_before(site: Site) -> None:
    assert site.found(f"Observation?code={OURS}") == []
    (case,) = [one for one in site.service.json("show") if one["state"] == "new"]
    assert site.service.json("release", case["shown"], "--as", "Alex Smith")["ok"]
    site.service.settled()
    for _try in range(200):
        if found := site.found(f"Observation?code={OURS}&patient=P1"):
            break
    assert (found[0]["id"], found[0]["status"], found[0]["valueString"]) == ("C1", "final", case["text"])
    derived = [one["reference"] for one in found[0]["derivedFrom"]]
    assert derived
    assert all(site.get(one)["resourceType"] == "Observation" for one in derived)
    assert {one["status"] for one in site.found("DetectedIssue?patient=P1")} == {"final"}
    assert site.get("Observation/C1")["valueString"] == case["text"]


def test_interpret_says_what_the_command_line_says_and_keeps_nothing(site: Site) -> None:
    before = kept(site)
    raw = body_of(f"{DISCORDANT}/1b-serology.json")
    found = site.ask("POST", "/fhir/$interpret", raw, token=site.token("ingest", "ward"))
    assert (found.status, found.body["type"]) == (200, "collection")
    (site.service.folder / "sent.json").write_bytes(raw)
    said = site.service.run("interpret", "sent.json", "--format", "json")
    assert said.returncode == 0, said.stderr
    outcome = json.loads(said.stdout.splitlines()[0])
    told = [one["resource"] for one in found.body["entry"]]
    (comment,) = [one for one in told if one["resourceType"] == "Observation"]
    assert comment["valueString"].startswith(outcome["comment"]["text"])
    assert comment["status"] == "preliminary"
    flags = [one["code"]["coding"][0]["code"] for one in told if one["resourceType"] == "DetectedIssue"]
    assert flags == [one["code"] for one in outcome["flags"]]
    retests = [one for one in told if one["resourceType"] == "ServiceRequest"]
    assert [one["code"]["coding"][0]["code"] for one in retests] == [one["analyte"] for one in outcome["retests"]]
    assert {one["intent"] for one in retests} == {"proposal"}
    assert site.ask("POST", "/fhir/$interpret", raw).status == 200
    assert kept(site) == before


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"{", 400),
        (b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Nope"}}]}', 422),
        (b'{"resourceType": "Patient"}', 200),
        (b'{"resourceType": "Specimen"}', 422),
    ],
)
def test_what_cannot_be_interpreted_is_refused(site: Site, raw: bytes, status: int) -> None:
    assert site.ask("POST", "/fhir/$interpret", raw).status == status


def test_who_may_not_create_results_may_not_have_them_interpreted(site: Site) -> None:
    assert site.ask("POST", "/fhir/$interpret", b"{}", token=site.token("system/*.rs")).status == 403


def test_no_request_is_answered_with_a_fault_of_ours(site: Site) -> None:
    """A short run of `python -m tests.checks.schemathesis_run`."""
    run = schemathesis_run.Run(site)
    run.everything(site.get("openapi.json"), CALLS, 3)
    assert run.failures == {}
    assert run.calls >= CALLS
    assert {200, 400, 404} <= set(run.statuses)


def test_no_search_is_in_the_log(site: Site) -> None:
    form = b"patient.identifier=https://laba.example/mrn%7CPT1008&code=SRPB"
    assert site.ask("POST", "/fhir/Observation/_search", form, kind=FORM).status == 200
    assert site.ask("GET", "/fhir/Observation?patient.identifier=PT1008").status == 200
    assert site.ask("GET", "/fhir/Observation?patient.name=PT1008").status == 400
    log = site.service.log()
    assert "PT1008" not in log
    assert "patient.identifier" not in log
    assert '"level": "error"' not in log
