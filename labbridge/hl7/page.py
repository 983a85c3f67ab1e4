"""A message being written, comment or order: delimiters and characters of the outgoing side, fields copied from a source.

What both kinds of letter have in common stands here: whose result it is, MSH, PID, the numbers of the parent order and the
result in it (OBR-26), and how a field of the source is rewritten so that no character changes what it separates.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from labbridge import times
from labbridge.errors import Refused
from labbridge.hl7 import charset, escapes, structure
from labbridge.hl7.escapes import STANDARD, Delimiters
from labbridge.hl7.groups import ObservationGroup, OrderGroup, PatientGroup
from labbridge.hl7.reader import Message, Segment

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_NULL = '""'
_CHARACTER_SETS = {
    "ascii": "",
    "utf-8": "UNICODE UTF-8",
    "gb18030": "GB 18030-2000",
    "big5": "BIG-5",
    "euc_kr": "KS X 1001",
}


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How one receiver takes messages. `application` and `facility` are who we say we are, `receiving_*` whom we write to
    (empty: whoever sent the result). `timezone` is the zone our times are written in."""

    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    application: str = "LABBRIDGE"
    facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    timezone: str = "UTC"


def place(
    message: Message, at: str, lanes: Sequence[str], what: str
) -> tuple[PatientGroup, OrderGroup, ObservationGroup]:
    """The result a letter is about, with its order and patient; never that of another patient (reliability.md H2)."""
    for patient in structure.patients_of(message):
        if patient.pid is None or patient.lanes[0] not in lanes:
            continue
        for order in patient.orders:
            for group in order.observations:
                if group.obx.at == at:
                    return patient, order, group
    raise Refused(f"The result {what} is not in its message, or is another patient's, or names no patient")


