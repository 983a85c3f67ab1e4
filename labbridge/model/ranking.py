"""Why a case stands where it does on a worklist that is ordered by expected value (clinical.md E): for the scientist at the
worklist, never for a comment or a clinician (E5)."""

from __future__ import annotations

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """A figure at the defaults (`point`), and the band that the ranges of what it rests on leave it."""

    point: float
    low: float
    high: float


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """One figure that went in: the row of probabilities.yaml, its meaning, default and range (None: not varied), its tag
    and source, and who reviewed it."""

    id: str
    means: str
    unit: str
    default: float
    low: float | None = None
    high: float | None = None
    tag: str
    source: str
    reviewed: tuple[str, ...] = ()


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """The retest of one antibody. `family`: the kind of method that its figures are about; empty where there is none.
    `probability` that the antibody is clinically true; `value` of the retest in losses of one false label (clinical.md E4).
    Both None where no figure speaks, and then `says` tells why. `rank`: `value` in 1/10,000; 0: the table's order stands."""

    antibody: str
    family: str = ""
    probability: Spread | None = None
    value: Spread | None = None
    rank: int = 0
    figures: tuple[Weighed, ...] = ()
    says: tuple[str, ...] = ()


class Ranking(msgspec.Struct, frozen=True):
    """A case's rank, the highest of its retests': 0 or above, higher first. Equal ranks keep the table's order. Empty where
    the site has not switched this on."""

    rank: int = 0
    retests: tuple[Worth, ...] = ()
