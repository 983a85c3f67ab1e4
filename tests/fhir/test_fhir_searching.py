"""What a search asks for, and what it matches: R4's rules of tokens and dates, by their own examples."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from labbridge.fhir import searching
from labbridge.fhir.faults import Unfit
from labbridge.fhir.routes import ROUTES
from labbridge.fhir.searching import Query

BASE = "http://labbridge.example/fhir"
PARIS = ZoneInfo("Europe/Paris")
OBSERVATIONS = next(one for one in ROUTES if one.does == "search-type" and one.type == "Observation")


def query(text: str) -> Query:
    return searching.understood(OBSERVATIONS, searching.pairs(text), BASE)


def result(**more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "M1-1",
        "meta": {"lastUpdated": "2026-11-13T12:00:00.500+00:00"},
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2157-6"}, {"code": "CK"}]},
        "identifier": [{"system": "urn:a", "value": "F,1"}, {"value": "bare"}],
        "effectiveDateTime": "2026-11-10T00:30:00+01:00",
        **more,
    }


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("code=2157-6", True),
        ("code=http://loinc.org|2157-6", True),
        ("code=http://loinc.org|", True),
        ("code=|2157-6", False),
        ("code=|CK", True),
        ("code=2157", False),
        ("code=X,CK", True),
        ("code=X&code=CK", False),
        ("identifier=urn:a|F\\,1", True),
        ("identifier=urn:a|F,1", False),
        ("identifier=|bare", True),
        ("identifier=bare", True),
        ("identifier=urn:b|bare", False),
        ("status=final,amended", True),
        ("status=amended", False),
        ("_id=M1-1", True),
        ("_id=M1", False),
    ],
)
def test_tokens(text: str, matches: bool) -> None:
    assert searching.matches(query(text), result(), PARIS) is matches


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("date=2026-11-10", True),  # the day of the laboratory, not that of UTC
        ("date=2026-11-09", False),
        ("date=2026", True),
        ("date=2026-11", True),
        ("date=2026-12", False),
        ("date=eq2026-11-10", True),
        ("date=gt2026-11-09", True),
        ("date=gt2026-11-10", False),
        ("date=ge2026-11-10", True),
        ("date=ge2026-11-11", False),
        ("date=lt2026-11-10", False),
        ("date=lt2026-11-11", True),
        ("date=le2026-11-10", True),
        ("date=le2026-11-09", False),
        ("date=2026-11-09T23:30:00Z", True),
        ("date=2026-11-10T00:30:00%2B01:00", True),
        ("date=2026-11-10T00:30:00+01:00", True),  # a plus that was not escaped is a blank by then
        ("date=2026-11-10T00:30", True),
        ("date=2026-11-10T00:31", False),
        ("date=lt2026-11-09T23:30:00Z", False),
        ("date=ge2026-11-09T23:30:00Z", True),
        ("date=2026-11-09,2026-11-10", True),
        ("date=ge2026-11-01&date=lt2026-11-10", False),
        ("_lastUpdated=2026-11-13T12:00:00.500Z", True),
        ("_lastUpdated=2026-11-13T12:00:00.501Z", False),
        ("_lastUpdated=ge2026-11-13T12:00:00Z", True),
    ],
)
def test_dates(text: str, matches: bool) -> None:
    assert searching.matches(query(text), result(), PARIS) is matches


def test_a_period_and_a_day_have_their_ends() -> None:
    week = {"effectivePeriod": {"start": "2026-11-09", "end": "2026-11-15"}}
    without = {key: one for key, one in result().items() if key != "effectiveDateTime"}
    for text, matches in (("date=2026-11-10", False), ("date=2026-11", True), ("date=gt2026-11-14", True)):
        assert searching.matches(query(text), {**without, **week}, PARIS) is matches
    open_ended = {"effectivePeriod": {"start": "2026-11-09"}}
    assert searching.matches(query("date=gt2030"), {**without, **open_ended}, PARIS)
    assert not searching.matches(query("date=ge2000"), without, PARIS)


@pytest.mark.parametrize(
    ("text", "status", "place"),
    [
        ("nonsense=1", 400, "http.nonsense"),
        ("code:exact=1", 400, "http.code"),
        ("patient.name=x", 400, "http.patient.name"),
        ("Patient%20Name=1", 400, ""),
        ("code=", 400, "http.code"),
        ("code=a,,b", 400, "http.code"),
        ("code=a|b|c", 400, "http.code"),
        ("code=|", 400, "http.code"),
        ("date=yesterday", 400, "http.date"),
        ("date=sa2026", 400, "http.date"),
        ("date=2026-02-30", 400, "http.date"),
        ("date=9999", 400, "http.date"),
        ("date=2026-11-10T25:00:00Z", 400, "http.date"),
        ("_count=0", 400, "http._count"),
        ("_count=x", 400, "http._count"),
        ("_count=-1", 400, "http._count"),
        ("_id=a b", 400, "http._id"),
        ("patient=Patient/a/b", 400, "http.patient"),
        ("_format=xml", 406, "http._format"),
        ("code=" + ",".join("abcdefgh" * 7), 400, "http.code"),
        ("code=" + "a" * 20_000, 400, ""),
        ("code=%FF", 400, ""),
    ],
)
def test_what_is_refused_names_the_parameter(text: str, status: int, place: str) -> None:
    with pytest.raises(Unfit) as caught:
        query(text)
    assert (caught.value.status, caught.value.location) == (status, place)


def test_a_count_is_a_wish_and_has_its_most() -> None:
    assert query("_count=1000").count == searching.MOST
    assert query("").count == searching.USUAL


def test_a_patient_is_meant_by_the_address_or_the_id() -> None:
    for text in ("P1", "Patient/P1", f"{BASE}/Patient/P1"):
        assert query(f"patient={text}").patients == (frozenset({"P1"}),)


def test_the_bounds_of_a_search_leave_out_nothing_that_matches() -> None:
    noon = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
    assert searching.bounds(query("_lastUpdated=ge2026-11-13T12:00:00Z"), "_lastUpdated") == (noon, None)
    assert searching.bounds(query("_lastUpdated=lt2026-11-13T12:00:00Z"), "_lastUpdated")[0] is None
    low, high = searching.bounds(query("_lastUpdated=2026-11-13"), "_lastUpdated")
    assert low is not None
    assert high is not None
    assert low < datetime(2026, 11, 12, 11, tzinfo=UTC) < datetime(2026, 11, 14, 13, tzinfo=UTC) < high
    assert searching.bounds(query("_lastUpdated=2026-11-13,2020"), "_lastUpdated") == (None, None)
    assert searching.bounds(query("date=2026-11-13"), "_lastUpdated") == (None, None)
    assert searching.bounds(query("_lastUpdated=ge0001-01-01"), "_lastUpdated") == (None, None)
