"""Comments on their way out: no text of a person, a configuration or a sender makes a field or a segment."""

from __future__ import annotations

from datetime import UTC, datetime

import hl7
import msgspec

from labbridge.errors import Refuse, Refused
from labbridge.hl7 import outgoing, reader
from labbridge.hl7.outgoing import Letter, ReceiverFormat
from labbridge.hl7.reader import Message, Segment
from labbridge.model.values import Coding
from tests.fuzz.target import Target, must, parts, text
from tests.fuzz.targets.escaping import delimiters

NOW = datetime(2026, 4, 18, 8, 0, 5, tzinfo=UTC)
MODES, TYPES = ("obx", "nte", "report"), ("FT", "TX", "ST")
SHAPES = {
    "obx": ["MSH", "PID", "ORC", "OBR", "OBX"],
    "nte": ["MSH", "PID", "ORC", "OBR", "OBX", "NTE", "NTE"],
    "report": ["MSH", "PID", "ORC", "OBR", "OBX"],
}
COPIED = (5, 7, 8)  # of PID; PID-3 is looked at apart, where types are not added


def check(data: bytes) -> None:
    """Parts: how (a byte each: mode, version, type, line length, charset), delimiters, comment, signer, application,
    facility, and the raw PID-5, OBR-2 and OBX-4 of the source."""
    how, marks, comment, signer, application, facility, *sent = parts(data, 9)
    form = _form(how, text(application), text(facility))
    source = _source(text(marks), [text(one) for one in sent])
    letter = Letter(
        at="OBX[1]", lanes=("p:LABA|PT1",), text=text(comment), sub_id="LB7", correction=False, signer=text(signer),
        control_id="LBC-1", now=NOW,
    )  # fmt: skip
    try:
        read = reader.read(source, "")
        raw = outgoing.comment_message(source, "", form, letter)
        plain = msgspec.structs.replace(letter, text="x", signer="x" if letter.signer else "")
        harmless = msgspec.structs.replace(
            form, application="x" if form.application else "", facility=_x(form.facility)
        )
        usual = reader.read(outgoing.comment_message(source, "", harmless, plain))
    except (Refused, Refuse):
        return
    _same_shape(raw, usual, form)
    _reads_back(reader.read(raw), read, form, letter)


def _x(given: str) -> str:
    return "x" if given else ""


def _form(how: bytes, application: str, facility: str) -> ReceiverFormat:
    mode, version, kind, length, charset = (*how[:5], 0, 0, 0, 0, 0)[:5]
    return ReceiverFormat(
        version=("2.5.1", "2.3.1", "2.7", "2.8.2")[version % 4],
        mode=MODES[mode % 3],
        text_type=TYPES[kind % 3],
        line_length=(0, 20, 60)[length % 3],
        charset=("UNICODE UTF-8", "8859/1")[charset % 2],
        application=application,
        facility=facility,
        comment=(Coding("8251-1", "Service comment", "LN"),),
    )


def _source(marks_sent: str, sent: list[str]) -> bytes:
    """A result message in these delimiters, the fields as they were sent."""
    marks = delimiters(marks_sent)
    name, placer, sub_id = (_sendable(one, marks.field) for one in sent)
    f, c = marks.field, marks.component
    number = f"A1{c}OE" if not placer.strip() else placer
    lines = (
        ["MSH", f"{marks.msh2}", "LIS", "LABA", "LB", "LABA", "20260418", "", f"ORU{c}R01", "1", "P", "2.5.1"]
        + [""] * 5 + [f"UNICODE{marks.escape}X20{marks.escape}UTF-8" if " " in marks.msh2 else "UNICODE UTF-8"],
        ["PID", "1", "", f"PT1{c}{c}{c}LABA{c}MR", "", name, "", "19690417", "M"],
        ["OBR", "1", number, f"F1{c}LIS", f"MYO{c}Myositis{c}L"],
        ["OBX", "1", "NM", f"SRP{c}Anti-SRP{c}L", sub_id, "58", "", "", "", "", "", "F"],
        ["NTE", "1", "L", "Band visible."],
    )  # fmt: skip
    return "".join(f.join(line) + "\r" for line in lines).encode()


def _sendable(given: str, separator: str) -> str:
    """As a field could have come: without what would have ended it."""
    return given.translate({ord(one): None for one in f"\r\n{separator}"})


def _same_shape(raw: bytes, usual: Message, form: ReceiverFormat) -> None:
    found = reader.read(raw)
    must(reader.encode(found) == raw, "the message does not read back as it was written")
    must([one.name for one in found.segments] == SHAPES[form.mode], "a text made or took a segment")
    counts = [one.length for one in found.segments]
    must(counts == [one.length for one in usual.segments], "a text made or took a field")
    parsed = hl7.parse(raw.decode(found.charset))
    must([str(one[0]) for one in parsed] == SHAPES[form.mode], "python-hl7 finds other segments")


def _reads_back(found: Message, source: Message, form: ReceiverFormat, letter: Letter) -> None:
    last = found.segments[-1]
    kind = form.text_type if last.name == "OBX" else "FT"
    field = last.field(5 if last.name == "OBX" else 3)
    lines = field.split(found.delimiters.repetition) if kind == "TX" else [field]
    read = "\n".join(found.decoded(one) for one in lines)
    loose = kind == "ST" or form.line_length
    must(_flat(read) == _flat(letter.text) if loose else read == letter.text, "the comment reads back as another")
    if last.name == "OBX":
        must(found.component(last.field(16), 2) == letter.signer, "the signer reads back as another")
    msh = found.msh
    must(found.decoded(msh.field(3)) == form.application, "our application reads back as another")
    must(not form.facility or found.decoded(msh.field(4)) == form.facility, "our facility reads back as another")
    theirs, ours = source.all("PID")[0], found.all("PID")[0]
    for number in COPIED:
        must(_pieces(found, ours, number) == _pieces(source, theirs, number), "a field of PID is copied as another")
    must(found.component(ours.field(3), 1) == "PT1", "the patient's number is copied as another")


def _flat(given: str) -> str:
    return given.replace("\n", " ")


def _pieces(message: Message, segment: Segment, number: int) -> list[list[list[str]]]:
    """A field's repetitions, components and sub-components as text; the HL7 null as nothing."""
    field, marks = segment.field(number), message.delimiters
    if field == '""':
        field = ""
    return [
        [
            [message.decoded(sub) for sub in (part.split(marks.subcomponent) if marks.subcomponent else [part])]
            for part in one.split(marks.component)
        ]
        for one in field.split(marks.repetition)
    ]


TARGET = Target(
    name="writing",
    check=check,
    product=("labbridge.hl7.outgoing", "labbridge.hl7.page", "labbridge.hl7.escapes"),
    longest=1024,
)
