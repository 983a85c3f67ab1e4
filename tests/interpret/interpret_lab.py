"""Results in the words of the bench: a day counted from DAY, an antibody by its category, a version by its status."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from interpret_build import DAY, METHODS, antibody, history, limits, stamp

from labbridge.interpret.episode import episode
from labbridge.interpret.evidence import AntibodyEvidence, Episode
from labbridge.knowledge.policy import Policy
from labbridge.model.report import EntityId, Timestamp
from labbridge.model.result import Analyte, Material, Method, Problem, Result, Status
from labbridge.model.values import Comparator, Missing, Quantity
from labbridge.sources import load

POLICY: Policy = load().policy

STATUS_OF = {
    "P": Status.PENDING,
    "F": Status.FINAL,
    "C": Status.CORRECTED,
    "X": Status.CANCELLED,
    "W": Status.WITHDRAWN,
    "?": Status.UNKNOWN,
    "U": Status.FINAL,
}


def on(days: int) -> date:
    """A day counted from DAY."""
    return DAY + timedelta(days=days)


def at(days: int, hour: int) -> Timestamp:
    """A collection with its time of day."""
    moment = datetime.combine(on(days), time(hour), UTC)
    return Timestamp(moment.isoformat(), moment, moment.date())


def undated(days: int) -> Timestamp:
    """A collection of which only the day was sent."""
    return msgspec.structs.replace(stamp(on(days)), has_time=False)


def another(family: str, code: str = "", manufacturer: str = "") -> Method:
    """A method of the same family that is another test."""
    usual = METHODS[family]
    return msgspec.structs.replace(usual, code=code or usual.code, manufacturer=manufacturer or usual.manufacturer)


def srp(category: str, family: str = "blot", day: int = 0, **fields: Any) -> Result:
    return _named("SRP", category, family, day, fields)


def hmgcr(category: str, family: str = "quant", day: int = 0, **fields: Any) -> Result:
    return _named("HMGCR", category, family, day, fields)


def _named(analyte: str, category: str, family: str, day: int, fields: dict[str, Any]) -> Result:
    number, when = fields.pop("number", ""), fields.pop("collected", None)
    found = antibody(analyte, category, family, f"{analyte}-{family}-{day}-{category}{number}", on(day), **fields)
    return timed(found, when) if when is not None else found


def timed(one: Result, when: Timestamp) -> Result:
    """The result with another time of collection."""
    return msgspec.structs.replace(one, collected=when)


def seen(*results: Result, known: frozenset[str] = frozenset(), **fields: Any) -> Episode:
    return episode(history(*results, **fields), POLICY, known)


def of_srp(*results: Result, **fields: Any) -> AntibodyEvidence:
    return seen(*results, **fields).srp


def raised(found: Episode) -> set[str]:
    return {one.code for one in found.raised}


def held(found: Episode) -> set[str]:
    return {one.code for one in found.raised if one.hold}


# ---------------------------------------------------------------- versions of one result

FIRST = datetime.combine(DAY, time(9), UTC)


def version(token: str, hour: int, **fields: Any) -> Result:
    """One version of one anti-SRP blot: `F20` is final with 20, `P` in progress without a value, `U` takes the stored
    one. Each hour is one later status time, message and receipt."""
    when = FIRST + timedelta(hours=hour)
    letter, number = token[0], token[1:]
    given: dict[str, Any] = {
        "ref": f"M{hour}:OBX[1]",
        "key": "f:|S1|SRP|line_blot",
        "at": "OBX[1]",
        "analyte": Analyte.SRP,
        "method": METHODS["blot"],
        "limits": limits("blot"),
        "value": Quantity(Decimal(number), "intensity") if number else Missing.ABSENT,
        "value_text": number,
        "status": STATUS_OF[letter],
        "problems": (Problem.STATUS_UNKNOWN,) if letter == "?" else (),
        "takes_stored_value": letter == "U",
        "material": Material.SERUM,
        "material_validated": True,
        "filler": EntityId("S1"),
        "collected": stamp(DAY),
        "status_time": when,
        "message_time": when,
        "received": when,
    }
    return Result(**{**given, **fields})


def versions(text: str, **fields: Any) -> list[Result]:
    """`F20 C8 W`: versions an hour apart."""
    return [version(token, hour, **fields) for hour, token in enumerate(text.split())]


def quantity(number: str, comparator: str = "=", unit: str = "intensity") -> Quantity:
    return Quantity(Decimal(number), unit, Comparator(comparator))
