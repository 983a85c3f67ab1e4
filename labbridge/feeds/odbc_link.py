"""What the process that reads a view and the one that writes say to each other, over a pipe, in MessagePack."""

from __future__ import annotations

from collections.abc import Sequence
from multiprocessing.connection import Connection

import msgspec

from labbridge.errors import StoreUnavailable
from labbridge.feeds.odbc_window import Progress
from labbridge.model.work import Arrival, AuditEvent

Wanted = tuple[Arrival, AuditEvent]


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """Rows to keep; answered once they are on the disk."""

    wanted: list[Wanted]


class Read(msgspec.Struct, frozen=True, tag="read"):
    """A reading has ended, and all of it is kept. `types`: the kind of each column's values."""

    progress: Progress
    rows: int
    recount: bool
    types: dict[str, str]


class Trouble(msgspec.Struct, frozen=True, tag="trouble"):
    """A code of odbc/faults.py, and the table or column. Where it stops, the process ends."""

    code: str
    name: str = ""


class Alive(msgspec.Struct, frozen=True, tag="alive"):
    """Nothing to say, but that the process is not waiting for the database."""


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """`new`: so many of the rows were not known before."""

    new: int = 0


class Later(msgspec.Struct, frozen=True, tag="later"):
    """Nothing was kept; it is to be sent again."""


Said = Keep | Read | Trouble | Alive
Answer = Taken | Later

encode = msgspec.msgpack.Encoder().encode
said = msgspec.msgpack.Decoder(Said).decode
_answer = msgspec.msgpack.Decoder(Answer).decode


class Gone(Exception):
    """The other end has closed: the service stops, or wants no more of this process."""


class Link:
    """The end of the process that reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tell(self, what: Said) -> int:
        """How many rows were new. StoreUnavailable where nothing was kept; Gone where nobody listens."""
        try:
            self._connection.send_bytes(encode(what))
            answer: Answer = _answer(self._connection.recv_bytes())
        except (EOFError, OSError):
            raise Gone from None
        if isinstance(answer, Later):
            raise StoreUnavailable("The store cannot take rows now")
        return answer.new

    def keep(self, wanted: Sequence[Wanted]) -> int:
        return self.tell(Keep(list(wanted)))

    def rest(self, seconds: float) -> None:
        """Wait; Gone as soon as the other end closes."""
        if self._connection.poll(seconds):
            raise Gone
