"""Our reader beside python-hl7 and hl7apy. Where they differ, the difference stands in a table here with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import hl7
import pytest
from hl7_messages import wire
from hl7_strategies import messages
from hl7apy.core import Segment as ApySegment
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from hypothesis import given, settings

from labbridge.errors import Refuse
from labbridge.hl7 import escapes, reader
from labbridge.hl7.reader import Message

SAMPLES = ("panel-2.3.1", "panel-2.5.1", "panel-2.8.2", "two-patients-2.5.1", "other-delimiters")

# What python-hl7 makes of an escape otherwise than we do: the sequence, ours, theirs, and why ours.
ESCAPES = [
    (r"\.br\ ", "\n ", "\r ", "a carriage return would be the end of a segment wherever the text is written again"),
    (r"\.sp\ ", "\n ", "\r ", "the same"),
    (r"\.ce\ ", "\n ", "\r ", "the same"),
    (r"\.in\ ", " ", "     ", "a margin is no text"),
    (r"a\.sk2\b", "a b", "a  b", "one blank keeps the words apart"),
    (r"\H\x\N\ ", "x ", "_x_ ", "highlighting is no text"),
    (r"\P\ ", "# ", " ", "the truncation character says that text is missing"),
    (r"\Z99\ ", r"\Z99\ ", " ", "a local sequence may be a letter of a unit (`\\Z03BC\\g`): no text is lost"),
    (r"\C2842\ ", r"\C2842\ ", " ", "no text is lost"),
    (r"\M824041\ ", r"\M824041\ ", " ", "no text is lost"),
    (r"50\50", r"50\50", "50", "a mark that begins nothing is text"),
]

# Segment names python-hl7 leaves in lower case; we read them in upper case and note it (N005).
LOWER_CASE = {"parser_tests_L24.hl7", "parser_tests_L24~1.hl7"}

# What hl7apy shows otherwise in the small messages of the corpus. Ours is in each case what stands in the bytes.
HL7APY = {
    "beyond the version's last field: dropped": {
        "sample_1.hl7 OBX[2] 29", "single_message.hl7 OBX[2] 29", "single_message.hl7 OBX[3] 29",
        "single_message.hl7 OBX[4] 29", "single_message.hl7 OBX[5] 29", "single_message.hl7 OBX[6] 29",
        "Hl7PatientFHIRConversionTest_L469.hl7 PD1[1] 16", "ADT-A01-02.hl7 PID[1] 28", "ADT-A01-02.hl7 PV1[1] 52",
        "ADT-A15-02.hl7 PID[1] 28", "ADT-A15-02.hl7 PV1[1] 52", "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 18",
        "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 19", "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 20",
        "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 23", "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 31",
        "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 32", "LegacyPipeParserV231Tests_L581.hl7 OBX[1] 40",
        "08.hl7 OBR[1] 44", "adt-a13.txt EVN[1] 7", "ADT-A01-02.hl7 EVN[1] 1", "ADT-A15-02.hl7 EVN[1] 1",
    },
    "a component the version does not have: left out, the later ones move up": {
        "sample_hl7.hl7 OBR[1] 15", "001_LA_ORM_O01_NBS.hl7 NK1[1] 3", "001_LA_ORM_O01_NBS.hl7 NK1[2] 3",
        "rde_o01_ex3.hl7 RXE[1] 2", "Hl7ORMMessageTest_L125.hl7 RXO[1] 1",
    },
    "a telephone number moved to the component it has in 2.7": {
        "MessageValidatorTest_L90.hl7 PID[1] 13", "Hl7MessageTest_L484.hl7 NK1[1] 5",
        "Hl7MessageTest_L484.hl7 NK1[2] 5",
    },
    "leading zeros of a number: dropped": {
        "adt_a08_ex1.hl7 NK1[1] 5", "adt_a08_ex1.hl7 GT1[1] 6", "adt_a08_ex1.hl7 GT1[1] 7",
    },
    "blanks or empty components at the end: dropped": {
        "Sample-ADT.txt PV1[1] 17", "oru-example.hl7 OBR[1] 5", "adt-a31-2.hl7 PID[1] 5", "msg-07~1.hl7 OBR[1] 32",
        "examples_L72.hl7 PID[1] 5",
    },
}  # fmt: skip


def messages_of(corpus: Path, every: int = 1, below: int = 2**30) -> Iterator[tuple[str, bytes, Message]]:
    """The messages of the corpus that we read: file name, bytes with CR at line ends, what we read."""
    files = [path for path in sorted((corpus / "hl7v2").rglob("*")) if path.is_file() and path.stat().st_size < below]
    for path in files[::every]:
        raw = path.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r").strip(b"\r \x0b\x1c")
        try:
            yield path.name, raw, reader.read(raw)
        except Refuse:
            continue


def text_of(raw: bytes, message: Message) -> str:
    return raw.removeprefix(b"\xef\xbb\xbf").decode(message.charset)


# ---------------------------------------------------------------- python-hl7


def compare(raw: bytes, message: Message) -> list[str]:
    """Where python-hl7 finds another segment, field or text; fields with a sequence of ESCAPES are not compared."""
    theirs = hl7.parse(text_of(raw, message))
    lines = [line for line in theirs if str(line).strip()]
    if [segment.name for segment in message.segments] != [str(line[0]) for line in lines]:
        return ["names"]
    found = []
    for mine, other in zip(message.segments, lines, strict=True):
        for number in range(1, mine.length + 1):
            field = mine.field(number)
            if field != str(other[number]):
                found.append(f"{mine.at} {number}")
            if (mine.name, number) != ("MSH", 2) and not disputed(field, message):
                text = theirs.unescape(field)
                assert message.decoded(field) == text, (mine.at, number)
    return found


def disputed(field: str, message: Message) -> bool:
    """Whether an escape character stands in it that begins or ends none of the sequences that both read alike."""
    mark = re.escape(message.delimiters.escape)
    return bool(mark) and message.delimiters.escape in re.sub(f"{mark}[FSTRE]{mark}", "", field)


@pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")  # theirs, when it drops a sequence
@pytest.mark.parametrize(("escaped", "ours", "theirs", "why"), ESCAPES, ids=[row[0] for row in ESCAPES])
def test_the_escapes_we_read_otherwise(escaped: str, ours: str, theirs: str, why: str) -> None:
    assert escapes.decode(escaped) == ours
    assert hl7.parse("MSH|^~\\&|A\r").unescape(escaped) == theirs
    assert why


@pytest.mark.parametrize("name", SAMPLES)
def test_python_hl7_finds_the_same_in_our_samples(name: str) -> None:
    raw = wire(name)
    assert compare(raw, reader.read(raw)) == []


def test_python_hl7_finds_the_same_in_the_corpus(corpus: Path) -> None:
    found = {name: compare(raw, message) for name, raw, message in messages_of(corpus)}
    assert {name for name, places in found.items() if places} == LOWER_CASE
    assert len(found) > 440


@settings(max_examples=50)
@given(raw=messages())
def test_python_hl7_finds_the_same_in_any_message(raw: bytes) -> None:
    message = reader.read(raw)
    if "N005" not in {note.code for note in message.notes}:
        text = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r")
        assert compare(text, message) == []


# ---------------------------------------------------------------- hl7apy


def fields_of(segment: ApySegment, number: int) -> str:
    wanted = f"{segment.name}_{number}"
    return "~".join(child.to_er7() for child in segment.children if child.name == wanted)


def differing(raw: bytes, message: Message) -> list[str]:
    """Where hl7apy shows another field, empty ends apart; fields with escapes are not compared: it damages them."""
    theirs = parse_message(text_of(raw, message), find_groups=False)
    assert [segment.name for segment in message.segments] == [segment.name for segment in theirs.children]
    return [
        f"{mine.at} {number}"
        for mine, other in zip(message.segments, theirs.children, strict=True)
        for number in range(3 if mine.name == "MSH" else 1, mine.length + 1)
        if "\\" not in mine.field(number) and mine.field(number).rstrip("^~&") != fields_of(other, number).rstrip("^~&")
    ]


@pytest.mark.parametrize("name", ["panel-2.3.1", "panel-2.5.1", "two-patients-2.5.1"])
def test_hl7apy_finds_the_same_in_our_samples(name: str) -> None:
    raw = wire(name)
    assert differing(raw, reader.read(raw)) == []


def test_hl7apy_finds_the_same_in_the_corpus_but_for_what_is_listed(corpus: Path) -> None:
    found: set[str] = set()
    compared = 0
    for name, raw, message in messages_of(corpus, every=4, below=3000):
        try:
            found |= {f"{name} {place}" for place in differing(raw, message)}
        except (
            HL7apyException,
            IndexError,
        ):  # 5 encoding characters before 2.7, versions and segments it does not list
            continue
        compared += 1
    assert found == set().union(*HL7APY.values())
    assert compared > 80
