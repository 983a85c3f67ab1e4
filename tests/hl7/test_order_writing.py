"""An order on its way: to the byte in old and new versions, the right tube and parent or none, nothing of a text let out."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hl7_messages import HOSTILE, wire
from order_parts import KINDS, form, letter, ordered, own_messages, results, source

from labbridge.errors import Refused
from labbridge.hl7 import reader
from labbridge.hl7.ordering import write
from labbridge.model.outcome import Priority
from labbridge.model.values import Coding

TEXT = wire("panel-2.5.1")
PID = "PID|1||88-1203^^^LABN^MR~X900^^^REGION^PI||MÜLLER^ERIKA^^^^^L||19640229|F\r"
REASON = "HEP2_NEG_MSA_POS^Anti-SRP positive with HEp-2 negative^LBRULE"
NOTE = "NTE|1|L|Line immunoassay positive, HEp-2 negative (<1:80).\\.br\\Please confirm.\r"
RESULT = "SRP-B&anti-SRP (blot)&L&00000-0&anti-SRP Ab&LN^1"
SPM = (
    "SPM|1|S100&NORTHOE^S200&NORTHLIS||SER^Serum^HL70487|||||||P^Patient^HL70369||||||20260417073000+0200|"
    "20260417101500+0200\r"
)


def field(raw: bytes, name: str, number: int) -> str:
    return reader.read(raw).all(name)[0].field(number)


def names(raw: bytes) -> str:
    return " ".join(segment.name for segment in reader.read(raw).segments)


# ---------------------------------------------------------------- to the byte


def test_oml() -> None:
    assert ordered().decode() == (
        "MSH|^~\\&|LABBRIDGE|LABN|NORTHLIS|LABN|20260418100005+0200||OML^O21^OML_O21|LBR-000007|P|2.5.1||||||UNICODE UTF-8\r"
        + PID
        + "ORC|NW|LB-RT-000112^LABBRIDGE||||||P4410&NORTHOE^F4410&NORTHLIS|20260418100005+0200|^Ada Smith|^Ada Smith|||||"
        f"{REASON}\r"
        "TQ1|1||||||||R^Routine^HL70485\r"
        "OBR|1|LB-RT-000112^LABBRIDGE||SRPIP^anti-SRP by second method^L|||||||G|||||||||||||||"
        f"{RESULT}|||P4410&NORTHOE^F4410&NORTHLIS\r" + NOTE + SPM
    )


def test_orm_of_the_old_version() -> None:
    raw = ordered("panel-2.3.1", form("2.3.1", "ORM", "A"), priority=Priority.URGENT)
    assert raw.decode() == (
        "MSH|^~\\&|LABBRIDGE|LABO|OLDLIS|LABO|20260418100005+0200||ORM^O01|LBR-000007|P|2.3.1||||||UNICODE UTF-8\r"
        "PID|1||4711^^^LABO^PI||DOE^JOHN||19500101|M\r"
        "ORC|NW|LB-RT-000112^LABBRIDGE|||||^^^^^A|900&OE^901&OLDLIS|20260418100005+0200|^Ada Smith|^Ada Smith|||||"
        f"{REASON}\r"
        "OBR|1|LB-RT-000112^LABBRIDGE||SRPIP^anti-SRP by second method^L|||||||A||||SER&Serum&HL70070|||||||||||"
        "2157-6&Creatine kinase&LN|^^^^^A||900&OE^901&OLDLIS\r" + NOTE
    )


@pytest.mark.parametrize(("version", "message"), KINDS)
def test_one_order_and_no_result_in_every_version(version: str, message: str) -> None:
    raw = ordered(how=form(version, message))
    new = message == "OML" and version >= "2.5"
    assert names(raw) == ("MSH PID ORC TQ1 OBR NTE SPM" if new else "MSH PID ORC OBR NTE")
    assert field(raw, "OBR", 15) == ("" if new else "SER&Serum&HL70487")
    assert field(raw, "ORC", 7) == field(raw, "OBR", 27) == ("" if new else "^^^^^R")


@pytest.mark.parametrize(
    ("version", "message", "said"),
    [("2.7", "ORM", "HL7 2.7 has no ORM"), ("2.8.2", "ORM", "has no ORM"), ("2.3.1", "OML", "HL7 2.3.1 has no OML")],
)
def test_a_message_that_the_version_has_not(version: str, message: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        ordered(how=form(version, message))


# ---------------------------------------------------------------- what is asked


@pytest.mark.parametrize(("priority", "code"), [(Priority.ROUTINE, "R^Routine"), (Priority.URGENT, "A^ASAP")])
def test_priority(priority: Priority, code: str) -> None:
    assert field(ordered(priority=priority), "TQ1", 9) == f"{code}^HL70485"
    assert field(ordered(how=form("2.4"), priority=priority), "ORC", 7) == f"^^^^^{code[0]}"


def test_a_first_day_is_a_start_time_and_names_no_tube_that_is_at_hand() -> None:
    day = date(2026, 6, 1)
    assert field(ordered(not_before=day), "TQ1", 7) == "20260601"
    assert names(ordered(not_before=day)) == "MSH PID ORC TQ1 OBR NTE"
    old = ordered(how=form("2.4", "ORM"), not_before=day)
    assert [field(old, "ORC", 7), field(old, "OBR", 27), field(old, "OBR", 15)] == ["^^^20260601^^R"] * 2 + [""]


def test_a_new_specimen_is_not_the_one_at_hand() -> None:
    assert names(ordered(new_specimen=True)) == "MSH PID ORC TQ1 OBR NTE"
    assert field(ordered(how=form("2.4"), new_specimen=True), "OBR", 15) == ""


@pytest.mark.parametrize("changes", [{"new_specimen": True}, {"not_before": date(2026, 6, 1)}])
@pytest.mark.parametrize(("version", "message"), [("2.5.1", "OML"), ("2.3.1", "ORM")])
def test_a_later_specimen_is_no_addition(version: str, message: str, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="later specimen"):
        ordered(how=form(version, message, "A"), **changes)


@pytest.mark.parametrize("changes", [{"placer": " "}, {"control_id": ""}, {"service": Coding("", "a name", "L")}])
def test_an_order_without_a_number_or_a_service_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"order (has no|names no)"):
        ordered(**changes)


def test_no_note_and_nobody_named() -> None:
    raw = ordered(note=" \n", asked_by="", reason=Coding("X"))
    assert names(raw) == "MSH PID ORC TQ1 OBR SPM"
    assert [field(raw, "ORC", number) for number in (10, 11, 16)] == ["", "", "X"]


# ---------------------------------------------------------------- the tube


def test_the_number_of_the_tube_is_asked_for_where_something_is_added_to_it() -> None:
    with pytest.raises(Refused, match="SPM-2"):
        ordered("two-patients-2.5.1", form(action="A"))
    assert names(ordered("two-patients-2.5.1")) == "MSH PID ORC TQ1 OBR NTE"


@pytest.mark.parametrize("number", [b'""', b'""^""', b"&NORTHOE^&NORTHLIS", b" ", b"^"])
def test_a_number_that_is_none(number: bytes) -> None:
    raw = TEXT.replace(b"S100&NORTHOE^S200&NORTHLIS", number)
    with pytest.raises(Refused, match="SPM-2"):
        ordered(raw, form(action="A"))
    assert names(ordered(raw)) == "MSH PID ORC TQ1 OBR NTE"


@pytest.mark.parametrize(("sent", "kept"), [
    (b'""&NORTHOE^S200&NORTHLIS', "^S200&NORTHLIS"), (b"S100&NORTHOE^&NORTHLIS", "S100&NORTHOE"), (b"S100^X^Y", "S100^X"),
])  # fmt: skip
def test_of_two_numbers_of_a_tube_the_one_that_was_sent(sent: bytes, kept: str) -> None:
    assert field(ordered(TEXT.replace(b"S100&NORTHOE^S200&NORTHLIS", sent), form(action="A")), "SPM", 2) == kept


def test_a_service_without_a_namespace() -> None:
    assert field(ordered(how=form(application="")), "ORC", 2) == "LB-RT-000112"


@pytest.mark.parametrize("version", ["2.3.1", "2.4"])
def test_before_there_was_an_spm_the_parent_order_names_the_tube(version: str) -> None:
    raw = ordered("panel-2.3.1", form(version, "ORM", "A"))
    assert field(raw, "OBR", 29) == "900&OE^901&OLDLIS"


def test_the_type_of_the_tube_from_the_older_field() -> None:
    raw = TEXT.replace(b"||SER^Serum^HL70487|", b"|||").replace(b"||20260418091400+0200||IMM", b"||20260418||IMM")
    old = raw.replace(
        b"|20260417101500+0200||||||||20260418||", b"|20260417101500+0200|PLAS&Plasma^HEP|||||||20260418||"
    )
    assert field(ordered(old), "SPM", 4) == "PLAS^Plasma"
    more = old.replace(b"PLAS&Plasma^HEP", b"PLAS&Plasma&HL70070&X&Y~SER&Serum")
    assert field(ordered(more), "SPM", 4) == "PLAS^Plasma^HL70070"
    assert field(ordered(more, form("2.4")), "OBR", 15) == "PLAS&Plasma&HL70070"
    with pytest.raises(Refused, match="SPM-4"):
        ordered(raw)


def test_two_tubes_of_one_order() -> None:
    with pytest.raises(Refused, match="several specimens"):
        ordered(TEXT + b"SPM|2|S101&NORTHOE||SER^Serum^HL70487\r")
    same = TEXT + b"SPM|2|S100&NORTHOE^S200&NORTHLIS||SER^Serum^HL70487\r"
    assert SPM in ordered(same).decode()


@pytest.mark.parametrize("role", [b"Q", b"R^Replicate", b"p", b"P~Q"])
def test_no_retest_on_what_is_no_patients(role: bytes) -> None:
    with pytest.raises(Refused, match="not a patient's"):
        ordered(TEXT.replace(b"P^Patient^HL70369", role))


def test_a_role_that_was_not_sent_stays_blank() -> None:
    assert field(ordered(TEXT.replace(b"P^Patient^HL70369", b"")), "SPM", 11) == ""


def test_a_time_that_is_none_is_left_out() -> None:
    raw = ordered(TEXT.replace(b"|20260417073000+0200^20260417073100+0200|", b"|yesterday|"))
    assert [field(raw, "SPM", number) for number in (17, 18)] == ["", "20260417101500+0200"]


# ---------------------------------------------------------------- the parent


def test_who_ordered_the_result_orders_the_retest() -> None:
    obr = b"|20260417101500+0200||1234^RHEUM^ANNA^^^^MD^HL70010^LABN~99^OTHER||||||20260418091400+0200||IMM"
    raw = TEXT.replace(b"|20260417101500+0200||||||||20260418091400+0200||IMM", obr)
    assert field(ordered(raw), "ORC", 12) == "1234^RHEUM^ANNA^^^^^^LABN"


@pytest.mark.parametrize("numbers", [b"||", b'""|""|', b"^OE|^LIS|", b" ^OE||", b'""^OE|""^LIS|'])
def test_a_result_whose_order_has_no_number(numbers: bytes) -> None:
    raw = TEXT.replace(b"P4410^NORTHOE|F4410^NORTHLIS|MYO", numbers + b"MYO")
    raw = raw.replace(b"ORC|RE|P4410^NORTHOE|F4410^NORTHLIS|", b"ORC|RE|||")
    with pytest.raises(Refused, match="neither placer nor filler number"):
        ordered(raw)


@pytest.mark.parametrize("number", [b"P4410&X^NORTHOE", b"P4410^NORTHOE~P2^OE"])
def test_a_number_with_parts_of_its_own(number: bytes) -> None:
    with pytest.raises(Refused, match="parts of its own"):
        ordered(TEXT.replace(b"OBR|1|P4410^NORTHOE", b"OBR|1|" + number))


def test_one_number_is_enough() -> None:
    raw = TEXT.replace(b"P4410^NORTHOE|F4410^NORTHLIS", b"|F4410^NORTHLIS")
    assert field(ordered(raw), "ORC", 8) == "^F4410&NORTHLIS"


# ---------------------------------------------------------------- the patient


def test_never_another_patient() -> None:
    two = source("two-patients-2.5.1")
    raw = write(letter(at="OBX[2]", lanes=("p:LABN|77-0001",)), form(), two)
    assert (field(raw, "PID", 3), field(raw, "ORC", 8)) == ("77-0001^^^LABN^MR", "P2&OE^F2&LIS")
    for at, lane in (("OBX[2]", "p:LABN|88-1203"), ("OBX[9]", "p:LABN|88-1203"), ("OBX[1]", "p:LABN|77-0001")):
        with pytest.raises(Refused, match="another patient"):
            write(letter(at=at, lanes=(lane,)), form(), two)


def test_the_number_a_patient_has_by_now() -> None:
    naming = reader.read(
        b"MSH|^~\\&|ADT|LABN|||20260418||ADT^A40|7|P|2.5.1\rEVN||20260418\rPID|1||99^^^LABN^MR||NEW^NAME||19640229|F\r"
        b"MRG|88-1203^^^LABN^MR\r"
    )
    now = letter(lanes=("p:LABN|99", "p:LABN|88-1203"))
    assert field(write(now, form(), source(), naming), "PID", 3) == "99^^^LABN^MR"
    assert PID in write(letter(), form(), source(), naming).decode()  # its number is still the one it came with
    with pytest.raises(Refused, match="identity message"):
        write(letter(lanes=("p:LABN|98", "p:LABN|88-1203")), form(), source(), naming)


def test_nothing_of_the_patient_but_what_identifies() -> None:
    raw = TEXT.replace(b"|19640229|F\r", b"|19640229|F|ALIAS^A||12 MAIN ST^^TOWN||555-1234\r")
    assert PID in ordered(raw).decode()


def test_what_cannot_be_read_is_told_and_not_raised() -> None:
    with pytest.raises(Refused, match="cannot be read"):
        ordered(TEXT.replace(b"ORU^R01^ORU_R01", b"MDM^T02"))


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("part", ["placer", "control_id", "note", "asked_by", "service", "reason"])
def test_no_text_leaves_its_field(part: str, hostile: str) -> None:
    text = f"a{hostile}b"
    changes: dict[str, Any] = {part: Coding(text, text, text) if part in ("service", "reason") else text}
    raw, plain = ordered(**changes), ordered()
    assert names(raw) == names(plain)
    assert [one.length for one in reader.read(raw).segments] == [one.length for one in reader.read(plain).segments]


def test_a_character_that_the_receiver_has_not() -> None:
    with pytest.raises(Refused, match="has no U\\+03B1"):
        ordered(how=form(charset="8859/1"), note="α")
    assert "Ü".encode("latin-1") in ordered(how=form(charset="8859/1"))


def test_fields_are_rewritten_in_our_delimiters() -> None:
    raw = ordered("other-delimiters")
    assert field(raw, "PID", 5) == "FOO\\F\\BAR^ANNÉ^^^^^L"
    assert field(raw, "ORC", 8) == "PL:1&OE^FL\\R\\1&LIS"
    assert field(raw, "OBR", 26) == "SRP&anti-SRP \\T\\ more&L^1"


def test_a_code_of_many_parts_is_cut_to_what_every_version_has() -> None:
    raw = wire("panel-2.8.2").replace(b"Q^Control specimen^HL70369", b"P")
    assert field(ordered(raw, at="OBX[3]", lanes=("p:LABX|A1",)), "OBR", 26) == "SRP&anti-SRP IgG&L"


def test_over_every_message_of_the_project_an_order_reads_back_or_is_refused() -> None:
    """No message raises anything but Refused; copied numbers are those of the source."""
    written = 0
    for path in own_messages():
        for message, at, lanes in results(path.read_bytes()):
            try:
                raw = write(letter(at=at, lanes=lanes), form(), message)
            except Refused:
                continue
            written += 1
            copy = reader.read(raw)
            (pid,) = copy.all("PID")
            sent = [message.component(one.field(3), 1) for one in message.all("PID")]
            assert copy.component(pid.field(3), 1) in sent
            for spm in copy.all("SPM"):
                numbers = [message.component(one.field(2), 1) for one in message.all("SPM")]
                assert copy.component(spm.field(2), 1) in numbers
    assert written > 30
