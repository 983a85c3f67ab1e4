"""A comment as its receiver will show it: read back from the bytes that leave, not from what they were made of."""

from __future__ import annotations

import re

import msgspec

from labbridge.hl7 import reader
from labbridge.hl7.reader import Message, Segment


class ReadBack(msgspec.Struct, frozen=True, kw_only=True):
    """`segment` carries the text (`OBX`, `NTE`) as the data type `kind`, broken into `lines`. `escaped`: each sequence that
    stands for a character of the text, with that character. `status` is the result's or, where a note is added, the order's;
    `key` is OBX-4 of an observation of our own, empty in a note. `placer`, `filler`: the order it is filed under; `parent`:
    the order above that, where it is of our own."""

    segment: str
    kind: str
    lines: tuple[str, ...]
    escaped: tuple[tuple[str, str], ...]
    status: str
    key: str
    placer: str
    filler: str
    parent: str
    version: str
    charset: str


def read_back(raw: bytes) -> ReadBack:
    """Of the bytes of a comment message (hl7/outgoing.py)."""
    message = reader.read(raw)
    (obr,) = message.all("OBR")
    last = message.segments[-1]
    note = last.name == "NTE"
    text, kind = (last.field(3), "FT") if note else (last.field(5), last.field(2))
    return ReadBack(
        segment=last.name,
        kind=kind,
        lines=_lines(message, text, kind),
        escaped=_escaped(message, text),
        status=obr.field(25) if note else last.field(11),
        key="" if note else message.component(last.field(4), 1),
        placer=message.component(obr.field(2), 1),
        filler=message.component(obr.field(3), 1),
        parent=_parent(message, obr),
        version=message.msh.field(12),
        charset=message.msh.field(18),
    )


def _lines(message: Message, text: str, kind: str) -> tuple[str, ...]:
    if kind == "TX":
        return tuple(message.decoded(one) for one in message.repetitions(text))
    return tuple(message.decoded(text).split("\n"))


def _escaped(message: Message, text: str) -> tuple[tuple[str, str], ...]:
    mark = re.escape(message.delimiters.escape)
    found = dict.fromkeys(re.findall(f"{mark}[^{mark}]+{mark}", text))
    return tuple((one, message.decoded(one)) for one in found if not one[1:].startswith(".br"))


def _parent(message: Message, obr: Segment) -> str:
    """OBR-29: placer and filler of the order above, each with its parts as subcomponents."""
    placer, filler = (message.component(obr.field(29), number) for number in (1, 2))
    return filler or placer
