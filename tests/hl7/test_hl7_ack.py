"""Acknowledgements: every mode and version to the byte, heads that cannot be read, and answers that may not be believed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import hl7
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.hl7 import ack, reader
from labbridge.hl7.ack import Acknowledgement

NOW = datetime(2026, 3, 14, 10, 15, 23, tzinfo=timezone(timedelta(hours=1)))
FAULT = Refuse("Result 3 has a status this interface does not accept", code="103", location="OBX^3^11")


def msh(
    *,
    version: str = "2.5.1",
    kind: str = "ORU^R01^ORU_R01",
    control: str = "MSG000481",
    modes: str = "|",
    marks: str = "^~\\&",
) -> bytes:
    head = f"MSH|{marks}|MYOLIS|LABA|LABBRIDGE|LABN|20260314101522+0100||{kind}|{control}|P|{version}|||{modes}"
    return f"{head}|FRA|UNICODE UTF-8\rPID|1||PT7788\r".encode()


def accepted(raw: bytes) -> bytes:
    return ack.accept(raw, control_id="LB-ACK-55012", now=NOW)


def refused(raw: bytes, fault: Refuse = FAULT) -> bytes:
    return ack.refuse(raw, fault, control_id="LB-ACK-55012", now=NOW)


def code(answer: bytes) -> str:
    return ack.read_ack(answer).code


# ---------------------------------------------------------------- given: original mode


def test_accept_in_original_mode_to_the_byte() -> None:
    assert accepted(msh()) == (
        b"MSH|^~\\&|LABBRIDGE|LABN|MYOLIS|LABA|20260314101523+0100||ACK^R01^ACK|LB-ACK-55012|P|2.5.1\r"
        b"MSA|AA|MSG000481\r"
    )


def test_refuse_in_original_mode_to_the_byte() -> None:
    assert refused(msh()) == (
        b"MSH|^~\\&|LABBRIDGE|LABN|MYOLIS|LABA|20260314101523+0100||ACK^R01^ACK|LB-ACK-55012|P|2.5.1\r"
        b"MSA|AE|MSG000481\r"
        b"ERR||OBX^3^11|103^Table value not found^HL70357|E||||Result 3 has a status this interface does not accept\r"
    )


def test_before_2_5_the_error_is_err_1_alone() -> None:
    assert refused(msh(version="2.3.1", kind="ORU^R01")) == (
        b"MSH|^~\\&|LABBRIDGE|LABN|MYOLIS|LABA|20260314101523+0100||ACK|LB-ACK-55012|P|2.3.1\r"
        b"MSA|AE|MSG000481\r"
        b"ERR|OBX^3^11^103&Table value not found&HL70357\r"
    )


@pytest.mark.parametrize(
    ("version", "kind", "err_fields"),
    [
        ("2.1", "ACK", 1), ("2.2", "ACK", 1), ("2.3", "ACK", 1), ("2.3.1", "ACK", 1), ("2.4", "ACK^R01^ACK", 1),
        ("2.5", "ACK^R01^ACK", 8), ("2.5.1", "ACK^R01^ACK", 8), ("2.6", "ACK^R01^ACK", 8), ("2.7", "ACK^R01^ACK", 8),
        ("2.8.2", "ACK^R01^ACK", 8), ("2.9", "ACK^R01^ACK", 8), ("3.0", "ACK^R01^ACK", 8), ("", "ACK^R01^ACK", 8),
        ("2.5.1^USA", "ACK^R01^ACK", 8), ("2.3^DEU", "ACK", 1), ("two", "ACK^R01^ACK", 8),
    ],
)  # fmt: skip
def test_message_type_and_error_segment_follow_the_version(version: str, kind: str, err_fields: int) -> None:
    lines = refused(msh(version=version)).decode().split("\r")
    assert lines[0].split("|")[8] == kind
    assert lines[0].split("|")[11] == version
    assert len(lines[2].split("|")) - 1 == err_fields


def test_a_reject_is_ar_and_needs_no_location() -> None:
    fault = Refuse("This message type is not taken", code="200", reject=True)
    answer = refused(msh(), fault)
    assert code(answer) == "AR"
    assert b"\rERR|||200^Unsupported message type^HL70357|E||||This message type is not taken\r" in answer


def test_no_answer_without_msh() -> None:
    assert refused(b"hello\r") == b""
    assert accepted(b"hello\r") == b""
    assert refused(msh(), Refuse("An acknowledgement came in", code="200", answer=False)) == b""


# ---------------------------------------------------------------- given: enhanced mode


@pytest.mark.parametrize(
    ("modes", "good", "bad"),
    [
        ("|", "AA", "AE"), ("AL|", "CA", "CE"), ("AL|NE", "CA", "CE"), ("AL|AL", "CA", "CE"), ("NE|NE", "", ""),
        ("NE|AL", "", ""), ("ER|NE", "", "CE"), ("ER|AL", "", "CE"), ("SU|NE", "CA", ""), ("|AL", "CA", "CE"),
        ("|NE", "CA", "CE"), ("ACCEPT|ACKNOLWEDGE", "CA", "CE"), (" EVN/A01|", "CA", "CE"), ("al|ne", "CA", "CE"),
        ('""|""', "AA", "AE"),
    ],
)  # fmt: skip
def test_conditions_of_table_0155(modes: str, good: str, bad: str) -> None:
    assert code(accepted(msh(modes=modes))) == good
    assert code(refused(msh(modes=modes))) == bad


@pytest.mark.parametrize(
    ("modes", "good", "bad"), [("NE|", "", ""), ("SU|", "CA", ""), ("ER|x", "", "CE"), ("x|NE", "CA", "CE")]
)
def test_msh_15_alone_decides_whether_there_is_an_answer(modes: str, good: str, bad: str) -> None:
    assert (code(accepted(msh(modes=modes))), code(refused(msh(modes=modes)))) == (good, bad)


def test_reject_in_enhanced_mode_is_cr() -> None:
    assert code(refused(msh(modes="AL|NE"), Refuse("x", code="203", reject=True))) == "CR"


@pytest.mark.parametrize(
    ("modes", "wanted"),
    [
        ("|", []), ("AL|NE", []), ("AL|AL", [("N010", "MSH-16")]), ("NE|SU", [("N010", "MSH-16")]),
        ("ACCEPT|NE", [("N011", "MSH-15")]), ("x|y", [("N011", "MSH-15"), ("N011", "MSH-16")]),
    ],
)  # fmt: skip
def test_odd_conditions_are_noted(modes: str, wanted: list[tuple[str, str]]) -> None:
    assert [(found.code, found.at) for found in ack.notes(msh(modes=modes))] == wanted


# ---------------------------------------------------------------- given: copied, never understood


@pytest.mark.parametrize("control", ["MSG^1", " 7 ", "A\\F\\B", "", "0", "x" * 300, '""'])
def test_msa_2_is_msh_10_byte_for_byte(control: str) -> None:
    assert accepted(msh(control=control)).split(b"\r")[1] == b"MSA|AA|" + control.encode()


def test_bytes_that_are_no_ascii_go_back_as_they_came_and_named() -> None:
    raw = "MSH|^~\\&|MÜLAB|LABÄ|LABBRIDGE|L|20260314||ORU^R01|M1|P|2.5.1||||||8859/1\rPID|1\r".encode("latin-1")
    answer = accepted(raw)
    assert answer.split(b"\r")[0].endswith(
        b"|L|M\xdcLAB|LAB\xc4|20260314101523+0100||ACK^R01^ACK|LB-ACK-55012|P|2.5.1||||||8859/1"
    )
    assert reader.read(answer).msh.field(5) == "MÜLAB"


def test_the_message_decides_the_delimiters() -> None:
    raw = b"MSH*:@!%*ODD*LABD*LABBRIDGE*LABD*20260201**ORU:R01*D-1*P*2.5.1\rPID*1\r"
    assert refused(raw) == (
        b"MSH*:@!%*LABBRIDGE*LABD*ODD*LABD*20260314101523+0100**ACK:R01:ACK*LB-ACK-55012*P*2.5.1\r"
        b"MSA*AE*D-1\r"
        b"ERR**OBX:3:11*103:Table value not found:HL70357*E****Result 3 has a status this interface does not accept\r"
    )


def test_a_delimiter_that_stands_in_our_time_is_escaped() -> None:
    answer = accepted(b"MSH|^+\\&|A|B|C|D|20260201||ORU^R01|D-1|P|2.5.1\r")
    assert answer.split(b"|")[6] == b"20260314101523\\R\\0100"


@pytest.mark.parametrize(
    "raw",
    [
        b"MSH|^~|A|B|C|D|20260201||ORU^R01|D-1|P|2.5.1\r", b"MSH|^^\\&|A|B|C|D|20260201||ORU^R01|D-1|P|2.5.1\r",
        b"MSH||A|B|C|D|20260201||ORU^R01|D-1|P|2.5.1\r", b"MSH|abc|A|B|C|D|20260201||ORU^R01|D-1|P|2.5.1\r",
    ],
)  # fmt: skip
def test_unusable_encoding_characters_leave_the_separator(raw: bytes) -> None:
    shift = 1 if raw.startswith(b"MSH||A") else 0
    answer = refused(raw)
    assert answer.startswith(b"MSH|^~\\&|C|D|A|B|")
    assert answer.split(b"\r")[1] == b"MSA|AE|D-1"
    assert not shift or len(answer.split(b"\r")[0].split(b"|")) == 12


def test_a_separator_that_is_an_encoding_character_is_not_used_twice() -> None:
    answer = refused(b"MSH^|^A^B^C^D^20260201^^ORU^D-1^P^2.5.1\r")
    assert answer.startswith(b"MSH^|~\\&^")
    assert reader.read(answer).all("MSA")[0].text.startswith("MSA^AE^")


@pytest.mark.parametrize("raw", [b"MSH", b"MSH\rPID|1\r", b"MSHA~", b"MSH \r", b"MSH|", b"MSH|^", b"MSH\x00\x00\x00"])
def test_a_head_that_holds_nothing_is_still_answered(raw: bytes) -> None:
    answer = ack.read_ack(refused(raw))
    assert (answer.code, answer.control_id) == ("AE", "")


@pytest.mark.parametrize("fields", range(12))
def test_a_head_that_ends_early_is_answered(fields: int) -> None:
    raw = b"|".join(msh().split(b"\r")[0].split(b"|")[: fields + 1]) + b"\r"
    answer = ack.read_ack(refused(raw))
    assert (answer.code, answer.control_id) == ("AE", "MSG000481" if fields > 8 else "")


def test_the_truncation_character_is_kept() -> None:
    assert accepted(msh(marks="^~\\&#")).startswith(b"MSH|^~\\&#|LABBRIDGE|")


def test_bom_and_other_line_ends_are_read_over() -> None:
    for raw in (b"\xef\xbb\xbf" + msh(), msh().replace(b"\r", b"\n"), msh().replace(b"\r", b"\r\n")):
        assert accepted(raw).split(b"\r")[1] == b"MSA|AA|MSG000481"


def test_the_read_message_gives_the_same_answer_as_its_bytes() -> None:
    for raw in (msh(), msh(modes="AL|NE"), msh(control="Ä", version="2.3.1"), msh(marks="^~\\&#", version="2.8.2")):
        assert ack.accept(reader.read(raw).head, control_id="LB-ACK-55012", now=NOW) == accepted(raw)
        assert ack.accept(ack.head(raw), control_id="LB-ACK-55012", now=NOW) == accepted(raw)


def test_a_delimiter_byte_inside_a_character_is_no_delimiter_once_the_message_was_read() -> None:
    name = b"\x81\x7c".decode("gb18030")  # its second byte is the byte of |
    raw = f"MSH|^~\\&|{name}|LABA|LB|L|20260314||ORU^R01^ORU_R01|M-9|P|2.5.1||||||GB 18030-2000\rPID|1\r".encode(
        "gb18030"
    )
    answer = ack.accept(reader.read(raw, "GB 18030-2000").head, control_id="c", now=NOW)
    found = reader.read(answer, "GB 18030-2000")
    assert (found.msh.field(5), found.msh.field(6), found.all("MSA")[0].field(2)) == (name, "LABA", "M-9")


@pytest.mark.parametrize("event", ["R01~x", "R&01", "R 1", "Ä01"])
def test_an_event_that_is_none_is_not_repeated(event: str) -> None:
    assert accepted(msh(kind=f"ORU^{event}")).split(b"|")[8] == b"ACK"


@pytest.mark.parametrize("text", ["a|b", "c\rERR|", "ünïcode", "x\\y~^&"])
def test_the_error_text_cannot_leave_its_field(text: str) -> None:
    answer = refused(msh(), Refuse(text, code="102", location="MSH^1^18"))
    assert [segment.name for segment in reader.read(answer).segments] == ["MSH", "MSA", "ERR"]
    assert len(answer.split(b"\r")[2].split(b"|")) == 9


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"MSH", b"MSH|^~\\&|"]))
def test_whatever_comes_a_head_goes_and_the_answer_is_one_frame_of_whole_segments(tail: bytes, start: bytes) -> None:
    answer = refused(start + tail)
    assert bool(answer) == (start + tail).startswith((b"MSH", b"\xef\xbb\xbfMSH")) or ack.head(start + tail).enhanced
    if answer:
        assert answer.endswith(b"\r")
        assert [line[:3] for line in answer.split(b"\r")] == [b"MSH", b"MSA", b"ERR", b""]
        assert b"\n" not in answer


@pytest.mark.parametrize("version", ["2.3.1", "2.4", "2.5.1", "2.7", "2.8.2"])
def test_python_hl7_reads_our_answers(version: str) -> None:
    found = hl7.parse(refused(msh(version=version)).decode())
    assert [str(segment[0]) for segment in found] == ["MSH", "MSA", "ERR"]
    assert str(found.segment("MSA")[2]) == "MSG000481"


def test_head_tells_sender_type_and_version() -> None:
    found = ack.head(msh(version="2.5.1^DEU"))
    assert (found.sender, found.control_id, found.message_type, found.version) == (
        "MYOLIS|LABA", "MSG000481", "ORU^R01", "2.5.1",
    )  # fmt: skip
    empty = ack.head(b"")
    assert (empty.sender, empty.control_id, empty.message_type, empty.enhanced) == ("|", "", "", False)


def test_digest_is_sha_256() -> None:
    assert ack.digest(b"abc").hex().startswith("ba7816bf8f01cfea")


# ---------------------------------------------------------------- taken

GOOD = b"MSH|^~\\&|LIS|L|LABBRIDGE|L|20260314||ACK^R01^ACK|9|P|2.5.1\rMSA|AA|LBC-1\r"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("code", ["AA", "CA"])
def test_a_matching_positive_answer(code: str, end: bytes) -> None:
    raw = GOOD.replace(b"AA|", code.encode() + b"|").replace(b"\r", end)
    assert ack.read_ack(raw) == Acknowledgement(code, "LBC-1")
    assert ack.positive(ack.read_ack(raw), "LBC-1")


@pytest.mark.parametrize("code", ["AE", "AR", "CE", "CR"])
def test_a_refusal_is_read_with_its_text_and_code(code: str) -> None:
    raw = (
        GOOD.replace(b"AA|", code.encode() + b"|")
        + b"ERR||OBX^1^3|103^Table value not found^HL70357|E||||No such code\r"
    )
    answer = ack.read_ack(raw)
    assert answer == Acknowledgement(code, "LBC-1", "No such code", "103^Table value not found^HL70357")
    assert not ack.positive(answer, "LBC-1")


def test_an_old_refusal_is_read_with_its_text() -> None:
    raw = GOOD.replace(b"AA|LBC-1", b"AE|LBC-1|unknown order") + b"ERR|OBX^1^3^103\r"
    assert ack.read_ack(raw) == Acknowledgement("AE", "LBC-1", "unknown order", "OBX^1^3^103")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"\x06", b"garbage", b"MSH", b"MSA|AA|LBC-1\r", b"MSH|^~\\&\r", GOOD[:-8], b"\x00" * 50,
        GOOD.replace(b"MSA", b"MSB"), GOOD.replace(b"AA", b"aa"), GOOD.replace(b"AA", b"OK"), GOOD.replace(b"AA", b""),
        GOOD.replace(b"|AA|LBC-1", b"|AA"), GOOD + GOOD, GOOD + b"MSA|AA|LBC-2\r", b"junk" + GOOD,
        b"MSA|AA|LBC-1\r" + GOOD.split(b"\r")[0] + b"\r", GOOD.replace(b"AA|", b" AA|"),
    ],
)  # fmt: skip
def test_what_is_no_acknowledgement_says_nothing(raw: bytes) -> None:
    answer = ack.read_ack(raw)
    assert answer == Acknowledgement()
    assert not ack.positive(answer, "LBC-1")
    assert not ack.positive(answer, "")


@pytest.mark.parametrize("named", ["", "LBC-2", "LBC-1 ", "lbc-1", "LBC-10", "LBC-1^x", "LBC"])
def test_an_answer_to_something_else_is_not_positive(named: str) -> None:
    answer = ack.read_ack(GOOD.replace(b"LBC-1", named.encode()))
    assert not ack.positive(answer, "LBC-1")
    assert not ack.positive(answer, "")


def test_a_byte_order_mark_is_read_over() -> None:
    assert ack.positive(ack.read_ack(b"\xef\xbb\xbf" + GOOD), "LBC-1")


def test_the_receivers_own_delimiters_are_read() -> None:
    raw = b"MSH*:@!%*LIS*L*LABBRIDGE*L*20260314**ACK*9*P*2.5.1\rMSA*AA*LBC-1\r"
    assert ack.positive(ack.read_ack(raw), "LBC-1")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=120), st.integers(0, len(GOOD)), st.integers(0, 40))
def test_a_damaged_answer_is_positive_only_if_it_still_names_the_message(noise: bytes, at: int, cut: int) -> None:
    raw = GOOD[:at] + noise + GOOD[at + cut :]
    if ack.positive(ack.read_ack(raw), "LBC-1"):
        lines = raw.replace(b"\n", b"\r").split(b"\r")
        separator = raw[3:4] if not raw.startswith(b"\xef\xbb\xbf") else raw[6:7]
        assert sum(line.startswith(b"MSA") for line in lines) == 1
        assert any(line.split(separator)[1:3] in ([b"AA", b"LBC-1"], [b"CA", b"LBC-1"]) for line in lines)


def test_every_code_we_send_has_its_sentence() -> None:
    for code in ("100", "101", "102", "103", "104", "200", "201", "202", "203", "207"):
        assert f"|{code}^Error^".encode() not in refused(msh(), Refuse("x", code=code))


@pytest.mark.parametrize(
    ("declared", "encoding", "said"),
    [
        ("", "utf-8", "MÜLLER"),
        ("", "latin-1", "MÜLLER"),
        ("UNICODE UTF-8", "utf-8", "MÜLLER"),
        ("8859/1", "latin-1", "MÜLLER"),
        ("UNICODE UTF-8", "latin-1", "M\ufffdLLER"),
    ],
)
def test_the_words_of_a_refusal_are_readable(declared: str, encoding: str, said: str) -> None:
    """Receivers that declare no character set write their own characters all the same; only a person reads them."""
    head = f"MSH|^~\\&|LIS|H|LB|H|20260101||ACK^R01^ACK|A1|P|2.5.1||||||{declared}\r"
    answer = ack.read_ack(head.encode() + "MSA|AE|LB1|Patient unbekannt: MÜLLER\r".encode(encoding))
    assert (answer.code, answer.text) == ("AE", f"Patient unbekannt: {said}")
