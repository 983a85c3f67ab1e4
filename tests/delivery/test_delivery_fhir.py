"""Delivery to a FHIR server that misbehaves, over real sockets: whatever was lost on the way, there is one of each."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fhir_server import FhirServer, serving

from labbridge.delivery import tokens
from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver, How, Written
from labbridge.delivery.http import HttpSettings
from labbridge.errors import Retry
from labbridge.fhir import answers
from tests.fhir.fhir_letters import FORM, SIGNED, comment, order

KINDS = ("Observation", "DetectedIssue", "Task", "Provenance")
REPORT = msgspec.structs.replace(FORM, mode="report")
QUICK = HttpSettings(timeout_s=0.6, connect_s=0.6)
FIRST, CORRECTED = comment(), comment(
    "Corrected: anti-SRP is negative.", correction=True, flags=(), retests=(),
    signed=msgspec.structs.replace(SIGNED, control_id="LB-0002"),
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with serving() as found:
        yield found


def receiver(server: FhirServer, whole: bool = False, **how: Any) -> FhirReceiver:
    return FhirReceiver("ehr", Destination(server.base), QUICK, how=How(whole=whole, **how))


async def delivered(to: FhirReceiver, raw: bytes, control_id: str = "LB-0001", attempts: int = 8) -> Written:
    """As the outbox does it: again after an answer that cannot be trusted, the same bytes."""
    for _attempt in range(attempts):
        try:
            return await to.send(raw, control_id)
        except Retry:
            await asyncio.sleep(0.01)
    raise AssertionError("it was never delivered")


def one_each(server: FhirServer, *kinds: str) -> None:
    assert {kind: len(server.of(kind)) for kind in kinds} == dict.fromkeys(kinds, 1)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_comment_and_all_beside_it_are_written_once(server: FhirServer, whole: bool) -> None:
    to = receiver(server, whole)
    first = await to.send(FIRST, "LB-0001")
    assert first.takes("LB-0001")
    assert not first.takes("LB-0002")
    one_each(server, *KINDS)
    again = await to.send(FIRST, "LB-0001")
    assert again.takes("LB-0001")
    one_each(server, *KINDS)
    assert all(len(versions) == 1 for versions in server.store.values())  # nothing changed, so nothing was written
    (observation,), (provenance,), (task,) = (server.of(kind) for kind in ("Observation", "Provenance", "Task"))
    assert task["focus"] == {"reference": f"Observation/{observation['id']}"}
    assert {"reference": f"Observation/{observation['id']}"} in provenance["target"]
    assert b"urn:uuid:" not in json.dumps([one["target"] for one in server.of("Provenance")]).encode()


@pytest.mark.parametrize("whole", [False, True])
async def test_a_correction_is_an_update_of_the_same_logical_id(server: FhirServer, whole: bool) -> None:
    to = receiver(server, whole)
    await to.send(FIRST, "LB-0001")
    (before,) = server.of("Observation")
    assert (await to.send(CORRECTED, "LB-0002")).takes("LB-0002")
    one_each(server, "Observation", "DetectedIssue", "Task")
    (after,) = server.of("Observation")
    assert (after["id"], after["meta"]["versionId"]) == (before["id"], "2")
    assert (after["status"], after["valueString"]) == ("corrected", "Corrected: anti-SRP is negative.")
    assert server.of("DetectedIssue")[0]["status"] == "entered-in-error"
    assert server.of("Task")[0]["status"] == "cancelled"
    assert len(server.of("Provenance")) == 2  # one for each signature
    puts = [one for one in server.asked if one.method == "PUT"]
    assert all(one.headers.get("if-match") == 'W/"1"' for one in puts)


@pytest.mark.parametrize("whole", [False, True])
async def test_what_a_correction_withdraws_is_not_made_anew(server: FhirServer, whole: bool) -> None:
    assert (await receiver(server, whole).send(CORRECTED, "LB-0002")).takes("LB-0002")
    assert {kind for kind, _id in server.store} == {"Observation", "Provenance"}


async def test_a_task_that_was_taken_up_keeps_what_others_wrote(server: FhirServer) -> None:
    to = receiver(server)
    await to.send(FIRST, "LB-0001")
    (task,) = server.of("Task")
    server.put("Task", task["id"], {**task, "status": "accepted", "owner": {"display": "Bench 3"}})
    newer = comment("Newer words.", correction=True, signed=msgspec.structs.replace(SIGNED, control_id="LB-0003"))
    await to.send(newer, "LB-0003")
    one_each(server, "Task")
    assert (server.of("Task")[0]["status"], server.of("Task")[0]["owner"]) == ("accepted", {"display": "Bench 3"})
    await to.send(CORRECTED, "LB-0002")
    assert server.of("Task")[0]["status"] == "cancelled"  # called off while it was not over
    server.put("Task", task["id"], {**task, "status": "completed"})
    await to.send(CORRECTED, "LB-0002")
    assert server.of("Task")[0]["status"] == "completed"


async def test_an_order_is_written_once_and_never_replaced(server: FhirServer) -> None:
    to = receiver(server)
    assert (await to.send(order(), "LB-0001")).takes("LB-0001")
    (request,) = server.of("ServiceRequest")
    server.put("ServiceRequest", request["id"], {**request, "status": "completed"})
    await to.send(order(), "LB-0001")
    one_each(server, "ServiceRequest", "Provenance")
    assert server.of("ServiceRequest")[0]["status"] == "completed"


async def test_a_report_s_conclusion_is_delivered_like_an_observation(server: FhirServer) -> None:
    await receiver(server).send(comment(form=REPORT), "LB-0001")
    one_each(server, "DiagnosticReport", "Provenance")


# ---------------------------------------------------------------- answers that are lost, late or odd

LOST = (
    "silent after",
    "reset after",
    "silent",
    "reset",
    "500",
    "503",
    "429",
    "408",
    "half",
    "drip",
    "huge",
    "page",
    "squeezed",
)


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("what", ["POST Observation", "GET Observation", "POST Provenance"])
async def test_whatever_is_lost_there_is_one_of_each(server: FhirServer, fault: str, what: str) -> None:
    server.fails(what, fault)
    found = await delivered(receiver(server), FIRST)
    assert found.takes("LB-0001")
    assert not any(server.faults.values())
    one_each(server, *KINDS)


@pytest.mark.parametrize("fault", ["silent after", "reset after", "500", "half", "page", "412", "409"])
async def test_a_lost_answer_to_an_update_leaves_one(server: FhirServer, fault: str) -> None:
    to = receiver(server)
    await to.send(FIRST, "LB-0001")
    server.fails("PUT Observation", fault)
    assert (await delivered(to, CORRECTED, "LB-0002")).takes("LB-0002")
    one_each(server, "Observation")
    assert server.of("Observation")[0]["valueString"] == "Corrected: anti-SRP is negative."


@pytest.mark.parametrize("fault", ["silent after", "reset after", "503", "half", "page", "409", "412"])
async def test_a_lost_answer_to_a_transaction_leaves_one_of_each(server: FhirServer, fault: str) -> None:
    server.fails("POST", fault)
    assert (await delivered(receiver(server, whole=True), FIRST)).takes("LB-0001")
    one_each(server, *KINDS)


@pytest.mark.parametrize("location", ["absolute", "relative", "none", "foreign"])
@pytest.mark.parametrize("bodies", [True, False])
@pytest.mark.parametrize("versions", [True, False])
async def test_created_is_told_in_many_ways(server: FhirServer, location: str, bodies: bool, versions: bool) -> None:
    server.location, server.bodies, server.versions = location, bodies, versions
    to = receiver(server)
    assert (await to.send(FIRST, "LB-0001")).takes("LB-0001")
    assert (await to.send(CORRECTED, "LB-0002")).takes("LB-0002")
    one_each(server, "Observation", "Task", "DetectedIssue")
    assert all(one.path.startswith(KINDS) for one in server.asked)  # never anywhere else, whatever a Location says


@pytest.mark.parametrize("fault", ["409", "412", "sibling after"])
async def test_somebody_who_was_faster_is_found(server: FhirServer, fault: str) -> None:
    server.fails("POST Observation", fault)
    assert (await receiver(server).send(FIRST, "LB-0001")).takes("LB-0001")
    one_each(server, *KINDS)


async def test_a_conflict_that_does_not_end_is_tried_again_later(server: FhirServer) -> None:
    server.fails("POST Observation", *["409"] * 20)
    with pytest.raises(Retry, match="at the same time"):
        await receiver(server).send(FIRST, "LB-0001")
    assert server.count("POST") <= 4


async def test_two_of_ours_are_a_person_s(server: FhirServer) -> None:
    to = receiver(server)
    await to.send(FIRST, "LB-0001")
    server.create("Observation", server.of("Observation")[0])
    before = len(server.store)
    found = await to.send(CORRECTED, "LB-0002")
    assert (found.code, found.error, found.takes("LB-0002")) == ("412", "multiple-matches", False)
    assert len(server.store) == before


async def test_a_server_that_does_not_filter_is_not_believed(server: FhirServer) -> None:
    """It answers a search with all it has: another one's Observation is never taken for ours."""
    server.filters = False
    server.put("Observation", "other", {"resourceType": "Observation", "identifier": [{"system": "a", "value": "LB1"}]})
    with pytest.raises(Retry):
        await receiver(server).send(FIRST, "LB-0001")
    assert server.store["Observation", "other"][-1]["identifier"][0]["system"] == "a"
    assert len(server.store["Observation", "other"]) == 1


