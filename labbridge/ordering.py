"""The worklist by expected value, where a site has chosen it (policy `worklist_order`): open cases are ranked beside the
message path, from what was drafted; nothing that is drafted or sent comes to depend on it (clinical.md E5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Lock

from labbridge.errors import StoreUnavailable
from labbridge.knowledge.build import Knowledge
from labbridge.knowledge.documents import Source
from labbridge.model.outcome import Outcome
from labbridge.model.ranking import Ranking
from labbridge.observe import logs
from labbridge.review.ranking import BY_VALUE, CHOICE, Ranker
from labbridge.sources import KnowledgeError, policy_of, understood, unpacked
from labbridge.store import ranks
from labbridge.store.connection import Connection
from labbridge.store.ranks import Ranked, StoreRanks

LOOK_EVERY_S = 2.0
AT_ONCE = 100

_log = logs.logger("ordering")


class Ordering:
    """Ranks open cases by the knowledge in force; takes every rank away where the site orders by the table."""

    def __init__(self, reader: Connection, ranks: StoreRanks, texts: Sequence[Source]) -> None:
        self._reader, self._ranks, self._texts = reader, ranks, texts
        self._understood: Sequence[Source] | None = None  # the texts that `_knowledge` and `_ranker` are of
        self._knowledge: Knowledge | None = None
        self._ranker: Ranker | None = None

    def taken(self, texts: Sequence[Source]) -> None:
        """The knowledge that is in force from now on. Whatever is being looked at meanwhile is looked at again."""
        self._texts = texts

    async def run(self) -> None:
        while True:
            try:
                more = await asyncio.to_thread(self.look)
            except StoreUnavailable:
                more = False
                _log.warning("ordering_waits")
            await asyncio.sleep(0 if more else LOOK_EVERY_S)

    def look(self) -> bool:
        """Rank some of what is not ranked; whether there may be more."""
        texts = self._texts
        if self._understood is not texts:
            self._understand(texts)
        if self._knowledge is None or self._ranker is None:
            return False
        found = ranks.unranked(self._reader, self._knowledge.version, AT_ONCE)
        ranked = [
            Ranked(key, version, self._ranker(outcome).rank if outcome else 0, self._knowledge.version)
            for key, version, outcome in found
        ]
        if ranked:
            self._ranks.keep(ranked)
        return len(found) == AT_ONCE

    def _understand(self, texts: Sequence[Source]) -> None:
        """Where the site orders by the table nothing more than its choice is read."""
        if policy_of(texts).choice(CHOICE) == BY_VALUE:
            self._knowledge = understood(texts)
            self._ranker = Ranker(self._knowledge)
        else:
            self._ranks.clear()
            self._knowledge = self._ranker = None
        self._understood = texts


class RankingOnDemand:
    """Why a case was ranked as it was, told again by the knowledge that ranked it: the draws are always the same, so the
    figures are too. The knowledge of the last question is kept."""

    def __init__(self) -> None:
        self._kept: tuple[str, Ranker] | None = None
        self._turn = Lock()

    def __call__(self, wanted: str, body: bytes, outcome: Outcome) -> Ranking | None:
        """The ranking of an outcome by the knowledge kept as `body` under the version `wanted`; None where this version of
        labbridge cannot read that any more."""
        with self._turn:
            try:
                if self._kept is None or self._kept[0] != wanted:
                    self._kept = wanted, Ranker(understood(unpacked(body)))
            except KnowledgeError:
                return None
            return self._kept[1](outcome)
