"""The MLLP client of one receiver: one message in flight, one answer that names it, or Retry.

A late answer must never be credited to the next message (reliability.md F5). So the connection is closed after
anything but exactly one matching answer, and it is looked at before each message: bytes that wait there belong to the
past.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import msgspec

from labbridge.delivery.channel import Channel, connect
from labbridge.delivery.turn import MaySend, always, check
from labbridge.errors import Retry
from labbridge.hl7.ack import POSITIVE, Acknowledgement, read_ack
from labbridge.hl7.mllp import Event, Frame, Framer, Oversize, frame
from labbridge.observe.handshakes import SENTENCES, why
from labbridge.observe.logs import logger
from labbridge.states import Reason

LONGEST_HEARD = 2**16  # of what a receiver writes in one exchange; a person reads it

_log = logger("delivery")


class ReceiverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the receiver is, and how long to wait, in seconds.

    `timeout_s` runs from the first byte sent to the whole answer. `end_grace_s`: an answer that stands at its end byte
    is whole when no CR follows within this. `accept_ca`: a commit acknowledgement ends the exchange; without it the
    application acknowledgement is awaited on the same connection. `connect_s` takes in the handshake of TLS;
    `server_name` is the name that the receiver's certificate must carry (empty: the host).
    """

    host: str
    port: int
    timeout_s: float = 30.0
    connect_s: float = 10.0
    end_grace_s: float = 1.0
    answer_bytes: int = 2**20
    accept_ca: bool = True
    server_name: str = ""


class MllpReceiver:
    """ports.Receiver over MLLP. `failures` counts exchanges without a trusted answer since the last one with;
    `answered` is told each answer's code (`timeout`: none) and the seconds from the first byte sent to it. `tls` may be
    exchanged at any time: the next connection uses it, and the one that is open stays."""

    def __init__(
        self,
        name: str,
        settings: ReceiverSettings,
        answered: Callable[[str, float], None] = lambda code, seconds: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name, self.failures = name, 0
        self.may_send: MaySend = always  # asked last of all before the first byte
        self._answered = answered
        self._settings = settings
        self.tls = tls
        self._channel: Channel | None = None
        self._turn = asyncio.Lock()
        self._heard = bytearray()  # in this exchange, as it came
        self._one_each = False  # the receiver ends its connection after each answer: so do we, before it races us

    @property
    def connected(self) -> bool:
        return self._channel is not None

    async def send(self, raw: bytes, control_id: str) -> Acknowledgement:
        """Send one message and return the answer that names it, whatever its code, with the bytes that came. Retry when
        there was none, with what came in its place."""
        async with self._turn:
            begun = asyncio.get_running_loop().time()
            code = "timeout"
            self._heard.clear()
            try:
                answer = await self._exchange(frame(raw), control_id)
            except Retry as fault:
                self._failed("Retry")
                fault.answer = bytes(self._heard)
                raise
            except ssl.SSLError as fault:
                self._failed(type(fault).__name__, reason=why(fault))
                text = f"No acknowledgement (TLS: {SENTENCES[why(fault)]})"
                raise Retry(Reason.NO_ANSWER, text, bytes(self._heard)) from fault
            except OSError as fault:  # TimeoutError is one
                self._failed(type(fault).__name__)
                text = f"No acknowledgement ({type(fault).__name__})"
                raise Retry(Reason.NO_ANSWER, text, bytes(self._heard)) from fault
            except BaseException:
                self.close()
                raise
            else:
                self.failures, code = 0, answer.code
                return msgspec.structs.replace(answer, raw=bytes(self._heard))
            finally:
                self._answered(code, asyncio.get_running_loop().time() - begun)

    def close(self) -> None:
        """Close the connection; the next message opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def _failed(self, error: str, **more: str) -> None:
        self.failures += 1
        self.close()
        _log.warning("no_answer", receiver=self.name, error=error, count=self.failures, **more)

    # ---------------------------------------------------------------- one exchange

    async def _exchange(self, block: bytes, control_id: str) -> Acknowledgement:
        if self._channel is not None and not self._channel.quiet():
            self.close()
        used_before = self._channel is not None
        channel = self._channel = self._channel or await self._connect()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                check(self.may_send)
                await channel.send(block)
                return await self._answer(channel, control_id)
        except ConnectionError:
            self._one_each = self._one_each or used_before
            raise

    async def _connect(self) -> Channel:
        settings = self._settings
        async with asyncio.timeout(settings.connect_s):
            return await connect(settings.host, settings.port, self.tls, settings.server_name)

    async def _answer(self, channel: Channel, control_id: str) -> Acknowledgement:
        framer = Framer(self._settings.answer_bytes)
        ends_open = False
        while True:
            data = await self._read(channel, ends_open)
            self._heard += data[: LONGEST_HEARD - len(self._heard)]
            if data:
                events = framer.receive_data(data)
                ends_open = framer.in_frame and data.endswith(b"\x1c")
            else:
                events, ends_open = framer.close(), False
            answer = self._pick(events, control_id)
            if answer is not None:
                if not data or len(events) > 1 or framer.in_frame or answer.code == "CA" or self._one_each:
                    self.close()  # more is here, or is to be expected: nothing of it may meet the next message
                return answer
            if not data:
                raise ConnectionAbortedError("closed before a whole answer came")

    async def _read(self, channel: Channel, ends_open: bool) -> bytes:
        """The next bytes; b"" when the peer closed, or when an answer that stands at its end byte gets no CR."""
        if not ends_open:
            return await channel.receive()
        try:
            async with asyncio.timeout(self._settings.end_grace_s):
                return await channel.receive()
        except TimeoutError:
            return b""

    def _pick(self, events: list[Event], control_id: str) -> Acknowledgement | None:
        """The answer of these blocks that names our message; a refusal before an acceptance. None: not there yet."""
        named = []
        for event in events:
            if isinstance(event, Frame):
                found = read_ack(event.data)
                if found.code and found.control_id == control_id:
                    named.append(found)
            elif isinstance(event, Oversize):
                raise Retry(Reason.NO_ANSWER, "Oversize answer")
            else:
                raise Retry(Reason.NO_ANSWER, "Unframed answer")
        wanted = [answer for answer in named if answer.code != "CA" or self._settings.accept_ca]
        if wanted:
            return next((answer for answer in wanted if answer.code not in POSITIVE), wanted[0])
        if len(named) < len(events):
            raise Retry(Reason.NO_ANSWER, "Mismatched answer: it does not name the message that was sent")
        return None
