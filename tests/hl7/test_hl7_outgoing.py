"""The comment on its way back: to the byte in three modes, no text can leave its field, nothing is replaced."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import hl7
import pytest
from hl7_messages import COMMENT, FEED, HOSTILE, MODES, RECEIVED, VERSIONS, letter, receiver, wire
from hypothesis import given, settings
from hypothesis import strategies as st

from labbridge.errors import Refused
from labbridge.hl7 import conformance, incoming, mllp, outgoing, reader
from labbridge.model.values import Coding, SentText

SOURCE = wire("panel-2.5.1")
MSH = "MSH|^~\\&|LABBRIDGE|LABN|NORTHLIS|LABN|20260418100005+0200||ORU^R01^ORU_R01|LBC-000012|P|2.5.1||||||UNICODE UTF-8\r"
PID = "PID|1||88-1203^^^LABN^MR~X900^^^REGION^PI||MÜLLER^ERIKA^^^^^L||19640229|F\r"
TEXT = letter().text


def written(source: bytes = SOURCE, *, charset: str = "", form: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """A comment message; `form` changes the receiver's format, the rest changes the letter."""
    return outgoing.comment_message(source, charset, receiver(**(form or {})), letter(**changes))


def names(raw: bytes) -> list[str]:
    return [segment.name for segment in reader.read(raw).segments]


def sent_text(raw: bytes) -> str:
    message = reader.read(raw)
    last = message.segments[-1]
    return message.decoded(last.field(3 if last.name == "NTE" else 5))


# ---------------------------------------------------------------- to the byte


def test_an_observation_of_our_own() -> None:
    assert written().decode() == (
        MSH + PID + "ORC|RE|P4410^NORTHOE|F4410^NORTHLIS\r"
        "OBR|1|P4410^NORTHOE|F4410^NORTHLIS|MYO^Myositis panel^L|||20260417073000+0200|||||||20260417101500+0200"
        "||||||||20260418100005+0200||IMM|F\r"
        "OBX|1|FT|8251-1^Service comment^LN^LBCMT^labbridge interpretive comment^L|LB12|"
        f"{TEXT}||||||F|||20260417073000+0200||^Ada Smith||labbridge^LABBRIDGE|20260418100005+0200\r"
    )


def test_a_note_behind_the_result_as_it_was_received() -> None:
    echoed = next(line for line in SOURCE.decode().split("\r") if line.startswith("OBX|1|"))
    assert written(form={"mode": "nte"}).decode() == (
        MSH + PID + "ORC|RE|P4410^NORTHOE|F4410^NORTHLIS\r"
        "OBR|1|P4410^NORTHOE|F4410^NORTHLIS|MYO^Myositis panel^L|||20260417073000+0200|||||||20260417101500+0200"
        "||||||||20260418100005+0200||IMM|C\r"
        f"{echoed}\r"
        "NTE|1|L|Band clearly visible.\r"
        "NTE|2|L|Read by two persons.\\.br\\Strip 14 \\T\\ control line valid.\r"
        f"NTE|3|L|{TEXT}|RE^Remark^HL70364\r"
    )


def test_a_report_of_our_own() -> None:
    assert written(form={"mode": "report"}).decode() == (
        MSH + PID + "ORC|RE|P4410^NORTHOE|LB12^LABBRIDGE|||||P4410&NORTHOE^F4410&NORTHLIS\r"
        "OBR|1|P4410^NORTHOE|LB12^LABBRIDGE|8251-1^Service comment^LN^LBCMT^labbridge interpretive comment^L|||"
        "20260417073000+0200|||||||||||||||20260418100005+0200||IMM|F|"
        "SRP-B&anti-SRP (blot)&L&00000-0&anti-SRP Ab&LN^1|||P4410&NORTHOE^F4410&NORTHLIS\r"
        "OBX|1|FT|8251-1^Service comment^LN^LBCMT^labbridge interpretive comment^L|LB12|"
        f"{TEXT}||||||F|||20260417073000+0200||^Ada Smith||labbridge^LABBRIDGE|20260418100005+0200\r"
    )


