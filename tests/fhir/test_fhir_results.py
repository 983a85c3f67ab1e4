"""A result written for either wire means the same: generated results, and the forms that a value may take."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wires_parts import MYOLIS, meant, readers
from wires_written import (
    Absent,
    Between,
    Code,
    Coded,
    Limits,
    Line,
    Number,
    Said,
    Text,
    Titre,
    Value,
    Whole,
    body,
    message,
)

from labbridge.fhir import incoming as fhir
from labbridge.fhir import structure
from labbridge.hl7 import incoming as hl7
from labbridge.model.report import EntityId, Report
from labbridge.model.result import PatientResults, Result
from labbridge.model.values import Titre as Reached
from labbridge.offline import interpret_files
from labbridge.wires import Feeds

RECEIVED = datetime(2026, 11, 13, 12, 0, tzinfo=UTC)
BLOT: Code = ("SRPB", "Anti-SRP (line blot)", "L")
CLIA: Code = ("HMGCRC", "Anti-HMGCR IgG (CLIA)", "L")
CODES: list[tuple[Code, ...]] = [
    (BLOT,),
    (BLOT, ("33921-8", "SRP Ab", "LN")),
    (CLIA,),
    (("SRPE", "Anti-SRP IgG (ELISA)", "L"),),
    (("ANAS", "ANA HEp-2 IIF, screen", "L"),),
    (("ANAT", "ANA HEp-2 IIF, titre", "L"),),
    (("ANAP", "ANA HEp-2 IIF, pattern", "L"),),
    (("2157-6", "Creatine kinase [Enzymatic activity/volume] in Serum or Plasma", "LN"),),
    (("14682-9", "Creatinine [Moles/volume] in Serum or Plasma", "LN"),),
    (("ZZ9", "Anti-SRP of our own", "L"),),
    (("NA", "Sodium", "L"),),
]
UNITS: list[Code | None] = [
    None, ("U/L", "U/L", "UCUM"), ("intensity", "intensity", "L"), ("CU", "chemiluminescent unit", "L"),
    ("", "ratio", ""), ("{titer}", "titre", "UCUM"), ("ukat/L", "µkat/L", "UCUM"), ("furlong", "furlong", "L"),
]  # fmt: skip
METHODS: list[Code | None] = [
    None, ("EL16", "EUROLINE Autoimmune Inflammatory Myopathies 16 Ag (IgG)", "L"), ("QF", "QUANTA Flash HMGCR", "L"),
    ("", "Line blot", "L"), ("elisa", "an ELISA", "LABBRIDGE"), ("IIF", "Indirect immunofluorescence HEp-2", "L"),
]  # fmt: skip
WORDS = [
    "Positive", "negative", "NEG", "faiblement positif", "weak positive", "borderline", "1:320", "<1:80", "1/640",
    ">=1:1280", "320", "AC-19 cytoplasmic dense fine speckled", "AC-4", "see note", "< 20", "1,234", "1.234", "12,5",
    "+++", "weak & doubtful", "a|b^c~d", "Négatif",
]  # fmt: skip
ANSWERS: list[tuple[Code, ...]] = [
    (("POS", "Positive", "L"),),
    (("NEG", "Negative", "L"),),
    (("10828004", "Positive", "SCT"),),
    (("260385009", "Negative", "SCT"), ("NEG", "Negative", "L")),
    (("10828004", "Positive", "SCT"), ("NEG", "Negative", "L")),
    (("AC-19", "Cytoplasmic dense fine speckled", "L"),),
    (("AC-0", "Negative", "L"),),
    (("17", "17", "L"),),
    (("POS", "", "L"),),
    (("260385009", "", "SCT"),),
]
NOTES = [
    "Not done because ANA negative",
    "Sample grossly haemolysed",
    "CK repeated on dilution.",
    "QUANTA Lite HMGCR ELISA",
]
FLAGS = ["H", "L", "HH", "LL", "N", "A", "AA", "POS", "NEG", "IND", "<", ">", "X9"]

digits = st.from_regex(r"(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?", fullmatch=True)
reciprocals = st.sampled_from(["1", "40", "80", "160", "320", "640", "1280", "80.5", "0"])
comparators = st.sampled_from(["", "", "<", "<=", ">", ">="])
valued: st.SearchStrategy[Value] = st.one_of(
    st.builds(Number, digits, comparators),
    st.builds(Titre, reciprocals, comparators),
    st.builds(Between, digits, digits),
    st.builds(Coded, st.sampled_from(ANSWERS), st.sampled_from(["", "", "Positive", "weak positive"])),
    st.builds(Coded, st.just(()), st.sampled_from(WORDS)),
    st.builds(Text, st.sampled_from(WORDS)),
    st.builds(Whole, st.integers(0, 2000).map(str)),
    st.builds(Said, st.booleans()),
    st.just(Absent()),
)
limited = st.one_of(
    st.just(Limits()),
    st.builds(Limits, low=digits, high=digits),
    st.builds(Limits, high=digits, excluded=st.booleans()),
    st.builds(Limits, low=digits),
    st.builds(Limits, text=st.sampled_from(["Negative", "<1:80", "see report", "0 to 5", "(<9.9)", "<10 = Negative"])),
)
lines = st.builds(
    Line,
    code=st.sampled_from(CODES),
    value=valued,
    status=st.sampled_from("FFFFCAPIXDW"),
    unit=st.sampled_from(UNITS),
    limits=limited,
    flags=st.lists(st.sampled_from(FLAGS), max_size=2, unique=True).map(tuple),
    flag_text=st.sampled_from(["", "", "", "abnormal", "1:640", "POSITIVE 1:320"]),
    method=st.sampled_from(METHODS),
    equipment=st.sampled_from(["", "LINE01", "FLASH1"]),
    notes=st.lists(st.sampled_from(NOTES), max_size=2, unique=True).map(tuple),
)
specimens: st.SearchStrategy[Code | None] = st.sampled_from(
    [
        None,
        ("SER", "Serum", "HL70487"),
        ("PLAS", "Heparin plasma", "HL70487"),
        ("CSF", "Cerebrospinal fluid", "HL70487"),
    ]
)


def by_hl7(sent: Sequence[Line], specimen: Code | None = None) -> Report:
    (found,) = hl7.read_reports(message(sent, specimen), MYOLIS, RECEIVED)
    return found


def by_fhir(sent: Sequence[Line], specimen: Code | None = None) -> Report:
    raw = body(sent, specimen)
    assert structure.checked(raw) == []
    (found,) = fhir.read_reports(raw, MYOLIS)
    return found


def normalised(report: Report) -> tuple[PatientResults, list[str]]:
    """What a report means, and the codes of its notes."""
    found, notes = readers().normalise(report, MYOLIS, RECEIVED, "M1")
    return found, [one.code for one in notes]


@given(st.lists(lines, min_size=1, max_size=4), specimens)
@example([Line(code=(CLIA,), value=Number("20"), limits=Limits(high="20", excluded=True))], None)
@example([Line(code=(CLIA,), value=Number("20"), limits=Limits(high="20"))], None)
def test_a_result_means_the_same_by_either_wire(sent: list[Line], specimen: Code | None) -> None:
    (one, notes), (other, more) = (normalised(read(sent, specimen)) for read in (by_hl7, by_fhir))
    assert meant(one.results) == meant(other.results)
    assert notes == more
    assert (one.lane, one.patient, one.context, one.unmapped) == (
        other.lane,
        other.patient,
        other.context,
        other.unmapped,
    )


def slide(titre: Value, unit: Code | None = None) -> list[Line]:
    """A HEp-2 slide whose titre is sent in this form."""
    return [
        Line(code=(("ANAS", "ANA HEp-2 IIF, screen", "L"),), value=Coded((("POS", "Positive", "L"),))),
        Line(code=(("ANAT", "ANA HEp-2 IIF, titre", "L"),), value=titre, unit=unit),
        Line(code=(("ANAP", "ANA HEp-2 IIF, pattern", "L"),), value=Coded((("AC-19", "Cytoplasmic", "L"),))),
    ]


TITRES = {
    "ratio": slide(Titre("320")),
    "text": slide(Text("1:320")),
    "quantity": slide(Number("320"), ("{titer}", "titre", "UCUM")),
    "number": slide(Number("320")),
}


def results(raw: bytes) -> list[Result]:
    read = hl7.read_reports(raw, MYOLIS, RECEIVED) if raw.startswith(b"MSH") else fhir.read_reports(raw, MYOLIS)
    return [result for report in read for result in normalised(report)[0].results]


@pytest.mark.parametrize("written", [message, body])
def test_a_titre_is_the_same_finding_in_every_form(written: Callable[[Sequence[Line], Code | None], bytes]) -> None:
    found = [(one.value, one.grade, one.hep2) for form in TITRES.values() for one in results(written(form, None))]
    assert found == [found[0]] * len(TITRES)
    assert found[0][0] == Reached(Decimal(320))


@pytest.mark.parametrize(("first", "second"), [*permutations(TITRES, 2)])
def test_the_same_slide_by_the_other_wire_is_a_repetition_and_no_contradiction(first: str, second: str) -> None:
    files = [("a", message(TITRES[first], None)), ("b", body(TITRES[second], None))]
    (found,), unreadable = interpret_files(files, readers(), Feeds(MYOLIS, MYOLIS), None)
    assert unreadable == []
    assert "DUPLICATE_SUPPRESSED" in {flag.code for flag in found.outcome.flags}
    assert found.outcome.hold is False


@pytest.mark.parametrize("shape", ["report", "panel", "components"])
@pytest.mark.parametrize("specimen", [None, ("PLAS", "Heparin plasma", "HL70487")])
def test_a_slide_is_one_result_however_its_lines_are_held_together(shape: str, specimen: Code | None) -> None:
    """What laboratories send as three OBX may be a report's results, a panel's members, or one Observation's components."""
    wanted = [one for form in TITRES.values() for one in meant(results(message(form, specimen)))]
    raws = [body(form, specimen, shape) for form in TITRES.values()]
    assert [structure.checked(raw) for raw in raws] == [[]] * len(TITRES)
    assert [one for raw in raws for one in meant(results(raw))] == wanted


