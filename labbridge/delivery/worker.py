"""The delivery loop of one receiver: one attempt after another, a rest after trouble, asleep while nothing is due."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from labbridge.delivery.retry import retry_delay
from labbridge.errors import StoreUnavailable
from labbridge.observe.logs import logger

_log = logger("delivery")
LINE_CAP_S = 30.0  # a receiver that is away is tried at least this often, so that it is found soon after its return


class Line(Protocol):
    """What the loop needs to know of a receiver: its name, and how many exchanges in a row had no answer."""

    name: str
    failures: int

    def close(self) -> None: ...


class DeliveryWorker:
    """Runs `attempt` (pipeline.deliver, bound) until stopped. Each attempt ends whole: a stop waits for its answer.

    `attempt` returns False when nothing was due; then the loop sleeps until `wake` or `poll_s`, whichever is first.
    Each message has its own schedule in the outbox; the rest after trouble is the receiver's, so that a thousand lanes
    do not knock a thousand times at a closed door.
    """

    def __init__(
        self,
        line: Line,
        attempt: Callable[[], Awaitable[bool]],
        *,
        poll_s: float = 1.0,
        rng: Callable[[], float] = random.random,
        pause: Callable[[float], float] = lambda seconds: min(seconds, LINE_CAP_S),
    ) -> None:
        self._line, self._attempt = line, attempt
        self._poll_s, self._rng, self._pause = poll_s, rng, pause
        self._wake, self._stop = asyncio.Event(), asyncio.Event()

    def wake(self) -> None:
        """Something was put into the outbox."""
        self._wake.set()

    def stop(self) -> None:
        """End after the attempt in hand."""
        self._stop.set()
        self._wake.set()

    async def run(self) -> None:
        """Until stop(). A store that cannot answer is waited for; anything else that is raised is a bug and leaves."""
        try:
            trouble = 0
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    found = await self._attempt()
                    trouble = self._line.failures
                except StoreUnavailable:
                    trouble, found = trouble + 1, True
                    _log.error("store_unavailable", receiver=self._line.name, count=trouble)
                if found and trouble:
                    await _within(self._stop, self._pause(retry_delay(trouble, self._rng).total_seconds()))
                elif not found and not self._stop.is_set():
                    await _within(self._wake, self._poll_s)
        finally:
            self._line.close()


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