def test_the_old_version_ends_with_the_signer() -> None:
    raw = written(wire("panel-2.3.1"), lane="p:LABO|4711", form={"version": "2.3.1"}).decode()
    assert raw == (
        "MSH|^~\\&|LABBRIDGE|LABO|OLDLIS|LABO|20260418100005+0200||ORU^R01|LBC-000012|P|2.3.1||||||UNICODE UTF-8\r"
        "PID|1||4711^^^LABO^PI||DOE^JOHN||19500101|M\r"
        "ORC|RE|900^OE|901^OLDLIS\r"
        "OBR|1|900^OE|901^OLDLIS|CK^Creatine kinase^L|||20251026023000|||||||20251026030000||||||||20260418100005+0200|||F\r"
        "OBX|1|FT|8251-1^Service comment^LN^LBCMT^labbridge interpretive comment^L|LB12|"
        f"{TEXT}||||||F|||20251026||^Ada Smith\r"
    )


# ---------------------------------------------------------------- corrections, addresses, what is copied


@pytest.mark.parametrize("mode", ["obx", "report"])
def test_a_correction_has_the_same_key_and_status_c(mode: str) -> None:
    first, second = (reader.read(written(form={"mode": mode}, correction=flag)) for flag in (False, True))
    for number in (3, 4):
        assert first.all("OBX")[0].field(number) == second.all("OBX")[0].field(number)
        assert first.all("OBR")[0].field(number) == second.all("OBR")[0].field(number)
    assert [one.all("OBX")[0].field(11) for one in (first, second)] == ["F", "C"]
    assert second.all("OBR")[0].field(25) == ("C" if mode == "report" else "F")


def test_who_writes_to_whom_may_be_configured() -> None:
    form = {"application": "LBX", "facility": "A&B", "receiving_application": "HIS", "receiving_facility": "HOSP"}
    msh = reader.read(written(form=form)).msh
    assert [msh.field(number) for number in (3, 4, 5, 6)] == ["LBX", "A\\T\\B", "HIS", "HOSP"]


def test_time_zone_of_the_receiver() -> None:
    assert b"|20260418040005-0400|" in written(form={"timezone": "America/New_York"})


def test_order_numbers_come_from_orc_where_obr_has_none() -> None:
    raw = wire("panel-2.5.1").replace(b"OBR|1|P4410^NORTHOE|F4410^NORTHLIS|", b'OBR|1|""||')
    assert reader.read(written(raw)).all("OBR")[0].field(2) == "P4410^NORTHOE"
    assert b'""' not in written(raw)


def test_nothing_of_the_patient_but_two_identifiers_and_what_they_are_checked_with() -> None:
    raw = SOURCE.replace(b"|19640229|F\r", b"|19640229|F|ALIAS^A||12 MAIN ST^^TOWN||555-1234\r")
    assert b"MAIN ST" in raw
    for mode in MODES:
        message = reader.read(written(raw, form={"mode": mode}))
        assert message.all("PID")[0].text + "\r" == PID


def test_a_null_is_not_passed_on() -> None:
    assert b'""' not in written(SOURCE.replace(b"|19640229|F\r", b'|""|""\r'))


def test_the_right_patient_of_several() -> None:
    raw = wire("two-patients-2.5.1")
    for at, lane, pid, filler in (
        ("OBX[1]", "p:LABN|88-1203", "88-1203", "F1^LIS"),
        ("OBX[2]", "p:LABN|77-0001", "77-0001", "F2^LIS"),
        ("OBX[3]", "p:LABN|88-1203", "88-1203", "F3^LIS"),
    ):
        message = reader.read(written(raw, at=at, lane=lane))
        assert message.all("PID")[0].field(3).startswith(pid)
        assert message.all("OBR")[0].field(3) == filler


@pytest.mark.parametrize(
    "changes",
    [
        {"at": "OBX[2]"}, {"at": "OBX[9]"}, {"at": "NTE[1]"}, {"at": ""}, {"lane": "p:LABN|9"}, {"lane": "p:LABN|77-0001"},
    ],
)  # fmt: skip
def test_never_on_a_result_that_is_missing_or_another_patients(changes: dict[str, str]) -> None:
    with pytest.raises(Refused, match="not in its message"):
        written(wire("two-patients-2.5.1"), **changes)


def test_an_observation_about_the_tube_carries_no_comment() -> None:
    with pytest.raises(Refused, match="not in its message"):
        written(at="OBX[9]")


# ---------------------------------------------------------------- refused, with the reason


