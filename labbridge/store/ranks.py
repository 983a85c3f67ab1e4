"""The rank of each open case, where a site orders its worklist by expected value; beside everything that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from labbridge.model.outcome import Outcome
from labbridge.store import sums, whole
from labbridge.store.connection import Connection
from labbridge.store.writer import Writer

OPEN = "c.state NOT IN ('signed', 'closed')"
UNRANKED = (
    f'SELECT {whole.DRAFT.format("d")} FROM cases c JOIN drafts d ON d."case" = c.id AND d.version = c.version'  # noqa: S608
    f" WHERE {OPEN} AND c.ranked <> c.version || ' ' || ? ORDER BY c.id LIMIT ?"
)
RANK = "UPDATE cases SET rank = ?, ranked = ?, rank_crc = ? WHERE id = ? AND version = ?"
RANKED_BY = "SELECT ranked FROM cases WHERE id = ? AND version = ?"
CLEAR = f"UPDATE cases SET rank = 0, ranked = '', rank_crc = {sums.NOT_RANKED} WHERE ranked <> ''"  # noqa: S608

_outcome = msgspec.json.Decoder(Outcome)


class Ranked(NamedTuple):
    """A version of a case with its rank by a knowledge."""

    case: int
    version: int
    rank: int
    knowledge: str


def unranked(connection: Connection, knowledge: str, limit: int) -> list[tuple[int, int, Outcome | None]]:
    """Open cases whose present version has no rank by this knowledge: key, version, outcome (None: its draft is damaged)."""
    rows = connection.execute(UNRANKED, (knowledge, limit)).fetchall()
    return [(int(row[0]), int(row[1]), _outcome.decode(row[7]) if whole.draft(row) else None) for row in rows]


def ranked_by(connection: Connection, case: int, version: int) -> str:
    """The knowledge that this version of a case was ranked by; empty where it was not."""
    row = connection.execute(RANKED_BY, (case, version)).fetchone()
    of_version, _space, knowledge = str(row[0]).partition(" ") if row else ("", "", "")
    return knowledge if of_version == str(version) else ""


class StoreRanks:
    """Ranks written by the writer."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def keep(self, ranked: Sequence[Ranked]) -> None:
        """Keep ranks; of a version that is no more nothing is kept."""
        named = [((one.rank, f"{one.version} {one.knowledge}"), one.case, one.version) for one in ranked]
        rows = [(*group, sums.of_group(group), case, version) for group, case, version in named]

        def job(connection: Connection) -> None:
            for row in rows:
                connection.execute(RANK, row)

        self._writer.submit(job).result()

    def clear(self) -> None:
        """Every case as if it had never been ranked."""
        self._writer.submit(lambda connection: connection.execute(CLEAR)).result()