class Page:
    """One message. `echoes`: bytes of the source go back as they are, and decide delimiters and characters of the whole."""

    def __init__(self, source: Message, form: Form, now: datetime, *, echoes: bool = False) -> None:
        self.source, self.form = source, form
        self.marks: Delimiters = source.delimiters if echoes else STANDARD
        if not self.marks.escape:
            raise Refused("The result's message has no escape character; a comment cannot be added to it")
        self._charset = _declared(source) if echoes else form.charset
        codec = source.charset if echoes else charset.codec(form.charset)
        if codec is None:
            raise Refused(f"The character set {form.charset} of the receiver is not known here")
        self._codec = codec
        self._compare()
        self.now = self.text(times.written(now.astimezone(times.zone(form.timezone))))

    def of(self, source: Message) -> Page:
        """The same page, its fields copied from another message."""
        other = copy.copy(self)
        other.source = source
        other._compare()
        return other

    def _compare(self) -> None:
        source = self.source
        same = source.delimiters.field == self.marks.field and source.delimiters.msh2 == self.marks.msh2
        self._same_marks, self._same_characters = same, source.charset == self._codec

    def encoded(self, segments: Sequence[str]) -> bytes:
        try:
            return ("\r".join(segments) + "\r").encode(self._codec)
        except UnicodeEncodeError as error:
            at = f"U+{ord(error.object[error.start]):04X}"
            raise Refused(f"The receiver's character set {self._charset} has no {at}") from None

    # ---- segments

    def header(self, kind: Sequence[str], control_id: str) -> str:
        """MSH of a message of this kind: MSH-9 has its structure (the third part) from 2.4 on."""
        form, msh = self.form, self.source.msh
        start = f"MSH{self.marks.field}{self.marks.msh2}"
        return self.line(
            start,
            self.text(form.application),
            self.text(form.facility) or self.copied(msh.field(6)),
            self.text(form.receiving_application) or self.copied(msh.field(3)),
            self.text(form.receiving_facility) or self.copied(msh.field(4)),
            self.now, "", self.texts(*kind[: 3 if self.since("2.4") else 2]), self.text(control_id),
            self.copied(msh.field(11)), self.text(form.version), "", "", "", "", "", self._charset,
        )  # fmt: skip

    def patient(self, pid: Segment | None) -> str:
        if pid is None:
            raise Refused("The message names no patient")
        wanted = (3, 5, 7, 8)  # two identifiers and what a receiver checks them with; nothing else is passed on
        fields = [self.copied(pid.field(number)) if number in wanted else "" for number in range(2, 9)]
        fields[1] = self._typed(fields[1])
        return self.line("PID", "1", *fields)

    def renamed(self, naming: Message, lane: str) -> str:
        """PID as the identity message has it by which the patient has another number now (ADT^A40)."""
        for patient in structure.patients_of(naming):
            if patient.lanes[0] == lane:
                return self.of(naming).patient(patient.pid)
        raise Refused("The identity message that gave the patient another number does not name the patient any more")

    def _typed(self, identifiers: str) -> str:
        """PID-3 with an identifier type each: CX.5 is required from 2.7 on. A sender's that has none is of type U,
        unspecified (table 0203): nothing is guessed about it."""
        if not self.since("2.7"):
            return identifiers
        marks, found = self.marks, []
        for identifier in identifiers.split(marks.repetition):
            parts = identifier.split(marks.component)
            parts += [""] * (5 - len(parts))
            if parts[0] and parts[4] in ("", _NULL):
                parts[4] = "U"
            found.append(marks.component.join(parts).rstrip(marks.component))
        return marks.repetition.join(found)

    # ---- fields

    def parent_result(self, source: Segment) -> str:
        """OBR-26: the code and sub-id of the result the letter speaks of (its value stays where it is)."""
        code = self.copied(source.field(3)).split(self.marks.repetition)[0]
        sub_id = self.copied(source.field(4))
        if self.marks.subcomponent in code:  # it could not be told from the code's own parts
            return ""
        simple = not any(mark in sub_id for mark in (self.marks.component, self.marks.repetition))
        return self.parts(self._as_subcomponents(code), sub_id if simple else "").rstrip(self.marks.component)

    def parent_order(self, placer: str, filler: str) -> str:
        """ORC-8 and OBR-29: both numbers of the order above, each with its parts as sub-components."""
        return self.parts(*(self._as_subcomponents(one) for one in (placer, filler)))

    def numbers(self, order: OrderGroup) -> tuple[str, str]:
        """Placer and filler number of an order, OBR's before ORC's."""
        obr, orc = order.obr, order.orc
        placer, filler = (self.copied(obr.field(n)) or self.copied(orc.field(n) if orc else "") for n in (2, 3))
        if not placer and not filler:
            raise Refused("The result's order has neither placer nor filler number: what we write could reach no order")
        return placer, filler

    def _as_subcomponents(self, entity: str) -> str:
        return entity.replace(self.marks.component, self.marks.subcomponent or " ")

    def copied(self, field: str) -> str:
        """A field of the source in our delimiters and characters: as it stands where they are the same, else rewritten
        piece by piece, so that no character changes what it separates. An HL7 null deletes; it is not passed on."""
        source = self.source.delimiters
        if field == _NULL:
            return ""
        as_it_stands = self._same_marks and (self._same_characters or source.escape not in field)
        if as_it_stands and not CONTROL.search(field):
            return field
        return self.marks.repetition.join(
            self.marks.component.join(
                self.marks.subcomponent.join(self.text(self.source.decoded(sub)) for sub in _subs(component, source))
                for component in repetition.split(source.component)
            )
            for repetition in field.split(source.repetition)
        )

    # ---- text

    def text(self, text: str) -> str:
        return escapes.encode(text, self.marks, self._codec)

    def texts(self, *components: str) -> str:
        return self.parts(*map(self.text, components))

    def parts(self, *components: str) -> str:
        return self.marks.component.join(components)

    def line(self, *fields: str) -> str:
        return self.marks.field.join(fields).rstrip(self.marks.field)

    def since(self, version: str) -> bool:
        return self.form.version >= version


def _subs(component: str, source: Delimiters) -> list[str]:
    return component.split(source.subcomponent) if source.subcomponent else [component]


def _declared(source: Message) -> str:
    """MSH-18 of a message that echoes: the sender's where it is true, else the name of the characters really used."""
    declared = source.msh.field(18)
    first = declared.split(source.delimiters.repetition, 1)[0]
    return declared if charset.codec(first) == source.charset else _character_set(source.charset)


def _character_set(codec: str) -> str:
    """The name of a codec in table 0211; a code page that has none there keeps its own."""
    part = codec.removeprefix("iso8859_")
    return f"8859/{part}" if part != codec else _CHARACTER_SETS.get(codec, codec.upper())