def test_without_order_numbers_a_comment_could_reach_no_order() -> None:
    raw = b"\r".join(line for line in SOURCE.split(b"\r") if not line.startswith(b"ORC"))
    with pytest.raises(Refused, match="neither placer nor filler"):
        written(raw.replace(b"OBR|1|P4410^NORTHOE|F4410^NORTHLIS|", b"OBR|1|||"))


@pytest.mark.parametrize(
    ("old", "numbers"), [(b"P4410^NORTHOE", ("", "F4410^NORTHLIS")), (b"F4410^NORTHLIS", ("P4410^NORTHOE", ""))]
)
def test_one_order_number_is_enough(old: bytes, numbers: tuple[str, str]) -> None:
    obr = reader.read(written(SOURCE.replace(old, b""))).all("OBR")[0]
    assert (obr.field(2), obr.field(3)) == numbers


def test_the_requester_is_copied() -> None:
    raw = SOURCE.replace(
        b"|20260417101500+0200||||||||20260418", b"|20260417101500+0200||77^REQUESTER^RON||||||20260418"
    )
    obr = reader.read(written(raw)).all("OBR")[0]
    assert (obr.field(14), obr.field(16), obr.field(22)) == (
        "20260417101500+0200", "77^REQUESTER^RON", "20260418100005+0200",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "kind", "received", "software"),
    [
        ("2.3.1", "ORU^R01", True, False), ("2.4", "ORU^R01^ORU_R01", True, True),
        ("2.6", "ORU^R01^ORU_R01", True, True), ("2.7", "ORU^R01^ORU_R01", False, True),
    ],
)  # fmt: skip
def test_what_depends_on_the_version(version: str, kind: str, received: bool, software: bool) -> None:
    message = reader.read(written(form={"version": version}))
    assert message.msh.field(9) == kind
    assert bool(message.all("OBR")[0].field(14)) is received
    assert bool(message.all("OBX")[0].field(18)) is software
    report = reader.read(written(form={"version": version, "mode": "report"}))
    assert report.all("ORC")[0].field(8) == report.all("OBR")[0].field(29) != ""
    note = reader.read(written(form={"version": version, "mode": "nte"})).all("NTE")[-1]
    assert bool(note.field(4)) is software


def test_another_field_separator_alone_is_rewritten_too() -> None:
    raw = SOURCE.replace(b"|", b"*").replace(b"ERIKA", b"E|A").replace(b"MYO^", b"A\\F\\B^")
    message = reader.read(written(raw))
    assert message.component(message.all("PID")[0].field(5), 2) == "E|A"
    assert message.all("OBR")[0].field(4) == "A*B^Myositis panel^L"


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_comment(text: str) -> None:
    with pytest.raises(Refused, match="empty"):
        written(text=text)


@pytest.mark.parametrize("mode", ["obx", "report"])
def test_without_a_code(mode: str) -> None:
    with pytest.raises(Refused, match="No code"):
        written(form={"comment": (), "mode": mode})


def test_a_message_that_cannot_be_read_any_more() -> None:
    with pytest.raises(Refused, match="cannot be read"):
        written(b"PID|1\r")
    with pytest.raises(Refused, match="cannot be read"):
        written(SOURCE.replace(b"UNICODE UTF-8", b"ASCII"))


def test_the_feeds_character_set_counts() -> None:
    raw = SOURCE.decode().replace("UNICODE UTF-8", "").encode("cp1252")
    assert written(raw, charset="WINDOWS-1252").decode().split("\r")[1] + "\r" == PID


@pytest.mark.parametrize(
    ("charset", "text", "place"), [("ASCII", "µ", "U+00DC"), ("8859/1", "Ω", "U+03A9"), ("8859/1", "“x”", "U+201C")]
)
def test_a_character_the_receiver_does_not_have_is_never_replaced(charset: str, text: str, place: str) -> None:
    with pytest.raises(Refused) as fault:
        written(form={"charset": charset}, text=f"x {text}")
    assert place in str(fault.value)
    assert charset in str(fault.value)


def test_a_receiver_of_an_unknown_character_set() -> None:
    with pytest.raises(Refused, match="KLINGON"):
        written(form={"charset": "KLINGON"})


