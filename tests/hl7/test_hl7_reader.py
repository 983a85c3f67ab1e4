"""The reader: every byte kept, the message's own delimiters and characters, and what two other readers find."""

from __future__ import annotations

import warnings
from pathlib import Path

import hl7
import pytest
from hl7_strategies import delimiters, header, messages, words
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import assume, given
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.hl7 import charset, escapes, reader
from labbridge.hl7.escapes import Delimiters

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLES = sorted((ROOT / "samples").glob("0*/*.hl7"))
MSH = "MSH|^~\\&|LIS|LAB|LB|LAB|20261109||ORU^R01^ORU_R01|C1|P|2.5.1|||||FRA|UNICODE UTF-8"


def message(*segments: str, msh: str = MSH, end: str = "\r") -> bytes:
    return (end.join((msh, *segments)) + end).encode()


def refusal(raw: bytes, feed_charset: str = "") -> Refuse:
    with pytest.raises(Refuse) as caught:
        reader.read(raw, feed_charset)
    return caught.value


# ---------------------------------------------------------------- byte for byte

WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)
FIELDS = st.lists(WORDS, max_size=8).map("|".join)
SEGMENTS = st.lists(st.tuples(st.sampled_from(["PID", "OBR", "OBX", "NTE", "ZXX", "SPM", "obx"]), FIELDS), max_size=8)
ENDS = st.sampled_from(["\r", "\n", "\r\n"])


@given(segments=SEGMENTS, end=ENDS, last=st.booleans(), bom=st.booleans())
def test_what_was_read_is_written_byte_for_byte(
    segments: list[tuple[str, str]], end: str, last: bool, bom: bool
) -> None:
    lines = [MSH, *(f"{name}|{fields}" for name, fields in segments)]
    raw = (b"\xef\xbb\xbf" if bom else b"") + (end.join(lines) + (end if last else "")).encode()
    found = reader.read(raw)
    assert reader.encode(found) == raw
    assert [segment.name for segment in found.segments] == ["MSH", *(name.upper() for name, _fields in segments)]


def attempt(raw: bytes) -> tuple[str, bytes]:
    """The code of a refusal, or the bytes that were read, written again."""
    try:
        return "", reader.encode(reader.read(raw))
    except Refuse as fault:
        return fault.code, b""


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tail: bytes) -> None:
    for raw in (tail, MSH.encode() + tail, b"MSH" + tail):
        code, written = attempt(raw)
        assert written == raw or code in ("100", "102")


# ---------------------------------------------------------------- fields


def test_fields_are_numbered_as_the_standard_numbers_them() -> None:
    found = reader.read(message("OBX|1|NM|2157-6^CK^LN||312"))
    assert [found.msh.field(number) for number in (1, 2, 3, 9, 10, 18, 19)] == [
        "|", "^~\\&", "LIS", "ORU^R01^ORU_R01", "C1", "UNICODE UTF-8", "",
    ]  # fmt: skip
    obx = found.segments[1]
    assert (obx.field(0), obx.field(1), obx.field(3), obx.field(5), obx.field(6)) == (
        "",
        "1",
        "2157-6^CK^LN",
        "312",
        "",
    )
    assert (obx.length, found.msh.length) == (5, 18)


@given(parts=st.lists(st.sampled_from(["", "1", "NM", "A^B", '""']), max_size=30), last=st.integers(0, 40))
def test_all_fields_at_once_are_those_of_one_by_one(parts: list[str], last: int) -> None:
    obx = reader.read(message("|".join(("OBX", *parts)))).segments[1]
    found = obx.fields(last)
    assert found[0] == "OBX"
    assert len(found) == max(last, obx.length) + 1
    assert found[1:] == [obx.field(number) for number in range(1, len(found))]
    assert obx.length == len(parts)  # what was asked for beyond the last is not in the segment


def test_null_and_empty_are_told_apart() -> None:
    obx = reader.read(message('OBX|1|NM|X||""|')).segments[1]
    assert (obx.field(5), obx.field(6)) == ('""', "")


def test_occurrences_are_counted_by_name() -> None:
    found = reader.read(message("OBX|1", "NTE|1", "OBX|2"))
    assert [segment.at for segment in found.segments] == ["MSH[1]", "OBX[1]", "NTE[1]", "OBX[2]"]
    assert [segment.field(1) for segment in found.all("OBX")] == ["1", "2"]


