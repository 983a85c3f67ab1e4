"""A code that a sender writes and no table names: how it came, what it may be, and what a person can say it is."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

SURE, UNSURE, NONE, MAPPED = "sure", "unsure", "none", "mapped"


class LocalCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code of a feed that no table names, as it is listed: by code system and code, by its name where it has none."""

    feed: str = ""
    system: str = ""
    code: str = ""
    label: str = ""


class SeenCode(msgspec.Struct, frozen=True, kw_only=True):
    """Such a code as it came: its last name and unit, the analyte that those speak of, how often it came (`seen`), and how
    many messages that carried it wait to be read again."""

    of: LocalCode
    name: str = ""
    unit: str = ""
    may_be: str = ""
    seen: int = 0
    messages: int = 0
    last_seen: datetime | None = None


class SentCode(msgspec.Struct, frozen=True, kw_only=True):
    """A code as a sender writes it. `order` is the name of the order it was reported under, where one is known."""

    system: str = "L"
    code: str = ""
    name: str = ""
    unit: str = ""
    order: str = ""
    sender: str = ""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a local code may be. `confidence`: `mapped` (a table names it already), `sure` (words of one analyte and
    nothing against it), `unsure` (a short word alone, or more than one analyte), `none`. `canonical_unit` is empty where
    the unit is not known for the analyte: never guessed."""

    code: SentCode
    analyte: str = ""
    method: str = ""
    assay: str = ""
    canonical_unit: str = ""
    confidence: str = NONE
    reason: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A method or a kit that a code can be given: its id, its name, and the analytes it is for (empty: any)."""

    id: str
    name: str
    analytes: tuple[str, ...] = ()


class UnitChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit can mean for an analyte: so many of the canonical unit."""

    analyte: str
    unit: str
    factor: Decimal


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """All that a person can say of a code: its analyte and its part in that, the method, the kit, what its unit means."""

    analytes: tuple[Choice, ...] = ()
    roles: tuple[str, ...] = ()
    methods: tuple[Choice, ...] = ()
    kits: tuple[Choice, ...] = ()
    units: tuple[UnitChoice, ...] = ()


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says a code is. `only_unit`: it is so in the unit it was sent in, and in no other. `means`: what that
    unit comes to, where no table knows it. `source`: where that was read, or by which procedure it was decided."""

    analyte: str
    role: str
    method: str = ""
    assay: str = ""
    only_unit: bool = False
    means: UnitChoice | None = None
    source: str = ""
