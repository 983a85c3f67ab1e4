"""The words of the second opinion: a line of a report, a reading of it, a flag, a recommended test, the whole opinion."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, TypedDict

Row = dict[str, Any]
Case = dict[str, Any]
Flag = tuple[str, str, str]
Retest = tuple[tuple[str, ...], str, date | None]

ANTIBODIES = ("SRP", "HMGCR")
PARTNER = {"SRP": "HMGCR", "HMGCR": "SRP"}
POSITIVE = ("POS_LOW", "POS_STRONG")


class Opinion(TypedDict):
    states: dict[str, str]
    flags: set[Flag]
    retests: dict[str, Retest]
    comment: str
    addenda: list[str]
    hold: bool
    held: set[str]


@dataclass(frozen=True)
class Line:
    """One version of one result, as sent."""

    filler: str
    analyte: str
    antigen: str
    method: str
    manufacturer: str
    value: str
    unit: str
    cutoff: Fraction | None
    ref_low: Fraction | None
    ref_high: Fraction | None
    titre: str
    pattern: str
    note: str
    reason: str
    specimen: str
    status: str
    collected: date
    received: date

    @property
    def content(self) -> tuple[str, ...]:
        """What two versions must share to be the same result (C1.2): a HEp-2 pattern is as much the result as its value."""
        return (self.value, self.unit, self.titre, self.pattern)

    @property
    def carries_a_value(self) -> bool:
        return bool(self.value or self.titre or self.pattern)


@dataclass(frozen=True)
class Problem:
    """A result that cannot be used as it stands, and why (C1)."""

    flag: str
    line: Line

    @property
    def analyte(self) -> str:
        return self.line.analyte


@dataclass(frozen=True)
class Reading:
    """A usable result with its category (antibodies), its pattern class (HEp-2) or its amount (CK, creatinine)."""

    line: Line
    family: str
    category: str = ""
    number: Fraction | None = None
    comparator: str = ""
    ratio: Fraction | None = None
    band: str = "UNKNOWN"
    limit_assumed: bool = False
    weak_titre: bool = False
    unspecified: bool = False

    @property
    def analyte(self) -> str:
        return self.line.analyte

    @property
    def day(self) -> date:
        return self.line.collected

    @property
    def positive(self) -> bool:
        return self.category in POSITIVE

    @property
    def negative(self) -> bool:
        return self.category == "NEG"

    @property
    def kit(self) -> tuple[str, str]:
        return (self.line.method, self.line.manufacturer)


@dataclass
class Standing:
    """What is left of all messages after C1."""

    today: date
    usable: list[Line] = field(default_factory=list)
    pending: list[Line] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    invalid: list[Line] = field(default_factory=list)
    withdrawn: list[Line] = field(default_factory=list)
    corrected: list[Line] = field(default_factory=list)
    duplicates: list[Line] = field(default_factory=list)
    cancelled_on_ana: list[Line] = field(default_factory=list)
    age_implausible: bool = False


def days(earlier: date, later: date) -> int:
    """Calendar days between two collections (C10.32)."""
    return (later - earlier).days


def plain_name(antigen: str) -> str:
    """ "Mi-2 beta" and "anti-Mi-2 alpha" are one antibody (C10.24)."""
    name = re.sub(r"[^a-z0-9]", "", antigen.lower().removeprefix("anti-"))
    for stem in ("mi2", "tif1", "sae"):
        if name.startswith(stem):
            return stem
    return name
