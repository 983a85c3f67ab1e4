"""Escapes: no text is lost, and no text can become structure (reliability.md S-03, 3.2)."""

from __future__ import annotations

import pytest
from hl7_strategies import delimiters
from hypothesis import assume, given
from hypothesis import strategies as st

from labbridge.hl7 import escapes
from labbridge.hl7.escapes import STANDARD, Delimiters, decode, encode

ODD = Delimiters(field="#", component="@", repetition="%", escape="!", subcomponent="$", truncation="*")
CHARACTERS = st.characters(codec="utf-8", exclude_characters="")


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("plain", "plain"),
        (r"a\F\b", "a|b"),
        (r"a\S\b", "a^b"),
        (r"a\T\b", "a&b"),
        (r"a\R\b", "a~b"),
        (r"a\E\b", "a\\b"),
        (r"a\P\b", "a#b"),
        (r"\F\\F\ ", "|| "),
        (r"\E\F\E\ ", "\\F\\ "),
        (r"line\.br\next", "line\nnext"),
        (r"a\.sp 2\b", "a\nb"),
        (r"a\.in+4\b", "ab"),
        (r"\H\bold\N\ text", "bold text"),
        (r"\X0D\ ", "\r "),
        (r"\X0d0a\ ", "\r\n "),
        (r"\XC2B5\kat", "µkat"),
        (r"\XFF\ ", r"\XFF\ "),
        (r"\XF\ ", r"\XF\ "),
        (r"\Z03BC\g/dL", r"\Z03BC\g/dL"),
        (r"\C2842\ ", r"\C2842\ "),
        (r"\unknown\ ", r"\unknown\ "),
        ("unterminated \\F", "unterminated \\F"),
        ("50\\50", "50\\50"),
        ("\\", "\\"),
        ("\\\\", "\\\\"),
        (r"C:\dir\F\x", "C:\\dir|x"),
        (r"\R\E", "~E"),
        (r"a\.sk3\b", "a b"),
        (r"a\.SP\b\.ce\c", "a\nb\nc"),
        (r"a\.fi\b\.nf\c\.ti-2\d", "abcd"),
        (r"\.brx\ ", r"\.brx\ "),
        (r"\Z03BC\F\S\ ", r"\Z03BC\F^ "),
        (r"\XFF\F\S\ ", r"\XFF\F^ "),
        (r"\C2842\F\S\ ", r"\C2842\F^ "),
        (r"\M824041\F\S\ ", r"\M824041\F^ "),
        (r"C:\Zebra and \F\ ", r"C:\Zebra and | "),
        (r"\E\T\E\ ", r"\T\ "),
        ("\\E\\\\F\\", "\\|"),
        (r"\f\ ", r"\f\ "),
        ("\\\\F\\\\", "\\|\\"),
    ],
)
def test_what_an_escaped_text_stands_for(escaped: str, text: str) -> None:
    assert decode(escaped) == text


@given(st.text(CHARACTERS, max_size=80))
def test_every_text_comes_back(text: str) -> None:
    assert decode(encode(text)) == text


@given(st.text(CHARACTERS, max_size=80))
def test_every_text_comes_back_with_odd_delimiters(text: str) -> None:
    assert decode(encode(text, ODD), ODD) == text


