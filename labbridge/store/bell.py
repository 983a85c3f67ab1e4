"""How nodes wake each other: after a commit the others are told that there may be something for them.

It is a hint alone. Everyone looks by itself too, so that a bell that is not heard costs a second and nothing else. It does
not ring within the commit: a NOTIFY there has commits wait for each other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psycopg

from labbridge.observe import logs
from labbridge.store.postgres import connected

CHANNEL = "labbridge"
AT_MOST_EVERY_S = 0.02
AGAIN_S = 5.0
HEARS_FOR_S = 1.0

_log = logs.logger("nodes")


class Bell:
    """`heard` is called in a thread of its own where another node has rung; `there`: whether it is worth ringing."""

    def __init__(self, url: str, heard: Callable[[], None], there: Callable[[], bool]) -> None:
        self._url, self._heard, self._there = url, heard, there
        self._wanted, self._ending = threading.Event(), threading.Event()
        self._own = 0  # the server process of the session that rings
        self._threads = [
            threading.Thread(target=self._for_ever, args=(work,), name=f"store-bell-{work.__name__}", daemon=True)
            for work in (self._ring, self._listen)
        ]

    def start(self) -> None:
        for one in self._threads:
            one.start()

    def stop(self) -> None:
        self._ending.set()
        self._wanted.set()

    def ring(self) -> None:
        """Something was committed."""
        self._wanted.set()

    def _for_ever(self, work: Callable[[], None]) -> None:
        while not self._ending.is_set():
            try:
                work()
            except psycopg.Error as error:
                _log.warning("bell_silent", error=type(error).__name__)
                self._ending.wait(AGAIN_S)

    def _ring(self) -> None:
        with connected(self._url) as session:
            self._own = session.info.backend_pid
            while not self._ending.is_set():
                self._wanted.wait()
                self._wanted.clear()
                if self._there():
                    session.execute(f"NOTIFY {CHANNEL}")
                time.sleep(AT_MOST_EVERY_S)

    def _listen(self) -> None:
        with connected(self._url) as session:
            session.execute(f"LISTEN {CHANNEL}")
            while not self._ending.is_set():
                rung = list(session.notifies(timeout=HEARS_FOR_S, stop_after=1))
                if any(note.pid != self._own for note in rung):
                    self._heard()
