"""What each stage of a message costs alone: CPU microseconds of one thread, without sockets and with nobody beside it.

The bench's message, every patient another one: kept in groups of 16, processed and written in batches of 64. How many
statements a message takes is counted too, and judged: that is the same on every machine.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import msgspec

from labbridge import drafting, pipeline, processing, receiving
from labbridge.interpret import Interpreter
from labbridge.model.work import Feed, Receipt
from labbridge.store import journal, opening
from labbridge.store.connection import Connection, Statement
from labbridge.store.joining import joined
from labbridge.store.sealing import Sealer
from labbridge.store.work import StoreWork
from labbridge.store.writer import all_of
from tests.bench import parts
from tests.bench.figures import Line

MESSAGES, GROUP, ROUNDS = 1920, 16, 5
MOST_READ, MOST_WRITTEN = 1.5, 8.0  # statements a message
RECEIVING = ("read the structure", "keep", "answer")
WRITING = ("decode units", "write units")
FEED = Feed(name="myolis", timezone="Europe/Paris")


class Watch:
    """CPU of this thread by stage, in seconds. What is spent in a stage within another is that one's alone."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._within: list[str] = []
        self._since = time.thread_time()

    def _turn(self) -> None:
        now = time.thread_time()
        if self._within:
            self.spent[self._within[-1]] = self.spent.get(self._within[-1], 0.0) + now - self._since
        self._since = now

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        self._turn()
        self._within.append(stage)
        try:
            yield
        finally:
            self._turn()
            self._within.pop()

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            with self.of(stage):
                return call(*arguments, **named)

        return run


class Round(NamedTuple):
    """CPU us a message by stage; statements a message, read and written."""

    cost: dict[str, float]
    read: float
    written: float


class Writing:
    """store.work.UnitWriter in this thread: through the pipe's form and into the store."""

    def __init__(self, connection: Connection, watch: Watch) -> None:
        self._connection, self._watch, self._sealer = connection, watch, Sealer(connection)
        self._encoder, self._decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[list[Statement]])
        self.statements = 0

    def post(self, units: Sequence[Sequence[Statement]], fence: Statement | None = None) -> Callable[[], list[bool]]:
        with self._watch.of("encode units"):
            raw = self._encoder.encode(units)
        with self._watch.of("decode units"):
            given = self._decoder.decode(raw)
        self.statements += len(joined(one for unit in given for one in unit))
        verdicts: list[bool] = self.commit("write units", all_of(given, fence))
        return lambda: verdicts

    def commit(self, stage: str, job: Callable[[Connection], Any]) -> Any:
        """As the writer does: the group, the seal, the commit."""
        with self._watch.of(stage):
            self._connection.execute("BEGIN IMMEDIATE")
            found = job(self._connection)
            self._sealer.seal(self._connection)
            self._connection.execute("COMMIT")
            self._sealer.committed()
        return found


class Watched(StoreWork):
    """The store's side of processing, with what each call costs."""

    def __init__(self, reader: Connection, writing: Writing, watch: Watch) -> None:
        super().__init__(reader, writing)
        for stage in ("claim", "history", "save", "set_state", "hand_over"):
            setattr(self, stage, watch.timed(stage.replace("_", " "), getattr(self, stage)))


def stages() -> list[Line]:
    """The table; then how many statements a message takes."""
    with tempfile.TemporaryDirectory() as folder:
        settings = processing.Settings(f"sqlite:///{folder}/none.db", str(parts.SITE), (FEED,), "labbridge", False)
        reader = processing.reader_of(settings)
        rounds = [measured(Path(folder) / f"{number}.db", reader, MESSAGES) for number in range(ROUNDS)]
    print(table(rounds), flush=True)
    return [
        Line("statements-read", "a message", MOST_READ, False, tuple(one.read for one in rounds)),
        Line("statements-written", "a message", MOST_WRITTEN, False, tuple(one.written for one in rounds)),
    ]


def measured(path: Path, reader: drafting.Reader, messages: int) -> Round:
    """One round on a store of its own."""
    watch, reads = Watch(), list[str]()
    with opening.held(f"sqlite:///{path}") as store:
        writing = Writing(store.writer(), watch)
        _receive(writing, watch, messages)
        rows = opening.reader(f"sqlite:///{path}")
        rows.set_trace_callback(reads.append)  # type: ignore[attr-defined]  # it is SQLite's
        _process(Watched(rows, writing, watch), reader, watch)
    cost = {stage: spent / messages * 1e6 for stage, spent in watch.spent.items()}
    return Round(cost, len(reads) / messages, writing.statements / messages)


def _receive(writing: Writing, watch: Watch, messages: int) -> None:
    text, clock = parts.load_text().replace("\n", "\r"), processing.SystemClock()
    for start in range(0, messages, GROUP):
        now, wanted = clock.now(), []
        for number in range(start, min(start + GROUP, messages)):
            raw = text.replace("{{ID}}", f"B{number:06}").replace("|S2002|", f"|C{number:06}|").encode()
            with watch.of("read the structure"):
                wanted.append(receiving.read(raw, FEED, "127.0.0.1", now))
        with watch.of("keep"):
            rows = [(one.arrival, receiving.event(one)) for one in wanted]
        kept: list[Receipt] = writing.commit("keep", lambda connection, rows=rows: journal.keep_all(connection, rows))
        with watch.of("answer"):
            for one, receipt in zip(wanted, kept, strict=True):
                receiving.answer(one, receipt, now)


def _process(work: Watched, reader: drafting.Reader, watch: Watch) -> None:
    steps = {name: watch.timed(name, getattr(drafting, name)) for name in ("read", "normalise", "interpret")}
    rules = watch.timed("rules and comment", Interpreter.__call__)
    clock = processing.SystemClock()
    with (
        mock.patch.multiple(drafting, **steps),
        mock.patch.object(Interpreter, "__call__", lambda self, history: rules(self, history)),
    ):
        while watch.timed("other", pipeline.run_once)(work, reader, clock):
            pass
    work.leave()


def table(rounds: Sequence[Round]) -> str:
    """Stage by stage, in the order in which they are first met; then each process."""
    names = list(rounds[0].cost)
    processes = {
        "main, receiving": RECEIVING,
        "processing": tuple(one for one in names if one not in (*RECEIVING, *WRITING)),
        "main, writing": WRITING,
    }
    lines = [f"{'stage':24} CPU us a message: median (least to most)"]
    for process, stages in processes.items():
        lines += [_row(f"  {name}", [one.cost.get(name, 0.0) for one in rounds]) for name in stages]
        lines.append(_row(process, [sum(one.cost.get(name, 0.0) for name in stages) for one in rounds]))
    return "\n".join(lines)


def _row(name: str, costs: Sequence[float]) -> str:
    return f"{name:24} {statistics.median(costs):6.1f} ({min(costs):.1f} to {max(costs):.1f})"
