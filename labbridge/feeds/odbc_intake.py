"""The process that reads a view, as the service holds it: what it reads is kept here, and it is watched. One that says
nothing for too long waits for a database that hangs, and is ended; one that has ended is started again. Nothing of it can
hold up a message of another feed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import NamedTuple, Protocol

from labbridge.errors import StoreUnavailable
from labbridge.feeds.odbc_link import Keep, Later, Read, Said, Taken, Trouble, Wanted, encode, said
from labbridge.feeds.odbc_window import Progress
from labbridge.observe.logs import logger
from labbridge.observe.traffic import Polled
from labbridge.odbc.faults import KINDS

AGAIN_S, LONGEST_AGAIN_S = 1.0, 60.0

_log = logger("feeds")


class Shelf(Protocol):
    """The store, as rows are kept in it. Both raise StoreUnavailable where nothing was written."""

    def keep(self, wanted: Sequence[Wanted]) -> int:
        """How many of these were not known before. All of them are on the disk."""

    def save(self, progress: Progress) -> None: ...


class Started(NamedTuple):
    """A process, and our end of its pipe."""

    process: BaseProcess
    pipe: Connection


Start = Callable[[Progress, dict[str, str]], Started]


class Feeder:
    """One view. `silent_s`: so long its process may say nothing. `polled` is what the metrics and the readiness say of it.
    `paused`: nothing is taken, for want of room."""

    def __init__(
        self,
        name: str,
        start: Start,
        shelf: Shelf,
        polled: Polled,
        *,
        silent_s: float,
        progress: Progress,
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._feed, self._begin, self._shelf, self.polled = name, start, shelf, polled
        self._silent_s, self._progress, self._paused = silent_s, progress, paused
        self._types: dict[str, str] = {}
        self._stop, self._turn = threading.Event(), threading.Lock()
        self._child: Started | None = None
        self._thread = threading.Thread(target=self._run, name=f"odbc-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, within_s: float) -> None:
        self._thread.join(within_s)

    def _run(self) -> None:
        again = AGAIN_S
        while not self._stop.is_set():
            with self._turn:
                if self._stop.is_set():
                    return
                child = self._child = self._begin(self._progress, self._types)
            readings = self.polled.readings
            stopped = self._serve(child)
            self._end(child)
            if stopped or self._stop.is_set():
                return
            again = AGAIN_S if self.polled.readings > readings else min(again * 2, LONGEST_AGAIN_S)
            self._stop.wait(again)

    def stop(self) -> None:
        """It ends after the rows in hand."""
        self._stop.set()
        with self._turn:
            child = self._child
        if child is not None:
            child.process.terminate()

    def _serve(self, child: Started) -> bool:
        """Answer what it says, until it ends. Whether it has stopped for good."""
        pipe = child.pipe
        while not self._stop.is_set():
            ready = wait([pipe, child.process.sentinel], self._silent_s)
            if not ready:
                self._trouble(Trouble("silent"))
                return False
            if pipe not in ready:
                break
            try:
                what = said(pipe.recv_bytes())
                stopped = isinstance(what, Trouble) and KINDS[what.code].stops
                pipe.send_bytes(encode(self._answered(what)))
            except (EOFError, OSError):
                break
            if stopped:
                return True
        if not self._stop.is_set():
            self._trouble(Trouble("ended"))
        return False

    def _answered(self, what: Said) -> Taken | Later:
        try:
            if isinstance(what, Keep):
                if self._paused():
                    return Later()
                new = self._shelf.keep(what.wanted)
                self.polled.rows += new
                return Taken(new)
            if isinstance(what, Read):
                self._read(what)
        except StoreUnavailable:
            return Later()
        if isinstance(what, Trouble):
            self._trouble(what)
        return Taken()

    def _read(self, what: Read) -> None:
        """The watermark moves: everything up to it is on the disk."""
        if what.progress != self._progress:
            self._shelf.save(what.progress)
        listed = what.progress.listed
        self._progress, self._types = what.progress, what.types
        self.polled.gaps_open = sum(one.open for one in listed)
        self.polled.gaps = len(listed) - self.polled.gaps_open
        self.polled.readings += 1
        if what.recount:
            _log.info("odbc_recounted", feed=self._feed, count=what.rows)
        if self.polled.code:
            self.polled.code = ""
            _log.info("odbc_reading", feed=self._feed)

    def _trouble(self, what: Trouble) -> None:
        stops = KINDS[what.code].stops
        said = self.polled.code == what.code
        self.polled.code, self.polled.stopped = what.code, stops
        if stops:
            _log.error("odbc_feed_stopped", feed=self._feed, reason=what.code)
        elif not said:
            _log.warning("odbc_trouble", feed=self._feed, reason=what.code)

    def _end(self, child: Started) -> None:
        child.process.kill()
        child.process.join()
        child.pipe.close()
