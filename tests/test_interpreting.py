"""$interpret's process: begun when it is needed, anew where it ended, and no more waiting for it than there is room for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from labbridge.errors import StoreUnavailable
from labbridge.fhir.faults import Unfit
from labbridge.interpreting import WAITING, Interpreting
from labbridge.model.work import Feed
from tests.conftest import ROOT

FEED = Feed(
    name="ward",
    kind="fhir",
    sender="MYOLIS|LABA",
    timezone="Europe/Paris",
    authorities={"https://laba.example/mrn": "LABA"},
    local_systems=("https://laba.example/codes",),
)
SENT = (ROOT / "samples" / "02-srp-hep2-negative" / "1b-serology.json").read_bytes()
NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
SYSTEM = "urn:uuid:0f0b4d0e-0000-5000-8000-000000000001"


@pytest.fixture(scope="module")
def interpret() -> Iterator[Interpreting]:
    found = Interpreting(str(ROOT / "samples" / "site"), {"ward": "en"}, SYSTEM)
    yield found
    found.close()


def kinds(body: bytes) -> set[str]:
    return {one["resource"]["resourceType"] for one in json.loads(body)["entry"]}


def test_a_process_that_ended_is_begun_anew(interpret: Interpreting) -> None:
    first = interpret(SENT, FEED, NOW)
    assert {"Observation", "DetectedIssue", "ServiceRequest"} <= kinds(first)
    assert interpret._process is not None
    interpret._process.kill()
    interpret._process.join()
    assert interpret(SENT, FEED, NOW) == first


def test_what_is_refused_leaves_the_process_as_it_is(interpret: Interpreting) -> None:
    with pytest.raises(Unfit) as caught:
        interpret(b"[]", FEED, NOW)
    assert caught.value.status == 400
    assert kinds(interpret(SENT, FEED, NOW))


def test_who_comes_where_there_is_no_room_is_told_so_at_once() -> None:
    full = Interpreting("", {}, SYSTEM)
    for _one in range(WAITING):
        assert full._room.acquire(blocking=False)
    with pytest.raises(StoreUnavailable):
        full(SENT, FEED, NOW)
    assert full._process is None
