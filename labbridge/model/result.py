"""What a sent observation means: one version of one result of an analyte by a method."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from labbridge.model.report import EntityId, Patient, Timestamp
from labbridge.model.values import Grade, Missing, Value


class Analyte(StrEnum):
    """The analytes this service knows. OTHER_MSA carries the antigen beside it (`Result.antigen`)."""

    SRP = "SRP"
    HMGCR = "HMGCR"
    HEP2 = "ANA_HEP2"
    CK = "CK"
    CREATININE = "CREAT"
    OTHER_MSA = "OTHER_MSA"


class Family(StrEnum):
    """Method families of clinical.md C2. Two methods of one family never confirm each other."""

    BLOT = "blot"
    QUANT = "quant"
    IP = "ip"
    CBA = "cba"
    TISSUE = "tissue"
    HEP2_IIF = "hep2_iif"
    SOLID_PHASE_ANA = "solid_phase_ana"
    ENZYMATIC = "enzymatic"


class Status(StrEnum):
    """What the sender says of the result's standing (clinical.md C1.1, C10.35)."""

    FINAL = "final"
    CORRECTED = "corrected"
    PENDING = "pending"
    CANCELLED = "cancelled"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class Problem(StrEnum):
    """Something in the sent result that could be read but not understood. Each holds its analyte (clinical.md C1)."""

    STATUS_UNKNOWN = "status_unknown"
    CODE_UNMAPPED = "code_unmapped"
    METHOD_UNKNOWN = "method_unknown"
    LIMITS_MISSING = "limits_missing"
    LIMITS_DIFFER = "limits_differ"
    UNIT_UNKNOWN = "unit_unknown"
    VALUE_UNREADABLE = "value_unreadable"
    VALUE_AMBIGUOUS = "value_ambiguous"
    VALUE_IMPLAUSIBLE = "value_implausible"


class Material(StrEnum):
    """The specimen's material. UNSTATED covers blank, "blood", "serum/plasma" and plain plasma (clinical.md C10.11)."""

    SERUM = "serum"
    HEPARIN_PLASMA = "heparin_plasma"
    OTHER_PLASMA = "other_plasma"
    OTHER = "other"
    UNSTATED = "unstated"


class Hep2Class(StrEnum):
    """HEp-2 pattern classes of clinical.md C2 and C10.19. UNSPECIFIED: positive, no pattern given."""

    CYTO_COMPAT = "CYTO_COMPAT"
    CYTO_OTHER = "CYTO_OTHER"
    NUCLEAR = "NUCLEAR"
    NEG = "NEG"
    UNSPECIFIED = "UNSPECIFIED"


class Category(StrEnum):
    """Category of one usable antibody result (clinical.md C2)."""

    NEG = "NEG"
    EQUIVOCAL = "EQUIVOCAL"
    POS_LOW = "POS_LOW"
    POS_STRONG = "POS_STRONG"

    @property
    def positive(self) -> bool:
        return self in (Category.POS_LOW, Category.POS_STRONG)


class Band(msgspec.Struct, frozen=True):
    """From `low` on (included unless `above_only`) a number has this category, until the next band begins."""

    category: Category
    low: Decimal
    above_only: bool = False


class Limits(msgspec.Struct, frozen=True):
    """How numbers of one result are put into categories: bands in rising order; below the first is NEG.

    `source` names the row or field it came from (`sent`, an assay id, `family:blot`).
    """

    bands: tuple[Band, ...]
    source: str


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """The method of a result and how we know it.

    `code` is canonical (`line_blot`, `clia`, ...); `tier` 1 to 3, None for untiered; `source` is the field or table
    that decided (`OBX-17`, `local code`, `kit name`, `feed default`); `name` is what the comment may call it.
    """

    code: str
    family: Family
    tier: int | None = None
    name: str = ""
    assay: str = ""
    manufacturer: str = ""
    source: str = ""


