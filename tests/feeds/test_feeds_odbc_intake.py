"""The thread that keeps what a view's process reads: nothing is lost when the store is away, a silent process is ended, one
that ended is begun anew from where the store says."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from labbridge.errors import StoreUnavailable
from labbridge.feeds.odbc_intake import Feeder, Started
from labbridge.feeds.odbc_link import Gone, Link, Read, Trouble, Wanted
from labbridge.feeds.odbc_window import Gap, Progress
from labbridge.model.work import Arrival, AuditEvent
from labbridge.observe.traffic import Polled

NOW = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
REACHED = Progress(reached="7", high=7, gaps=(Gap(3, 4, NOW), Gap(1, 1, NOW, open=False), Gap(-9, 0, NOW, below=True)))


def wanted(text: str) -> Wanted:
    raw = text.encode()
    digest = hashlib.sha256(raw).digest()
    arrival = Arrival(raw=raw, feed="tables", peer="", control_id=text, digest=digest, length=len(raw), received=NOW)
    return arrival, AuditEvent(at=NOW, actor="tables", action="received", subject="")


class Shelf:
    """A store that can be away."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.saved: list[Progress] = []
        self.away = 0

    def keep(self, wanted: Sequence[Wanted]) -> int:
        if self.away:
            self.away -= 1
            raise StoreUnavailable("away")
        new = [one.control_id for one, _event in wanted if one.control_id not in self.kept]
        self.kept |= dict.fromkeys(new, 1)
        return len(new)

    def save(self, progress: Progress) -> None:
        self.saved.append(progress)


def until(met: Callable[[], Any], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not met():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


Body = Callable[[Link, Progress], None]


@pytest.fixture
def feeders() -> Iterator[list[Feeder]]:
    found: list[Feeder] = []
    yield found
    for one in found:
        one.stop()
        one.join(20)


def feeder(feeders: list[Feeder], shelf: Shelf, body: Body, **more: Any) -> Feeder:
    """A feeder of processes that run this, forked."""

    def start(progress: Progress, types: dict[str, str]) -> Started:
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        process = context.Process(target=_run, args=(body, theirs, ours, progress), daemon=True)
        process.start()
        theirs.close()
        return Started(process, ours)

    found = Feeder("tables", start, shelf, Polled(), **{"silent_s": 10.0, "progress": Progress(), **more})
    feeders.append(found)
    found.start()
    return found


def _run(body: Body, pipe: Connection, other: Connection, progress: Progress) -> None:
    other.close()
    try:
        body(Link(pipe), progress)
    except Gone:
        os._exit(0)


def test_what_is_read_is_kept_and_the_watermark_saved_after_it(feeders: list[Feeder]) -> None:
    def body(link: Link, progress: Progress) -> None:
        assert link.keep([wanted("a"), wanted("b")]) == 2
        assert link.keep([wanted("b"), wanted("c")]) == 1
        link.tell(Read(REACHED, 3, False, {"id": "int"}))
        link.rest(60)

    shelf = Shelf()
    found = feeder(feeders, shelf, body)
    until(lambda: shelf.saved)
    assert list(shelf.kept) == ["a", "b", "c"]
    assert shelf.saved == [REACHED]
    polled = found.polled
    assert (polled.rows, polled.readings, polled.gaps_open, polled.gaps) == (3, 1, 1, 1)


def test_a_store_that_is_away_loses_nothing(feeders: list[Feeder]) -> None:
    def body(link: Link, progress: Progress) -> None:
        while True:
            try:
                link.keep([wanted("a")])
                break
            except StoreUnavailable:
                link.rest(0.01)
        link.tell(Read(REACHED, 1, False, {}))
        link.rest(60)

    shelf = Shelf()
    shelf.away = 3
    feeder(feeders, shelf, body)
    until(lambda: shelf.saved)
    assert (list(shelf.kept), shelf.away) == (["a"], 0)


def test_nothing_is_taken_while_there_is_no_room(feeders: list[Feeder]) -> None:
    paused = [True]

    def body(link: Link, progress: Progress) -> None:
        while True:
            try:
                link.keep([wanted("a")])
                break
            except StoreUnavailable:
                link.rest(0.01)
        link.rest(60)

    shelf = Shelf()
    feeder(feeders, shelf, body, paused=lambda: paused[0])
    time.sleep(0.3)
    assert shelf.kept == {}
    paused[0] = False
    until(lambda: shelf.kept)


def test_a_process_that_ends_is_begun_anew_from_where_it_was(feeders: list[Feeder], tmp_path: Path) -> None:
    def body(link: Link, progress: Progress) -> None:
        with (tmp_path / "begun").open("a") as file:
            file.write(f"{progress.reached}\n")
        if not progress.reached:
            link.tell(Read(REACHED, 1, False, {}))
            os.kill(os.getpid(), signal.SIGKILL)
        link.tell(Read(progress, 0, False, {}))
        link.rest(60)

    shelf = Shelf()
    found = feeder(feeders, shelf, body)
    until(lambda: found.polled.readings == 2)
    assert (tmp_path / "begun").read_text().split("\n") == ["", "7", ""]
    assert shelf.saved == [REACHED]  # what did not change is not written again
    assert found.polled.code == ""


def test_a_process_that_says_nothing_is_ended_and_begun_anew(feeders: list[Feeder], tmp_path: Path) -> None:
    def body(link: Link, progress: Progress) -> None:
        if (tmp_path / "once").exists():
            link.tell(Read(REACHED, 1, False, {}))
            link.rest(60)
        (tmp_path / "once").touch()
        os.kill(os.getpid(), signal.SIGSTOP)

    found = feeder(feeders, Shelf(), body, silent_s=0.5)
    until(lambda: found.polled.code == "silent")
    until(lambda: found.polled.readings == 1)
    assert (found.polled.code, found.polled.stopped) == ("", False)


def test_what_needs_a_person_stops_it_for_good(feeders: list[Feeder], tmp_path: Path) -> None:
    def body(link: Link, progress: Progress) -> None:
        with (tmp_path / "begun").open("a") as file:
            file.write("x")
        link.tell(Trouble("column_missing", "val"))

    found = feeder(feeders, Shelf(), body)
    until(lambda: found.polled.stopped)
    found.join(10)
    time.sleep(0.2)
    assert (found.polled.code, (tmp_path / "begun").read_text()) == ("column_missing", "x")


def test_what_passes_is_told_and_tried_again(feeders: list[Feeder]) -> None:
    def body(link: Link, progress: Progress) -> None:
        link.tell(Trouble("server_away"))
        link.rest(0.2)
        link.tell(Read(REACHED, 0, False, {}))
        link.rest(60)

    found = feeder(feeders, Shelf(), body)
    until(lambda: found.polled.code == "server_away")
    assert not found.polled.stopped
    until(lambda: found.polled.code == "" and found.polled.readings == 1)


def test_a_stop_ends_the_process(feeders: list[Feeder]) -> None:
    def body(link: Link, progress: Progress) -> None:
        link.rest(600)

    found = feeder(feeders, Shelf(), body)
    until(lambda: found._child is not None)
    begun = time.monotonic()
    found.stop()
    found.join(10)
    assert time.monotonic() - begun < 5
    assert found._child is not None
    assert not found._child.process.is_alive()
