"""A message as a person looks at it and changes it: no byte is hidden, and none changes that was not meant to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labbridge.errors import Refused
from labbridge.hl7 import repair, visible
from labbridge.hl7.charset import AMBIGUOUS, CODECS

RAW = b"MSH|^~\\&|A|B|C|D|2026||ORU^R01|X1|P|2.5.1||||||UNICODE UTF-8\rPID|1||P\xe91\rOBX|1|NM|a^b||1~2|\r"
LINES = st.binary(max_size=12).map(lambda one: one.replace(b"\r", b"").replace(b"\n", b""))
ENDS = st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\r"])


@pytest.mark.parametrize("codec", sorted({*CODECS.values()} - {*AMBIGUOUS}))
@given(data=st.binary(max_size=40))
def test_every_byte_comes_back_and_none_is_hidden(codec: str, data: bytes) -> None:
    text = visible.text_of(data, codec)
    assert visible.bytes_of(text, codec) == data
    assert text.isprintable()


@pytest.mark.parametrize("codec", AMBIGUOUS)
@given(data=st.binary(max_size=40))
def test_where_a_character_has_several_spellings_it_is_seen_at_least(codec: str, data: bytes) -> None:
    text = visible.text_of(data, codec)
    assert text.isprintable()
    assert visible.text_of(visible.bytes_of(text, codec), codec) == text


def test_what_turns_text_around_or_looks_like_a_mark_stands_as_its_bytes() -> None:
    assert visible.text_of("a\u202eb⟦41⟧".encode(), "utf-8") == "a⟦E2⟧⟦80⟧⟦AE⟧b⟦E2⟧⟦9F⟧⟦A6⟧41⟦E2⟧⟦9F⟧⟦A7⟧"


@given(lines=st.lists(LINES, min_size=1, max_size=6), ends=st.lists(ENDS, min_size=6, max_size=6), at=st.integers(0, 5))
def test_a_change_of_one_segment_changes_no_other_byte(lines: list[bytes], ends: list[bytes], at: int) -> None:
    body = [(line, end) for line, end in zip(lines, ends, strict=False) if line]
    head = (b"MSH|^~\\&|A|B|||||ORU|1|P|2.5||||||UNICODE UTF-8", b"\r")
    pieces = [head, *body]
    raw = b"".join(line + end for line, end in pieces)
    number = at % len(pieces)
    text = repair.editable(raw).split("\n")
    assert len(text) == len(pieces)
    text[number] += "|new"
    wanted = [(line + b"|new" if place == number else line, end) for place, (line, end) in enumerate(pieces)]
    assert repair.repaired(raw, "\r\n".join(text)) == b"".join(line + end for line, end in wanted)


def test_added_and_removed_segments() -> None:
    text = repair.editable(RAW).split("\n")
    assert repair.repaired(RAW, "\n".join([*text, "NTE|1"])) == RAW + b"NTE|1\r"
    assert repair.repaired(RAW, "\n".join(text[:2])) == RAW.split(b"OBX")[0]
    without_end = RAW.rstrip(b"\r")
    assert repair.repaired(without_end, "\n".join([*text, "NTE|1"])) == RAW + b"NTE|1\r"
    found = repair.differences(RAW, repair.repaired(RAW, "\n".join([text[0], text[1].replace("1||", "2||"), "NTE|1"])))
    assert [(one.number, bool(one.before), bool(one.after), one.fields) for one in found] == [
        (2, True, True, (1,)), (3, True, True, ()),
    ]  # fmt: skip


def test_a_byte_mark_may_become_the_character_it_was_meant_to_be() -> None:
    fixed = repair.repaired(RAW, repair.editable(RAW).replace("⟦E9⟧", "é"))
    assert fixed == RAW.replace(b"\xe9", "é".encode())
    assert repair.differences(RAW, fixed)[0].fields == (3,)


@pytest.mark.parametrize("text", ["⟦", "⟧", "⟦1⟧", "⟦e9⟧", "⟦E9", "\x07", "\u202e"])
def test_what_is_no_mark_and_cannot_be_seen_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Refused, match=r"Line 2, character 9: "):
        repair.repaired(RAW, repair.editable(RAW).replace("⟦E9⟧1", text))


def test_ambiguous_bytes_are_left_alone_or_refused() -> None:
    """Big5 writes some characters in two ways: a segment with the unusual one is not changed."""
    odd = next(
        bytes((lead, trail))
        for lead in range(0xA1, 0xFA)
        for trail in range(0x40, 0xFF)
        if _decoded(bytes((lead, trail))) not in (None, bytes((lead, trail)))
    )
    raw = b"MSH|^~\\&|A|B|||||ORU|1|P|2.5||||||BIG-5\rPID|1||" + odd + b"|x\rOBX|1\r"
    text = repair.editable(raw, "big5")
    assert repair.repaired(raw, text.replace("OBX|1", "OBX|2"), "big5") == raw.replace(b"OBX|1", b"OBX|2")
    with pytest.raises(Refused, match="Line 2 cannot be changed"):
        repair.repaired(raw, text.replace("|x", "|y"), "big5")


def _decoded(data: bytes) -> bytes | None:
    try:
        return data.decode("big5").encode("big5")
    except UnicodeError:
        return None


@pytest.mark.parametrize(
    ("place", "at"),
    [
        ("OBX^1^11", ["OBX[1]-11"]),
        ("see OBX[1]-5 here", ["OBX[1]-5"]),
        ("PID^1", []),
        ("MSH^1^18", ["MSH[1]-18"]),
        ("MSH-10", ["MSH[1]-10"]),
        ("MSH^1^2", ["MSH[1]-2"]),
        ("ORU^R01 UTF-8 OBX[7]-1", []),
        ("OBX^1^5^1^2", ["OBX[1]-5"]),
    ],
)
def test_places_are_found_in_sentences(place: str, at: list[str]) -> None:
    segments = visible.opened(RAW, "", place).segments
    assert [field.at for segment in segments for field in segment.fields if field.faulty] == at
    assert any(segment.faulty for segment in segments) is (bool(at) or place == "PID^1")


@given(data=st.binary(max_size=200), place=st.text(max_size=20))
def test_anything_can_be_looked_at(data: bytes, place: str) -> None:
    for raw in (data, RAW[:70] + data, b"MSH" + data):
        found = visible.opened(raw, "", place)
        assert bool(found.dump) is (not found.segments and bool(raw))
        for segment in found.segments:
            assert all(field.sent.isprintable() for field in segment.fields)