def test_the_receivers_characters() -> None:
    raw = written(form={"charset": "8859/1"}, text="Über 5 µg")
    assert "Über 5 µg".encode("latin-1") in raw
    assert raw.split(b"\r")[0].endswith(b"|8859/1")
    assert sent_text(raw) == "Über 5 µg"


# ---------------------------------------------------------------- the echo


@pytest.mark.parametrize(
    "obx",
    [
        "OBX|1|ST|SRP^x^L|1|a\\Z03BC\\b \\X41\\||  |||||F|||20260417", "obx|1|ST|SRP||x||||||F",
        "OBX|1|TX|SRP||a~b~~c||||||F||",
        "OBX|1|NM|SRP|1|14|[arb'U]^arbitrary unit^UCUM|0-10|H|||F",
    ],
)  # fmt: skip
def test_the_result_is_echoed_byte_for_byte(obx: str) -> None:
    lines = SOURCE.decode().split("\r")
    at = next(number for number, line in enumerate(lines) if line.startswith("OBX|1|"))
    raw = "\r".join([*lines[:at], obx, *lines[at + 3 :]]).encode()
    assert b"\r" + obx.encode() + b"\rNTE|1|L|Anti-SRP" in written(raw, form={"mode": "nte"})


def test_the_echo_keeps_the_senders_delimiters_and_characters() -> None:
    source = wire("other-delimiters")
    text = "a|b^c&d~e\\f : @ ! % * µ"
    raw = written(source, lane="p:LABD|D99", text=text, form={"mode": "nte"})
    lines = raw.split(b"\r")
    assert lines[0] == (
        b"MSH*:@!%*LABBRIDGE*LABD*ODDLIS*LABD*20260418100005+0200**ORU:R01:ORU_R01*LBC-000012*P*2.5.1******8859/1"
    )
    assert lines[4:6] == source.split(b"\r")[3:5]
    assert lines[6] == "NTE*2*L*a|b^c&d~e\\f !S! !R! !E! !T! !F! µ*RE:Remark:HL70364".encode("latin-1")
    assert sent_text(raw) == text


def test_the_echo_names_the_characters_it_really_uses() -> None:
    raw = SOURCE.decode().replace("UNICODE UTF-8", "")
    for encoding, charset, named in (("latin-1", "8859/1", b"8859/1"), ("cp1252", "WINDOWS-1252", b"CP1252")):
        out = written(raw.encode(encoding), charset=charset, form={"mode": "nte"}, text="5 µg")
        assert out.split(b"\r")[0].split(b"|")[17] == named
        assert sent_text(out) == "5 µg"
    declared = written(SOURCE.replace(b"UNICODE UTF-8", b"UTF-8~ISO IR87"), form={"mode": "nte"})
    assert declared.split(b"\r")[0].split(b"|")[17] == b"UTF-8~ISO IR87"


def test_the_echo_needs_an_escape_character() -> None:
    raw = wire("panel-2.3.1").replace(b"^~\\&", b"^~")
    with pytest.raises(Refused, match="escape"):
        written(raw, lane="p:LABO|4711", form={"mode": "nte"})


@pytest.mark.parametrize("control", [b"\x1c", b"\x0b", b"\x00"])
def test_control_characters_cannot_be_echoed_and_are_escaped_elsewhere(control: bytes) -> None:
    raw = SOURCE.replace(b"anti-SRP (blot)", b"anti-SRP" + control)
    with pytest.raises(Refused, match="control characters"):
        written(raw, form={"mode": "nte"})
    out = written(SOURCE.replace(b"ERIKA", b"E" + control), form={"mode": "obx"})
    assert control not in out
    assert incoming.read_reports(out, FEED, RECEIVED)[0].patient.given_name == "E" + control.decode()


def test_a_frame_end_at_the_end_of_a_copied_segment_stays_inside_the_frame() -> None:
    raw = SOURCE.replace(b"|19640229|F\r", b"|19640229|F\x1c\r").replace(b"\r", b"\n")
    out = written(raw)
    framer = mllp.Framer()
    events = framer.receive_data(mllp.frame(out))
    assert events == [mllp.Frame(out)]
    assert names(out) == ["MSH", "PID", "ORC", "OBR", "OBX"]


# ---------------------------------------------------------------- fields of other delimiters and characters


