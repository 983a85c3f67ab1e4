"""One sender's connection: blocks in, strictly in order; one answer each, in one write, after the handler returned."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from labbridge.errors import StoreUnavailable
from labbridge.feeds.limits import Limits
from labbridge.hl7.ack import codes_of
from labbridge.hl7.mllp import Event, Frame, Framer, Junk, Oversize, frame
from labbridge.observe.logs import logger, place

_log = logger("feeds")
SHARE_BYTES = 64 * 2**10  # what every connection may hold even when the whole service is at its limit


class Reply(Protocol):
    """What to send back: the acknowledgement (empty: nothing), whether the connection ends after it, and whether what
    came was HL7 at all."""

    @property
    def raw(self) -> bytes: ...

    @property
    def close(self) -> bool: ...

    @property
    def hl7(self) -> bool: ...


class Handlers(msgspec.Struct, frozen=True):
    """What the story does with what arrives. Each is given the peer's address and returns after the commit.

    StoreUnavailable out of any of them means: nothing was kept. The sender is then told nothing.
    """

    message: Callable[[Frame, str], Awaitable[Reply]]
    oversize: Callable[[Oversize, str], Awaitable[Reply]]
    junk: Callable[[Junk, str], Awaitable[None]]


class Shared(Protocol):
    """What the connections of one listener have in common."""

    limits: Limits
    handlers: Handlers
    inflight_bytes: int
    halted: bool  # nothing is read until further notice

    @property
    def share_bytes(self) -> int: ...

    def admits(self, transport: asyncio.BaseTransport) -> bool: ...

    def heard(self, address: str, hl7: bool) -> None: ...

    def answered(self, code: str, seconds: float) -> None: ...

    def closing(self, why: str) -> None: ...

    def lost(self, connection: Connection) -> None: ...


class Connection(asyncio.Protocol):
    """A block is answered only when the handler's coroutine has returned; one that raised is never answered."""

    def __init__(self, shared: Shared, address: str) -> None:
        self.address = address
        self.gone = False
        self.paused = False
        self.favoured = False  # may finish its block although the service is at its limit
        self.frame_since = 0.0
        self._shared = shared
        self._limits = shared.limits
        self._framer = Framer(shared.limits.frame_bytes)
        self._waiting: deque[tuple[Event, float]] = deque()  # each with the time it was complete
        self._worker: asyncio.Task[None] | None = None
        self._held = self._queued = 0
        self._strikes = self._junk_run = 0
        self._ended = self._discarding = self._draining = False  # _ended: no further block is taken
        self._abort_at = self._stalled_since = 0.0
        self._may_write: asyncio.Future[None] | None = None

    # ---------------------------------------------------------------- asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._last_read = self._loop.time()
        if self._draining or not self._shared.admits(transport):
            self._discarding = True
            transport.abort()
        elif self._shared.halted:
            self._loop.call_soon(self._balance)  # asyncio begins to read after this

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        self._last_read = now = self._loop.time()
        was_open = self._framer.in_frame
        self._queue(self._framer.receive_data(data), now, was_open)
        self._balance()

    def eof_received(self) -> bool:
        if self._discarding:
            return False
        self._queue(self._framer.close(), self._loop.time(), True)
        self._ended = True
        if self._worker is None:
            self._finish("peer")
        return self._transport.can_write_eof()  # an answer may still be read on the other side

    def pause_writing(self) -> None:
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._may_write is not None:
            self._may_write.set_result(None)
            self._may_write = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self._hold(-self._held)
        if self._may_write is not None:
            self.resume_writing()
        self._shared.lost(self)

    # ---------------------------------------------------------------- reading

    def _queue(self, events: list[Event], now: float, was_open: bool) -> None:
        if self._framer.in_frame and (events or not was_open):
            self.frame_since = now
        if events:
            self.favoured = False
            self._waiting.extend((event, now) for event in events)
            self._queued += sum(map(_size, events))
            if self._worker is None:
                self._worker = self._loop.create_task(self._work())
        if self._draining and (events or not self._framer.in_frame):
            self._ended = True

    def _balance(self) -> None:
        """Stop reading where too much waits; read on where it does not. Nothing is dropped."""
        if self.gone or self._discarding:
            return
        shared = self._shared
        self._hold(self._framer.pending + self._queued - self._held)
        crowded = shared.inflight_bytes > self._limits.inflight_bytes and self._held > shared.share_bytes
        full = len(self._waiting) >= self._limits.waiting_frames
        stop = full or self._ended or shared.halted or (crowded and not self.favoured)
        if stop != self.paused and not self._transport.is_closing():
            self.paused = stop
            if stop:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()
                self._last_read = self._loop.time()

    def _hold(self, bytes_more: int) -> None:
        self._held += bytes_more
        self._shared.inflight_bytes += bytes_more

    # ---------------------------------------------------------------- answering

    async def _work(self) -> None:
        try:
            while self._waiting and not self._discarding and not self.gone:
                await self._one(*self._waiting[0])
                if self._waiting:
                    self._queued -= _size(self._waiting.popleft()[0])
                    if not self._waiting and self._framer.in_frame:
                        self.frame_since = self._loop.time()  # it may have waited for us: its time starts now
                if self.paused:
                    self._balance()
        except StoreUnavailable:
            self._fall_silent()
        except Exception as fault:  # noqa: BLE001  a bug: this sender gets no answer, the others go on
            _log.error("handler_failed", error=type(fault).__name__, place=place(fault))
            self._break("fault")
        finally:
            self._worker = None
        if self.gone:
            return
        self._balance()
        if self._ended and not self._discarding:
            self._finish("drain" if self._draining else "peer")

    async def _one(self, event: Event, since: float) -> None:
        handlers = self._shared.handlers
        if isinstance(event, Frame):
            reply = await handlers.message(event, self.address)
            self._shared.heard(self.address, reply.hl7)
            self._strikes += not reply.hl7
            self._junk_run *= not reply.hl7
        elif isinstance(event, Oversize):
            reply = await handlers.oversize(event, self.address)
        else:
            await handlers.junk(event, self.address)
            self._junk_run += 1
            reply = None
        if reply is not None and reply.raw:
            await self._answer(reply.raw)
            for code in codes_of(reply.raw):
                self._shared.answered(code, self._loop.time() - since)
        if self._strikes >= self._limits.not_hl7 or self._junk_run >= self._limits.not_hl7:
            self._finish("not_hl7")
        elif reply is not None and (reply.close or isinstance(event, Oversize)):
            self._finish("refused")

    async def _answer(self, raw: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame(raw))
        if self._may_write is not None:  # the peer does not read its answers: take nothing more from it
            await self._may_write

    # ---------------------------------------------------------------- ending

    def _finish(self, why: str) -> None:
        """The last answer is written: say so to the peer, and let it read before the socket goes. A close with bytes
        unread would reset the connection and could take the answer with it."""
        if self._discarding or self.gone:
            return
        self._discarding = True
        self._waiting.clear()
        self._shared.closing(why)
        self._hold(-self._held)
        self._abort_at = self._loop.time() + self._limits.linger_s
        if why == "peer" or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        if self.paused:
            self._transport.resume_reading()
            self.paused = False

    def _fall_silent(self) -> None:
        """The store cannot keep: no answer, closed later. The message stays with its sender. What still comes is passed
        over, so that its end is seen: a sender who gives up and comes again must not hold one place after the other."""
        self._discarding = True
        self._waiting.clear()
        if self.gone:
            return
        self._hold(-self._held)
        self._shared.closing("store_unavailable")
        at_once = self._ended or self._draining
        self._abort_at = self._loop.time() + (0.0 if at_once else self._limits.unavailable_close_s)
        if self.paused and not self._transport.is_closing():
            self._transport.resume_reading()
            self.paused = False

    def _break(self, why: str) -> None:
        self._discarding = True
        self._waiting.clear()
        self._shared.closing(why)
        self._transport.abort()

    def sweep(self, now: float) -> None:
        """Look at this connection's deadlines."""
        if self._framer.in_frame and not self.paused and now - self._last_read >= self._limits.end_grace_s:
            self._queue(self._framer.close(), now, True)
        unread = self._transport.get_write_buffer_size()
        self._stalled_since = (self._stalled_since or now) if unread else 0.0
        why = self._overdue(now)
        if why == "linger":
            self._transport.abort()
        elif why:
            _log.warning("connection_closed", reason=why, count=self._framer.pending)
            self._break(why)

    def _overdue(self, now: float) -> str:
        limits = self._limits
        if self._stalled_since and now - self._stalled_since > limits.write_stall_s:
            return "write_stall"
        if self._abort_at:
            return "linger" if now >= self._abort_at else ""
        if self._shared.halted:
            return ""  # it is we who do not read
        if self._framer.in_frame and not self._waiting and now - self.frame_since > limits.frame_timeout_s:
            return "frame_timeout"
        if self._junk_run and self._worker is None and now - self._last_read > limits.frame_timeout_s:
            return "not_hl7"  # it spoke something else, and waits for an answer that nobody here can give
        if self._worker is None and now - self._last_read > limits.idle_timeout_s:
            return "idle"
        return ""

    @property
    def unfinished(self) -> bool:
        """A block is open: reading on would help it. One that is whole and waits needs no help, and would never give it
        back."""
        return self._framer.in_frame

    def halted_or_not(self) -> None:
        """Reading pauses for all, or goes on: then a block that was open has its time anew."""
        self.frame_since = self._loop.time()
        self._balance()

    def favour(self) -> None:
        """Let this connection finish its block although the service is at its limit."""
        self.favoured = True
        self._balance()

    def relieve(self) -> None:
        """Room may have come back elsewhere."""
        if self.paused and not self._discarding:
            self._balance()

    def drain(self) -> None:
        """Take no new block; finish the one that is coming in and those in hand, answer them, then close."""
        self._draining = True
        if self._discarding:
            self._abort_at = min(self._abort_at, self._loop.time() + self._limits.linger_s)
        elif not self._framer.in_frame:
            self._ended = True
            if self._worker is None:
                self._finish("drain")
            else:
                self._balance()

    def abort(self) -> None:
        """Close at once. What was not answered stays with its sender."""
        self._transport.abort()


def _size(event: Event) -> int:
    return len(event.data) if isinstance(event, Frame) else len(event.head)
