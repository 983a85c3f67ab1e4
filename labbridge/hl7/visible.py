"""A message as a person looks at it: every byte in its place, whether it can be read or not.

Text is what the character set makes of the bytes. A byte that is no character of it, a control character and anything else
that could not be seen, or could turn the text around, stands as its bytes: ⟦E9⟧. `bytes_of(text_of(b, c), c)` is `b` where
every character has one spelling (hl7/charset.py names the sets in which some have more).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from labbridge.hl7 import charset, escapes
from labbridge.hl7.head import before, head

OPEN, CLOSE = "⟦", "⟧"
MOST_SEGMENTS, MOST_FIELDS = 2000, 20_000  # on one page
MOST_OF_A_SEGMENT, LONGEST_FIELD = 500, 2000  # fields, characters: a document may stand in one
MOST_DUMPED = 2**14  # bytes
ROW = 16  # bytes

_MARK = re.compile(f"{OPEN}([0-9A-F]{{2}}){CLOSE}")
_LINE = re.compile(rb"([^\r\n]*)([\r\n]*)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2}")
_PLACE = re.compile(r"\b([A-Z][A-Z0-9]{2})(?:\[(\d{1,6})\]|\^(\d{1,6}))?(?:[-^](\d{1,4}))?(?![\w|])")


class Characters(msgspec.Struct, frozen=True):
    """`declared` as MSH-18 has it, `codec` as it is read, `known` False where neither MSH-18 nor the feed's own word names a
    set that is known here: then only ASCII is read."""

    declared: str
    codec: str
    known: bool


class Line(msgspec.Struct, frozen=True):
    """A segment's bytes, and those of its end."""

    data: bytes
    ending: bytes


class Field(msgspec.Struct, frozen=True):
    """`sent`: as it stands there. `values`: its repetitions, each as its components, escapes decoded. `faulty`: here is
    what the message was refused for."""

    at: str
    sent: str
    values: tuple[tuple[str, ...], ...] = ()
    faulty: bool = False


class Segment(msgspec.Struct, frozen=True):
    """`written`: the fields as they stand in the bytes, each behind the separator (MSH-1 is that itself)."""

    at: str
    name: str
    separator: str
    fields: tuple[Field, ...]
    faulty: bool = False

    @property
    def written(self) -> tuple[Field, ...]:
        return tuple(one for one in self.fields if one.at != "MSH[1]-1" and one.values != MISSING)


class Opened(msgspec.Struct, frozen=True):
    """A message whose bytes were opened. No `segments`: there is no MSH, and `dump` has offset, hexadecimal digits and text
    of each row. `left_out`: segments, or bytes, that are not shown; what is long is cut, and says by how much."""

    characters: Characters
    segments: tuple[Segment, ...] = ()
    dump: tuple[tuple[str, str, str], ...] = ()
    left_out: int = 0


MISSING = (("",),)
"""The value of a field that the fault is about and that was not sent."""

Place = tuple[str, int, int]


# ---------------------------------------------------------------- bytes and text


def characters(raw: bytes, feed_charset: str = "") -> Characters:
    """How a message's bytes are read: as hl7/charset.py does it, and as ASCII where that refuses the set."""
    first = head(raw)
    declared = first.field(18).split(first.delimiters.repetition, 1)[0]
    found = charset.codec(feed_charset or declared)
    return Characters(_printable(declared), found or "ascii", found is not None)


def text_of(data: bytes, codec: str) -> str:
    """Bytes as text in which nothing is hidden."""
    return _visible(data.decode(codec, "surrogateescape"), codec)


def _visible(text: str, codec: str) -> str:
    if text.isprintable() and OPEN not in text and CLOSE not in text:
        return text
    return "".join(char if char.isprintable() and char not in (OPEN, CLOSE) else _marked(char, codec) for char in text)


def _marked(char: str, codec: str) -> str:
    try:
        data = char.encode(codec, "surrogateescape")
    except UnicodeEncodeError:  # what an escape sequence stands for need not be of the message's own set
        data = char.encode("utf-8", "surrogatepass")
    return "".join(f"{OPEN}{byte:02X}{CLOSE}" for byte in data)


def bytes_of(text: str, codec: str) -> bytes:
    """The bytes of a text that `text_of` gave, or a person changed. UnicodeEncodeError, with the place, where the text has
    something that is neither a character of the set nor the mark of a byte."""
    made, end = bytearray(), 0
    for found in _MARK.finditer(text):
        made += _plain(text, end, found.start(), codec)
        made.append(int(found[1], 16))
        end = found.end()
    return bytes(made + _plain(text, end, len(text), codec))


def _plain(text: str, start: int, end: int, codec: str) -> bytes:
    part = text[start:end]
    for number, char in enumerate(part):
        if not char.isprintable() or char in (OPEN, CLOSE):
            raise UnicodeEncodeError(codec, text, start + number, start + number + 1, "cannot be seen")
    try:
        return part.encode(codec)
    except UnicodeEncodeError as error:
        raise UnicodeEncodeError(codec, text, start + error.start, start + error.end, error.reason) from None