class Hep2Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The HEp-2 observations of one order read as one finding (contract.md, codes.md 1.3).

    `text` is the pattern as reported; `codes` the AC codes sent. `pattern_stated` is False for a cytoplasmic
    fluorescence whose pattern was not described further (clinical.md C10.19 c). `cytoplasm_stated` is False for a
    negative of which neither the report nor the feed says that it speaks of the cytoplasm too (clinical.md E40).
    """

    pattern: Hep2Class
    pattern_stated: bool = True
    cytoplasm_stated: bool = True
    codes: tuple[str, ...] = ()
    text: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one result, normalised.

    `ref` names it within its message (`M17:OBX[3]`, or the filler number of a case file). `key` identifies the result
    over its versions (filler or order/specimen + analyte + antigen + method code, clinical.md C10.12). `value` is
    canonical, or Missing. `grade` is the laboratory's own wording of the same result where it sent one, `grade_text`
    its words. `lab_negative` is the laboratory's own verdict, from its words, flag or range: True, False, or None when
    it gave none. `upper_limit`, `lower_limit` are in the value's unit. `cancelled_for_ana`: the reason given for a
    cancelled SRP/HMGCR mentions ANA. `takes_stored_value`: the status finalises a value sent before (OBX-11 U, B, V
    without a value). `collected_estimated`: the collection day is a substitute and takes no part in trends. `lots` and
    `dilution` are as sent (SID-2, TCD). `used_up`: too little is left of the specimen for a further test (SPM-12).
    `historical`: it came from an archive, and by itself calls for nothing (interpret/imported.py).
    """

    ref: str
    key: str
    at: str = ""
    analyte: Analyte
    antigen: str = ""
    synthetase: bool = False
    method: Method | None = None
    value: Value | Missing = Missing.ABSENT
    value_text: str = ""
    unit_text: str = ""
    grade: Grade | None = None
    grade_text: str = ""
    lab_negative: bool | None = None
    limits: Limits | None = None
    upper_limit: Decimal | None = None
    lower_limit: Decimal | None = None
    upper_limit_assumed: bool = False
    hep2: Hep2Finding | None = None
    status: Status = Status.FINAL
    status_code: str = ""
    takes_stored_value: bool = False
    cancelled_for_ana: bool = False
    material: Material = Material.UNSTATED
    material_text: str = ""
    material_validated: bool = False
    quality_poor: bool = False
    used_up: bool = False
    historical: bool = False
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    placer: EntityId = EntityId()
    filler: EntityId = EntityId()
    group: EntityId = EntityId()
    specimen: EntityId = EntityId()
    laboratory: str = ""
    lots: tuple[str, ...] = ()
    dilution: str = ""
    collected: Timestamp
    collected_estimated: bool = False
    status_time: datetime | None = None
    message_time: datetime | None = None
    received: datetime


class ContextKind(StrEnum):
    """Ask-at-order-entry facts (contract.md, How context reaches us)."""

    STATIN = "STATIN"
    IVIG_DATE = "IVIG_DATE"
    SUSPECT_IIM = "SUSPECT_IIM"
    KNOWN_MSA = "KNOWN_MSA"
    KNOWN_MSA_PARTNER = "KNOWN_MSA_PARTNER"
    PREGNANT = "PREGNANT"


class ContextItem(msgspec.Struct, frozen=True, kw_only=True):
    """One context fact as stated: `value` is Y, N or U, an analyte, or an ISO date; `since` for KNOWN_MSA."""

    kind: ContextKind
    value: str
    since: date | None = None
    stated: datetime


class Unmapped(msgspec.Struct, frozen=True, kw_only=True):
    """A code that no table names. `label` tells it apart where there is no code: the name, else empty. `may_be` is the
    analyte of ours that its name and unit speak of, empty for every other one (a sodium, a blood count)."""

    system: str = ""
    code: str = ""
    label: str = ""
    name: str = ""
    unit: str = ""
    may_be: str = ""


class PatientResults(msgspec.Struct, frozen=True, kw_only=True):
    """What one report means: the versions and context facts it brings for its patient.

    `unmapped` lists the codes of no known analyte: kept and counted, never interpreted.
    """

    lane: str
    patient: Patient
    results: tuple[Result, ...] = ()
    context: tuple[ContextItem, ...] = ()
    unmapped: tuple[Unmapped, ...] = ()
