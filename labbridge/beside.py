"""What runs beside the way of a message: the order of the worklist, release by rule, replays, a look over the store. None of
it is waited for, but the first look over the store."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from labbridge import automatic
from labbridge.acts import Acts
from labbridge.automatic import Automatic
from labbridge.config import Config
from labbridge.knowledge.documents import Source
from labbridge.ordering import Ordering
from labbridge.ports import Clock, Judge
from labbridge.store import opening
from labbridge.store.desk import StoreDesk
from labbridge.trying import Trying
from labbridge.wholeness import Wholeness


class Beside:
    """All of it, by the knowledge in force. `parts`: the judge, the clock, and what wakes the deliveries."""

    def __init__(
        self,
        config: Config,
        texts: Sequence[Source],
        desk: StoreDesk,
        acts: Acts,
        parts: tuple[Judge, Clock, Callable[[], None]],
    ) -> None:
        ordering = Ordering(opening.reader(config.store.url), desk.ranks, texts)
        self._trying = Trying(config, desk.replays, parts[1], texts)
        url = config.store.url
        over = desk.look_over(opening.reader(url), opening.reader(url, lenient=True))
        self._wholeness = Wholeness(over, parts[1])
        self._every: list[Ordering | Trying | Automatic | Wholeness] = [
            ordering,
            self._trying,
            self._wholeness,
            *automatic.of(config, texts, desk, acts, parts),
        ]

    async def started(self) -> None:
        """What has to be known of the store before anything is processed."""
        await self._wholeness.started()

    def taken(self, texts: Sequence[Source]) -> None:
        """The knowledge that is in force from now on."""
        for one in self._every:
            one.taken(texts)

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """Each runs for ever; one that ends by itself is a bug."""
        return [one.run() for one in self._every]

    async def replay(self, request: dict[str, Any]) -> dict[str, Any]:
        """Begin a replay of what lies on the disk."""
        return await self._trying.perform(request)