def lines(raw: bytes) -> tuple[bytes, list[Line]]:
    """What stands before the first line, and the lines; a blank line belongs to the end of the one before it."""
    body = raw.lstrip(b"\r\n")
    return raw[: len(raw) - len(body)], list(_each_line(body))


def _each_line(body: bytes) -> Iterator[Line]:
    return (Line(one[1], one[2]) for one in _LINE.finditer(body) if one[1])


def _printable(text: str) -> str:
    return _visible(text, "latin-1")


# ---------------------------------------------------------------- segment by segment


def opened(raw: bytes, feed_charset: str = "", places: str = "") -> Opened:
    """A message as it can be looked at. `places`: sentences that name where it is at fault."""
    known = characters(raw, feed_charset)
    if not head(raw).fields:
        return Opened(known, dump=dumped(raw), left_out=max(0, len(raw) - MOST_DUMPED))
    found = _each_line(raw[len(before(raw)) :])
    faults = list(_places(places))
    shown, count = list[Segment](), 0
    for segment in _segments(islice(found, MOST_SEGMENTS), head(raw).delimiters, known.codec, faults):
        shown.append(segment)
        count += len(segment.fields)
        if count > MOST_FIELDS:
            break
    return Opened(known, tuple(shown), left_out=sum(1 for _line in found))


def segment(raw: bytes, feed_charset: str, at: str) -> Segment | None:
    """One segment of a message by its place (`OBX[3]`); None where there is none."""
    known, marks = characters(raw, feed_charset), head(raw).delimiters
    counts: Counter[str] = Counter()
    for line in _each_line(raw[len(before(raw)) :]):
        name = _name(line.data.decode(known.codec, "surrogateescape").split(marks.field, 1)[0])
        counts[name] += 1
        if at == f"{name}[{counts[name]}]":
            return _segment(line, at, marks, known.codec, set())
    return None


def dumped(raw: bytes) -> tuple[tuple[str, str, str], ...]:
    """The first bytes as rows: offset, hexadecimal digits, ASCII (a dot for what is not)."""
    rows = range(0, min(len(raw), MOST_DUMPED), ROW)
    return tuple(
        (f"{start:06X}", raw[start : start + ROW].hex(" ").upper(), _ascii(raw[start : start + ROW])) for start in rows
    )


def _ascii(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)


def _places(text: str) -> Iterator[Place]:
    """`OBX[3]-5`, `OBX^3^5`, `MSH-10`: segment, occurrence, field (0: the segment as a whole)."""
    for name, bracket, caret, field in _PLACE.findall(text):
        if bracket or caret or field:
            yield name, int(bracket or caret or 1), int(field or 0)


def _segments(
    found: Iterable[Line], marks: escapes.Delimiters, codec: str, faults: Sequence[Place]
) -> Iterator[Segment]:
    counts: Counter[str] = Counter()
    for line in found:
        name = _name(line.data.decode(codec, "surrogateescape").split(marks.field, 1)[0])
        counts[name] += 1
        wrong = {field for segment, occurrence, field in faults if (segment, occurrence) == (name, counts[name])}
        yield _segment(line, f"{name}[{counts[name]}]", marks, codec, wrong)


def _name(text: str) -> str:
    return text.upper() if _NAME.fullmatch(text) else "?"


def _segment(line: Line, at: str, marks: escapes.Delimiters, codec: str, wrong: set[int]) -> Segment:
    parts = line.data.decode(codec, "surrogateescape").split(marks.field, MOST_OF_A_SEGMENT)
    fields = tuple(_fields(parts, at, marks, codec, wrong))
    return Segment(at, _visible(parts[0], codec), marks.field, fields, bool(wrong))


def _fields(parts: Sequence[str], at: str, marks: escapes.Delimiters, codec: str, wrong: set[int]) -> Iterator[Field]:
    first = 2 if at == "MSH[1]" else 1
    if first == 2:
        yield Field(f"{at}-1", marks.field, ((marks.field,),), 1 in wrong)
    for number, whole in enumerate(parts[1:], first):
        sent = whole[:LONGEST_FIELD]
        more = f" … +{len(whole) - len(sent)}" if len(whole) > len(sent) else ""
        values = ((_visible(sent, codec),),) if first == 2 == number else tuple(_values(sent, marks, codec))
        yield Field(f"{at}-{number}", _visible(sent, codec) + more, values, number in wrong)
    for number in sorted(one for one in wrong if one >= len(parts) - 1 + first and one > 1):
        yield Field(f"{at}-{number}", "", MISSING, True)


def _values(sent: str, marks: escapes.Delimiters, codec: str) -> Iterator[tuple[str, ...]]:
    """Repetitions with their components; none of an empty field."""
    for repetition in sent.split(marks.repetition) if sent else ():
        parts = repetition.split(marks.component)
        yield tuple(_visible(escapes.decode(one, marks, codec).replace("\n", " ⏎ "), codec) for one in parts)
