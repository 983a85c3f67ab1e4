"""Delivery as the service runs it: one worker for each receiver, at work while this node holds the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from labbridge import pipeline
from labbridge.certificates import Certificates
from labbridge.config import Config
from labbridge.delivery.retry import retry_delay
from labbridge.delivery.worker import DeliveryWorker
from labbridge.model.work import AuditEvent
from labbridge.observe.traffic import Traffic
from labbridge.ports import Clock, Outbox
from labbridge.receivers import Client, receiver_of
from labbridge.store.leases import Leases
from labbridge.store.outbox import holding


class Turn:
    """The attempts with one receiver. What an attempt of a node before left is taken up before the first of our own."""

    def __init__(self, receiver: Client, outbox: Outbox, leases: Leases, clock: Clock) -> None:
        self._receiver, self._outbox, self._leases, self._clock = receiver, outbox, leases, clock
        self._name = holding(receiver.name)
        self._since = 0
        receiver.may_send = lambda: self._leases.holds(self._name) == self._since

    async def attempt(self) -> bool:
        """pipeline.deliver, where the receiver is ours now."""
        since = self._leases.holds(self._name)
        if not since:
            return False
        if since != self._since:
            now = self._clock.now()
            event = AuditEvent(at=now, actor="labbridge", action="recovered", subject="outbox")
            await self._outbox.recover(self._receiver.name, now, event)
            self._since = since
        return await pipeline.deliver(self._receiver, self._outbox, self._clock, _delay)


class Deliveries:
    """All workers of a service."""

    def __init__(self, config: Config, outbox: Outbox, leases: Leases, clock: Clock) -> None:
        self._config, self._outbox, self._leases, self._clock = config, outbox, leases, clock
        self._workers: list[DeliveryWorker] = []

    def wake(self) -> None:
        """There may be something to send."""
        for worker in self._workers:
            worker.wake()

    def stop(self) -> None:
        """Each ends after the attempt in hand."""
        for worker in self._workers:
            worker.stop()

    @contextlib.asynccontextmanager
    async def running(
        self,
        certificates: Certificates,
        traffic: Traffic,
        failed: Callable[[asyncio.Task[None]], None],
        drain_by: Callable[[], float],
    ) -> AsyncIterator[None]:
        """At the end each has until `drain_by` (of the loop's clock) for the answer it waits for."""
        tasks = []
        for name, section in self._config.receivers.items():
            receiver = receiver_of(name, section, certificates, traffic)
            worker = DeliveryWorker(receiver, Turn(receiver, self._outbox, self._leases, self._clock).attempt)
            self._workers.append(worker)
            task = asyncio.create_task(worker.run())
            task.add_done_callback(failed)
            tasks.append(task)
        yield
        self.stop()
        if tasks:
            left = max(1.0, drain_by() - asyncio.get_running_loop().time())
            _done, late = await asyncio.wait(tasks, timeout=left)
            for task in late:  # an answer that never comes: the message waits again at the next start
                task.cancel()


def _delay(attempt: int) -> timedelta:
    return retry_delay(attempt, random.random)
