"""MLLP framing as a byte-stream state machine: bytes in, events out, no I/O.

A block is SB (0x0B), the message, EB (0x1C), CR. Tolerated and told: a missing CR, bytes between blocks. The stream may
be cut anywhere: the events are the same for every way of cutting it.

Decisions where senders differ:
- EB ends a block only when CR or SB follows, or when the stream ends. Until the next byte arrives the block stays open
  (its CR may come 250 ms later): an EB followed by anything else belongs to the text.
- SB inside a block belongs to the message.
- CR and LF between blocks are not junk: many senders write line ends around their blocks. Inside junk they are kept,
  so that a message sent without its frame can be read by a person.
- A byte order mark before SB is junk; after SB it belongs to the message, and the reader notes it.
- Of a block beyond the limit exactly the limit and one byte are told, however they came: the same block sent again has
  the same digest.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

SB, CR = 0x0B, 0x0D
MAX_BYTES = 16 * 2**20
HEAD_BYTES = 64 * 2**10

_END = re.compile(rb"\x1c(?=[\r\x0b])")


class Frame(msgspec.Struct, frozen=True):
    """One whole message, without its frame. `missing_cr`: the block ended without its CR."""

    data: bytes
    missing_cr: bool = False


class Junk(msgspec.Struct, frozen=True):
    """Bytes outside any block: how many, and the first of them (at most 64 KiB). The line ends around them are left out."""

    length: int
    head: bytes


class Oversize(msgspec.Struct, frozen=True):
    """A block beyond the limit: its first 64 KiB, how much was looked at (the limit and one byte), its SHA-256."""

    head: bytes
    length: int
    digest: bytes


Event = Frame | Junk | Oversize


def frame(message: bytes) -> bytes:
    """The message as one block, for a single write."""
    return b"\x0b" + message + b"\x1c\r"


class Framer:
    """Feed it what a connection delivers; it gives back what is complete.

    After an Oversize the framer is `closed`: the rest of that block cannot be told from what follows, so the
    connection ends. Memory is bounded by `max_bytes` and the largest single read.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max = max_bytes
        self._buffer = bytearray()
        self._seen = 0  # how far the buffer has been searched: no byte is looked at twice
        self._in_junk = False
        self._line_ends = b""  # met since the last byte of junk: part of it once more of it comes
        self.in_frame = False
        self.closed = False

    @property
    def pending(self) -> int:
        """Bytes held of an unfinished block."""
        return len(self._buffer) if self.in_frame else 0

    def receive_data(self, data: bytes) -> list[Event]:
        """The events these bytes complete, in order. Nothing after an Oversize."""
        if self.closed:
            return []
        if not self.in_frame and not self._buffer and data[:1] == b"\x0b" and data[-2:] == b"\x1c\r":
            whole = self._one_block(data)
            if whole is not None:
                return [whole]
        self._buffer += data
        events: list[Event] = []
        while not self.closed and (self._block(events) if self.in_frame else self._between(events)):
            pass
        return events

    def close(self) -> list[Event]:
        """The stream ended. A block whose EB was its last byte is whole; any other unfinished block is not."""
        if self.in_frame and self._buffer[-1:] == b"\x1c":
            whole = Frame(bytes(self._buffer[:-1]), missing_cr=True)
            self._buffer.clear()
            self.in_frame = False
            return [whole]
        return []

    def _one_block(self, data: bytes) -> Frame | None:
        """The usual case, one block in one read, without copying it twice."""
        end = data.find(b"\x1c")
        if end != len(data) - 2 or end > self._max:
            return None
        self._in_junk, self._line_ends = False, b""
        return Frame(data[1:end])

    def _between(self, events: list[Event]) -> bool:
        start = self._buffer.find(SB)
        outside = bytes(self._buffer) if start < 0 else bytes(self._buffer[:start])
        if outside:
            self._junk(outside, events)
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[: start + 1]
        self._seen, self.in_frame = 0, True
        self._in_junk, self._line_ends = False, b""
        return True

    def _junk(self, outside: bytes, events: list[Event]) -> None:
        upto = outside.rstrip(b"\r\n")
        if upto:
            junk = self._line_ends + upto if self._in_junk else upto.lstrip(b"\r\n")
            events.append(Junk(len(junk), junk[:HEAD_BYTES]))
            self._in_junk, self._line_ends = True, b""
        if self._in_junk:
            self._line_ends = (self._line_ends + outside[len(upto) :])[:HEAD_BYTES]

    def _block(self, events: list[Event]) -> bool:
        end = self._end()
        if end is None:
            if len(self._buffer) > self._max + 1:  # one more: the last byte may be the EB that ends it
                self._overflow(events)
            return False
        if end > self._max:
            self._overflow(events)
            return False
        has_cr = self._buffer[end + 1] == CR
        events.append(Frame(bytes(self._buffer[:end]), missing_cr=not has_cr))
        del self._buffer[: end + 1 + has_cr]
        self.in_frame = False
        return True

    def _end(self) -> int | None:
        """Where the EB that ends the block stands; None while that is not known."""
        found = _END.search(self._buffer, self._seen)
        if found is None:
            self._seen = len(self._buffer) - self._buffer.endswith(b"\x1c")
            return None
        return found.start()

    def _overflow(self, events: list[Event]) -> None:
        read = bytes(self._buffer[: self._max + 1])
        events.append(Oversize(read[:HEAD_BYTES], len(read), hashlib.sha256(read).digest()))
        self._buffer.clear()
        self.closed, self.in_frame = True, False
