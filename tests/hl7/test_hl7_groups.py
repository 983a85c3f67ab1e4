"""The groups of every result message: ORU R30-R32 and OUL R21-R24, old versions, lots and dilutions, parts refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labbridge.errors import Refuse
from labbridge.hl7 import incoming
from labbridge.hl7.groups import GRAMMARS
from labbridge.hl7.structure import EVENTS, VERSIONS, Envelope, read_structure
from labbridge.model.report import Report
from labbridge.model.work import Feed

FEED = Feed(name="lis")
NOW = datetime(2026, 4, 20, 8, 0, tzinfo=UTC)
PID = "PID|1||PT1^^^LABA^MR"
SPM = "SPM|1|P1&OE^S26-1&LAB||SER^Serum^HL70487"
RESULTS = ("ORU^R01", "ORU^R30", "ORU^R31", "ORU^R32", "OUL^R21", "OUL^R22", "OUL^R23", "OUL^R24")


def raw(kind: str, *segments: str, version: str = "2.5.1") -> bytes:
    msh = f"MSH|^~\\&|LIS|LABA|LB|LAB|20261109||{kind}|C1|P|{version}"
    return ("\r".join((msh, *segments)) + "\r").encode()


def read(kind: str, *segments: str, version: str = "2.5.1") -> Envelope:
    return read_structure(raw(kind, *segments, version=version), FEED)


def reports(kind: str, *segments: str, version: str = "2.5.1") -> list[Report]:
    return incoming.read_reports(raw(kind, *segments, version=version), FEED, NOW)


def refused(kind: str, *segments: str, version: str = "2.5.1") -> tuple[str, str]:
    with pytest.raises(Refuse) as caught:
        read(kind, *segments, version=version)
    return caught.value.code, caught.value.location


def shape(envelope: Envelope) -> list[list[tuple[str, list[str], list[str], str]]]:
    """Of each patient the orders: OBR-1, results, specimens, ORC-1."""
    return [
        [
            (
                order.obr.field(1),
                [one.obx.field(1) for one in order.observations],
                [one.spm.field(1) for one in order.specimens],
                order.orc.field(1) if order.orc else "",
            )
            for order in patient.orders
        ]
        for patient in envelope.patients
    ]


def obx(number: int) -> str:
    return f"OBX|{number}|NM|CK^CK^L||5|U/L|||||F"


# ---------------------------------------------------------------- what is taken


def test_every_taken_message_has_a_grammar_and_every_grammar_is_taken() -> None:
    assert {f"{kind}^{event}" for kind, events in EVENTS.items() for event in events} == set(GRAMMARS)


@pytest.mark.parametrize("kind", RESULTS)
@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_every_result_message_is_read_in_every_version(kind: str, version: str) -> None:
    first = (SPM,) if GRAMMARS[kind].specimen_first else ()
    found = read(kind, PID, *first, "OBR|1", obx(1), version=version)
    assert [(one[0], one[1]) for one in shape(found)[0]] == [("1", ["1"])]
    assert found.message_type == kind
    assert found.lanes == ("p:LABA|PT1",)


@pytest.mark.parametrize("version", ["2.1", "2.2"])
def test_before_2_3_a_result_message_has_no_event(version: str) -> None:
    assert read("ORU", PID, "OBR|1", obx(1), version=version).message_type == "ORU^R01"


def test_the_plain_patient_number_of_old_versions_belongs_to_the_sending_facility() -> None:
    (report,) = reports("ORU", "PID|1||4711||DOE^JO", "OBR|1", obx(1), version="2.1")
    assert [(one.authority, one.id) for one in report.patient.identifiers] == [("LABA", "4711")]


# ---------------------------------------------------------------- the point of care (R30-R32)


@pytest.mark.parametrize("kind", ["ORU^R30", "ORU^R31", "ORU^R32"])
def test_a_result_without_an_existing_order_is_read_below_the_order_it_brings(kind: str) -> None:
    found = read(kind, PID, "OBX|9|ST|X||y", "PV1|1|E", "ORC|NW", "OBR|1", "NTE|1||n", obx(1), version="2.6")
    assert shape(found) == [[("1", ["1"], [], "NW")]]
    assert [one.obx.field(1) for one in found.patients[0].observations] == ["9"]


# ---------------------------------------------------------------- OUL


def test_in_r22_the_specimen_comes_first_and_its_orders_follow() -> None:
    found = read(
        "OUL^R22", PID, SPM, "OBX|8|ST|HIL||clear", "SAC|1", "OBR|1", "ORC|OK", "NTE|1||n", obx(1), "OBR|2", obx(2),
        "SPM|2|^S26-2&LAB", "OBR|3", obx(3),
    )  # fmt: skip
    assert shape(found) == [[("1", ["1"], ["1"], "OK"), ("2", ["2"], ["1"], ""), ("3", ["3"], ["2"], "")]]
    first = found.patients[0].orders[0]
    assert [one.obx.field(1) for one in first.specimens[0].observations] == ["8"]
    assert [one.field(3) for one in first.notes] == ["n"]


def test_an_orc_before_its_obr_is_taken_where_the_message_begins_so() -> None:
    found = read("OUL^R22", PID, SPM, "ORC|A", "OBR|1", obx(1), "ORC|B", "OBR|2", obx(2))
    assert shape(found) == [[("1", ["1"], ["1"], "A"), ("2", ["2"], ["1"], "B")]]


def test_an_orc_after_its_obr_never_goes_to_the_next_one() -> None:
    found = read("OUL^R22", PID, SPM, "OBR|1", "ORC|A", obx(1), "OBR|2", "ORC|B", obx(2))
    assert shape(found) == [[("1", ["1"], ["1"], "A"), ("2", ["2"], ["1"], "B")]]


@pytest.mark.parametrize("kind", ["OUL^R21", "OUL^R22", "OUL^R24"])
def test_a_result_behind_a_second_orc_is_no_document_of_an_order_to_come(kind: str) -> None:
    """Only ORU has the order's document before its OBR."""
    segments = (PID, *([SPM] if kind == "OUL^R22" else []), "OBR|1", "ORC|A", "ORC|B", obx(1), "OBR|2")
    assert refused(kind, *segments, version="2.8.2") == ("100", "OBX^1")


