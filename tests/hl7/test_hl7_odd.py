"""One message per quirk of real traffic that touches framing or reading (field-quirks.md 5): what becomes of each.

The files of tests/corpus/odd are our own, synthetic, and hold the bytes as they stand inside the block. Their names begin
with what is told of them: a note, an error code, or `ok`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from labbridge.errors import Refuse
from labbridge.hl7 import ack, incoming, reader
from labbridge.hl7.mllp import Frame, Framer, frame
from labbridge.hl7.structure import Envelope, read_structure
from labbridge.model.work import Feed

FOLDER = Path(__file__).resolve().parent.parent / "corpus" / "odd"
FEED = Feed(name="odd")
NOW = datetime(2026, 4, 20, 8, 0, tzinfo=UTC)

# name, notes, then texts as (segment, field, what it says once escapes are decoded)
READ: list[tuple[str, list[str], list[tuple[str, int, str]]]] = [
    ("ok-no-final-cr", [], [("OBX[1]", 11, "F")]),
    ("ok-blank-lines", [], [("PID[1]", 8, "F"), ("OBX[1]", 5, "312")]),
    ("ok-truncation-before-2.7", [], [("OBX[1]", 5, "#4")]),
    ("ok-latin-1", [], [("OBX[1]", 6, "µkat/l")]),
    ("ok-utf-8", [], [("NTE[1]", 3, "“see note” † 5\u00a0µkat/l")]),
    ("ok-replacement-character", [], [("PID[1]", 5, "D\ufffdE^JO")]),
    ("ok-separators-of-other-systems", [], [("NTE[1]", 3, "a\x0bb\x0cc\x1dd\x85e\u2028f\u2029g")]),
    ("ok-escapes", [], [("OBX[1]", 3, "CK^CK || total^L"), ("NTE[1]", 3, "one\ntwo\rthree~E")]),
    ("ok-double-escaped", [], [("NTE[1]", 3, "a \\T\\ b")]),
    ("ok-empty-notes", [], [("NTE[1]", 3, ""), ("NTE[2]", 3, ""), ("NTE[3]", 3, "")]),
    ("ok-null-and-empty", [], [("OBX[1]", 5, '""'), ("OBX[1]", 4, ""), ("OBX[1]", 6, ""), ("OBR[1]", 2, '""')]),
    ("ok-nonsense-acknowledgement-mode", [], [("MSH[1]", 15, "ACCEPT"), ("MSH[1]", 16, " EVN")]),
    ("ok-observation-of-analyser", [], [("OBX[1]", 5, "312")]),
    ("ok-sparse-patient", [], [("PID[1]", 3, "xb004")]),
    ("N001-lf", ["N001"], [("OBX[1]", 5, "312")]),
    ("N001-crlf", ["N001"], [("OBX[1]", 5, "312")]),
    ("N001-mixed", ["N001"], [("PID[1]", 8, "F"), ("OBR[1]", 25, "F"), ("OBX[1]", 11, "F")]),
    ("N004-bom", ["N004"], [("MSH[1]", 2, "^~\\&"), ("OBX[1]", 5, "312")]),
    ("N005-lower-case-names", ["N005"], [("PID[1]", 8, "F"), ("OBX[1]", 5, "312")]),
    ("N006-local-segment", ["N006"], [("OBX[2]", 5, "90"), ("ZLB[1]", 2, "x")]),
    ("N007-version", ["N007"], [("MSH[1]", 12, "2.999")]),
    ("N008-vendor-escape", ["N008"], [("OBX[1]", 6, r"\Z03BC\kat/l")]),
    ("N013-encoding-brace", ["N013"], [("PID[1]", 3, "X100^^^LABX}1.2}ISO^MR")]),
    ("N013-encoding-changed", ["N013"], [("OBX[1]", 3, "CK@Creatine kinase@L"), ("MSH[1]", 9, "ORU@R01@ORU_R01")]),
    ("N013-encoding-two-characters", ["N013"], [("OBX[1]", 5, "312")]),
    ("N017-character-set-8859", ["N017"], [("MSH[1]", 18, "8859")]),
    ("N015-two-patients", ["N015"], [("PID[2]", 3, "X200^^^LABX^MR"), ("OBX[2]", 5, "312")]),
]

# name, code, place, reject
REFUSED: list[tuple[str, str, str, bool]] = [
    ("100-raw-cr-in-field", "100", "OBR^1", False),
    ("100-raw-lf-in-note", "100", "ANA^1", False),
    ("100-obr-before-orc", "100", "OBX^1", False),
    ("100-result-before-order", "100", "OBX^1", False),
    ("100-no-patient", "100", "OBR^1", False),
    ("100-no-order", "100", "OBX^1", False),
    ("100-frame-inside", "100", "MSH^1", False),
    ("101-no-control-id", "101", "MSH^1^10", False),
    ("101-null-control-id", "101", "MSH^1^10", False),
    ("101-no-identifier", "101", "PID^1^3", False),
    ("102-encoding-double-escaped", "102", "MSH^1^2", False),
    ("102-encoding-empty", "102", "MSH^1^2", False),
    ("102-latin-1-undeclared", "102", "MSH^1^18", False),
    ("102-latin-1-called-utf-8", "102", "MSH^1^18", False),
    ("102-utf-8-undeclared", "102", "MSH^1^18", False),
    ("102-switched-to-jis", "102", "MSH^1^18", False),
    ("202-test-message", "202", "MSH^1^11", True),
    ("207-goes-on-elsewhere", "207", "DSC^1^1", True),
]

SEVERAL = ("several-messages",)  # split before they are read: test_hl7_batch.py
UNANSWERABLE = ("100-no-frame-start-of-batch", "100-junk-before-msh", "100-utf-16")


def raw(name: str) -> bytes:
    """The message of a file, as the framer gives it back."""
    data = (FOLDER / f"{name}.hl7").read_bytes()
    assert Framer().receive_data(frame(data)) == [Frame(data)]
    return data


def said(found: Envelope, at: str, number: int) -> str:
    segment = next(one for one in found.message.segments if one.at == at)
    text = segment.field(number)
    return text if (at, number) == ("MSH[1]", 2) else found.message.decoded(text)


def test_every_file_has_its_line_here() -> None:
    named = [row[0] for row in READ] + [row[0] for row in REFUSED] + [*UNANSWERABLE, *SEVERAL]
    assert sorted(named) == sorted(path.stem for path in FOLDER.glob("*.hl7"))
    assert len(named) == len(set(named))


@pytest.mark.parametrize(("name", "notes", "texts"), READ, ids=[row[0] for row in READ])
def test_what_is_read_is_noted_and_keeps_every_byte(
    name: str, notes: list[str], texts: list[tuple[str, int, str]]
) -> None:
    data = raw(name)
    found = read_structure(data, FEED)
    assert reader.encode(found.message) == data
    assert [note.code for note in found.notes] == notes
    assert [said(found, at, number) for at, number, _text in texts] == [text for _at, _number, text in texts]
    assert incoming.read_reports(data, FEED, NOW)[0].orders[0].observations


@pytest.mark.parametrize(("name", "code", "place", "reject"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_is_answered_with_code_and_place(name: str, code: str, place: str, reject: bool) -> None:
    data = raw(name)
    with pytest.raises(Refuse) as caught:
        read_structure(data, FEED)
    fault = caught.value
    assert (fault.code, fault.location, fault.reject, fault.answer) == (code, place, reject, True)
    answer = ack.refuse(data, fault, control_id="A1", now=NOW).split(b"\r")
    assert answer[1].startswith(b"MSA|AR" if reject else b"MSA|AE")
    assert answer[2].startswith(b"ERR")
    for secret in (b"DOE", b"X100", b"312", "µ".encode()):
        assert secret not in b"".join(answer)


@pytest.mark.parametrize("name", UNANSWERABLE)
def test_without_an_msh_at_its_start_nothing_is_answered(name: str) -> None:
    data = raw(name)
    with pytest.raises(Refuse) as caught:
        read_structure(data, FEED)
    assert caught.value.answer is False
    assert ack.refuse(data, caught.value, control_id="A1", now=NOW) == b""
