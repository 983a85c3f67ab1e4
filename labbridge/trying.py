"""A replay that is asked for at the workbench: it runs beside the service, one at a time, and its cases are kept as they
come; people say of each whether it is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from labbridge.config import Config
from labbridge.errors import Refused, StoreUnavailable
from labbridge.knowledge.build import version
from labbridge.knowledge.documents import Source
from labbridge.knowledge.edits import applied
from labbridge.model.changes import Change
from labbridge.model.replay import Sum, Told, Wanted
from labbridge.model.work import AuditEvent
from labbridge.observe import logs
from labbridge.ports import Clock
from labbridge.replaying import replay
from labbridge.review import policies
from labbridge.review.changes import parse_change
from labbridge.sources import KnowledgeError, read_all, understood
from labbridge.store.changes import StoreChanges
from labbridge.store.replays import StoreReplays
from labbridge.store.unmapped import StoreUnmapped

AT_ONCE = 50
PROCESSES = 1

_log = logs.logger("replay")
T = TypeVar("T")


class Trying:
    """Replays of what lies on the disk beside what is in force. `taken` is told of other knowledge in force."""

    def __init__(
        self,
        config: Config,
        stores: tuple[StoreReplays, StoreChanges, StoreUnmapped],
        clock: Clock,
        texts: Sequence[Source],
        others: Callable[[], bool] = lambda: False,
    ) -> None:
        self._config, self._clock, self._texts, self._others = config, clock, texts, others
        self._store, self._changes, self._unmapped = stores
        self._task: asyncio.Task[None] | None = None

    def taken(self, texts: Sequence[Source]) -> None:
        self._texts = texts

    async def run(self) -> None:
        """What ran when the service before ended has failed, but where other nodes run some; then there is nothing to do but
        when asked."""
        if not self._others():
            await asyncio.to_thread(self._store.left)
        await asyncio.Event().wait()

    async def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """{"command": "replay", "as", "person"}: begin one; its key. With {"change": E7}: of the files as they would be with
        it in them; where it maps a code, over the patients whose messages carried it."""
        try:
            key, texts, messages = await asyncio.to_thread(self._begin, request)
        except (Refused, StoreUnavailable) as refusal:
            return {"ok": False, "error": str(refusal)}
        going = asyncio.to_thread(self._go_through, key, texts, messages)
        self._task = asyncio.get_running_loop().create_task(going)
        self._task.add_done_callback(_ended)
        return {"ok": True, "replay": key}

    def _begin(self, request: dict[str, Any]) -> tuple[int, list[Source], frozenset[int] | None]:
        name = str(request.get("as", ""))
        policies.check_signer(name)
        change = self._change(request)
        try:
            texts = read_all(self._config.knowledge.site)
            texts = applied(texts, change.edits) if change is not None else texts
            understood(texts)
        except KnowledgeError as error:
            raise Refused(f"The files on the disk have a fault: {error.faults[0]}") from None
        before, after = version(self._texts), version(texts)
        if before == after:
            raise Refused("What lies on the disk is in force: there is nothing to compare")
        now, by = self._clock.now(), str(request.get("person", "")) or name
        event = AuditEvent(at=now, actor=by, action="replay", subject="knowledge", detail=f"{before} beside {after}")
        key = self._store.begin(before, after, event)
        if change is None:
            return key, texts, None
        self._changes.tried(change.key, key)
        return key, texts, frozenset(self._unmapped.messages(change.about)) if change.about else None

    def _change(self, request: dict[str, Any]) -> Change | None:
        shown = request.get("change")
        if shown is None:
            return None
        found = self._changes.one(parse_change(str(shown)))
        if found is None or found.ended is not None:
            raise Refused("There is no such change that waits")
        return found

    def _go_through(self, key: int, texts: list[Source], messages: frozenset[int] | None) -> None:
        """However it ends, that is kept; a bug is told by `_ended`, and the service goes on."""
        number, found = 1, None
        try:
            for some in _together(replay(self._config, self._texts, texts, None, PROCESSES, messages=messages)):
                told = [one for one in some if isinstance(one, Told)]
                found = next((one for one in some if isinstance(one, Sum)), found)
                self._store.add(key, number, told)
                number += len(told)
        finally:
            self._store.end(key, found, "" if found is not None else "It came to no end; see the log")


def _ended(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("replay_failed", error=type(error).__name__, place=logs.place(error))


def _together(every: Iterator[T]) -> Iterator[list[T]]:
    some: list[T] = []
    for one in every:
        some.append(one)
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some


def say(store: StoreReplays, clock: Clock, shown: str, name: str, request: dict[str, Any]) -> str:
    """What a person says of one case: the key is R3/12, {"verdict": accept or narrow, "why"}."""
    policies.check_signer(name)
    verdict = str(request.get("verdict", ""))
    if verdict not in (Wanted.ACCEPT, Wanted.NARROW):
        raise Refused("Say accept or narrow")
    replay_key, _, number = shown.removeprefix("R").partition("/")
    if not (replay_key.isdigit() and number.isdigit() and len(shown) < 30):
        raise Refused(f"{shown!r} is no case of a replay; write R3/12")
    why = policies.check_reason(str(request.get("why", ""))) if verdict == Wanted.NARROW else ""
    by = str(request.get("person", "")) or name
    event = AuditEvent(at=clock.now(), actor=by, action=f"replay {verdict}", subject=shown, detail=why)
    store.say((int(replay_key), int(number)), Wanted(verdict), (by, name, why), event)
    return shown
