"""Orders on their way out: no text of a person, a catalogue or a sender makes a field, a segment or another tube."""

from __future__ import annotations

from datetime import UTC, date, datetime

from labbridge.errors import Refuse, Refused
from labbridge.hl7 import order_conformance, ordering, reader
from labbridge.hl7.ordering import OrderForm, OrderLetter
from labbridge.hl7.reader import Message
from labbridge.model.outcome import Priority
from labbridge.model.values import Coding
from tests.fuzz.target import Target, must, parts, text
from tests.fuzz.targets.escaping import delimiters

NOW = datetime(2026, 4, 18, 8, 0, 5, tzinfo=UTC)
KINDS = (("2.5.1", "OML"), ("2.3.1", "ORM"), ("2.4", "OML"), ("2.8", "OML"), ("2.6", "ORM"), ("2.7", "ORM"))


def check(data: bytes) -> None:
    """Parts: how (a byte each: kind, action, priority, later, charset), delimiters, note, who asked, service, reason, and
    the raw PID-5, OBR-2, SPM-2, SPM-4, OBR-15 and OBR-16 of the source."""
    how, marks, note, asked_by, service, reason, *sent = parts(data, 12)
    form, letter = _form(how), _letter(how, [text(one) for one in (note, asked_by, service, reason)])
    try:
        source = reader.read(_source(text(marks), [text(one) for one in sent]))
        raw = ordering.write(letter, form, source)
    except (Refused, Refuse):
        return
    found = reader.read(raw)
    must(reader.encode(found) == raw, "the order does not read back as it was written")
    _one_order(found, form)
    for place, said in order_conformance.expected(letter, form):
        must(order_conformance._by_us(found, place) == said, "a value of the letter reads back as another")
    _copied(found, source)


def _form(how: bytes) -> OrderForm:
    kind, action, _priority, _later, charset = (*how[:5], 0, 0, 0, 0, 0)[:5]
    version, message = KINDS[kind % len(KINDS)]
    return OrderForm(
        version=version,
        message="OML" if message == "OML" else "ORM",
        action="A" if action % 2 else "G",
        charset=("UNICODE UTF-8", "8859/1")[charset % 2],
    )


def _letter(how: bytes, said: list[str]) -> OrderLetter:
    _kind, _action, priority, later, *_rest = (*how[:4], 0, 0, 0, 0)
    note, asked_by, service, reason = said
    return OrderLetter(
        at="OBX[1]", lanes=("p:LABA|PT1",), placer="LB-RT-1", control_id="LBR-1", now=NOW, note=note, asked_by=asked_by,
        service=Coding(f"S{service}", service, "L"), reason=Coding(reason, reason, "LBRULE"),
        priority=Priority.URGENT if priority % 2 else Priority.ROUTINE,
        not_before=date(2026, 6, 1) if later % 3 == 1 else None, new_specimen=later % 3 == 2,
    )  # fmt: skip


def _source(marks_sent: str, sent: list[str]) -> bytes:
    """A result message in these delimiters, the fields as they were sent."""
    marks = delimiters(marks_sent)
    f, c = marks.field, marks.component
    name, placer, tube, kind, old_kind, provider = (
        one.translate({ord(mark): None for mark in f"\r\n{f}"}) for one in sent
    )
    declared = f"UNICODE{marks.escape}X20{marks.escape}UTF-8" if " " in marks.msh2 else "UNICODE UTF-8"
    lines = (
        ["MSH", f"{marks.msh2}", "LIS", "LABA", "LB", "LABA", "20260418", "", f"ORU{c}R01", "1", "P", "2.5.1"]
        + [""] * 5 + [declared],
        ["PID", "1", "", f"PT1{c}{c}{c}LABA{c}MR", "", name, "", "19690417", "M"],
        ["OBR", "1", placer, f"F1{c}LIS", f"MYO{c}Myositis{c}L", *[""] * 10, old_kind, provider],
        ["OBX", "1", "NM", f"SRP{c}Anti-SRP{c}L", "1", "58", "", "", "", "", "", "F"],
        ["SPM", "1", tube, "", kind],
    )  # fmt: skip
    return "".join(f.join(line) + "\r" for line in lines).encode()


def _one_order(found: Message, form: OrderForm) -> None:
    names = [one.name for one in found.segments if one.name not in ("NTE", "SPM")]
    timed = ["TQ1"] if form.has_tq1_and_spm else []
    must(names == ["MSH", "PID", "ORC", *timed, "OBR"], "a text made or took a segment")
    must(len(found.all("NTE")) <= 1 and len(found.all("SPM")) <= 1, "a text made a note or a specimen")
    lengths = {"MSH": 18, "PID": 8, "ORC": 16, "TQ1": 9, "OBR": 29, "NTE": 3, "SPM": 18}
    must(all(one.length <= lengths[one.name] for one in found.segments), "a text made a field")
    orc, obr = found.all("ORC")[0], found.all("OBR")[0]
    must(orc.field(8) == obr.field(29) != "", "the order hangs on no parent, or on two")


def _copied(found: Message, source: Message) -> None:
    """The patient, the parent and the tube are those of the source, as text."""
    must(found.component(found.all("PID")[0].field(3), 1) == "PT1", "the patient's number is copied as another")
    filler = found.component(found.all("ORC")[0].field(8), 2)
    must(filler == "F1", "the parent's number is copied as another")
    (tube,) = source.all("SPM")
    for spm in found.all("SPM"):
        for number in (1, 2):
            sent = source.component(tube.field(2), number)
            sent = "" if sent == '""' else sent
            must(found.component(spm.field(2), number) == sent, "the tube's number is copied as another")


TARGET = Target(
    name="ordering", check=check, product=("labbridge.hl7.ordering", "labbridge.hl7.page"), longest=1024, mutated=1000
)
