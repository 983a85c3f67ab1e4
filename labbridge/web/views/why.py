"""Why a case is on the worklist: each flag with the results it rests on, in the words and numbers they came with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from labbridge.model.outcome import Flag, Outcome
from labbridge.model.worklist import RANKS
from labbridge.web.views.clock import Age, age
from labbridge.web.views.entries import Entry
from labbridge.web.views.head import versions
from labbridge.web.views.matrix import Matrix


class Basis(msgspec.Struct, frozen=True):
    """A result that a flag rests on. `ref` as the flag names it; `entry` is that version, None where it is not held (any
    more); `cell` is the id of the matrix cell it belongs to, empty where it has none."""

    ref: str
    entry: Entry | None
    cell: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A flag with its basis. `since` is the receipt of the newest result it rests on, from when it could be raised, and
    `age` how long ago that was; None where none of them is held."""

    flag: Flag
    basis: tuple[Basis, ...]
    since: datetime | None
    age: Age | None


def cell_id(row: int, column: int) -> str:
    """What a cell of the matrix is called on the page; both counted from 1."""
    return f"cell-{row}-{column}"


def reasons(outcome: Outcome, found: Matrix, now: datetime) -> tuple[Reason, ...]:
    """The flags of a case, the worst first, else as the rules raised them."""
    held = {one.place: one for one in versions(found.entries)}
    cells = _cells(found)
    flags = sorted(outcome.flags, key=_rank, reverse=True)
    return tuple(_reason(flag, held, cells, now) for flag in flags)


def _rank(flag: Flag) -> int:
    return RANKS[flag.severity]


def _reason(flag: Flag, held: Mapping[str, Entry], cells: Mapping[str, str], now: datetime) -> Reason:
    basis = tuple(Basis(ref, held.get(ref), cells.get(ref, "")) for ref in dict.fromkeys(flag.evidence))
    since = max((one.entry.result.received for one in basis if one.entry is not None), default=None)
    return Reason(flag=flag, basis=basis, since=since, age=age(since, now) if since is not None else None)


def _cells(found: Matrix) -> dict[str, str]:
    """The cell of each version of each result."""
    return {
        one.place: cell_id(row, column)
        for row, line in enumerate(found.rows, 1)
        for column, cell in enumerate(line.cells, 1)
        for one in versions(cell.entries)
    }
