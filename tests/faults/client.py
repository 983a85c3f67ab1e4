"""A sender in hand: single messages from the row itself, written down as the senders write theirs."""

from __future__ import annotations

import socket

from tests.faults import wire
from tests.faults.journal import Event, History
from tests.faults.messages import Message
from tests.faults.wire import Answer
from tests.faults.world import World


class Client:
    """Sends on a connection of its own each time; the history has the line before and the one after."""

    def __init__(self, world: World, name: str = "client", port: int = 0) -> None:
        self._history = History(world.folder / f"{name}.jsonl")
        self._world, self._port = world, port
        self._tries: dict[str, int] = {}

    def send(self, message: Message, *, timeout: float = 10.0, source: str = "") -> Answer | None:
        """Its answer, None where there was none."""
        self.sending(message)
        try:
            with wire.connect(self.port, source, timeout) as channel:
                return self.on(channel, message, told=True)
        except OSError:
            return None

    def on(self, channel: socket.socket, message: Message, *, told: bool = False) -> Answer | None:
        """The same on a connection that is open."""
        if not told:
            self.sending(message)
        try:
            channel.sendall(wire.framed(message.raw))
        except OSError:
            return None
        answer = wire.receive(channel)
        if answer is not None:
            self.answered(message, answer)
        return answer

    def until_answered(self, message: Message, tries: int = 30, timeout: float = 3.0) -> Answer | None:
        """The same bytes again until they are answered."""
        for _try in range(tries):
            answer = self.send(message, timeout=timeout)
            if answer is not None:
                return answer
        return None

    @property
    def port(self) -> int:
        return self._port or self._world.service.port

    def sending(self, message: Message) -> None:
        self._tries[message.sha] = self._tries.get(message.sha, 0) + 1
        event: Event = {"ev": "send", "id": message.id, "sha": message.sha, "pat": message.patient,
                        "pseq": message.pseq, "kind": message.kind, "value": message.value}  # fmt: skip
        self._history.write({**event, "try": self._tries[message.sha]})

    def answered(self, message: Message, answer: Answer) -> None:
        self._history.write({"ev": "reply", "id": message.id, "code": answer.code, "msa2": answer.control_id})
