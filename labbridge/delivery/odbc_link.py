"""What the service and the process that writes a table say to each other, over a pipe, in MessagePack."""

from __future__ import annotations

import msgspec


class Staging(msgspec.Struct, frozen=True, kw_only=True):
    """Where comments go, as the configuration has it: the table, the columns by what is written to them, and the procedure
    with its arguments, where one writes the row."""

    table: str
    columns: dict[str, str]
    procedure: str = ""
    arguments: tuple[str, ...] = ()


class Write(msgspec.Struct, frozen=True):
    """A row to write: the bytes of the outbox."""

    raw: bytes


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The row is there as it was to be written. `id`: as it was read back; `created`: it was not there before."""

    id: str
    created: bool


class Differs(msgspec.Struct, frozen=True, tag="differs"):
    """What is there is not what was written, and a person has to look. `code`: several, changed, lost or refused; `what`:
    the name of the value that differs, or the table."""

    code: str
    what: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Whether it was written is not known, or it was not: it is looked up before it is tried again."""

    code: str
    sentence: str


Answer = Done | Differs | Failed

encode = msgspec.msgpack.Encoder().encode
write = msgspec.msgpack.Decoder(Write).decode
answer = msgspec.msgpack.Decoder(Answer).decode