ANALYSER = (
    b"MSH|^~\\&|MYOLIS|LABA|LABBRIDGE|LABA|20261113120000+0100||OUL^R22^OUL_R22|M1|P|2.5.1\r"
    b"SPM|1|P7&MYOCLIN^S7&MYOLIS||SER^Serum^HL70487\rOBR|1|P1^MYOCLIN|F1^MYOLIS|MYO^Myositis antibodies^L\r"
    b"OBX|1|NM|SRPB^Anti-SRP (line blot)^L||58||||||F\r"
)


@pytest.mark.parametrize(
    "numbers",
    [
        {"accessionIdentifier": {"system": "https://laba.example/specimen", "value": "S7"}},
        {"identifier": [{"system": "https://laba.example/specimen", "value": "S7"}]},
    ],
)
def test_a_tube_without_a_patient_is_the_same_tube_by_either_wire(numbers: dict[str, Any]) -> None:
    """The laboratory's own number names it, whatever number of the requester's stands before it."""
    placer = {"type": {"coding": [{"code": "PLAC"}]}, "system": "https://laba.example/placer", "value": "P7"}
    own = numbers.get("identifier", ())
    tube = {"resourceType": "Specimen", "id": "t", **numbers, "identifier": [placer, *own]}
    result = {
        "resourceType": "Observation",
        "contained": [tube],
        "status": "final",
        "code": {"coding": [{"code": "SRPB"}]},
        "specimen": {"reference": "#t"},
        "valueQuantity": {"value": 58},
    }
    raw = json.dumps(result).encode()
    assert structure.checked(raw) == []
    (one,), (other,) = hl7.read_reports(ANALYSER, MYOLIS, RECEIVED), fhir.read_reports(raw, MYOLIS)
    assert one.lane == other.lane == "s:MYOLIS|S7"
    assert [report.orders[0].specimens[0].filler for report in (one, other)] == [EntityId("S7", "MYOLIS")] * 2
