"""The evidence of one episode, between the results (C1-C3) and the rules (C5-C8): states with what they rest on.

`episode.py` makes an `Episode` from a `History`; `facts.py` reads named facts off it; rules and comment see facts only.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from labbridge.model.report import PlacedNote
from labbridge.model.result import Analyte, Family, Result


class AntibodyState(StrEnum):
    """State of anti-SRP or anti-HMGCR in an episode (clinical.md C3)."""

    NEG = "NEG"
    EQUIVOCAL = "EQUIVOCAL"
    POS_LOW = "POS_LOW"
    POS_STRONG = "POS_STRONG"
    NOT_TESTED = "NOT_TESTED"

    @property
    def positive(self) -> bool:
        return self in (AntibodyState.POS_LOW, AntibodyState.POS_STRONG)


class BestSource(StrEnum):
    """What the state rests on: its best tier (clinical.md C2), tissue alone, or nothing."""

    TIER1 = "tier1"
    QUANT = "quant"
    BLOT = "blot"
    TISSUE = "tissue"
    NONE = "none"


class CkBand(StrEnum):
    """CK as a multiple of its upper limit (clinical.md C2)."""

    NORMAL = "NORMAL"
    MILD = "MILD"
    MOD = "MOD"
    HIGH = "HIGH"
    UNKNOWN = "UNKNOWN"


class Hep2State(StrEnum):
    """HEp-2 state of the episode; a positive without any pattern is NOT_TESTED (clinical.md C10.19 a)."""

    CYTO_COMPAT = "CYTO_COMPAT"
    CYTO_OTHER = "CYTO_OTHER"
    NUCLEAR = "NUCLEAR"
    NEG = "NEG"
    NOT_TESTED = "NOT_TESTED"


class Change(StrEnum):
    """How an antibody stands to its last comparable result (clinical.md L1-L4, C10.26, C10.27). UNRECORDED: known from
    before, negative now, and no positive result on file."""

    NONE = "none"
    BECAME_POSITIVE = "became_positive"
    BECAME_NEGATIVE = "became_negative"
    METHOD_CHANGED = "method_changed"
    UNRECORDED = "unrecorded"


class Titre(StrEnum):
    """How the number of a quantitative antibody stands to the last one, beside CK (clinical.md L5, L6, C10.33)."""

    NONE = "none"
    RISING = "rising"
    RISING_CK_FALLING = "rising_ck_falling"
    FALLING_CK_RISING = "falling_ck_rising"
    RISING_CK_INCOMPARABLE = "rising_ck_incomparable"
    FALLING_CK_INCOMPARABLE = "falling_ck_incomparable"


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an antibody since an earlier result. `results`: the later, then the earlier result of the change;
    `titre_results`: those of the titre, `titre_cks` the CKs near them."""

    change: Change = Change.NONE
    results: tuple[Result, ...] = ()
    same_method: bool = True
    titre: Titre = Titre.NONE
    titre_results: tuple[Result, ...] = ()
    titre_cks: tuple[Result, ...] = ()


class AntibodyEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """One antibody. `results` are the usable results the state rests on, deciding one first; `families` every family
    with a usable result in the window (C10.22). `pending`: ordered and not final, or held (C1.7). `known`: monitoring
    mode (C10.5); `partner_tested`: the other antibody was tested, as stated or by a result on file. `once_positive`: C10.4.
    `prior`: any usable result on file however old (counts as suspicion, C10.1). `passive`: newly positive within the window
    of an immunoglobulin infusion (C6 O1, C10.6). `beside_ck`: positive within 30 days of the latest CK (C10.33)."""

    analyte: Analyte
    state: AntibodyState = AntibodyState.NOT_TESTED
    confirmed: bool = False
    discordant: bool = False
    resolved: bool = False
    pending: bool = False
    known: bool = False
    partner_tested: bool = False
    once_positive: bool = False
    prior: bool = False
    passive: bool = False
    beside_ck: bool = False
    trend: Trend = Trend()
    source: BestSource = BestSource.NONE
    families: frozenset[Family] = frozenset()
    results: tuple[Result, ...] = ()


