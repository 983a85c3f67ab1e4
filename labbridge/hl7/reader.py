"""Reading a message into segments: its own delimiters and characters, every position kept, nothing interpreted.

`encode(read(raw))` is `raw`, byte for byte, for everything that is read. Fields stay escaped until text is asked for.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7 import charset, escapes
from labbridge.hl7.escapes import Delimiters
from labbridge.hl7.head import BOM, Head, before, head, mark
from labbridge.model.report import PlacedNote
from labbridge.notes import note

MAX_SEGMENTS = 20_000  # told apart before any is built: 16 MiB of line ends would be gigabytes of segments

_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_LINE_ENDS = re.compile(r"([\r\n]+)")
_USUAL = ("^~\\&", "^~\\&#")


class Segment(msgspec.Struct, eq=False):
    """One segment. `text` is the decoded segment without its line end; `occurrence` counts its name from 1. Its fields are
    told apart when the first of them is asked for: receiving asks few segments for any.

    Field numbers are HL7's: in MSH, field 1 is the separator itself and field 2 the encoding characters.
    """

    text: str
    ending: str
    name: str
    occurrence: int
    separator: str
    _apart: list[str] | None = None

    def _fields(self) -> list[str]:
        if self._apart is None:
            self._apart = self.text.split(self.separator)
        return self._apart

    def field(self, number: int) -> str:
        """A field as sent, still escaped; empty when it is not there."""
        index = number - 1 if self.name == "MSH" else number
        if index <= 0:
            return self.text[3] if number == 1 else ""
        fields = self._apart or self._fields()
        return fields[index] if index < len(fields) else ""

    def fields(self, last: int) -> list[str]:
        """The fields as sent, each at its own number, at least to the `last`: empty where nothing was sent. At 0 stands
        the name. Not of MSH, whose first field is the separator itself."""
        fields = self._fields()
        missing = last + 1 - len(fields)
        return [*fields, *[""] * missing] if missing > 0 else fields

    @property
    def length(self) -> int:
        """The number of the last field sent."""
        return len(self._fields()) - (self.name != "MSH")

    @property
    def at(self) -> str:
        return f"{self.name}[{self.occurrence}]"


class Message:
    """A message that was read: its head and segments in order, its delimiters, the codec of its characters, and notes."""

    __slots__ = ("charset", "delimiters", "head", "notes", "prefix", "segments")

    def __init__(
        self,
        head: Head,
        segments: list[Segment],
        delimiters: Delimiters,
        charset: str,
        notes: tuple[PlacedNote, ...],
        prefix: bytes,
    ) -> None:
        self.head, self.segments, self.delimiters, self.charset = head, segments, delimiters, charset
        self.notes, self.prefix = notes, prefix

    @property
    def msh(self) -> Segment:
        return self.segments[0]

    def all(self, name: str) -> list[Segment]:
        return [segment for segment in self.segments if segment.name == name]

    def repetitions(self, field: str) -> list[str]:
        """The repetitions of a field as sent; none for an empty field."""
        return field.split(self.delimiters.repetition) if field else []

    def components(self, text: str) -> list[str]:
        return text.split(self.delimiters.component)

    def component(self, text: str, number: int, sub: int = 1) -> str:
        """A component (of the first repetition) as text, escapes decoded; empty when it is not there."""
        if not text or text.isalnum():  # no delimiter is a letter or a digit
            return text if number == sub == 1 else ""
        marks = self.delimiters
        if marks.repetition in text:
            text = text.split(marks.repetition, 1)[0]
        parts = text.split(marks.component, number)
        if number > len(parts):
            return ""
        part = parts[number - 1]
        if marks.subcomponent and marks.subcomponent in part:
            part = _nth(part.split(marks.subcomponent), sub)
        elif sub > 1:
            return ""
        return escapes.decode(part, marks, self.charset) if marks.escape in part else part

    def decoded(self, text: str) -> str:
        """Escapes decoded, in the message's own delimiters and characters."""
        return escapes.decode(text, self.delimiters, self.charset)

    def raw(self, segment: Segment) -> bytes:
        """The bytes of a segment, without its line end, exactly as received."""
        return segment.text.encode(self.charset)


def _nth(parts: list[str], number: int) -> str:
    return parts[number - 1] if number <= len(parts) else ""


def encode(message: Message) -> bytes:
    """The message as bytes: what was read, byte for byte."""
    text = "".join(segment.text + segment.ending for segment in message.segments)
    return message.prefix + text.encode(message.charset)


