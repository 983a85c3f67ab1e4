"""A message repaired by hand: the text a person changed, back to bytes. What was not changed stays as it came, byte for
byte, readable or not; a change that would take other bytes with it is refused, with the place."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

import msgspec

from labbridge.errors import Refused
from labbridge.hl7 import visible
from labbridge.hl7.visible import Line

CR = b"\r"


class Difference(msgspec.Struct, frozen=True):
    """A segment that is another one after a repair: `before` is empty where it is new, `after` where it is gone. `number`:
    the line it stands in, before or else after. `fields` are the numbers of those that changed, in HL7's count."""

    number: int
    before: str
    after: str
    fields: tuple[int, ...] = ()


def editable(raw: bytes, feed_charset: str = "") -> str:
    """A message as text to be changed: one segment a line."""
    return "\n".join(_shown(raw, feed_charset))


def repaired(raw: bytes, edited: str, feed_charset: str = "") -> bytes:
    """The message with what was changed in its text. Where the change names another character set in MSH-18, changed
    segments are written in that one."""
    codec = visible.characters(raw, feed_charset).codec
    made = _written(raw, edited, codec, codec)
    now = visible.characters(made, feed_charset).codec
    if now != codec:
        made = _written(raw, edited, codec, now)
    if made == raw:
        raise Refused("Nothing was changed")
    return made


def differences(before: bytes, after: bytes, feed_charset: str = "") -> list[Difference]:
    """What a repair changed, segment by segment."""
    old, new = _shown(before, feed_charset), _shown(after, feed_charset)
    found = []
    for same, first, last, start, end in _blocks(old, new):
        if same:
            continue
        for number in range(max(last - first, end - start)):
            was = old[first + number] if first + number < last else ""
            now = new[start + number] if start + number < end else ""
            line = first + number + 1 if was else start + number + 1
            found.append(Difference(line, was, now, _fields(was, now)))
    return found


def _shown(raw: bytes, feed_charset: str) -> list[str]:
    codec = visible.characters(raw, feed_charset).codec
    return [visible.text_of(line.data, codec) for line in visible.lines(raw)[1]]


Block = tuple[bool, int, int, int, int]


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[Block]:
    """Which lines stayed (True), and which stand in the place of which: line by line where that changes fewest."""
    steps = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    moved = [(tag == "equal", first, last, start, end) for tag, first, last, start, end in steps]
    if len(old) != len(new):
        return moved
    placed = [(one == other, at, at + 1, at, at + 1) for at, (one, other) in enumerate(zip(old, new, strict=True))]
    return placed if _changed(placed) <= _changed(moved) else moved


def _changed(blocks: Sequence[Block]) -> int:
    return sum(last - first + end - start for same, first, last, start, end in blocks if not same)


def _fields(was: str, now: str) -> tuple[int, ...]:
    """The fields in which two versions of a segment differ; the separator is what stands behind the name."""
    if not was or not now or was[:4] != now[:4]:
        return ()
    old, new = was.split(was[3:4] or "|"), now.split(was[3:4] or "|")
    offset = 1 if was.startswith("MSH") else 0
    longest = max(len(old), len(new))
    pairs = zip(old + [""] * (longest - len(old)), new + [""] * (longest - len(new)), strict=True)
    return tuple(number + offset for number, (one, other) in enumerate(pairs) if one != other)


# ---------------------------------------------------------------- text to bytes


def _written(raw: bytes, edited: str, codec: str, now: str) -> bytes:
    first, old = visible.lines(raw)
    shown = [visible.text_of(line.data, codec) for line in old]
    wanted = [line for line in edited.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    made: list[Line] = []
    for same, begin, end, start, stop in _blocks(shown, wanted):
        if same:
            made += old[begin:end]
            continue
        for number in range(start, stop):
            before = begin + number - start
            if before < end:
                _check_others(old[before], shown[before], now, number + 1)
            ending = old[before].ending if before < end else CR
            made.append(Line(_encoded(wanted[number], now, number + 1), ending))
    if not made:
        raise Refused("A message without segments says nothing")
    ended = [line if line.ending else Line(line.data, CR) for line in made[:-1]]
    return first + b"".join(line.data + line.ending for line in (*ended, made[-1]))


def _check_others(line: Line, shown: str, codec: str, number: int) -> None:
    """The bytes of a segment that is changed must come back the same where it is not."""
    try:
        same = visible.bytes_of(shown, codec) == line.data
    except UnicodeEncodeError:
        same = False
    if not same:
        raise Refused(
            f"Line {number} cannot be changed in the character set {codec}: other bytes of it would change too;"
            " repair it from a file (`labbridge edit`)"
        )


def _encoded(text: str, codec: str, line: int) -> bytes:
    try:
        return visible.bytes_of(text, codec)
    except UnicodeEncodeError as error:
        at, char = error.start + 1, text[error.start]
        if char in (visible.OPEN, visible.CLOSE):
            raise Refused(
                f"Line {line}, character {at}: a byte is written as two hexadecimal digits in brackets, ⟦E9⟧"
            ) from None
        if not char.isprintable():
            raise Refused(f"Line {line}, character {at}: it cannot be seen; write its bytes, ⟦09⟧ for a tab") from None
        raise Refused(
            f"Line {line}, character {at}: it is no character of {codec}; write its bytes, or change MSH-18 first"
        ) from None
