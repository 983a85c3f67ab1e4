"""The messages of a file, by the wire it was written for: HL7 v2, FHIR as JSON, or kept rows of a table; each as the
reports that a feed would read of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from labbridge.errors import Refuse
from labbridge.hl7 import incoming
from labbridge.model.report import Report
from labbridge.model.work import Feed
from labbridge.rows.body import is_rows
from labbridge.rows.incoming import read_reports as read_rows

EPOCH = datetime(1, 1, 1, tzinfo=UTC)
BOM = b"\xef\xbb\xbf"
_LINE = re.compile(rb"(?:\A|(?<=[\r\n\x0b])|(?<=\xef\xbb\xbf))(?:MSH|FHS|BHS|BTS|FTS)(?![A-Za-z0-9])")
_BETWEEN = re.compile(
    rb"(?<=\})[ \t]*[\r\n]\s*(?=\{)"
)  # nowhere within a JSON text: a comma or a name would stand there


class Feeds(msgspec.Struct, frozen=True):
    """As which feed each wire's messages are read."""

    hl7: Feed
    fhir: Feed
    rows: Feed | None = None

    @classmethod
    def of(cls, feeds: list[Feed]) -> Feeds:
        """The first configured feed of each wire; where it has none, the first of all."""
        first = feeds[0] if feeds else Feed(name="file")
        by_kind = {feed.kind: feed for feed in reversed(feeds)}
        return cls(by_kind.get("mllp", first), by_kind.get("fhir", first), by_kind.get("odbc"))


class Unreadable(msgspec.Struct, frozen=True):
    """A message of a file that could not be read: its number in the file, the place, and the rule it breaks."""

    name: str
    number: int
    text: str


class Message(msgspec.Struct, frozen=True):
    """A message of a file: its name there (`results.hl7#2`), the feed it was read as, and its reports."""

    ref: str
    feed: Feed
    reports: list[Report]


def messages(name: str, content: bytes, feeds: Feeds) -> Iterator[Message | Unreadable]:
    """Every message of a file, in order, read or not."""
    if is_rows(content):
        yield from _rows(name, content, feeds.rows)
        return
    of_fhir = is_fhir(content)
    feed, pieces = (feeds.fhir, split_bodies(content)) if of_fhir else (feeds.hl7, split_messages(content))
    for number, raw in enumerate(pieces, 1):
        try:
            reports = _of_body(raw, feed) if of_fhir else incoming.read_reports(raw, feed, EPOCH)
        except Refuse as fault:
            yield Unreadable(name, number, f"{fault.text} {fault.location}".strip())
        else:
            yield Message(f"{name}#{number}", feed, reports)
    if not pieces:
        yield Unreadable(name, 1, "No MSH segment: this is not an HL7 v2 file")


def split_messages(content: bytes) -> list[bytes]:
    """The messages of a file: framed or not, one or many, with or without batch segments; line ends untouched. A file is
    read for what it says: a batch whose own counts are wrong is told by the feed, not here."""
    content = content.replace(b"\x1c", b"")
    starts = [found.start() for found in _LINE.finditer(content)] + [len(content)]
    pieces = (content[begin:end].strip(b"\x0b\r\n") for begin, end in pairwise(starts))
    return [piece + b"\r" for piece in pieces if piece.startswith(b"MSH")]


def _rows(name: str, content: bytes, feed: Feed | None) -> Iterator[Message | Unreadable]:
    """Rows as they are kept, one on a line. What their columns mean, a feed alone tells."""
    if feed is None:
        yield Unreadable(
            name, 1, "These are rows of a table, and no feed of kind odbc is configured that says what they mean"
        )
        return
    for number, raw in enumerate(split_bodies(content), 1):
        try:
            yield Message(f"{name}#{number}", feed, read_rows(raw, feed))
        except Refuse as fault:
            yield Unreadable(name, number, f"{fault.text} {fault.location}".strip())


# ---------------------------------------------------------------- FHIR


def is_fhir(content: bytes) -> bool:
    """A file that begins as a JSON object is a FHIR body, or several of them."""
    return content.removeprefix(BOM).lstrip().startswith(b"{")


def split_bodies(content: bytes) -> list[bytes]:
    """The bodies of a file: one, or several that each begin on a line of their own (JSON Lines)."""
    return _BETWEEN.split(content.removeprefix(BOM).strip())


def _of_body(raw: bytes, feed: Feed) -> list[Report]:
    """The reports of a body that holds against the models; Refuse with the first thing that does not."""
    from labbridge.fhir import incoming as body  # only here: the models of R4 come with it
    from labbridge.fhir import structure
    from labbridge.fhir.faults import Unfit

    issues = structure.checked(raw)
    if issues:
        raise Unfit(issues)
    return body.read_reports(raw, feed)
