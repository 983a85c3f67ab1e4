"""A report that came on another wire, as the HL7 v2 message that it would have been: what an answer in HL7 v2 is made from.

An answer copies the patient, the order, the specimen and the result from the message it is about (page.py, outgoing.py,
ordering.py), and echoes the result in one of its modes. Where that message is none of HL7 v2, this one stands in its
place, and is never sent itself. Of a report it leaves out the facts of the patient, which are of no order, and of a code
what is more than two codings (a CE has no room for a third), the laboratory's own before others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from labbridge import times
from labbridge.errors import Refused
from labbridge.hl7 import charset, escapes
from labbridge.hl7.escapes import STANDARD
from labbridge.model.report import EntityId, Identifier, Observation, Order, Patient, Report, Specimen, Timestamp
from labbridge.model.values import Coding, Missing, SentCoding, SentStructured, SentText, SentValue

LOCAL = "L"
NO_ID = "0"  # MSH-10 is required, and of a body that its sender gave no name nobody reads it
NULL = '""'
LONGEST_ST, LONGEST_IS = 199, 20  # characters
UNNAMED = "^^^^^^U"
"""PID-5 is required: of a patient whom the body names by number alone the name is unspecified (table 0200)."""
STATUSES = {
    "registered": "I",
    "preliminary": "P",
    "final": "F",
    "amended": "C",
    "corrected": "C",
    "cancelled": "X",
    "entered-in-error": "W",
    "unknown": "",
}
"""OBX-11 (table 0085) of the words of FHIR (v2-to-fhir, read backwards; A is of 2.9 alone)."""
SYSTEMS = {"http://loinc.org": "LN", "http://snomed.info/sct": "SCT", "http://unitsofmeasure.org": "UCUM"}
"""Table 0396. Any other system keeps the name it came with, but for HL7's own tables."""
_TABLE = re.compile(r"http://terminology\.hl7\.org/CodeSystem/v2-(\d{4})")


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """How it is written: `version` is that of the answer. `names` are the namespaces of numbers by their system, where a
    site has named them."""

    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    processing_id: str = "P"
    names: Mapping[str, str] = {}


PLAIN = Paper()


class StandIn(msgspec.Struct, frozen=True):
    """`places`: where a result of the report stands in the message (`Bundle.entry[5].resource`: `OBX[2]`)."""

    raw: bytes
    places: Mapping[str, str]


def written(report: Report, paper: Paper = PLAIN) -> StandIn:
    """The message of a report of one patient: ORU^R01, or ADT^A08 of one that says who the patient is and no more. Refused
    where there is none: of a patient without a number, or in characters that do not have all of it."""
    codec = charset.codec(paper.charset)
    if codec is None:
        raise Refused(f"The character set {paper.charset} of the receiver is not known here")
    if not report.patient.identifiers:
        raise Refused("The message names no patient")
    writing = _Writing(paper, codec)
    lines = writing.message(report)
    try:
        return StandIn(("\r".join(lines) + "\r").encode(codec), writing.places)
    except UnicodeEncodeError as error:
        at = f"U+{ord(error.object[error.start]):04X}"
        raise Refused(f"The receiver's character set {paper.charset} has no {at}") from None


