"""MSH-18 and the characters of a message: declared or configured, decoded strictly, every byte kept (T-46)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.hl7 import charset, reader

HEAD = "MSH|^~\\&|LIS|LABA|LB|LABA|20261109||ORU^R01|C1|P|2.5.1||||||"
PARTS = (*range(1, 12), *range(13, 17))  # ISO 8859 has no part 12


def raw(declared: str, text: str, codec: str) -> bytes:
    return f"{HEAD}{declared}\rNTE|1||{text}\r".encode(codec)


def read_or_fault(data: bytes) -> reader.Message | Refuse:
    try:
        return reader.read(data)
    except Refuse as fault:
        return fault


def refusal(data: bytes, feed: str = "") -> Refuse:
    with pytest.raises(Refuse) as caught:
        reader.read(data, feed)
    return caught.value


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("spelling", ["8859/{}", "8859-{}", "ISO-8859-{}", "iso_8859_{}", "ISO 8859/{}"])
def test_every_part_of_iso_8859_by_its_spellings(part: int, spelling: str) -> None:
    assert charset.codec(spelling.format(part)) == f"iso8859_{part}"


@pytest.mark.parametrize(
    ("declared", "text", "codec"),
    [
        ("8859/1", "é µ ß", "latin-1"),
        ("8859/2", "Šťastný ľ", "iso8859_2"),
        ("8859/5", "Иванов", "iso8859_5"),
        ("8859/7", "Παπάς", "iso8859_7"),
        ("8859/9", "Işık", "iso8859_9"),
        ("8859/15", "5 € ŠŽœ", "iso8859_15"),
        ("UNICODE UTF-8", "Šµ† “x” 抗体 🧪", "utf-8"),
        ("UNICODE", "µ", "utf-8"),
        ("GB 18030-2000", "抗核抗体", "gb18030"),
        ("BIG-5", "抗核抗體", "big5"),
        ("KS X 1001", "항체", "euc_kr"),
        ("WINDOWS-1250", "Šťastný µ", "cp1250"),
        ("CP1252", "“x” €", "cp1252"),
    ],
)
def test_a_text_comes_out_as_it_was_written(declared: str, text: str, codec: str) -> None:
    data = raw(declared, text, codec)
    found = reader.read(data)
    assert found.segments[1].field(3) == text
    assert reader.encode(found) == data
    assert found.raw(found.segments[1]) == f"NTE|1||{text}".encode(codec)
    assert found.notes == ()


@given(st.binary(max_size=60), st.sampled_from(["", "8859/1", "8859/2", "8859/7", "UNICODE UTF-8", "GB18030", "BIG5"]))
def test_any_bytes_come_back_the_same_or_are_refused(tail: bytes, declared: str) -> None:
    data = f"{HEAD}{declared}\rNTE|1||".encode() + tail.replace(b"\r", b"").replace(b"\n", b"")
    found = read_or_fault(data)
    if isinstance(found, Refuse):
        assert (found.code, found.location, found.reject) == ("102", "MSH^1^18", False)
    else:
        assert reader.encode(found) == data
        assert b"\r".join(found.raw(segment) for segment in found.segments) == data


def test_bytes_of_a_second_spelling_are_refused_because_an_echo_would_change_them() -> None:
    doubles = [
        bytes((lead, trail))
        for lead in range(0xA1, 0xFA)
        for trail in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
        if _comes_back_changed(bytes((lead, trail)), "big5")
    ]
    assert doubles  # the codec has such pairs: this test shows that they are caught
    for double in doubles:
        fault = refusal(f"{HEAD}BIG5\rNTE|1||".encode() + double)
        assert (fault.code, fault.location) == ("102", "MSH^1^18")


def _comes_back_changed(data: bytes, codec: str) -> bool:
    try:
        return data.decode(codec).encode(codec) != data
    except UnicodeError:
        return False


@pytest.mark.parametrize("switch", ["\x1b$B;3ED\x1b(B", "\x1b(I1\x1b(B", "\x1b-A\xe9"])
@pytest.mark.parametrize("declared", ["", "~ISO IR87", "8859/1"])
def test_a_switch_of_character_set_inside_the_text_is_refused(switch: str, declared: str) -> None:
    if declared != "8859/1":
        switch = switch.replace("\xe9", "e")
    fault = refusal(raw(declared, switch, "latin-1"))
    assert (fault.code, fault.location) == ("102", "MSH^1^18")


def test_an_escape_byte_that_switches_nothing_is_text() -> None:
    assert reader.read(raw("", "a\x1b[0mb", "ascii")).segments[1].field(3) == "a\x1b[0mb"


@pytest.mark.parametrize(
    ("declared", "found"),
    [("UNICODE UTF-8~ISO IR87", "utf-8"), ("~ISO IR87", "ascii"), ("8859/2~8859/1", "iso8859_2")],
)
def test_the_first_repetition_decides(declared: str, found: str) -> None:
    assert reader.read(raw(declared, "x", "ascii")).charset == found


@pytest.mark.parametrize(
    ("declared", "feed", "noted"),
    [
        ("", "8859/1", True),
        ("UNICODE UTF-8", "8859/2", True),
        ("KLINGON", "UTF-8", True),
        ("8859/1", "8859/1", False),
        ("UTF-8", "UNICODE UTF-8", False),
        ("8859/1", "", False),
    ],
)
def test_it_is_noted_when_the_feeds_character_set_stands_for_another(declared: str, feed: str, noted: bool) -> None:
    found = reader.read(raw(declared, "x", "ascii"), feed)
    assert [(note.code, note.at) for note in found.notes] == ([("N009", "MSH[1]")] if noted else [])


def test_a_feeds_character_set_is_as_strict() -> None:
    fault = refusal(raw("8859/1", "µ", "latin-1"), "UTF-8")
    assert (fault.code, fault.location) == ("102", "MSH^1^18")
    assert refusal(raw("", "x", "ascii"), "KLINGON").code == "102"


def test_one_byte_that_is_three_characters() -> None:
    """0xB5 is a different letter in each of these; the declared one decides and no other (reliability.md F10)."""
    data = f"{HEAD}DECLARED\rNTE|1||".encode() + b"\xb5kat/l\r"
    texts = {
        declared: reader.read(data.replace(b"DECLARED", declared.encode())).segments[1].field(3)
        for declared in ("8859/1", "8859/2", "8859/7")
    }
    assert texts == {"8859/1": "µkat/l", "8859/2": "ľkat/l", "8859/7": "΅kat/l"}


def test_the_place_of_the_fault_is_told_and_not_its_text() -> None:
    data = f"{HEAD}\rNTE|1||Nov".encode() + b"\xe1k\r"
    fault = refusal(data)
    assert str(data.index(b"\xe1")) in fault.text
    assert "Nov" not in fault.text
