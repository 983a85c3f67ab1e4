"""The evidence matrix of a case: an analyte a row, a method family a column, and what is held in each cell.

A cell without a result says so: `not done` where such a test exists, that it does not apply where there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from labbridge.model.outcome import Outcome, Retest
from labbridge.model.result import Analyte, Family, Result
from labbridge.web.views.entries import FAMILIES, NO_METHOD, Entry, entries, name

ALWAYS = (Analyte.SRP, Analyte.HMGCR, Analyte.HEP2, Analyte.CK)
EXPECTED = (Family.BLOT, Family.QUANT, Family.HEP2_IIF, Family.ENZYMATIC)
_ANTIBODY = (Family.BLOT, Family.QUANT, Family.IP, Family.CBA, Family.TISSUE)
_APPLIES = {
    Analyte.HEP2: (Family.HEP2_IIF, Family.SOLID_PHASE_ANA),
    Analyte.CK: (Family.ENZYMATIC,),
    Analyte.CREATININE: (Family.ENZYMATIC,),
}


class Column(msgspec.Struct, frozen=True):
    """`family` is None for results of which nobody knows the method."""

    family: Family | None
    name: str


class Cell(msgspec.Struct, frozen=True):
    """`entries` are all of it, the newest collection first. `shown` are the newest of each method: two kits of a family may
    disagree, and neither hides the other. `applies`: there is such a test. `proposed`: the case proposes it."""

    entries: tuple[Entry, ...] = ()
    shown: tuple[Entry, ...] = ()
    applies: bool = True
    proposed: bool = False

    @property
    def more(self) -> int:
        return len(self.entries) - len(self.shown)


class Row(msgspec.Struct, frozen=True):
    """`newest` is the newest entry of the row, None where there is none; `count` how many results it has."""

    name: str
    cells: tuple[Cell, ...]
    count: int
    newest: Entry | None


class Matrix(msgspec.Struct, frozen=True):
    """`entries` are all, by row and then the newest first. `laboratories` are the performing laboratories that are named."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    entries: tuple[Entry, ...]
    laboratories: tuple[str, ...]


def matrix(results: Iterable[Result], outcome: Outcome, ours: frozenset[str] = frozenset()) -> Matrix:
    """The matrix of the results held of a patient, and of what a case says of them. `ours`: entries.entries."""
    found = entries(results, outcome, ours)
    columns = _columns(found, outcome.retests)
    named = _named(found)
    rows = tuple(
        _row(analyte, label, [one for one in found if one.name == label], columns, outcome.retests)
        for label, analyte in named.items()
    )
    ordered = tuple(one for label in named for one in found if one.name == label)
    laboratories = tuple(sorted({one.laboratory for one in found if one.laboratory}))
    return Matrix(columns, rows, ordered, laboratories)


def _named(found: Sequence[Entry]) -> dict[str, Analyte]:
    """The rows: the four of every case, then other antibodies by name, then creatinine."""
    others = {one.name for one in found if one.analyte is Analyte.OTHER_MSA}
    rows = {name(analyte): analyte for analyte in ALWAYS} | dict.fromkeys(sorted(others), Analyte.OTHER_MSA)
    if any(one.analyte is Analyte.CREATININE for one in found):
        rows[name(Analyte.CREATININE)] = Analyte.CREATININE
    return rows


def _columns(found: Sequence[Entry], retests: Iterable[Retest]) -> tuple[Column, ...]:
    """The families that every case is expected to have, that are there, or that a retest is proposed by."""
    proposed = {family for retest in retests for family in retest.families}
    there = {one.family for one in found}
    known = [one for one in Family if one in EXPECTED or one in there or one.value in proposed]
    columns = [Column(one, FAMILIES[one]) for one in known]
    return (*columns, *([Column(None, NO_METHOD)] if None in there else []))


def _row(analyte: Analyte, label: str, found: list[Entry], columns: Iterable[Column], retests: Sequence[Retest]) -> Row:
    cells = tuple(_cell(analyte, column.family, found, retests) for column in columns)
    return Row(label, cells, len(found), found[0] if found else None)


def _cell(analyte: Analyte, family: Family | None, row: Iterable[Entry], retests: Iterable[Retest]) -> Cell:
    here = tuple(one for one in row if one.family is family)
    proposed = any(
        one.analyte == analyte.value and family is not None and family.value in one.families for one in retests
    )
    applies = proposed or family in _APPLIES.get(analyte, _ANTIBODY)
    return Cell(here, _of_each_method(here), applies, proposed)


def _of_each_method(here: Iterable[Entry]) -> tuple[Entry, ...]:
    seen: dict[tuple[str, str], Entry] = {}
    for one in here:
        seen.setdefault((one.method.code, one.method.assay) if one.method is not None else ("", ""), one)
    return tuple(seen.values())