def test_in_r23_the_container_stands_between_specimen_and_order() -> None:
    found = read("OUL^R23", PID, SPM, "SAC|1", "INV|1", "OBR|1", obx(1), "SAC|2", "OBR|2", obx(2))
    assert shape(found) == [[("1", ["1"], ["1"], ""), ("2", ["2"], ["1"], "")]]


def test_in_r24_what_follows_the_specimen_is_a_result_and_is_told() -> None:
    found = read("OUL^R24", PID, "OBR|1", "ORC|OK", SPM, "SAC|1", obx(1), obx(2))
    assert shape(found) == [[("1", ["1", "2"], ["1"], "OK")]]
    assert [(one.code, one.at) for one in found.notes] == [("N018", "OBR[1]")]


def test_in_r21_an_orc_belongs_to_the_obr_that_follows() -> None:
    found = read("OUL^R21", PID, "ORC|A", "OBR|1", obx(1), "ORC|B", "OBR|2", obx(2))
    assert shape(found) == [[("1", ["1"], [], "A"), ("2", ["2"], [], "B")]]


def test_an_obx_after_spm_before_any_order_is_about_the_tube() -> None:
    (report,) = reports("OUL^R22", PID, SPM, "OBX|8|ST|HIL||grossly haemolysed||||||F", "OBR|1", obx(1))
    assert [one.raw for one in report.orders[0].observations] == [obx(1).encode()]
    assert len(report.orders[0].specimens[0].observations) == 1


@pytest.mark.parametrize(
    ("kind", "segments", "place"),
    [
        ("OUL^R22", (PID, SPM), ("100", "OBR^1")),
        ("OUL^R22", (PID, "SPM|1", "ORC|A", "OBX|1"), ("100", "OBX^1")),
        ("OUL^R22", (), ("100", "OBR^1")),
        ("OUL^R22", (PID, "OBR|1", SPM, obx(1)), ("100", "OBX^1")),
        ("OUL^R22", (PID, SPM, "OBR|1", obx(1), "SPM|2", obx(2)), ("100", "OBX^2")),
        ("OUL^R23", (PID, SPM, obx(1), PID, SPM, "OBR|1", obx(2)), ("100", "OBX^1")),
        ("OUL^R24", (PID, SPM, "OBR|1"), ("100", "SPM^1")),
        ("OUL^R24", (PID, "OBX|1", "OBR|1"), ("100", "OBX^1")),
        ("ORU^R30", ("OBR|1", obx(1)), ("100", "OBR^1")),
        ("ORU^R01", ("PID|1||", "OBR|1", obx(1)), ("101", "PID^1^3")),
    ],
)
def test_what_leaves_open_whose_result_it_is_is_refused(
    kind: str, segments: tuple[str, ...], place: tuple[str, str]
) -> None:
    assert refused(kind, *segments) == place


# ---------------------------------------------------------------- who it is of


@pytest.mark.parametrize(
    ("segments", "lanes"),
    [
        ((SPM, "OBR|1", obx(1)), ("s:LAB|S26-1",)),
        (("SPM|1|P1&OE", "OBR|1", obx(1)), ("s:OE|P1",)),
        (("SPM|1", "OBR|1", obx(1)), ("f:LIS|LABA",)),
        (("PID|||", SPM, "OBR|1", obx(1)), ("s:LAB|S26-1",)),
        (("PID|||xb004||^^|||", SPM, "OBR|1", obx(1)), ("p:LABA|xb004",)),
        ((SPM, "OBR|1", obx(1), "SPM|2|^S26-2&LAB", "OBR|2", obx(2)), ("s:LAB|S26-1", "s:LAB|S26-2")),
    ],
)
def test_without_a_patient_the_specimen_is_the_lane(segments: tuple[str, ...], lanes: tuple[str, ...]) -> None:
    assert read("OUL^R22", *segments).lanes == lanes


