"""A table of the LIS as a receiver: its rows are written by a process of its own, since a fault in a driver ends the
process it runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import NamedTuple

import msgspec

from labbridge.delivery.odbc_link import Answer, Differs, Done, Failed, Write, answer, encode
from labbridge.delivery.turn import MaySend, always, check
from labbridge.errors import Refuse, Retry
from labbridge.observe.logs import logger
from labbridge.rows import body
from labbridge.states import Reason

OTHER_KIND = "it was composed for a receiver of another kind"
SENTENCES = {
    "several": "several rows have our number: add a unique index on its column, and look at them",
    "changed": "what is there under our number is not what was written",
    "lost": "what was written is not there",
    "refused": "the table refuses the row: look at its columns, their length, and what they must hold",
}

_log = logger("delivery")


class Written(msgspec.Struct, frozen=True):
    """What a table made of a delivery: ports.Answer. `code`: created or found; else one of SENTENCES."""

    code: str
    control_id: str = ""
    error: str = ""
    text: str = ""
    raw: bytes = b""

    def takes(self, control_id: str) -> bool:
        return bool(control_id) and self.control_id == control_id


class Started(NamedTuple):
    """A process that writes, and our end of its pipe."""

    process: BaseProcess
    pipe: Connection


class OdbcReceiver:
    """ports.Receiver over ODBC. `silent_s`: so long the process may take for one row; then it is ended, and whether the row
    is there is looked up by the next one. `failures` and `answered` as MllpReceiver has them."""

    tls = None

    def __init__(
        self,
        name: str,
        start: Callable[[], Started],
        silent_s: float,
        answered: Callable[[str, float], None] = lambda code, seconds: None,
    ) -> None:
        self.name, self.failures = name, 0
        self.may_send: MaySend = always
        self._start, self._silent_s, self._answered = start, silent_s, answered
        self._child: Started | None = None
        self._turn = asyncio.Lock()

    async def send(self, raw: bytes, control_id: str) -> Written:
        """Write one row. Retry where nothing is known for sure: what is there already is found the next time."""
        async with self._turn:
            begun = asyncio.get_running_loop().time()
            code = "timeout"
            try:
                if not _holds(raw, control_id):
                    return Written(OTHER_KIND)
                check(self.may_send)
                found = await asyncio.to_thread(self._asked, raw)
                if isinstance(found, Failed):
                    self._failed(found.code)
                    raise Retry(Reason.NO_ANSWER, found.sentence)
                self.failures = 0
                written = _written(found, control_id)
                code = written.code
                return written
            finally:
                self._answered(code, asyncio.get_running_loop().time() - begun)

    def _asked(self, raw: bytes) -> Answer:
        """The answer of the process. One that says nothing, or has ended, is begun anew for the next row."""
        child = self._child = self._child or self._start()
        try:
            child.pipe.send_bytes(encode(Write(raw)))
            if child.pipe.poll(self._silent_s):
                found: Answer = answer(child.pipe.recv_bytes())
                return found
            fault = Failed("silent", "No answer (the database has said nothing for too long)")
        except (EOFError, OSError):
            fault = Failed("ended", "No answer (the process that talks to the driver has ended)")
        self.close()
        return fault

    def _failed(self, code: str) -> None:
        self.failures += 1
        _log.warning("no_answer", receiver=self.name, reason=code, count=self.failures)

    def close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.process.kill()
            child.process.join()
            child.pipe.close()


def _written(found: Done | Differs, control_id: str) -> Written:
    if isinstance(found, Done):
        return Written("created" if found.created else "found", control_id=found.id)
    text = f"{SENTENCES[found.code]} ({found.what})"
    return Written(found.code, error=found.code, text=text)


def _holds(raw: bytes, control_id: str) -> bool:
    """Whether these bytes are one row with this number."""
    try:
        rows = body.decode(raw).rows
    except Refuse:
        return False
    return len(rows) == 1 and rows[0].get("id") == control_id
