"""Results of either wire, answered over FHIR: comments, a correction, a retest as Task and as order, and a patient who was
merged. What leaves is judged before it is signed, and is the same on every attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec
import pytest
from fhir_parts import FILLER, MRN, SECTION, blot, ck, posted
from story_parts import BLOT, CK, CLIA, SERVICES, SITE, Judge, Laboratory, obx, order, oru
from test_story_identity import adt

from labbridge import pipeline
from labbridge.acts import letterhead, ordering_of
from labbridge.config import Config
from labbridge.delivery.destinations import Destination
from labbridge.delivery.fhir import FhirReceiver
from labbridge.delivery.http import HttpSettings
from labbridge.delivery.retry import retry_delay
from labbridge.errors import Refused
from labbridge.fhir import conformance
from labbridge.model.retests import OrderState
from labbridge.reproducing import reproduce
from labbridge.sources import Words, packed, read_all, understood, words_of
from tests.delivery.fhir_server import FhirServer, serving

V2 = oru("M1", order("F1", obx(BLOT, "58"), obx(CK, "3400")))
R4 = posted("B1", "F1", blot("58"), ck("3400"))
LOW = oru("M1", order("F1", obx(BLOT, "8"), obx(CK, "100"), obx(CLIA, "2")))  # of SRP a retest that can leave at once
SYSTEMS = {"LABA": MRN, "MYOLIS": FILLER}


def config(**section: Any) -> Config:
    ehr = {"kind": "fhir", "address": "https://fhir.laba.example/r4", "systems": SYSTEMS, **section}
    feeds = {"posted": SECTION, "myolis": {"timezone": "Europe/Paris"}, "other": {"timezone": "Europe/Paris"}}
    return Config.model_validate(
        {"facility": "LABA", "feeds": feeds, "receivers": {"lis": ehr}, "knowledge": {"site": SITE}}
    )


class BothJudges(Judge):
    """ports.Judge as JudgeProcess has it."""

    def judge(self, raw: bytes, text: str, version: str) -> Any:
        return conformance.judge(raw, text) if version == "4.0" else super().judge(raw, text, version)


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with serving() as found:
        yield found


def answering(lab: Laboratory, feed: str = "myolis", **section: Any) -> None:
    """The receiver is a FHIR server from now on."""
    told = config(**section)
    words = _words()
    page = letterhead(told, feed, "lis", words)
    lab.judge = BothJudges()
    lab.letterhead = msgspec.structs.replace(page, ordering=ordering_of(told, feed, "lis", words))


@lru_cache
def _words() -> Words:
    return msgspec.structs.replace(words_of(read_all(SITE)), services=SERVICES)


async def deliver(lab: Laboratory, server: FhirServer) -> int:
    """Every attempt that is due now."""
    to = FhirReceiver("lis", Destination(server.base), HttpSettings(timeout_s=1.0))
    attempts = 0
    while await pipeline.deliver(to, lab.outbox, lab.clock, lambda number: retry_delay(number, lambda: 0.5)):
        attempts += 1
    return attempts


@pytest.mark.parametrize("mode", ["observation", "report"])
@pytest.mark.parametrize("wire", ["v2", "r4"])
async def test_a_case_of_either_wire_is_answered_over_fhir(
    lab: Laboratory, server: FhirServer, wire: str, mode: str
) -> None:
    answering(lab, "myolis" if wire == "v2" else "posted", comment_mode=mode)
    await (lab.take(V2) if wire == "v2" else lab.take_fhir(R4))
    lab.release("C1@1")
    assert await deliver(lab, server) == 1
    assert lab.deliveries() == [("acknowledged", 1)]
    kind, element = ("Observation", "valueString") if mode == "observation" else ("DiagnosticReport", "conclusion")
    (written,) = server.of(kind)
    assert written[element] == lab.case().text
    assert written["subject"]["identifier"] | {"type": None} == {"type": None, "system": MRN, "value": "PT1"}
    assert written["effectiveDateTime"] == "2026-11-10T09:15:00+01:00"
    assert len(server.of("Provenance")) == len(server.of("DetectedIssue")) == 1
    assert {one["status"] for one in server.of("Task")} == {"requested"}


async def test_both_wires_say_the_same(lab: Laboratory, server: FhirServer) -> None:
    """But for the numbers of results, which HL7 v2 does not send."""
    answering(lab)
    await lab.take(V2)
    lab.release("C1@1")
    (raw,) = lab.rows.execute("SELECT raw FROM outbox").fetchone()
    (written,) = (one["resource"] for one in json.loads(bytes(raw))["entry"] if "valueString" in one["resource"])
    assert written["basedOn"][0]["identifier"]["value"] == "PF1"
    assert "derivedFrom" not in written


async def test_a_correction_updates_the_same_resources(lab: Laboratory, server: FhirServer) -> None:
    answering(lab)
    await lab.take(V2)
    lab.release("C1@1")
    await deliver(lab, server)
    before = {(one["resourceType"], one["id"]) for kind in ("Observation", "DetectedIssue") for one in server.of(kind)}
    await lab.take(oru("M2", order("F1", obx(BLOT, "2", "C"), obx(CK, "3400"))))
    case = lab.case()
    assert case.version > 1
    lab.release(f"C1@{case.version}")
    server.fails("PUT Observation", "reset after")
    await deliver(lab, server)
    lab.clock.forward(minutes=6)
    await deliver(lab, server)
    assert {state for state, _attempts in lab.deliveries()} == {"acknowledged"}
    after = {(one["resourceType"], one["id"]) for kind in ("Observation", "DetectedIssue") for one in server.of(kind)}
    assert before == after
    (written,) = server.of("Observation")
    assert (written["status"], written["valueString"]) == ("corrected", case.text)
    assert len(server.of("Provenance")) == 2


async def test_a_retest_is_ordered_and_its_answer_is_heard(lab: Laboratory, server: FhirServer) -> None:
    answering(lab, retest="order")
    await lab.take(LOW)
    lab.release("C1@1")
    assert await deliver(lab, server) >= 2
    assert server.of("Task") == []
    ordered = server.of("ServiceRequest")
    assert ordered
    assert {one["intent"] for one in ordered} == {"reflex-order"}
    assert {state for _number, state, _said in lab.orders()} == {OrderState.ACKNOWLEDGED}
    assert {one["identifier"][0]["value"] for one in ordered} == {number for number, _state, _said in lab.orders()}


async def test_a_refusal_is_tried_ten_times_and_then_a_person_s(lab: Laboratory, server: FhirServer) -> None:
    answering(lab)
    await lab.take(V2)
    lab.release("C1@1")
    server.fails("POST Observation", *["422"] * 10)
    for _attempt in range(10):
        assert await deliver(lab, server) == 1
        lab.clock.forward(minutes=6)
    assert lab.deliveries() == [("failed", 10)]
    (reason,) = lab.rows.execute("SELECT reason FROM outbox").fetchone()
    assert reason == "10 times 422: processing Observation.code"
    (answer,) = lab.rows.execute("SELECT answer FROM attempts ORDER BY id DESC LIMIT 1").fetchone()
    assert b"> POST Observation" in bytes(answer)
    assert b"< 422" in bytes(answer)


async def test_an_order_that_is_refused_is_a_person_s(lab: Laboratory, server: FhirServer) -> None:
    answering(lab, retest="order")
    await lab.take(LOW)
    lab.release("C1@1")
    server.fails("POST ServiceRequest", *["422"] * 40)
    for _attempt in range(12):
        await deliver(lab, server)
        lab.clock.forward(minutes=6)
    assert {state for _number, state, _said in lab.orders()} == {OrderState.REFUSED}


async def test_a_server_that_asks_for_time_is_left_alone(lab: Laboratory, server: FhirServer) -> None:
    answering(lab)
    await lab.take(V2)
    lab.release("C1@1")
    server.fails("GET Observation", "429")
    assert await deliver(lab, server) == 1
    lab.clock.forward(seconds=60)
    assert await deliver(lab, server) == 0
    lab.clock.forward(seconds=61)
    assert await deliver(lab, server) == 1
    assert lab.deliveries() == [("acknowledged", 2)]


async def test_a_merged_patient_is_named_as_now_numbered(lab: Laboratory, server: FhirServer) -> None:
    answering(lab)
    await lab.take(V2, adt("A40", "M2", "PT2", "PT1"))
    case = lab.case()
    lab.release(f"C1@{case.version}")
    await deliver(lab, server)
    assert server.of("Observation")[0]["subject"]["identifier"]["value"] == "PT2"


async def test_without_a_system_for_the_patient_nothing_is_signed(lab: Laboratory) -> None:
    answering(lab, systems={})
    await lab.take(V2)
    with pytest.raises(Refused, match="no identifier system for the authority 'LABA'"):
        lab.release("C1@1")
    assert lab.deliveries() == []


async def test_what_left_over_fhir_can_be_said_again_byte_for_byte(lab: Laboratory) -> None:
    answering(lab)
    texts = read_all(SITE)
    lab.letterhead = letterhead(config(), "myolis", "lis", words_of(texts))
    lab.desk.approvals.keep(understood(texts).version, packed(texts), lab.clock.now())
    await lab.take(V2)
    lab.release("C1@1")
    again = reproduce("C1@1", config(), lab.rows)
    assert (again.same_text, again.same_bytes) == (True, True)