async def test_pages_without_ours_say_nothing(server: FhirServer) -> None:
    server.paged = True
    with pytest.raises(Retry, match="does not search by"):
        await receiver(server).send(FIRST, "LB-0001")
    assert server.count("POST") == 0


# ---------------------------------------------------------------- refused


@pytest.mark.parametrize("status", ["400", "403", "405", "422"])
async def test_a_refusal_tells_type_and_place_and_never_its_words(server: FhirServer, status: str) -> None:
    server.fails("POST Observation", status)
    found = await receiver(server).send(FIRST, "LB-0001")
    assert (found.code, found.error, found.text) == (status, "processing", "Observation.code")
    assert not found.takes("LB-0001")
    assert "Roe" not in f"{found.error} {found.text}"
    assert b"Roe, Jane" in found.raw  # for the person who opens the bytes


async def test_a_redirect_is_refused_and_not_followed(server: FhirServer) -> None:
    server.fails("GET Observation", "redirect")
    found = await receiver(server).send(FIRST, "LB-0001")
    assert (found.code, found.takes("LB-0001")) == ("302", False)
    assert len(server.asked) == 1


async def test_bytes_of_another_kind_are_a_person_s(server: FhirServer) -> None:
    found = await receiver(server).send(b"MSH|^~\\&|LB\r", "LB-0001")
    assert not found.takes("LB-0001")
    assert server.asked == []


