"""What the workbench reads: the worklist and its cases. Reads only, so many statements a page and no more."""

from __future__ import annotations

from collections.abc import Sequence

from labbridge.model.review import Decision, Signed
from labbridge.model.work import Case, HeldResults
from labbridge.store import decisions, reading
from labbridge.store.connection import Connection


class StoreBench:
    """web/parts.Cases on a connection of its own."""

    def __init__(self, reader: Connection) -> None:
        self._reader = reader

    def case(self, key: int) -> Case | None:
        return reading.case(self._reader, key)

    def draft(self, key: int, version: int) -> Case | None:
        """The case as an earlier version had it; None where there was none."""
        return reading.draft(self._reader, key, version)

    def decisions(self, key: int) -> list[Decision]:
        return decisions.of_case(self._reader, key)

    def signatures(self, key: int) -> list[Signed]:
        return decisions.signatures(self._reader, key)

    def held(self, key: int) -> HeldResults | None:
        """What is held of the patient of a case, for its evidence; None where there is no such case."""
        return reading.held(self._reader, key)

    def worklist(self, feeds: Sequence[str] | None, limit: int, offset: int = 0) -> list[Case]:
        """The cases of these feeds (None: of all), those first that a person has to look at, oldest first."""
        return reading.worklist(self._reader, limit, offset, feeds)