class _Writing:
    """A message being written; `places` grow with its results."""

    def __init__(self, paper: Paper, codec: str) -> None:
        self._paper, self._codec = paper, codec
        self.places: dict[str, str] = {}

    def message(self, report: Report) -> list[str]:
        head = [self._header(report), self._patient(report.patient)]
        if report.identity:
            return [head[0], _line("EVN", "", _time(report.sent)), head[1]]
        return [*head, *(line for order in report.orders for line in self._order(order))]

    # ---- segments

    def _header(self, report: Report) -> str:
        """MSH-4 would be the authority of every number that has none of its own: beside such a one it is left out."""
        application, _bar, facility = report.sender.partition("|")
        own = all(one.authority for one in report.patient.identifiers)
        kind = ("ADT", "A08", "ADT_A01") if report.identity else ("ORU", "R01", "ORU_R01")
        return _line(
            "MSH", STANDARD.msh2, self._text(application), self._text(facility) if own else "", "", "",
            _time(report.sent), "", "^".join(kind), self._text(report.control_id) or NO_ID, self._paper.processing_id,
            self._paper.version, "", "", "", "", "", self._paper.charset,
        )  # fmt: skip

    def _patient(self, patient: Patient) -> str:
        numbers = "~".join(map(self._number, patient.identifiers))
        name = self._parts(patient.family_name, patient.given_name) or UNNAMED
        born = f"{patient.birth_date:%Y%m%d}" if patient.birth_date is not None else ""
        return _line("PID", "1", "", numbers, "", name, "", born.rjust(8, "0") if born else "", self._text(patient.sex))

    def _number(self, one: Identifier) -> str:
        """CX. An authority that is a URI is no name: it is the universal id of CX.4."""
        uri = ":" in one.authority
        authority = ("", one.authority, "URI") if uri else (one.authority,)
        return _joined("^", (self._text(one.id), "", "", self._parts(*authority, by="&"), self._text(one.type)))

    def _order(self, order: Order) -> Iterator[str]:
        placer, filler = self._entity(order.placer), self._entity(order.filler)
        yield _line("ORC", "RE", placer, filler, self._entity(order.group))
        fields = [""] * 25
        fields[0], fields[1], fields[2], fields[3] = "1", placer, filler, self._coded(order.service)
        fields[6], fields[13], fields[21] = map(_time, (order.collected, order.received, order.reported))
        fields[12], fields[24] = self._text(order.clinical_info), self._text(STATUSES.get(order.status, order.status))
        yield _line("OBR", *fields)
        yield from self._notes(order.notes)
        for number, one in enumerate(order.observations, 1):
            yield from self._observation(number, one)
        yield from (self._specimen(number, one) for number, one in enumerate(order.specimens, 1))

    def _observation(self, number: int, one: Observation) -> Iterator[str]:
        """An OBX with its notes. The laboratory's name is OBX-15's text: OBX-23 is not in every version."""
        self.places[one.at] = f"OBX[{len(self.places) + 1}]"
        kind, value = self._value(one)
        fields = [str(number), kind, self._coded(one.codes), self._text(one.sub_id), value]
        fields += [self._coded((one.unit,)) if one.unit else "", self._text(one.reference_range), self._flags(one)]
        fields += ["", "", self._text(STATUSES.get(one.status, one.status)), "", "", _time(one.observed)]
        fields += [self._parts("", one.laboratory), "", self._repeated(one.methods)]
        if self._paper.version >= "2.4":
            fields += ["~".join(map(self._text, one.equipment)), _time(one.analysed)]
        yield _line("OBX", *fields)
        yield from self._notes(one.notes)

    def _flags(self, one: Observation) -> str:
        """OBX-8: an IS up to 2.6, a code and nothing beside it."""
        return "~".join(dict.fromkeys(self._text(flag.code) for flag in one.flags if flag.code))

    def _specimen(self, number: int, one: Specimen) -> str:
        fields = [""] * 24
        numbers = (self._entity(one.placer, "&"), self._entity(one.filler, "&"))
        fields[0], fields[1], fields[3] = str(number), _joined("^", numbers), self._coded(one.type)
        fields[10], fields[13] = self._text(one.role), "~".join(map(self._text, one.notes))
        fields[11] = self._parts(one.volume, one.volume_unit)
        fields[16], fields[17] = _time(one.collected), _time(one.received)
        fields[23] = self._repeated(one.condition)
        return _line("SPM", *fields)

    def _notes(self, notes: Iterable[str]) -> Iterator[str]:
        return (_line("NTE", str(number), "L", self._paragraphs(one)) for number, one in enumerate(notes, 1))

    # ---- values

    def _value(self, one: Observation) -> tuple[str, str]:
        """OBX-2 and OBX-5. A text that an ST cannot hold is an FT; what has its content elsewhere has none here."""
        if not one.values:
            return one.value_type, NULL if one.missing is Missing.NULL else ""
        texts = [value.text for value in one.values if isinstance(value, SentText)]
        if len(texts) == len(one.values):
            long = any("\n" in text or len(self._text(text)) > LONGEST_ST for text in texts)
            kind = "FT" if long or one.value_type == "FT" else one.value_type or "ST"
            write = self._paragraphs if kind == "FT" else self._text
            return kind, "~".join(map(write, texts))
        kind = "CE" if one.value_type in ("CE", "CWE") and self._paper.version < "2.5" else one.value_type
        found = [self._of_parts(value) for value in one.values]
        return (kind, "~".join(found)) if any(found) else ("", "")

    def _of_parts(self, value: SentValue) -> str:
        if isinstance(value, SentStructured):
            return self._parts(value.comparator, value.num1, value.separator, value.num2)
        if isinstance(value, SentCoding):
            return self._coded(value.codings, value.original_text if self._paper.version >= "2.5" else "")
        return self._text(value.text) if isinstance(value, SentText) else ""

    def _coded(self, codings: Sequence[Coding], original: str = "") -> str:
        """A CE, or a CWE with its original text."""
        chosen = codings if len(codings) <= 2 else sorted(codings, key=lambda one: one.system != LOCAL)[:2]
        parts = [part for one in chosen for part in (one.code, one.display, self._system(one.system))]
        return self._parts(*parts, *[""] * (8 - len(parts)), original) if original else self._parts(*parts)

    def _system(self, sent: str) -> str:
        """CE.3: an IS of 20 characters up to 2.4, where a longer name is none."""
        table = _TABLE.fullmatch(sent)
        name = f"HL7{table[1]}" if table else SYSTEMS.get(sent, sent)
        return name if len(name) <= LONGEST_IS or self._paper.version >= "2.5" else ""

    def _repeated(self, codings: Sequence[Coding]) -> str:
        """Any number of codings, two in each repetition."""
        return "~".join(self._coded(codings[start : start + 2]) for start in range(0, len(codings), 2))

    def _entity(self, one: EntityId, by: str = "^") -> str:
        """An EI. A namespace that is a URI is its universal id."""
        if not one:
            return ""
        name = self._paper.names.get(one.namespace, one.namespace)
        return self._parts(one.id, *(("", name, "URI") if ":" in name else (name,)), by=by)

    # ---- text

    def _parts(self, *parts: str, by: str = "^") -> str:
        return _joined(by, map(self._text, parts))

    def _paragraphs(self, text: str) -> str:
        return "\\.br\\".join(map(self._text, text.split("\n")))

    def _text(self, text: str) -> str:
        """Two quotation marks alone would delete (2.5.1, 2.5.3.7): they are written as their characters."""
        return "\\X2222\\" if text == NULL else escapes.encode(text, STANDARD, self._codec)


def _time(sent: Timestamp | None) -> str:
    return times.as_dtm(sent) if sent is not None else ""


def _joined(by: str, parts: Iterable[str]) -> str:
    return by.join(parts).rstrip(by)


def _line(*fields: str) -> str:
    return STANDARD.field.join(fields).rstrip(STANDARD.field)