def test_copied_fields_are_rewritten_into_our_delimiters() -> None:
    message = reader.read(written(wire("other-delimiters"), lane="p:LABD|D99"))
    assert message.all("PID")[0].text == "PID|1||D99^^^LABD^MR||FOO\\F\\BAR^ANNÉ^^^^^L||19800808|F"
    assert message.all("OBR")[0].text.startswith(
        "OBR|1|PL:1^OE|FL\\R\\1^LIS|MYO^Panel \\S\\ one^L|||20260131080000+0100"
    )


def test_hex_escapes_of_another_character_set_are_decoded_before_they_are_copied() -> None:
    raw = SOURCE.decode().replace("UNICODE UTF-8", "8859/1").replace("MÜLLER", "M\\XDC\\LLER").encode("latin-1")
    assert reader.read(written(raw)).all("PID")[0].field(5) == "MÜLLER^ERIKA^^^^^L"


def test_escapes_of_the_same_character_set_are_copied_as_they_stand() -> None:
    raw = SOURCE.replace(b"MYO^Myositis panel^L", b"MYO^Myositis \\T\\ more \\Z1\\^L")
    assert reader.read(written(raw)).all("OBR")[0].field(4) == "MYO^Myositis \\T\\ more \\Z1\\^L"


def test_a_parent_result_only_where_it_can_be_told_apart() -> None:
    for old, new, wanted in (
        (b"SRP-B^anti-SRP (blot)", b"SRP-B&x^anti-SRP", ""),
        (b"^anti-SRP Ab^LN|1|", b"^anti-SRP Ab^LN|^1^2|", "SRP-B&anti-SRP (blot)&L&00000-0&anti-SRP Ab&LN"),
    ):
        message = reader.read(written(SOURCE.replace(old, new), form={"mode": "report"}))
        assert message.all("OBR")[0].field(26) == wanted


# ---------------------------------------------------------------- text


def test_text_types_break_lines_in_their_own_way() -> None:
    text = "First line.\nSecond ~ line."
    for kind, sent in (
        ("FT", "First line.\\.br\\Second \\R\\ line."),
        ("TX", "First line.~Second \\R\\ line."),
        ("ST", "First line. Second \\R\\ line."),
    ):
        obx = reader.read(written(form={"text_type": kind}, text=text)).all("OBX")[0]
        assert (obx.field(2), obx.field(5)) == (kind, sent)
        note = reader.read(written(form={"text_type": kind, "mode": "nte"}, text=text)).all("NTE")[-1]
        assert note.field(3) == "First line.\\.br\\Second \\R\\ line."


@pytest.mark.parametrize("length", [10, 20, 60, 80])
@pytest.mark.parametrize("mode", MODES)
def test_lines_are_no_longer_than_the_receiver_takes(length: int, mode: str) -> None:
    lines = sent_text(written(form={"line_length": length, "mode": mode})).split("\n")
    assert " ".join(lines) == TEXT
    assert all(len(line) <= max(length, max(map(len, line.split(" ")))) for line in lines)
    assert all(len(one) + 1 + len(other.split(" ")[0]) > length for one, other in pairwise(lines))


def test_a_word_is_never_cut_and_a_paragraph_never_joined() -> None:
    text = "a pneumonoultramicroscopic word\n\n  indented & two  spaces"
    lines = sent_text(written(form={"line_length": 8}, text=text)).split("\n")
    assert "pneumonoultramicroscopic" in lines
    assert " ".join(lines).replace("  ", " ").split() == text.split()
    assert "" in lines


