"""Linear time: a piece of a message repeated to 16 MiB is read, split and answered in two seconds of one processor."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from labbridge import receiving
from labbridge.errors import Refuse
from labbridge.hl7 import ack, batch, incoming, mllp
from labbridge.hl7.mllp import MAX_BYTES
from tests.fuzz.target import Target, must, parts
from tests.fuzz.targets.reading import FEED, by_the_table

NOW = datetime(2026, 4, 18, 8, 0, tzinfo=UTC)
AT_MOST_S = 2.0
MOST_BLOCKS = 1000
ANSWER_BYTES = 2**20  # ReceiverSettings.answer_bytes
TRIED = 1 / 128  # of the full length first: what takes more than its share of the time is tried at full length


def check(data: bytes) -> None:
    start, piece, end = parts(data, 3)
    if not piece:
        return
    for name, (most, work) in WORK.items():
        if _seconds(work, _grown(start, piece, end, int(most * TRIED))) > AT_MOST_S * TRIED:
            whole = _grown(start, piece, end, most)
            seconds = min(_seconds(work, whole) for _time in range(4))  # the machine may have been busy
            must(seconds <= AT_MOST_S, f"{name}: the longest there may be takes more than two seconds")


def _grown(start: bytes, piece: bytes, end: bytes, size: int) -> bytes:
    return start + piece * max(1, (size - len(start) - len(end)) // len(piece)) + end


def _seconds(work: Callable[[bytes], object], raw: bytes) -> float:
    """Of processor time in this thread, so that neighbours count little."""
    begun = time.thread_time()
    try:
        work(raw)
    except Refuse as fault:
        by_the_table(fault, ("204",))
    return time.thread_time() - begun


def _framed(raw: bytes) -> object:
    """In the pieces a socket gives, as far as the first blocks: each is a message of its own, and kept for itself."""
    framer, events = mllp.Framer(), 0
    for at in range(0, len(raw), 2**16):
        events += len(framer.receive_data(raw[at : at + 2**16]))
        if events > MOST_BLOCKS:
            break
    return framer.close()


def _answered(raw: bytes) -> object:
    if batch.several(raw):
        batch.split(raw)
    return receiving.read(raw, FEED, "fuzz", NOW)


WORK: dict[str, tuple[int, Callable[[bytes], object]]] = {
    "framing": (MAX_BYTES, _framed),
    "receiving": (MAX_BYTES, _answered),
    "reports": (MAX_BYTES, lambda raw: incoming.read_reports(raw, FEED, NOW)),
    "an answer": (ANSWER_BYTES, ack.read_ack),
}
# Nothing is instrumented: that takes time of its own.
TARGET = Target(name="large", check=check, product=(), longest=512, mutated=8)
