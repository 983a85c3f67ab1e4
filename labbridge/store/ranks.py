"""The rank of each open case, where a site orders its worklist by expected value; beside everything that decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from labbridge.model.outcome import Outcome
from labbridge.store.connection import Connection

OPEN = "c.state NOT IN ('signed', 'closed')"
UNRANKED = (
    'SELECT c.id, c.version, d.outcome FROM cases c JOIN drafts d ON d."case" = c.id AND d.version = c.version'  # noqa: S608
    f" WHERE {OPEN} AND c.ranked <> c.version || ' ' || ? ORDER BY c.id LIMIT ?"
)
RANK = "UPDATE cases SET rank = ?, ranked = ? WHERE id = ? AND version = ?"
CLEAR = "UPDATE cases SET rank = 0, ranked = '' WHERE ranked <> ''"

_outcome = msgspec.json.Decoder(Outcome)


class Ranked(NamedTuple):
    """A version of a case with its rank by a knowledge."""

    case: int
    version: int
    rank: int
    knowledge: str


def unranked(connection: Connection, knowledge: str, limit: int) -> list[tuple[int, int, Outcome]]:
    """Open cases whose present version has no rank by this knowledge: key, version, outcome."""
    rows = connection.execute(UNRANKED, (knowledge, limit)).fetchall()
    return [(int(key), int(version), _outcome.decode(outcome)) for key, version, outcome in rows]


def rank(connection: Connection, ranked: Sequence[Ranked]) -> None:
    """Keep ranks; of a version that is no more nothing is kept."""
    for one in ranked:
        connection.execute(RANK, (one.rank, f"{one.version} {one.knowledge}", one.case, one.version))


def clear(connection: Connection) -> None:
    """Every case as if it had never been ranked."""
    connection.execute(CLEAR)