def test_components_subcomponents_and_repetitions() -> None:
    found = reader.read(message(r"PID|1||A&x\T\y^B~C^D"))
    field = found.segments[1].field(3)
    assert found.repetitions(field) == [r"A&x\T\y^B", "C^D"]
    assert found.components("a^b^^c") == ["a", "b", "", "c"]
    assert (found.component(field, 1), found.component(field, 1, 2), found.component(field, 2)) == ("A", "x&y", "B")
    assert (found.component(field, 3), found.component(field, 1, 3)) == ("", "")
    assert found.repetitions("") == []


def test_the_messages_own_delimiters_are_used() -> None:
    odd = "MSH#@%!$#LIS#LAB#LB#LAB#20261109##ORU@R01#C1#P#2.5.1"
    found = reader.read(message("PID#1##A$s@B%C", msh=odd))
    field = found.segments[1].field(3)
    assert found.component(field, 1, 2) == "s"
    assert found.component(field, 2) == "B"
    assert [note.code for note in found.notes] == ["N013"]


@pytest.mark.parametrize(
    "start",
    [
        "MSH||",
        "MSH|^|",
        "MSH|^^\\&|",
        "MSH|^~\\&^|",
        "MSH|^~\\&#x|",
        "MSH|abc&|",
        "MSH|^~ &|",
        "MSHx^~\\&x",
        "MSH|^~\\&#+-|",
    ],
)
def test_delimiters_that_could_hide_a_field_are_refused(start: str) -> None:
    fault = refusal((start + MSH[9:]).encode())
    assert (fault.code, fault.location) == ("102", "MSH^1^2")


@pytest.mark.parametrize("encoding", ["^~", "^~\\", "^~\\&", "^~\\&#"])
def test_fewer_or_more_delimiters_are_read(encoding: str) -> None:
    found = reader.read(message("PID|1", msh=f"MSH|{encoding}|LIS|LAB|LB|LAB|20261109||ORU^R01|C1|P|2.7"))
    assert found.delimiters.msh2 == encoding


@pytest.mark.parametrize(
    ("raw", "codes"), [(message("PID|1"), []), (message("PID|1", end="\n"), ["N001"]), (message("pid|1"), ["N005"])]
)
def test_what_is_tolerated_is_noted(raw: bytes, codes: list[str]) -> None:
    assert [note.code for note in reader.read(raw).notes] == codes
    assert "N004" in [note.code for note in reader.read(b"\xef\xbb\xbf" + raw).notes]


def test_a_vendors_escape_is_noted_where_it_stands() -> None:
    found = reader.read(message("OBX|1", r"OBX|2|NM|X||1|\Z03BC\g", r"NTE|1||\E\Z03", "OBX|3"))
    assert [(note.code, note.at) for note in found.notes] == [("N008", "OBX[2]")]
    assert found.decoded(found.segments[2].field(6)) == r"\Z03BC\g"


def test_a_message_without_an_escape_character_has_no_escapes() -> None:
    found = reader.read(message(r"NTE|1||\Z1\ \F\ ", msh=MSH.replace("^~\\&", "^~")))
    assert found.decoded(found.segments[1].field(3)) == r"\Z1\ \F\ "
    assert [note.code for note in found.notes] == ["N013"]
    assert found.component("a&b^c", 1) == "a&b"


@given(raw=messages(), bom=st.booleans())
def test_any_message_comes_back_byte_for_byte(raw: bytes, bom: bool) -> None:
    data = b"\xef\xbb\xbf" * bom + raw
    found = reader.read(data)
    assert reader.encode(found) == data
    assert b"".join(found.raw(segment) + segment.ending.encode() for segment in found.segments) == raw


@given(data=st.data(), marks=delimiters())
def test_any_delimiters_are_those_of_the_message(data: st.DataObject, marks: Delimiters) -> None:
    raw = data.draw(messages(marks))
    found = reader.read(raw)
    assert found.delimiters == marks
    assert reader.encode(found) == raw
    assert (found.msh.field(1), found.msh.field(2)) == (marks.field, marks.msh2)
    assert found.msh.field(10) == "C1"
    for segment in found.segments[1:]:
        fields = [segment.field(number) for number in range(1, segment.length + 1)]
        assert marks.field.join([segment.text[:3], *fields]) == segment.text