class Hep2Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """HEp-2. `unspecified`: positive without a pattern (C10.19 a). `pattern_stated` False: C10.19 c. `cytoplasm_stated`
    False: negative, and nothing says that this speaks of the cytoplasm too (E40). `titre_low`: below the policy's titre
    or at the screening dilution (C10.20). `passive`: compatible cytoplasm within the window of an infusion (C6 O1)."""

    state: Hep2State = Hep2State.NOT_TESTED
    pending: bool = False
    unspecified: bool = False
    pattern_stated: bool = True
    cytoplasm_stated: bool = True
    titre_low: bool = False
    passive: bool = False
    result: Result | None = None


class CkEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """CK. `ratio` is value over upper limit; `persistent` C10.17; `extreme` CK_EXTREME (C6 O4, first in 30 d), which
    rests on `extreme_result`."""

    band: CkBand = CkBand.UNKNOWN
    ratio: Decimal | None = None
    pending: bool = False
    persistent: bool = False
    extreme: bool = False
    extreme_result: Result | None = None
    limit_assumed: bool = False
    result: Result | None = None


class Rebound(StrEnum):
    """CK against the one before (clinical.md L8, C10.25, C10.33)."""

    NONE = "none"
    REBOUND = "rebound"
    INCOMPARABLE = "incomparable"


class LowCk(StrEnum):
    """A CK too low to be true (clinical.md O3, C10.29); LOW_MUSCLE_MASS: a low creatinine may explain it."""

    NONE = "none"
    DISCORDANT = "discordant"
    LOW_MUSCLE_MASS = "low_muscle_mass"


class CkCourse(msgspec.Struct, frozen=True, kw_only=True):
    """CK over time (clinical.md C6 O3, C7 L7-L9). `latest` is the newest valid one of the window before the anchor, and
    `band` its band; `previous` the one before it. `was_high`: an earlier CK was at least 4 times its limit. `low_result` was
    set aside. `creatinine`: the one of the window of the latest CK, where it is below its limit."""

    latest: Result | None = None
    band: CkBand = CkBand.UNKNOWN
    previous: Result | None = None
    rebound: Rebound = Rebound.NONE
    was_high: bool = False
    low: LowCk = LowCk.NONE
    low_result: Result | None = None
    creatinine: Result | None = None


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """A flag that C1 raises about result versions: its code (C4), the analyte, the refs, and what happened when.

    `hold` is True when it holds the analyte (C10.14), `waits` unless the test counts as missing meanwhile. `day` is the
    collection day of the result concerned, `text` the material or the like as reported, for the comment.
    """

    code: str
    analyte: str
    refs: tuple[str, ...] = ()
    hold: bool = False
    waits: bool = True
    day: date | None = None
    text: str = ""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """What one evaluation looks at (clinical.md C2, C3, C10.1). `anchor` is None when there is no usable result.

    `other_positive` are other myositis-specific antibodies at POS_LOW or stronger (C10.24), `other_negative` counts
    other antigens found NEG, `other_pending` an OTHER_MSA in progress, `others_tested`: any usable one; `others_all_low`:
    none of those positive is strong (C10.7); `synthetase_on_file`: one was positive, however old (C10.38). `suspicion`:
    recorded by the requester; `suspicion_implied`: an antibody result on file, or a HEp-2 without pattern, counts as one in
    G0 (C10.1, C10.19 a). `outstanding` are the analytes in progress that were ordered together
    with what is used (C10.15).
    """

    today: date
    anchor: date | None = None
    srp: AntibodyEvidence
    hmgcr: AntibodyEvidence
    hep2: Hep2Evidence = Hep2Evidence()
    ck: CkEvidence = CkEvidence()
    course: CkCourse = CkCourse()
    other_positive: tuple[Result, ...] = ()
    others_all_low: bool = False
    other_negative: int = 0
    other_pending: bool = False
    others_tested: bool = False
    synthetase_negative: bool = False
    synthetase_on_file: bool = False
    suspicion: bool = False
    suspicion_implied: bool = False
    age_years: int | None = None
    statin: str = ""
    ivig: date | None = None
    raised: tuple[Raised, ...] = ()
    notes: tuple[PlacedNote, ...] = ()
    used: tuple[Result, ...] = ()
    outstanding: tuple[str, ...] = ()
