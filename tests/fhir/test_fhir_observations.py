"""One Observation or component as a result line: every value[x], units, limits, flags."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from fhir_bodies import FEED, LOINC, Body, concept, line, lines, observation, with_json

from labbridge.fhir.observations import codings, concept_text
from labbridge.fhir.resources import CodeableConcept
from labbridge.fhir.resources import Coding as SentCode
from labbridge.model.values import Coding, Missing, SentAttachment, SentCoding, SentStructured, SentText, SentValue

UCUM = "http://unitsofmeasure.org"
SNOMED = "http://snomed.info/sct"
LOCAL = "https://lab.example/codes"
MEANING = "http://terminology.hl7.org/CodeSystem/referencerange-meaning"
LAB = msgspec.structs.replace(FEED, local_systems=(LOCAL,))

# ---------------------------------------------------------------- values

POSITIVE = concept(SNOMED, "10828004", "Positive")
VALUES: dict[str, tuple[str, Any, str, SentValue]] = {
    "a quantity": ("valueQuantity", {"value": 58, "unit": "U/L"}, "NM", SentText("58")),
    "below": ("valueQuantity", {"value": 7, "comparator": "<"}, "SN", SentStructured("<", "7", "", "")),
    "at most": ("valueQuantity", {"value": 7, "comparator": "<="}, "SN", SentStructured("<=", "7", "", "")),
    "above": ("valueQuantity", {"value": 100, "comparator": ">"}, "SN", SentStructured(">", "100", "", "")),
    "at least": ("valueQuantity", {"value": 100, "comparator": ">="}, "SN", SentStructured(">=", "100", "", "")),
    "a quantity below zero": ("valueQuantity", {"value": -1}, "NM", SentText("-1")),
    "a titre": ("valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 320}}, "SN",
                SentStructured("", "1", ":", "320")),
    "a titre below": ("valueRatio", {"numerator": {"value": 1, "comparator": "<"}, "denominator": {"value": 80}}, "SN",
                      SentStructured("<", "1", ":", "80")),
    "a titre above": ("valueRatio", {"numerator": {"value": 1}, "denominator": {"value": 1280, "comparator": ">="}},
                      "SN", SentStructured(">=", "1", ":", "1280")),
    "one sign on both sides": (
        "valueRatio",
        {"numerator": {"value": 1, "comparator": ">"}, "denominator": {"value": 2560, "comparator": ">"}}, "SN",
        SentStructured(">", "1", ":", "2560")),
    "two signs that differ": (
        "valueRatio",
        {"numerator": {"value": 1, "comparator": "<"}, "denominator": {"value": 80, "comparator": ">"}}, "ST",
        SentText("<1:>80")),
    "a range": ("valueRange", {"low": {"value": 5}, "high": {"value": 9}}, "SN", SentStructured("", "5", "-", "9")),
    "a range that begins": ("valueRange", {"low": {"value": 5}}, "SN", SentStructured(">=", "5", "", "")),
    "a range that ends": ("valueRange", {"high": {"value": 9}}, "SN", SentStructured("<=", "9", "", "")),
    "a concept": ("valueCodeableConcept", POSITIVE, "CWE", SentCoding((Coding("10828004", "Positive", SNOMED),))),
    "a concept and its text": (
        "valueCodeableConcept", {**concept(SNOMED, "10828004"), "text": "pos"}, "CWE",
        SentCoding((Coding("10828004", "pos", SNOMED),), "pos")),
    "a concept in words": ("valueCodeableConcept", {"text": "positive"}, "CWE",
                           SentCoding((Coding("", "positive"),), "positive")),
    "a string": ("valueString", "1:320 cytoplasmic", "ST", SentText("1:320 cytoplasmic")),
    "a string in two lines": ("valueString", "a\nb", "ST", SentText("a\nb")),
    "an integer": ("valueInteger", 320, "NM", SentText("320")),
    "true": ("valueBoolean", True, "ID", SentText("Y")),
    "false": ("valueBoolean", False, "ID", SentText("N")),
    "a time of day": ("valueTime", "07:05:00", "ST", SentText("07:05:00")),
    "a time": ("valueDateTime", "2026-04-17", "ST", SentText("2026-04-17")),
    "a period": ("valuePeriod", {"start": "2026-04-17", "end": "2026-04-18"}, "ST", SentText("2026-04-17/2026-04-18")),
}  # fmt: skip


@pytest.mark.parametrize("name", VALUES)
def test_a_value_is_read_as_it_was_sent(name: str) -> None:
    element, sent, kind, wanted = VALUES[name]
    found = line(observation(**{element: sent}))
    assert (found.value_type, found.values, found.missing) == (kind, (wanted,), None)


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_a_component_is_read_as_one_of_an_observation(name: str) -> None:
    element, sent, kind, wanted = VALUES[name]
    found = line(observation(component=[{"code": {"text": "AMA"}, element: sent}]))
    assert (found.value_type, found.values) == (kind, (wanted,))
    assert (found.at, found.codes) == ("Observation.component[0]", (Coding("", "AMA"),))


def test_sampled_data_is_told_by_its_length_alone() -> None:
    sent = '{"origin": {"value": 0}, "period": 10, "dimensions": 1, "data": "1 2 3"}'
    found = line(with_json(observation(), "valueSampledData", sent))
    assert found.values == (SentAttachment("SampledData", len(sent)),)


NOTHING: list[Body] = [
    {},
    {"valueQuantity": {"unit": "U/L"}},
    {"valueRatio": {"numerator": {"value": 1}}},
    {"valueRatio": {"denominator": {"value": 80}}},
    {"valueRange": {}},
    {"valueRange": {"low": {"unit": "U/L"}}},
    {"valueCodeableConcept": {}},
    {"valueCodeableConcept": {"coding": [{"system": SNOMED}]}},
    {"valueString": "   "},
    {"dataAbsentReason": concept("http://terminology.hl7.org/CodeSystem/data-absent-reason", "not-performed")},
    {"_valueString": {"extension": [{"url": "urn:x", "valueString": "why"}]}},
]


@pytest.mark.parametrize("sent", NOTHING, ids=repr)
def test_what_says_nothing_has_no_value_and_is_no_zero(sent: Body) -> None:
    found = line(observation(**sent))
    assert (found.values, found.missing) == ((), Missing.ABSENT)


@pytest.mark.parametrize(
    ("quantity", "unit"),
    [
        ({"code": "U/L", "unit": "units", "system": UCUM}, Coding("U/L", "units", UCUM)),
        ({"unit": "U/L"}, Coding("U/L", "U/L", "")),
        ({"code": "U/L"}, Coding("U/L", "U/L", "")),
        ({"system": UCUM}, None),
        ({}, None),
    ],
)
def test_the_unit_is_its_code_else_its_text(quantity: Body, unit: Coding | None) -> None:
    assert line(observation(valueQuantity={"value": 1, **quantity})).unit == unit
    assert line(observation(valueRange={"low": {"value": 1}, "high": {"value": 2, **quantity}})).unit == unit
    assert line(observation(valueQuantity=quantity)).unit == unit


def test_a_titre_has_no_unit() -> None:
    ratio = {"numerator": {"value": 1, "unit": "x"}, "denominator": {"value": 80, "unit": "x"}}
    assert line(observation(valueRatio=ratio)).unit is None


# ---------------------------------------------------------------- components and panels


def test_components_are_lines_of_their_own_with_what_the_observation_says() -> None:
    parts = [
        {"code": concept(LOINC, "1"), "valueString": "a"},
        {"code": concept(LOINC, "2"), "interpretation": [{"text": "N"}]},
    ]
    found = lines(
        observation(component=parts, method={"text": "blot"}, note=[{"text": "whole"}], issued="2026-04-18T07:05:00Z")
    )
    assert [one.at for one in found] == ["Observation.component[0]", "Observation.component[1]"]
    assert [one.codes[0].code for one in found] == ["1", "2"]
    assert [one.missing for one in found] == [None, Missing.ABSENT]
    assert {one.methods for one in found} == {(Coding("", "blot"),)}
    assert all(one.analysed for one in found)
    assert [one.notes for one in found] == [(), ()]


def test_a_value_beside_components_is_a_line_before_them() -> None:
    found = lines(observation(valueString="whole", component=[{"code": {"text": "x"}, "valueString": "part"}]))
    assert [one.values for one in found] == [(SentText("whole"),), (SentText("part"),)]
    assert [one.at for one in found] == ["Observation", "Observation.component[0]"]


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (concept(LOINC, "33921-8", "SRP Ab"), (Coding("33921-8", "SRP Ab", LOINC),)),
        (concept(LOCAL, "SRP"), (Coding("SRP", "", "L"),)),
        ({"coding": [{"code": "SRP"}, {"system": LOINC, "code": "33921-8"}]},
         (Coding("SRP", "", ""), Coding("33921-8", "", LOINC))),
        ({**concept(LOINC, "33921-8"), "text": "Anti-SRP"}, (Coding("33921-8", "Anti-SRP", LOINC),)),
        ({**concept(LOINC, "33921-8", "SRP Ab"), "text": "Anti-SRP"}, (Coding("33921-8", "SRP Ab", LOINC),)),
        ({"text": "Anti-SRP"}, (Coding("", "Anti-SRP"),)),
        ({"coding": [{"display": "Anti-SRP"}]}, (Coding("", "Anti-SRP"),)),
        ({"coding": [{"system": LOINC}], "text": "Anti-SRP"}, (Coding("", "Anti-SRP"),)),
        ({"text": " "}, ()),
        ({}, ()),
    ],
)  # fmt: skip
def test_the_codes_of_a_result(code: Body, wanted: tuple[Coding, ...]) -> None:
    assert line(observation(code=code), LAB).codes == wanted


def test_a_local_code_is_local_in_values_too() -> None:
    found = line(observation(valueCodeableConcept=concept(LOCAL, "AC-19")), LAB)
    assert found.values == (SentCoding((Coding("AC-19", "", "L"),)),)


def test_no_concept_is_no_code_and_no_text() -> None:
    assert codings(None) == ()
    assert concept_text(None) == ""


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (CodeableConcept(text="a", coding=(SentCode(display="b"),)), "a"),
        (CodeableConcept(coding=(SentCode(system="s"), SentCode(code="c", display="b"))), "b"),
        (CodeableConcept(coding=(SentCode(code="c"),)), "c"),
        (CodeableConcept(), ""),
    ],
)
def test_what_a_person_reads_of_a_concept(sent: CodeableConcept, text: str) -> None:
    assert concept_text(sent) == text


# ---------------------------------------------------------------- limits and flags


def limits(*ranges: Body, unit: str = "U/L") -> str:
    value = {"value": 1, **({"unit": unit} if unit else {})}
    return line(
        observation(valueQuantity=value, **({"referenceRange": list(ranges)} if ranges else {}))
    ).reference_range


LOW, HIGH = {"value": 30, "unit": "U/L"}, {"value": 200, "unit": "U/L"}


@pytest.mark.parametrize(
    ("ranges", "wanted"),
    [
        ([{"low": LOW, "high": HIGH}], "30-200"),
        ([{"high": HIGH}], "<=200"),
        ([{"low": LOW}], ">=30"),
        ([{"low": LOW, "high": HIGH, "text": "30 to 200"}], "30-200"),
        ([{"text": "negative"}], "negative"),
        ([{"low": {"unit": "U/L"}, "text": "< 200"}], "< 200"),
        ([{"low": {"value": 0.5, "unit": "ukat/L"}, "high": {"value": 3.3, "unit": "ukat/L"}}], "0.5-3.3 ukat/L"),
        ([{"high": {"value": 3.3, "code": "ukat/L", "unit": "microkatal"}}], "<=3.3 ukat/L"),
        ([{"low": {"value": 30}, "high": {"value": 200}}], "30-200"),
        ([{"type": concept(MEANING, "normal"), "high": HIGH}, {"type": concept(MEANING, "treatment"), "high": LOW}],
         "<=200"),
        ([{"type": concept(MEANING, "treatment"), "high": HIGH}], ""),
        ([{"high": HIGH}, {"high": LOW}], ""),
        ([{"type": concept(MEANING, "normal"), "high": HIGH}, {"type": concept(MEANING, "normal"), "high": LOW}], ""),
        ([{"type": {"text": "usual"}, "high": HIGH}], "<=200"),
        ([], ""),
    ],
)  # fmt: skip
def test_the_limits_of_a_result(ranges: list[Body], wanted: str) -> None:
    assert limits(*ranges) == wanted


def test_limits_without_a_unit_of_the_value_name_their_own() -> None:
    assert limits({"high": HIGH}, unit="") == "<=200 U/L"


def test_an_interpretation_is_a_flag_with_its_text() -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    sent = [{**concept(system, "POS", "Positive"), "text": "clearly positive"}, concept(system, "H")]
    found = line(observation(interpretation=sent))
    assert found.flags == (Coding("POS", "Positive", system), Coding("H", "", system))
    assert found.flag_texts == ("clearly positive",)
