"""The processing process as the service holds it: woken after each commit, started again where it ended, and exchanged
between two batches for one that works by other knowledge."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Sequence

from labbridge import processing
from labbridge.errors import Refused
from labbridge.knowledge.documents import Source
from labbridge.observe import logs
from labbridge.processing import Settings, Started
from labbridge.store.units import serve_units
from labbridge.store.writer import Writer

RESTART_AFTER_S = 1.0
RISES_WITHIN_S = 60.0

_log = logs.logger("service")


class Supervisor:
    """One processing process at a time. `texts`: the knowledge in force; whichever process follows works by it."""

    def __init__(
        self, settings: Settings, texts: Sequence[Source], started: Started, writer: Writer, *, drain_s: float
    ) -> None:
        self.texts = texts
        self._settings, self._writer, self._drain_s = settings, writer, drain_s
        self._worker: Started | None = started
        self._held = threading.Lock()  # the writer's thread wakes it: never by a file that was closed meanwhile
        self._restart: asyncio.TimerHandle | None = None
        self._stopping = False

    def start(self) -> None:
        assert self._worker is not None
        self._attach(self._worker)
        self._writer.after_commit(self.wake)
        self.wake()

    async def stop(self) -> None:
        self._stopping = True
        worker = self._let_go()
        if worker is not None:
            worker.process.terminate()
            await asyncio.to_thread(worker.process.join, self._drain_s)

    def wake(self) -> None:
        """Tell it that something was committed; a full pipe says so already."""
        with self._held, contextlib.suppress(BlockingIOError, BrokenPipeError):
            if self._worker is not None:
                os.write(self._worker.wake, b"\0")

    # ---------------------------------------------------------------- exchange

    async def successor(self, texts: Sequence[Source]) -> Started:
        """A process that has understood these texts and waits for its turn. Refused where it does not come up; then the
        one at work was never touched."""
        started = await asyncio.to_thread(processing.spawn, self._settings, texts)
        if await asyncio.to_thread(processing.has_risen, started, RISES_WITHIN_S):
            return started
        dismiss(started)
        raise Refused("The process that was to work by it did not come up; what was in force stays")

    async def exchange(self, successor: Started, texts: Sequence[Source]) -> None:
        """The one at work ends its batch and goes; the successor takes up what waits."""
        worker = self._let_go()
        if worker is not None:
            await asyncio.to_thread(_leave, worker, self._drain_s)
        if self._stopping:
            dismiss(successor)
            raise Refused("The service is stopping; its next start reads what is there then")
        self.texts = texts
        self._take(successor)

    # ---------------------------------------------------------------- attach, restart

    def _take(self, worker: Started) -> None:
        with self._held:
            self._worker = worker
        self._attach(worker)
        self.wake()

    def _attach(self, worker: Started) -> None:
        serve_units(worker.units, self._writer)
        asyncio.get_running_loop().add_reader(worker.process.sentinel, self._ended, worker)

    def _let_go(self) -> Started | None:
        """Nobody wakes or restarts it any more. Where the pipe is closed it ends after the batch in hand."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        with self._held:
            worker, self._worker = self._worker, None
            if worker is not None:
                os.close(worker.wake)
        return worker

    def _ended(self, worker: Started) -> None:
        """It should not have: what it had begun is taken up again, singly, by the next."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(worker.process.sentinel)
        if self._worker is not worker:
            return
        _log.error("processing_ended", code=str(worker.process.exitcode))
        self._let_go()
        self._restart = loop.call_later(RESTART_AFTER_S, self._again)

    def _again(self) -> None:
        self._restart = None
        self._take(processing.spawn(self._settings, self.texts))


def _leave(worker: Started, within_s: float) -> None:
    """Wait until it has ended its batch; one that does not is ended, and the batch is taken up singly by the next."""
    worker.process.join(within_s)
    if worker.process.is_alive():
        dismiss(worker)


def dismiss(worker: Started) -> None:
    """End a process that was not asked whether it has work."""
    worker.process.kill()
    worker.process.join()
