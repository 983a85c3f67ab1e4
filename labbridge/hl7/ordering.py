"""A retest on its way to the laboratory: OML^O21, or ORM^O01 where the receiver takes that (standards.md 2.7).

One message holds one order, with a placer number of ours that is never used again, hung on the order and the result it is
about (ORC-8, OBR-29, OBR-26). Everything of the patient, the specimen and the parent order is copied from the source and
rewritten in our delimiters and characters; nothing is guessed. These bytes are judged (order_conformance.py) before they
are stored, and stored before they are sent. MSH-15 and 16 stay empty, as in a comment: in original mode the answer (ORL,
ORR) comes on the same connection (2.4; IHE LAB uses no other).

Which specimen. A retest is made on the specimen of its result. From 2.5 an OML carries that specimen's number (SPM-2); an
add-on (`action` A) to a tube whose number is not known cannot be made and is refused, a reflex (G) then goes without SPM:
the laboratory finds the tube by the parent order it gave us. ORM has no SPM in any version, nor has any message before 2.5:
there the parent order alone names the tube, and OBR-15 its type. An order for a later specimen (`new_specimen`, or a
`not_before` day: until then nothing drawn is of use) names no specimen at all, and is refused as an add-on.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from labbridge import times
from labbridge.errors import Refuse, Refused
from labbridge.hl7 import structure
from labbridge.hl7.groups import ObservationGroup, OrderGroup
from labbridge.hl7.page import Form, Page, place
from labbridge.hl7.reader import Message, Segment
from labbridge.model.outcome import Priority
from labbridge.model.values import Coding

OML, ORM = "OML", "ORM"
ADD_ON, REFLEX = "A", "G"  # table 0065

# Table 0485, as TQ1-9 has it; before 2.5 the same codes are TQ.6. Urgent is the next run, before all that is not stat.
PRIORITIES = {Priority.ROUTINE: ("R", "Routine", "HL70485"), Priority.URGENT: ("A", "ASAP", "HL70485")}

_KINDS = {OML: ("OML", "O21", "OML_O21"), ORM: ("ORM", "O01", "ORM_O01")}
_PATIENT = ("P", "Patient", "HL70369")
_CE = 6  # components of a CE
_CODED = 9  # components of a CWE in 2.5; later versions only add to them


class OrderForm(Form, frozen=True, kw_only=True):
    """How one receiver takes orders. `message`: OML (from 2.4 on) or ORM (up to 2.6). `action` is OBR-11: A, add the test
    to the specimen at hand, or G, a reflex. The `application` is also the namespace of our placer numbers."""

    message: Literal["OML", "ORM"] = "OML"
    action: Literal["A", "G"] = "G"

    @property
    def has_tq1_and_spm(self) -> bool:
        """Whether its orders have these segments: OML from 2.5 on (hl7apy's tables)."""
        return self.message == OML and self.version >= "2.5"


class OrderLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One order. `at` is the result it is about (`OBX[3]`), which must be of the patient of `lanes` (the surviving one
    first), as in a comment's letter. `placer` is our number, never used before; `service` what is ordered, as the LIS's
    catalogue has it. `reason` goes into ORC-16, `note` into NTE-3. `asked_by` let the order leave (ORC-10 and 11)."""

    at: str
    lanes: tuple[str, ...]
    placer: str
    control_id: str
    now: datetime
    service: Coding
    priority: Priority
    reason: Coding
    note: str
    asked_by: str
    not_before: date | None = None
    new_specimen: bool = False

    @property
    def later(self) -> bool:
        """It is not of the specimen at hand."""
        return self.new_specimen or self.not_before is not None


def message_of(wanted: str, version: str) -> Literal["OML", "ORM"]:
    """The message of `oml`, `orm`, or of a version where neither is said: ORM below 2.4, which has no other."""
    return "ORM" if wanted == "orm" or (not wanted and version < "2.4") else "OML"


def unfit(message: str, version: str) -> str:
    """Why a version of HL7 has no such message, with the repair; empty where it has."""
    if message == ORM and version >= "2.7":
        return f'HL7 {version} has no ORM^O01; set order_message = "oml"'
    if message == OML and version < "2.4":
        return f'HL7 {version} has no OML^O21; set order_message = "orm"'
    return ""


def write(letter: OrderLetter, form: OrderForm, source: Message, naming: Message | None = None) -> bytes:
    """The final bytes of an order about a result of `source`. Refused, with the reason, where they cannot be made.

    `naming` is the identity message by which the patient has another number by now (ADT^A40), as for a comment.
    """
    _check(letter, form)
    try:
        patient, order, group = place(source, letter.at, letter.lanes, "the order is about")
    except Refuse as fault:
        raise Refused(f"The message the order is about cannot be read: {fault.text} {fault.location}") from fault
    page = _Order(source, form, letter)
    if naming is not None and patient.lanes[0] != letter.lanes[0]:
        named = page.renamed(naming, letter.lanes[0])
    else:
        named = page.patient(patient.pid)
    header = page.header(_KINDS[form.message], letter.control_id)
    return page.encoded([header, named, *page.segments(order, group)])


def _check(letter: OrderLetter, form: OrderForm) -> None:
    if fault := unfit(form.message, form.version):
        raise Refused(fault)
    for name, text in (("placer number", letter.placer), ("control id", letter.control_id)):
        if not text.strip():
            raise Refused(f"The order has no {name}")
    if not letter.service.code.strip():
        raise Refused("The order names no service of the laboratory's catalogue")
    if letter.later and form.action == ADD_ON:
        raise Refused("The order is for a later specimen, and this receiver takes additions to the one at hand only")


class _Order(Page):
    """An order being written."""

    def __init__(self, source: Message, form: OrderForm, letter: OrderLetter) -> None:
        super().__init__(source, form, letter.now)
        self._form, self._letter = form, letter

    def segments(self, order: OrderGroup, group: ObservationGroup) -> list[str]:
        spm = _specimen(self.source, order)
        parent = self._parent(order)
        found = [self._orc(order, parent)]
        if self._form.has_tq1_and_spm:
            found.append(self._timing())
        found += [self._obr(order, group, spm, parent), *self._note()]
        return found + self._spm(order, spm)

    # ---- segments

    def _orc(self, order: OrderGroup, parent: str) -> str:
        """ORC-12 is who ordered the result's own order: OBR-16, which must be the same (2.5.1, 4.5.3.16), before ORC-12."""
        letter = self._letter
        asked = self.texts("", letter.asked_by) if letter.asked_by else ""
        ordered = self._provider(order.obr.field(16)) or self._provider(order.orc.field(12) if order.orc else "")
        return self.line(
            "ORC", "NW", self._placer(), "", "", "", "", self._quantity(), parent, self.now, asked, asked, ordered,
            "", "", "", self._coded(letter.reason),
        )  # fmt: skip

    def _timing(self) -> str:
        """TQ1-7 is the earliest time, TQ1-9 the priority."""
        return self.line("TQ1", "1", *[""] * 5, self._start(), "", self.texts(*PRIORITIES[self._letter.priority]))

    def _quantity(self) -> str:
        """ORC-7 and OBR-27 where there is no TQ1: the fourth part is the earliest time, the sixth the priority."""
        if self._form.has_tq1_and_spm:
            return ""
        return self.parts("", "", "", self._start(), "", PRIORITIES[self._letter.priority][0])

    def _obr(self, order: OrderGroup, group: ObservationGroup, spm: Segment | None, parent: str) -> str:
        fields = [""] * 29
        fields[0], fields[1], fields[3] = "1", self._placer(), self._coded(self._letter.service)
        fields[10] = self._form.action
        if not self._form.has_tq1_and_spm and not self._letter.later:
            fields[14] = self.marks.subcomponent.join(self._type(order, spm)[:3]).rstrip(self.marks.subcomponent)
        fields[25], fields[26], fields[28] = self._result(group.obx), self._quantity(), parent
        return self.line("OBR", *fields)

    def _note(self) -> list[str]:
        if not self._letter.note.strip():
            return []
        mark = self.marks.escape
        return [self.line("NTE", "1", "L", f"{mark}.br{mark}".join(map(self.text, self._letter.note.split("\n"))))]

    def _spm(self, order: OrderGroup, spm: Segment | None) -> list[str]:
        """The specimen at hand, by the numbers and the type the laboratory gave it."""
        if not self._form.has_tq1_and_spm or self._letter.later:
            return []
        number = self.parts(*map(self._numbered, self._pieces(spm.field(2), 2) if spm is not None else ()))
        number = number.rstrip(self.marks.component)
        if spm is None or not number:
            if self._form.action == ADD_ON:
                raise Refused("The result came without the number of its specimen (SPM-2): nothing can be added to it")
            return []
        kind = self.parts(*self._type(order, spm)).rstrip(self.marks.component)
        if not kind:
            raise Refused("The type of the specimen (SPM-4), which an order must name, did not come with the result")
        role = self.texts(*_PATIENT) if spm.field(11).strip() else ""
        times = ["", *[""] * 4, *(self._time(spm.field(number)) for number in (17, 18))]
        return [self.line("SPM", "1", number, "", kind, *[""] * 6, role, *times)]

    # ---- fields

    def _placer(self) -> str:
        return self.texts(self._letter.placer, self.form.application).rstrip(self.marks.component)

    def _parent(self, order: OrderGroup) -> str:
        """ORC-8 and OBR-29."""
        marks = self.marks
        numbers = [self._numbered(one) for one in self.numbers(order)]
        if not any(numbers):
            raise Refused("The result's order has neither placer nor filler number: nothing can be hung on it")
        if any(mark in number for number in numbers for mark in (marks.subcomponent, marks.repetition)):
            raise Refused(
                "The number of the result's own order has parts of its own: it cannot be written as a parent's"
            )
        return self.parent_order(*numbers)

    def _result(self, obx: Segment) -> str:
        """OBR-26, its code no longer than a CE: what a later version adds to it an older one cannot take."""
        code, *rest = self.parent_result(obx).split(self.marks.component)
        marks = self.marks.subcomponent
        return self.parts(marks.join(code.split(marks)[:_CE]).rstrip(marks), *rest)

    def _numbered(self, entity: str) -> str:
        """An EI, its parts as components or sub-components; empty where its number is (a null is none)."""
        number = entity.split(self.marks.component)[0].split(self.marks.subcomponent)[0].strip()
        return "" if number in ("", structure.NULL) else entity

    def _provider(self, field: str) -> str:
        """A person by number and name (XCN.1 to 6) and who gave the number (XCN.9): what every version has alike."""
        found = self._pieces(field, 9)
        found[6:8] = ["", ""]
        return self.parts(*found).rstrip(self.marks.component) if any(found[:3]) else ""

    def _type(self, order: OrderGroup, spm: Segment | None) -> list[str]:
        """The type of the specimen as the parts of a CWE: SPM-4, else the source of OBR-15 (SPS.1, sub-components)."""
        found = self._pieces(spm.field(4), _CODED) if spm is not None else []
        if not any(found[:2]):
            source = self.source
            sent = source.components(source.repetitions(order.obr.field(15))[0])[0] if order.obr.field(15) else ""
            parts = sent.split(source.delimiters.subcomponent) if source.delimiters.subcomponent else [sent]
            found = [self.copied(one) for one in parts[:3]]
        return [one.split(self.marks.subcomponent)[0] for one in found]

    def _pieces(self, field: str, most: int) -> list[str]:
        """The components of the first repetition of a field of the source, each rewritten; a null is nothing."""
        repetitions = self.source.repetitions(field)
        found = [self.copied(one) for one in self.source.components(repetitions[0])[:most]] if repetitions else []
        return found + [""] * (most - len(found))

    def _time(self, field: str) -> str:
        """A time as it came; left out where it is none (a strict receiver would refuse the order for it)."""
        sent = self._pieces(field, 1)[0]
        return sent if sent.isascii() and sent[:8].isdigit() and times.timestamp(sent, UTC) is not None else ""

    def _start(self) -> str:
        day = self._letter.not_before
        return f"{day:%Y%m%d}" if day is not None else ""

    def _coded(self, coding: Coding) -> str:
        parts = self.texts(coding.code, coding.display, coding.system)
        return parts.rstrip(self.marks.component)


def _specimen(source: Message, order: OrderGroup) -> Segment | None:
    """The SPM of an order. Refused where it has several with different numbers, or what is no patient's (table 0369: R is
    a replicate, Q a control; blank is the patient's): then nobody can tell which tube is meant, or none may be."""
    found = [one.spm for one in order.specimens]
    if any(
        source.component(role, 1) != "P" for spm in found for role in source.repetitions(spm.field(11)) if role.strip()
    ):
        raise Refused("The specimen of the result is not a patient's (SPM-11); no retest is ordered on it")
    if len({spm.field(2) for spm in found}) > 1:
        raise Refused("The result's order has several specimens; which of them is to be tested again cannot be told")
    return found[0] if found else None
