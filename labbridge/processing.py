"""The processing process: pipeline.run_once in a loop, on a read-only connection, writing through the main process.

It is forked before the service has threads, so that it shares the knowledge's memory; if it ends, or newer knowledge is
to be worked by, another is started afresh. It is given the texts of the knowledge and reads no file of it: what lies on
the disk may have been edited since it was proven. A byte on the wake pipe says that something was kept; without one it
looks once a second. Where the pipe is closed it ends between two batches.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import msgspec

from labbridge import drafting, pipeline
from labbridge.errors import StoreUnavailable
from labbridge.knowledge.documents import Source
from labbridge.memory import cycles_are_sought_seldom
from labbridge.model.work import Feed
from labbridge.observe import logs
from labbridge.sources import read_all, understood
from labbridge.store import opening
from labbridge.store.choosing import Partitions
from labbridge.store.units import RemoteUnits
from labbridge.store.work import BEGUN_AT_MOST, StoreWork

POLL_S = 1.0
RISEN = b"risen"


class SystemClock:
    """ports.Clock by the system's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place where the clock is read


class Settings(msgspec.Struct, frozen=True):
    """What the processing process has to know; small enough to hand to a process started afresh. `languages`: that of the
    comments by feed, as the feed's receiver has it. `store`: its URL. `instance`: of which node of it; empty: of a file."""

    store: str
    site: str
    feeds: tuple[Feed, ...]
    application: str
    json_logs: bool
    languages: dict[str, str] = {}
    instance: str = ""


def reader_of(settings: Settings, texts: Sequence[Source] | None = None) -> drafting.Reader:
    """Normaliser and interpreter of the knowledge of these texts; of what is on the disk without any."""
    from labbridge.interpret import Interpreter
    from labbridge.normalise import Normaliser

    knowledge = understood(read_all(settings.site) if texts is None else texts)
    feeds = {feed.name: feed for feed in settings.feeds}
    codes = frozenset(one.code for one in knowledge.terminology.comment)
    interpreter = Interpreter(knowledge)
    return drafting.Reader(Normaliser(knowledge), interpreter, feeds, settings.application, codes, settings.languages)


class Started(msgspec.Struct, frozen=True):
    """The process, the main end of its unit pipe, and the file to wake it by. `risen`: becomes readable once a process
    started afresh has understood its knowledge, or has ended; None for a forked one, which had it before."""

    process: multiprocessing.process.BaseProcess
    units: Connection
    wake: int
    risen: Connection | None = None


def fork(settings: Settings, reader: drafting.Reader, inherited: tuple[int, ...]) -> Started:
    """Start it here and now, sharing the reader's memory; no thread may exist yet. `inherited` files it must close.
    It touches the database only after its first wake-up."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    wake_read, wake_write = os.pipe()
    close = (*inherited, ours.fileno(), wake_write)
    process = context.Process(
        target=_run, args=(settings, reader, theirs, wake_read, close), name="labbridge-process", daemon=True
    )
    process.start()
    theirs.close()
    os.close(wake_read)
    os.set_blocking(wake_write, False)
    return Started(process, ours, wake_write)


def spawn(settings: Settings, texts: Sequence[Source]) -> Started:
    """Start it afresh, with knowledge of its own: where the one before has ended, or is to be replaced."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    wake_in, wake_out = context.Pipe(duplex=False)
    risen_in, risen_out = context.Pipe(duplex=False)
    process = context.Process(
        target=_run_spawned,
        args=(settings, list(texts), theirs, wake_in, risen_out),
        name="labbridge-process",
        daemon=True,
    )
    process.start()
    for end in (theirs, wake_in, risen_out):
        end.close()
    wake_write = os.dup(wake_out.fileno())
    wake_out.close()
    os.set_blocking(wake_write, False)
    return Started(process, ours, wake_write, risen_in)


def has_risen(started: Started, within_s: float) -> bool:
    """Whether a process started afresh has understood its knowledge in this time. Blocks."""
    with contextlib.suppress(EOFError, OSError):
        return started.risen is None or (started.risen.poll(within_s) and started.risen.recv_bytes() == RISEN)
    return False


def _run_spawned(
    settings: Settings, texts: Sequence[Source], units: Connection, wake: Connection, risen: Connection
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    reader = reader_of(settings, texts)
    cycles_are_sought_seldom()
    with contextlib.suppress(OSError):
        risen.send_bytes(RISEN)
    risen.close()
    _run(settings, reader, units, wake.fileno(), ())


def _run(settings: Settings, reader: drafting.Reader, units: Connection, wake: int, inherited: tuple[int, ...]) -> None:
    """Body of the process: until the main process goes, or asks it to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the main process, which stops us in its own time
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # and so does a reload, even where the whole group is signalled
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for file in inherited:  # the main process's ends: held open they would hide its death
        os.close(file)
    logs.configure(json=settings.json_logs)
    if not _wait(wake, units, None):  # the database is there once the main process says so
        return
    store = opening.reader(settings.store)
    share = Partitions(store, settings.instance) if settings.instance else None
    work = StoreWork(store, RemoteUnits(units), share)
    loop(work, reader, lambda seconds: _wait(wake, units, seconds))


def loop(work: StoreWork, reader: drafting.Reader, wait: Callable[[float], bool]) -> None:
    """Run batches while there is work. An exception is a bug in one message: it is logged by type and place, and the
    next rounds take messages singly, so that the one that failed is alone when it fails again and is parked."""
    log, clock = logs.logger("process"), SystemClock()
    singly = BEGUN_AT_MOST  # after a start the begun ones are taken singly: one of them may have stopped us
    failed = False
    while True:
        try:
            if failed:
                work.failed()
                failed = False
            done = pipeline.run_once(work, reader, clock, singly=singly > 0)
            singly = max(0, singly - 1) if done else 0
        except StoreUnavailable:
            log.error("store_unavailable")
            done = 0
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return  # the main process has gone
        except Exception as error:  # noqa: BLE001 - the wall of the process: see above
            log.error("processing_failed", error=type(error).__name__, place=logs.place(error))
            singly, done, failed = BEGUN_AT_MOST, 1, True
        if not wait(0 if done else POLL_S):
            with contextlib.suppress(StoreUnavailable, EOFError, OSError):
                work.leave()
            return


def _wait(wake: int, units: Connection, seconds: float | None) -> bool:
    """Wait for a wake-up; False when the main process has gone, or has closed the pipe to have us end.

    Of the units' pipe only its end is looked for: a verdict on what was handed over may stand there, and says nothing
    of the kind.
    """
    poll = select.poll()
    poll.register(wake, select.POLLIN)
    poll.register(units.fileno(), 0)
    ready = {file for file, _event in poll.poll(None if seconds is None else seconds * 1000)}
    if units.fileno() in ready:
        return False
    return not (wake in ready and not os.read(wake, 4096))
