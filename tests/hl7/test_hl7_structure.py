"""The groups of ORU^R01, whose result an OBX is, and the limits (standards.md 2.1, reliability.md 3.1)."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import msgspec
import pytest
from hl7_strategies import messages
from hypothesis import given
from hypothesis import strategies as st

from labbridge.errors import Refuse
from labbridge.hl7.reader import MAX_SEGMENTS
from labbridge.hl7.sizes import MAX_ATTACHMENT_BYTES, MAX_FIELD_BYTES, MAX_FIELDS
from labbridge.hl7.structure import Envelope, read_structure
from labbridge.model.work import Feed

FEED = Feed(name="lis")
MSH = "MSH|^~\\&|LIS|LABA|LB|LAB|20261109||ORU^R01^ORU_R01|C1|P|2.5.1"
PID = "PID|1||PT1^^^LABA^MR"
CODES = {"100", "101", "102", "104", "200", "201", "202", "207"}


def raw(*segments: str, msh: str = MSH) -> bytes:
    return ("\r".join((msh, *segments)) + "\r").encode()


def read(*segments: str, msh: str = MSH, feed: Feed = FEED) -> Envelope:
    return read_structure(raw(*segments, msh=msh), feed)


def refusal(*segments: str, msh: str = MSH, feed: Feed = FEED) -> Refuse:
    with pytest.raises(Refuse) as caught:
        read(*segments, msh=msh, feed=feed)
    return caught.value


def read_or_fault(data: bytes) -> Envelope | Refuse:
    try:
        return read_structure(data, FEED)
    except Refuse as fault:
        return fault


def shape(envelope: Envelope) -> list[object]:
    """Patients with their orders: results, tube observations, notes."""
    return [
        [
            (
                [group.obx.field(1) for group in order.observations],
                [[group.obx.field(1) for group in specimen.observations] for specimen in order.specimens],
                [nte.field(3) for nte in order.notes],
                [[nte.field(3) for nte in group.notes] for group in order.observations],
            )
            for order in patient.orders
        ]
        for patient in envelope.patients
    ]


def test_an_obx_after_spm_is_about_the_tube() -> None:
    found = read(PID, "OBR|1", "OBX|1", "OBX|2", "SPM|1", "OBX|3")
    assert shape(found) == [[(["1", "2"], [["3"]], [], [[], []])]]


def of_version(version: str) -> str:
    return MSH.replace("2.5.1", version)


@pytest.mark.parametrize("version", ["2.6", "2.7", "2.8.2", "2.9"])
def test_an_obx_before_the_first_order_is_about_the_patient(version: str) -> None:
    found = read(PID, "OBX|9", "OBR|1", "OBX|1", msh=of_version(version))
    assert shape(found) == [[(["1"], [], [], [[]])]]
    assert [group.obx.field(1) for group in found.patients[0].observations] == ["9"]


@pytest.mark.parametrize("version", ["2.8", "2.8.2", "2.9"])
def test_an_obx_between_orc_and_obr_is_the_orders_document(version: str) -> None:
    found = read(PID, "ORC|RE", "OBX|9", "OBR|1", "OBX|1", msh=of_version(version))
    assert shape(found) == [[(["1"], [], [], [[]])]]
    assert found.patients[0].observations == []


@pytest.mark.parametrize(
    ("version", "segments", "place"),
    [
        ("2.3", ("OBX|1", "OBR|1"), "OBX^1"),
        ("2.5.1", ("OBX|1", "OBR|1"), "OBX^1"),
        ("9.9", ("OBX|1", "OBR|1"), "OBX^1"),
        ("2.5.1", ("ORC|RE", "OBX|1", "OBR|1"), "OBX^1"),
        ("2.7.1", ("ORC|RE", "OBX|1", "OBR|1"), "OBX^1"),
        ("2.5.1", ("OBR|1", "OBX|1", "ORC|RE", "OBX|2"), "OBX^2"),
        ("2.8.2", ("OBR|1", "OBX|1", "ORC|RE", "OBX|2"), "OBX^2"),
        ("2.8.2", ("OBR|1", "ORC|RE", "OBX|1", "ORC|RE", "OBR|2"), "OBX^1"),
        ("2.8.2", ("OBR|1", "ORC|RE", "OBX|1", "PID|2||PT2", "OBR|2"), "OBX^1"),
        ("2.5.1", ("OBR|1", "ORC|RE", "OBX|1"), "OBX^1"),
    ],
)
def test_a_result_without_an_order_is_refused_and_never_passed_over(
    version: str, segments: tuple[str, ...], place: str
) -> None:
    fault = refusal(PID, *segments, msh=of_version(version))
    assert (fault.code, fault.location, fault.reject) == ("100", place, False)


def test_three_capitals_alone_are_a_torn_line_of_text() -> None:
    fault = refusal(PID, "OBR|1", "OBX|1|TX|X||see", "ANA")
    assert (fault.code, fault.location) == ("100", "ANA^1")
    assert read(PID, "PV1", "OBR|1", "OBX|1", "ZZZ").notes[0].at == "ZZZ[1]"


def test_a_message_that_goes_on_in_another_is_refused_whole() -> None:
    fault = refusal(PID, "OBR|1", "OBX|1", "DSC|77|F")
    assert (fault.code, fault.location, fault.reject) == ("207", "DSC^1^1", True)
    assert refusal(PID, "OBR|1", "OBX|1", "DSC|77").code == "207"
    assert read(PID, "OBR|1", "OBX|1", "DSC||F").notes == ()


def test_a_note_belongs_to_what_precedes_it() -> None:
    found = read(
        PID, "NTE|||patient", "OBR|1", "NTE|||order", "OBX|1", "NTE|||result", "NTE|||more", "SPM|1", "NTE|||tube"
    )
    assert shape(found) == [[(["1"], [[]], ["order"], [["result", "more"]])]]


def test_a_second_obr_begins_a_second_order() -> None:
    found = read(PID, "ORC|RE", "OBR|1", "OBX|1", "SPM|1", "ORC|RE", "OBR|2", "OBX|2", "OBR|3", "OBX|3")
    assert [order.obr.field(1) for order in found.patients[0].orders] == ["1", "2", "3"]
    assert [order.orc is not None for order in found.patients[0].orders] == [True, True, False]


def test_each_patient_is_a_lane_of_its_own() -> None:
    found = read(PID, "OBR|1", "OBX|1", "PID|2||PT2^^^LABA^MR", "OBR|1", "OBX|2")
    assert found.lanes == ("p:LABA|PT1", "p:LABA|PT2")
    assert "N015" in {note.code for note in found.notes}


@pytest.mark.parametrize(
    ("pid", "lane"),
    [
        ("PT1^^^LABA^MR", "p:LABA|PT1"),
        ("PT1", "p:LABA|PT1"),
        ("V9^^^HOSP^VN~PT1^^^LABA^MR", "p:LABA|PT1"),
        ("V9^^^HOSP^VN~NAT^^^STATE^PI", "p:STATE|NAT"),
        ("V9^^^HOSP^VN~X^^^STATE^NI", "p:HOSP|V9"),
        ('""~PT1^^^OTHER&1.2&ISO^MR', "p:OTHER|PT1"),
        ("PT1^^^&1.2.3&ISO^MR", "p:1.2.3|PT1"),
        ('PT1^^^""^MR', "p:LABA|PT1"),
        (" ^^^X^MR~PT1^^^LABA", "p:LABA|PT1"),
        (r"A\T\1^^^LABA^MR", "p:LABA|A&1"),
    ],
)
def test_the_lane_is_the_identifier_history_is_kept_under(pid: str, lane: str) -> None:
    assert read(f"PID|1||{pid}", "OBR|1", "OBX|1").lanes == (lane,)


def test_a_lane_no_index_could_hold_is_named_by_a_digest_and_stays_one_patients_own() -> None:
    one, again, other = (read(f"PID|1||{'9' * 600}{last}^^^LABA^MR", "OBR|1", "OBX|1").lanes for last in "112")
    assert one == again != other
    assert all(len(lane) == len("p:") + 64 for (lane,) in (one, other))


@pytest.mark.parametrize("odd", ["ZZZ|1", "XYZ|1"])
def test_an_unknown_segment_is_kept_and_noted(odd: str) -> None:
    found = read(PID, "OBR|1", "OBX|1", odd, "OBX|2")
    assert shape(found)[0] == [(["1", "2"], [], [], [[], []])]
    assert [(note.code, note.at) for note in found.notes] == [("N006", f"{odd[:3]}[1]")]


def test_a_note_after_an_unknown_segment_belongs_to_nothing_of_ours() -> None:
    assert shape(read(PID, "OBR|1", "OBX|1", "ZZZ|1", "NTE|||z")) == [[(["1"], [], [], [[]])]]


@pytest.mark.parametrize("name", ["PD1", "NK1", "PV1", "PV2", "TQ1", "CTD", "FT1", "CTI", "PRT", "SFT"])
def test_segments_of_the_grammar_are_passed_over_without_a_note(name: str) -> None:
    assert read(PID, "OBR|1", f"{name}|1", "OBX|1").notes == ()


@pytest.mark.parametrize(
    ("segments", "place"),
    [
        ((), "PID^1"),
        (("OBR|1",), "OBR^1"),
        (("OBX|1",), "OBX^1"),
        ((PID,), "OBR^1"),
        ((PID, "SPM|1"), "SPM^1"),
        ((PID, "OBR|1", MSH), "MSH^2"),
        ((PID, "OBR|1", "PID|2||PT2"), "OBR^1"),
        (("ORC|RE",), "ORC^1"),
    ],
)
def test_where_the_order_of_segments_leaves_it_open_whose_a_result_is(segments: tuple[str, ...], place: str) -> None:
    fault = refusal(*segments)
    assert (fault.code, fault.location, fault.reject, fault.close) == ("100", place, False, False)


BODY = (PID, "OBR|1", "OBX|1")


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "reject"),
    [
        ("|ORU^R01^ORU_R01|", "||", "101", "MSH^1^9", False),
        ("|C1|", "||", "101", "MSH^1^10", False),
        ("|C1|", '|""|', "101", "MSH^1^10", False),
        ("|C1|", "|  |", "101", "MSH^1^10", False),
        ("|P|2.5.1", "||2.5.1", "101", "MSH^1^11", False),
        ("|P|2.5.1", "|P|", "101", "MSH^1^12", False),
        ("ORU^R01^ORU_R01", "ORM^O01", "200", "MSH^1^9^1^1", True),
        ("ORU^R01^ORU_R01", "ADT^A01", "201", "MSH^1^9^1^2", True),
        ("ORU^R01^ORU_R01", "ADT", "201", "MSH^1^9^1^2", True),
        ("ORU^R01^ORU_R01", "OUL", "201", "MSH^1^9^1^2", True),
        ("ORU^R01^ORU_R01", "ORU^W01", "201", "MSH^1^9^1^2", True),
        ("|P|2.5.1", "|T|2.5.1", "202", "MSH^1^11", True),
        ("|P|2.5.1", "|D|2.5.1", "202", "MSH^1^11", True),
    ],
)
def test_the_header_is_answered_for(old: str, new: str, code: str, place: str, reject: bool) -> None:
    fault = refusal(*BODY, msh=MSH.replace(old, new))
    assert (fault.code, fault.location, fault.reject) == (code, place, reject)


@pytest.mark.parametrize("kind", ["ACK", "ACK^R01", "MCF"])
def test_an_acknowledgement_is_never_acknowledged(kind: str) -> None:
    assert refusal(*BODY, msh=MSH.replace("ORU^R01^ORU_R01", kind)).answer is False


def test_a_test_feed_takes_test_messages_and_no_others() -> None:
    feed = msgspec.structs.replace(FEED, processing_id="T")
    assert read(*BODY, msh=MSH.replace("|P|", "|T|"), feed=feed).control_id == "C1"
    assert refusal(*BODY, feed=feed).code == "202"


def test_a_feed_may_take_one_sender_only() -> None:
    feed = msgspec.structs.replace(FEED, sender="LIS|LABA")
    assert read(*BODY, feed=feed).sender == "LIS|LABA"
    fault = refusal(*BODY, msh=MSH.replace("|LIS|", "|EVIL|"), feed=feed)
    assert (fault.reject, fault.location) == (True, "MSH^1^3")


@pytest.mark.parametrize(
    ("version", "read_as", "noted"),
    [("2.3.1", "2.3.1", False), ("2.8.2", "2.8.2", False), ("9.9", "2.5.1", True), ("2.5.1^FRA", "2.5.1", False)],
)
def test_the_version_and_what_an_unknown_one_is_read_as(version: str, read_as: str, noted: bool) -> None:
    found = read(*BODY, msh=MSH.replace("2.5.1", version))
    assert found.version == read_as
    assert ("N007" in {note.code for note in found.notes}) is noted


@pytest.mark.parametrize(
    ("segment", "code", "place"),
    [
        ("OBX|1|ST|X||" + "~".join("1" * 1001), "207", "OBX^1^5"),
        ("OBX|1|ST|X||" + "^".join("1" * 129), "207", "OBX^1^5"),
        ("OBX|1|ST|X||" + "&".join("1" * 129), "207", "OBX^1^5"),
        ("OBX" + "|" * 513, "207", "OBX^1"),
        ("OBX|1|ST|X||" + "9" * (MAX_FIELD_BYTES + 1), "104", "OBX^1^5"),
        ("OBX|1|ED|X|" + "9" * (MAX_FIELD_BYTES + 1), "104", "OBX^1^4"),
    ],
)
def test_a_message_beyond_a_limit_is_refused_at_its_place(segment: str, code: str, place: str) -> None:
    fault = refusal(PID, "OBR|1", segment)
    assert (fault.code, fault.location, fault.reject) == (code, place, False)


@pytest.mark.parametrize(
    "segment",
    [
        "OBX|1|ST|X||" + "~".join("1" * 1000),
        "OBX|1|ST|X||" + "^".join("1" * 128),
        "OBX|1|ST|X||" + "&".join("1" * 128),
        "OBX" + "|" * 512,
        "OBX|1|ST|X||" + "9" * MAX_FIELD_BYTES,
        "OBX|1|ED|X||" + "9" * (MAX_FIELD_BYTES + 1),
        "OBX|1|ST|X||" + "~".join(["^".join("1" * 100)] * 5),
    ],
)
def test_up_to_a_limit_it_is_taken(segment: str) -> None:
    assert len(read(PID, "OBR|1", segment).patients[0].orders[0].observations) == 1


def test_the_digest_is_of_the_bytes_as_they_came() -> None:
    one, other = raw(*BODY), raw(*BODY, "NTE|1")
    assert read_structure(one, FEED).digest == read_structure(one, FEED).digest
    assert read_structure(one, FEED).digest != read_structure(other, FEED).digest


def test_the_corpus_has_a_structure_or_a_reason(corpus: Path) -> None:
    codes: set[str] = set()
    for path in sorted((corpus / "hl7v2").rglob("*")):
        if path.is_file():
            try:
                read_structure(path.read_bytes().strip(b"\x0b\x1c\r\n"), FEED)
            except Refuse as fault:
                codes.add(fault.code)
    assert codes <= CODES


def test_how_many_segments_a_message_may_have() -> None:
    rest = ["ZZZ|1"] * (MAX_SEGMENTS - 3)
    assert len(read(PID, "OBR|1", *rest).message.segments) == MAX_SEGMENTS
    fault = refusal(PID, "OBR|1", *rest, "ZZZ|1")
    assert (fault.code, fault.location, fault.reject) == ("207", "", False)


@pytest.mark.parametrize("line", ["OBX\r", "a\r\n", "OBX|1\n"])
def test_lines_beyond_the_limit_are_refused_before_they_are_built(line: str) -> None:
    """A block of 16 MiB holds four million lines: as segments they were 1.7 GB of memory and 16 seconds."""
    raw = (MSH + "\r" + line * (20 * MAX_SEGMENTS)).encode()
    tracemalloc.start()
    try:
        with pytest.raises(Refuse) as caught:
            read_structure(raw, FEED)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code == "207"
    assert peak < 12 * len(raw)  # all of them as segments: above a hundred times


def test_how_long_an_attachment_may_be() -> None:
    start = "OBX|1|ED|X||"
    assert read(PID, "OBR|1", start + "A" * MAX_ATTACHMENT_BYTES).lanes
    fault = refusal(PID, "OBR|1", start + "A" * (MAX_ATTACHMENT_BYTES + 1))
    assert (fault.code, fault.location) == ("104", "OBX^1^5")


def test_lengths_are_counted_in_bytes() -> None:
    msh = f"{MSH}||||||UNICODE UTF-8"
    assert read(PID, "OBR|1", "OBX|1|TX|X||" + "µ" * (MAX_FIELD_BYTES // 2), msh=msh).lanes
    fault = refusal(PID, "OBR|1", "OBX|1|TX|X||" + "µ" * (MAX_FIELD_BYTES // 2) + "x", msh=msh)
    assert (fault.code, fault.location) == ("104", "OBX^1^5")


def test_limits_are_those_of_one_field_not_of_its_segment() -> None:
    fields = "|".join(["^".join("1" * 100), "&".join("1" * 100), "~".join("1" * 900)] * 3)
    assert read(PID, "OBR|1", f"OBX|{fields}").lanes
    assert refusal(PID, "OBR|1", f"OBX|{fields}|{'~'.join('1' * 1001)}").location == "OBX^1^10"
    assert refusal(PID, "OBR|1", "NTE|1", f"NTE|1||{'^'.join('1' * 129)}").location == "NTE^2^3"


def test_the_header_has_limits_too() -> None:
    msh = f"{MSH}|{'~'.join('1' * 1001)}"
    assert refusal(PID, "OBR|1", msh=msh).location == "MSH^1^13"
    assert read(PID, "OBR|1", msh=MSH + "|" * (MAX_FIELDS - 12)).lanes
    assert refusal(PID, "OBR|1", msh=MSH + "|" * (MAX_FIELDS - 11)).location == "MSH^1"


@given(data=messages())
def test_any_message_has_a_structure_or_a_reason(data: bytes) -> None:
    found = read_or_fault(data)
    if isinstance(found, Refuse):
        assert found.code in CODES
        assert found.location
        return
    results = [
        *(group.obx for patient in found.patients for group in patient.observations),
        *(group.obx for patient in found.patients for order in patient.orders for group in order.observations),
        *(
            group.obx
            for patient in found.patients
            for order in patient.orders
            for specimen in order.specimens
            for group in specimen.observations
        ),
    ]
    assert sorted(one.at for one in results) == sorted(one.at for one in found.message.all("OBX"))


SEGMENTS = st.lists(st.sampled_from(["PID", "ORC", "OBR", "OBX", "NTE", "SPM", "PV1", "ZZZ"]), max_size=14)


@given(names=SEGMENTS, version=st.sampled_from(["2.3.1", "2.5.1", "2.7", "2.8.2"]))
def test_no_result_is_ever_passed_over(names: list[str], version: str) -> None:
    """Each OBX is in exactly one place, or the message is refused; from 2.8 on one may be an order's document."""
    lines = [PID if name == "PID" else f"{name}|1" for name in (["PID", "OBR"] if "PID" not in names else []) + names]
    found = read_or_fault(raw(*lines, msh=MSH.replace("2.5.1", version)))
    if isinstance(found, Refuse):
        assert found.code == "100"
        return
    placed = [group.obx for patient in found.patients for group in patient.observations]
    for patient in found.patients:
        for order in patient.orders:
            placed += [group.obx for group in order.observations]
            placed += [group.obx for specimen in order.specimens for group in specimen.observations]
    everything = found.message.all("OBX")
    assert len({one.at for one in placed}) == len(placed)
    missing = [one for one in everything if one not in placed]
    segments = found.message.segments
    for one in missing:
        before = next(it.name for it in reversed(segments[: segments.index(one)]) if it.name in ("ORC", "OBR", "PID"))
        assert (before, version) == ("ORC", "2.8.2")
    if version < "2.6":
        assert all(not patient.observations for patient in found.patients)