@given(st.text(CHARACTERS, max_size=80))
def test_encoded_text_holds_no_delimiter_and_no_control(text: str) -> None:
    encoded = encode(text)
    assert not set(encoded) & set("|^&~\r\n\x0b\x1c\x85\u2028\u2029\x00")
    assert "\\" not in encode(text.replace("\\", "")).replace("\\F\\", "").replace("\\S\\", "").replace(
        "\\T\\", ""
    ).replace("\\R\\", "") or any(char < " " or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" for char in text)


@given(st.text(alphabet="\\FSTREXH.br0Da|^&~", max_size=40))
def test_reading_never_fails_and_a_text_without_escapes_is_itself(text: str) -> None:
    found = decode(text)
    assert isinstance(found, str)
    if "\\" not in text:
        assert found == text


@pytest.mark.parametrize("text", ["a|b", "a\rOBX|2|", "\x1c\r", "\x0bMSH|", "a^b&c~d\\e", "a\u2028b", "\x85"])
def test_hostile_text_stays_one_field(text: str) -> None:
    message = f"OBX|1|FT|X||{encode(text)}||F"
    assert message.count("|") == 7
    assert "\r" not in message
    assert decode(message.split("|")[5]) == text


def test_a_message_without_an_escape_character_carries_no_free_text() -> None:
    bare = Delimiters(escape="", subcomponent="")
    assert decode(r"a\F\b", bare) == r"a\F\b"
    with pytest.raises(ValueError, match="escape character"):
        encode("a|b", bare)


def test_the_standard_delimiters() -> None:
    assert STANDARD.msh2 == "^~\\&"


@pytest.mark.parametrize(
    ("text", "local"),
    [
        (r"\Z03BC\g", True),
        (r"a\Z\b", True),
        (r"\F\\Z1\ ", True),
        (r"\E\Z03\ ", False),
        (r"C:\Zebra and \F\ ", False),
        (r"\Z03", False),
        (r"Z03", False),
        (r"\C2842\ ", False),
        ("", False),
    ],
)
def test_whether_a_local_sequence_stands_in_a_text(text: str, local: bool) -> None:
    assert escapes.local(text) is local


@pytest.mark.parametrize(("charset", "text"), [("iso8859_1", "é"), ("iso8859_2", "ľ"), ("cp1252", "€"), ("utf-8", "µ")])
def test_hexadecimal_bytes_are_of_the_messages_character_set(charset: str, text: str) -> None:
    escaped = f"a\\X{text.encode(charset).hex()}\\b"
    assert decode(escaped, STANDARD, charset) == f"a{text}b"


@given(st.text(st.characters(codec="latin-1"), max_size=60), st.sampled_from(["iso8859_1", "utf-8"]))
def test_every_text_comes_back_in_its_character_set(text: str, charset: str) -> None:
    assert decode(encode(text, STANDARD, charset), STANDARD, charset) == text
    encode(text, STANDARD, charset).encode(charset)


@given(delimiters(), st.text(CHARACTERS, max_size=60))
def test_every_text_stays_one_field_in_any_delimiters(marks: Delimiters, text: str) -> None:
    assume(marks.escape)
    encoded = encode(text, marks)
    others = {marks.field, marks.component, marks.repetition, marks.subcomponent, marks.truncation} - {""}
    assert not set(encoded) & (others | set("\r\n\x0b\x1c\x85\u2028\u2029"))
    assert decode(encoded, marks) == text


SEQUENCES = {
    "\\F\\": "|",
    "\\S\\": "^",
    "\\T\\": "&",
    "\\R\\": "~",
    "\\E\\": "\\",
    "\\X41C2B5\\": "Aµ",
    "\\.br\\": "\n",
    "\\H\\": "",
    "\\Z03BC\\": "\\Z03BC\\",
    "\\C2842\\": "\\C2842\\",
    "\\XFF\\": "\\XFF\\",
    "F": "F",
    "br": "br",
    "|^": "|^",
}


@given(st.lists(st.sampled_from(sorted(SEQUENCES)), max_size=12))
def test_any_sequences_one_after_the_other_are_read_one_by_one(parts: list[str]) -> None:
    assert decode("".join(parts)) == "".join(SEQUENCES[part] for part in parts)


@pytest.mark.parametrize("text", ["\\" * 200_000, "\\F" * 100_000, "\\X" + "0" * 400_000, "\\.sp" + " " * 300_000])
def test_a_long_text_of_marks_is_read_in_one_pass(text: str) -> None:
    assert len(decode(text)) <= len(text)
