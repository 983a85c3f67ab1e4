"""The comment on its way back: ORU^R01 in the receiver's version, in one of three modes (standards.md 2.6).

obx     an OBX of our own under the laboratory's own order: keyed, signed, corrected with C
nte     the result's OBX and its notes exactly as received, byte for byte, and the comment as one more NTE
report  an order of our own below the laboratory's, with one OBX

These bytes are judged (conformance.py) before they are stored, and stored before they are sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

from labbridge.errors import Refuse, Refused
from labbridge.hl7 import reader, structure
from labbridge.hl7.groups import ObservationGroup, OrderGroup, PatientGroup
from labbridge.hl7.page import CONTROL, Form, Page, place
from labbridge.hl7.reader import Message, Segment
from labbridge.model.values import Coding

SUB_ID = re.compile(r"LB[0-9]+", re.ASCII)
SOFTWARE = "labbridge-"  # with the version, what OBX-18 names: any comment made by this software, wherever it runs


class ReceiverFormat(Form, frozen=True, kw_only=True):
    """How one receiver takes comments. `line_length` 0 means unwrapped; `comment` is the code of the comment (OBX-3),
    ours second. `text_type` is OBX-2: FT breaks lines with `\\.br\\`, TX with the repetition delimiter, ST not at all
    (2.5.1, OBX-2); an NTE is always FT."""

    mode: str = "obx"
    line_length: int = 0
    comment: tuple[Coding, ...] = ()
    software: str = "labbridge"
    text_type: str = "FT"


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One comment: the result it hangs on (`at`, in one of the patient's lanes, the surviving one first), its text, its
    key and who signed it (`by_rule`: the row of the site that did)."""

    at: str
    lanes: tuple[str, ...]
    text: str
    sub_id: str
    correction: bool
    signer: str
    by_rule: bool = False
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
    named = page.renamed(reader.read(naming, ""), letter.lanes[0]) if renamed else page.patient(patient.pid)
    return page.encoded([page.header(("ORU", "R01", "ORU_R01"), letter.control_id), named, *body(order, group)])


def specimen(source: bytes, source_charset: str, letter: Letter) -> str:
    """What the comments of one specimen have in common: its number, else the filler or placer number of the order."""
    message = reader.read(source, source_charset)
    _patient, order, _group = _place(message, letter)
    filler, placer = (order.obr.field(n) or (order.orc.field(n) if order.orc else "") for n in (3, 2))
    return structure.specimen_id(message, order) or filler or placer


def _place(message: Message, letter: Letter) -> tuple[PatientGroup, OrderGroup, ObservationGroup]:
    return place(message, letter.at, letter.lanes, "the comment hangs on")


class _Page(Page):
    """A comment being written."""

    def __init__(self, source: Message, format: ReceiverFormat, letter: Letter) -> None:
        super().__init__(source, format, letter.now, echoes=format.mode == "nte")
        self._format, self._letter = format, letter

    def own_observation(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        return [*self._order(order, "F"), self._comment(group.obx)]

    def echoed_observation(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        """The notes of the result go with it: many receivers replace all notes by the ones they get (2.6, mode N)."""
        echoed = [group.obx.text, *(note.text for note in group.notes)]
        if any(map(CONTROL.search, echoed)):
            raise Refused("The result holds control characters; it cannot be echoed as it was received")
        kind = [self.parts("RE", "Remark", "HL70364")] if self.since("2.4") else []
        text = self._lines(f"{self.marks.escape}.br{self.marks.escape}")
        return [*self._order(order, "C"), *echoed, self.line("NTE", str(len(echoed)), "L", text, *kind)]

    def own_report(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        """Our filler number is the comment's key, so that a correction finds the report it replaces."""
        placer, filler = self.numbers(order)
        own = self.texts(self._letter.sub_id, self._format.application)
        parent = self.parent_order(placer, filler)
        orc = self.line("ORC", "RE", placer, own, *[""] * 4, parent)
        fields = [""] * 29
        fields[0], fields[1], fields[2], fields[3] = "1", placer, own, self._codes()
        fields[6], fields[21] = self.copied(order.obr.field(7)), self.now
        fields[23], fields[24] = self.copied(order.obr.field(24)), "C" if self._letter.correction else "F"
        fields[25] = self.parent_result(group.obx)
        fields[28] = parent
        return [orc, self.line("OBR", *fields), self._comment(group.obx)]

    # ---- segments

    def _order(self, order: OrderGroup, status: str) -> list[str]:
        placer, filler = self.numbers(order)
        copy = {number: self.copied(order.obr.field(number)) for number in (4, 7, 16, 24)}
        fields = [""] * 25
        fields[0], fields[1], fields[2], fields[3] = "1", placer, filler, copy[4]
        fields[6], fields[15], fields[21], fields[23], fields[24] = copy[7], copy[16], self.now, copy[24], status
        if not self.since("2.7"):  # withdrawn then: the specimen's times are SPM's
            fields[13] = self.copied(order.obr.field(14))
        return [self.line("ORC", "RE", placer, filler), self.line("OBR", *fields)]

    def _comment(self, source: Segment) -> str:
        letter, kind = self._letter, self._format.text_type
        status = "C" if letter.correction else "F"
        mark = self.marks.escape
        text = self._lines({"FT": f"{mark}.br{mark}", "TX": self.marks.repetition, "ST": " "}[kind])
        fields = ["1", kind, self._codes(), self.text(letter.sub_id), text, *[""] * 5, status, "", ""]
        fields += [self.copied(source.field(14)), "", self.texts("", letter.signer)]
        if self.since("2.4"):
            software = self.texts(self._format.software, self._format.application)
            fields += ["", software, self.now]
        return self.line("OBX", *fields)

    # ---- text

    def _lines(self, line_break: str) -> str:
        """The text in lines no longer than the receiver takes, escaped. A word is never cut, a space never added."""
        lines = self._letter.text.split("\n")
        length = self._format.line_length
        if length:
            lines = [part for line in lines for part in _wrapped(line, length)]
        return line_break.join(self.text(line) for line in lines)

    def _codes(self) -> str:
        if not self._format.comment:
            raise Refused("No code for the comment is configured")
        return self.texts(*(part for c in self._format.comment for part in (c.code, c.display, c.system)))


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
