"""ports.Intake over a pipe: FHIR bodies are taken in one process and kept in the one that writes.

Whatever comes within twenty milliseconds, or while an exchange is under way, goes together, so that a busy hour is committed
in groups: what a commit costs is shared by all that it keeps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

import msgspec

from labbridge.errors import StoreUnavailable
from labbridge.model.work import Arrival, AuditEvent, Receipt
from labbridge.observe.logs import logger, place

AT_ONCE = 64
GATHER_S = 0.02  # reading a body takes a tenth of it
Wanted = tuple[Arrival, AuditEvent]
Keep = Callable[[Sequence[Wanted]], list[Receipt]]

_log = logger("feeds")
_encode = msgspec.msgpack.Encoder().encode
_wanted = msgspec.msgpack.Decoder(list[Wanted]).decode
_receipts = msgspec.msgpack.Decoder(list[Receipt] | str).decode


class RemoteIntake:
    """The end in the process that takes. Used from one loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[Wanted, asyncio.Future[Receipt]]] = []
        self._busy = False

    async def keep(self, arrival: Arrival, audit: AuditEvent) -> Receipt:
        """StoreUnavailable where it was not kept."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._waiting.append(((arrival, audit), future))
        if not self._busy:
            self._busy = True
            loop.create_task(self._exchange()).add_done_callback(lambda task: task.exception())
        return await future

    async def _exchange(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if len(self._waiting) < AT_ONCE:
                await asyncio.sleep(GATHER_S)
            some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                found = await loop.run_in_executor(None, self._ask, [wanted for wanted, _future in some])
            except StoreUnavailable as fault:
                found = str(fault)
            for number, (_wanted_one, future) in enumerate(some):
                if not future.done():
                    if isinstance(found, str):
                        future.set_exception(StoreUnavailable(found))
                    else:
                        future.set_result(found[number])
        self._busy = False

    def _ask(self, wanted: list[Wanted]) -> list[Receipt] | str:
        try:
            self._connection.send_bytes(_encode(wanted))
            answer: list[Receipt] | str = _receipts(self._connection.recv_bytes())
        except (EOFError, OSError) as fault:
            raise StoreUnavailable("The process that writes has ended") from fault
        return answer


def serve_intake(connection: Connection, keep: Keep) -> threading.Thread:
    """Keep what comes through the pipe, until it closes. Runs in a thread of the writing process. `keep` raises
    StoreUnavailable where nothing was kept."""

    def serve() -> None:
        with connection:
            exchange()

    def exchange() -> None:
        while True:
            try:
                wanted = _wanted(connection.recv_bytes())
            except (EOFError, OSError):
                return
            try:
                answer: list[Receipt] | str = keep(wanted)
            except StoreUnavailable as fault:
                answer = str(fault)
            except Exception as error:  # noqa: BLE001 - a bug of one exchange: nothing of it was kept, and the next may do
                _log.error("keeping_failed", error=type(error).__name__, place=place(error))
                answer = "It could not be kept"
            try:
                connection.send_bytes(_encode(answer))
            except OSError:
                return

    thread = threading.Thread(target=serve, name="fhir-intake", daemon=True)
    thread.start()
    return thread
