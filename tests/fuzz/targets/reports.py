"""Reports of accepted messages: nothing but Refuse is raised, and what an OBX or NTE says is in the report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from labbridge.errors import Refuse
from labbridge.hl7 import incoming, reader
from labbridge.hl7.reader import Message, Segment
from labbridge.model.report import Observation, Report
from labbridge.model.values import SentAttachment, SentCoding, SentStructured, SentText
from tests.fuzz.target import Target, must
from tests.fuzz.targets.reading import FEED, by_the_table

NOW = datetime(2026, 4, 18, 8, 0, tzinfo=UTC)
NULL = '""'


def check(data: bytes) -> None:
    try:
        found = incoming.read_reports(data, FEED, NOW)
    except Refuse as fault:
        by_the_table(fault, ("204",))
        return
    must(found, "an accepted message gives no report")
    message = reader.read(data, FEED.charset)
    if any(report.identity for report in found):
        return
    seen: dict[str, list[Observation]] = {}
    for report in found:
        for one in observations(report):
            seen.setdefault(one.at, []).append(one)
    for obx in _results(message):
        (one, *more) = seen.get(obx.at) or [None]
        must(one is not None and not more, "an OBX is in no report, or in two")
        assert one is not None
        must(one.raw == message.raw(obx), "an observation's bytes are not its segment's")
        _told(message, obx, one)


def _results(message: Message) -> Iterator[Segment]:
    """Every OBX but those between ORC and OBR, which from 2.8 on are the order's document and no result."""
    document = False
    for segment in message.segments:
        if segment.name in ("ORC", "OBR", "SPM", "PID"):
            document = segment.name == "ORC" and message.component(message.msh.field(9), 1) == "ORU"
        if segment.name == "OBX" and not document:
            yield segment


def observations(report: Report) -> Iterator[Observation]:
    """Every observation once, though the specimen it is about may stand with several orders."""
    yield from report.observations
    tubes: dict[str, Observation] = {}
    for order in report.orders:
        yield from order.observations
        tubes |= {one.at: one for specimen in order.specimens for one in specimen.observations}
    yield from tubes.values()


def _told(message: Message, obx: Segment, one: Observation) -> None:
    field = obx.field(5)
    marks = message.delimiters
    if field == NULL:
        must(one.missing == "null" and not one.values, "a null is not told as one")
        return
    bare = field.strip(f" {marks.component}{marks.repetition}{marks.subcomponent}")
    if not bare:
        return
    must(one.values and one.missing is None, "a value was sent and none is told")
    if one.value_type in incoming.PARAGRAPHS:
        (value,) = one.values
        must(isinstance(value, SentText), "a paragraph is no text")
        return
    sent = field.split(marks.repetition)
    must(len(sent) == len(one.values), "a repetition is left out")
    for text, value in zip(sent, one.values, strict=True):
        whole = [message.decoded(part) for part in text.split(marks.component)]
        match value:
            case SentText():
                must(value.text == message.decoded(text), "a text is another than was sent")
            case SentStructured():
                told = [value.comparator, value.num1, value.separator, value.num2]
                must(told == [*whole, "", "", "", ""][:4], "a structured value is another than was sent")
            case SentCoding():
                told = [part for coding in value.codings for part in (coding.code, coding.display)]
                wanted = [whole[n] for n in (0, 1, 3, 4, 8, 9, 10) if n < len(whole) and whole[n]]
                must(set(wanted) <= {*told, value.original_text}, "a coded value lost a part")
            case SentAttachment():
                must(value.length_bytes == len(text.encode(message.charset)), "an attachment has another length")


TARGET = Target(name="reports", check=check, product=("labbridge.hl7",))
