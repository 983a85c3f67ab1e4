"""What codes, kits, units and words mean: the terminology half of mappings/, compiled once into dictionaries."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from labbridge.model.result import Analyte, Band, Family, Hep2Class, Material, Status
from labbridge.model.values import Coding, Comparator, Grade

_ANNOTATION = re.compile(r"\{[^{}]*\}")


class AnalyteRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An analyte (or one antigen of OTHER_MSA): words its name must hold one of, and words that contradict it."""

    id: str
    analyte: Analyte
    antigen: str = ""
    name: str
    synthetase: bool = False
    words: tuple[str, ...] = ()
    not_words: tuple[str, ...] = ()


class CodeRow(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a code means to a sender: analyte id (or context kind), its part in it, and where known method and kit.

    `table` is the file it stands in (`loinc`, `any`, a sender). A name, unit or specimen that a row gives must be the
    one sent. Role `not_ours`: the code is known, and is of another analyte.
    """

    table: str = ""
    system: str = "local"
    code: str
    name: str = ""
    unit: str = ""
    specimen: str = ""
    analyte: str
    role: str = "result"
    method: str = ""
    assay: str = ""


class MethodRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A canonical method: family, tier, how a comment names it, the words that mean it, default bands and their unit."""

    id: str
    family: Family
    tier: int | None = None
    name: str
    words: tuple[str, ...] = ()
    bands: tuple[Band, ...] = ()
    unit: str = ""


class KitRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kit or a laboratory's own test: its method, maker, words, and its own cut-off where one is known.

    `units`: the spellings its own limits hold for; in any other unit they say nothing. `antigens_absent`: analytes it
    does not carry, so that a result of one of them cannot come from it.
    """

    id: str
    method: str
    manufacturer: str = ""
    analyte: str = ""
    name: str = ""
    words: tuple[str, ...] = ()
    cut_off: Decimal | None = None
    bands: tuple[Band, ...] = ()
    units: tuple[str, ...] = ()
    antigens_absent: tuple[str, ...] = ()


class MakerRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A manufacturer and the words that name it. Two makers of one family are never one method (clinical.md C10.2)."""

    id: str
    words: tuple[str, ...]


class UnitRow(msgspec.Struct, frozen=True):
    """A spelling's canonical unit and factor. `unit` is `refuse` where the unit contradicts the analyte."""

    unit: str
    factor: Decimal


class Likeness(msgspec.Struct, frozen=True):
    """By which words a code that no table names may be of an analyte (resemblance.csv), folded."""

    names: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Phrases by what they are for, folded; and pattern words with their class.

    `flags` are flag codes that say positive or negative, `marks` known ones that do not; `comparators` are words of
    comparison by their kind (`prefix`, `postfix`, both also `_declared`, and `flag`).
    """

    grades: dict[str, Grade] = {}
    signs: dict[str, Grade] = {}
    grade_codes: dict[tuple[str, str], Grade] = {}
    flags: dict[str, Grade] = {}
    marks: frozenset[str] = frozenset()
    comparators: dict[str, dict[str, Comparator]] = {}
    hep2_codes: dict[str, Hep2Class] = {}
    hep2_words: dict[str, tuple[str, ...]] = {}
    materials: dict[str, Material] = {}
    result_statuses: dict[str, Status] = {}
    status_texts: tuple[tuple[str, Status], ...] = ()
    order_statuses: dict[str, Status] = {}
    stored_statuses: frozenset[str] = frozenset()
    phrases: dict[str, tuple[str, ...]] = {}


class Terminology(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the normaliser looks up. `codes` is by table (`loinc`, `any`, a sender's name), then by code.

    `systems` are spellings of coding systems, `system_stems` beginnings of spellings. `by_specimen`: some code row asks
    for a specimen. `validated`: (analyte, material) pairs that a test is validated on.
    """

    systems: dict[str, str] = {}
    system_stems: tuple[tuple[str, str], ...] = ()
    by_specimen: bool = False
    analytes: dict[str, AnalyteRow] = {}
    codes: dict[str, dict[str, tuple[CodeRow, ...]]] = {}
    methods: dict[str, MethodRow] = {}
    kits: dict[str, KitRow] = {}
    method_words: tuple[tuple[str, str], ...] = ()
    kit_words: tuple[tuple[str, str], ...] = ()
    maker_words: tuple[tuple[str, str], ...] = ()
    units: dict[tuple[str, str], UnitRow] = {}
    words: Words = Words()
    validated: frozenset[tuple[str, str]] = frozenset()
    comment: tuple[Coding, ...] = ()
    likeness: dict[str, Likeness] = {}

    def unit(self, analyte: str, spelling: str) -> UnitRow | None:
        """The row of a unit's spelling, exactly as listed, else without its annotations: what stands in braces says
        nothing of the unit (UCUM, codes.md S14). None for a spelling that is not listed."""
        row = self.units.get((analyte, spelling))
        if row is None and "{" in spelling:
            row = self.units.get((analyte, _ANNOTATION.sub("", spelling)))
        return row

    def system(self, coding: Coding) -> str:
        """The known name of a coding's system (`local` where the table says so, or the spelling itself, folded)."""
        spelling = coding.system.strip().casefold()
        known = self.systems.get(spelling)
        if known is not None:
            return known
        return next((name for stem, name in self.system_stems if spelling.startswith(stem)), spelling)

    def rows(self, sender: str, coding: Coding) -> tuple[CodeRow, ...]:
        """The rows of a code under its system: this sender's own, else those that every sender shares."""
        system = self.system(coding)
        application, _, facility = sender.casefold().partition("|")
        for table in (f"{application}_{facility}", application, "any", "loinc"):
            found = tuple(row for row in self.codes.get(table, {}).get(coding.code, ()) if row.system == system)
            if found:
                return found
        return ()
