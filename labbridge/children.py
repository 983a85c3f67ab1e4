"""Processes of the service's own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from labbridge.errors import Refused

ASIDE_NICE = 5  # acknowledging and drafting go first


def go_with_the_service() -> None:
    """To be called in a child: it ends when its parent does. A killed service leaves none behind that goes on."""
    threading.Thread(target=_gone, name="with-the-service", daemon=True).start()


def _gone() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(0)


class Aside:
    """Long work of the service in a process of its own, one at a time: messages go on being acknowledged meanwhile."""

    def __init__(self, name: str, within_s: float) -> None:
        self._name, self._within_s = name, within_s
        self._process: BaseProcess | None = None

    def run(self, work: Callable[..., bytes], *arguments: object) -> bytes:
        """What the work gives. Blocks. Refused where it gives nothing, or not in time."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_aside, args=(work, arguments, theirs), name=f"labbridge-{self._name}")
        process.start()
        self._process = process
        theirs.close()
        try:
            if not ours.poll(self._within_s):
                raise Refused(f"The {self._name} took longer than {self._within_s:.0f} s; what was in force stays")
            return ours.recv_bytes()
        except EOFError:
            raise Refused(f"The {self._name} was broken off; what was in force stays") from None
        finally:
            self._process = None
            process.kill()
            process.join()

    def stop(self) -> None:
        """What is in hand is given up."""
        if self._process is not None:
            self._process.kill()


def _aside(work: Callable[..., bytes], arguments: tuple[object, ...], answer: Connection) -> None:
    """Body of the process."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # the service gives us up in its own time
    go_with_the_service()
    os.nice(ASIDE_NICE)
    answer.send_bytes(work(*arguments))
