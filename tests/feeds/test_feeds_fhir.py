"""POST /fhir: kept before it is answered, once, with the answer that FHIR asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from feeds_fhir import READERS, Site, bundle, entry, issue, observation, patient, plain, together

RESULT = "identifier=https://laba.example/result|F1"


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    url = f"sqlite:///{tmp_path / 'store.db'}" if request.param == "sqlite" else request.getfixturevalue("emptied")
    found = Site(url)
    yield found
    found.close()


def answers(found: Any) -> list[str]:
    return [one["response"]["status"] for one in plain(found)["entry"]]


def places(found: Any) -> list[str]:
    return [one["response"]["location"] for one in plain(found)["entry"]]


async def test_a_transaction_is_kept_byte_for_byte_and_each_resource_gets_its_address(site: Site) -> None:
    raw = json.dumps(bundle(entry(observation())), indent=1).encode()
    found = await site.post(raw)
    assert (found.status_code, plain(found)["type"]) == (200, "transaction-response")
    assert answers(found) == ["201 Created", "201 Created"]
    assert places(found) == ["Patient/M1-0/_history/1", "Observation/M1-1/_history/1"]
    assert site.kept() == [("kept", "FHIR transaction", raw)]
    assert site.rows.execute("SELECT lane, state FROM work").fetchall() == [("p:LABA|PT1", "kept")]


async def test_the_same_bytes_again_are_the_same_message(site: Site) -> None:
    raw = json.dumps(bundle(entry(observation()))).encode()
    first, second = await site.post(raw), await site.post(raw)
    assert places(first) == places(second)
    assert answers(second) == ["200 OK", "200 OK"]
    assert len(site.kept()) == 1
    assert site.one("SELECT duplicates FROM journal") == 1


async def test_what_is_to_be_created_only_where_there_is_none_is_created_once(site: Site) -> None:
    await site.post(bundle(entry(observation(), ifNoneExist=RESULT)))
    found = await site.post(bundle(entry(observation(issued="2026-11-14T12:00:00+01:00"), ifNoneExist=RESULT)))
    assert answers(found) == ["200 OK", "200 OK"]
    assert places(found) == ["Patient/M1-0/_history/1", "Observation/M1-1/_history/1"]
    (notes,) = site.rows.execute("SELECT notes FROM journal WHERE id = 2").fetchone()
    assert [one["at"] for one in json.loads(notes) if one["code"] == "N022"] == ["Bundle.entry[0]", "Bundle.entry[1]"]


async def test_a_condition_that_several_meet_fails_the_whole_transaction(site: Site) -> None:
    await site.post(bundle(entry(observation("F1", "58"))))
    await site.post(bundle(entry(observation("F1", "59"))))
    found = await site.post(bundle(entry(observation("F1", "60"), ifNoneExist=RESULT)))
    assert found.status_code == 412
    assert issue(found) == {
        "severity": "error",
        "code": "multiple-matches",
        "diagnostics": "More than one resource meets the condition",
        "expression": ["Bundle.entry[1].request.ifNoneExist"],
    }
    assert [state for state, *_rest in site.kept()] == ["kept", "kept", "quarantined"]


async def test_an_update_keeps_the_id_of_its_sender(site: Site) -> None:
    body = observation() | {"id": "srp-1"}
    first = await site.post(body, "/fhir/Observation/srp-1", "PUT")
    second = await site.post(body | {"status": "corrected"}, "/fhir/Observation/srp-1", "PUT")
    assert (first.status_code, second.status_code) == (201, 200)
    assert {one.headers["location"] for one in (first, second)} == {
        "http://labbridge.example/fhir/Observation/srp-1/_history/1"
    }
    assert len(site.kept()) == 2


async def test_a_single_result_comes_back_with_its_id_and_its_own_digits(site: Site) -> None:
    raw = json.dumps(observation()).replace("58.0", "58.00").encode()
    found = await site.post(raw, "/fhir/Observation")
    assert found.status_code == 201
    assert found.headers["location"] == "http://labbridge.example/fhir/Observation/M1/_history/1"
    assert b'"value":58.00' in found.content.replace(b" ", b"")
    assert plain(found)["id"] == "M1"
    again = await site.post(raw, "/fhir/Observation")
    assert (again.status_code, again.headers["location"]) == (200, found.headers["location"])


async def test_each_entry_of_a_batch_stands_for_itself(site: Site) -> None:
    bad = observation("F2") | {"status": "bogus"}
    found = await site.post(
        bundle(
            entry(bad),
            entry(observation("F3")),
            {"request": {"method": "DELETE", "url": "Observation/1"}},
            kind="batch",
        )
    )
    assert found.status_code == 200
    assert answers(found) == ["201 Created", "422 Unprocessable Entity", "201 Created", "422 Unprocessable Entity"]
    told = plain(found)["entry"][1]["response"]["outcome"]["issue"][0]
    assert told["expression"] == ["Bundle.entry[1].resource.status"]
    (notes,) = site.rows.execute("SELECT notes FROM journal").fetchone()
    assert [one["at"] for one in json.loads(notes)] == ["Bundle.entry[1]", "Bundle.entry[3]"]


async def test_a_transaction_with_one_fault_is_refused_and_kept_whole(site: Site) -> None:
    raw = json.dumps(bundle(entry(observation("F3")), entry(observation("F2") | {"status": "bogus"}))).encode()
    found = await site.post(raw)
    assert found.status_code == 422
    assert issue(found)["expression"] == ["Bundle.entry[2].resource.status"]
    assert site.kept() == [("quarantined", "FHIR", raw)]
    row = site.rows.execute("SELECT answer, error_code, location FROM journal").fetchone()
    assert row == ("422", "processing", "Bundle.entry[2].resource.status")


async def test_a_message_is_answered_by_a_message(site: Site) -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "h1",
        "eventCoding": {"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "R01"},
        "source": {"name": "MYOLIS", "endpoint": "https://laba.example/fhir"},
    }
    body = bundle({"resource": observation()}, kind="message")
    body["entry"].insert(0, {"resource": header})
    found = await site.post(body, "/fhir/$process-message")
    told = plain(found)["entry"][0]["resource"]
    assert (found.status_code, told["eventCoding"]["code"]) == (200, "R01")
    assert told["response"] == {"identifier": "h1", "code": "ok"}
    wrong = await site.post(bundle(entry(observation())), "/fhir/$process-message")
    assert (wrong.status_code, issue(wrong)["expression"]) == (400, ["Bundle.type"])


async def test_a_collection_is_kept(site: Site) -> None:
    found = await site.post(bundle({"resource": observation()}, kind="collection"))
    assert (found.status_code, issue(found)["diagnostics"]) == (200, "Kept as M1")


async def test_of_64_at_once_one_is_created_and_the_others_are_told_so(site: Site) -> None:
    for turn in range(10):
        raw = json.dumps(observation(f"F{turn}")).encode()
        found = await together(site, [raw] * 64, "/fhir/Observation")
        assert sorted(one.status_code for one in found) == [200] * 63 + [201]
        assert len({one.headers["location"] for one in found}) == 1
    assert len(site.kept()) == 10


async def test_of_64_conditional_creates_at_once_one_is_created(site: Site) -> None:
    bodies = [
        json.dumps(
            bundle(entry(observation("F1", issued=f"2026-11-13T12:00:{n:02}+01:00"), ifNoneExist=RESULT))
        ).encode()
        for n in range(60)
    ]
    found = await together(site, bodies, "/fhir")
    assert sorted(answers(one)[1] for one in found) == ["200 OK"] * 59 + ["201 Created"]
    assert len({places(one)[1] for one in found}) == 1


async def test_a_patient_who_is_erased_leaves_no_identifier_behind(site: Site) -> None:
    await site.post(patient(), "/fhir/Patient")
    assert site.one("SELECT count(*) FROM known WHERE token LIKE '%PT1'") == 1
    site.writer.submit(lambda connection: connection.execute("UPDATE work SET state = 'done'")).result()
    from labbridge.model.work import AuditEvent
    from labbridge.store import retention

    event = AuditEvent(at=site.clock.now(), actor="Ada Martin", action="erased", subject="M1")
    site.writer.submit(lambda connection: retention.erase(connection, "p:LABA|PT1", event)).result()
    assert site.one("SELECT count(*) FROM known") == 0


async def test_a_reader_that_ends_costs_its_sender_one_try(site: Site) -> None:
    assert (await site.post(observation("F1"), "/fhir/Observation")).status_code == 201
    READERS._idle[0]._process.kill()
    lost = await site.post(observation("F2"), "/fhir/Observation")
    assert (lost.status_code, lost.headers["retry-after"]) == (503, "1")
    assert (await site.post(observation("F2"), "/fhir/Observation")).status_code == 201
    assert len(site.kept()) == 2


async def test_nothing_is_acknowledged_that_was_not_kept(site: Site) -> None:
    site.remote.close()
    found = await site.post(observation(), "/fhir/Observation")
    assert (found.status_code, issue(found)["code"]) == (503, "transient")
    assert site.kept() == []
