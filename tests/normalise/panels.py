"""Reports as laboratories send them, and a normaliser by the shipped tables with the demo laboratory's codes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from labbridge.knowledge.build import Knowledge
from labbridge.model.report import (
    EntityId,
    Identifier,
    Observation,
    Order,
    Patient,
    PlacedNote,
    Report,
    Specimen,
    Timestamp,
)
from labbridge.model.result import PatientResults, Result
from labbridge.model.values import Coding, Missing, SentText, SentValue
from labbridge.model.work import Feed
from labbridge.normalise import Normaliser
from labbridge.sources import load, shipped

RECEIVED = datetime(2026, 11, 12, 12, 0, tzinfo=UTC)
COLLECTED = Timestamp(text="20261109", moment=datetime(2026, 11, 9, 8, 0, tzinfo=UTC), day=date(2026, 11, 9))
FEED = Feed(name="lis")
CK = (Coding("2157-6", "Creatine kinase", "LN"),)
UL = Coding("U/L", "", "UCUM")


@lru_cache
def knowledge() -> Knowledge:
    return load(str(shipped().parent / "samples/site"))


@lru_cache
def normaliser() -> Normaliser:
    return Normaliser(knowledge())


def local(code: str, name: str = "") -> tuple[Coding, ...]:
    return (Coding(code, name, "L"),)


def obx(
    codes: tuple[Coding, ...], value: str | SentValue | Missing = "", *, at: str = "OBX[1]", **more: Any
) -> Observation:
    """One observation, final unless said otherwise; a text is a value as sent."""
    if isinstance(value, Missing):
        return Observation(at=at, codes=codes, missing=value, **{"status": "F", **more})
    sent = (SentText(value),) if isinstance(value, str) and value else () if isinstance(value, str) else (value,)
    missing = None if sent else Missing.ABSENT
    return Observation(at=at, codes=codes, values=sent, missing=missing, **{"status": "F", **more})


def ck(value: str | SentValue, **more: Any) -> Observation:
    return obx(CK, value, **{"unit": UL, "reference_range": "39-190", **more})


def report(*observations: Observation, sex: str = "F", born: date | None = date(1971, 2, 5), **order: Any) -> Report:
    fields = {"at": "OBR[1]", "filler": EntityId("FL1", "LIS"), "collected": COLLECTED, **order}
    patient = Patient(identifiers=(Identifier("LABA", "PT1", "MR"),), birth_date=born, sex=sex)
    return Report(
        feed="lis",
        sender="MYOLIS|LABA",
        lane="p:LABA|PT1",
        sent=Timestamp(text="20261112", moment=RECEIVED, day=date(2026, 11, 12)),
        patient=patient,
        orders=(Order(observations=observations, **fields),),
    )


def read(*observations: Observation, feed: Feed = FEED, **more: Any) -> tuple[PatientResults, tuple[PlacedNote, ...]]:
    return normaliser()(report(*observations, **more), feed, RECEIVED, "M1")


def results(*observations: Observation, **more: Any) -> tuple[Result, ...]:
    return read(*observations, **more)[0].results


def one(*observations: Observation, **more: Any) -> Result:
    (found,) = results(*observations, **more)
    return found


def codes_of(notes: tuple[PlacedNote, ...]) -> set[str]:
    return {note.code for note in notes}


def tube(kind: str, **more: Any) -> Specimen:
    return Specimen(type=(Coding(kind, kind),), **more)
