"""$interpret: a body interpreted as `labbridge interpret` would, in a process of its own, of which nothing is kept. What it
costs is nobody's who sends results meanwhile."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Mapping
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from threading import BoundedSemaphore, Lock

import msgspec

from labbridge import offline, sources
from labbridge.children import go_with_the_service
from labbridge.errors import StoreUnavailable
from labbridge.fhir import interpreted, structure
from labbridge.fhir.faults import Issue, Unfit, unfit
from labbridge.fhir.findings import Words
from labbridge.knowledge.build import version
from labbridge.model.work import Feed
from labbridge.sources import KnowledgeError
from labbridge.wires import Feeds, Unreadable

WITHIN_S = 30.0
FIRST_WITHIN_S = 90.0  # it reads the knowledge and the models of R4 first
WAITING = 4  # so many wait for each other; who comes then is told to come again, and holds up nobody


class Wanted(msgspec.Struct, frozen=True):
    """A body, the feed it is read as, and when it came."""

    raw: bytes
    feed: Feed
    now: datetime


class Told(msgspec.Struct, frozen=True):
    """The answer's body, or why there is none."""

    body: bytes = b""
    issues: tuple[Issue, ...] = ()
    status: int = 0


_encode = msgspec.msgpack.Encoder().encode
_wanted = msgspec.msgpack.Decoder(Wanted).decode
_told = msgspec.msgpack.Decoder(Told).decode


class Interpreting:
    """One process, begun when it is first needed and anew where it ended. `languages`: that of the comments of each feed;
    `system`: that of our codes."""

    def __init__(self, site: str, languages: Mapping[str, str], system: str) -> None:
        self._site, self._languages, self._system = site, dict(languages), system
        self._room, self._turn = BoundedSemaphore(WAITING), Lock()
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def __call__(self, raw: bytes, feed: Feed, now: datetime) -> bytes:
        """The answer to a body. Blocks. Unfit for one that cannot be interpreted; StoreUnavailable where there is no answer
        now."""
        if not self._room.acquire(blocking=False):
            raise StoreUnavailable("Others are before you")
        try:
            with self._turn:
                told = self._ask(Wanted(raw, feed, now))
        finally:
            self._room.release()
        if told.issues:
            raise Unfit(told.issues, told.status)
        return told.body

    def _ask(self, wanted: Wanted) -> Told:
        within = WITHIN_S
        if self._process is None or not self._process.is_alive():
            self._begin()
            within = FIRST_WITHIN_S
        assert self._pipe is not None
        try:
            self._pipe.send_bytes(_encode(wanted))
            if self._pipe.poll(within):
                return _told(self._pipe.recv_bytes())
        except (OSError, EOFError):
            self._end()
            raise StoreUnavailable("The interpretation was broken off") from None
        self._end()
        raise StoreUnavailable("The interpretation took too long")

    def _begin(self) -> None:
        self._end()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run,
            args=(self._site, self._languages, self._system, theirs),
            name="labbridge-interpret",
            daemon=True,
        )
        self._process.start()
        theirs.close()

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    close = _end


# ---------------------------------------------------------------- the process


def _run(site: str, languages: dict[str, str], system: str, pipe: Connection) -> None:
    """Body of the process: until the pipe closes."""
    for name in (signal.SIGINT, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    go_with_the_service()
    known = _Known(site, system)
    while True:
        try:
            wanted = _wanted(pipe.recv_bytes())
            pipe.send_bytes(_encode(_answered(wanted, known, languages.get(wanted.feed.name, "en"))))
        except (EOFError, OSError):
            return


def _answered(wanted: Wanted, known: _Known, language: str) -> Told:
    try:
        return Told(interpret(wanted, known, language))
    except Unfit as fault:
        return Told(issues=fault.issues, status=fault.status)
    except KnowledgeError:
        return Told(issues=(Issue("transient", "The knowledge cannot be read now; come again"),), status=503)


def interpret(wanted: Wanted, known: _Known, language: str) -> bytes:
    """What is found in a body. Unfit where it is none that can be interpreted."""
    issues = structure.checked(wanted.raw)
    if issues:
        raise Unfit(issues)
    readers = known.readers(language)
    feeds = Feeds(wanted.feed, wanted.feed)
    found, unread = offline.interpret_files([("sent", wanted.raw)], readers, feeds, None)
    if unread:
        raise _unread(unread[0])
    asked = interpreted.Asked(wanted.raw, wanted.feed, wanted.now, known.words)
    return interpreted.answer(asked, [one.outcome for one in found])


def _unread(one: Unreadable) -> Unfit:
    return unfit("processing", one.text)


class _Known:
    """The knowledge as it is on the disk; understood anew once its files are others."""

    def __init__(self, site: str, system: str) -> None:
        self._site, self._system, self._version = site, system, ""
        self._readers: dict[str, offline.Readers] = {}
        self.words = Words(system=system)

    def readers(self, language: str) -> offline.Readers:
        """KnowledgeError where the files cannot be understood."""
        texts = sources.read_all(self._site)
        found = version(texts)
        if found != self._version:
            self._readers = {}
            self._knowledge = sources.understood(texts)
            self._version = found
            self.words = Words(sources.comment_of(texts), sources.meanings_of(texts), self._system)
        if language not in self._readers:
            self._readers[language] = offline.Readers.of(self._knowledge, language)
        return self._readers[language]
