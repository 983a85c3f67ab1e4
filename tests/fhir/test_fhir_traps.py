"""Every trap of the models that was measured (stack.md 2.2), each with what comes out here."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from fhir.resources.R4B.bundle import Bundle as BundleModel
from fhir.resources.R4B.observation import Observation as Model
from fhir_bodies import (
    bundle,
    entry,
    envelope,
    issue,
    issues,
    line,
    lines,
    observation,
    only,
    patient,
    ref,
    wire,
    with_json,
)

from labbridge.fhir import guard, resources, structure
from labbridge.model.values import SentStructured, SentText

# ---------------------------------------------------------------- decimals

DIGITS = [
    "12.30", "0.12345678901234567890", "12", "12.0", "0", "0.0", "0.00", "-0", "-1.50", "100000000000000000000",
    "1.00000000000000000000", "0.000001",
]  # fmt: skip


@pytest.mark.parametrize("digits", DIGITS)
def test_a_decimal_keeps_its_digits(digits: str) -> None:
    found = line(with_json(observation(), "valueQuantity", f'{{"value": {digits}, "unit": "U/L"}}'))
    assert found.values == (SentText(digits),)


@pytest.mark.parametrize("digits", DIGITS)
def test_a_decimal_keeps_its_digits_in_ratios_ranges_and_limits(digits: str) -> None:
    parts = f'"numerator": {{"value": {digits}}}, "denominator": {{"value": {digits}}}'
    assert line(with_json(observation(), "valueRatio", f"{{{parts}}}")).values == (
        SentStructured("", digits, ":", digits),
    )
    ends = f'{{"low": {{"value": {digits}}}, "high": {{"value": {digits}}}}}'
    assert line(with_json(observation(), "valueRange", ends)).values == (SentStructured("", digits, "-", digits),)
    assert line(with_json(observation(), "referenceRange", f"[{ends}]")).reference_range == f"{digits}-{digits}"


def test_the_models_alone_would_have_lost_them() -> None:
    raw = with_json(observation(), "valueQuantity", '{"value": 12.30}')
    assert '"value":12.3}' in Model.model_validate_json(raw).model_dump_json()


@pytest.mark.parametrize(
    ("sent", "written"),
    [("1.5e3", "1500"), ("1E2", "100"), ("12.30e1", "123.0"), ("1.20E-2", "0.0120"), ("-2e0", "-2"), ("1e0", "1"),
     ("0e5", "0"), ("1e-7", "0.0000001")],
)  # fmt: skip
def test_a_decimal_with_an_exponent_is_written_out(sent: str, written: str) -> None:
    assert line(with_json(observation(), "valueQuantity", f'{{"value": {sent}}}')).values == (SentText(written),)


def test_the_greatest_exponent_makes_a_text_that_can_be_borne() -> None:
    (found,) = line(with_json(observation(), "valueQuantity", '{"value": 1e400}')).values
    assert found == SentText("1" + "0" * 400)


def test_a_decimal_that_is_a_text_is_refused_though_msgspec_and_the_models_take_it() -> None:
    body = observation(valueQuantity={"value": "12.30"})
    assert resources.read(wire(body))[0].resource_type == "Observation"
    Model.model_validate(body)
    assert issue(body) == ("processing", "Observation.valueQuantity.value")


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    "time",
    ["2026-04-17T07:05+01:00", "2026-04-17T07:05", "2026-04-17T07:05:00", "2026-04-17T24:00:00Z", "2026-04-17T07Z",
     "2026-02-30", "2026-13-01", "20260417", "2026-4-17", "17.04.2026", "", "2026-04-17 07:05:00Z", "today"],
)  # fmt: skip
def test_a_time_that_is_none_of_fhir_is_refused_with_its_place(time: str) -> None:
    assert issue(observation(effectiveDateTime=time)) == ("processing", "Observation.effectiveDateTime")
    assert issue(bundle(observation(), observation(effectiveDateTime=time)))[1] == (
        "Bundle.entry[1].resource.effectiveDateTime"
    )


@pytest.mark.parametrize(
    "time",
    ["2026-04-17T07:05:00Z", "2026-04-17T07:05:00+02:00", "2026-04-17T07:05:00.123+02:00",
     "2026-04-17T07:05:00.100Z", "2026-04-17"],
)  # fmt: skip
def test_a_time_keeps_its_picture(time: str) -> None:
    found = line(observation(effectiveDateTime=time)).observed
    assert found is not None
    assert found.text == time
    assert found.has_time == ("T" in time)


@pytest.mark.parametrize("time", ["2026", "2026-04"])
def test_a_year_or_a_month_is_taken_and_names_no_day(time: str) -> None:
    assert issues(observation(effectiveDateTime=time)) == []
    assert line(observation(effectiveDateTime=time)).observed is None


def test_a_birth_date_without_a_day_is_taken_and_is_no_age() -> None:
    who = only(bundle(patient("p1", "88", birthDate="1969-04"), observation(subject=ref("Patient/p1")))).patient
    assert who.birth_date is None
    assert who.age_on(date(2026, 4, 17)) is None


# ---------------------------------------------------------------- what raises KeyError in the models


def test_an_unknown_type_in_an_entry_is_refused_though_the_models_raise_keyerror() -> None:
    body = bundle(observation(), {"resource": {"resourceType": "Blutbild"}})
    with pytest.raises((KeyError, ValueError)):
        BundleModel.model_validate(body)
    assert issue(body) == ("processing", "Bundle.entry[1].resource.resourceType")


# ---------------------------------------------------------------- what the models do not check


def test_a_status_that_is_none_passes_the_models_and_not_us() -> None:
    body = observation(status="bogus")
    Model.model_validate(body)
    assert issue(body) == ("processing", "Observation.status")


def test_a_value_beside_a_data_absent_reason_passes_the_models_and_not_us() -> None:
    body = observation(valueString="negative", dataAbsentReason={"text": "not done"})
    Model.model_validate(body)
    assert issue(body) == ("processing", "Observation")


def test_a_missing_type_passes_a_model_and_not_us() -> None:
    body = observation()
    del body["resourceType"]
    Model.model_validate(body)
    assert issue(body) == ("processing", "resourceType")


def test_an_entry_of_a_transaction_without_a_request_is_told() -> None:
    body = bundle(observation(), type="transaction")
    del body["entry"][0]["request"]
    assert [(one.code, one.expression) for one in structure.unasked(envelope(body).contents)] == [
        ("processing", "Bundle.entry[0]")
    ]


def test_a_reference_to_nothing_passes_the_models_and_names_the_sender_s_own_patient() -> None:
    assert only(observation(subject=ref("Patient/77"))).lane == "p:north/Patient|77"


# ---------------------------------------------------------------- msgspec


def test_a_resource_of_a_type_that_is_not_read_is_left_in_its_entry() -> None:
    body = bundle({"resourceType": "Practitioner", "id": "x"}, observation(valueString="negative"))
    assert [one.values for one in lines(body)] == [(SentText("negative"),)]


def test_the_bundle_is_read_without_its_resources_being_decoded() -> None:
    found = resources.bundle(wire(bundle(entry(observation(), "urn:uuid:1"))))
    assert isinstance(found.entry[0].resource, msgspec.Raw)
    assert guard.load(bytes(found.entry[0].resource))["resourceType"] == "Observation"
