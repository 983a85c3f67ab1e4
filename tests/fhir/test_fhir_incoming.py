"""Bodies as reports: orders, specimens, panels, the life of a status, and what stands around a result."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from fhir_bodies import (
    BORN,
    FEED,
    LOINC,
    MRN,
    V2_0203,
    Body,
    bundle,
    concept,
    entry,
    line,
    lines,
    observation,
    only,
    patient,
    ref,
    report,
    reports,
    specimen,
    wire,
)

from labbridge.fhir import incoming
from labbridge.fhir.validating import STATUSES
from labbridge.model.report import EntityId, Identifier, Order, Report
from labbridge.model.values import Coding, SentText

SERUM = concept("http://terminology.hl7.org/CodeSystem/v2-0487", "SER", "Serum")


def placer(value: str) -> Body:
    return {"type": concept(V2_0203, "PLAC"), "system": "urn:oe", "value": value}


def filler(value: str) -> Body:
    return {"type": concept(V2_0203, "FILL"), "system": "urn:lis", "value": value}


def result(id: str, value: str = "x", **elements: object) -> Body:
    return observation(id=id, valueString=value, subject=ref("Patient/p1"), **elements)


def values(order: Order) -> list[str]:
    return [one.text for found in order.observations for one in found.values if isinstance(one, SentText)]


def orders(*resources: Body) -> tuple[Order, ...]:
    return only(bundle(patient("p1", "88"), *resources)).orders


def order(*resources: Body) -> Order:
    (found,) = orders(*resources)
    return found


# ---------------------------------------------------------------- a whole report, field by field


@pytest.fixture(scope="module")
def whole() -> Report:
    body = bundle(
        patient(
            "p1", "88-1203", birthDate="1964-02-29", gender="female",
            name=[{"use": "nickname", "family": "X"}, {"use": "official", "family": "Müller", "given": ["Erika", "B"]}],
        ),
        specimen(
            "s1", type=SERUM, accessionIdentifier={"system": "urn:acc", "value": "T7"}, identifier=[placer("T7P")],
            receivedTime="2026-04-17T10:15:00+02:00", condition=[concept("urn:c", "HEM", "Hemolysed")],
            note=[{"text": "top up"}, {"text": " "}],
            collection={"collectedDateTime": "2026-04-17T07:30:00+02:00", "quantity": {"value": 2.50, "unit": "mL"}},
        ),
        {"resourceType": "Device", "id": "d1", "deviceName": [{"name": "Blotter 7", "type": "user-friendly-name"}]},
        {"resourceType": "Organization", "id": "lab", "name": "Laboratory North"},
        {
            "resourceType": "ServiceRequest", "id": "sr1", "status": "active", "intent": "order",
            "subject": ref("Patient/p1"), "identifier": [placer("P4410")],
            "requisition": {"system": "urn:oe", "value": "G77"}, "reasonCode": [{"text": "statin since 2024"}],
        },
        observation(
            id="o1", subject=ref("Patient/p1"), specimen=ref("Specimen/s1"), code=concept(LOINC, "33921-8"),
            valueQuantity={"value": 58, "unit": "U"}, method=concept("urn:m", "BLOT"), device=ref("Device/d1"),
            performer=[ref("Practitioner/9", display="Dr X"), ref("Organization/lab")],
            effectiveDateTime="2026-04-17T07:30:00+02:00", issued="2026-04-18T09:14:00+02:00",
            note=[{"text": "Band visible."}],
        ),
        report(
            "Observation/o1", id="r1", subject=ref("Patient/p1"), identifier=[filler("F4410")],
            basedOn=[ref("ServiceRequest/sr1")], specimen=[ref("Specimen/s1")], code=concept("urn:l", "MYO"),
            issued="2026-04-18T09:15:00+02:00",
        ),
        identifier={"system": "urn:m", "value": "B1"}, timestamp="2026-04-18T09:16:00.250+02:00",
    )  # fmt: skip
    return only(body)


def test_the_head_of_a_report(whole: Report) -> None:
    assert (whole.feed, whole.sender, whole.control_id) == ("north", "north|", "urn:m|B1")
    assert (whole.message_type, whole.version, whole.lane) == ("FHIR collection", "4.0", f"p:{MRN}|88-1203")
    assert whole.sent is not None
    assert whole.sent.text == "2026-04-18T09:16:00.250+02:00"
    assert (whole.identity, whole.notes, whole.observations) == (False, (), ())


def test_the_patient(whole: Report) -> None:
    who = whole.patient
    assert who.identifiers == (Identifier(MRN, "88-1203", "MR"),)
    assert (who.family_name, who.given_name, who.sex, who.birth_date) == ("Müller", "Erika", "F", date(1964, 2, 29))


def test_the_order(whole: Report) -> None:
    (found,) = whole.orders
    assert found.at == "Bundle.entry[6].resource"
    assert (found.placer, found.filler) == (EntityId("P4410", "urn:oe"), EntityId("F4410", "urn:lis"))
    assert (found.group, found.clinical_info) == (EntityId("G77", "urn:oe"), "statin since 2024")
    assert found.service == (Coding("MYO", "", "urn:l"),)
    times = (found.collected, found.received, found.reported)
    assert [time and time.text for time in times] == [
        "2026-04-17T07:30:00+02:00", "2026-04-17T10:15:00+02:00", "2026-04-18T09:15:00+02:00",
    ]  # fmt: skip


def test_the_tube(whole: Report) -> None:
    (tube,) = whole.orders[0].specimens
    assert (tube.placer, tube.filler) == (EntityId("T7P", "urn:oe"), EntityId("T7", "urn:acc"))
    assert tube.type == (Coding("SER", "Serum", "http://terminology.hl7.org/CodeSystem/v2-0487"),)
    assert tube.condition == (Coding("HEM", "Hemolysed", "urn:c"),)
    assert (tube.notes, tube.volume, tube.volume_unit) == (("top up",), "2.5", "mL")


def test_the_result(whole: Report) -> None:
    (found,) = whole.orders[0].observations
    assert (found.at, found.codes) == ("Bundle.entry[5].resource", (Coding("33921-8", "", LOINC),))
    assert (found.status, found.methods, found.notes) == ("final", (Coding("BLOT", "", "urn:m"),), ("Band visible.",))
    assert (found.equipment, found.laboratory) == (("Blotter 7",), "Laboratory North")
    assert found.observed is not None
    assert found.analysed is not None
    assert (found.observed.text, found.analysed.text) == ("2026-04-17T07:30:00+02:00", "2026-04-18T09:14:00+02:00")


# ---------------------------------------------------------------- reports, panels, what stands alone


def test_results_of_two_specimens_are_two_orders_of_one_report() -> None:
    tubes = [specimen(id, identifier=[{"value": id}]) for id in ("s1", "s2")]
    some = [result("a", "a", specimen=ref("Specimen/s1")), result("b", "b", specimen=ref("Specimen/s2")),
            result("c", "c", specimen=ref("Specimen/s1")), result("d", "d")]  # fmt: skip
    top = report("Observation/a", "Observation/b", "Observation/c", "Observation/d", subject=ref("Patient/p1"),
                 identifier=[filler("F1")], specimen=[ref("Specimen/s2")])  # fmt: skip
    found = orders(*tubes, *some, top)
    assert [(values(one), one.specimens[0].filler.id) for one in found] == [
        (["a", "c"], "s1"), (["b"], "s2"), (["d"], "s2"),
    ]  # fmt: skip
    assert {one.filler.id for one in found} == {"F1"}


def test_a_panel_is_an_order_of_its_members_and_says_nothing_itself() -> None:
    panel = observation(id="panel", subject=ref("Patient/p1"), identifier=[filler("F2")], code={"text": "Panel"},
                        hasMember=[ref("Observation/a"), ref("Observation/b")])  # fmt: skip
    found = order(result("a", "a"), panel, result("b", "b"))
    assert (values(found), found.filler.id, found.service) == (["a", "b"], "F2", (Coding("", "Panel"),))


def test_a_panel_with_a_value_is_a_line_before_its_members() -> None:
    panel = result("panel", "summary", hasMember=[ref("Observation/a")])
    assert values(order(result("a", "a"), panel)) == ["summary", "a"]


def test_a_panel_in_a_report_is_opened_there() -> None:
    panel = observation(id="panel", subject=ref("Patient/p1"), hasMember=[ref("Observation/a"), ref("Observation/b")])
    found = order(result("a", "a"), result("b", "b"), panel, report("Observation/panel", subject=ref("Patient/p1")))
    assert values(found) == ["a", "b"]


def test_a_result_stands_in_one_order_only() -> None:
    tops = [report("Observation/a", "Observation/a", subject=ref("Patient/p1"), identifier=[filler(id)]) for id in "12"]
    found = orders(result("a", "a"), *tops)
    assert [(one.filler.id, values(one)) for one in found] == [("1", ["a"]), ("2", [])]


def test_what_stands_alone_is_an_order_of_its_own() -> None:
    found = orders(result("a", "a", identifier=[filler("FA")]), result("b", "b"))
    assert [(values(one), one.filler.id) for one in found] == [(["a"], "FA"), (["b"], "")]


def test_results_contained_in_a_report_are_its_results() -> None:
    inside = report("#a", contained=[observation(id="a", valueString="a")], subject=ref("Patient/p1"))
    found = order(inside)
    assert values(found) == ["a"]
    assert found.observations[0].at == "Bundle.entry[1].resource.contained[0]"


def test_a_report_without_results_here_is_an_order_without_lines() -> None:
    assert order(report("Observation/elsewhere", subject=ref("Patient/p1"))).observations == ()


def test_panels_nested_deeper_than_any_laboratory_does_lose_no_result() -> None:
    chain = [result(f"o{n}", str(n), hasMember=[ref(f"Observation/o{n + 1}")]) for n in range(20)]
    found = orders(*chain, result("o20", "20"))
    assert sorted((value for one in found for value in values(one)), key=int) == [str(n) for n in range(21)]


# ---------------------------------------------------------------- status


@pytest.mark.parametrize("status", sorted(STATUSES["Observation"]))
def test_a_result_keeps_its_status_through_its_life(status: str) -> None:
    found = line(observation(status=status, valueString="x"))
    assert found.status == status
    part = line(observation(status=status, component=[{"code": {"text": "x"}, "valueString": "x"}]))
    assert part.status == status


@pytest.mark.parametrize("status", sorted(STATUSES["DiagnosticReport"] - {"entered-in-error"}))
def test_the_status_of_a_report_does_not_change_its_results(status: str) -> None:
    found = order(result("a"), report("Observation/a", subject=ref("Patient/p1"), status=status))
    assert [one.status for one in found.observations] == ["final"]


def test_a_withdrawn_report_withdraws_its_results() -> None:
    panel = observation(id="panel", subject=ref("Patient/p1"), hasMember=[ref("Observation/b")])
    parts = observation(id="c", subject=ref("Patient/p1"), component=[{"code": {"text": "x"}, "valueString": "c"}])
    top = report(
        "Observation/a", "Observation/panel", "Observation/c", subject=ref("Patient/p1"), status="entered-in-error"
    )
    found = orders(result("a"), result("b"), result("z"), panel, parts, top)
    assert [[one.status for one in each.observations] for each in found] == [["entered-in-error"] * 3, ["final"]]


@pytest.mark.parametrize("first", ["final", "entered-in-error"])
def test_a_result_that_a_report_in_force_holds_is_not_withdrawn_with_another(first: str) -> None:
    other = "final" if first == "entered-in-error" else "entered-in-error"
    tops = [report("Observation/a", subject=ref("Patient/p1"), status=one) for one in (first, other)]
    found = orders(result("a"), *tops)
    assert [line.status for one in found for line in one.observations] == ["final"]


# ---------------------------------------------------------------- around a result


@pytest.mark.parametrize(
    ("device", "wanted"),
    [
        (ref("#d"), ("A", "B")),
        (ref("#t"), ("Blot reader",)),
        (ref("#e"), ()),
        (ref("Device/elsewhere", display="Blotter"), ("Blotter",)),
        (ref("Device/elsewhere"), ()),
        ({"display": "Blotter"}, ("Blotter",)),
    ],
)
def test_what_a_result_was_made_with(device: Body, wanted: tuple[str, ...]) -> None:
    kind = "user-friendly-name"
    inside = [
        {"resourceType": "Device", "id": "d", "deviceName": [{"name": "A", "type": kind}, {"name": "B", "type": kind}]},
        {"resourceType": "Device", "id": "t", "type": {"text": "Blot reader"}},
        {"resourceType": "Device", "id": "e"},
    ]
    assert line(observation(valueString="x", contained=inside, device=device)).equipment == wanted
    assert line(observation(valueString="x")).equipment == ()


@pytest.mark.parametrize(
    ("performers", "wanted"),
    [
        ([ref("#lab")], "North"),
        ([ref("Practitioner/1", display="Dr X"), ref("#lab")], "North"),
        ([ref("Organization/elsewhere", display="South")], "South"),
        ([ref("Organization/elsewhere")], ""),
        ([], ""),
    ],
)
def test_the_laboratory_of_a_result(performers: list[Body], wanted: str) -> None:
    inside = [{"resourceType": "Organization", "id": "lab", "name": "North"}]
    sent = observation(valueString="x", contained=inside, **({"performer": performers} if performers else {}))
    assert line(sent).laboratory == wanted


@pytest.mark.parametrize(
    ("effective", "wanted"),
    [
        ({"effectiveDateTime": "2026-04-17"}, "2026-04-17"),
        ({"effectiveInstant": "2026-04-17T07:05:00Z"}, "2026-04-17T07:05:00Z"),
        ({"effectivePeriod": {"start": "2026-04-16", "end": "2026-04-17"}}, "2026-04-16"),
        ({"effectivePeriod": {"end": "2026-04-17"}}, "2026-04-17"),
        ({"effectiveTiming": {"event": ["2026-04-17"]}}, None),
        ({}, None),
    ],
)
def test_when_a_result_was_observed(effective: Body, wanted: str | None) -> None:
    found = only(observation(valueString="x", **effective)).orders[0]
    assert (found.collected and found.collected.text) == wanted
    observed = found.observations[0].observed
    assert (observed and observed.text) == wanted


@pytest.mark.parametrize(
    ("collection", "wanted"),
    [
        ({"collectedDateTime": "2026-04-15"}, "2026-04-15"),
        ({"collectedPeriod": {"start": "2026-04-15"}}, "2026-04-15"),
        ({}, "2026-04-17"),
    ],
)
def test_the_time_of_collection_is_the_tubes_before_the_results(collection: Body, wanted: str) -> None:
    tube = specimen("s1", collection=collection)
    found = order(tube, result("a", specimen=ref("Specimen/s1"), effectiveDateTime="2026-04-17"))
    assert found.collected is not None
    assert found.collected.text == wanted


def test_a_day_is_the_one_of_the_feeds_zone() -> None:
    found = line(observation(valueString="x", effectiveDateTime="2026-04-17T23:30:00Z")).observed
    assert found is not None
    assert found.day == date(2026, 4, 18)


def test_an_order_number_may_be_the_reference_itself() -> None:
    found = order(result("a", basedOn=[ref("ServiceRequest/x", identifier={"system": "urn:oe", "value": "P7"})]))
    assert found.placer == EntityId("P7", "urn:oe")
    own = order(result("a", identifier=[placer("P8")], basedOn=[{"identifier": {"value": "P7"}}]))
    assert own.placer == EntityId("P8", "urn:oe")


@pytest.mark.parametrize(
    ("identifiers", "wanted"),
    [
        ([filler("F1")], "F1"),
        ([{"value": "F2"}], "F2"),
        ([{"value": "F2"}, filler("F1")], "F1"),
        ([placer("P1")], ""),
        ([{"system": "urn:x"}], ""),
        ([], ""),
    ],
)
def test_the_fillers_number_is_the_one_named_so_else_the_one_without_a_type(
    identifiers: list[Body], wanted: str
) -> None:
    assert order(result("a", **({"identifier": identifiers} if identifiers else {}))).filler.id == wanted


def test_of_results_without_a_bundles_time_the_newest_issue_counts() -> None:
    some = [result(id, issued=f"2026-04-{day}T07:05:00Z") for id, day in (("a", 17), ("b", 19), ("c", 18))]
    found = only(bundle(patient("p1", "88"), *some))
    assert found.sent is not None
    assert found.sent.text == "2026-04-19T07:05:00Z"
    assert only(observation(valueString="x")).sent is None


def test_entries_that_are_left_out_are_not_read() -> None:
    body = wire(bundle(patient("p1", "88"), result("a", "a"), result("b", "b")))
    (found,) = incoming.read_reports(body, FEED, (1,))
    assert [values(one) for one in found.orders] == [["b"]]


@pytest.mark.parametrize(
    ("gender", "sex"), [("male", "M"), ("female", "F"), ("other", "O"), ("unknown", "U"), ("", "")]
)
def test_the_sex_is_the_code_of_table_0001(gender: str, sex: str) -> None:
    assert only(patient("p1", "88", **({"gender": gender} if gender else {}))).patient.sex == sex


def test_a_given_name_that_is_null_is_passed_over() -> None:
    name = [{"family": "Doe", "given": [None, "Jo"], "_given": [{"id": "x"}, None]}]
    assert only(patient("p1", "88", name=name)).patient.given_name == "Jo"


def test_two_patients_are_two_reports_with_what_is_theirs() -> None:
    body = bundle(
        patient("p1", "1", birthDate=BORN), patient("p2", "2"), result("a", "a"),
        observation(id="b", valueString="b", subject=ref("Patient/p2")),
    )  # fmt: skip
    found = reports(body)
    assert [(one.lane[-1], [values(order) for order in one.orders]) for one in found] == [
        ("1", [["a"]]),
        ("2", [["b"]]),
    ]
    assert [one.patient.birth_date is None for one in found] == [False, True]


def test_the_same_body_in_any_order_says_the_same_of_each_result() -> None:
    some = [patient("p1", "88"), specimen("s1", identifier=[{"value": "T1"}]),
            result("a", "a", specimen=ref("Specimen/s1")), result("b", "b"),
            report("Observation/a", "Observation/b", subject=ref("Patient/p1"))]  # fmt: skip
    forth, back = lines(bundle(*some)), lines(bundle(*reversed(some)))
    alike = [[msgspec.structs.replace(one, at="") for one in sorted(found, key=lambda one: str(one.values))]
             for found in (forth, back)]  # fmt: skip
    assert alike[0] == alike[1]


def test_a_message_is_read_like_any_other_bundle() -> None:
    header = {
        "resourceType": "MessageHeader",
        "id": "h1",
        "eventUri": "urn:e",
        "source": {"endpoint": "urn:s", "name": "LIS"},
    }
    found = only(bundle(header, patient("p1", "88"), result("a", "a"), type="message"))
    assert (found.sender, found.control_id, found.message_type) == ("LIS|", "h1", "FHIR message")
    assert [values(one) for one in found.orders] == [["a"]]


def test_urn_uuids_hold_a_transaction_together() -> None:
    body = bundle(
        entry(patient("x", "88"), "urn:uuid:1"),
        entry(specimen("y", identifier=[{"value": "T1"}]), "urn:uuid:2"),
        entry(observation(valueString="a", subject=ref("urn:uuid:1"), specimen=ref("urn:uuid:2")), "urn:uuid:3"),
        entry(report("urn:uuid:3", subject=ref("urn:uuid:1")), "urn:uuid:4"),
        type="transaction",
    )
    (found,) = only(body).orders
    assert (values(found), found.specimens[0].filler.id) == (["a"], "T1")