def read(raw: bytes, feed_charset: str = "") -> Message:
    """A message's segments. Refuse, with the code and the place of reliability.md 3.1, for what cannot be read."""
    prefix = before(raw)
    body = raw[len(prefix) :] if prefix else raw
    first = head(raw)
    if not first.fields:
        raise Refuse("No MSH segment", code="100", answer=False)
    delimiters = _delimiters(chr(body[3]) if len(body) > 3 else "", first.fields[2] if len(first.fields) > 2 else "")
    declared = first.field(18).split(delimiters.repetition, 1)[0]
    text, codec = charset.decode(body, declared, feed_charset)
    segments, other_ends, lower = _segments(text, delimiters)
    odd = {
        "N001": other_ends,
        "N004": BOM in prefix,
        "N005": lower,
        "N009": bool(feed_charset) and codec != charset.codec(declared),
        "N017": not feed_charset and codec == "ascii" and charset.codec(declared) is None,
        "N020": prefix.strip(BOM) != b"",
        "N013": delimiters.msh2 not in _USUAL,
    }
    if codec in charset.AMBIGUOUS and not text.isascii():  # there a delimiter's byte may be half of a character
        first = msgspec.structs.replace(first, fields=("", delimiters.field, *_as_bytes(segments[0], codec)))
    notes = [note(code, "MSH[1]") for code, seen in odd.items() if seen]
    notes += _vendor_escapes(text, segments, delimiters)
    return Message(first, segments, delimiters, codec, tuple(notes), prefix)


def _as_bytes(msh: Segment, codec: str) -> list[str]:
    """MSH-2 and what follows, every byte as a character: as a head holds them."""
    return [msh.field(number).encode(codec).decode("latin-1") for number in range(2, msh.length + 1)]


@lru_cache(maxsize=64)
def _delimiters(field: str, encoding: str) -> Delimiters:
    """MSH-1 and MSH-2. They are ASCII punctuation, all different: anything else could hide a field."""
    chars = field + encoding
    if not field or not 2 <= len(encoding) <= 5 or len(set(chars)) != len(chars) or not all(map(mark, chars)):
        raise Refuse("The delimiters in MSH-1 and MSH-2 cannot be used", code="102", location="MSH^1^2")
    names = ("component", "repetition", "escape", "subcomponent", "truncation")
    given = dict(zip(names, encoding, strict=False))
    return Delimiters(field=field, **{"escape": "", "subcomponent": "", **given})


def _segments(text: str, delimiters: Delimiters) -> tuple[list[Segment], bool, bool]:
    counts: dict[str, int] = {}
    segments: list[Segment] = []
    lower = False
    lines, other_ends = _lines(text)
    separator = delimiters.field
    for line, ending in lines:
        name = line[:3]
        if name not in counts or line[3:4] != separator:
            name = line.partition(separator)[0]
            if name not in counts and not _NAME.fullmatch(name):
                name = _repaired(name, segments)
                lower = True
        counts[name] = occurrence = counts.get(name, 0) + 1
        segments.append(Segment(line, ending, name, occurrence, separator))
    return segments, other_ends, lower


def _repaired(name: str, before: list[Segment]) -> str:
    """A name in lower case. Anything else is a torn line of text: refused, at the segment it follows."""
    upper = name.upper()
    if not name.isascii() or not _NAME.fullmatch(upper):
        last = before[-1]
        text = "The line after this segment begins with something that is no segment name"
        raise Refuse(text, code="100", location=f"{last.name}^{last.occurrence}")
    return upper


def _lines(text: str) -> tuple[list[tuple[str, str]], bool]:
    """Lines and their ends. CR is the standard; LF and CRLF are tolerated, and told. A blank line keeps its bytes: it
    belongs to the end of the line before it."""
    other_ends = "\n" in text
    if other_ends or "\r\r" in text:
        parts = _LINE_ENDS.split(text, MAX_SEGMENTS)
        pairs = list(zip(parts[0::2], [*parts[1::2], ""], strict=True))
    else:
        lines = text.split("\r", MAX_SEGMENTS)
        pairs = [*((line, "\r") for line in lines[:-1]), (lines[-1], "")]
    if not pairs[-1][0]:
        pairs.pop()
    if len(pairs) > MAX_SEGMENTS:
        raise Refuse(f"More than {MAX_SEGMENTS} segments", code="207")
    return pairs, other_ends


def _vendor_escapes(text: str, segments: list[Segment], delimiters: Delimiters) -> list[PlacedNote]:
    r"""A note for each segment with a local sequence (`\Zxx\`), which stays in the text as sent."""
    mark = delimiters.escape
    if not mark or f"{mark}Z" not in text:
        return []
    return [note("N008", one.at) for one in segments if f"{mark}Z" in one.text and escapes.local(one.text, delimiters)]