# ---------------------------------------------------------------- bounds


async def test_a_server_that_asks_for_time_gets_it(server: FhirServer) -> None:
    server.fails("GET Observation", "429")
    with pytest.raises(Retry) as told:
        await receiver(server).send(FIRST, "LB-0001")
    assert told.value.after_s == 120


@pytest.mark.parametrize("fault", ["drip", "silent", "huge"])
async def test_no_answer_takes_longer_or_more_than_was_allowed(server: FhirServer, fault: str) -> None:
    server.fails("GET Observation", fault)
    begun = time.monotonic()
    with pytest.raises(Retry) as told:
        await receiver(server).send(FIRST, "LB-0001")
    assert time.monotonic() - begun < 3
    assert 0 < len(told.value.answer) <= 2**16


async def test_nobody_is_there(server: FhirServer) -> None:
    server.stop()
    to = receiver(server)
    with pytest.raises(Retry, match="ConnectError"):
        await to.send(FIRST, "LB-0001")
    assert to.failures == 1


async def test_both_sides_are_kept_for_a_person(server: FhirServer) -> None:
    found = await receiver(server).send(FIRST, "LB-0001")
    assert b"> POST Observation\n" in found.raw
    assert b"< 201\n" in found.raw
    assert len(found.raw) <= 2**16


# ---------------------------------------------------------------- who we are


async def test_a_token_is_shown_and_kept_nowhere(server: FhirServer, tmp_path: Path) -> None:
    server.token = "s3cret-token"
    file = tmp_path / "token"
    file.write_text("s3cret-token\n")
    file.chmod(0o600)
    found = await receiver(server, authorize=tokens.bearer(file)).send(FIRST, "LB-0001")
    assert found.takes("LB-0001")
    assert b"s3cret" not in found.raw


async def test_a_token_that_is_refused_is_asked_for_once_more(server: FhirServer) -> None:
    server.token = "new"
    held = ["old"]

    async def authorize() -> Mapping[str, str]:
        return {"Authorization": f"Bearer {held[0]}"}

    def forget() -> None:
        held[0] = "new"

    assert (await receiver(server, authorize=authorize, forget=forget).send(FIRST, "LB-0001")).takes("LB-0001")
    server.token, before = "newest", len(server.asked)
    with pytest.raises(Retry, match="HTTP 401"):
        await receiver(server, authorize=authorize, forget=forget).send(FIRST, "LB-0001")
    assert len(server.asked) == before + 2


@pytest.mark.parametrize(("mode", "text"), [(0o644, "t"), (0o600, ""), (0o600, "two words"), (0o600, "é")])
def test_a_token_file_that_cannot_be_trusted(tmp_path: Path, mode: int, text: str) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(mode)
    with pytest.raises(ValueError):  # noqa: PT011  either sentence
        tokens.read(file)


# ---------------------------------------------------------------- what is read of an answer


@pytest.mark.parametrize(
    ("location", "id"),
    [
        ("Observation/1", "1"),
        ("/r4/Observation/1/_history/2", "1"),
        ("https://h.example/r4/Observation/a.b-C", "a.b-C"),
        ("Observation/1/", "1"),
        ("Patient/1", ""),
        ("Observation/../../etc", ""),
        ("Observation/" + "x" * 65, ""),
        ("", ""),
    ],
)
def test_a_location_names_an_id_of_its_type_or_nothing(location: str, id: str) -> None:
    assert answers.located(location, "Observation") == id
