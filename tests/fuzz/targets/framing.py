"""The MLLP framer: the same events however the stream is cut, bounded memory, and a way back after junk."""

from __future__ import annotations

import random
import re

from labbridge.hl7 import mllp
from labbridge.hl7.mllp import Event, Frame, Junk, Oversize
from tests.fuzz.target import Target, must

LIMIT = 256
SLACK = 4096
GOOD = b"MSH|^~\\&|good\r"

_BLOCK = re.compile(rb"\x0b(.*?)\x1c(?:(\r)|(?=\x0b)|\Z)", re.DOTALL)


def check(data: bytes) -> None:
    seed, stream = data[:1], data[1:]
    limit = LIMIT if seed < b"\x80" else 2**20
    whole = _fed(stream, [len(stream)], limit)
    rng = random.Random(seed)
    cuts = sorted(rng.randint(0, len(stream)) for _cut in range(8))
    for places in (range(1, len(stream) + 1), [*cuts, len(stream)]):
        must(_summed(_fed(stream, places, limit)) == _summed(whole), "the events depend on how the stream is cut")
    _expected(stream, whole, limit)
    _comes_back(stream, limit)


def _fed(stream: bytes, places: range | list[int], limit: int) -> list[Event]:
    framer, events, start = mllp.Framer(limit), [], 0
    for stop in places:
        events += framer.receive_data(stream[start:stop])
        start = stop
        held = sum(len(one) for one in vars(framer).values() if isinstance(one, bytes | bytearray))
        must(held <= limit + SLACK, "more is held than the limit and 4 KiB")
    return events + framer.close()


def _summed(events: list[Event]) -> list[object]:
    """Events, with neighbouring junk as one length."""
    found: list[object] = []
    for event in events:
        if isinstance(event, Junk) and found and isinstance(found[-1], int):
            found[-1] += event.length
        else:
            found.append(event.length if isinstance(event, Junk) else event)
    return found


def _expected(stream: bytes, events: list[Event], limit: int) -> None:
    """Against the grammar as one expression. The first block beyond the limit ends the stream."""
    blocks, at = [], 0
    while (found := _BLOCK.search(stream, at)) is not None and len(found[1]) <= limit:
        blocks.append(Frame(found[1], missing_cr=found[2] is None))
        at = found.end()
    must([one for one in events if isinstance(one, Frame)] == blocks, "the blocks are not those of the grammar")
    for one in events:
        if isinstance(one, Oversize):
            must(found is not None or stream.find(b"\x0b", at) >= 0, "an oversize block where there is none")
            must((one.length, one is events[-1]) == (limit + 1, True), "an oversize block is told in another way")


def _comes_back(stream: bytes, limit: int) -> None:
    """A block after whatever came before it is read, once the one before it has ended."""
    framer = mllp.Framer(limit)
    framer.receive_data(stream)
    framer.receive_data(b"\x1c\r")
    if not framer.closed:
        events = framer.receive_data(b"junk\r\n" + mllp.frame(GOOD))
        must(events[-1] == Frame(GOOD), "a good block after junk is not read")


TARGET = Target(name="framing", check=check, product=("labbridge.hl7.mllp",), longest=8192, mutated=600)