HOSTILE_FIELDS = ("text", "signer", "sub_id", "control_id")
HOSTILE_SETTINGS = ("application", "facility", "receiving_application", "receiving_facility", "software")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_free_text_leaves_its_field(hostile: str, mode: str) -> None:
    plain = written(form={"mode": mode}, text="before after")
    shape = [(segment.name, segment.length) for segment in reader.read(plain).segments]
    raw = written(form={"mode": mode}, text=f"before{hostile}after")
    assert [(segment.name, segment.length) for segment in reader.read(raw).segments] == shape
    assert sent_text(raw) == f"before{hostile}after"
    assert len(hl7.parse(raw.decode())) == len(shape)
    assert mllp.Framer().receive_data(mllp.frame(raw)) == [mllp.Frame(raw)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_other_argument_leaves_its_field(hostile: str, mode: str) -> None:
    shape = [(segment.name, segment.length) for segment in reader.read(written(form={"mode": mode})).segments]
    hostile_coding = (Coding(f"c{hostile}d", f"d{hostile}e", f"e{hostile}f"),) * 2
    form: dict[str, Any] = dict.fromkeys(HOSTILE_SETTINGS, f"x{hostile}y")
    form |= {"mode": mode, "comment": hostile_coding}
    raw = written(form=form, **dict.fromkeys(HOSTILE_FIELDS, f"x{hostile}y"))
    message = reader.read(raw)
    assert [(segment.name, segment.length) for segment in message.segments] == shape
    assert message.decoded(message.msh.field(3)) == f"x{hostile}y"
    assert message.decoded(message.msh.field(10)) == f"x{hostile}y"
    assert mllp.Framer().receive_data(mllp.frame(raw)) == [mllp.Frame(raw)]
    if mode != "nte":
        obx = message.all("OBX")[0]
        assert message.component(obx.field(16), 2) == f"x{hostile}y"
        assert [message.decoded(part) for part in message.components(obx.field(3))] == [
            text for coding in hostile_coding for text in (coding.code, coding.display, coding.system)
        ]


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=80).filter(str.strip),
    st.sampled_from(MODES),
)
def test_any_text_arrives_unchanged(text: str, mode: str) -> None:
    assert sent_text(written(form={"mode": mode}, text=text)) == text
    wrapped = sent_text(written(form={"mode": mode, "line_length": 12}, text=text))
    assert wrapped.replace("\n", " ") == text


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="latin-1"), min_size=1, max_size=40).filter(str.strip))
def test_any_text_arrives_through_other_delimiters(text: str) -> None:
    raw = written(wire("other-delimiters"), lane="p:LABD|D99", text=text, form={"mode": "nte"})
    assert sent_text(raw) == text


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("mode", MODES)
def test_our_own_reader_finds_patient_order_and_comment(version: str, mode: str) -> None:
    (report,) = incoming.read_reports(written(form={"mode": mode, "version": version}), FEED, RECEIVED)
    assert (report.lane, report.version, report.control_id) == ("p:LABN|88-1203", version, "LBC-000012")
    (found,) = report.orders
    (one,) = found.observations
    assert found.placer.id == "P4410"
    if mode == "nte":
        assert one.notes[-1] == TEXT
    else:
        assert (one.values, one.sub_id, one.status) == ((SentText(TEXT),), "LB12", "F")
        assert [coding.code for coding in one.codes] == [coding.code for coding in COMMENT]


# ---------------------------------------------------------------- identifier types (CX.5)


@pytest.mark.parametrize(
    ("version", "sent", "written_as"),
    [
        ("2.6", "88-1203", "88-1203"),
        ("2.7", "88-1203", "88-1203^^^^U"),
        ("2.7", "88-1203^^^LABN", "88-1203^^^LABN^U"),
        ("2.7.1", '88-1203^^^LABN^""', "88-1203^^^LABN^U"),
        ("2.8.2", "88-1203^^^LABN^MR~X9^^^REGION", "88-1203^^^LABN^MR~X9^^^REGION^U"),
        ("2.8.1", "88-1203^^^LABN^MR^^20260101", "88-1203^^^LABN^MR^^20260101"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_an_identifier_without_a_type_is_of_an_unspecified_one_from_2_7_on(
    version: str, sent: str, written_as: str, mode: str
) -> None:
    source = SOURCE.replace(b"88-1203^^^LABN^MR~X900^^^REGION^PI", sent.encode())
    lane = "p:LABN|88-1203"
    raw = written(source, lane=lane, form={"mode": mode, "version": version})
    assert reader.read(raw).all("PID")[0].field(3) == written_as
    assert conformance.judge(raw, TEXT, version) == []


@pytest.mark.parametrize("changes", [{"text": "one\u2028two"}, {"signer": "Ada\u2029Smith"}])
def test_a_separator_the_receivers_characters_have_not_is_refused_as_any_other_character(
    changes: dict[str, Any],
) -> None:
    """It went out as a space: another text than the one that was released."""
    with pytest.raises(Refused, match="has no U\\+202"):
        written(form={"charset": "8859/1"}, **changes)
