"""The comment on its way back: ORU^R01 in the receiver's version, in one of three modes (standards.md 2.6).

obx     an OBX of our own under the laboratory's own order: keyed, signed, corrected with C
nte     the result's OBX and its notes exactly as received, byte for byte, and the comment as one more NTE
report  an order of our own below the laboratory's, with one OBX

These bytes are judged (conformance.py) before they are stored, and stored before they are sent.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

from labbridge.errors import Refuse, Refused
from labbridge.hl7 import charset, escapes, reader, structure, times
from labbridge.hl7.escapes import STANDARD, Delimiters
from labbridge.hl7.groups import ObservationGroup, OrderGroup, PatientGroup
from labbridge.hl7.reader import Message, Segment
from labbridge.model.values import Coding

SUB_ID = re.compile(r"LB[0-9]+", re.ASCII)
SOFTWARE = "labbridge-"  # with the version, what OBX-18 names: any comment made by this software, wherever it runs

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NULL = '""'
_CHARACTER_SETS = {
    "ascii": "",
    "utf-8": "UNICODE UTF-8",
    "gb18030": "GB 18030-2000",
    "big5": "BIG-5",
    "euc_kr": "KS X 1001",
}


class ReceiverFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How one receiver takes comments. `line_length` 0 means unwrapped; `comment` is the code of the comment (OBX-3),
    ours second; `application` and `facility` are who we say we are, `receiving_*` whom we write to (empty: whoever
    sent the result). `timezone` is the zone our times are written in. `text_type` is OBX-2: FT breaks lines with
    `\\.br\\`, TX with the repetition delimiter, ST not at all (2.5.1, OBX-2); an NTE is always FT."""

    version: str = "2.5.1"
    mode: str = "obx"
    line_length: int = 0
    charset: str = "UNICODE UTF-8"
    application: str = "LABBRIDGE"
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    comment: tuple[Coding, ...] = ()
    software: str = "labbridge"
    timezone: str = "UTC"
    text_type: str = "FT"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One comment: the result it hangs on (`at`, in one of the patient's lanes, the surviving one first), its text, its
    key and who signed it."""

    at: str
    lanes: tuple[str, ...]
    text: str
    sub_id: str
    correction: bool
    signer: str
    control_id: str
    now: datetime


def comment_message(
    source: bytes, source_charset: str, format: ReceiverFormat, letter: Letter, naming: bytes = b""
) -> bytes:
    """The final bytes of a comment on a result of `source`. Refused where they cannot be made: with the reason.

    `source_charset` is the feed's own charset (empty: MSH-18 counts), as it was when the message was read. `naming` is the
    identity message by which the patient has another number by now: the old one is not written any more (ADT^A40).
    """
    if not letter.text.strip():
        raise Refused("The comment is empty; there is nothing to send")
    try:
        message = reader.read(source, source_charset)
        patient, order, group = _place(message, letter)
    except Refuse as fault:
        raise Refused(f"The message the comment hangs on cannot be read: {fault.text} {fault.location}") from fault
    page = _Page(message, format, letter)
    body = {"obx": page.own_observation, "nte": page.echoed_observation, "report": page.own_report}[format.mode]
    renamed = naming and patient.lanes[0] != letter.lanes[0]
    named = _named(naming, page, letter.lanes[0]) if renamed else page.patient(patient.pid)
    return page.encoded([page.header(), named, *body(order, group)])


def specimen(source: bytes, source_charset: str, letter: Letter) -> str:
    """What the comments of one specimen have in common: its number, else the filler or placer number of the order."""
    message = reader.read(source, source_charset)
    _patient, order, _group = _place(message, letter)
    filler, placer = (order.obr.field(n) or (order.orc.field(n) if order.orc else "") for n in (3, 2))
    return structure.specimen_id(message, order) or filler or placer


def _named(naming: bytes, page: _Page, lane: str) -> str:
    """PID as the identity message has it, in the delimiters and characters of this page."""
    message = reader.read(naming, "")
    for patient in structure.patients_of(message):
        if patient.lanes[0] == lane:
            return page.of(message).patient(patient.pid)
    raise Refused("The identity message that gave the patient another number does not name the patient any more")


def _place(message: Message, letter: Letter) -> tuple[PatientGroup, OrderGroup, ObservationGroup]:
    """The result the comment hangs on, with its order and patient; never that of another patient (reliability.md H2)."""
    for patient in structure.patients_of(message):
        if patient.pid is None or patient.lanes[0] not in letter.lanes:
            continue
        for order in patient.orders:
            for group in order.observations:
                if group.obx.at == letter.at:
                    return patient, order, group
    raise Refused("The result the comment hangs on is not in its message, or is another patient's, or names no patient")


class _Page:
    """The message being written: delimiters and characters of the outgoing side, fields copied from the source."""

    def __init__(self, source: Message, format: ReceiverFormat, letter: Letter) -> None:
        self._source, self._format, self._letter = source, format, letter
        echoes = format.mode == "nte"  # the echoed bytes decide delimiters and characters of the whole message
        self._marks: Delimiters = source.delimiters if echoes else STANDARD
        if not self._marks.escape:
            raise Refused("The result's message has no escape character; a comment cannot be added to it")
        self._charset = _declared(source) if echoes else format.charset
        codec = source.charset if echoes else charset.codec(format.charset)
        if codec is None:
            raise Refused(f"The character set {format.charset} of the receiver is not known here")
        self._codec = codec
        self._compare()
        self._now = self._text(times.written(letter.now.astimezone(times.zone(format.timezone))))

    def of(self, source: Message) -> _Page:
        """The same page, its fields copied from another message."""
        other = copy.copy(self)
        other._source = source
        other._compare()
        return other

    def _compare(self) -> None:
        source = self._source
        same = source.delimiters.field == self._marks.field and source.delimiters.msh2 == self._marks.msh2
        self._same_marks, self._same_characters = same, source.charset == self._codec

    def header(self) -> str:
        format, msh = self._format, self._source.msh
        names = ("ORU", "R01", "ORU_R01") if self._from("2.4") else ("ORU", "R01")
        kind = self._c(*map(self._text, names))
        start = f"MSH{self._marks.field}{self._marks.msh2}"
        return self._f(
            start,
            self._text(format.application),
            self._text(format.facility) or self._copied(msh.field(6)),
            self._text(format.receiving_application) or self._copied(msh.field(3)),
            self._text(format.receiving_facility) or self._copied(msh.field(4)),
            self._now, "", kind, self._text(self._letter.control_id), self._copied(msh.field(11)),
            self._text(format.version), "", "", "", "", "", self._charset,
        )  # fmt: skip

    def patient(self, pid: Segment | None) -> str:
        if pid is None:
            raise Refused("The message names no patient")
        wanted = (3, 5, 7, 8)  # two identifiers and what a receiver checks them with; nothing else is passed on
        fields = [self._copied(pid.field(number)) if number in wanted else "" for number in range(2, 9)]
        fields[1] = self._typed(fields[1])
        return self._f("PID", "1", *fields)

    def _typed(self, identifiers: str) -> str:
        """PID-3 with an identifier type each: CX.5 is required from 2.7 on. A sender's that has none is of type U,
        unspecified (table 0203): nothing is guessed about it."""
        if not self._from("2.7"):
            return identifiers
        marks, found = self._marks, []
        for identifier in identifiers.split(marks.repetition):
            parts = identifier.split(marks.component)
            parts += [""] * (5 - len(parts))
            if parts[0] and parts[4] in ("", _NULL):
                parts[4] = "U"
            found.append(marks.component.join(parts).rstrip(marks.component))
        return marks.repetition.join(found)

    def own_observation(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        return [*self._order(order, "F"), self._comment(group.obx)]

    def echoed_observation(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        """The notes of the result go with it: many receivers replace all notes by the ones they get (2.6, mode N)."""
        echoed = [group.obx.text, *(note.text for note in group.notes)]
        if any(map(_CONTROL.search, echoed)):
            raise Refused("The result holds control characters; it cannot be echoed as it was received")
        kind = [self._c("RE", "Remark", "HL70364")] if self._from("2.4") else []
        text = self._lines(f"{self._marks.escape}.br{self._marks.escape}")
        return [*self._order(order, "C"), *echoed, self._f("NTE", str(len(echoed)), "L", text, *kind)]

    def own_report(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        """Our filler number is the comment's key, so that a correction finds the report it replaces."""
        placer, filler = self._numbers(order)
        own = self._c(self._text(self._letter.sub_id), self._text(self._format.application))
        parent = self._marks.component.join(self._as_subcomponents(one) for one in (placer, filler))
        orc = self._f("ORC", "RE", placer, own, *[""] * 4, parent)
        fields = [""] * 29
        fields[0], fields[1], fields[2], fields[3] = "1", placer, own, self._codes()
        fields[6], fields[21] = self._copied(order.obr.field(7)), self._now
        fields[23], fields[24] = self._copied(order.obr.field(24)), "C" if self._letter.correction else "F"
        fields[25] = self._parent_result(group.obx)
        fields[28] = parent
        return [orc, self._f("OBR", *fields), self._comment(group.obx)]

    def encoded(self, segments: list[str]) -> bytes:
        try:
            return ("\r".join(segments) + "\r").encode(self._codec)
        except UnicodeEncodeError as error:
            place = f"U+{ord(error.object[error.start]):04X}"
            raise Refused(f"The receiver's character set {self._charset} has no {place}") from None

    # ---- segments

    def _order(self, order: OrderGroup, status: str) -> list[str]:
        placer, filler = self._numbers(order)
        copy = {number: self._copied(order.obr.field(number)) for number in (4, 7, 16, 24)}
        fields = [""] * 25
        fields[0], fields[1], fields[2], fields[3] = "1", placer, filler, copy[4]
        fields[6], fields[15], fields[21], fields[23], fields[24] = copy[7], copy[16], self._now, copy[24], status
        if not self._from("2.7"):  # withdrawn then: the specimen's times are SPM's
            fields[13] = self._copied(order.obr.field(14))
        return [self._f("ORC", "RE", placer, filler), self._f("OBR", *fields)]

    def _comment(self, source: Segment) -> str:
        letter, kind = self._letter, self._format.text_type
        status = "C" if letter.correction else "F"
        mark = self._marks.escape
        text = self._lines({"FT": f"{mark}.br{mark}", "TX": self._marks.repetition, "ST": " "}[kind])
        fields = ["1", kind, self._codes(), self._text(letter.sub_id), text, *[""] * 5, status, "", ""]
        fields += [self._copied(source.field(14)), "", self._c("", self._text(letter.signer))]
        if self._from("2.4"):
            software = self._c(self._text(self._format.software), self._text(self._format.application))
            fields += ["", software, self._now]
        return self._f("OBX", *fields)

    def _parent_result(self, source: Segment) -> str:
        """OBR-26: the code and sub-id of the result the comment speaks of (its value stays where it is)."""
        code = self._copied(source.field(3)).split(self._marks.repetition)[0]
        sub_id = self._copied(source.field(4))
        if self._marks.subcomponent in code:  # it could not be told from the code's own parts
            return ""
        simple = not any(mark in sub_id for mark in (self._marks.component, self._marks.repetition))
        return self._c(self._as_subcomponents(code), sub_id if simple else "").rstrip(self._marks.component)

    def _numbers(self, order: OrderGroup) -> tuple[str, str]:
        obr, orc = order.obr, order.orc
        placer, filler = (self._copied(obr.field(n)) or self._copied(orc.field(n) if orc else "") for n in (2, 3))
        if not placer and not filler:
            raise Refused("The result's order has neither placer nor filler number: a comment could reach no order")
        return placer, filler

    # ---- text

    def _lines(self, line_break: str) -> str:
        """The text in lines no longer than the receiver takes, escaped. A word is never cut, a space never added."""
        lines = self._letter.text.split("\n")
        length = self._format.line_length
        if length:
            lines = [part for line in lines for part in _wrapped(line, length)]
        return line_break.join(self._text(line) for line in lines)

    def _text(self, text: str) -> str:
        return escapes.encode(text, self._marks, self._codec)

    def _codes(self) -> str:
        if not self._format.comment:
            raise Refused("No code for the comment is configured")
        parts = (part for c in self._format.comment for part in (c.code, c.display, c.system))
        return self._c(*(self._text(part) for part in parts))

    def _copied(self, field: str) -> str:
        """A field of the source in our delimiters and characters: as it stands where they are the same, else rewritten
        piece by piece, so that no character changes what it separates. An HL7 null deletes; it is not passed on."""
        source = self._source.delimiters
        if field == _NULL:
            return ""
        as_it_stands = self._same_marks and (self._same_characters or source.escape not in field)
        if as_it_stands and not _CONTROL.search(field):
            return field
        return self._marks.repetition.join(
            self._marks.component.join(
                self._marks.subcomponent.join(self._text(self._source.decoded(sub)) for sub in _subs(component, source))
                for component in repetition.split(source.component)
            )
            for repetition in field.split(source.repetition)
        )

    def _as_subcomponents(self, entity: str) -> str:
        return entity.replace(self._marks.component, self._marks.subcomponent or " ")

    def _from(self, version: str) -> bool:
        return self._format.version >= version

    def _f(self, *fields: str) -> str:
        return self._marks.field.join(fields).rstrip(self._marks.field)

    def _c(self, *components: str) -> str:
        return self._marks.component.join(components)


def _subs(component: str, source: Delimiters) -> list[str]:
    return component.split(source.subcomponent) if source.subcomponent else [component]


def _wrapped(line: str, length: int) -> Iterator[str]:
    """Broken at single spaces, each of which a line break replaces."""
    words = line.split(" ")
    current = words[0]
    for word in words[1:]:
        if len(current) + 1 + len(word) > length:
            yield current
            current = word
        else:
            current = f"{current} {word}"
    yield current


def _declared(source: Message) -> str:
    """MSH-18 of a message that echoes: the sender's where it is true, else the name of the characters really used."""
    declared = source.msh.field(18)
    first = declared.split(source.delimiters.repetition, 1)[0]
    return declared if charset.codec(first) == source.charset else _character_set(source.charset)


def _character_set(codec: str) -> str:
    """The name of a codec in table 0211; a code page that has none there keeps its own."""
    part = codec.removeprefix("iso8859_")
    return f"8859/{part}" if part != codec else _CHARACTER_SETS.get(codec, codec.upper())
