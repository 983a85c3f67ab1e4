r"""HL7 escape sequences (2.5.1 section 2.7): `\F\ \S\ \T\ \R\ \E\ \P\`, `\Xhh..\`, line commands; text in and out.

decode(encode(s)) == s for every text of characters; encoded text holds no delimiter and no control character, so that a
comment can never create a field or a segment (reliability.md S-03). Both directions go over the text once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec


class Delimiters(msgspec.Struct, frozen=True, cache_hash=True):
    """MSH-1 and MSH-2 of a message. An absent escape or subcomponent delimiter is empty: then there is none."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def msh2(self) -> str:
        return self.component + self.repetition + self.escape + self.subcomponent + self.truncation


STANDARD = Delimiters()

_LINE_BREAKS = re.compile(r"\.(br|ce|sp *\+?\d*|sk *\+?\d*|fi|nf|in *[+-]?\d*|ti *[+-]?\d*)", re.IGNORECASE)
_LINE_COMMANDS = {"br": "\n", "ce": "\n", "sp": "\n", "sk": " "}  # the others change the margin, not the text
# Whole sequences that stay as sent: local ones, other character sets, bytes that are no character of this one.
_KEPT = re.compile(r"Z[0-9A-Za-z]*|X(?:[0-9A-Fa-f]{2})+|C[0-9A-Fa-f]{4}|M[0-9A-Fa-f]{4}(?:[0-9A-Fa-f]{2})?")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")


def decode(text: str, delimiters: Delimiters = STANDARD, charset: str = "utf-8") -> str:
    r"""The text an escaped field stands for. `\.br\`, `\.sp\` and `\.ce\` become a line feed, `\.sk\` a blank,
    highlighting goes.

    A sequence that is unknown, local (`\Z..\`), unterminated or not decodable stays as sent: no text is lost.
    """
    mark = delimiters.escape
    if not mark or mark not in text:
        return text
    return "".join(_pieces(text, delimiters, charset))


def local(text: str, delimiters: Delimiters = STANDARD) -> bool:
    r"""Whether a local sequence (`\Z..\`) stands in the text: its meaning is known to its sender alone."""
    mark = delimiters.escape
    return any(piece.startswith(f"{mark}Z") and piece.endswith(mark) for piece in _pieces(text, delimiters, "utf-8"))


def _pieces(text: str, delimiters: Delimiters, charset: str) -> Iterator[str]:
    """The text in pieces: stretches without an escape, what sequences mean, and sequences that mean nothing here."""
    mark = delimiters.escape
    start = 0
    while True:
        begin = text.find(mark, start)
        end = text.find(mark, begin + 1) if begin >= 0 else -1
        if end < 0:
            yield text[start:]
            return
        yield text[start:begin]
        body = text[begin + 1 : end]
        meaning = _meaning(body, delimiters, charset)
        if meaning is not None:
            yield meaning
            start = end + 1
        elif _KEPT.fullmatch(body):
            yield text[begin : end + 1]
            start = end + 1
        else:  # not a sequence: the first mark is text, the second may begin one
            yield text[begin:end]
            start = end


def _meaning(body: str, delimiters: Delimiters, charset: str) -> str | None:
    simple = _simple(delimiters).get(body)
    if simple is not None:
        return simple
    if found := _HEX.fullmatch(body):
        try:
            return bytes.fromhex(found[1]).decode(charset)
        except UnicodeDecodeError:
            return None
    if _LINE_BREAKS.fullmatch(body):
        return _LINE_COMMANDS.get(body[1:3].lower(), "")
    return None


@lru_cache(maxsize=64)
def _simple(delimiters: Delimiters) -> dict[str, str]:
    return {
        "F": delimiters.field,
        "S": delimiters.component,
        "T": delimiters.subcomponent or "&",
        "R": delimiters.repetition,
        "E": delimiters.escape,
        "P": delimiters.truncation or "#",
        "H": "",
        "N": "",
    }


def encode(text: str, delimiters: Delimiters = STANDARD, charset: str = "utf-8") -> str:
    r"""The text as it may stand in a field: delimiters and every control or line-separating character escaped."""
    return text.translate(_table(delimiters, charset))


@lru_cache(maxsize=64)
def _table(delimiters: Delimiters, charset: str) -> dict[int, str]:
    mark = delimiters.escape
    if not mark:
        raise ValueError("a message without an escape character cannot carry free text")
    names = {
        delimiters.field: "F",
        delimiters.component: "S",
        delimiters.subcomponent: "T",
        delimiters.repetition: "R",
        mark: "E",
        delimiters.truncation: "P",
    }
    table = {ord(char): f"{mark}{name}{mark}" for char, name in names.items() if char}
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029):
        try:
            table.setdefault(code, f"{mark}X{chr(code).encode(charset).hex().upper()}{mark}")
        except UnicodeEncodeError:  # it stays, and whoever writes the bytes is told that the charset has it not
            continue
    return table
