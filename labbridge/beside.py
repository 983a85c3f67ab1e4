"""What runs beside the way of a message: the order of the worklist, release by rule, replays, changes of the site's files, a
look over the store. None of it is waited for, but the first look over the store."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from labbridge import automatic
from labbridge.acts import Acts
from labbridge.automatic import Automatic
from labbridge.changing import Changing, Reload
from labbridge.config import Config
from labbridge.knowledge.documents import Source
from labbridge.ordering import Ordering
from labbridge.ports import Clock, Judge
from labbridge.store import opening
from labbridge.store.desk import StoreDesk
from labbridge.trying import Trying
from labbridge.wholeness import Wholeness


class Beside:
    """All of it, by the knowledge in force. `parts`: the judge, the clock, and what wakes the deliveries;
    `reload` takes what lies on the disk into force."""

    def __init__(
        self,
        config: Config,
        texts: Sequence[Source],
        desk: StoreDesk,
        acts: Acts,
        parts: tuple[Judge, Clock, Callable[[], None]],
        reload: Reload,
    ) -> None:
        ordering = Ordering(opening.reader(config.store.url), desk.ranks, texts)
        self._trying = Trying(config, (desk.replays, desk.changes, desk.unmapped), parts[1], texts)
        stores = (desk.changes, desk.unmapped, desk.replays, acts.people)
        self._changing = Changing(config.knowledge.site, stores, acts.repairing, parts[1], reload)
        self._changing.taken(texts)
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
        self._changing.taken(texts)
        for one in self._every:
            one.taken(texts)

    def stop(self) -> None:
        """What is in hand is given up."""
        self._changing.stop()

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """Each runs for ever; one that ends by itself is a bug."""
        return [one.run() for one in self._every]

    async def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """A replay, or a change of the site's files: neither waits for a person's release, nor the other way round."""
        whose = self._changing if request.get("command") == "change" else self._trying
        return await whose.perform(request)
