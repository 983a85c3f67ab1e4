"""What runs beside the way of a message: the order of the worklist, release by rule, replays, changes of the site's files, a
look over the store. None of it is waited for, but the first look over the store. Of several nodes one does it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from labbridge import automatic
from labbridge.acts import Acts
from labbridge.automatic import Automatic
from labbridge.changing import Changing, Reload
from labbridge.config import Config
from labbridge.knowledge.documents import Source
from labbridge.membership import Membership
from labbridge.ordering import Ordering
from labbridge.ports import Clock, Judge
from labbridge.store import opening
from labbridge.store.desk import StoreDesk
from labbridge.trying import Trying
from labbridge.wholeness import Wholeness

LOOK_S = 1.0


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
        membership: Membership,
    ) -> None:
        self._membership = membership
        ordering = Ordering(opening.reader(config.store.url), desk.ranks, texts)
        replays = (desk.replays, desk.changes, desk.unmapped)
        self._trying = Trying(config, replays, parts[1], texts, membership.others)
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
        """What has to be known of the store before anything is processed; where another node keeps it up it is known."""
        if self._membership.keeps_up():
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
        if not self._membership.leases.several:
            return [one.run() for one in self._every]
        ours = [self._while_ours(one.run) for one in self._every if one is not self._trying]
        return [self._trying.run(), *ours]  # a replay runs where it was asked for

    async def _while_ours(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run it whenever the upkeep is this node's."""
        task: asyncio.Task[None] | None = None
        try:
            while True:
                if task is None and self._membership.keeps_up():
                    task = asyncio.create_task(run())
                elif task is not None and not self._membership.keeps_up():
                    task.cancel()
                    task = None
                if task is None:
                    await asyncio.sleep(LOOK_S)
                elif (await asyncio.wait({task}, timeout=LOOK_S))[0]:
                    return task.result()
        finally:
            if task is not None:
                task.cancel()

    async def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """A replay, or a change of the site's files: neither waits for a person's release, nor the other way round."""
        whose = self._changing if request.get("command") == "change" else self._trying
        return await whose.perform(request)
