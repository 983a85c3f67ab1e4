"""A sender in a process of its own: `python -m tests.faults.sender SETTINGS.json`.

As a real one: a line before the bytes leave, one after the answer; the next message of a patient only after the one before
was answered AA; the same bytes again where the outcome is unknown. Several patients at once on one connection. On SIGTERM
it begins nothing new, has everything open answered, and ends.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults import wire
from tests.faults.journal import Event, History
from tests.faults.messages import Generator, Message


class Sender:
    """`patients` are worked on at once; each takes `messages` messages, then another patient takes its place. At most
    `a_second` messages are begun in a second."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings, self._name = settings, settings["name"]
        self._history = History(Path(settings["history"]))
        self._rng = random.Random(f"{settings['seed']}-{self._name}-again")
        self._generator = Generator(
            self._name,
            settings["seed"],
            serology_share=settings.get("serology", 0.1),
            malformed_share=settings.get("malformed", 0.01),
        )
        self._open: dict[str, Message] = {}  # by control id, in the order in which they were sent
        self._to_send: list[Message] = []
        self._next: list[tuple[str, int]] = []
        self._patients = self._begun = 0
        self._tries: dict[str, int] = {}
        self._since = time.monotonic()
        self.stopping = False

    def run(self) -> None:
        deadline = float("inf")
        while True:
            self._fill()
            if self.stopping and deadline == float("inf"):
                deadline = time.monotonic() + self._settings.get("resolve_s", 60)
            if not self._open or time.monotonic() > deadline:
                return
            try:
                source, timeout_s = self._settings.get("source", ""), self._settings.get("timeout_s", 5)
                with wire.connect(self._settings["port"], source, timeout_s) as channel:
                    self._talk(channel, deadline)
            except OSError as fault:
                self._history.write({"ev": "lost", "why": type(fault).__name__})
                time.sleep(0.02)

    def _talk(self, channel: socket.socket, deadline: float) -> None:
        """Everything open again on this connection, then each answered one is followed by the next."""
        frames = wire.Frames()
        self._to_send = list(self._open.values())
        self._send(channel)
        while self._open and time.monotonic() < deadline:
            data = channel.recv(65536)
            if not data:
                raise ConnectionAbortedError
            for frame in frames.feed(data):
                if not self._answered(wire.read_answer(frame)):
                    raise ConnectionAbortedError
            self._fill()
            self._send(channel)

    def _fill(self) -> None:
        limit = self._settings.get("count", 10**9)
        while not self.stopping and len(self._open) < self._settings["window"] and self._begun < limit:
            early = self._begun / self._settings.get("a_second", float("inf")) - (time.monotonic() - self._since)
            if early > 0 and self._open:
                return  # there is an answer to come, after which it is looked again
            time.sleep(max(0.0, early))
            self._begun += 1
            odd = self._generator.odd()
            message = odd or self._generator.next(*self._turn())
            self._open[message.id] = message
            self._to_send.append(message)

    def _turn(self) -> tuple[str, int]:
        if self._next:
            return self._next.pop(0)
        self._patients += 1
        return f"{self._name}P{self._patients}", 0

    def _send(self, channel: socket.socket) -> None:
        messages, self._to_send = self._to_send, []
        if not messages:
            return
        events: list[Event] = []
        for one in messages:
            self._tries[one.id] = self._tries.get(one.id, 0) + 1
            events.append({"ev": "send", "id": one.id, "sha": one.sha, "pat": one.patient, "pseq": one.pseq,
                           "kind": one.kind, "value": one.value, "try": self._tries[one.id]})  # fmt: skip
        self._history.write(*events)
        channel.sendall(b"".join(wire.framed(one.raw) for one in messages))

    def _answered(self, answer: wire.Answer) -> bool:
        """Whether the answer is that of the oldest open message, as it must be."""
        oldest = next(iter(self._open), "")
        self._history.write({"ev": "reply", "id": oldest, "code": answer.code, "msa2": answer.control_id})
        if answer.control_id != oldest or not oldest:
            return False
        done = self._open.pop(oldest)
        if self._rng.random() < self._settings.get("again", 0.0):
            self._open[oldest] = done  # a sender that did not take its answer in: the same bytes once more
            self._to_send.append(done)
            return True
        del self._tries[oldest]
        if done.pseq >= 0 and answer.positive and done.pseq + 1 < self._settings.get("messages", 4):
            self._next.append((done.patient, done.pseq + 1))
        return True


def main() -> None:
    sender = Sender(json.loads(Path(sys.argv[1]).read_text()))

    def stop(*_: object) -> None:
        sender.stopping = True

    signal.signal(signal.SIGTERM, stop)
    sender.run()


if __name__ == "__main__":
    main()