@given(
    parts=st.lists(st.lists(st.lists(words, min_size=1, max_size=3), min_size=1, max_size=3), max_size=3),
    marks=delimiters(),
)
def test_text_put_into_a_field_is_found_at_its_place(parts: list[list[list[str]]], marks: Delimiters) -> None:
    assume(marks.subcomponent)
    joined = [
        marks.component.join(
            marks.subcomponent.join(escapes.encode(text, marks) for text in texts) for texts in repetition
        )
        for repetition in parts
    ]
    field = marks.repetition.join(joined)
    found = reader.read(f"{header(marks)}\rNTE{marks.field}{field}".encode())
    written = found.repetitions(found.segments[1].field(1))
    assert written == (joined if field else [])
    for repetition, texts in zip(written, parts, strict=False):
        for number, component in enumerate(texts, 1):
            for sub, text in enumerate(component, 1):
                assert found.component(repetition, number, sub) == text


@pytest.mark.parametrize("raw", [b"", b"MSH", b"PID|1\rMSH|^~\\&|", b"hello", b"\r\n MSH|^~\\&|"])
def test_without_an_msh_nobody_can_be_answered(raw: bytes) -> None:
    fault = refusal(raw)
    assert fault.answer is (raw[:3] == b"MSH")


def test_a_line_that_is_no_segment_is_refused_with_its_place() -> None:
    fault = refusal(message("PID|1", "continued text"))
    assert (fault.code, fault.location) == ("100", "PID^1")


@pytest.mark.parametrize(
    "line", [" PID|1", "PID |1", "P1D2|1", "1ID|1", "p\u0131d|1", "\x0bPID|1", "\x1c", "  ", "µµµ|1", "|1"]
)
def test_only_a_segment_name_begins_a_segment(line: str) -> None:
    fault = refusal(message("OBX|1", "OBX|2", line))
    assert (fault.code, fault.location, fault.answer) == ("100", "OBX^2", True)


def test_only_line_ends_end_a_segment() -> None:
    odd = "a\x0b\x0c\x85\u2028\u2029b"
    found = reader.read(message(f"NTE|1||{odd}"))
    assert found.segments[1].field(3) == odd


# ---------------------------------------------------------------- characters


@pytest.mark.parametrize(
    ("declared", "codec"),
    [
        ("", "ascii"),
        ("ASCII", "ascii"),
        ("8859/1", "iso8859_1"),
        ("8859/2", "iso8859_2"),
        ("8859/15", "iso8859_15"),
        ("UNICODE UTF-8", "utf-8"),
        ("UTF-8", "utf-8"),
        ("unicode", "utf-8"),
        ("GB 18030-2000", "gb18030"),
    ],
)
def test_character_sets_by_their_names(declared: str, codec: str) -> None:
    assert charset.codec(declared) == codec


@pytest.mark.parametrize("declared", ["KLINGON", "8859/12", "8859", "ISO IR87", "UTF-16"])
def test_a_character_set_that_is_not_known_is_refused_unless_every_byte_is_ascii(declared: str) -> None:
    msh = MSH.replace("UNICODE UTF-8", declared)
    fault = refusal(message("NTE|1||µ", msh=msh))
    assert (fault.code, fault.location) == ("102", "MSH^1^18")
    found = reader.read(message("NTE|1||u", msh=msh))
    assert found.segments[1].field(3) == "u"
    assert [one.code for one in found.notes] == ["N017"]


def test_the_first_repetition_of_msh_18_counts() -> None:
    raw = message("NTE|1||µ", msh=MSH.replace("UNICODE UTF-8", "UNICODE UTF-8~ISO IR87"))
    assert reader.read(raw).segments[1].field(3) == "µ"


@pytest.mark.parametrize("declared", ["", "ASCII", "UNICODE UTF-8"])
def test_bytes_that_do_not_fit_are_refused_and_never_replaced(declared: str) -> None:
    raw = message(msh=MSH.replace("UNICODE UTF-8", declared)) + "NTE|1||\xb5kat/l\r".encode("latin-1")
    fault = refusal(raw)
    assert (fault.code, fault.location) == ("102", "MSH^1^18")
    assert "kat" not in fault.text


