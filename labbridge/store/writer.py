"""The one writer: a thread that owns the writing connection and commits in groups.

Whatever queued during the last commit is the next group, at most 64, without waiting. A unit is all or nothing: one whose
guard fails is undone alone. A failed commit fails every unit of its group, and nothing of it happened.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from time import perf_counter
from typing import Any, NamedTuple

from labbridge.errors import Refused, StoreUnavailable
from labbridge.observe.traffic import Durations
from labbridge.store.connection import FAULTS, Connection, Statement, Unreachable, fatal, met, name_of
from labbridge.store.joining import joined
from labbridge.store.sealing import Sealer

GROUP = 64
MET_AT_MOST = 3  # in a row, by one group: how often several nodes are believed to write the same at one moment

# psycopg forgets at a rollback what it has prepared, but only at one whose text it has not seen before (3.3.9). What it was
# to prepare behind a statement that failed is not there: it would be asked for by name, and never found.
_undone = itertools.count()

Job = Callable[[Connection], Any]
Handler = Callable[[Connection, Sequence[Any]], Sequence[Any]]


class Together(NamedTuple):
    """One item of a handler that does many of them in one go; it answers each, in their order."""

    handler: Handler
    item: Any


class Outside(NamedTuple):
    """A job that runs between two groups, outside every transaction."""

    job: Job


Queued = tuple[Job | Together | Outside, bool, Any]


class GuardFailed(Exception):
    """A statement changed other rows than expected: what was read is no longer so."""


class Overtaken(StoreUnavailable):
    """Another node has taken over what this was begun for."""


class Writer:
    """Submit jobs from any thread; results come back once they are on disk."""

    def __init__(self, connection: Connection, on_fatal: Callable[[], None] | None = None) -> None:
        self._connection = connection
        self._jobs: queue.SimpleQueue[Queued | None] = queue.SimpleQueue()
        self._turn: list[Queued] = []  # items of this turn of the loop
        self._on_fatal = on_fatal
        self._after: list[Callable[[], None]] = []
        self.commits = 0
        self.took = Durations()  # of the commits alone, which wait for the disk
        self._sealer = Sealer(connection)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def node(self) -> int:
        """The number of the node that this writer is, by its session."""
        return self._connection.node

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call this in the writer's thread after each group that reached the disk."""
        self._after.append(call)

    def submit(self, job: Job, guarded: bool = True) -> Future[Any]:
        """A job in its own savepoint (`guarded`), or straight in the group's transaction where it cannot fail."""
        future: Future[Any] = Future()
        self._jobs.put((job, guarded, future))
        return future

    def submit_outside(self, job: Job) -> Future[Any]:
        """A job outside every transaction, after what was submitted before it: a checkpoint cannot run within one."""
        future: Future[Any] = Future()
        self._jobs.put((Outside(job), False, future))
        return future

    def submit_soon(self, job: Job, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
        """The same for a coroutine: unguarded, answered on its loop, one wake-up for the whole group."""
        future: asyncio.Future[Any] = loop.create_future()
        self._jobs.put((job, False, future))
        return future

    def submit_together(self, handler: Handler, item: Any, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any]:
        """An item for a handler that is given all of its group at once. Every statement gives up the interpreter's lock
        and has to wait for it again: how many there are is what a busy intake costs."""
        future: asyncio.Future[Any] = loop.create_future()
        if not self._turn:
            loop.call_soon(self._end_of_turn)
        self._turn.append((Together(handler, item), False, future))
        return future

    def _end_of_turn(self) -> None:
        """What the loop had in hand is read: now it queues, so that reading and writing do not fight over the lock."""
        for job in self._turn:
            self._jobs.put(job)
        self._turn.clear()

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            first = self._jobs.get()
            group = [] if first is None else [first]
            stopping = first is None
            while len(group) < GROUP and not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    stopping = True
                    break
                group.append(more)
            inside = [one for one in group if not isinstance(one[0], Outside)]
            if inside:
                self._commit(inside)
            for job, _guarded, future in group:
                if isinstance(job, Outside):
                    self._outside(job.job, future)
            if stopping and self._jobs.empty():
                self._connection.close()
                return

    def _commit(self, group: Sequence[Queued], again: int = MET_AT_MOST) -> None:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            answers = self._done(group)
            self._sealer.seal(connection)
            begun = perf_counter()
            connection.execute("COMMIT")
            self.took.add(perf_counter() - begun)
        except FAULTS as error:
            self._sealer.in_doubt()
            self._undo(error)
            if again and met(error):
                self._commit(group, again - 1)
                return
            failure = StoreUnavailable(f"The store could not commit ({name_of(error)})")
            _answer([(future, failure) for _job, _guarded, future in group])
            return
        except Exception as bug:  # noqa: BLE001 - one job's own: it alone fails, and the writer goes on
            self._undo(bug)
            if len(group) == 1:
                _answer([(group[0][2], bug)])
                return
            for one in group:
                self._commit([one])
            return
        self.commits += 1
        self._sealer.committed()
        _answer([(future, answer) for (_job, _guarded, future), answer in zip(group, answers, strict=True)])
        for call in self._after:
            call()

    def _outside(self, job: Job, future: Any) -> None:
        try:
            answer: Any = job(self._connection)
        except FAULTS as error:
            answer = StoreUnavailable(f"The store could not do it ({name_of(error)})")
        except Refused as refusal:
            answer = refusal
        _answer([(future, answer)])

    def _done(self, group: Sequence[Queued]) -> list[Any]:
        answers: list[Any] = [None] * len(group)
        together: dict[Handler, list[int]] = {}
        for place, (job, guarded, _future) in enumerate(group):
            if isinstance(job, Together):
                together.setdefault(job.handler, []).append(place)
            else:
                answers[place] = self._do(job, guarded)  # type: ignore[arg-type]  # none is Outside here
        for handler, places in together.items():
            found = handler(self._connection, [group[place][0].item for place in places])  # type: ignore[union-attr]
            for place, answer in zip(places, found, strict=True):
                answers[place] = answer
        return answers

    def _do(self, job: Job, guarded: bool) -> Any:
        if not guarded:
            return job(self._connection)
        self._connection.execute("SAVEPOINT unit")
        try:
            answer = job(self._connection)
        except (GuardFailed, Refused, Overtaken) as refusal:
            self._connection.execute("ROLLBACK TO unit")
            answer = refusal
        self._connection.execute("RELEASE unit")
        return answer

    def _undo(self, error: Exception) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except Unreachable:
                self._connection.close()  # undone by its server; the next group finds another session
            except FAULTS:
                self._fatal()
        if fatal(error):
            self._fatal()

    def _fatal(self) -> None:
        if self._on_fatal is not None:
            self._on_fatal()


def unit(statements: Sequence[Statement]) -> Job:
    """A job that runs these statements; GuardFailed where one changes other rows than it must."""

    def run(connection: Connection) -> bool:
        _execute(connection, statements)
        return True

    return run


def all_of(units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Job:
    """A job that runs units, each all or nothing, and answers for each whether it stands. A guard seldom fails: only
    then is each unit given a savepoint of its own. Where the `fence` does not hold none is run: Overtaken is raised, and
    what else is in the group stands."""

    def run(connection: Connection) -> list[bool]:
        if fence is not None:
            within(connection, fence)
        if connection.hold(joined(one for statements in units for one in statements)):
            return [True] * len(units)
        connection.execute(f"ROLLBACK TO unit -- {next(_undone)}")  # the job's own savepoint
        return [_stands(connection, statements) for statements in units]

    return run


def _stands(connection: Connection, statements: Sequence[Statement]) -> bool:
    connection.execute("SAVEPOINT one")
    stands = True
    try:
        _execute(connection, statements)
    except GuardFailed:
        connection.execute("ROLLBACK TO one")
        stands = False
    connection.execute("RELEASE one")
    return stands


def within(connection: Connection, fence: Statement) -> None:
    """Overtaken where this node is not the one any more that it was when something was begun."""
    if connection.execute(fence.sql, fence.params).rowcount != fence.rows:
        raise Overtaken("Another node has taken over")


def _execute(connection: Connection, statements: Sequence[Statement]) -> None:
    for sql, params, rows in joined(statements):
        cursor = connection.execute(sql, params)
        if rows is not None and cursor.rowcount != rows:
            raise GuardFailed(sql)


def _answer(answers: Sequence[tuple[Any, Any]]) -> None:
    """Hand out the answers: a loop is woken once for all of its own."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for future, answer in answers:
        if isinstance(future, asyncio.Future):
            by_loop.setdefault(future.get_loop(), []).append((future, answer))
        elif not future.set_running_or_notify_cancel():
            continue  # whoever asked waits no more
        elif isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
    for loop, mine in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, mine)


def _resolve(answers: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in answers:
        if future.done():
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