def test_without_a_patient_each_order_of_r24_is_of_its_own_specimen() -> None:
    found = read("OUL^R24", "OBR|1", SPM, obx(1), "OBR|2", "SPM|2|^S26-2&LAB", obx(2))
    assert found.lanes == ("s:LAB|S26-1", "s:LAB|S26-2")


def test_a_report_of_nobody_says_so() -> None:
    (report,) = reports("OUL^R22", SPM, "OBR|1", obx(1))
    assert (report.patient.identifiers, report.patient.key, report.raw_pid) == ((), None, b"")
    assert "N019" in {one.code for one in report.notes}


# ---------------------------------------------------------------- lots and dilutions


def test_lots_and_dilution_of_a_result_are_read() -> None:
    (report,) = reports(
        "OUL^R22", PID, SPM, "OBR|1", obx(1), "TCD|CK^CK^L|^1^:^10", "SID|CK^CK^L|LOT-77|C1", "SID|CK^CK^L|LOT-78",
        "NTE|1||n", obx(2),
    )  # fmt: skip
    first, second = report.orders[0].observations
    assert (first.lots, first.dilution, first.notes) == (("LOT-77", "LOT-78"), "1:10", ("n",))
    assert (second.lots, second.dilution) == ((), "")


@pytest.mark.parametrize(
    ("tcd", "dilution"),
    [("TCD|X", ""), ("TCD|X||^1^:^5", "1:5"), ("TCD|X|||^1^:^2", "1:2"), ("TCD|X|^1^:^10|^1^:^5", "1:10")],
)
def test_the_dilution_is_the_automatic_one_else_the_reruns_else_the_one_before(tcd: str, dilution: str) -> None:
    (report,) = reports("OUL^R21", PID, "OBR|1", obx(1), tcd)
    assert report.orders[0].observations[0].dilution == dilution


def test_lots_reach_the_result() -> None:
    from labbridge.normalise import Normaliser
    from labbridge.sources import load

    line = "OBX|1|NM|2157-6^Creatine kinase^LN||900|U/L|30-170|H|||F"
    (report,) = reports("OUL^R22", PID, SPM, "OBR|1|||||20261109", line, "TCD|X|^1^:^10", "SID|X|LOT-77")
    found, _notes = Normaliser(load())(report, FEED, NOW, "M1")
    assert [(one.lots, one.dilution) for one in found.results] == [(("LOT-77",), "1:10")]


# ---------------------------------------------------------------- parts of a message


@pytest.mark.parametrize(
    ("segments", "place"),
    [
        ((PID, "OBR|1", obx(1), "DSC|77|F"), ("207", "DSC^1^1")),
        ((PID, "OBR|1", obx(1), "ADD|rest of the text"), ("207", "ADD^1")),
        ((PID, "OBR|1", "ADD|||x", obx(1)), ("207", "ADD^1")),
    ],
)
def test_a_part_of_a_message_is_refused_with_its_place(segments: tuple[str, ...], place: tuple[str, str]) -> None:
    assert refused("ORU^R01", *segments) == place


def test_the_rest_of_a_message_is_refused_too() -> None:
    message = raw("ORU^R01", PID, "OBR|1", obx(1)).replace(b"|C1|P|2.5.1", b"|C1|P|2.5.1||77")
    with pytest.raises(Refuse) as caught:
        read_structure(message, FEED)
    assert (caught.value.code, caught.value.location, caught.value.reject) == ("207", "MSH^1^14", True)


@pytest.mark.parametrize("segments", [("DSC|",), ("DSC",), ("ADD|",), ("ADD||",)])
def test_an_empty_continuation_continues_nothing(segments: tuple[str, ...]) -> None:
    assert read("ORU^R01", PID, "OBR|1", obx(1), *segments).lanes == ("p:LABA|PT1",)


# ---------------------------------------------------------------- identity


@pytest.mark.parametrize("kind", ["ADT^A08", "ADT^A31"])
def test_an_identity_message_names_its_patient_and_brings_no_order(kind: str) -> None:
    found = read(kind, "EVN||20261109", PID, "PV1|1|I", "OBX|1|NM|WT||70|kg", "AL1|1")
    assert (found.identity, found.lanes, found.patients[0].orders) == (True, ("p:LABA|PT1",), [])


@pytest.mark.parametrize("kind", ["ADT^A18", "ADT^A34", "ADT^A40"])
def test_a_merge_names_both_patients(kind: str) -> None:
    found = read(kind, "EVN||20261109", PID, "PD1|", "MRG|PT2^^^LABA^MR~X^^^REG^PI")
    assert found.lanes == ("p:LABA|PT1", "p:LABA|PT2")
    assert [one.identity for one in reports(kind, "EVN||20261109", PID, "MRG|PT2^^^LABA^MR")] == [True, True]


def test_several_merges_of_one_message_are_several_pairs() -> None:
    found = read("ADT^A40", PID, "MRG|PT2^^^LABA^MR", "PID|2||PT3^^^LABA^MR", "MRG|PT4^^^LABA^MR")
    assert found.lanes == ("p:LABA|PT1", "p:LABA|PT2", "p:LABA|PT3", "p:LABA|PT4")