@pytest.mark.parametrize(("feed", "text"), [("8859/1", "µkat/l"), ("8859/2", "ľkat/l"), ("WINDOWS-1252", "µkat/l")])
def test_a_feeds_character_set_stands_for_msh_18(feed: str, text: str) -> None:
    raw = message(msh=MSH.replace("UNICODE UTF-8", "")) + b"NTE|1||\xb5kat/l\r"
    found = reader.read(raw, feed)
    assert found.segments[1].field(3) == text
    assert reader.encode(found) == raw


# ---------------------------------------------------------------- beside other readers


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_python_hl7_finds_the_same_fields(path: Path) -> None:
    _compare_with_python_hl7(path.read_bytes().replace(b"\n", b"\r"))


def _compare_with_python_hl7(raw: bytes) -> None:
    ours, theirs = reader.read(raw), hl7.parse(raw.decode())
    assert [segment.name for segment in ours.segments] == [str(segment[0]) for segment in theirs]
    for mine, other in zip(ours.segments, theirs, strict=True):
        for number in range(1, mine.length + 1):
            assert mine.field(number) == str(other[number]), (mine.at, number)


@pytest.mark.parametrize("path", SAMPLES[::4], ids=lambda path: path.name)
def test_hl7apy_finds_the_same_values(path: Path) -> None:
    raw = path.read_bytes().replace(b"\n", b"\r")
    ours = reader.read(raw)
    theirs = parse_message(raw.decode(), validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    for mine, other in zip(ours.segments, theirs.children, strict=True):
        assert mine.name == other.name
        for number in (3, 5, 6, 7, 11):
            field = [child for child in other.children if child.name == f"{mine.name}_{number}"]
            written = "~".join(child.to_er7() for child in field)
            if mine.name != "MSH" and "\\" not in mine.field(number):
                assert mine.field(number).rstrip("^") == written.rstrip("^"), (mine.at, number)


def test_the_corpus_is_read_or_refused_and_every_byte_kept(corpus: Path) -> None:
    read = 0
    for path in sorted((corpus / "hl7v2").rglob("*")):
        if path.is_file():
            raw = path.read_bytes()
            try:
                found = reader.read(raw)
            except Refuse:
                continue
            assert reader.encode(found) == raw, path.name
            read += 1
    assert read > 400


# Where python-hl7 and we differ on the corpus, and why: it drops a segment's trailing blanks, and takes a lower-case or
# empty line as it comes. Fields of all other messages agree.
def test_the_corpus_beside_python_hl7(corpus: Path) -> None:
    compared = 0
    for path in sorted((corpus / "hl7v2").rglob("*")):
        if not path.is_file():
            continue
        raw = path.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r \x0b\x1c")
        try:
            ours = reader.read(raw)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs = hl7.parse(raw.decode(ours.charset))
        except (Refuse, hl7.HL7Exception, UnicodeDecodeError):
            continue
        if any(segment.text != segment.text.strip() or not segment.text[:3].isupper() for segment in ours.segments):
            continue
        lines = [segment for segment in theirs if str(segment).strip()]
        assert [segment.name for segment in ours.segments] == [str(segment[0]) for segment in lines], path.name
        for mine, other in zip(ours.segments[1:], lines[1:], strict=True):
            assert mine.text == str(other), path.name
        compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    ("before", "notes"),
    [
        (b"", []),
        (b"\xef\xbb\xbf", ["N004"]),
        (b"\r\n", ["N020"]),
        (b"\n\n", ["N020"]),
        (b"\x0b", ["N020"]),
        (b"\x0b\xef\xbb\xbf\r", ["N004", "N020"]),
    ],
)
def test_what_stands_before_msh_is_kept_and_told(before: bytes, notes: list[str]) -> None:
    raw = before + message("NTE|1||x")
    found = reader.read(raw)
    assert reader.encode(found) == raw
    assert [one.code for one in found.notes] == notes
    assert found.head.control_id == reader.read(message()).head.control_id != ""


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_blank_lines_are_one_line_end_however_many(end: str) -> None:
    """Each was added to the text before it: a block of blank lines took hours. They are no segments, and count as none."""
    raw = message() + end.encode() * (3 * reader.MAX_SEGMENTS)
    found = reader.read(raw)
    assert [segment.name for segment in found.segments] == ["MSH"]
    assert found.segments[0].ending == "\r" + end * (3 * reader.MAX_SEGMENTS)
    assert reader.encode(found) == raw
