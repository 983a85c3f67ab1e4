"""The MSH as far as it can be told apart, as bytes: what the reader begins with, and what an answer is made from.

An answer must be possible for a message that could not be read: whatever bytes come, a head goes.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from labbridge.hl7.escapes import STANDARD, Delimiters

BOM = b"\xef\xbb\xbf"
SKELETON = ("", STANDARD.field, STANDARD.msh2)

_HEAD_BYTES = 2**16
_NULL = '""'
_LINE = re.compile(rb"[^\r\n]*")
_BEFORE = re.compile(rb"\x0b*(?:\xef\xbb\xbf)?[\r\n]*")


class Head(msgspec.Struct, frozen=True):
    """The MSH as far as it can be told apart: its fields by HL7 number (`fields[10]` is MSH-10), as Latin-1 text, so
    that every byte survives. `delimiters` are those an answer can be written in: the message's own where they are
    usable. No fields at all: there is no MSH."""

    delimiters: Delimiters
    fields: tuple[str, ...]

    def field(self, number: int) -> str:
        """A field as sent, escaped; empty when it is not there or is the HL7 null."""
        found = self.fields[number] if number < len(self.fields) else ""
        return "" if found == _NULL else found

    def _part(self, number: int, component: int = 1) -> str:
        parts = self.field(number).split(self.delimiters.component)
        return parts[component - 1] if component <= len(parts) else ""

    @property
    def sender(self) -> str:
        return f"{self._part(3)}|{self._part(4)}"

    @property
    def control_id(self) -> str:
        return self.field(10)

    @property
    def message_type(self) -> str:
        return "^".join(filter(None, (self._part(9), self._part(9, 2))))

    @property
    def event(self) -> str:
        """MSH-9.2, where it looks like one: an answer names no event that is none."""
        found = self._part(9, 2)
        return found if found.isalnum() and found.isascii() else ""

    @property
    def version(self) -> str:
        return self._part(12)

    @property
    def enhanced(self) -> bool:
        """Either of MSH-15 and MSH-16 valued counts as enhanced mode (reliability.md 1.2)."""
        return bool(self.field(15) or self.field(16))


def before(raw: bytes) -> bytes:
    """What may stand before MSH and is no part of the message: a start byte written twice, a byte order mark, empty
    lines."""
    if raw[:1] == b"M":
        return b""
    found = _BEFORE.match(raw)
    return found[0] if found is not None else b""


def head(raw: bytes) -> Head:
    """The first segment of a message, tolerantly."""
    start = len(before(raw))
    if raw[start : start + 3] != b"MSH":
        return Head(STANDARD, ())
    line = _LINE.match(raw, start, start + _HEAD_BYTES)
    assert line is not None  # it matches everywhere
    text = line[0].decode("latin-1")
    separator = text[3:4]
    if not separator or not mark(separator):
        return Head(STANDARD, SKELETON)
    fields = text.split(separator)
    return Head(_delimiters(separator, fields[1]), ("", separator, *fields[1:]))


def mark(char: str) -> bool:
    """ASCII punctuation: the only characters that separate."""
    return "!" <= char <= "~" and not char.isalnum()


@lru_cache(maxsize=64)
def _delimiters(field: str, encoding: str) -> Delimiters:
    """The message's own where an answer can be written in them; else the usual ones around its field separator."""
    chars = field + encoding
    usable = 3 <= len(encoding) <= 5 and len(set(chars)) == len(chars) and all(map(mark, encoding))
    if not usable:
        encoding = STANDARD.msh2.replace(field, "|")
    return Delimiters(field, encoding[0], encoding[1], encoding[2], encoding[3:4], encoding[4:5])
